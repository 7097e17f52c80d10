use hyper::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::anthropic::Anthropic;
use super::call::{Call, Event, Reply};
use super::failure::Failure;
use super::gemini::Gemini;
use super::limits::Standing;
use super::openai::OpenAi;

/// How one vendor says things on the server's side.
pub(super) trait Vendor: Sync {
    /// Its name in metrics.
    fn name(&self) -> &'static str;

    /// Reads a request for a chat.
    fn read(&self, target: &Target<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Call, Failure>;

    /// An answer that is not streamed.
    fn whole(&self, reply: Reply<'_>) -> Value;

    /// A streamed answer.
    fn events(&self, reply: Reply<'_>) -> Vec<Event>;

    /// The models' names as a list.
    fn models(&self, names: &[String]) -> Value;

    /// Status and body of a failure.
    fn failure(&self, failure: &Failure, request_id: &str) -> (u16, Value);

    /// A failure after the stream has begun, as an event.
    fn failure_event(&self, failure: &Failure, request_id: &str) -> Event;

    /// The key that a request brings.
    fn key<'a>(&self, headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str>;

    /// The header with the request's id, and the id.
    fn request_id(&self, id: &str) -> Option<(&'static str, String)>;

    /// The headers that say what is left of the rate limits.
    fn limit_headers(&self, standing: &Standing, now: jiff::Timestamp) -> Vec<(&'static str, String)>;
}

/// What a request is for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) vendor: &'static dyn Vendor,
    pub(super) endpoint: Endpoint<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint<'a> {
    /// A chat whose body says everything.
    Chat,
    /// A chat whose path names the model, and whether it is streamed.
    ChatAt {
        model: &'a str,
        streamed: bool,
    },
    Embeddings,
    Models,
    Unknown,
}

impl Endpoint<'_> {
    /// Its name in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chat | Self::ChatAt { .. } => "chat",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Unknown => "unknown",
        }
    }
}

impl<'a> Target<'a> {
    /// What a request is for. Only the end of its path counts, so that any prefix works as a base URL.
    pub(super) fn of(method: &Method, path: &'a str, headers: &HeaderMap) -> Self {
        let posted = *method == Method::POST;
        let read = *method == Method::GET;
        let (vendor, endpoint): (&'static dyn Vendor, _) = if posted && path.ends_with("/chat/completions") {
            (&OpenAi, Endpoint::Chat)
        } else if posted && path.ends_with("/embeddings") {
            (&OpenAi, Endpoint::Embeddings)
        } else if posted && path.ends_with("/v1/messages") {
            (&Anthropic, Endpoint::Chat)
        } else if path.contains("/v1beta/") {
            (&Gemini, gemini(posted, read, path))
        } else if headers.contains_key("anthropic-version") {
            (&Anthropic, if read && path.ends_with("/models") { Endpoint::Models } else { Endpoint::Unknown })
        } else {
            (&OpenAi, if read && path.ends_with("/models") { Endpoint::Models } else { Endpoint::Unknown })
        };
        Self { vendor, endpoint }
    }
}

fn gemini(posted: bool, read: bool, path: &str) -> Endpoint<'_> {
    if read && path.ends_with("/models") {
        return Endpoint::Models;
    }
    let model_and_method = path.rsplit_once('/').and_then(|(_, last)| last.split_once(':'));
    match model_and_method {
        Some((model, "generateContent")) if posted => Endpoint::ChatAt { model, streamed: false },
        Some((model, "streamGenerateContent")) if posted => Endpoint::ChatAt { model, streamed: true },
        _ => Endpoint::Unknown,
    }
}

/// A header's value as text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The key after `Authorization: Bearer`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, key) = header(headers, "authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_the_vendor_whose_they_are() {
        let target = |method: Method, path| {
            let target = Target::of(&method, path, &HeaderMap::new());
            (target.vendor.name(), target.endpoint)
        };
        let chat = Endpoint::Chat;
        assert_eq!(target(Method::POST, "/v1/chat/completions"), ("openai", chat));
        assert_eq!(target(Method::POST, "/openai/deployments/d/chat/completions"), ("openai", chat));
        assert_eq!(target(Method::POST, "/v1/messages"), ("anthropic", chat));
        assert_eq!(target(Method::GET, "/v1/chat/completions"), ("openai", Endpoint::Unknown));
        assert_eq!(target(Method::GET, "/v1/models"), ("openai", Endpoint::Models));
        assert_eq!(
            target(Method::POST, "/v1beta/models/gemini-2.5-flash:streamGenerateContent"),
            ("gemini", Endpoint::ChatAt { model: "gemini-2.5-flash", streamed: true })
        );
        assert_eq!(target(Method::POST, "/v1beta/models/x:explode"), ("gemini", Endpoint::Unknown));
    }
}
