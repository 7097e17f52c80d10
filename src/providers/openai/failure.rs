use serde_json::Value;

use crate::providers::ProviderError;
use crate::providers::reading::{by_status, reason};
use crate::providers::wire::WireFailure;

/// What a server says went wrong.
#[derive(Default)]
struct Said {
    message: Option<String>,
    /// `code` and `type`, in lower case.
    names: Vec<String>,
    /// A `code` that is an HTTP status.
    status: Option<u16>,
}

/// What an answer with an error status means.
pub(super) fn of_status(model: &str, failure: &WireFailure<'_>) -> ProviderError {
    let said = serde_json::from_slice(failure.body).ok().map(|value| said(&value)).unwrap_or_default();
    let reason = reason(said.message.as_deref(), failure.body);
    match failure.status {
        400.. if said.spent_quota() => ProviderError::QuotaSpent { reason },
        400 | 404 | 422 if said.names_no_model() => ProviderError::NoSuchModel { model: model.to_owned() },
        404 if said.denies_model() => ProviderError::NoSuchModel { model: model.to_owned() },
        status => by_status(status, reason, failure),
    }
}

/// The error that stands where an answer was expected: in a stream, or with a status of success. `None` when it is none.
pub(super) fn inside(body: &[u8]) -> Option<ProviderError> {
    let value: Value = serde_json::from_slice(body).ok()?;
    // Chunks may carry `"error": null`.
    let is_error = value.get("error").is_some_and(|error| !error.is_null())
        || value.get("object").and_then(Value::as_str) == Some("error");
    let said = is_error.then(|| said(&value))?;
    let named = |part: &str| said.names.iter().any(|name| name.contains(part));
    let reason = reason(said.message.as_deref(), body);
    Some(match said.status {
        _ if said.spent_quota() => ProviderError::QuotaSpent { reason },
        Some(429) => ProviderError::RateLimited { retry_after: None, reason },
        None if named("rate_limit") => ProviderError::RateLimited { retry_after: None, reason },
        Some(400 | 404 | 413 | 422) => ProviderError::BadRequest { reason },
        None if named("invalid_request") => ProviderError::BadRequest { reason },
        status => ProviderError::Unavailable { status: status.unwrap_or(0), retry_after: None, reason },
    })
}

/// Reads the shapes of OpenAI (`error.message`), vLLM and Mistral (`message`), Ollama (`error` is text), FastAPI
/// (`detail`), and Google's list of one.
fn said(value: &Value) -> Said {
    let value = value.get(0).unwrap_or(value);
    let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
    let message = ["message", "detail"].iter().find_map(|name| error.get(name)).unwrap_or(error);
    let message = match message {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let names = ["code", "type"].iter().filter_map(|name| Some(error.get(name)?.as_str()?.to_lowercase())).collect();
    let code = error.get("code");
    let number = code.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
    let status = number.and_then(|number| u16::try_from(number).ok()).filter(|number| (400..600).contains(number));
    Said { message, names, status }
}

impl Said {
    /// Waiting does not help. What the message says is no sign: rate limits are called quotas too.
    fn spent_quota(&self) -> bool {
        self.names.iter().any(|name| name == "insufficient_quota" || name.starts_with("billing"))
    }

    fn names_no_model(&self) -> bool {
        let names = ["model_not_found", "invalid_model", "deploymentnotfound"];
        self.names.iter().any(|name| names.contains(&name.as_str()))
    }

    /// Servers without a code for it: vLLM ("The model `x` does not exist."), Ollama ("model 'x' not found").
    fn denies_model(&self) -> bool {
        let message = self.message.as_deref().unwrap_or_default().to_lowercase();
        message.contains("model") && (message.contains("not found") || message.contains("not exist"))
    }
}
