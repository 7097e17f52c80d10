//! The shape of Anthropic's Messages API.
//!
//! Source: docs.anthropic.com, "Messages", "Streaming Messages", "Errors", "Rate limits"; API version 2023-06-01.

mod failure;
mod request;

use hyper::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::call::{Answer, Call, Content, Event, Reply, parts};
use super::failure::Failure;
use super::limits::{Room, Standing};
use super::reading::object;
use super::vendor::{Target, Vendor, bearer, header};
use crate::domain::Usage;
use crate::providers::FinishReason;

/// Anthropic's shape.
pub(super) struct Anthropic;

impl Vendor for Anthropic {
    fn name(&self) -> &'static str {
        "anthropic"
    }

    fn read(&self, _: &Target<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Call, Failure> {
        if !headers.contains_key("anthropic-version") {
            return Err(Failure::BadRequest { reason: "anthropic-version: header is required".into() });
        }
        request::read(body)
    }

    fn whole(&self, reply: Reply<'_>) -> Value {
        let content: Vec<Value> = match &reply.answer.content {
            Content::Nothing => Vec::new(),
            Content::Text(text) => vec![json!({"type": "text", "text": text})],
            Content::Tool(call) => {
                let input = object(&call.arguments);
                vec![json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input})]
            }
        };
        let mut message = message(reply, &content);
        if let Value::Object(message) = &mut message {
            message.insert("stop_reason".into(), stop_reason(reply.answer).into());
            message.insert("stop_sequence".into(), json!(reply.answer.stopped_at));
            message.extend(reply.answer.usage.map(|counts| ("usage".to_owned(), usage(counts))));
        }
        message
    }

    fn events(&self, reply: Reply<'_>) -> Vec<Event> {
        let mut start = message(reply, &[]);
        if let (Value::Object(start), Some(counts)) = (&mut start, reply.answer.usage) {
            let mut counts = usage(counts);
            if let Some(output) = counts.get_mut("output_tokens") {
                *output = 1.into();
            }
            start.insert("usage".into(), counts);
        }
        let mut events = vec![Event::frame(event("message_start", json!({"message": start})))];
        let block = match &reply.answer.content {
            Content::Nothing => None,
            Content::Text(text) => Some((json!({"type": "text", "text": ""}), text, ("text_delta", "text"))),
            Content::Tool(call) => {
                let start = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
                Some((start, &call.arguments, ("input_json_delta", "partial_json")))
            }
        };
        if let Some((start, content, (kind, field))) = block {
            let start = json!({"index": 0, "content_block": start});
            events.push(Event::frame(event("content_block_start", start)));
            events.push(Event::frame(event("ping", json!({}))));
            events.extend(parts(content).map(|part| {
                let delta = json!({"index": 0, "delta": {"type": kind, field: part}});
                Event::token(event("content_block_delta", delta))
            }));
            events.push(Event::frame(event("content_block_stop", json!({"index": 0}))));
        }
        let end = json!({"stop_reason": stop_reason(reply.answer), "stop_sequence": reply.answer.stopped_at});
        let mut delta = json!({"delta": end});
        if let (Value::Object(delta), Some(counts)) = (&mut delta, reply.answer.usage) {
            delta.insert("usage".into(), json!({"output_tokens": counts.output}));
        }
        events.push(Event::frame(event("message_delta", delta)));
        events.push(Event::frame(event("message_stop", json!({}))));
        events
    }

    fn models(&self, names: &[String]) -> Value {
        let model = |name: &String| json!({"type": "model", "id": name, "display_name": name, "created_at": "2025-01-01T00:00:00Z"});
        let data: Vec<Value> = names.iter().map(model).collect();
        json!({"data": data, "has_more": false, "first_id": names.first(), "last_id": names.last()})
    }

    fn failure(&self, failure: &Failure, request_id: &str) -> (u16, Value) {
        failure::body(failure, request_id)
    }

    fn failure_event(&self, failure: &Failure, request_id: &str) -> Event {
        let (_, body) = self.failure(failure, request_id);
        Event::frame(format!("event: error\ndata: {body}\n\n"))
    }

    fn key<'a>(&self, headers: &'a HeaderMap, _: &'a Uri) -> Option<&'a str> {
        header(headers, "x-api-key").or_else(|| bearer(headers))
    }

    fn request_id(&self, id: &str) -> Option<(&'static str, String)> {
        Some(("request-id", format!("req_{id}")))
    }

    fn limit_headers(&self, standing: &Standing, now: jiff::Timestamp) -> Vec<(&'static str, String)> {
        let reset = |room: Room| {
            let full_in = jiff::SignedDuration::try_from(room.full_in).unwrap_or_default();
            let at = now.saturating_add(full_in).unwrap_or(now);
            format!("{at:.0}")
        };
        let of = |names: [&'static str; 3], room: Option<Room>| {
            let values = room.map(|room| [room.limit.to_string(), room.remaining.to_string(), reset(room)]);
            values.map(|values| names.into_iter().zip(values))
        };
        let requests = [
            "anthropic-ratelimit-requests-limit",
            "anthropic-ratelimit-requests-remaining",
            "anthropic-ratelimit-requests-reset",
        ];
        let tokens = [
            "anthropic-ratelimit-tokens-limit",
            "anthropic-ratelimit-tokens-remaining",
            "anthropic-ratelimit-tokens-reset",
        ];
        let both = [of(requests, standing.requests), of(tokens, standing.tokens)];
        both.into_iter().flatten().flatten().collect()
    }
}

fn event(name: &str, fields: Value) -> String {
    let mut data = json!({"type": name});
    if let (Value::Object(data), Value::Object(fields)) = (&mut data, fields) {
        data.extend(fields);
    }
    format!("event: {name}\ndata: {data}\n\n")
}

/// A message that has not ended.
fn message(reply: Reply<'_>, content: &[Value]) -> Value {
    json!({
        "id": format!("msg_{}", reply.id),
        "type": "message",
        "role": "assistant",
        "model": reply.call.request.model,
        "content": content,
        "stop_reason": null,
        "stop_sequence": null,
    })
}

fn stop_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        FinishReason::Stop if answer.stopped_at.is_some() => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Stop | FinishReason::Other => "end_turn",
    }
}

/// Counts as this vendor gives them: `input_tokens` are those that the prompt cache had no part in.
fn usage(usage: Usage) -> Value {
    let plain = usage.input.0.saturating_sub(usage.cached_input.0).saturating_sub(usage.cache_write.0);
    json!({
        "input_tokens": plain,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cached_input,
        "output_tokens": usage.output,
        "service_tier": "standard",
    })
}
