use serde_json::Value;

use crate::providers::ProviderError;
use crate::providers::reading::{by_status, reason};
use crate::providers::wire::WireFailure;

/// What the vendor says when waiting does not help; these come as `invalid_request_error` too.
const SPENT: [&str; 2] = ["credit balance is too low", "reached your specified api usage limits"];

/// What an answer with an error status means.
pub(super) fn of_response(model: &str, failure: &WireFailure<'_>) -> ProviderError {
    let body: Value = serde_json::from_slice(failure.body).unwrap_or_default();
    meaning(model, body.get("error").unwrap_or_default(), failure)
}

/// What an error event means. The status is the one that it would have come with before the stream began.
pub(super) fn in_stream(model: &str, error: &Value) -> ProviderError {
    // A key that was accepted when the stream began is hardly refused now.
    let failure = WireFailure { status: 0, retry_after: None, body: b"", key_source: "its source" };
    meaning(model, error, &failure)
}

fn meaning(model: &str, error: &Value, failure: &WireFailure<'_>) -> ProviderError {
    let kind = error["type"].as_str().unwrap_or_default();
    let reason = reason(error["message"].as_str(), failure.body);
    let said = reason.to_lowercase();
    if SPENT.iter().any(|spent| said.contains(spent)) {
        return ProviderError::QuotaSpent { reason };
    }
    let status = match kind {
        "not_found_error" => return ProviderError::NoSuchModel { model: model.to_owned() },
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "api_error" => 500,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => failure.status,
    };
    by_status(status, reason, failure)
}
