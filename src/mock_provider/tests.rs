//! The server as a client sees it: real HTTP over loopback connections.

mod admin;
mod client;
mod faults;
mod limits;
mod shapes;
mod streams;

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{MockServer, MockSettings, start};
use crate::domain::{Clock, ManualClock};
use client::{Client, Reply};

/// A server and a client for it.
struct Mock {
    server: MockServer,
    client: Client,
    clock: Arc<ManualClock>,
}

async fn mock(settings: Value) -> Mock {
    let settings: MockSettings = serde_json::from_value(settings).unwrap();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = start(settings, listener, Arc::clone(&clock) as Arc<dyn Clock>, 7).unwrap();
    let client = Client::new(server.addr());
    Mock { server, client, clock }
}

/// A mock that echoes, with one fault that always strikes.
async fn faulty(fault: Value) -> Mock {
    mock(json!({"answers": {"mode": "echo"}, "faults": [fault]})).await
}

const PROMPT: &str = r#"<passage id="docs/a.md#caps" heading="Caps">
A cap is a hard limit on spend. Caps reset on the first.
</passage>
<passage id="docs/b.md#alerts" heading="Alerts">
Alerts fire at half of the budget. The webhook receives the alert.
</passage>
<question>Which webhook receives the alert?</question>"#;

fn openai(asked: &str) -> Value {
    json!({"model": "gpt-4o", "messages": [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": asked},
    ]})
}

fn anthropic(asked: &str) -> Value {
    json!({"model": "claude-sonnet-4-5", "max_tokens": 200, "system": "You help.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": asked}]}]})
}

fn gemini(asked: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": asked}]}],
        "systemInstruction": {"parts": [{"text": "You help."}]}})
}

fn streamed(mut request: Value) -> Value {
    request["stream"] = true.into();
    request["stream_options"] = json!({"include_usage": true});
    request
}

/// The schema of a prompt's answer.
fn answer_schema() -> Value {
    json!({"type": "object", "required": ["answer", "citations", "confidence", "refused"], "additionalProperties": false,
        "properties": {"answer": {"type": "string"}, "citations": {"type": "array", "items": {"type": "string"}},
            "confidence": {"type": "number", "minimum": 0, "maximum": 1}, "refused": {"type": "boolean"}}})
}

impl Mock {
    async fn openai(&self, request: &Value) -> Reply {
        self.client.post("/v1/chat/completions", &[("authorization", "Bearer sk-test")], request).await
    }

    async fn anthropic(&self, request: &Value) -> Reply {
        let headers = [("x-api-key", "sk-test"), ("anthropic-version", "2023-06-01")];
        self.client.post("/v1/messages", &headers, request).await
    }

    async fn gemini(&self, method: &str, request: &Value) -> Reply {
        let path = format!("/v1beta/models/gemini-2.5-pro:{method}");
        self.client.post(&path, &[("x-goog-api-key", "test")], request).await
    }
}
