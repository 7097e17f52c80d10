use std::time::Duration;

use serde_json::Value;

use super::{ChatEvent, ChatReply, ChatRequest, ProviderError};
use crate::domain::Secret;

/// How one vendor's HTTP API says things: pure translation, no input or output.
pub(super) trait Wire: Send + Sync + 'static {
    /// The request for a chat; `streamed` asks for server-sent events.
    ///
    /// # Errors
    /// When this vendor's API cannot say it.
    fn chat_request(&self, request: &ChatRequest, streamed: bool) -> Result<WireRequest, ProviderError>;

    /// Reads a whole answer (status 2xx).
    ///
    /// # Errors
    /// [`ProviderError::Malformed`] when it is none.
    fn chat_reply(&self, request: &ChatRequest, body: &[u8]) -> Result<ChatReply, ProviderError>;

    /// A reader for one streamed answer.
    fn stream_reader(&self, request: &ChatRequest) -> Box<dyn StreamReader>;

    /// What an answer with an error status means.
    fn error(&self, request_model: &str, failure: &WireFailure<'_>) -> ProviderError;

    /// The header that carries the key, and its value.
    fn key_header(&self, key: &Secret) -> (&'static str, String);

    /// Headers that every request carries besides the key, with lower-case names.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The header in which the vendor gives its id of the request.
    fn request_id_header(&self) -> &'static str;
}

/// A request as it goes to the vendor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WireRequest {
    /// Path and query after the base URL, from `/`.
    pub(super) path: String,
    /// The JSON body.
    pub(super) body: Value,
}

/// An answer with an error status.
#[derive(Debug, Clone, Copy)]
pub(super) struct WireFailure<'a> {
    /// The HTTP status.
    pub(super) status: u16,
    /// The vendor's wish, from `Retry-After` (seconds or a date) or `retry-after-ms`.
    pub(super) retry_after: Option<Duration>,
    /// The body, which may be anything.
    pub(super) body: &'a [u8],
    /// Where the key came from, for messages.
    pub(super) key_source: &'a str,
}

/// Reads the events of one streamed answer.
pub(super) trait StreamReader: Send {
    /// Reads the next event; `name` is its `event:` field ("message" when it has none), `data` its `data:` lines joined.
    /// Returns what it brings. After [`ChatEvent::Done`] nothing more is read.
    ///
    /// # Errors
    /// An error inside the stream, or [`ProviderError::Malformed`].
    fn event(&mut self, name: &str, data: &str) -> Result<Vec<ChatEvent>, ProviderError>;

    /// The connection ended without [`ChatEvent::Done`].
    ///
    /// # Errors
    /// [`ProviderError::Truncated`], unless what arrived is a whole answer by this vendor's rules.
    fn end(&mut self) -> Result<Option<ChatEvent>, ProviderError>;
}
