use super::*;

#[tokio::test]
async fn openai_streams_deltas_then_usage_then_done() {
    let mock = mock(json!({"answers": {"mode": "echo"}})).await;
    let reply = mock.openai(&streamed(openai("one two three"))).await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert!(reply.is_complete);
    assert_eq!(reply.events().last().unwrap().1, "[DONE]");
    let chunks = reply.event_json();
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == chunks[0]["id"]));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let contents = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(contents.collect::<Vec<_>>(), ["", "one ", "two ", "three"]);
    let finishes: Vec<_> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str()).collect();
    assert_eq!(finishes, ["stop"]);
    let usage = &chunks.last().unwrap()["usage"];
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&5.into(), &3.into()));
    assert_eq!(chunks.last().unwrap()["choices"], json!([]));

    let mut without_usage = openai("one");
    without_usage["stream"] = true.into();
    assert!(!mock.openai(&without_usage).await.text().contains("usage"));
}

#[tokio::test]
async fn openai_streams_tool_calls_in_parts() {
    let mock = mock(json!({})).await;
    let mut request = streamed(openai("hello"));
    let schema = json!({"type": "object", "required": ["a"], "properties": {"a": {"const": "x y z"}}});
    request["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    request["tool_choice"] = json!({"type": "function", "function": {"name": "f"}});
    let chunks = mock.openai(&request).await.event_json();
    let calls: Vec<&Value> = chunks
        .iter()
        .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0])
        .filter(|call| !call.is_null())
        .collect();
    assert_eq!((&calls[0]["function"]["name"], calls.len()), (&"f".into(), 4));
    assert!(calls[0]["id"].as_str().unwrap().starts_with("call_"));
    let arguments: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, r#"{"a":"x y z"}"#);
}

#[tokio::test]
async fn anthropic_streams_its_own_events() {
    let mock = mock(json!({"answers": {"mode": "echo"}})).await;
    let reply = mock.anthropic(&streamed(anthropic("one two"))).await;
    let names: Vec<String> = reply.events().into_iter().map(|(name, _)| name).collect();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(names, expected);
    let data = reply.event_json();
    assert!(data.iter().zip(expected).all(|(data, name)| data["type"] == name));
    let start = &data[0]["message"];
    assert_eq!((&start["content"], &start["stop_reason"]), (&json!([]), &Value::Null));
    assert_eq!((&start["usage"]["input_tokens"], &start["usage"]["output_tokens"]), (&4.into(), &1.into()));
    assert_eq!(data[4]["delta"], json!({"type": "text_delta", "text": "two"}));
    assert_eq!(data[6]["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
    assert_eq!(data[6]["usage"], json!({"output_tokens": 2}));
}

#[tokio::test]
async fn anthropic_streams_a_forced_tools_input_as_json() {
    let mock = mock(json!({})).await;
    let mut request = streamed(anthropic(PROMPT));
    request["tools"] = json!([{"name": "answer", "input_schema": answer_schema()}]);
    request["tool_choice"] = json!({"type": "tool", "name": "answer"});
    let data = mock.anthropic(&request).await.event_json();
    assert_eq!(data[1]["content_block"]["type"], "tool_use");
    assert_eq!(data[1]["content_block"]["input"], json!({}));
    let input: String = data.iter().filter_map(|data| data["delta"]["partial_json"].as_str()).collect();
    let input: Value = serde_json::from_str(&input).unwrap();
    assert_eq!(input["citations"], json!(["docs/b.md#alerts"]));
}

#[tokio::test]
async fn gemini_streams_whole_responses() {
    let mock = mock(json!({"answers": {"mode": "echo"}})).await;
    let reply = mock.gemini("streamGenerateContent?alt=sse", &gemini("one two")).await;
    let data = reply.event_json();
    let text: String =
        data.iter().map(|data| data["candidates"][0]["content"]["parts"][0]["text"].as_str().unwrap()).collect();
    assert_eq!((text.as_str(), data.len()), ("one two", 2));
    assert_eq!(data[0]["candidates"][0].get("finishReason"), None);
    assert_eq!(data[1]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(data[1]["usageMetadata"]["candidatesTokenCount"], 2);
}

#[tokio::test]
async fn an_answer_takes_as_long_as_its_latency_says() {
    let latency =
        json!({"first_token": {"kind": "constant", "ms": 20}, "between_tokens": {"kind": "constant", "ms": 10}});
    let mock = mock(json!({"answers": {"mode": "echo"}, "latency": latency})).await;
    let clock = crate::domain::SystemClock::new();
    mock.openai(&streamed(openai("one two three"))).await;
    let streamed_ms = clock.monotonic().as_millis();
    mock.openai(&openai("one two three")).await;
    let whole_ms = clock.monotonic().as_millis() - streamed_ms;
    assert!(streamed_ms >= 40 && whole_ms >= 40, "{streamed_ms} {whole_ms}");
}
