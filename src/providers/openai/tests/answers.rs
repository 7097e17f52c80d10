use super::*;

#[test]
fn a_chat_completion_is_read_with_all_kinds_of_tokens() {
    let reply = read(fixture!("chat.json")).unwrap();
    let usage = Usage { cached_input: Tokens(1920), reasoning: Tokens(192), ..Usage::new(2006, 300) };
    let expected = ChatReply {
        text: "You can reset the password under Settings → Security.".into(),
        usage: Some(usage),
        finish_reason: FinishReason::Stop,
        response_model: Some("gpt-4.1-mini-2025-04-14".into()),
        ..ChatReply::default()
    };
    assert_eq!(reply, expected);
}

#[test]
fn tool_calls_are_read_with_no_content() {
    let reply = read(fixture!("chat_tool_calls.json")).unwrap();
    let mut expected = two_calls();
    expected[0].arguments = "{\n\"order\": \"A-1017\"\n}".into();
    assert_eq!((reply.text.as_str(), reply.tool_calls), ("", expected));
    assert_eq!(reply.finish_reason, FinishReason::ToolCalls);
    let odd =
        read(r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]}}]}"#).unwrap();
    assert_eq!(odd.tool_calls, [ToolCall { id: "call_0".into(), name: "f".into(), arguments: "{\"a\":1}".into() }]);
    assert_eq!((odd.finish_reason, odd.usage), (FinishReason::Other, None));
}

#[test]
fn a_refusal_is_the_text_and_no_ordinary_stop() {
    let reply = read(fixture!("chat_refusal.json")).unwrap();
    assert_eq!(reply.text, "I'm sorry, I cannot assist with that request.");
    assert_eq!(reply.finish_reason, FinishReason::ContentFilter);
    let reply = stream(fixture!("stream_refusal.sse"));
    assert_eq!(reply.text, "I'm sorry, I cannot help with that.");
    assert_eq!(reply.finish_reason, FinishReason::ContentFilter);
}

#[test]
fn usage_that_says_nothing_is_unknown_and_never_zero() {
    let with = |usage: &str| {
        read(format!(r#"{{"choices":[{{"message":{{"content":"x"}},"finish_reason":"stop"}}]{usage}}}"#)).unwrap().usage
    };
    let zeros = r#","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let no_output = r#","usage":{"prompt_tokens":5,"completion_tokens":0}"#;
    for nothing in ["", r#","usage":null"#, r#","usage":{}"#, zeros, no_output] {
        assert_eq!(with(nothing), None, "{nothing}");
    }
    for nonsense in [r#","usage":"many""#, r#","usage":{"prompt_tokens":-1}"#, r#","usage":{"prompt_tokens":1e99}"#] {
        assert_eq!(with(nonsense), None, "{nonsense}");
    }
    assert_eq!(with(r#","usage":{"prompt_tokens":5,"completion_tokens":1}"#), Some(Usage::new(5, 1)));
}

#[test]
fn reasoning_that_only_the_total_counts_is_output() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 40});
    assert_eq!(reply::usage(&usage), Some(Usage::new(10, 30)));
}

#[test]
fn what_is_no_completion_is_malformed_and_not_repeated() {
    for (body, expected) in [
        (r#"{"choices":[]}"#, "it has no choices"),
        ("{}", "it has no choices"),
        (r#"{"choices":[{"finish_reason":"stop"}]}"#, "missing field `message`"),
        (r#"{"choices":[{"message":"secret"}]}"#, "a value of another type at line 1"),
        (r#"{"choices":[{"message":{"content":"sec"#, "the JSON ends early"),
        ("secret", "no JSON at line 1"),
        ("[1]", "it is not a chat completion"),
        ("", "the JSON ends early"),
    ] {
        let said = read(body).unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains("sec"), "{said}");
    }
}

#[test]
fn an_error_with_a_status_of_success_is_an_error() {
    let overloaded = read(r#"{"error":{"message":"Overloaded","code":502}}"#).unwrap_err();
    assert!(matches!(overloaded, ProviderError::Unavailable { status: 502, .. }), "{overloaded:?}");
}

#[test]
fn a_stream_is_read_the_same_however_it_is_cut() {
    let reply = stream(fixture!("stream.sse"));
    assert_eq!(reply.text, "You can reset it under Settings → “Security”.\n");
    assert_eq!(reply.usage, Some(Usage { cached_input: Tokens(1920), ..Usage::new(2006, 12) }));
    assert_eq!(reply.response_model.as_deref(), Some("gpt-4.1-mini-2025-04-14"));
    assert_eq!(reply.finish_reason, FinishReason::Stop);
}

#[test]
fn tool_calls_are_put_together_from_their_parts() {
    let reply = stream(fixture!("stream_tool_calls.sse"));
    assert_eq!((reply.tool_calls, reply.finish_reason), (two_calls(), FinishReason::ToolCalls));
    assert_eq!(reply.usage, Some(Usage::new(82, 17)));
}

#[test]
fn streams_of_other_servers_are_understood() {
    let azure = stream(fixture!("stream_azure.sse"));
    assert_eq!((azure.text.as_str(), azure.usage), ("Invoices are under Billing.", Some(Usage::new(31, 6))));
    let gateway = stream(fixture!("stream_gateway.sse"));
    assert_eq!((gateway.text.as_str(), gateway.usage), ("Yes.", Some(Usage::new(14, 3))));
    let silent = stream(fixture!("stream_no_usage.sse"));
    assert_eq!((silent.usage, silent.finish_reason), (None, FinishReason::Length));
}

#[test]
fn calls_that_are_badly_numbered_are_kept_apart_by_their_ids() {
    let part = |call: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n");
    let sse = [
        part(r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}"#),
        part(r#"{"index":0,"id":"a","function":{"arguments":"}"}}"#),
        part(r#"{"index":0,"id":"b","function":{"name":"g","arguments":""}}"#),
        part(r#"{"index":0,"function":{"arguments":"[]"}}"#),
        part(r#"{"index":7,"function":{"name":"h"}}"#),
        part(r#"{"function":{"arguments":"1"}}"#),
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n".into(),
    ];
    let reply = done(&same_at_every_split(&wire(), &request(), sse.concat().as_bytes()));
    let calls: Vec<_> = reply.tool_calls.iter().map(|it| (&*it.id, &*it.name, &*it.arguments)).collect();
    assert_eq!(calls, [("a", "f", "{}"), ("b", "g", "[]"), ("call_2", "h", "1")]);
}

#[test]
fn a_stream_without_a_finish_reason_is_truncated_even_when_it_says_done() {
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"Héllo\"}}]}\n\n";
    for sse in [half.to_owned(), format!("{half}data: [DONE]\n\n"), format!("{half}data: {{\"choi")] {
        let read = same_at_every_split(&wire(), &request(), sse.as_bytes());
        assert_eq!(read.last(), Some(&Err(ProviderError::Truncated { received_chars: 5 })));
    }
}

#[test]
fn errors_inside_a_stream_end_it_with_what_they_mean() {
    let read = same_at_every_split(&wire(), &request(), fixture!("stream_error.sse").as_bytes());
    assert_eq!(read[0], Ok(ChatEvent::Text("You can".into())));
    assert!(matches!(&read[1], Err(ProviderError::Unavailable { status: 0, reason, .. }) if reason.contains("Sorry")));
    for (event, kind) in [
        (
            "data: {\"error\":{\"message\":\"slow\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}",
            "rate_limited",
        ),
        ("data: {\"error\":{\"message\":\"slow\",\"code\":429}}", "rate_limited"),
        ("data: {\"error\":{\"message\":\"pay\",\"code\":\"insufficient_quota\"}}", "quota_spent"),
        ("data: {\"error\":{\"message\":\"no\",\"type\":\"invalid_request_error\"}}", "bad_request"),
        ("data: {\"object\":\"error\",\"message\":\"no\",\"code\":400}", "bad_request"),
        ("data: {\"error\":\"out of memory\"}", "unavailable"),
        ("event: error\ndata: {\"message\":\"gone\"}", "unavailable"),
        ("data: {\"choices\":", "malformed"),
        ("data: [1", "malformed"),
    ] {
        let read = same_at_every_split(&wire(), &request(), format!("{event}\n\n").as_bytes());
        assert_eq!(read[0].as_ref().unwrap_err().kind(), kind, "{event}");
    }
}
