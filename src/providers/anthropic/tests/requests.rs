use serde_json::{Value, json};

use super::{WIRE, asking, asking_for, asking_for_object, call, object};
use crate::domain::Secret;
use crate::providers::anthropic::AnthropicWire;
use crate::providers::wire::Wire;
use crate::providers::{ChatMessage, ChatRequest, ProviderError, Role, Tool, ToolChoice};

fn with(name: &str, value: Value) -> ChatRequest {
    let mut request = asking();
    request.extensions.insert(name.into(), value);
    request
}

fn tool(name: &str, description: &str) -> Tool {
    Tool { name: name.into(), description: description.into(), parameters: object() }
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

#[test]
fn a_plain_question_is_a_small_request() {
    let sent = WIRE.chat_request(&asking(), true).unwrap();
    assert_eq!(sent.path, "/v1/messages");
    let expected = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 300,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "How long?"}]}],
        "system": "Be brief.",
        "stream": true,
    });
    assert_eq!(sent.body, expected);
    assert_eq!(WIRE.headers(), [("anthropic-version", "2023-06-01")]);
    assert_eq!(WIRE.key_header(&Secret::new("k".into())), ("x-api-key", "k".into()));
    assert_eq!(WIRE.request_id_header(), "request-id");
}

#[test]
fn a_conversation_with_tools_is_told_in_alternating_turns() {
    let mut asked = ChatMessage::new(Role::Assistant, "Looking.");
    asked.tool_calls = vec![call("toolu_1", "get_order", "{\"order\": 7}"), call("toolu_2", "list", "")];
    let result =
        |id: &str, text: &str| ChatMessage { tool_call_id: Some(id.into()), ..ChatMessage::new(Role::Tool, text) };
    let mut messages = asking().messages;
    messages.extend([
        ChatMessage::new(Role::User, "Where are my orders?"),
        asked,
        result("toolu_1", "shipped"),
        result("toolu_2", "[]"),
        ChatMessage::new(Role::User, "And?"),
        ChatMessage::new(Role::System, "Say please."),
        ChatMessage::new(Role::Assistant, " \n"),
    ]);
    let request = ChatRequest {
        messages,
        temperature: Some(0.5),
        stop: vec!["END".into()],
        tools: vec![tool("get_order", "Finds an order."), Tool { parameters: Value::Null, ..tool("list", "") }],
        tool_choice: Some(ToolChoice::Named("list".into())),
        ..asking_for_object()
    };
    let expected = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 300,
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "How long?"},
                {"type": "text", "text": "Where are my orders?"},
            ]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "toolu_1", "name": "get_order", "input": {"order": 7}},
                {"type": "tool_use", "id": "toolu_2", "name": "list", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "shipped"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "[]"},
                {"type": "text", "text": "And?"},
            ]},
        ],
        "system": "Be brief.\n\nSay please.",
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "tools": [
            {"name": "get_order", "description": "Finds an order.", "input_schema": object()},
            {"name": "list", "input_schema": {"type": "object"}},
        ],
        "tool_choice": {"type": "tool", "name": "list"},
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn every_choice_of_tools_has_its_word() {
    for (choice, word) in [(ToolChoice::Auto, "auto"), (ToolChoice::None, "none"), (ToolChoice::Required, "any")] {
        let request = ChatRequest { tools: vec![tool("t", "")], tool_choice: Some(choice), ..asking() };
        assert_eq!(body(&request)["tool_choice"], json!({"type": word}));
    }
    let without_tools = ChatRequest { tool_choice: Some(ToolChoice::Required), ..asking() };
    assert_eq!(body(&without_tools).get("tool_choice"), None);
}

#[test]
fn a_schema_is_asked_for_as_the_input_of_a_forced_tool() {
    let sent = body(&asking_for_object());
    let forced = json!([{"name": "answer", "description": "Gives the answer.", "input_schema": object()}]);
    assert_eq!(sent["tools"], forced);
    assert_eq!(sent["tool_choice"], json!({"type": "tool", "name": "answer"}));

    let mut thinking = asking_for_object();
    thinking.extensions.insert("thinking".into(), json!({"type": "enabled", "budget_tokens": 1024}));
    let unforced = [
        thinking,
        asking_for(json!({"type": "array"})),
        asking_for(json!({"type": "object", "anyOf": [{}]})),
        asking(),
    ];
    for request in unforced {
        assert_eq!(body(&request).get("tools"), None);
    }
    let wire = AnthropicWire { structured_output: false };
    assert_eq!(wire.chat_request(&asking_for_object(), false).unwrap().body.get("tools"), None);
}

#[test]
fn the_system_prompt_can_be_cached() {
    let cached = json!([{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]);
    let sent = body(&with("cache_system", json!(true)));
    assert_eq!((&sent["system"], sent.get("cache_system")), (&cached, None));
    let sent = body(&with("cache_system", json!(false)));
    assert_eq!((&sent["system"], sent.get("cache_system")), (&json!("Be brief."), None));
    assert!(refusal(&with("cache_system", json!("yes"))).contains("`cache_system`"));
}

#[test]
fn extensions_are_passed_on_unless_they_belong_to_the_request() {
    assert_eq!(body(&with("top_k", json!(5)))["top_k"], json!(5));
    for name in ["model", "messages", "stream", "system", "max_tokens"] {
        assert!(refusal(&with(name, json!(1))).contains(&format!("`{name}`")));
    }
}

#[test]
fn what_the_api_cannot_say_is_refused_with_the_reason() {
    for temperature in [1.01, -0.1, f64::NAN] {
        let request = ChatRequest { temperature: Some(temperature), ..asking() };
        assert!(refusal(&request).contains("from 0 to 1"));
    }
    let mut broken = ChatMessage::new(Role::Assistant, "");
    broken.tool_calls = vec![call("toolu_1", "list", "[1]")];
    let only = |message| ChatRequest { messages: vec![message], ..asking() };
    assert!(refusal(&only(broken)).contains("the call of `list`"));
    assert!(refusal(&only(ChatMessage::new(Role::Tool, "x"))).contains("which call"));
    assert!(refusal(&only(ChatMessage::new(Role::System, "x"))).contains("no message"));
}
