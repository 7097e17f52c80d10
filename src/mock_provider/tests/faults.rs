use std::io;

use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test]
async fn error_statuses_have_the_vendors_bodies() {
    for (kind, status, openai_type, anthropic_type, gemini_status) in [
        ("429", 429, "requests", "rate_limit_error", "RESOURCE_EXHAUSTED"),
        ("500", 500, "server_error", "api_error", "INTERNAL"),
        ("503", 503, "server_error", "api_error", "UNAVAILABLE"),
        ("529", 529, "server_error", "overloaded_error", "UNAVAILABLE"),
    ] {
        let mock = faulty(json!({"kind": kind})).await;
        let reply = mock.openai(&streamed(openai("x"))).await;
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (status, &openai_type.into()), "{kind}");
        let reply = mock.anthropic(&anthropic("x")).await;
        assert_eq!((reply.status, &reply.json()["error"]["type"]), (status, &anthropic_type.into()), "{kind}");
        assert!(reply.json()["request_id"].as_str().unwrap().starts_with("req_"));
        let reply = mock.gemini("generateContent", &gemini("x")).await;
        assert_eq!(reply.json()["error"]["status"], gemini_status, "{kind}");
    }
}

#[tokio::test]
async fn a_429_says_when_to_try_again() {
    let mock = faulty(json!({"kind": "429", "retry_after_s": 1.5})).await;
    let reply = mock.openai(&openai("x")).await;
    assert_eq!((reply.header("retry-after"), reply.header("retry-after-ms")), (Some("2"), Some("1500")));
    let body = mock.gemini("generateContent", &gemini("x")).await.json();
    assert_eq!(body["error"]["details"][1]["retryDelay"], "1.500s");
}

#[tokio::test]
async fn a_reset_connection_is_reset() {
    let mock = faulty(json!({"kind": "connection_reset"})).await;
    let mut stream = mock.client.send("POST", "/v1/chat/completions", &[], &openai("x").to_string()).await;
    let error = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_truncated_stream_loses_its_end_in_both_ways() {
    let mock = faulty(json!({"kind": "truncated_stream"})).await;
    let mut complete = Vec::new();
    for _ in 0..12 {
        let reply = mock.openai(&streamed(openai("one two three four five six"))).await;
        let text = reply.text();
        assert!(text.contains("one ") && !text.contains("six") && !text.contains("[DONE]"), "{text}");
        complete.push(reply.is_complete);
    }
    assert!(complete.contains(&true) && complete.contains(&false), "{complete:?}");
    let whole = mock.openai(&openai("x")).await;
    assert!(serde_json::from_slice::<Value>(&whole.body).is_err());
}

#[tokio::test]
async fn a_stall_is_silent_in_mid_stream_until_the_server_ends() {
    let mock = faulty(json!({"kind": "stall", "ms": 3_600_000})).await;
    let request = streamed(openai("one two three four five six")).to_string();
    let mut stream = mock.client.send("POST", "/v1/chat/completions", &[], &request).await;
    let mut seen = String::new();
    while !seen.contains("\"three \"") {
        let mut bytes = [0; 4_096];
        let count = stream.read(&mut bytes).await.unwrap();
        assert_ne!(count, 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    mock.server.shutdown().await;
    let _ = stream.read_to_string(&mut seen).await;
    assert!(!seen.contains("six"), "{seen}");
}

#[tokio::test]
async fn a_slow_start_delays_even_the_head() {
    let mock = faulty(json!({"kind": "slow_start", "ms": 40})).await;
    let clock = crate::domain::SystemClock::new();
    assert_eq!(mock.openai(&openai("x")).await.status, 200);
    assert!(clock.monotonic().as_millis() >= 40);
}

#[tokio::test]
async fn malformed_json_comes_with_status_200() {
    let mock = faulty(json!({"kind": "malformed_json"})).await;
    let reply = mock.anthropic(&anthropic("x")).await;
    assert_eq!((reply.status, reply.is_complete), (200, true));
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
    let events = mock.anthropic(&streamed(anthropic("x"))).await.events();
    let broken = events.iter().filter(|(_, data)| serde_json::from_str::<Value>(data).is_err()).count();
    assert_eq!(broken, 1, "{events:?}");
}

#[tokio::test]
async fn a_wrong_usage_is_zero_missing_or_absurd() {
    for (usage, openai_tokens, anthropic_tokens) in [
        ("zero", json!(0), json!(0)),
        ("missing", Value::Null, Value::Null),
        ("absurd", json!(1_000_000_000_000_u64), json!(1_000_000_000_000_u64)),
    ] {
        let mock = faulty(json!({"kind": "wrong_usage", "usage": usage})).await;
        assert_eq!(mock.openai(&openai("x")).await.json()["usage"]["prompt_tokens"], openai_tokens, "{usage}");
        assert_eq!(mock.anthropic(&anthropic("x")).await.json()["usage"]["input_tokens"], anthropic_tokens, "{usage}");
        let chunks = mock.openai(&streamed(openai("x"))).await.event_json();
        let last = chunks.last().unwrap();
        assert_eq!(last["usage"].get("prompt_tokens").unwrap_or(&Value::Null), &openai_tokens, "{usage}");
    }
}

#[tokio::test]
async fn html_and_redirects_are_no_answers() {
    let html = faulty(json!({"kind": "html"})).await.openai(&openai("x")).await;
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(html.text().starts_with("<!DOCTYPE html>"));
    let fault = json!({"kind": "redirect", "location": "http://127.0.0.2/v1"});
    let redirect = faulty(fault).await.openai(&openai("x")).await;
    assert_eq!((redirect.status, redirect.header("location")), (307, Some("http://127.0.0.2/v1")));
}

#[tokio::test]
async fn empty_choices_are_empty_in_every_shape() {
    let mock = faulty(json!({"kind": "empty_choices"})).await;
    assert_eq!(mock.openai(&openai("x")).await.json()["choices"], json!([]));
    assert_eq!(mock.anthropic(&anthropic("x")).await.json()["content"], json!([]));
    assert_eq!(mock.gemini("generateContent", &gemini("x")).await.json()["candidates"], json!([]));
    let chunks = mock.openai(&streamed(openai("x"))).await.event_json();
    assert!(chunks.iter().all(|chunk| chunk["choices"] == json!([])));
    let embeddings = mock.client.post("/v1/embeddings", &[], &json!({"model": "m", "input": "x"})).await;
    assert_eq!(embeddings.json()["data"], json!([]));
}

#[tokio::test]
async fn invalid_utf8_and_an_error_event_come_in_mid_stream() {
    let reply = faulty(json!({"kind": "invalid_utf8"})).await.openai(&streamed(openai("one two"))).await;
    assert!(std::str::from_utf8(&reply.body).is_err() && reply.body.ends_with(b"data: [DONE]\n\n"));
    let mock = faulty(json!({"kind": "stream_error"})).await;
    let events = mock.anthropic(&streamed(anthropic("one two three"))).await.events();
    let (name, data) = events.last().unwrap();
    assert!(name == "error" && data.contains("overloaded_error") && events.len() > 1, "{events:?}");
    assert_eq!(mock.anthropic(&anthropic("x")).await.status, 500);
}

#[tokio::test]
async fn the_same_requests_are_struck_for_the_same_seed() {
    let faults = json!([{"kind": "500", "probability": 0.3}, {"kind": "connection_reset", "probability": 0.2}]);
    let mock = mock(json!({"answers": {"mode": "echo"}, "faults": faults})).await;
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let mut statuses = Vec::new();
        for _ in 0..30 {
            let body = openai("x").to_string();
            let reply = mock.client.try_request("POST", "/v1/chat/completions", &[], &body).await;
            statuses.push(reply.map_or(0, |reply| reply.status));
        }
        rounds.push(statuses);
        assert_eq!(mock.client.request("POST", "/admin/reset", &[], "").await.status, 200);
    }
    assert_eq!(rounds[0], rounds[1]);
    assert!([0, 200, 500].iter().all(|status| rounds[0].contains(status)), "{rounds:?}");
}
