use serde_json::{Value, json};

use crate::mock_provider::failure::{Failure, Limited};

/// Status and body of a failure, in the vendor's words.
pub(super) fn body(failure: &Failure, request_id: &str) -> (u16, Value) {
    let (status, kind, message) = match failure {
        Failure::Unauthorized { given: None } => (401, "authentication_error", "x-api-key header is required".into()),
        Failure::Unauthorized { given: Some(_) } => (401, "authentication_error", "invalid x-api-key".into()),
        Failure::BadRequest { reason } => (400, "invalid_request_error", reason.clone()),
        Failure::NoSuchModel { model } => (404, "not_found_error", format!("model: {model}")),
        Failure::NoSuchPath { .. } => (404, "not_found_error", "Not found".into()),
        Failure::TooLarge { .. } => (413, "request_too_large", "Request exceeds the maximum size".into()),
        Failure::RateLimited { what, limit, .. } => {
            let what = match what {
                Limited::Requests => "requests",
                Limited::Tokens => "tokens",
            };
            let message = format!(
                "This request would exceed your organization's rate limit of {limit} {what} per minute. For details, \
                refer to: https://docs.claude.com/en/api/rate-limits."
            );
            (429, "rate_limit_error", message)
        }
        // This vendor's status for it is not 429.
        Failure::QuotaSpent => {
            let message = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing \
                to upgrade or purchase credits.";
            (400, "invalid_request_error", message.into())
        }
        Failure::Internal => (500, "api_error", "Internal server error".into()),
        Failure::Unavailable { .. } => (503, "api_error", "Service Unavailable".into()),
        Failure::Overloaded { .. } => (529, "overloaded_error", "Overloaded".into()),
    };
    let body = json!({
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": format!("req_{request_id}"),
    });
    (status, body)
}
