//! The books themselves: each reservation ends once, rows stay as they were written, counters follow from them, and days
//! begin once, whatever clocks, callers and files do.

#![cfg(test)]

#[path = "common/proxied.rs"]
mod proxied;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use proxied::{Bench, Setup, Vendor, context, daily, provider_at, request, route};
use serde_json::json;
use tollgate::config::{Api, Budget, ModelSettings, OnBreach, ProviderKind, ProviderSettings};
use tollgate::cost::{BudgetBreach, Consumed, LedgerReport, OutputCap, Quote, Recovered, Reservation, Wanted};
use tollgate::domain::{Clock, NanoUsd, Price, Rate, TicketId, Usage, Verdict};
use tollgate::providers::{ChatEvent, ChatRequest};
use tollgate::proxy::{CallContext, CompletionEvent, ProxyError};
use tollgate::store::{CallScopes, ChargeState};

/// A clock that is set by hand, back too.
struct Wall(Mutex<Timestamp>);

impl Wall {
    fn at(time: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(time.parse().unwrap())))
    }

    fn set(&self, time: &str) {
        *self.0.lock().unwrap() = time.parse().unwrap();
    }
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// What `wanted` holds: 100 prompt tokens and 50 of the answer, at 1 and 2 nano-dollars.
const HELD: i64 = 100 + 2 * 50;

fn wanted() -> Wanted<'static> {
    let scopes = CallScopes {
        tenant: "shared".into(),
        endpoint: "test".into(),
        task: "answer".into(),
        provider: "a".into(),
        model: "a/large".into(),
    };
    let price = Price::new(Rate(1_000_000), Rate(2_000_000));
    let quote = Quote { price, input_tokens: 100, output: OutputCap::Given(50), ceiling: NanoUsd(1_000_000) };
    let ticket = TicketId::from(uuid::Uuid::nil());
    Wanted { ticket, scopes, release: "0", fingerprint: None, quote, is_billed: true, exact: None }
}

/// Books without any vendor.
fn books() -> Setup {
    Setup::new(&[("a", provider_at("http://127.0.0.1:9/v1".to_owned(), Api::OpenAi))])
}

async fn reserved(bench: &Bench) -> Reservation {
    bench.ledger.reserve(&wanted()).await.unwrap()
}

async fn sent(bench: &Bench) -> Reservation {
    let mut reservation = reserved(bench).await;
    bench.ledger.sending(&mut reservation).await.unwrap();
    reservation
}

async fn states(bench: &Bench) -> Vec<(ChargeState, i64)> {
    bench.charges().await.iter().map(|charge| (charge.state, charge.charged.0)).collect()
}

#[tokio::test]
async fn a_reservation_that_is_dropped_is_voided_before_it_is_sent_and_booked_in_full_after() {
    let bench = books().budget("total", daily(10 * HELD)).build();
    drop(reserved(&bench).await);
    drop(sent(&bench).await);
    let given_up = bench.ledger.reserve(&wanted()).now_or_never();
    assert!(given_up.is_none(), "it waits for its commit");
    let mut never_sent = reserved(&bench).await;
    assert!(bench.ledger.sending(&mut never_sent).now_or_never().is_none());
    drop(never_sent);
    // The one that was given up may have been decided or not; then it is voided.
    let ended: Vec<_> = states(&bench).await.into_iter().filter(|end| *end != (ChargeState::Voided, 0)).collect();
    assert_eq!(ended, [(ChargeState::WorstCase, HELD)]);
    assert_eq!(bench.standing("total").await, (HELD, 0));
    bench.balances().await;
}

#[tokio::test]
async fn what_was_not_committed_ends_nobody_elses_reservation() {
    let one = books().build();
    let other = books().beside(&one).build();
    // A commit that fails: what the trigger writes breaks a constraint that is checked then.
    one.database()
        .execute_batch(
            "CREATE TABLE broken (key INTEGER REFERENCES counters_that_are_not_there (key) DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE counters_that_are_not_there (key INTEGER PRIMARY KEY);
             CREATE TRIGGER breaks AFTER INSERT ON reservations BEGIN INSERT INTO broken VALUES (7); END;",
        )
        .unwrap();
    assert!(one.ledger.reserve(&wanted()).await.is_err());
    one.database().execute_batch("DROP TRIGGER breaks").unwrap();
    // The same row of the table, now another's.
    let theirs = sent(&other).await;
    one.store.flush().await.unwrap();
    assert_eq!(states(&other).await, [(ChargeState::Open, 0)]);
    other.ledger.settle(theirs, Consumed::Told(Usage::new(10, 10))).await.unwrap();
    assert_eq!(states(&other).await, [(ChargeState::Settled, 30)]);
}

#[tokio::test]
async fn nothing_is_settled_twice() {
    let bench = books().budget("total", daily(10 * HELD)).build();
    let beside = books().budget("total", daily(10 * HELD)).beside(&bench).build();
    let (one, two) = (sent(&bench).await, sent(&bench).await);
    assert_eq!(beside.ledger.recover().await.unwrap(), Recovered::default(), "its owner lives");
    // As if its owner were gone.
    std::fs::remove_dir_all(bench.path().join("owners")).unwrap();
    assert_eq!(beside.ledger.recover().await.unwrap(), Recovered { released: 0, booked: 2 });
    let twice = bench.ledger.settle(one, Consumed::Told(Usage::new(10, 10))).await.unwrap_err();
    assert!(twice.to_string().contains("a/large"), "{twice}");
    drop(two);
    assert_eq!(states(&bench).await, [(ChargeState::WorstCase, HELD); 2]);
    assert_eq!(bench.standing("total").await, (2 * HELD, 0));
    bench.balances().await;
}

#[tokio::test]
async fn who_comes_after_a_process_that_is_gone_ends_what_it_left() {
    let gone = books().budget("total", daily(2 * HELD)).build();
    // Never dropped, as in a process that was killed.
    std::mem::forget((reserved(&gone).await, sent(&gone).await));
    let next = books().budget("total", daily(2 * HELD)).beside(&gone).build();
    std::fs::remove_dir_all(gone.path().join("owners")).unwrap();
    // There is room once what was never sent is released.
    drop(reserved(&next).await);
    let ended = states(&next).await;
    assert_eq!(ended, [(ChargeState::Voided, 0), (ChargeState::WorstCase, HELD), (ChargeState::Voided, 0)]);
    next.balances().await;
}

#[tokio::test]
async fn rows_of_the_ledger_cannot_be_changed_or_deleted() {
    let bench = books().build();
    bench.ledger.settle(sent(&bench).await, Consumed::Told(Usage::new(10, 10))).await.unwrap();
    for sql in [
        "UPDATE reservations SET reserved = 0",
        "DELETE FROM reservations",
        "UPDATE settlements SET charged = 0",
        "DELETE FROM settlements",
    ] {
        let refused = bench.database().execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    bench
        .database()
        .execute("INSERT INTO settlements (reservation, at_ms, state, charged) VALUES (1, 0, 'voided', 0)", [])
        .unwrap_err();
    assert_eq!(states(&bench).await, [(ChargeState::Settled, 30)]);
}

#[tokio::test]
async fn a_negative_counter_is_rebuilt_from_the_rows_before_anything_is_decided_by_it() {
    let bench = books().budget("total", daily(2 * HELD)).build();
    let open = sent(&bench).await;
    bench.ledger.settle(sent(&bench).await, Consumed::Unknown).await.unwrap();
    for sql in ["UPDATE counters SET spent = -1000000", "UPDATE counters SET reserved = -1, spent = 0"] {
        bench.database().execute(sql, []).unwrap();
        let refused = bench.ledger.reserve(&wanted()).await.err().unwrap().to_string();
        assert!(refused.contains("total"), "{refused}");
        assert_eq!(bench.standing("total").await, (HELD, HELD), "{sql}");
    }
    bench.ledger.settle(open, Consumed::Nothing).await.unwrap();
    bench.balances().await;
}

#[tokio::test]
async fn a_wrong_counter_is_found_and_repaired_only_when_asked_to() {
    let bench = books().budget("total", daily(2 * HELD)).budget("task:answer", daily(9 * HELD)).build();
    let _open = sent(&bench).await;
    bench.database().execute("UPDATE counters SET spent = 5 WHERE scope = 'total'", []).unwrap();
    for repair in [false, true] {
        let check = bench.store.check_ledger(repair).await.unwrap();
        let [(stored, right)] = &check.counters[..] else { panic!("{check:?}") };
        assert_eq!((stored.scope.as_str(), stored.spent.0, right.spent.0, right.reserved.0), ("total", 5, 0, HELD));
        let report = LedgerReport::new(&check, Recovered::default(), repair, bench.clock.now());
        assert_eq!((report.verdict, report.repaired, report.open), (Verdict::Fail, repair, 1));
    }
    let check = bench.store.check_ledger(false).await.unwrap();
    assert_eq!((check.counters.len(), check.counters_checked), (0, 2));
}

/// A vendor whose answer costs 3 × 100 and 3 × 400 nano-dollars, and a request whose worst case is `WORST`.
async fn vendor() -> Vendor {
    Vendor::start(json!({"answers": {"reply": "yes it is"}})).await
}

const WORST: i64 = (512 + 32 + 29) * 100 + 50 * 400;
const COST: i64 = 3 * 100 + 3 * 400;

async fn refused(bench: &Bench) -> BudgetBreach {
    match bench.ask("anything").await {
        Err(ProxyError::Budget(breach)) => *breach,
        other => panic!("{other:?}"),
    }
}

/// A setup in which two requests fit, and after one of them none.
fn room_for_one(vendor: &Vendor, clock: &Arc<Wall>) -> Setup {
    let setup = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("total", daily(WORST + COST - 1));
    setup.clock(Arc::clone(clock) as Arc<dyn Clock>)
}

#[tokio::test]
async fn a_clock_that_goes_back_begins_no_day_anew() {
    let vendor = vendor().await;
    let clock = Wall::at("2026-11-02T00:00:01Z");
    let bench = room_for_one(&vendor, &clock).build();
    bench.ask("anything").await.unwrap();
    for earlier in ["2026-11-01T23:59:59Z", "2026-11-01T12:00:00Z", "2026-10-01T00:00:00Z"] {
        clock.set(earlier);
        let breach = refused(&bench).await;
        assert_eq!(breach.resets_at.as_deref(), Some("2026-11-03T00:00:00.000Z"), "{earlier}");
    }
    // Nor does a new process.
    let restarted = room_for_one(&vendor, &clock).beside(&bench).build();
    refused(&restarted).await;
    let check = bench.store.check_ledger(false).await.unwrap();
    let report = LedgerReport::new(&check, Recovered::default(), false, clock.now());
    assert_eq!(report.clock_behind_ms, Some((32 * 24 * 3_600 + 1) * 1_000));
    clock.set("2026-11-02T23:59:59Z");
    refused(&bench).await;
    clock.set("2026-11-03T00:00:00Z");
    bench.ask("anything").await.unwrap();
    bench.balances().await;
}

#[tokio::test]
async fn a_call_that_ends_after_midnight_belongs_to_the_day_in_which_it_was_reserved() {
    let clock = Wall::at("2026-11-01T23:59:59Z");
    let setup = books().budget("total", daily(HELD)).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let bench = setup.build();
    let late = sent(&bench).await;
    clock.set("2026-11-02T00:00:00Z");
    let today = sent(&bench).await;
    bench.ledger.settle(late, Consumed::Unknown).await.unwrap();
    assert_eq!(bench.standing("total").await, (0, HELD), "yesterday's cost is none of today's");
    drop(today);
    assert_eq!(states(&bench).await, [(ChargeState::WorstCase, HELD); 2]);
    bench.balances().await;
}

#[tokio::test]
async fn a_tenants_day_begins_at_its_own_midnight() {
    let vendor = vendor().await;
    // In Berlin it is 23:30 on the first of November.
    let clock = Wall::at("2026-11-01T22:30:00Z");
    let berlin = Budget { time_zone: TimeZone::get("Europe/Berlin").unwrap(), ..daily(WORST + COST - 1) };
    let setup = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("tenant:shared", berlin);
    let setup = setup.budget("tenant:utc", daily(WORST + COST - 1)).clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let bench = setup.build();
    let utc = CallContext { tenant: "utc".to_owned(), ..context() };
    let ask_utc = || bench.proxy.complete(&utc, "main", request("anything"));
    bench.ask("anything").await.unwrap();
    ask_utc().await.unwrap();
    clock.set("2026-11-01T22:59:59Z");
    assert_eq!(refused(&bench).await.resets_at.as_deref(), Some("2026-11-01T23:00:00.000Z"));
    clock.set("2026-11-01T23:00:00Z");
    bench.ask("anything").await.unwrap();
    assert!(matches!(ask_utc().await, Err(ProxyError::Budget(_))));
    clock.set("2026-11-02T00:00:00Z");
    refused(&bench).await;
    ask_utc().await.unwrap();
    bench.balances().await;
}

#[tokio::test]
async fn absurd_sizes_neither_overflow_nor_fit() {
    let vendor = vendor().await;
    let mut provider = vendor.provider(Api::OpenAi);
    provider.models.get_mut("large").unwrap().price = Some(Price::new(Rate(1 << 50), Rate(1 << 50)));
    let bench = Setup::new(&[("a", provider)]).budget("total", daily(i64::MAX)).build();
    let asked = ChatRequest { max_output_tokens: Some(u64::MAX), ..request("anything") };
    let approved = CallContext { approved_cost: Some(NanoUsd(i64::MAX)), ..context() };
    let refused = bench.proxy.complete(&approved, "main", asked).await.unwrap_err();
    assert!(matches!(refused, ProxyError::CeilingExceeded { .. }), "{refused}");
    assert!(bench.charges().await.is_empty());
}

#[tokio::test]
async fn what_a_tenants_cap_refuses_gets_what_its_policy_names() {
    let vendor = vendor().await;
    let free = ProviderSettings {
        kind: ProviderKind::Echo { latency_ms: 0, reply: Some("free".to_owned()) },
        models: BTreeMap::from([(
            "any".to_owned(),
            ModelSettings { price: Some(Price::new(Rate(0), Rate(0))), ..ModelSettings::default() },
        )]),
        vendor: None,
        ..vendor.provider(Api::OpenAi)
    };
    let with = |on_breach: OnBreach| {
        let budget = Budget { on_breach, ..daily(0) };
        let vendors = [("a", vendor.provider(Api::OpenAi)), ("free", free.clone())];
        Setup::new(&vendors).route(route(&["a/large"])).budget("tenant:shared", budget).build()
    };
    let refused = with(OnBreach::Refuse).ask("anything").await.unwrap_err();
    assert!(matches!(refused, ProxyError::Budget(_)), "{refused}");
    let degraded = with(OnBreach::Template("Back tomorrow.".to_owned())).ask("anything").await.unwrap_err();
    assert!(matches!(&degraded, ProxyError::Degraded { text, .. } if text == "Back tomorrow."), "{degraded}");
    let bench = with(OnBreach::Model("free/any".to_owned()));
    assert_eq!(bench.ask("anything").await.unwrap().text, "free");
    let mut stream = bench.proxy.stream(&context(), "main", request("anything")).await.unwrap();
    assert!(
        matches!(stream.next().await, Some(Ok(CompletionEvent::Part(ChatEvent::Text(text)))) if text.contains("free"))
    );
    drop(stream);
    assert!(bench.charges().await.iter().all(|charge| charge.model == "free/any" && charge.charged == NanoUsd::ZERO));
    assert_eq!(vendor.requests().await, 0);
    bench.balances().await;
}
