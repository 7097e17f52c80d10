//! What each attempt at a vendor holds, and how it is booked, however it ends.

#![cfg(test)]

#[path = "common/proxied.rs"]
mod proxied;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use proxied::{Bench, Setup, Vendor, context, daily, provider_at, request, route, settings, unlimited};
use serde_json::{Value, json};
use tollgate::config::{Api, RouteSettings};
use tollgate::cost::{Alert, AlertFigures, AlertRule};
use tollgate::domain::{ManualClock, NanoUsd};
use tollgate::providers::{ChatEvent, ChatRequest, FinishReason, OutputSchema};
use tollgate::proxy::{CallContext, CompletionEvent, ProxyError};
use tollgate::store::{BudgetOverride, Charge, ChargeState};

/// `<question>anything</question>` has 29 characters; a prompt is reckoned at a token a byte, 512 for the request and 32
/// for its message.
const PROMPT: i64 = (512 + 32 + 29) * 100;
/// The worst case of that with an answer of at most 50 tokens.
const WORST: i64 = PROMPT + 50 * 400;

/// What "yes it is" costs: the vendor counts words, and there are three in the prompt with its tags.
const ANSWERED: NanoUsd = NanoUsd(3 * 100 + 3 * 400);

fn always(kind: &str) -> Value {
    json!({"answers": {"reply": "yes it is"}, "faults": [{"kind": kind, "probability": 1.0}]})
}

fn answering() -> Value {
    json!({"answers": {"reply": "yes it is"}})
}

fn slow() -> Value {
    json!({"answers": {"reply": "yes it is"}, "latency": {"first_token": {"kind": "constant", "ms": 60_000}}})
}

fn states(charges: &[Charge]) -> Vec<(&str, ChargeState)> {
    charges.iter().map(|charge| (charge.model.as_str(), charge.state)).collect()
}

/// A single charge that ended in this state; it held a worst case, and no more was booked.
async fn only_charge(bench: &Bench, state: ChargeState) -> Charge {
    let charges = bench.charges().await;
    assert_eq!(states(&charges), [("a/large", state)]);
    let charge = charges.into_iter().next().unwrap();
    assert!(charge.charged <= charge.reserved, "{charge:?}");
    bench.balances().await;
    charge
}

#[tokio::test]
async fn a_default_limit_is_lowered_to_what_is_affordable_and_a_given_one_never_is() {
    let vendor = Vendor::start(answering()).await;
    let cap = PROMPT + 100 * 400;
    let bench = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("total", daily(cap)).build();
    let asked = |limit| ChatRequest { max_output_tokens: limit, ..unlimited("anything") };
    let given = bench.proxy.complete(&context(), "main", asked(Some(101))).await.unwrap_err();
    let ProxyError::Budget(breach) = given else { panic!("{given}") };
    assert_eq!((breach.limit_nanousd, breach.reserved_nanousd.0, breach.retry_may_help), (NanoUsd(cap), 0, false));
    assert_eq!(vendor.requests().await, 0);

    bench.proxy.complete(&context(), "main", asked(None)).await.unwrap();
    assert_eq!(vendor.bodies().await[0]["max_tokens"], 100);
    let charge = only_charge(&bench, ChargeState::Settled).await;
    assert_eq!(charge.reserved, NanoUsd(cap));
    assert_eq!(charge.charged, ANSWERED);

    // Less than 16 tokens are no answer.
    let least =
        Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("total", daily(PROMPT + 16 * 400 - 1)).build();
    assert!(matches!(least.proxy.complete(&context(), "main", asked(None)).await, Err(ProxyError::Budget(_))));
}

#[tokio::test]
async fn a_default_limit_is_lowered_to_the_requests_own_ceiling() {
    let vendor = Vendor::start(answering()).await;
    let bench = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).build();
    let approved = CallContext { approved_cost: Some(NanoUsd(PROMPT + 70 * 400)), ..context() };
    bench.proxy.complete(&approved, "main", unlimited("anything")).await.unwrap();
    assert_eq!(vendor.bodies().await[0]["max_tokens"], 70);
    let given = ChatRequest { max_output_tokens: Some(71), ..unlimited("anything") };
    let refused = bench.proxy.complete(&approved, "main", given).await.unwrap_err();
    assert!(matches!(refused, ProxyError::CeilingExceeded { .. }), "{refused}");
    only_charge(&bench, ChargeState::Settled).await;
}

#[tokio::test]
async fn retry_does_not_help_what_never_fits() {
    let vendor = Vendor::start(json!({"answers": {"reply": "yes it is"}, "capacity": {"slots": 1}})).await;
    let bench = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("total", daily(2 * WORST - 1)).build();
    let held = vendor.hold().await;
    let refusals = async {
        while vendor.in_flight().await < 2 {}
        let same = bench.ask("anything").await.unwrap_err();
        let longer = ChatRequest { max_output_tokens: Some(1_000), ..unlimited("anything") };
        let longer = bench.proxy.complete(&context(), "main", longer).await.unwrap_err();
        drop(held);
        [same, longer].map(|error| match error {
            ProxyError::Budget(breach) => (breach.reserved_nanousd, breach.retry_may_help),
            other => panic!("{other}"),
        })
    };
    let (answered, refusals) = tokio::join!(bench.ask("anything"), refusals);
    answered.unwrap();
    assert_eq!(refusals, [(NanoUsd(WORST), true), (NanoUsd(WORST), false)]);
}

#[tokio::test]
async fn what_a_vendor_refuses_is_voided_and_each_retry_reserves_anew() {
    let vendor = Vendor::start(always("503")).await;
    let other = Vendor::start(answering()).await;
    let failed_over = Setup::new(&[("a", vendor.provider(Api::OpenAi)), ("b", other.provider(Api::OpenAi))]).build();
    failed_over.ask("anything").await.unwrap();
    let expected = [("a/large", ChargeState::Voided), ("b/large", ChargeState::Settled)];
    assert_eq!(states(&failed_over.charges().await), expected);
    failed_over.balances().await;

    // Room for one worst case only: what is voided is free for the next attempt.
    let retried = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("total", daily(WORST)).build();
    retried.ask("anything").await.unwrap_err();
    assert_eq!(states(&retried.charges().await), [("a/large", ChargeState::Voided); 3]);
    assert_eq!(retried.standing("total").await, (0, 0));
    retried.balances().await;
}

#[tokio::test]
async fn nothing_is_booked_for_a_refused_connection_a_wrong_request_or_a_rate_limit() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut once = settings();
    (once.max_retries, once.deadline) = (0, Duration::from_millis(900));
    let unreachable = provider_at(format!("http://{closed}/v1"), Api::OpenAi);
    let strict = Vendor::start(json!({"api_key": "right"})).await.provider(Api::OpenAi);
    let (limited, spent) =
        (Vendor::start(always("429")).await, Vendor::start(json!({"limits": {"quota_requests": 0}})).await);
    let vendors = [unreachable, strict, limited.provider(Api::OpenAi), spent.provider(Api::OpenAi)]
        .map(|provider| ("a", provider));
    for vendor in vendors {
        let bench = Setup::new(&[vendor]).settings(once.clone()).build();
        let error = bench.ask("anything").await.unwrap_err();
        let charge = only_charge(&bench, ChargeState::Voided).await;
        assert_eq!((charge.reserved, charge.charged), (NanoUsd(WORST), NanoUsd::ZERO), "{error}");
    }
}

#[tokio::test]
async fn what_may_have_been_billed_is_booked_at_its_worst_case() {
    let mut once = settings();
    (once.max_retries, once.deadline) = (0, Duration::from_millis(400));
    for faulty in [slow(), always("connection_reset"), always("malformed_json"), always("html")] {
        let vendor = Vendor::start(faulty.clone()).await;
        let setup = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).settings(once.clone());
        let bench = setup.clock(Arc::new(tollgate::domain::SystemClock::new())).build();
        bench.ask("anything").await.unwrap_err();
        let charge = only_charge(&bench, ChargeState::WorstCase).await;
        assert_eq!((charge.reserved, charge.charged), (NanoUsd(WORST), NanoUsd(WORST)), "{faulty}");
    }
}

#[tokio::test]
async fn all_attempts_of_a_request_stay_within_its_ceiling() {
    let (one, two) = (Vendor::start(slow()).await, Vendor::start(answering()).await);
    let mut hurried = settings();
    hurried.max_retries = 0;
    let providers = || {
        let mut first = one.provider(Api::OpenAi);
        first.timeouts.total = Duration::from_millis(200);
        [("a", first), ("b", two.provider(Api::OpenAi))]
    };
    for (ceiling, expected) in [
        // The first attempt may be billed: a nano-dollar is missing for a second one.
        (2 * WORST - 1, vec![("a/large", ChargeState::WorstCase)]),
        (2 * WORST, vec![("a/large", ChargeState::WorstCase), ("b/large", ChargeState::Settled)]),
    ] {
        let bench = Setup::new(&providers()).settings(hurried.clone()).build();
        let approved = CallContext { approved_cost: Some(NanoUsd(ceiling)), ..context() };
        let outcome = bench.proxy.complete(&approved, "main", request("anything")).await;
        assert_eq!(outcome.is_ok(), expected.len() == 2, "{outcome:?}");
        assert_eq!(states(&bench.charges().await), expected);
        bench.balances().await;
    }
}

#[tokio::test]
async fn a_hedge_holds_its_own_and_the_loser_is_booked_at_its_worst_case() {
    let (one, two) = (Vendor::start(slow()).await, Vendor::start(answering()).await);
    let vendors = [("a", one.provider(Api::OpenAi)), ("b", two.provider(Api::OpenAi))];
    let hedged = RouteSettings { hedge_after: Some(Duration::from_millis(20)), ..route(&["a/large", "b/large"]) };
    let bench = Setup::new(&vendors).route(hedged.clone()).budget("total", daily(2 * WORST)).build();
    assert_eq!(bench.ask("anything").await.unwrap().model, "b/large");
    let expected = [("a/large", ChargeState::WorstCase), ("b/large", ChargeState::Settled)];
    assert_eq!(states(&bench.charges().await), expected);
    bench.balances().await;

    // Without room for both there is no hedge.
    let mut patient = settings();
    (patient.max_retries, patient.deadline) = (0, Duration::from_millis(300));
    let mut first = one.provider(Api::OpenAi);
    first.timeouts.total = Duration::from_millis(150);
    let vendors = [("a", first), ("b", two.provider(Api::OpenAi))];
    let bench = Setup::new(&vendors).route(hedged).settings(patient).budget("total", daily(2 * WORST - 1)).build();
    bench.ask("anything").await.unwrap_err();
    assert_eq!(states(&bench.charges().await), [("a/large", ChargeState::WorstCase)]);
    assert_eq!(bench.standing("total").await, (WORST, 0));
    bench.balances().await;
}

#[tokio::test]
async fn a_repair_is_an_attempt_of_its_own_within_the_same_ceiling() {
    let lines = json!([
        {"match": "does not satisfy its JSON Schema", "reply": "{\"answer\": \"mended\"}"},
        {"reply": "{\"answer\": 1}"},
    ]);
    let vendor = Vendor::start(json!({"answers": {"mode": "file", "lines": lines}})).await;
    let bench = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).build();
    let schema = json!({"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}});
    let schema = Some(Arc::new(OutputSchema::new(schema).unwrap()));
    let asked = || ChatRequest { output_schema: schema.clone(), ..request("anything") };
    let answer = bench.proxy.complete(&context(), "main", asked()).await.unwrap();
    let charges = bench.charges().await;
    assert_eq!(states(&charges), [("a/large", ChargeState::Settled); 2]);
    assert_eq!(answer.cost_nanousd, Some(charges.iter().map(|charge| charge.charged).sum()));
    bench.balances().await;

    let approved = CallContext { approved_cost: Some(charges[0].reserved), ..context() };
    let broken = bench.proxy.complete(&approved, "main", asked()).await.unwrap_err();
    assert!(matches!(broken, ProxyError::Output { .. }), "{broken}");
    assert_eq!(bench.charges().await.len(), 3, "there is no room for a repair");
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_booked_by_what_arrived() {
    let reply = "word ".repeat(45);
    let vendor = Vendor::start(json!({
        "answers": {"reply": reply}, "latency": {"between_tokens": {"kind": "constant", "ms": 5}}
    }))
    .await;
    let bench = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).build();
    let mut stream = bench.proxy.stream(&context(), "main", request("anything")).await.unwrap();
    let mut text = String::new();
    while text.len() < 50 {
        match stream.next().await.unwrap().unwrap() {
            CompletionEvent::Part(ChatEvent::Text(part)) => text.push_str(&part),
            other => panic!("{other:?}"),
        }
    }
    drop(stream);
    let charge = only_charge(&bench, ChargeState::Estimated).await;
    assert_eq!(charge.reserved, NanoUsd(WORST));
    // Ten words and the prompt's three by the vendor's count; 50 characters are 25 tokens of two.
    assert!(charge.charged >= NanoUsd(300 + 10 * 400), "{charge:?}");
    assert_eq!(charge.charged, NanoUsd(PROMPT + 25 * 400));
}

#[tokio::test]
async fn a_stream_that_ends_says_what_it_took_and_one_that_does_not_say_is_estimated() {
    let vendor = Vendor::start(answering()).await;
    for (fault, state) in [
        (json!([]), ChargeState::Settled),
        (json!([{"kind": "wrong_usage", "usage": "missing"}]), ChargeState::Estimated),
    ] {
        vendor.change(json!({"faults": fault})).await;
        let setup = || Setup::new(&[("a", vendor.provider(Api::OpenAi))]);
        let streamed = setup().build();
        let stream = streamed.proxy.stream(&context(), "main", request("anything")).await.unwrap();
        assert!(stream.collect::<Vec<_>>().await.iter().all(Result::is_ok));
        let whole = setup().build();
        whole.ask("anything").await.unwrap();
        let charges = [only_charge(&streamed, state).await, only_charge(&whole, state).await];
        // "yes it is" has nine characters: five tokens of two.
        let expected = if state == ChargeState::Settled { ANSWERED } else { NanoUsd(PROMPT + 5 * 400) };
        assert_eq!(charges.map(|charge| charge.charged), [expected; 2]);
    }
}

#[tokio::test]
async fn a_stream_that_goes_on_beyond_its_limit_is_cut() {
    // An object is sent whole, whatever `max_tokens` says.
    let endless = json!({"answer": "word ".repeat(3_000)}).to_string();
    let vendor = Vendor::start(json!({"answers": {"mode": "file", "lines": [{"reply": endless}]}})).await;
    let mut known = vendor.provider(Api::OpenAi);
    let model = known.models.remove("large").unwrap();
    known.models.insert("gpt-4.1-mini".to_owned(), model);
    known.vendor = Some("openai".to_owned());
    // Beyond 50 tokens: by the tokenizer, of some 5 characters; by six characters a token where there is none.
    for (provider, longest) in [(known, 60 * 5), (vendor.provider(Api::OpenAi), 60 * 6)] {
        let bench = Setup::new(&[("a", provider)]).budget("total", daily(1_000_000)).build();
        let schema = json!({"type": "object", "properties": {"answer": {"type": "string"}}});
        let schema = Some(Arc::new(OutputSchema::new(schema).unwrap()));
        let asked = ChatRequest { output_schema: schema, ..request("anything") };
        let mut stream = bench.proxy.stream(&context(), "main", asked).await.unwrap();
        let (mut text, mut done) = (String::new(), None);
        while let Some(event) = stream.next().await {
            match event.unwrap() {
                CompletionEvent::Part(ChatEvent::Text(part)) => text.push_str(&part),
                CompletionEvent::Part(other) => panic!("{other:?}"),
                CompletionEvent::Done(completion) => done = Some(completion),
            }
        }
        let done = done.unwrap();
        assert_eq!((done.finish_reason, &done.text), (FinishReason::Length, &text));
        assert!((40 * 5..longest).contains(&text.len()), "{} characters", text.len());
        let charges = bench.charges().await;
        assert_eq!((charges.len(), charges[0].state), (1, ChargeState::Estimated));
        assert!(charges[0].charged <= charges[0].reserved, "{charges:?}");
        bench.balances().await;
        // The vendor is not read any further.
        while vendor.in_flight().await > 0 {}
    }
}

#[tokio::test]
async fn who_has_no_budget_does_not_use_up_the_probes_of_the_others() {
    let vendor = Vendor::start(always("503")).await;
    let clock = Arc::new(ManualClock::new(proxied::START.parse().unwrap()));
    let setup = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("tenant:poor", daily(0));
    let bench = setup.clock(Arc::clone(&clock) as _).build();
    while bench.proxy.health().first().is_none_or(|model| model.breaker == "closed") {
        bench.ask("anything").await.unwrap_err();
    }
    vendor.change(json!({"faults": []})).await;
    clock.advance(Duration::from_secs(5));
    let poor = CallContext { tenant: "poor".to_owned(), ..context() };
    let refused = bench.proxy.complete(&poor, "main", request("anything")).await.unwrap_err();
    assert!(matches!(refused, ProxyError::Budget(_)), "{refused}");
    bench.ask("anything").await.unwrap();
    assert_eq!(bench.proxy.health()[0].breaker, "closed");
}

fn overruns(bench: &Bench) -> Vec<Alert> {
    let stored = bench.store.alerts(100).unwrap();
    let alerts = stored.iter().map(|alert| serde_json::from_str::<Alert>(&alert.body).unwrap());
    alerts.filter(|alert| alert.rule == AlertRule::Overrun).collect()
}

#[tokio::test]
async fn more_than_was_held_is_booked_in_full_told_once_a_day_and_closes_the_scope_until_it_fits() {
    let vendor = Vendor::start(json!({"answers": {"reply": "yes it is"}, "reasoning_tokens": 100_000})).await;
    let clock = Arc::new(ManualClock::new(proxied::START.parse().unwrap()));
    let setup = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("model:a/large", daily(50_000_000));
    let bench = setup.clock(Arc::clone(&clock) as _).build();
    let cost = NanoUsd(3 * 100 + 100_003 * 400);
    assert_eq!(bench.ask("anything").await.unwrap().cost_nanousd, Some(cost));
    let charge = bench.charges().await.remove(0);
    assert_eq!((charge.reserved, charge.charged, charge.state), (NanoUsd(WORST), cost, ChargeState::Settled));
    let alert = overruns(&bench).remove(0);
    assert_eq!(alert.scope.to_string(), "model:a/large");
    let figures = AlertFigures::Overrun { call: charge.call, reserved_nanousd: NanoUsd(WORST), charged_nanousd: cost };
    assert_eq!(alert.figures, figures);

    bench.ask("anything").await.unwrap();
    let ProxyError::Budget(breach) = bench.ask("anything").await.unwrap_err() else { panic!() };
    assert_eq!((breach.spent_nanousd.0, breach.reserved_nanousd.0, breach.retry_may_help), (2 * cost.0, 0, false));
    assert_eq!(overruns(&bench).len(), 1, "once for the model and the day");
    assert_eq!(bench.store.check_ledger(false).await.unwrap().overruns, 2);

    let raised = BudgetOverride {
        scope: "model:a/large".parse().unwrap(),
        period: tollgate::domain::Period::Day,
        cap: Some(NanoUsd(2 * cost.0 + WORST)),
        reason: "for a test".to_owned(),
        set_at: proxied::START.parse().unwrap(),
    };
    bench.store.set_budgets(vec![raised]).await.unwrap();
    bench.ask("anything").await.unwrap();
    bench.ask("anything").await.unwrap_err();
    clock.advance(Duration::from_hours(24));
    bench.ask("anything").await.unwrap();
    assert_eq!((bench.charges().await.len(), overruns(&bench).len()), (4, 2));
    bench.balances().await;
}
