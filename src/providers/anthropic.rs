//! Anthropic's Messages API.
//!
//! Source: docs.anthropic.com, "Messages", "Streaming Messages", "Errors"; API version 2023-06-01.

mod error;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

use super::http::{HttpProvider, HttpSettings, HttpSetupError};
use super::wire::{StreamReader, Wire, WireFailure, WireRequest};
use super::{ChatReply, ChatRequest, ProviderError};
use crate::domain::{Clock, Secret};

/// Anthropic, at `settings.base_url`.
///
/// # Errors
/// What is wrong with the settings.
pub fn anthropic(settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<HttpProvider, HttpSetupError> {
    HttpProvider::new(AnthropicWire { structured_output: settings.structured_output }, settings, clock)
}

/// Speaks Anthropic's Messages API.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnthropicWire {
    /// Whether answers that must satisfy a schema are asked for as the input of a forced tool.
    pub(super) structured_output: bool,
}

impl AnthropicWire {
    /// Whether the answer comes as the input of the tool [`request::ANSWER`], which is the only way to have it in a
    /// schema's form on all models. The vendor refuses to force a tool on a model that thinks, and takes only plain
    /// object schemas.
    fn forces_answer(self, request: &ChatRequest) -> bool {
        let thinks = request.extensions.get("thinking").is_some_and(|thinking| thinking["type"] != "disabled");
        let own_tools = ["tools", "tool_choice"].iter().any(|name| request.extensions.contains_key(*name));
        let is_plain = |schema: &Value| {
            schema["type"] == "object" && ["anyOf", "oneOf", "allOf"].iter().all(|name| schema.get(name).is_none())
        };
        self.structured_output
            && request.tools.is_empty()
            && !thinks
            && !own_tools
            && request.output_schema.as_ref().is_some_and(|schema| is_plain(schema.schema()))
    }
}

impl Wire for AnthropicWire {
    fn chat_request(&self, request: &ChatRequest, streamed: bool) -> Result<WireRequest, ProviderError> {
        let body = request::body(request, streamed, self.forces_answer(request))?;
        Ok(WireRequest { path: "/v1/messages".into(), body })
    }

    fn chat_reply(&self, request: &ChatRequest, body: &[u8]) -> Result<ChatReply, ProviderError> {
        reply::read(body, self.forces_answer(request))
    }

    fn stream_reader(&self, request: &ChatRequest) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::new(request.model.clone(), self.forces_answer(request)))
    }

    fn error(&self, request_model: &str, failure: &WireFailure<'_>) -> ProviderError {
        error::of_response(request_model, failure)
    }

    fn key_header(&self, key: &Secret) -> (&'static str, String) {
        ("x-api-key", key.expose().to_owned())
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }
}
