use super::*;

#[test]
fn a_request_has_only_what_was_asked_for() {
    let plain = json!({
        "model": "gpt-4.1-mini",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_completion_tokens": 256,
        "seed": i64::MAX,
    });
    assert_eq!(body(&wire(), &request()), plain);
    let mistral = body(&OpenAiWire::new("https://api.mistral.ai/v1", true), &request());
    assert_eq!((&mistral["max_tokens"], &mistral["random_seed"]), (&json!(256), &json!(i64::MAX)));
    assert!(mistral.get("seed").is_none());
}

#[test]
fn everything_that_can_be_asked_for_is_said() {
    let mut request = request();
    request.temperature = Some(0.2);
    request.stop = vec!["END".into()];
    request.output_schema = Some(Arc::new(OutputSchema::new(json!({"type": "object"})).unwrap()));
    request.extensions.insert("top_p".into(), json!(0.9));
    let said = body(&wire(), &request);
    assert_eq!((&said["temperature"], &said["stop"], &said["top_p"]), (&json!(0.2), &json!(["END"]), &json!(0.9)));
    let schema = json!({"name": "answer", "schema": {"type": "object"}, "strict": false});
    assert_eq!(said["response_format"], json!({"type": "json_schema", "json_schema": schema}));
    let unstructured = OpenAiWire::new("http://localhost:8000/v1", false);
    assert!(body(&unstructured, &request).get("response_format").is_none());
    request.tools.push(Tool { name: "f".into(), description: "d".into(), parameters: json!({"type": "object"}) });
    let said = body(&wire(), &request);
    assert!(said.get("response_format").is_none() && said.get("tool_choice").is_none());
    let function = json!({"name": "f", "description": "d", "parameters": {"type": "object"}});
    assert_eq!(said["tools"], json!([{"type": "function", "function": function}]));
    for (choice, expected) in [
        (ToolChoice::Auto, json!("auto")),
        (ToolChoice::None, json!("none")),
        (ToolChoice::Required, json!("required")),
        (ToolChoice::Named("f".into()), json!({"type": "function", "function": {"name": "f"}})),
    ] {
        request.tool_choice = Some(choice);
        assert_eq!(body(&wire(), &request)["tool_choice"], expected);
    }
}

#[test]
fn calls_and_their_results_go_back_as_they_came() {
    let mut request = request();
    let asks = ChatMessage { tool_calls: two_calls(), ..ChatMessage::new(Role::Assistant, "") };
    let result = ChatMessage { tool_call_id: Some("call_1".into()), ..ChatMessage::new(Role::Tool, "shipped") };
    request.messages = vec![asks, result];
    let said = body(&wire(), &request);
    assert_eq!(said["messages"][0]["content"], Value::Null);
    let call = &said["messages"][0]["tool_calls"][0];
    assert_eq!(call["id"], "call_fPz3nVWkJ8YbXo0s1gqLrT2u");
    assert_eq!(call["function"], json!({"name": "order_status", "arguments": "{\"order\":\"A-1017\"}"}));
    assert_eq!(said["messages"][1], json!({"role": "tool", "tool_call_id": "call_1", "content": "shipped"}));
    request.messages[1].tool_call_id = None;
    assert_eq!(wire().chat_request(&request, false).unwrap_err().kind(), "bad_request");
}

#[test]
fn extensions_change_neither_the_request_nor_what_it_may_cost() {
    for (name, value) in [
        ("model", json!("gpt-5")),
        ("messages", json!([])),
        ("stream", json!(true)),
        ("n", json!(8)),
        ("max_tokens", json!(257)),
        ("max_completion_tokens", json!("all")),
    ] {
        let mut request = request();
        request.extensions.insert(name.into(), value);
        let refused = wire().chat_request(&request, false).unwrap_err();
        assert!(matches!(&refused, ProviderError::BadRequest { reason } if reason.contains(name)), "{refused}");
    }
    let mut request = request();
    request.extensions.insert("max_tokens".into(), json!(256));
    let said = body(&wire(), &request);
    assert_eq!(said["max_tokens"], 256);
    assert!(said.get("max_completion_tokens").is_none());
}

#[test]
fn usage_of_a_stream_is_asked_for_where_the_server_knows_how() {
    let streamed = |url| OpenAiWire::new(url, true).chat_request(&request(), true).unwrap().body;
    let openai = streamed("https://api.openai.com/v1");
    assert_eq!((&openai["stream"], &openai["stream_options"]), (&json!(true), &json!({"include_usage": true})));
    let mistral = streamed("https://api.mistral.ai/v1");
    assert!(mistral["stream"] == json!(true) && mistral.get("stream_options").is_none());
}
