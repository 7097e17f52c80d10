//! OpenAI's chat completions and embeddings, and every server that speaks them: vLLM, Ollama, LiteLLM, Azure, Mistral.

mod dialect;
mod embeddings;
mod failure;
mod reply;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::http::{HttpProvider, HttpSettings, HttpSetupError};
use super::wire::{StreamReader, Wire, WireFailure, WireRequest};
use super::{
    ChatProvider, ChatReply, ChatRequest, ChatStream, EmbeddingProvider, EmbeddingReply, EmbeddingRequest, Limits,
    ProviderError,
};
use crate::domain::{Clock, Secret, Usage};
use dialect::Dialect;

/// OpenAI, or a server compatible with it.
#[derive(Debug)]
pub struct OpenAi {
    http: HttpProvider,
}

/// OpenAI, or a server compatible with it, at `settings.base_url`.
///
/// # Errors
/// What is wrong with the settings.
pub fn openai(settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<OpenAi, HttpSetupError> {
    let wire = OpenAiWire::new(&settings.base_url, settings.structured_output);
    Ok(OpenAi { http: HttpProvider::new(wire, settings, clock)? })
}

impl ChatProvider for OpenAi {
    fn chat<'a>(&'a self, request: &'a ChatRequest, limits: Limits) -> BoxFuture<'a, Result<ChatReply, ProviderError>> {
        self.http.chat(request, limits)
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<ChatStream, ProviderError>> {
        self.http.stream(request, limits)
    }

    fn is_offline(&self) -> bool {
        self.http.is_offline()
    }
}

impl EmbeddingProvider for OpenAi {
    fn embed<'a>(
        &'a self,
        request: &'a EmbeddingRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<EmbeddingReply, ProviderError>> {
        async move {
            if request.texts.is_empty() {
                let usage = Some(Usage::default());
                return Ok(EmbeddingReply { vectors: Vec::new(), usage, request_id: None });
            }
            let said = Ok(embeddings::request(request));
            let read = |answer: super::http::Answer| {
                let mut reply = embeddings::reply(request, answer.body.as_bytes())?;
                reply.request_id = answer.request_id;
                Ok(reply)
            };
            self.http.attempt(&request.model, said, limits, read).await
        }
        .boxed()
    }
}

/// OpenAI's way to say things.
#[derive(Debug, Clone)]
pub(super) struct OpenAiWire {
    dialect: Dialect,
    structured_output: bool,
}

impl OpenAiWire {
    /// The wire of the server at `base_url`; `structured_output` tells whether it is asked to keep to a schema.
    pub(super) fn new(base_url: &str, structured_output: bool) -> Self {
        Self { dialect: Dialect::of(base_url), structured_output }
    }
}

impl Wire for OpenAiWire {
    fn chat_request(&self, request: &ChatRequest, streamed: bool) -> Result<WireRequest, ProviderError> {
        let body = request::body(request, streamed, &self.dialect, self.structured_output)?;
        Ok(WireRequest { path: "/chat/completions".into(), body })
    }

    fn chat_reply(&self, _: &ChatRequest, body: &[u8]) -> Result<ChatReply, ProviderError> {
        reply::read(body)
    }

    fn stream_reader(&self, _: &ChatRequest) -> Box<dyn StreamReader> {
        Box::new(stream::Reader::default())
    }

    fn error(&self, request_model: &str, failure: &WireFailure<'_>) -> ProviderError {
        failure::of_status(request_model, failure)
    }

    fn key_header(&self, key: &Secret) -> (&'static str, String) {
        ("authorization", format!("Bearer {}", key.expose()))
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }
}
