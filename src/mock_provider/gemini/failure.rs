use serde_json::{Value, json};

use crate::mock_provider::failure::{Failure, Limited};

/// Status and body of a failure, in the vendor's words.
pub(super) fn body(failure: &Failure) -> (u16, Value) {
    let (code, status, message, details) = match failure {
        Failure::Unauthorized { given: None } => {
            let message = "Method doesn't allow unregistered callers (callers without established identity). Please \
                use API Key or other form of API consumer identity to call this API.";
            (403, "PERMISSION_DENIED", message.into(), Vec::new())
        }
        // This vendor's status for it is not 401.
        Failure::Unauthorized { given: Some(_) } => {
            let info = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}});
            (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.".into(), vec![info])
        }
        Failure::BadRequest { reason } => (400, "INVALID_ARGUMENT", reason.clone(), Vec::new()),
        Failure::NoSuchModel { model } => {
            let message =
                format!("models/{model} is not found for API version v1beta, or is not supported for generateContent.");
            (404, "NOT_FOUND", message, Vec::new())
        }
        Failure::NoSuchPath { path, .. } => {
            (404, "NOT_FOUND", format!("The requested URL {path} was not found on this server."), Vec::new())
        }
        Failure::TooLarge { limit_bytes } => {
            let message = format!("Request payload size exceeds the limit: {limit_bytes} bytes.");
            (400, "INVALID_ARGUMENT", message, Vec::new())
        }
        Failure::RateLimited { what, limit, retry_after } => {
            let (metric, id) = match what {
                Limited::Requests => ("requests", "GenerateRequestsPerMinutePerProjectPerModel"),
                Limited::Tokens => ("token_count", "GenerateContentInputTokensPerModelPerMinute"),
            };
            let delay = format!("{:.3}s", retry_after.as_secs_f64());
            let message = format!("{EXCEEDED} Please retry in {delay}.");
            let retry = json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay});
            (429, "RESOURCE_EXHAUSTED", message, vec![quota(metric, id, *limit), retry])
        }
        Failure::QuotaSpent => {
            let details = vec![quota("requests", "GenerateRequestsPerDayPerProjectPerModel", 0)];
            (429, "RESOURCE_EXHAUSTED", EXCEEDED.into(), details)
        }
        Failure::Internal => {
            let message = "An internal error has occurred. Please retry or report in \
                https://developers.generativeai.google/guide/troubleshooting";
            (500, "INTERNAL", message.into(), Vec::new())
        }
        Failure::Unavailable { .. } | Failure::Overloaded { .. } => {
            (503, "UNAVAILABLE", "The model is overloaded. Please try again later.".into(), Vec::new())
        }
    };
    let mut error = json!({"code": code, "message": message, "status": status});
    if let (false, Value::Object(error)) = (details.is_empty(), &mut error) {
        error.insert("details".into(), details.into());
    }
    (code, json!({"error": error}))
}

const EXCEEDED: &str = "You exceeded your current quota, please check your plan and billing details. For more \
    information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.";

fn quota(metric: &str, id: &str, limit: u64) -> Value {
    let violation = json!({
        "quotaMetric": format!("generativelanguage.googleapis.com/generate_content_{metric}"),
        "quotaId": id,
        "quotaValue": limit.to_string(),
    });
    json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]})
}
