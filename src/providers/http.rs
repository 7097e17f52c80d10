//! One attempt over HTTP, whichever vendor's wire it speaks.

mod client;
mod exchange;
mod failure;
mod headers;
mod html;
#[cfg(test)]
mod loopback;
mod mask;
mod setup;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::timeout;

use super::wire::{Wire, WireRequest};
use super::{ChatProvider, ChatReply, ChatRequest, ChatStream, Limits, Phase, ProviderError};
use crate::domain::{ApiKey, Clock, Secret};
pub(super) use exchange::Answer;
use exchange::Endpoint;
pub use setup::HttpSetupError;

/// How to reach a vendor.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Where the API begins, with its version: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The key; `None` when the server wants none, or takes it in one of `headers`.
    pub key: Option<ApiKey>,
    /// The header that carries the key, when it is not the API's usual one: Azure's `api-key`.
    pub key_header: Option<String>,
    /// Headers of every request besides the wire's own, such as `OpenAI-Organization`.
    pub headers: Vec<(String, Secret)>,
    /// Until the connection stands, TLS included.
    pub connect_timeout: Duration,
    /// Whether the server is asked to keep to the output schema of a request.
    pub structured_output: bool,
    /// Bytes of an answer that are read at most.
    pub max_reply_bytes: u64,
}

impl HttpSettings {
    /// Settings for a server at `base_url`: 5 s to connect, structured output, answers up to 16 MiB.
    pub fn new(base_url: impl Into<String>, key: Option<ApiKey>) -> Self {
        Self {
            base_url: base_url.into(),
            key,
            key_header: None,
            headers: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            structured_output: true,
            max_reply_bytes: 16 * 1024 * 1024,
        }
    }
}

/// A vendor behind HTTP.
pub struct HttpProvider {
    wire: Arc<dyn Wire>,
    endpoint: Endpoint,
}

impl std::fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpProvider").field("authority", &self.endpoint.authority()).finish_non_exhaustive()
    }
}

impl HttpProvider {
    /// A vendor that speaks `wire`. `clock` is asked when a vendor names a date to wait for without saying its own time.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(super) fn new(wire: impl Wire, settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<Self, HttpSetupError> {
        let endpoint = Endpoint::new(&wire, settings, clock, client::Proxies::FromEnvironment)?;
        Ok(Self { wire: Arc::new(wire), endpoint })
    }

    /// Sends one request and reads its whole answer with `read`, within `limits.total`.
    pub(super) async fn attempt<T>(
        &self,
        model: &str,
        request: Result<WireRequest, ProviderError>,
        limits: Limits,
        read: impl FnOnce(Answer) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let work = async { read(self.endpoint.answer(&*self.wire, model, &request?).await?) };
        let outcome = timeout(limits.total, work).await;
        let late = ProviderError::TimedOut { phase: Phase::Total, limit: limits.total };
        outcome.unwrap_or(Err(late)).map_err(|error| self.endpoint.mask.clean(error))
    }
}

impl ChatProvider for HttpProvider {
    fn chat<'a>(&'a self, request: &'a ChatRequest, limits: Limits) -> BoxFuture<'a, Result<ChatReply, ProviderError>> {
        let read = |answer: Answer| {
            let mut reply = self.wire.chat_reply(request, answer.body.as_bytes())?;
            reply.request_id = reply.request_id.or(answer.request_id);
            Ok(reply)
        };
        async move {
            let said = self.wire.chat_request(request, false);
            self.attempt(&request.model, said, limits, read).await
        }
        .boxed()
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<ChatStream, ProviderError>> {
        async move {
            let opened = stream::open(&self.endpoint, &*self.wire, request, limits).await;
            opened.map_err(|error| self.endpoint.mask.clean(error))
        }
        .boxed()
    }

    fn is_offline(&self) -> bool {
        false
    }
}
