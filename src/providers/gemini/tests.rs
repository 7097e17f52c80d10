use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::domain::{Tokens, Usage};
use crate::providers::contract::{done, no_cut_is_a_short_success, read, same_at_every_split};
use crate::providers::reading::mutation::{harmless_replies, harmless_streams};
use crate::providers::{ChatMessage, FinishReason, OutputSchema, Role, Tool, ToolCall, ToolChoice};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/providers/gemini/", $name))
    };
}

const WIRE: GeminiWire = GeminiWire { structured_output: true };
const REPLIES: [&str; 6] = [
    fixture!("text.json"),
    fixture!("function_call.json"),
    fixture!("thoughts.json"),
    fixture!("max_tokens.json"),
    fixture!("safety.json"),
    fixture!("blocked.json"),
];
const STREAMS: [&str; 5] = [
    fixture!("text.sse"),
    fixture!("function_call.sse"),
    fixture!("thoughts.sse"),
    fixture!("blocked.sse"),
    fixture!("overloaded.sse"),
];

fn asking() -> ChatRequest {
    ChatRequest {
        model: "gemini-2.5-flash".into(),
        messages: vec![ChatMessage::new(Role::System, "Be brief."), ChatMessage::new(Role::User, "How long?")],
        max_output_tokens: Some(300),
        seed: u64::MAX,
        ..ChatRequest::default()
    }
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"answer": {"type": "string"}}})
}

fn with(name: &str, value: Value) -> ChatRequest {
    let mut request = asking();
    request.extensions.insert(name.into(), value);
    request
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: arguments.into() }
}

fn result(id: &str, text: &str) -> ChatMessage {
    ChatMessage { tool_call_id: Some(id.into()), ..ChatMessage::new(Role::Tool, text) }
}

fn asking_with_functions() -> ChatRequest {
    let mut asked = ChatMessage::new(Role::Assistant, "Looking.");
    asked.tool_calls = vec![call("call_0", "get_order", "{\"order\": 7}"), call("fc-2", "list", "")];
    let mut request = asking();
    request.messages.extend([asked, result("call_0", "shipped"), result("fc-2", "{\"orders\": []}")]);
    request.tools = vec![
        Tool { name: "get_order".into(), description: "Finds an order.".into(), parameters: schema() },
        Tool { name: "list".into(), description: String::new(), parameters: Value::Null },
    ];
    request
}

fn body(request: &ChatRequest) -> Value {
    WIRE.chat_request(request, false).unwrap().body
}

fn refusal(request: &ChatRequest) -> String {
    match WIRE.chat_request(request, false) {
        Err(ProviderError::BadRequest { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

fn reply(text: &str) -> ChatReply {
    WIRE.chat_reply(&asking(), text.as_bytes()).unwrap()
}

#[test]
fn a_plain_question_is_a_small_request() {
    let sent = WIRE.chat_request(&asking(), false).unwrap();
    assert_eq!(sent.path, "/v1beta/models/gemini-2.5-flash:generateContent");
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "How long?"}]}],
        "generationConfig": {"maxOutputTokens": 300, "seed": i32::MAX},
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
    });
    assert_eq!(sent.body, expected);
    let streamed = WIRE.chat_request(&asking(), true).unwrap();
    assert_eq!(streamed.path, "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse");
    assert_eq!(streamed.body, expected);
    assert_eq!(WIRE.key_header(&Secret::new("k".into())), ("x-goog-api-key", "k".into()));
}

#[test]
fn a_model_is_only_what_can_be_a_name_in_the_address() {
    let path = |model: &str| WIRE.chat_request(&ChatRequest { model: model.into(), ..asking() }, false);
    assert_eq!(path("tunedModels/shoes_1").unwrap().path, "/v1beta/tunedModels/shoes_1:generateContent");
    for model in ["", "a b", "a?key=x", "a/../b", "../a", "/a", "a/", "a//b", "a:b", "a%2F", "ä", "a\n", "."] {
        assert!(matches!(path(model), Err(ProviderError::BadRequest { .. })), "{model}");
    }
}

#[test]
fn a_conversation_with_functions_is_told_in_alternating_turns() {
    let request = ChatRequest {
        temperature: Some(1.5),
        stop: vec!["END".into()],
        output_schema: Some(Arc::new(OutputSchema::new(schema()).unwrap())),
        tool_choice: Some(ToolChoice::Named("list".into())),
        ..asking_with_functions()
    };
    let expected = json!({
        "contents": [
            {"role": "user", "parts": [{"text": "How long?"}]},
            {"role": "model", "parts": [
                {"text": "Looking."},
                {"functionCall": {"name": "get_order", "args": {"order": 7}}},
                {"functionCall": {"name": "list", "args": {}, "id": "fc-2"}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "get_order", "response": {"output": "shipped"}}},
                {"functionResponse": {"name": "list", "response": {"orders": []}, "id": "fc-2"}},
            ]},
        ],
        "generationConfig": {
            "maxOutputTokens": 300, "seed": i32::MAX, "temperature": 1.5, "stopSequences": ["END"],
        },
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [{"functionDeclarations": [
            {"name": "get_order", "description": "Finds an order.", "parametersJsonSchema": schema()},
            {"name": "list"},
        ]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["list"]}},
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn models_that_demand_signatures_get_the_word_for_none() {
    let signatures = |model: &str| {
        let sent = body(&ChatRequest { model: model.into(), ..asking_with_functions() });
        let parts = sent["contents"][1]["parts"].as_array().unwrap().clone();
        parts.iter().map(|part| part.get("thoughtSignature").is_some()).collect::<Vec<_>>()
    };
    assert_eq!(signatures("gemini-3-pro-preview"), [false, true, false]);
    assert_eq!(signatures("models/gemini-3.5-flash"), [false, true, false]);
    assert_eq!(signatures("gemini-2.5-pro"), [false; 3]);
}

#[test]
fn every_choice_of_functions_has_its_word() {
    for (choice, mode) in [(ToolChoice::Auto, "AUTO"), (ToolChoice::None, "NONE"), (ToolChoice::Required, "ANY")] {
        let request = ChatRequest { tool_choice: Some(choice), ..asking_with_functions() };
        assert_eq!(body(&request)["toolConfig"], json!({"functionCallingConfig": {"mode": mode}}));
    }
}

#[test]
fn a_schema_is_asked_for_where_it_can_be() {
    let output_schema = Some(Arc::new(OutputSchema::new(schema()).unwrap()));
    let request = ChatRequest { output_schema, ..asking() };
    let sent = body(&request)["generationConfig"].clone();
    assert_eq!(sent["responseMimeType"], json!("application/json"));
    assert_eq!(sent["responseJsonSchema"], schema());
    let wire = GeminiWire { structured_output: false };
    let sent = wire.chat_request(&request, false).unwrap().body;
    assert_eq!(sent["generationConfig"].get("responseMimeType"), None);
}

#[test]
fn extensions_are_passed_on_unless_they_belong_to_the_request() {
    let sent = body(&with("generationConfig", json!({"topK": 5, "thinkingConfig": {"thinkingBudget": 0}})));
    let config = json!({"maxOutputTokens": 300, "seed": i32::MAX, "topK": 5, "thinkingConfig": {"thinkingBudget": 0}});
    assert_eq!(sent["generationConfig"], config);
    assert_eq!(body(&with("safetySettings", json!([])))["safetySettings"], json!([]));
    for name in ["model", "contents", "systemInstruction", "system_instruction", "generation_config"] {
        assert!(refusal(&with(name, json!({}))).contains(&format!("`{name}`")));
    }
    for name in ["maxOutputTokens", "max_output_tokens", "candidateCount"] {
        assert!(refusal(&with("generationConfig", json!({name: 2}))).contains(&format!("`{name}`")));
    }
    assert!(refusal(&with("generationConfig", json!(1))).contains("not a table"));
}

#[test]
fn what_the_api_cannot_say_is_refused_with_the_reason() {
    let mut broken = ChatMessage::new(Role::Assistant, "");
    broken.tool_calls = vec![call("call_0", "list", "{")];
    let only = |message| ChatRequest { messages: vec![message], ..asking() };
    assert!(refusal(&only(broken)).contains("the call of `list`"));
    assert!(refusal(&only(ChatMessage::new(Role::Tool, "x"))).contains("which call"));
    assert!(refusal(&only(result("fc-9", "x"))).contains("`fc-9`"));
    assert!(refusal(&only(ChatMessage::new(Role::System, "x"))).contains("no message"));
}

#[test]
fn a_text_is_read_with_all_its_counts() {
    let usage = Usage {
        input: Tokens(45),
        output: Tokens(48),
        cached_input: Tokens(32),
        cache_write: Tokens(0),
        reasoning: Tokens(31),
    };
    let expected = ChatReply {
        text: "You can return shoes within 30 days – “unworn”, please.".into(),
        usage: Some(usage),
        response_model: Some("gemini-2.5-flash".into()),
        request_id: Some("TollgateReply000000000001".into()),
        ..ChatReply::default()
    };
    assert_eq!(reply(fixture!("text.json")), expected);
}

#[test]
fn calls_thoughts_and_ends_are_read() {
    let calls = reply(fixture!("function_call.json"));
    let expected = [
        call("call_0", "get_order", "{\"order\":\"A-1001\",\"fields\":[\"state\",\"carrier\"]}"),
        call("fc-tollgate-2", "list_orders", "{}"),
    ];
    assert_eq!((calls.tool_calls.as_slice(), calls.finish_reason), (&expected[..], FinishReason::ToolCalls));
    let thought = reply(fixture!("thoughts.json"));
    assert_eq!((thought.text.as_str(), thought.finish_reason), ("12,231", FinishReason::Stop));
    let cut = reply(fixture!("max_tokens.json"));
    assert_eq!((cut.text.as_str(), cut.finish_reason), ("", FinishReason::Length));
    assert_eq!(cut.usage, Some(Usage { reasoning: Tokens(64), ..Usage::new(12, 64) }));
    assert_eq!(reply(fixture!("safety.json")).finish_reason, FinishReason::ContentFilter);
}

#[test]
fn reasons_to_stop_and_missing_counts_are_told_apart() {
    let changed = |pointer: &str, value: Value| {
        let mut response: Value = serde_json::from_str(fixture!("text.json")).unwrap();
        *response.pointer_mut(pointer).unwrap() = value;
        WIRE.chat_reply(&asking(), response.to_string().as_bytes())
    };
    for reason in ["RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII"] {
        let reply = changed("/candidates/0/finishReason", json!(reason)).unwrap();
        assert_eq!(reply.finish_reason, FinishReason::ContentFilter);
    }
    for reason in ["MALFORMED_FUNCTION_CALL", "OTHER", "OF_THE_FUTURE"] {
        let reply = changed("/candidates/0/finishReason", json!(reason)).unwrap();
        assert_eq!(reply.finish_reason, FinishReason::Other);
    }
    for usage in [json!(null), json!({}), json!({"promptTokenCount": 9}), json!({"promptTokenCount": -1})] {
        assert_eq!(changed("/usageMetadata", usage).unwrap().usage, None);
    }
    let useless = [
        changed("/candidates", json!([])),
        changed("/candidates", json!([{}])),
        WIRE.chat_reply(&asking(), br#"{"candidates": [{"finishReason": "STOP"}]}"#),
        WIRE.chat_reply(&asking(), b"{}"),
        WIRE.chat_reply(&asking(), b"<html>"),
    ];
    for reply in useless {
        assert!(matches!(reply, Err(ProviderError::Malformed { .. })), "{reply:?}");
    }
}

#[test]
fn a_blocked_prompt_is_refused_with_the_reason() {
    let whole = WIRE.chat_reply(&asking(), fixture!("blocked.json").as_bytes()).unwrap_err();
    let streamed = read(&WIRE, &asking(), [fixture!("blocked.sse").as_bytes()]).pop().unwrap().unwrap_err();
    for error in [whole, streamed] {
        assert_eq!(error.kind(), "bad_request");
        assert!(error.to_string().contains("blocked the prompt (PROHIBITED_CONTENT)"), "{error}");
    }
}

#[test]
fn streams_read_the_same_at_every_split_and_never_end_short() {
    for sse in STREAMS {
        same_at_every_split(&WIRE, &asking(), sse.as_bytes());
        if sse != fixture!("overloaded.sse") && sse != fixture!("blocked.sse") {
            no_cut_is_a_short_success(&WIRE, &asking(), sse.as_bytes());
        }
    }
}

#[test]
fn streams_say_what_whole_answers_say() {
    let streamed = |sse: &str| done(&read(&WIRE, &asking(), [sse.as_bytes()]));
    let text = streamed(fixture!("text.sse"));
    assert_eq!(text.text, "Return them within 30 days – “unworn”, 谢谢 🙂");
    let usage = Usage { cached_input: Tokens(32), reasoning: Tokens(31), ..Usage::new(40, 46) };
    assert_eq!((text.usage, text.finish_reason), (Some(usage), FinishReason::Stop));
    assert_eq!(text.response_model.as_deref(), Some("gemini-2.5-flash"));
    assert_eq!(text.request_id.as_deref(), Some("TollgateStream00000000001"));

    let calls = streamed(fixture!("function_call.sse"));
    let expected = [call("call_0", "get_order", "{\"order\":\"A-1001\"}"), call("call_1", "list_orders", "{}")];
    assert_eq!((calls.tool_calls.as_slice(), calls.finish_reason), (&expected[..], FinishReason::ToolCalls));
    assert_eq!(calls.text, "I'll look both up.");

    let thought = streamed(fixture!("thoughts.sse"));
    assert_eq!((thought.text.as_str(), thought.finish_reason), ("12,231", FinishReason::Length));
}

#[test]
fn counts_of_an_earlier_piece_are_not_those_of_the_answer() {
    let last = ", \"usageMetadata\": {\"promptTokenCount\": 40, \"cachedContentTokenCount\": 32";
    let sse = fixture!("text.sse").replace(last, ", \"unknown\": {\"x\": 1");
    assert_ne!(sse, fixture!("text.sse"));
    assert_eq!(done(&read(&WIRE, &asking(), [sse.as_bytes()])).usage, None);
    let late =
        format!("{sse}data: {{\"usageMetadata\": {{\"promptTokenCount\": 4, \"candidatesTokenCount\": 2}}}}\n\n");
    assert_eq!(done(&read(&WIRE, &asking(), [late.as_bytes()])).usage, Some(Usage::new(4, 2)));
}

#[test]
fn an_error_inside_a_stream_keeps_its_meaning() {
    let overloaded = fixture!("overloaded.sse");
    let last = |sse: &str| read(&WIRE, &asking(), [sse.as_bytes()]).pop().unwrap().unwrap_err();
    let reason = "The model is overloaded. Please try again later.".into();
    assert_eq!(last(overloaded), ProviderError::Unavailable { status: 503, retry_after: None, reason });
    let (before, _) = overloaded.split_once("data: {\"error\"").unwrap();
    assert_eq!(last(before), ProviderError::Truncated { received_chars: 12 });
}

#[test]
fn error_answers_are_told_apart() {
    let cases: Vec<Value> = serde_json::from_str(fixture!("errors.json")).unwrap();
    for case in &cases {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        for text in [case["body"].to_string(), json!([case["body"]]).to_string()] {
            let retry_after = Some(Duration::from_secs(7));
            let failure = WireFailure { status, retry_after, body: text.as_bytes(), key_source: "`GEMINI_API_KEY`" };
            let error = WIRE.error("gemini-x", &failure);
            assert_eq!(error.kind(), case["means"], "{case}");
            match &error {
                ProviderError::NoSuchModel { model } => assert_eq!(model, "gemini-x"),
                other => assert!(other.to_string().contains(case["body"]["error"]["message"].as_str().unwrap())),
            }
            if let ProviderError::Unauthorized { source_of_key, status: told, .. } = &error {
                assert_eq!((source_of_key.as_str(), *told), ("`GEMINI_API_KEY`", status));
            }
            if matches!(case["means"].as_str(), Some("rate_limited" | "unavailable")) {
                let own = case["retry_after_ms"].as_u64().map(Duration::from_millis);
                assert_eq!(error.retry_after(), own.or(retry_after));
            }
        }
    }
    assert_eq!(cases.len(), 14);
}

#[test]
fn error_answers_that_are_no_json_go_by_their_status() {
    let expected = [(401, "unauthorized"), (404, "bad_request"), (429, "rate_limited"), (502, "unavailable")];
    for (status, kind) in expected {
        for body in ["", "<html><title>Oops</title>", "[]", "{\"error\": \"x\"}", "{\"error\": {\"status\": 1}}"] {
            let failure = WireFailure { status, retry_after: None, body: body.as_bytes(), key_source: "K" };
            assert_eq!(WIRE.error("gemini-x", &failure).kind(), kind, "{status} {body}");
        }
    }
}

#[test]
fn no_shape_of_an_answer_does_harm() {
    let mut tried = 0;
    tried += REPLIES.iter().map(|body| harmless_replies(&WIRE, &asking(), body)).sum::<usize>();
    tried += STREAMS.iter().map(|sse| harmless_streams(&WIRE, &asking(), sse)).sum::<usize>();
    assert!(tried > 3_000, "{tried}");
}
