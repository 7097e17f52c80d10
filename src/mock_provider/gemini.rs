//! The shape of Google's Gemini API: generateContent.
//!
//! Source: ai.google.dev/api/generate-content, ai.google.dev/gemini-api/docs/troubleshooting; errors are google.rpc.Status.

mod failure;
mod request;

use hyper::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::call::{Answer, Call, Content, Event, Reply, parts};
use super::failure::Failure;
use super::limits::Standing;
use super::reading::object;
use super::vendor::{Target, Vendor, header};
use crate::domain::Usage;
use crate::providers::FinishReason;

/// Gemini's shape.
pub(super) struct Gemini;

impl Vendor for Gemini {
    fn name(&self) -> &'static str {
        "gemini"
    }

    fn read(&self, target: &Target<'_>, _: &HeaderMap, body: &[u8]) -> Result<Call, Failure> {
        request::read(target.endpoint, body)
    }

    fn whole(&self, reply: Reply<'_>) -> Value {
        let part = match &reply.answer.content {
            Content::Nothing => None,
            Content::Text(text) => Some(json!({"text": text})),
            Content::Tool(call) => Some(function_call(&call.name, &call.arguments)),
        };
        response(reply, part, true)
    }

    fn events(&self, reply: Reply<'_>) -> Vec<Event> {
        let event = |part: Option<Value>, is_last| format!("data: {}\r\n\r\n", response(reply, part, is_last));
        match &reply.answer.content {
            Content::Nothing => vec![Event::frame(event(None, true))],
            // This vendor sends a call in one piece.
            Content::Tool(call) => vec![Event::token(event(Some(function_call(&call.name, &call.arguments)), true))],
            Content::Text(text) => {
                let mut events: Vec<Event> = Vec::new();
                let mut parts = parts(text).peekable();
                while let Some(part) = parts.next() {
                    let is_last = parts.peek().is_none();
                    events.push(Event::token(event(Some(json!({"text": part})), is_last)));
                }
                if events.is_empty() {
                    events.push(Event::frame(event(Some(json!({"text": ""})), true)));
                }
                events
            }
        }
    }

    fn models(&self, names: &[String]) -> Value {
        let model = |name: &String| {
            json!({"name": format!("models/{name}"), "displayName": name,
                "supportedGenerationMethods": ["generateContent"]})
        };
        json!({"models": names.iter().map(model).collect::<Vec<_>>()})
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, Value) {
        failure::body(failure)
    }

    fn failure_event(&self, failure: &Failure, request_id: &str) -> Event {
        Event::frame(format!("data: {}\r\n\r\n", self.failure(failure, request_id).1))
    }

    fn key<'a>(&self, headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
        let in_query = || uri.query()?.split('&').find_map(|pair| pair.strip_prefix("key="));
        header(headers, "x-goog-api-key").or_else(in_query)
    }

    fn request_id(&self, _: &str) -> Option<(&'static str, String)> {
        // It gives its id in the body.
        None
    }

    fn limit_headers(&self, _: &Standing, _: jiff::Timestamp) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

fn function_call(name: &str, arguments: &str) -> Value {
    json!({"functionCall": {"name": name, "args": object(arguments)}})
}

/// An answer, or a piece of a streamed one: only the last piece says why it ended.
fn response(reply: Reply<'_>, part: Option<Value>, is_last: bool) -> Value {
    let candidate = |part| {
        let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": 0});
        if let (true, Value::Object(candidate)) = (is_last, &mut candidate) {
            candidate.insert("finishReason".into(), finish(reply.answer).into());
        }
        candidate
    };
    let candidates: Vec<Value> = part.map(candidate).into_iter().collect();
    let mut response = json!({
        "candidates": candidates,
        "modelVersion": reply.call.request.model,
        "responseId": reply.id,
    });
    if let (Value::Object(response), Some(counts)) = (&mut response, reply.answer.usage) {
        response.insert("usageMetadata".into(), usage(counts));
    }
    response
}

fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other => "STOP",
    }
}

/// Counts as this vendor gives them: thoughts are not part of the candidates' tokens.
fn usage(usage: Usage) -> Value {
    json!({
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output.0.saturating_sub(usage.reasoning.0),
        "totalTokenCount": usage.input.0.saturating_add(usage.output.0),
        "cachedContentTokenCount": usage.cached_input,
        "thoughtsTokenCount": usage.reasoning,
    })
}
