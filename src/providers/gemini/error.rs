use std::time::Duration;

use serde_json::Value;

use crate::providers::ProviderError;
use crate::providers::reading::{by_status, reason};
use crate::providers::wire::WireFailure;

/// What the vendor says when it does not accept a key; it calls that an invalid argument.
const BAD_KEY: [&str; 3] = ["api key not valid", "api key expired", "api_key_invalid"];
/// What the vendor says when waiting does not help, besides a quota for the day.
const SPENT: [&str; 2] = ["credits are depleted", "spending cap"];

/// What an answer with an error status means.
pub(super) fn of_response(model: &str, failure: &WireFailure<'_>) -> ProviderError {
    let body: Value = serde_json::from_slice(failure.body).unwrap_or_default();
    // An error before a stream comes as a list of one.
    let body = body.get(0).unwrap_or(&body);
    meaning(model, body.get("error").unwrap_or_default(), failure)
}

/// What an error in a piece of an answer means.
pub(super) fn in_stream(model: &str, error: &Value) -> ProviderError {
    let status = error["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(0);
    // A key that was accepted when the stream began is hardly refused now.
    let failure = WireFailure { status, retry_after: None, body: b"", key_source: "its source" };
    meaning(model, error, &failure)
}

fn meaning(model: &str, error: &Value, failure: &WireFailure<'_>) -> ProviderError {
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let detail = |name: &str| details.iter().find(move |detail| is_type(detail, name));
    let info = detail("ErrorInfo").and_then(|info| info["reason"].as_str()).unwrap_or_default().to_lowercase();
    let reason = reason(error["message"].as_str(), failure.body);
    let said = reason.to_lowercase();
    let retry_after = detail("RetryInfo").and_then(|info| info["retryDelay"].as_str()).and_then(seconds);
    let failure = WireFailure { retry_after: retry_after.or(failure.retry_after), ..*failure };
    let status = match error["status"].as_str().unwrap_or_default() {
        "NOT_FOUND" => return ProviderError::NoSuchModel { model: model.to_owned() },
        "INVALID_ARGUMENT" if BAD_KEY.iter().any(|bad| said.contains(bad) || info == *bad) => {
            let source_of_key = failure.key_source.to_owned();
            return ProviderError::Unauthorized { source_of_key, status: failure.status, reason };
        }
        "RESOURCE_EXHAUSTED" if is_for_the_day(details) || SPENT.iter().any(|spent| said.contains(spent)) => {
            return ProviderError::QuotaSpent { reason };
        }
        "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "OUT_OF_RANGE" => 400,
        "UNAUTHENTICATED" => 401,
        "PERMISSION_DENIED" => 403,
        "RESOURCE_EXHAUSTED" => 429,
        "INTERNAL" | "UNKNOWN" => 500,
        "UNAVAILABLE" | "ABORTED" | "CANCELLED" => 503,
        "DEADLINE_EXCEEDED" => 504,
        _ => failure.status,
    };
    by_status(status, reason, &failure)
}

fn is_type(detail: &Value, name: &str) -> bool {
    detail["@type"].as_str().is_some_and(|kind| kind.rsplit('.').next() == Some(name))
}

/// Whether the quota that is exhausted is one for the day.
fn is_for_the_day(details: &[Value]) -> bool {
    let violations = details.iter().filter(|detail| is_type(detail, "QuotaFailure"));
    let mut quotas = violations.filter_map(|detail| detail["violations"].as_array()).flatten();
    quotas.any(|violation| violation["quotaId"].as_str().is_some_and(|id| id.contains("PerDay")))
}

/// Reads a duration as protobuf's JSON writes it: "37s", "0.250s".
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_nonsense_is_none() {
        assert_eq!(seconds("37s"), Some(Duration::from_secs(37)));
        assert_eq!(seconds("0.250s"), Some(Duration::from_millis(250)));
        for nonsense in ["", "s", "37", "-1s", "NaNs", "infs", "1e300s"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
