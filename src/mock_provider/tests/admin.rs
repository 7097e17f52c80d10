use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test]
async fn settings_change_while_it_runs() {
    let mock = mock(json!({"answers": {"mode": "echo"}, "api_key": "sk-test"})).await;
    let settings =
        async |method: &str, body: Value| mock.client.request(method, "/admin/settings", &[], &body.to_string()).await;
    assert_eq!(mock.openai(&openai("x")).await.json()["choices"][0]["message"]["content"], "x");
    let changed = settings("PATCH", json!({"answers": {"reply": "always this"}})).await.json();
    assert_eq!((&changed["answers"]["mode"], &changed["api_key"]), (&"echo".into(), &"(set)".into()));
    let reply = mock.openai(&openai("x")).await;
    assert_eq!((reply.status, &reply.json()["choices"][0]["message"]["content"]), (200, &"always this".into()));
    let replaced = settings("PUT", json!({"faults": [{"kind": "503"}]})).await.json();
    assert_eq!((&replaced["answers"]["mode"], replaced.get("api_key")), (&"extractive".into(), None));
    assert_eq!(mock.openai(&openai("x")).await.status, 503);
    assert_eq!(mock.client.request("POST", "/admin/reset", &[], "").await.status, 200);
    assert_eq!(mock.openai(&openai("x")).await.json()["choices"][0]["message"]["content"], "x");
}

#[tokio::test]
async fn wrong_settings_are_refused_and_change_nothing() {
    let mock = mock(json!({})).await;
    let before = mock.client.get("/admin/settings").await.json();
    for (method, wrong, named) in [
        ("PUT", json!({"latncy": {}}), "`latency`"),
        ("PATCH", json!({"capacity": {"slot": 1}}), "`slots`"),
        ("PATCH", json!({"faults": [{"kind": "500", "probability": 2}]}), "faults[0].probability"),
        ("PATCH", json!({"answers": {"lines": [{"match_regex": "(", "reply": ""}]}}), "answers.lines[0]"),
        ("PATCH", json!(7), "settings"),
    ] {
        let refused = mock.client.request(method, "/admin/settings", &[], &wrong.to_string()).await;
        assert_eq!((refused.status, refused.header("content-type")), (422, Some("application/problem+json")));
        assert!(refused.text().contains(named), "{}", refused.text());
    }
    assert_eq!(mock.client.get("/admin/settings").await.json(), before);
    let unknown = mock.client.get("/admin/setings").await;
    assert!(unknown.status == 404 && unknown.text().contains("/admin/settings"));
}

#[tokio::test]
async fn a_change_elsewhere_does_not_refill_a_rate_limit() {
    let mock = mock(json!({"answers": {"mode": "echo"}, "limits": {"requests_per_minute": 1}})).await;
    assert_eq!(mock.openai(&openai("x")).await.status, 200);
    mock.client.request("PATCH", "/admin/settings", &[], "{\"reasoning_tokens\": 1}").await;
    assert_eq!(mock.openai(&openai("x")).await.status, 429);
    mock.client.request("PATCH", "/admin/settings", &[], "{\"limits\": {\"requests_per_minute\": 2}}").await;
    assert_eq!(mock.openai(&openai("x")).await.status, 200);
}

#[tokio::test]
async fn requests_are_captured_without_their_keys() {
    let mock = mock(json!({"capture_last": 2})).await;
    for asked in ["one", "two"] {
        mock.openai(&openai(asked)).await;
    }
    let path = "/v1beta/models/m:generateContent?alt=json&key=canary-key";
    let headers = [("x-goog-api-key", "canary-key"), ("x-trace", "t1")];
    mock.client.request("POST", path, &headers, "{").await;
    let captured = mock.client.get("/admin/requests").await;
    assert!(!captured.text().contains("canary") && !captured.text().contains("sk-test"));
    let requests = captured.json()["requests"].clone();
    assert_eq!(requests.as_array().unwrap().len(), 2);
    assert_eq!(requests[0]["body"], openai("two"));
    assert_eq!((&requests[0]["status"], &requests[0]["number"]), (&200.into(), &1.into()));
    assert_eq!(requests[0]["headers"]["authorization"], "(present)");
    assert_eq!(requests[1]["headers"]["x-trace"], "t1");
    assert_eq!(requests[1]["query"], "alt=json&key=(present)");
    assert_eq!((&requests[1]["status"], &requests[1]["body"]), (&400.into(), &"{".into()));
    assert_eq!(requests[1]["at"], "2026-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let faults = json!([{"kind": "500", "model": "bad"}]);
    let mock = mock(json!({"answers": {"mode": "echo"}, "faults": faults})).await;
    mock.openai(&openai("one two")).await;
    mock.openai(&streamed(openai("three"))).await;
    let mut bad = openai("x");
    bad["model"] = "bad".into();
    mock.openai(&bad).await;
    let reply = mock.client.get("/metrics").await;
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    for line in [
        "# TYPE mock_provider_requests_total counter",
        "mock_provider_requests_total{shape=\"openai\",endpoint=\"chat\",status=\"200\"} 2",
        "mock_provider_requests_total{shape=\"openai\",endpoint=\"chat\",status=\"500\"} 1",
        "mock_provider_faults_total{kind=\"500\"} 1",
        "mock_provider_tokens_total{kind=\"input\"} 7",
        "mock_provider_tokens_total{kind=\"output\"} 3",
        "mock_provider_in_flight 0",
        "mock_provider_queued 0",
        "mock_provider_request_duration_seconds_count{endpoint=\"chat\"} 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn shutting_down_ends_every_connection() {
    let mock = mock(json!({})).await;
    let addr = mock.server.addr();
    let mut idle = tokio::net::TcpStream::connect(addr).await.unwrap();
    assert_eq!(mock.client.get("/healthz").await.text(), "ok\n");
    mock.server.shutdown().await;
    assert_eq!(idle.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}
