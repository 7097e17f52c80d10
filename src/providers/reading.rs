//! What wires share to read what a vendor sends, which may be anything.

#[cfg(test)]
pub(super) mod mutation;

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

use super::wire::WireFailure;
use super::{ChatReply, FinishReason, ProviderError};
use crate::domain::{Tokens, Usage};

/// Reads JSON that the vendor sent as `what`.
///
/// # Errors
/// [`ProviderError::Malformed`]. What stands in the JSON is not repeated: it may be the customer's.
pub(super) fn json<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = error.to_string();
        let why = match error.classify() {
            Category::Data if message.starts_with("missing field") => message,
            Category::Data => format!("a value of another type at line {}, column {}", error.line(), error.column()),
            Category::Eof => "the JSON ends early".to_owned(),
            Category::Syntax | Category::Io => format!("no JSON at line {}, column {}", error.line(), error.column()),
        };
        malformed(format!("it is not {what}: {why}"))
    })
}

/// What a vendor sent is not an answer, because of `reason`.
pub(super) fn malformed(reason: impl Into<String>) -> ProviderError {
    ProviderError::Malformed { reason: reason.into() }
}

/// The request cannot be said to this vendor, because of `reason`.
pub(super) fn bad_request(reason: impl Into<String>) -> ProviderError {
    ProviderError::BadRequest { reason: reason.into() }
}

/// The vendor's explanation in one line; without one, what its answer holds.
pub(super) fn reason(message: Option<&str>, body: &[u8]) -> String {
    let text = message.map_or_else(|| String::from_utf8_lossy(body), Into::into);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no reason given".to_owned() } else { text }
}

/// What a vendor's error with this HTTP status means where nothing more is known of it; 0 when it came in a stream.
pub(super) fn by_status(status: u16, reason: String, failure: &WireFailure<'_>) -> ProviderError {
    let retry_after = failure.retry_after;
    match status {
        401 | 403 => ProviderError::Unauthorized { source_of_key: failure.key_source.to_owned(), status, reason },
        402 => ProviderError::QuotaSpent { reason },
        404 => bad_request(format!("there is nothing at this address (status 404), check base_url: {reason}")),
        429 => ProviderError::RateLimited { retry_after, reason },
        400..=407 | 409..=424 | 426..=499 => bad_request(reason),
        _ => ProviderError::Unavailable { status, retry_after, reason },
    }
}

/// The arguments of a function call, as the object that some vendors want instead of its text.
///
/// # Errors
/// [`ProviderError::BadRequest`] when they are none.
pub(super) fn arguments(name: &str, text: &str) -> Result<Value, ProviderError> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    match serde_json::from_str(text) {
        Ok(arguments @ Value::Object(_)) => Ok(arguments),
        _ => Err(bad_request(format!("the arguments of the call of `{name}` are not a JSON object"))),
    }
}

/// Usage that can be true: an answer needs a prompt, and what it says took tokens.
pub(super) fn believable(usage: Usage, said_something: bool) -> Option<Usage> {
    let missing = usage.input == Tokens(0) || (said_something && usage.output == Tokens(0));
    (!missing).then_some(usage)
}

/// Lets only answers through that are one.
///
/// # Errors
/// [`ProviderError::Malformed`] when it is empty without any sign that this is meant, or waits for calls it did not make.
pub(super) fn checked(reply: ChatReply) -> Result<ChatReply, ProviderError> {
    match reply.finish_reason {
        FinishReason::ToolCalls if reply.tool_calls.is_empty() => {
            Err(malformed("it waits for the results of function calls but makes none"))
        }
        FinishReason::Stop if reply.text.is_empty() && reply.tool_calls.is_empty() && reply.usage.is_none() => {
            Err(malformed("it has no text, no function call and no usage"))
        }
        _ => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told_without_its_text() {
        #[derive(Debug, Deserialize)]
        struct Message {
            #[serde(rename = "text")]
            _text: Vec<u64>,
        }
        let problem = |bytes: &[u8]| match json::<Message>("an answer", bytes) {
            Err(ProviderError::Malformed { reason }) => reason,
            other => panic!("{other:?}"),
        };
        let told = problem(br#"{"text": "my card is 4111"}"#);
        assert_eq!(told, "it is not an answer: a value of another type at line 1, column 26");
        assert!(problem(b"{}").contains("missing field `text`"));
        assert!(problem(b"{\"text\": [1").contains("ends early"));
        assert!(problem(b"{\"text\": [\xff]}").contains("no JSON at line 1"));
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(reason(Some("a\n  b"), b"c"), "a b");
        assert_eq!(reason(None, b"upstream\tgone \xff"), "upstream gone \u{fffd}");
        assert_eq!(reason(None, b" "), "no reason given");
    }
}
