//! Google's Gemini API.
//!
//! Source: ai.google.dev/api, "Generating content" (v1beta); "Thought signatures"; google.rpc error details (AIP-193).

mod error;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::http::{HttpProvider, HttpSettings, HttpSetupError};
use super::wire::{StreamReader, Wire, WireFailure, WireRequest};
use super::{ChatReply, ChatRequest, ProviderError};
use crate::domain::{Clock, Secret};

/// Google's Gemini API, at `settings.base_url`.
///
/// # Errors
/// What is wrong with the settings.
pub fn gemini(settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<HttpProvider, HttpSetupError> {
    HttpProvider::new(GeminiWire { structured_output: settings.structured_output }, settings, clock)
}

/// Speaks Google's Gemini API.
#[derive(Debug, Clone, Copy)]
pub(super) struct GeminiWire {
    /// Whether answers that must satisfy a schema are asked for in its form.
    pub(super) structured_output: bool,
}

impl Wire for GeminiWire {
    fn chat_request(&self, request: &ChatRequest, streamed: bool) -> Result<WireRequest, ProviderError> {
        let path = request::path(&request.model, streamed)?;
        Ok(WireRequest { path, body: request::body(request, self.structured_output)? })
    }

    fn chat_reply(&self, request: &ChatRequest, body: &[u8]) -> Result<ChatReply, ProviderError> {
        reply::read(&request.model, body)
    }

    fn stream_reader(&self, request: &ChatRequest) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::new(request.model.clone()))
    }

    fn error(&self, request_model: &str, failure: &WireFailure<'_>) -> ProviderError {
        error::of_response(request_model, failure)
    }

    fn key_header(&self, key: &Secret) -> (&'static str, String) {
        ("x-goog-api-key", key.expose().to_owned())
    }

    /// The vendor gives its id in the body; a gateway before it may give one here.
    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }
}
