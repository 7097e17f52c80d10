use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::*;

#[tokio::test]
async fn requests_beyond_the_rate_wait_as_long_as_they_are_told() {
    let mock = mock(json!({"answers": {"mode": "echo"}, "limits": {"requests_per_minute": 2}})).await;
    let first = mock.openai(&openai("x")).await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("1"));
    assert_eq!(first.header("x-ratelimit-reset-requests"), Some("30s"));
    assert_eq!(mock.openai(&openai("x")).await.status, 200);
    let refused = mock.openai(&openai("x")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("30")));
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    mock.clock.advance(Duration::from_secs(29));
    assert_eq!(mock.openai(&openai("x")).await.header("retry-after"), Some("1"));
    mock.clock.advance(Duration::from_secs(1));
    let anthropic = mock.anthropic(&anthropic("x")).await;
    assert_eq!(anthropic.header("anthropic-ratelimit-requests-remaining"), Some("0"));
    assert_eq!(anthropic.header("anthropic-ratelimit-requests-reset"), Some("2026-01-01T00:01:30Z"));
}

#[tokio::test]
async fn a_spent_quota_is_each_vendors_own() {
    let mock = mock(json!({"limits": {"quota_requests": 0}})).await;
    let refused = mock.openai(&openai("x")).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (429, &"insufficient_quota".into()));
    assert_eq!(refused.header("retry-after"), None);
    let refused = mock.anthropic(&anthropic("x")).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("credit balance is too low"));
    let refused = mock.gemini("generateContent", &gemini("x")).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().contains("PerDay"));
}

#[tokio::test]
async fn what_finds_no_slot_waits_for_one_and_a_full_queue_is_refused() {
    let faults = json!([{"kind": "slow_start", "ms": 3_600_000, "model": "slow"}]);
    let settings = json!({"answers": {"mode": "echo"}, "faults": faults, "capacity": {"slots": 1, "queue": 1}});
    let mock = mock(settings).await;
    let until = async |line: &str| while !mock.client.get("/metrics").await.text().contains(line) {};
    let mut slow = openai("x");
    slow["model"] = "slow".into();
    let holds_the_slot = mock.client.send("POST", "/v1/chat/completions", &[], &slow.to_string()).await;
    until("mock_provider_in_flight 1\n").await;
    let waits = mock.client.send("POST", "/v1/chat/completions", &[], &openai("x").to_string()).await;
    until("mock_provider_queued 1\n").await;
    let refused = mock.openai(&openai("x")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(mock.anthropic(&anthropic("x")).await.status, 529);
    drop(holds_the_slot);
    let mut answer = String::new();
    let mut waits = waits;
    waits.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_outage_keeps_to_its_window() {
    let outages = json!([{"kind": "503", "from_s": 10, "for_s": 5}, {"kind": "reset", "from_s": 20, "for_s": 5}]);
    let mock = mock(json!({"answers": {"mode": "echo"}, "outages": outages})).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        let reply = mock.client.try_request("POST", "/v1/chat/completions", &[], &openai("x").to_string()).await;
        statuses.push(reply.map_or(0, |reply| reply.status));
        mock.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(statuses, [200, 200, 503, 200, 0, 200]);
}

#[tokio::test]
async fn an_outage_that_hangs_says_nothing_and_lets_others_through_after_it() {
    let mock = mock(json!({"answers": {"mode": "echo"}})).await;
    let outage = json!({"kind": "hang", "for_s": 5});
    assert_eq!(mock.client.post("/admin/outage", &[], &outage).await.status, 200);
    let mut hung = mock.client.send("POST", "/v1/chat/completions", &[], &openai("x").to_string()).await;
    while !mock.client.get("/metrics").await.text().contains("mock_provider_in_flight 1\n") {}
    mock.clock.advance(Duration::from_secs(5));
    assert_eq!(mock.openai(&openai("x")).await.status, 200);
    mock.server.shutdown().await;
    let mut bytes = Vec::new();
    let _ = hung.read_to_end(&mut bytes).await;
    assert!(bytes.is_empty());
}
