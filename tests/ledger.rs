//! Budgets under concurrency, over real HTTP: whatever 200 requests do at the same time, a cap is kept, and no money is
//! left unused that would fit.

#![cfg(test)]

#[path = "common/proxied.rs"]
mod proxied;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use proxied::{Bench, Held, Setup, Vendor, context, daily, request, unlimited};
use rand::{RngExt, SeedableRng};
use serde_json::json;
use tokio::task::JoinSet;
use tollgate::config::{Api, Budget, EndpointSettings, ProviderSettings};
use tollgate::cost::BudgetBreach;
use tollgate::domain::{NanoUsd, Period};
use tollgate::providers::ChatRequest;
use tollgate::proxy::{Completion, ProxyError};
use tollgate::store::{ChargeState, StoreError};

/// Requests of a race.
const RACERS: usize = 200;
/// How many of them a budget has room for.
const ROOM: usize = 10;
/// The same, to multiply money with.
const TIMES: i64 = 10;
/// A prompt of 40 characters: `<question>` and `</question>` are 21, what is asked is 19. Without a published tokenizer a
/// prompt is reckoned at a token a byte, 512 for the request and 32 for its message.
const PROMPT_TOKENS: i64 = 512 + 32 + 40;
/// The worst case with an answer of at most 50 tokens: 100 nano-dollars a prompt token, 400 a token of the answer.
const WORST_GIVEN: i64 = PROMPT_TOKENS * 100 + 50 * 400;
/// The same with the 1,024 tokens that an endpoint allows by default.
const WORST_DEFAULT: i64 = PROMPT_TOKENS * 100 + 1_024 * 400;

/// A vendor that can be held, and that answers with three tokens.
async fn vendor() -> Vendor {
    Vendor::start(json!({"answers": {"reply": "yes it is"}, "capacity": {"slots": 1, "queue": 1_000}})).await
}

fn wide(vendor: &Vendor) -> ProviderSettings {
    let mut provider = vendor.provider(Api::OpenAi);
    provider.max_concurrency = RACERS;
    provider.timeouts.total = Duration::from_mins(1);
    provider.timeouts.first_token = Duration::from_mins(1);
    provider
}

fn setup(vendor: &Vendor) -> Setup {
    let mut setup = Setup::new(&[("a", wide(vendor))]);
    setup.settings.deadline = Duration::from_mins(1);
    setup
}

fn given(number: usize) -> ChatRequest {
    request(&format!("question number {number:03}"))
}

fn by_default(number: usize) -> ChatRequest {
    unlimited(&format!("question number {number:03}"))
}

type Race = JoinSet<Result<Completion, ProxyError>>;

/// Asks all of these at the same time.
fn start(bench: &Bench, requests: impl IntoIterator<Item = ChatRequest>) -> Race {
    let mut race = JoinSet::new();
    for request in requests {
        let proxy = Arc::clone(&bench.proxy);
        race.spawn(async move { proxy.complete(&context(), "main", request).await });
    }
    race
}

/// Waits until all but `admitted` are refused, and all of these are at the vendor; returns the refusals.
async fn decided(race: &mut Race, vendor: &Vendor, admitted: usize) -> Vec<BudgetBreach> {
    let mut refused = Vec::new();
    while race.len() > admitted {
        let ended = tokio::time::timeout(Duration::from_secs(20), race.join_next()).await;
        let ended = ended.unwrap_or_else(|_| panic!("{} are neither refused nor answered", race.len()));
        match ended.unwrap().unwrap() {
            Err(ProxyError::Budget(breach)) => refused.push(*breach),
            other => panic!("{other:?}"),
        }
    }
    // The stream that holds the vendor is one.
    let all_there = async { while vendor.in_flight().await < admitted as u64 + 1 {} };
    tokio::time::timeout(Duration::from_secs(20), all_there).await.unwrap();
    refused
}

/// 200 at once, of which exactly ten fit into `budget`; returns how the others were refused.
async fn race(scope: &str, budget: Budget, requests: fn(usize) -> ChatRequest, worst: i64) -> Vec<BudgetBreach> {
    let vendor = vendor().await;
    let bench = setup(&vendor).budget(scope, budget).build();
    let held: Held = vendor.hold().await;
    let mut race = start(&bench, (0..RACERS).map(requests));
    let refused = decided(&mut race, &vendor, ROOM).await;
    assert_eq!(refused.len(), RACERS - ROOM, "{scope}");
    for breach in &refused {
        let figures = (breach.spent_nanousd, breach.reserved_nanousd, breach.retry_may_help);
        assert_eq!(figures, (NanoUsd::ZERO, NanoUsd(worst * TIMES), true), "{scope}");
        assert_eq!(breach.scope.to_string(), scope);
    }
    drop(held);
    let answered = race.join_all().await;
    assert!(answered.iter().all(Result::is_ok), "{scope}: {answered:?}");
    assert_eq!(answered.len(), ROOM, "{scope}");
    assert_eq!(vendor.requests().await, ROOM as u64 + 1, "{scope}");

    // What was refused only because of what was held is admitted now.
    let retried = bench.proxy.complete(&context(), "main", requests(11)).await;
    assert!(retried.is_ok(), "{scope}: {retried:?}");
    let charges = bench.charges().await;
    assert_eq!(charges.len(), ROOM + 1, "{scope}: what is refused leaves no row");
    assert!(charges.iter().take(ROOM).all(|charge| charge.reserved == NanoUsd(worst)), "{scope}: {charges:?}");
    assert!(charges.iter().all(|charge| charge.state == ChargeState::Settled), "{scope}");
    let spent: NanoUsd = charges.iter().map(|charge| charge.charged).sum();
    assert_eq!(bench.standing(scope).await, (spent.0, 0), "{scope}");
    bench.balances().await;
    refused
}

/// With a cap that is a nano-dollar short of eleven, and without `max_tokens` with one of exactly ten: less than a whole
/// answer would be granted what is left.
async fn race_both(scope: &str) {
    for refused in [
        race(scope, daily((TIMES + 1) * WORST_GIVEN - 1), given, WORST_GIVEN).await,
        race(scope, daily(TIMES * WORST_DEFAULT), by_default, WORST_DEFAULT).await,
    ] {
        let breach = &refused[0];
        assert_eq!((breach.period, breach.resets_at.as_deref()), (Period::Day, Some("2026-11-02T00:00:00.000Z")));
    }
}

#[tokio::test]
async fn of_200_at_once_a_budget_of_everything_admits_the_10_that_fit() {
    race_both("total").await;
}

#[tokio::test]
async fn of_200_at_once_a_tenants_budget_admits_the_10_that_fit() {
    race_both("tenant:shared").await;
}

#[tokio::test]
async fn of_200_at_once_an_endpoints_budget_admits_the_10_that_fit() {
    race_both("endpoint:test").await;
}

#[tokio::test]
async fn of_200_at_once_a_models_budget_admits_the_10_that_fit() {
    race_both("model:a/large").await;
}

#[tokio::test]
async fn of_200_at_once_a_providers_budget_admits_the_10_that_fit() {
    race_both("provider:a").await;
}

#[tokio::test]
async fn of_200_at_once_a_tasks_budget_admits_the_10_that_fit() {
    race_both("task:answer").await;
}

#[tokio::test]
async fn months_and_lifetimes_are_kept_as_days_are() {
    let cap = Some(NanoUsd(TIMES * WORST_GIVEN));
    let monthly = Budget { month: cap, ..Budget::default() };
    let refused = race("tenant:shared", monthly, given, WORST_GIVEN).await;
    assert_eq!((refused[0].period, refused[0].resets_at.as_deref()), (Period::Month, Some("2026-12-01T00:00:00.000Z")));
    let forever = Budget { lifetime: cap, ..Budget::default() };
    let refused = race("total", forever, given, WORST_GIVEN).await;
    assert_eq!((refused[0].period, refused[0].resets_at.as_deref()), (Period::Lifetime, None));
}

#[tokio::test]
async fn with_a_published_tokenizer_the_race_is_about_exact_counts() {
    let vendor = vendor().await;
    let mut provider = wide(&vendor);
    let model = provider.models.remove("large").unwrap();
    provider.models.insert("gpt-4.1-mini".to_owned(), model);
    provider.vendor = Some("openai".to_owned());
    // Of `<question>question number 000</question>` in o200k: < question > question _number _ 000 </ question >, 10
    // tokens; and by the cookbook, doubled, 16 for the request and 8 for its message.
    let worst = (16 + 8 + 10) * 100 + 50 * 400;
    let mut setup = Setup::new(&[("a", provider)]).budget("total", daily(TIMES * worst));
    setup.settings.deadline = Duration::from_mins(1);
    let bench = setup.build();
    let held = vendor.hold().await;
    let mut race = start(&bench, (0..RACERS).map(given));
    let refused = decided(&mut race, &vendor, ROOM).await;
    assert_eq!((refused.len(), refused[0].reserved_nanousd), (RACERS - ROOM, NanoUsd(TIMES * worst)));
    drop(held);
    assert!(race.join_all().await.iter().all(Result::is_ok));
    bench.balances().await;
}

#[tokio::test]
async fn of_several_caps_the_tightest_decides_and_is_named() {
    let vendor = vendor().await;
    let room = |count: i64| daily(count * WORST_GIVEN);
    let setup =
        setup(&vendor).budget("total", room(30)).budget("tenant:shared", room(12)).budget("task:answer", room(5));
    let bench = setup.budget("model:a/large", room(40)).budget("provider:b", room(1)).build();
    let held = vendor.hold().await;
    let mut race = start(&bench, (0..50).map(given));
    let refused = decided(&mut race, &vendor, 5).await;
    assert!(refused.iter().all(|breach| breach.scope.to_string() == "task:answer"), "{refused:?}");
    for scope in ["total", "tenant:shared", "task:answer", "model:a/large"] {
        assert_eq!(bench.standing(scope).await, (0, 5 * WORST_GIVEN), "{scope}: all or nothing");
    }
    assert_eq!(bench.standing("provider:b").await, (0, 0), "of another provider");
    drop(held);
    assert!(race.join_all().await.iter().all(Result::is_ok));
    bench.balances().await;
}

#[tokio::test]
async fn an_endpoints_own_default_is_what_a_request_without_a_limit_holds() {
    let vendor = vendor().await;
    // 7,440,000 nano-dollars are ten times 58,400 and 10 × 1,714 tokens; the endpoint says 64.
    let mut setup = setup(&vendor).budget("endpoint:test", daily(TIMES * (PROMPT_TOKENS * 100 + 64 * 400)));
    setup.endpoints.insert("test".to_owned(), EndpointSettings { output_tokens: 64 });
    let bench = setup.build();
    let held = vendor.hold().await;
    let mut race = start(&bench, (0..RACERS).map(by_default));
    let refused = decided(&mut race, &vendor, ROOM).await;
    assert_eq!(refused.len(), RACERS - ROOM);
    drop(held);
    race.join_all().await;
    // The first is the stream that held the vendor.
    let limits: Vec<_> = vendor.bodies().await[1..].iter().map(|body| body["max_tokens"].as_u64()).collect();
    assert_eq!(limits, vec![Some(64); ROOM]);
}

/// Watches every change of every counter in the database itself.
fn watch_counters(bench: &Bench) {
    let watch = "CREATE TABLE seen (scope TEXT, total INTEGER);
        CREATE TRIGGER watched AFTER UPDATE ON counters BEGIN INSERT INTO seen VALUES (new.scope, new.spent + new.reserved); END;";
    bench.database().execute_batch(watch).unwrap();
}

fn most_seen(bench: &Bench, scope: &str) -> (i64, u64) {
    let sql = "SELECT max(total), count(*) FROM seen WHERE scope = ?1";
    bench.database().query_row(sql, [scope], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

#[tokio::test]
async fn with_prompts_of_any_length_no_cap_is_overshot_at_any_moment() {
    // All at once; and by 20 callers, so that reservations come and go.
    for (seed, callers) in [(0, RACERS), (1, 20), (2, 20)] {
        let mut random = rand_chacha::ChaCha12Rng::seed_from_u64(seed);
        let latency = json!({"first_token": {"kind": "log_normal", "median_ms": 4, "p95_ms": 30}});
        let vendor = Vendor::start(json!({"answers": {"reply": "yes it is"}, "latency": latency})).await;
        let caps = [("total", 4_000_000), ("tenant:shared", 3_000_000)];
        let setup = caps.iter().fold(setup(&vendor), |setup, (scope, cap)| setup.budget(scope, daily(*cap)));
        let bench = setup.build();
        watch_counters(&bench);
        // The longest prompt's worst case is 740,000, the shortest one's 57,000; they cost at most 122,000.
        let mut request = |number: usize| {
            let question = "word ".repeat(random.random_range(0..1_200));
            let limit = random.random::<bool>().then(|| random.random_range(3..200));
            ChatRequest { max_output_tokens: limit, ..unlimited(&format!("{number} {question}")) }
        };
        let requests: Vec<_> = (0..RACERS).map(&mut request).collect();
        let context = context();
        let ask = |request| bench.proxy.complete(&context, "main", request);
        let outcomes: Vec<_> = futures::stream::iter(requests).map(ask).buffer_unordered(callers).collect().await;
        let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(ProxyError::Budget(_)))).count();
        assert_eq!(answered + refused, RACERS, "{outcomes:?}");
        assert!(answered >= 4 && refused >= 50, "{answered} answered, {refused} refused");
        bench.balances().await;
        for (scope, cap) in caps {
            let (most, changes) = most_seen(&bench, scope);
            assert!(most <= cap, "{scope} stood at {most}");
            assert_eq!(changes, 2 * answered as u64, "{scope}: each reservation is made and ended once");
            assert!(bench.standing(scope).await.0 <= cap);
        }
        let (most, _) = most_seen(&bench, "tenant:shared");
        assert!(most > 2_900_000, "what fits is granted: {most}");
    }
}

#[tokio::test]
async fn two_processes_share_one_budget() {
    let vendor = vendor().await;
    let budget = || daily(TIMES * WORST_GIVEN);
    let one = setup(&vendor).budget("total", budget()).build();
    let other = setup(&vendor).budget("total", budget()).beside(&one).build();
    let held = vendor.hold().await;
    let mut race = JoinSet::new();
    for number in 0..RACERS {
        let proxy = Arc::clone(if number % 2 == 0 { &one.proxy } else { &other.proxy });
        race.spawn(async move { proxy.complete(&context(), "main", given(number)).await });
    }
    let refused = decided(&mut race, &vendor, ROOM).await;
    assert_eq!(refused.len(), RACERS - ROOM);
    drop(held);
    assert!(race.join_all().await.iter().all(Result::is_ok));
    one.store.flush().await.unwrap();
    other.balances().await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_written_spends_nothing() {
    let vendor = vendor().await;
    let bench = setup(&vendor).build();
    bench.database().execute_batch("DROP TABLE open_reservations").unwrap();
    let refused = bench.ask("question").await.unwrap_err();
    assert!(matches!(refused, ProxyError::Ledger(StoreError::Failed { .. })), "{refused}");
    assert_eq!(vendor.requests().await, 0);
}
