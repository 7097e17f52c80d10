//! The shape of OpenAI's API: chat completions.
//!
//! Source: platform.openai.com/docs/api-reference (chat, streaming) and /docs/guides/error-codes.

mod failure;
mod request;

use std::time::Duration;

use hyper::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::call::{Answer, Call, Content, Event, Reply, parts};
use super::failure::Failure;
use super::limits::{Room, Standing};
use super::vendor::{Target, Vendor, bearer, header};
use crate::domain::Usage;
use crate::providers::FinishReason;

/// OpenAI's shape.
pub(super) struct OpenAi;

impl Vendor for OpenAi {
    fn name(&self) -> &'static str {
        "openai"
    }

    fn read(&self, _: &Target<'_>, _: &HeaderMap, body: &[u8]) -> Result<Call, Failure> {
        request::read(body)
    }

    fn whole(&self, reply: Reply<'_>) -> Value {
        let message = match &reply.answer.content {
            Content::Nothing => None,
            Content::Text(text) => Some(json!({"role": "assistant", "content": text, "refusal": null})),
            Content::Tool(call) => {
                let call = json!({"id": call.id, "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments}});
                Some(json!({"role": "assistant", "content": null, "tool_calls": [call], "refusal": null}))
            }
        };
        let choice =
            |message| json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish(reply.answer)});
        let choices: Vec<Value> = message.map(choice).into_iter().collect();
        let mut body = json!({
            "id": format!("chatcmpl-{}", reply.id),
            "object": "chat.completion",
            "created": reply.created,
            "model": reply.call.request.model,
            "choices": choices,
            "usage": reply.answer.usage.map(usage),
            "service_tier": "default",
            "system_fingerprint": "fp_mock",
        });
        if let (None, Value::Object(body)) = (reply.answer.usage, &mut body) {
            body.shift_remove("usage");
        }
        body
    }

    fn events(&self, reply: Reply<'_>) -> Vec<Event> {
        let chunk = |choices: Value, usage: Option<Value>| {
            let mut chunk = json!({
                "id": format!("chatcmpl-{}", reply.id),
                "object": "chat.completion.chunk",
                "created": reply.created,
                "model": reply.call.request.model,
                "system_fingerprint": "fp_mock",
                "choices": choices,
            });
            if let (true, Value::Object(chunk)) = (reply.call.stream_usage, &mut chunk) {
                chunk.insert("usage".into(), usage.unwrap_or_default());
            }
            format!("data: {chunk}\n\n")
        };
        let choice = |delta: Value, finish: Option<&str>| {
            chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]), None)
        };
        let mut events = Vec::new();
        match &reply.answer.content {
            Content::Nothing => events.push(Event::frame(chunk(json!([]), None))),
            Content::Text(text) => {
                events.push(Event::frame(choice(json!({"role": "assistant", "content": "", "refusal": null}), None)));
                events.extend(parts(text).map(|part| Event::token(choice(json!({"content": part}), None))));
            }
            Content::Tool(call) => {
                let first = json!({"index": 0, "id": call.id, "type": "function",
                    "function": {"name": call.name, "arguments": ""}});
                let delta = json!({"role": "assistant", "content": null, "tool_calls": [first]});
                events.push(Event::frame(choice(delta, None)));
                let more = |part: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
                events.extend(parts(&call.arguments).map(|part| Event::token(choice(more(part), None))));
            }
        }
        if !matches!(reply.answer.content, Content::Nothing) {
            events.push(Event::frame(choice(json!({}), Some(finish(reply.answer)))));
        }
        if let (true, Some(counts)) = (reply.call.stream_usage, reply.answer.usage) {
            events.push(Event::frame(chunk(json!([]), Some(usage(counts)))));
        }
        events.push(Event::frame("data: [DONE]\n\n"));
        events
    }

    fn models(&self, names: &[String]) -> Value {
        let model = |name| json!({"id": name, "object": "model", "created": 1_735_689_600, "owned_by": "mock"});
        json!({"object": "list", "data": names.iter().map(model).collect::<Vec<_>>()})
    }

    fn failure(&self, failure: &Failure, _: &str) -> (u16, Value) {
        failure::body(failure)
    }

    fn failure_event(&self, failure: &Failure, request_id: &str) -> Event {
        Event::frame(format!("data: {}\n\n", self.failure(failure, request_id).1))
    }

    fn key<'a>(&self, headers: &'a HeaderMap, _: &'a Uri) -> Option<&'a str> {
        // Azure's resources take `api-key`.
        bearer(headers).or_else(|| header(headers, "api-key"))
    }

    fn request_id(&self, id: &str) -> Option<(&'static str, String)> {
        Some(("x-request-id", format!("req_{id}")))
    }

    fn limit_headers(&self, standing: &Standing, _: jiff::Timestamp) -> Vec<(&'static str, String)> {
        let of = |names: [&'static str; 3], room: &Option<Room>| {
            let values = room.map(|room| [room.limit.to_string(), room.remaining.to_string(), span(room.full_in)]);
            values.map(|values| names.into_iter().zip(values))
        };
        let requests = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
        let tokens = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
        let both = [of(requests, &standing.requests), of(tokens, &standing.tokens)];
        both.into_iter().flatten().flatten().collect()
    }
}

fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Stop | FinishReason::Other => "stop",
    }
}

fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input.0.saturating_add(usage.output.0),
        "prompt_tokens_details": {"cached_tokens": usage.cached_input, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    })
}

/// A duration as this vendor writes it: "1m2.5s", "20ms".
fn span(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis}ms"),
        millis @ 1_000..60_000 => format!("{}s", millis as f64 / 1_000.0),
        millis => format!("{}m{}s", millis / 60_000, (millis % 60_000) as f64 / 1_000.0),
    }
}
