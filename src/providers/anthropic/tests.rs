mod requests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::domain::{Tokens, Usage};
use crate::providers::contract::{done, no_cut_is_a_short_success, read, same_at_every_split};
use crate::providers::reading::mutation::{harmless_replies, harmless_streams};
use crate::providers::{ChatEvent, ChatMessage, FinishReason, OutputSchema, Role, ToolCall};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/providers/anthropic/", $name))
    };
}

const WIRE: AnthropicWire = AnthropicWire { structured_output: true };
const REPLIES: [&str; 5] = [
    fixture!("text.json"),
    fixture!("tool_use.json"),
    fixture!("answer.json"),
    fixture!("thinking.json"),
    fixture!("refusal.json"),
];
const STREAMS: [&str; 5] = [
    fixture!("text.sse"),
    fixture!("tool_use.sse"),
    fixture!("answer.sse"),
    fixture!("thinking.sse"),
    fixture!("overloaded.sse"),
];

fn asking() -> ChatRequest {
    ChatRequest {
        model: "claude-sonnet-4-5".into(),
        messages: vec![ChatMessage::new(Role::System, "Be brief."), ChatMessage::new(Role::User, "How long?")],
        max_output_tokens: Some(300),
        ..ChatRequest::default()
    }
}

fn object() -> Value {
    json!({"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]})
}

fn asking_for(schema: Value) -> ChatRequest {
    ChatRequest { output_schema: Some(Arc::new(OutputSchema::new(schema).unwrap())), ..asking() }
}

fn asking_for_object() -> ChatRequest {
    asking_for(object())
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
}

fn reply(request: &ChatRequest, text: &str) -> ChatReply {
    WIRE.chat_reply(request, text.as_bytes()).unwrap()
}

#[test]
fn a_text_is_read_with_all_its_counts() {
    let usage = Usage {
        input: Tokens(21 + 188 + 1024),
        output: Tokens(17),
        cached_input: Tokens(1024),
        cache_write: Tokens(188),
        reasoning: Tokens(0),
    };
    let expected = ChatReply {
        text: "You can return shoes within 30 days – “unworn”, please.".into(),
        usage: Some(usage),
        response_model: Some("claude-sonnet-4-5-20250929".into()),
        ..ChatReply::default()
    };
    assert_eq!(reply(&asking(), fixture!("text.json")), expected);
}

#[test]
fn calls_thoughts_refusals_and_answers_are_read() {
    let calls = reply(&asking(), fixture!("tool_use.json"));
    let expected = [
        call("toolu_01TollgateCall00000001", "get_order", "{\"order\":\"A-1001\",\"fields\":[\"state\",\"carrier\"]}"),
        call("toolu_01TollgateCall00000002", "list_orders", "{}"),
    ];
    assert_eq!(calls.tool_calls, expected);
    assert_eq!((calls.text.as_str(), calls.finish_reason), ("I'll look both orders up.", FinishReason::ToolCalls));

    let thought = reply(&asking(), fixture!("thinking.json"));
    assert_eq!((thought.text.as_str(), thought.finish_reason), ("27 * 453 = 12,231", FinishReason::Stop));

    let refused = reply(&asking(), fixture!("refusal.json"));
    assert_eq!((refused.text.as_str(), refused.finish_reason), ("", FinishReason::ContentFilter));
    assert_eq!(refused.usage, Some(Usage::new(412, 0)));

    let answer = reply(&asking_for_object(), fixture!("answer.json"));
    let text = "{\"answer\":\"Within 30 days.\",\"confidence\":0.9,\"citations\":[\"returns\"]}";
    assert_eq!((answer.text.as_str(), answer.finish_reason), (text, FinishReason::Stop));
    assert_eq!(answer.tool_calls, []);
    // A tool of the caller's that has the same name stays a call.
    assert_eq!(reply(&asking(), fixture!("answer.json")).finish_reason, FinishReason::ToolCalls);
}

#[test]
fn reasons_to_stop_and_missing_counts_are_told_apart() {
    let changed = |pointer: &str, value: Value| {
        let mut message: Value = serde_json::from_str(fixture!("text.json")).unwrap();
        *message.pointer_mut(pointer).unwrap() = value;
        WIRE.chat_reply(&asking(), message.to_string().as_bytes())
    };
    let reasons = [
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("pause_turn", FinishReason::Other),
        ("of_the_future", FinishReason::Other),
    ];
    for (reason, expected) in reasons {
        assert_eq!(changed("/stop_reason", json!(reason)).unwrap().finish_reason, expected);
    }
    let none = [json!(null), json!({}), json!({"input_tokens": 0, "output_tokens": 0}), json!({"input_tokens": -1})];
    for usage in none {
        assert_eq!(changed("/usage", usage).unwrap().usage, None);
    }
    let useless = [
        changed("/stop_reason", json!(null)),
        changed("/stop_reason", json!("tool_use")),
        changed("/content", json!(null)),
        WIRE.chat_reply(&asking(), br#"{"content": [], "stop_reason": "end_turn"}"#),
        WIRE.chat_reply(&asking(), b"<html>"),
    ];
    for reply in useless {
        assert!(matches!(reply, Err(ProviderError::Malformed { .. })), "{reply:?}");
    }
}

#[test]
fn streams_read_the_same_at_every_split_and_never_end_short() {
    let forced = [fixture!("answer.sse"), fixture!("text.sse")].map(|sse| (asking_for_object(), sse));
    for (request, sse) in STREAMS.map(|sse| (asking(), sse)).into_iter().chain(forced) {
        same_at_every_split(&WIRE, &request, sse.as_bytes());
        if sse != fixture!("overloaded.sse") {
            no_cut_is_a_short_success(&WIRE, &request, sse.as_bytes());
        }
    }
}

fn streamed(request: &ChatRequest, sse: &str) -> ChatReply {
    done(&read(&WIRE, request, [sse.as_bytes()]))
}

#[test]
fn streams_say_what_whole_answers_say() {
    let text = streamed(&asking(), fixture!("text.sse"));
    assert_eq!(text.text, "Return them within 30 days – “unworn”, 谢谢 🙂");
    let usage = Usage { cached_input: Tokens(1024), ..Usage::new(1049, 15) };
    assert_eq!((text.usage, text.finish_reason), (Some(usage), FinishReason::Stop));
    assert_eq!(text.response_model.as_deref(), Some("claude-sonnet-4-5-20250929"));

    let calls = streamed(&asking(), fixture!("tool_use.sse"));
    let expected = [
        call("toolu_01TollgateCall00000001", "get_order", "{\"order\": \"A-1001\"}"),
        call("toolu_01TollgateCall00000002", "list_orders", "{}"),
    ];
    assert_eq!((calls.tool_calls.as_slice(), calls.finish_reason), (&expected[..], FinishReason::ToolCalls));

    let thought = streamed(&asking(), fixture!("thinking.sse"));
    assert_eq!((thought.text.as_str(), thought.finish_reason), ("27 * 453 = 12,231", FinishReason::Length));
    let usage = Usage { cached_input: Tokens(9), cache_write: Tokens(8), ..Usage::new(68, 142) };
    assert_eq!(thought.usage, Some(usage));

    let answer = streamed(&asking_for_object(), fixture!("answer.sse"));
    let text = "{\"answer\": \"Within 30 days.\", \"confidence\": 0.9}";
    assert_eq!((answer.text.as_str(), answer.finish_reason, answer.tool_calls), (text, FinishReason::Stop, vec![]));
}

#[test]
fn text_in_place_of_a_forced_answer_comes_at_the_end() {
    let found = read(&WIRE, &asking_for_object(), [fixture!("text.sse").as_bytes()]);
    assert!(matches!(&found[..], [Ok(ChatEvent::Text(_)), Ok(ChatEvent::Done(_))]), "{found:?}");
}

#[test]
fn a_stream_without_counts_of_its_end_has_no_usage() {
    let sse = fixture!("text.sse").replace("\"usage\": {\"output_tokens\": 15}", "\"usage\": null");
    assert_ne!(sse, fixture!("text.sse"));
    assert_eq!(streamed(&asking(), &sse).usage, None);
}

#[test]
fn errors_inside_a_stream_keep_their_meaning() {
    let last = |sse: &str| read(&WIRE, &asking(), [sse.as_bytes()]).pop().unwrap().unwrap_err();
    let overloaded = fixture!("overloaded.sse");
    let unavailable = ProviderError::Unavailable { status: 529, retry_after: None, reason: "Overloaded".into() };
    assert_eq!(last(overloaded), unavailable);
    let kinds = [("rate_limit_error", "rate_limited"), ("api_error", "unavailable"), ("of_the_future", "unavailable")];
    for (kind, expected) in kinds {
        assert_eq!(last(&overloaded.replace("overloaded_error", kind)).kind(), expected);
    }
    let (before, _) = overloaded.split_once("event: error").unwrap();
    assert_eq!(last(before), ProviderError::Truncated { received_chars: 12 });
}

#[test]
fn error_answers_are_told_apart() {
    let cases: Vec<Value> = serde_json::from_str(fixture!("errors.json")).unwrap();
    for case in &cases {
        let text = case["body"].to_string();
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let retry_after = Some(Duration::from_secs(7));
        let failure = WireFailure { status, retry_after, body: text.as_bytes(), key_source: "`ANTHROPIC_API_KEY`" };
        let error = WIRE.error("claude-x", &failure);
        assert_eq!(error.kind(), case["means"], "{case}");
        match &error {
            ProviderError::NoSuchModel { model } => assert_eq!(model, "claude-x"),
            other => assert!(other.to_string().contains(case["body"]["error"]["message"].as_str().unwrap())),
        }
        if let ProviderError::Unauthorized { source_of_key, status: told, .. } = &error {
            assert_eq!((source_of_key.as_str(), *told), ("`ANTHROPIC_API_KEY`", status));
        }
        if let ProviderError::Unavailable { status: told, .. } = &error {
            assert_eq!(*told, status);
        }
        if matches!(case["means"].as_str(), Some("rate_limited" | "unavailable")) {
            assert_eq!(error.retry_after(), retry_after);
        }
    }
    assert_eq!(cases.len(), 12);
}

#[test]
fn error_answers_that_are_no_json_go_by_their_status() {
    let told = |status, body: &str| {
        let failure = WireFailure { status, retry_after: None, body: body.as_bytes(), key_source: "K" };
        WIRE.error("claude-x", &failure)
    };
    let expected = [
        (401, "unauthorized"),
        (429, "rate_limited"),
        (422, "bad_request"),
        (502, "unavailable"),
        (408, "unavailable"),
    ];
    for (status, kind) in expected {
        for body in ["", "<html><title>Oops</title>", "[]", "{\"error\": \"x\"}", "{\"error\": {\"type\": 1}}"] {
            assert_eq!(told(status, body).kind(), kind, "{status} {body}");
        }
    }
    assert!(told(404, "gone").to_string().contains("check base_url: gone"));
}

#[test]
fn no_shape_of_an_answer_does_harm() {
    let mut tried = 0;
    for request in [asking(), asking_for_object()] {
        tried += REPLIES.iter().map(|body| harmless_replies(&WIRE, &request, body)).sum::<usize>();
        tried += STREAMS.iter().map(|sse| harmless_streams(&WIRE, &request, sse)).sum::<usize>();
    }
    assert!(tried > 5_000, "{tried}");
}
