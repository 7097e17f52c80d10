use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::domain::Tokens;
use crate::providers::contract::{done, no_cut_is_a_short_success, same_at_every_split};
use crate::providers::{ChatEvent, ChatMessage, FinishReason, OutputSchema, Role, Tool, ToolCall, ToolChoice};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/fixtures/providers/openai/", $name))
    };
}

fn wire() -> OpenAiWire {
    OpenAiWire::new("https://api.openai.com/v1", true)
}

fn request() -> ChatRequest {
    let messages = vec![ChatMessage::new(Role::System, "Be brief."), ChatMessage::new(Role::User, "Hi")];
    ChatRequest {
        model: "gpt-4.1-mini".into(),
        messages,
        max_output_tokens: Some(256),
        seed: u64::MAX,
        ..Default::default()
    }
}

fn body(wire: &OpenAiWire, request: &ChatRequest) -> Value {
    wire.chat_request(request, false).unwrap().body
}

fn read(body: impl AsRef<[u8]>) -> Result<ChatReply, ProviderError> {
    wire().chat_reply(&request(), body.as_ref())
}

fn stream(sse: &str) -> ChatReply {
    no_cut_is_a_short_success(&wire(), &request(), sse.as_bytes());
    done(&same_at_every_split(&wire(), &request(), sse.as_bytes()))
}

fn error(status: u16, body: &str) -> ProviderError {
    let retry_after = Some(Duration::from_secs(2));
    wire().error("gpt-9", &WireFailure { status, retry_after, body: body.as_bytes(), key_source: "`K`" })
}

fn two_calls() -> Vec<ToolCall> {
    let call = |id: &str, name: &str, arguments: &str| ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
    };
    vec![
        call("call_fPz3nVWkJ8YbXo0s1gqLrT2u", "order_status", "{\"order\":\"A-1017\"}"),
        call("call_9dKx2mQvTg7HcEa5RbZ4nWyP", "list_orders", "{}"),
    ]
}

mod answers;
mod errors;
mod hostile;
mod requests;
mod vectors;
