mod connecting;
mod replies;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use super::client::Proxies;
use super::loopback::Loopback;
use super::{Endpoint, HttpProvider, HttpSettings, HttpSetupError};
use crate::domain::{ApiKey, ManualClock, Secret};
use crate::providers::openai::OpenAiWire;
use crate::providers::{ChatMessage, ChatProvider, ChatReply, ChatRequest, Limits, ProviderError, Role};

/// A key that must never be seen anywhere.
const CANARY: &str = "sk-canary-7Qf2kLx9ZtVw3f9a";
const CHAT: &str = include_str!("../../../tests/fixtures/providers/openai/chat.json");
const STREAM: &str = include_str!("../../../tests/fixtures/providers/openai/stream.sse");
const INVALID_KEY: &str = include_str!("../../../tests/fixtures/providers/openai/error_invalid_key.json");
/// Long enough that no test reaches it.
const AMPLE: Duration = Duration::from_mins(1);

fn settings(base_url: impl Into<String>) -> HttpSettings {
    let secret = Some(Secret::new(CANARY.into()));
    HttpSettings::new(base_url, Some(ApiKey { source: "the environment variable `OPENAI_API_KEY`".into(), secret }))
}

/// A provider that ignores the proxies of the environment.
fn build(settings: HttpSettings) -> Result<HttpProvider, HttpSetupError> {
    let wire = OpenAiWire::new(&settings.base_url, true);
    let clock = ManualClock::new("2026-03-01T00:00:00Z".parse().unwrap());
    let endpoint = Endpoint::new(&wire, settings, Arc::new(clock), Proxies::None)?;
    Ok(HttpProvider { wire: Arc::new(wire), endpoint })
}

fn provider(settings: HttpSettings) -> HttpProvider {
    build(settings).unwrap()
}

fn question() -> ChatRequest {
    let messages = vec![ChatMessage::new(Role::User, "How do I reset my password?")];
    ChatRequest { model: "gpt-4.1-mini".into(), messages, max_output_tokens: Some(100), ..ChatRequest::default() }
}

async fn ask(settings: HttpSettings) -> Result<ChatReply, ProviderError> {
    provider(settings).chat(&question(), Limits::total(AMPLE)).await
}

/// What a server with this answer comes to.
async fn answered(head: &str, body: &str) -> Result<ChatReply, ProviderError> {
    let server = Loopback::answering(head, body).await;
    ask(settings(server.base_url())).await
}
