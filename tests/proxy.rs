//! The proxy against mock vendors over real HTTP: failover, breaker, retries, deadlines, ceilings, hedging.
#![cfg(test)]

#[path = "common/proxied.rs"]
mod proxied;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use proxied::{Setup, Vendor, context, request, route, settings};
use tollgate::config::{Api, ProviderSettings, ProxySettings, RouteSettings};
use tollgate::domain::{Clock, ManualClock, NanoUsd, Price, Rate, SystemClock, TicketId};
use tollgate::providers::{ChatEvent, ChatRequest, OutputSchema, Tool};
use tollgate::proxy::{CallContext, Completion, CompletionEvent, Proxy, ProxyError};
use tollgate::store::Store;

/// A proxy over a scratch store, in time that stands still until it is moved.
struct Bench {
    proxy: Arc<Proxy>,
    clock: Arc<ManualClock>,
    store: Arc<Store>,
    _parts: proxied::Bench,
}

fn bench(vendors: &[(&str, ProviderSettings)], route: RouteSettings, settings: ProxySettings) -> Bench {
    let clock = Arc::new(ManualClock::new("2026-11-01T00:00:00Z".parse().unwrap()));
    let setup = Setup::new(vendors).route(route).settings(settings).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let bench = setup.build();
    Bench { proxy: Arc::clone(&bench.proxy), clock, store: Arc::clone(&bench.store), _parts: bench }
}

/// As [`bench`], in real time.
fn real(vendors: &[(&str, ProviderSettings)], route: RouteSettings, settings: ProxySettings) -> proxied::Bench {
    Setup::new(vendors).route(route).settings(settings).clock(Arc::new(SystemClock::new())).build()
}

impl Bench {
    async fn ask(&self, question: &str) -> Result<Completion, ProxyError> {
        self.proxy.complete(&context(), "main", request(question)).await
    }

    /// Asks `count` questions, 8 at a time; returns the outcomes.
    async fn ask_many(&self, count: usize) -> Vec<Result<Completion, ProxyError>> {
        futures::stream::iter(0..count)
            .map(|number| async move { self.ask(&format!("question {number}")).await })
            .buffer_unordered(8)
            .collect()
            .await
    }

    fn breaker(&self, model: &str) -> &'static str {
        self.proxy.health().into_iter().find(|health| health.model == model).unwrap().breaker
    }
}

#[tokio::test]
async fn a_dead_primary_costs_few_calls_and_is_back_within_one_probe_interval() {
    let down = serde_json::json!({"answers": {"reply": "a"}, "faults": [{"kind": "503", "probability": 1.0}]});
    let (primary, secondary) =
        (Vendor::start(down).await, Vendor::start(serde_json::json!({"answers": {"reply": "b"}})).await);
    let vendors = [("a", primary.provider(Api::OpenAi)), ("b", secondary.provider(Api::Anthropic))];
    let bench = bench(&vendors, route(&["a/large", "b/large"]), settings());

    let warm_up = bench.ask_many(20).await;
    assert!(warm_up.iter().all(|outcome| outcome.as_ref().is_ok_and(|answer| answer.model == "b/large")));
    assert_eq!(bench.breaker("a/large"), "open");
    let failures = primary.requests().await;
    assert!(failures <= 20, "open within 20 failures: {failures}");

    let before = primary.requests().await + secondary.requests().await;
    let outcomes = bench.ask_many(300).await;
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let calls = primary.requests().await + secondary.requests().await - before;
    assert_eq!(answered, 300);
    assert!(calls <= 330, "at most 1.1 calls a request: {calls}");

    // While it stays dead, each probe is one call more and nobody notices.
    bench.clock.advance(Duration::from_secs(5));
    assert!(bench.ask("still?").await.is_ok_and(|answer| answer.model == "b/large"));
    primary.change(serde_json::json!({"faults": []})).await;
    assert!(bench.ask("not yet probed").await.is_ok_and(|answer| answer.model == "b/large"));
    bench.clock.advance(Duration::from_secs(5));
    assert_eq!(bench.ask("back?").await.unwrap().model, "a/large");
    assert_eq!(bench.breaker("a/large"), "closed");
}

#[tokio::test]
async fn a_hung_probe_does_not_block_recovery() {
    let hung = serde_json::json!({"answers": {"reply": "a"}, "faults": [{"kind": "503", "probability": 1.0}]});
    let (primary, secondary) =
        (Vendor::start(hung).await, Vendor::start(serde_json::json!({"answers": {"reply": "b"}})).await);
    let mut narrow = primary.provider(Api::OpenAi);
    narrow.max_concurrency = 1;
    let vendors = [("a", narrow), ("b", secondary.provider(Api::OpenAi))];
    let mut settings = settings();
    settings.breaker.probe_timeout = Duration::from_secs(1);
    settings.deadline = Duration::from_secs(30);
    let bench = bench(&vendors, route(&["a/large", "b/large"]), settings);
    for number in 0..6 {
        bench.ask(&format!("{number}")).await.unwrap();
    }
    assert_eq!(bench.breaker("a/large"), "open");

    // The next probe hangs, and holds the only place there is, until long after the vendor is well again.
    let slow = serde_json::json!({"kind": "constant", "ms": 60_000.0});
    primary.change(serde_json::json!({"faults": [], "latency": {"first_token": slow}})).await;
    bench.clock.advance(Duration::from_secs(5));
    let before = primary.in_flight().await;
    let hung = bench.ask("probe");
    let later = async {
        while primary.in_flight().await == before {
            tokio::task::yield_now().await;
        }
        let quick = serde_json::json!({"kind": "constant", "ms": 0.0});
        primary.change(serde_json::json!({"latency": {"first_token": quick}})).await;
        bench.clock.advance(Duration::from_secs(5));
        bench.ask("back?").await
    };
    let (hung, later) = tokio::join!(hung, later);
    assert_eq!(later.unwrap().model, "a/large", "one probe interval after the vendor is well");
    assert_eq!(hung.unwrap().model, "b/large", "the probe has its own time-out, and its request another candidate");
}

#[tokio::test]
async fn in_a_full_outage_retries_stay_within_their_budget_and_everybody_hears_why() {
    let down = serde_json::json!({"faults": [{"kind": "503", "probability": 1.0}]});
    let vendor = Vendor::start(down).await;
    // Breakers that never open, so that the retry budget alone is what limits the calls.
    let mut settings = settings();
    settings.breaker.failures = 1_000;
    let bench = bench(&[("a", vendor.provider(Api::OpenAi))], route(&["a/large"]), settings);
    for number in 0..200 {
        // 50 requests a second, for four seconds.
        bench.clock.advance(Duration::from_millis(20));
        let error = bench.ask(&format!("{number}")).await.unwrap_err();
        assert!(error.to_string().contains("a/large") && error.to_string().contains("503"), "{error}");
    }
    let calls = vendor.requests().await;
    assert!((200..=200 + 40 + 11).contains(&calls), "20 % of 200 and a floor of 10 a minute: {calls}");
}

#[tokio::test]
async fn with_the_breaker_a_full_outage_is_answered_at_once() {
    let vendor = Vendor::start(serde_json::json!({"faults": [{"kind": "503", "probability": 1.0}]})).await;
    let bench = bench(&[("a", vendor.provider(Api::OpenAi))], route(&["a/large"]), settings());
    for number in 0..200 {
        bench.clock.advance(Duration::from_millis(20));
        bench.ask(&format!("{number}")).await.unwrap_err();
    }
    let calls = vendor.requests().await;
    assert!(calls <= 20, "{calls}");
    let error = bench.ask("and now?").await.unwrap_err();
    assert!(matches!(error, ProxyError::Open { .. }), "{error}");
    assert!(error.to_string().contains("the next try is in"), "{error}");
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_and_a_spent_quota_is_not() {
    let limited = Vendor::start(serde_json::json!({
        "answers": {"reply": "a"}, "limits": {"requests_per_minute": 1, "burst_s": 60.0}
    }))
    .await;
    let mut settings = settings();
    settings.deadline = Duration::from_millis(600);
    let bench = bench(&[("a", limited.provider(Api::OpenAi))], route(&["a/large"]), settings);
    bench.ask("first").await.unwrap();
    let refused = bench.ask("second").await.unwrap_err();
    assert!(refused.to_string().contains("limits the rate"), "{refused}");
    let before = limited.requests().await;
    let resting = bench.ask("third").await.unwrap_err();
    assert!(matches!(resting, ProxyError::Open { .. }), "{resting}");
    assert_eq!(limited.requests().await, before, "the vendor asked to be left alone");

    let spent = Vendor::start(serde_json::json!({"limits": {"quota_requests": 0}})).await;
    let bench = self::bench(&[("a", spent.provider(Api::OpenAi))], route(&["a/large"]), self::settings());
    let error = bench.ask("anything").await.unwrap_err();
    assert!(error.to_string().contains("quota is spent"), "{error}");
    assert_eq!(spent.requests().await, 1, "no retry of a spent quota");
    assert_eq!(bench.breaker("a/large"), "open");
}

#[tokio::test]
async fn a_wrong_request_is_neither_retried_nor_failed_over() {
    let strict = Vendor::start(serde_json::json!({"api_key": "right", "answers": {"reply": "a"}})).await;
    let other = Vendor::start(serde_json::json!({"answers": {"reply": "b"}})).await;
    let vendors = [("a", strict.provider(Api::Anthropic)), ("b", other.provider(Api::OpenAi))];
    let bench = bench(&vendors, route(&["a/large", "b/large"]), settings());
    let error = bench.ask("anything").await.unwrap_err();
    assert!(error.to_string().contains("did not accept the key"), "{error}");
    assert_eq!((strict.requests().await, other.requests().await), (1, 0));
}

#[tokio::test]
async fn a_deadline_is_kept_whatever_hangs() {
    let slow = serde_json::json!({"latency": {"first_token": {"kind": "constant", "ms": 60_000.0}}});
    let (one, two) = (Vendor::start(slow.clone()).await, Vendor::start(slow).await);
    let vendors = [("a", one.provider(Api::OpenAi)), ("b", two.provider(Api::OpenAi))];
    let bench = real(&vendors, route(&["a/large", "b/large"]), settings());
    let hurried = CallContext { deadline: Some(Duration::from_millis(300)), ..context() };
    let clock = SystemClock::new();
    let error = bench.proxy.complete(&hurried, "main", request("anything")).await.unwrap_err();
    let took = clock.monotonic();
    assert!(took < Duration::from_millis(900), "three times the deadline is no deadline: {took:?}");
    assert!(matches!(error, ProxyError::DeadlineExceeded { .. }), "{error}");
    assert!(error.to_string().contains("within 300 ms"), "{error}");
}

#[tokio::test]
async fn who_is_only_full_is_waited_for_when_nobody_else_can_be_asked() {
    let slow = serde_json::json!({
        "answers": {"reply": "a"}, "latency": {"first_token": {"kind": "constant", "ms": 50.0}}
    });
    let down = serde_json::json!({"faults": [{"kind": "503", "probability": 1.0}]});
    let (one, two) = (Vendor::start(slow).await, Vendor::start(down).await);
    let mut narrow = one.provider(Api::OpenAi);
    narrow.max_concurrency = 1;
    let vendors = [("a", narrow), ("b", two.provider(Api::OpenAi))];
    let bench = real(&vendors, route(&["a/large", "b/large"]), settings());
    let ask = |number: usize| {
        let proxy = Arc::clone(&bench.proxy);
        async move { proxy.complete(&context(), "main", request(&format!("{number}"))).await }
    };
    let outcomes: Vec<_> = futures::stream::iter(0..12).map(ask).buffer_unordered(12).collect().await;
    let failed: Vec<String> = outcomes.iter().filter_map(|outcome| Some(outcome.as_ref().err()?.to_string())).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

#[tokio::test]
async fn a_candidate_that_was_slow_lately_is_skipped() {
    let slow = serde_json::json!({
        "answers": {"reply": "a"}, "latency": {"first_token": {"kind": "constant", "ms": 40.0}}
    });
    let (one, two) = (Vendor::start(slow).await, Vendor::start(serde_json::json!({"answers": {"reply": "b"}})).await);
    let vendors = [("a", one.provider(Api::OpenAi)), ("b", two.provider(Api::OpenAi))];
    let quick = RouteSettings { p95: Some(Duration::from_millis(20)), ..route(&["a/large", "b/large"]) };
    let bench = real(&vendors, quick, settings());
    let ask = |number: usize| {
        let proxy = Arc::clone(&bench.proxy);
        async move { proxy.complete(&context(), "main", request(&format!("{number}"))).await.unwrap().model }
    };
    let first: Vec<_> = futures::stream::iter(0..20).map(ask).buffer_unordered(20).collect().await;
    assert!(first.iter().all(|model| model == "a/large"), "too little is known yet: {first:?}");
    assert_eq!(ask(20).await, "b/large");
}

#[tokio::test]
async fn no_request_exceeds_its_ceiling_without_approval() {
    let vendor = Vendor::start(serde_json::json!({"answers": {"reply": "a"}})).await;
    let mut settings = settings();
    settings.ceiling = NanoUsd(20_000);
    let bench = bench(&[("a", vendor.provider(Api::OpenAi))], route(&["a/large"]), settings);
    let refused = bench.ask("anything").await.unwrap_err();
    assert!(matches!(refused, ProxyError::CeilingExceeded { limit: NanoUsd(20_000), .. }), "{refused}");
    assert_eq!(vendor.requests().await, 0);
    let approved = CallContext { approved_cost: Some(NanoUsd(1_000_000_000)), ..context() };
    bench.proxy.complete(&approved, "main", request("anything")).await.unwrap();
}

#[tokio::test]
async fn a_route_skips_candidates_that_are_too_dear_or_too_slow() {
    let (one, two) = (
        Vendor::start(serde_json::json!({"answers": {"reply": "a"}})).await,
        Vendor::start(serde_json::json!({"answers": {"reply": "b"}})).await,
    );
    let mut dear = one.provider(Api::OpenAi);
    dear.models.get_mut("large").unwrap().price = Some(Price::new(Rate(9_000_000_000), Rate(90_000_000_000)));
    let vendors = [("a", dear), ("b", two.provider(Api::OpenAi))];
    let cheap_only = RouteSettings { max_request: Some(NanoUsd(200_000)), ..route(&["a/large", "b/large"]) };
    let bench = bench(&vendors, cheap_only, settings());
    assert_eq!(bench.ask("anything").await.unwrap().model, "b/large");

    let by_task = RouteSettings {
        tasks: BTreeMap::from([("answer".to_owned(), vec!["b/large".to_owned()])]),
        ..route(&["a/large"])
    };
    let bench = self::bench(&vendors, by_task, self::settings());
    assert_eq!(bench.ask("anything").await.unwrap().model, "b/large");
}

#[tokio::test]
async fn a_hedge_answers_when_the_first_candidate_takes_long() {
    let slow = serde_json::json!({
        "answers": {"reply": "a"}, "latency": {"first_token": {"kind": "constant", "ms": 60_000.0}}
    });
    let (one, two) = (Vendor::start(slow).await, Vendor::start(serde_json::json!({"answers": {"reply": "b"}})).await);
    let vendors = [("a", one.provider(Api::OpenAi)), ("b", two.provider(Api::OpenAi))];
    let hedged = RouteSettings { hedge_after: Some(Duration::from_millis(20)), ..route(&["a/large", "b/large"]) };
    let bench = bench(&vendors, hedged, settings());
    let answer = bench.ask("anything").await.unwrap();
    assert_eq!(answer.model, "b/large");
    bench.store.flush().await.unwrap();
    let calls = bench.store.calls_of(TicketId::from(uuid::Uuid::nil())).unwrap();
    let mut statuses: Vec<&str> = calls.iter().map(|(call, _)| call.status.as_str()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["cancelled", "ok"], "the loser is recorded too");
}

#[tokio::test]
async fn an_answer_that_breaks_its_schema_is_repaired_once() {
    let lines = serde_json::json!([
        {"match": "does not satisfy its JSON Schema", "reply": "{\"answer\": \"mended\"}"},
        {"match": "hopeless", "reply": "never"},
        {"reply": "{\"answer\": 1}"},
    ]);
    let vendor = Vendor::start(serde_json::json!({"answers": {"mode": "file", "lines": lines}})).await;
    let bench = bench(&[("a", vendor.provider(Api::OpenAi))], route(&["a/large"]), settings());
    let schema = serde_json::json!({
        "type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}
    });
    let asked =
        ChatRequest { output_schema: Some(Arc::new(OutputSchema::new(schema).unwrap())), ..request("anything") };
    let answer = bench.proxy.complete(&context(), "main", asked).await.unwrap();
    assert_eq!(answer.value.unwrap()["answer"], "mended");
    assert_eq!((answer.calls, vendor.requests().await), (2, 2));
    assert!(answer.cost_nanousd > Some(NanoUsd::ZERO));
}

#[tokio::test]
async fn every_api_streams_and_a_stream_that_breaks_off_is_an_error() {
    for api in [Api::OpenAi, Api::Anthropic, Api::Gemini] {
        let vendor = Vendor::start(serde_json::json!({"answers": {"reply": "one two three four"}})).await;
        let bench = bench(&[("a", vendor.provider(api))], route(&["a/large"]), settings());
        let whole = bench.ask("anything").await.unwrap();
        assert_eq!(whole.text, "one two three four", "{api:?}");
        assert!(whole.usage.is_some_and(|usage| usage.output.0 == 4) && whole.cost_nanousd.is_some(), "{api:?}");

        let mut stream = bench.proxy.stream(&context(), "main", request("anything")).await.unwrap();
        let (mut text, mut done) = (String::new(), None);
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                CompletionEvent::Part(ChatEvent::Text(part)) => text.push_str(&part),
                CompletionEvent::Part(other) => panic!("{other:?}"),
                CompletionEvent::Done(completion) => done = Some(completion),
            }
        }
        let done = done.unwrap();
        assert_eq!((text.as_str(), done.text.as_str()), ("one two three four", "one two three four"), "{api:?}");
        assert_eq!((done.usage, done.cost_nanousd), (whole.usage, whole.cost_nanousd), "{api:?}");

        vendor.change(serde_json::json!({"faults": [{"kind": "truncated_stream", "probability": 1.0}]})).await;
        let stream = bench.proxy.stream(&context(), "main", request("anything")).await;
        let failed = match stream {
            Ok(stream) => stream.collect::<Vec<_>>().await.pop().unwrap().unwrap_err(),
            Err(error) => error,
        };
        assert!(failed.to_string().contains("ended early"), "{api:?}: {failed}");
    }
}

#[tokio::test]
async fn tool_calls_are_carried_through_every_api() {
    for api in [Api::OpenAi, Api::Anthropic, Api::Gemini] {
        let vendor = Vendor::start(serde_json::json!({})).await;
        let bench = bench(&[("a", vendor.provider(api))], route(&["a/large"]), settings());
        let tool = Tool {
            name: "find_order".into(),
            description: "finds an order".into(),
            parameters: serde_json::json!({
                "type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]
            }),
        };
        let asked = ChatRequest { tools: vec![tool], ..request("call the tool find_order") };
        let answer = bench.proxy.complete(&context(), "main", asked).await.unwrap();
        assert_eq!(answer.tool_calls.len(), 1, "{api:?}");
        assert_eq!(answer.tool_calls[0].name, "find_order");
        assert!(serde_json::from_str::<serde_json::Value>(&answer.tool_calls[0].arguments).unwrap()["number"].is_i64());
    }
}

#[tokio::test]
async fn what_a_vendor_may_send_instead_of_an_answer_is_a_clear_error() {
    let expected = [
        ("html", "HTML"),
        ("empty_choices", "not usable"),
        ("malformed_json", "not usable"),
        ("invalid_utf8", "UTF-8"),
        ("connection_reset", "no connection"),
        ("redirect", "redirect"),
    ];
    for (kind, part) in expected {
        let fault = serde_json::json!({"faults": [{"kind": kind, "probability": 1.0}]});
        let vendor = Vendor::start(fault).await;
        let mut settings = settings();
        settings.max_retries = 0;
        let bench = bench(&[("a", vendor.provider(Api::OpenAi))], route(&["a/large"]), settings);
        let error = bench.ask("anything").await.unwrap_err().to_string();
        assert!(error.contains(part), "{kind}: {error}");
    }
}
