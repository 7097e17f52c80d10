use serde_json::{Value, json};

use super::span;
use crate::mock_provider::failure::{Failure, Limited};

/// Status and body of a failure, in the vendor's words.
pub(super) fn body(failure: &Failure) -> (u16, Value) {
    let (status, message, kind, code) = match failure {
        Failure::Unauthorized { given: None } => {
            let message = "You didn't provide an API key. You need to provide your API key in an Authorization header \
                using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).";
            (401, message.to_owned(), "invalid_request_error", None)
        }
        Failure::Unauthorized { given: Some(given) } => {
            let message = format!(
                "Incorrect API key provided: {given}. You can find your API key at \
                https://platform.openai.com/account/api-keys."
            );
            (401, message, "invalid_request_error", Some("invalid_api_key"))
        }
        Failure::BadRequest { reason } => (400, reason.clone(), "invalid_request_error", None),
        Failure::NoSuchModel { model } => {
            let message = format!("The model `{model}` does not exist or you do not have access to it.");
            (404, message, "invalid_request_error", Some("model_not_found"))
        }
        Failure::NoSuchPath { method, path } => {
            (404, format!("Invalid URL ({method} {path})"), "invalid_request_error", None)
        }
        Failure::TooLarge { limit_bytes } => {
            let message = format!("Maximum content size limit ({limit_bytes}) exceeded");
            (413, message, "invalid_request_error", None)
        }
        Failure::RateLimited { what, limit, retry_after } => {
            let (kind, long, short) = match what {
                Limited::Requests => ("requests", "requests per min", "RPM"),
                Limited::Tokens => ("tokens", "tokens per min", "TPM"),
            };
            let message = format!(
                "Rate limit reached for this model in organization org-mock on {long} ({short}): Limit {limit}. \
                Please try again in {}. Visit https://platform.openai.com/account/rate-limits to learn more.",
                span(*retry_after)
            );
            (429, message, kind, Some("rate_limit_exceeded"))
        }
        Failure::QuotaSpent => {
            let message = "You exceeded your current quota, please check your plan and billing details. For more \
                information on this error, read the docs: \
                https://platform.openai.com/docs/guides/error-codes/api-errors.";
            (429, message.to_owned(), "insufficient_quota", Some("insufficient_quota"))
        }
        Failure::Internal => {
            let message = "The server had an error while processing your request. Sorry about that!";
            (500, message.to_owned(), "server_error", None)
        }
        Failure::Unavailable { .. } => {
            (503, "The engine is currently overloaded, please try again later".to_owned(), "server_error", None)
        }
        Failure::Overloaded { .. } => (529, "Overloaded".to_owned(), "server_error", None),
    };
    (status, json!({"error": {"message": message, "type": kind, "param": null, "code": code}}))
}
