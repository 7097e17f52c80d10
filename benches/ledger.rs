//! What holding money before every call costs: durable reservations and settlements a second with 32 callers, and how long
//! a caller waits; against a floor of bare commits to the same disk in the same run.
//!
//! `cargo bench --bench ledger`

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ProcessTime;
use hdrhistogram::Histogram;
use rusqlite::Connection;
use tokio::task::JoinSet;
use tollgate::config::{AlertSettings, Budget, BudgetSettings};
use tollgate::cost::{Consumed, Ledger, OutputCap, Quote, Rules, Wanted};
use tollgate::domain::{Clock, IdSource, NanoUsd, Price, Rate, Scope, ScopeKind, SystemClock, TicketId, Usage};
use tollgate::store::{CallScopes, Store};

type Failure = Box<dyn Error + Send + Sync>;

/// Callers at a time.
const CALLERS: u32 = 32;
/// How long each kind is measured.
const TIME: Duration = Duration::from_secs(5);
/// Reservations, each with its settlement, that there shall be in a second.
const WANTED: f64 = 3_000.0;
/// What 99 of 100 callers wait at most for both together.
const WANTED_P99_MS: f64 = 50.0;

fn main() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!(
        "{CALLERS} callers, {} s each; a pair is one reservation and its settlement, both durable\n",
        TIME.as_secs()
    );
    let commits = commits()?;
    println!("{:<44}{commits:>10.0}/s", "floor: a row and a commit, one writer");
    for (what, budgets) in [("without a budget", BudgetSettings::default()), ("with ten caps", ten_caps())] {
        let measured = runtime.block_on(measure(budgets))?;
        println!(
            "{:<44}{:>10.0}/s {:>6.1} × floor   p50 {:.1} ms, p99 {:.1} ms   {:.0} µs CPU",
            format!("pairs {what}"),
            measured.pairs,
            measured.pairs / commits,
            measured.p50_ms,
            measured.p99_ms,
            measured.cpu_us,
        );
        let verdict = |good| if good { "within" } else { "OVER" };
        println!(
            "{:<44}{} {WANTED:.0}/s, {} {WANTED_P99_MS:.0} ms",
            "",
            verdict(measured.pairs >= WANTED),
            verdict(measured.p99_ms <= WANTED_P99_MS)
        );
    }
    Ok(())
}

struct Measured {
    pairs: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
}

/// Commits a second that the disk takes from a single writer that waits for each.
fn commits() -> Result<f64, Failure> {
    let directory = tempfile::tempdir()?;
    let connection = Connection::open(directory.path().join("floor.db"))?;
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE rows (n INTEGER);")?;
    let clock = SystemClock::new();
    let mut count = 0_u32;
    while clock.monotonic() < TIME / 2 {
        connection.prepare_cached("INSERT INTO rows VALUES (?1)")?.execute([count])?;
        count += 1;
    }
    Ok(f64::from(count) / clock.monotonic().as_secs_f64())
}

fn ten_caps() -> BudgetSettings {
    let cap = Some(NanoUsd(1_000_000_000_000_000));
    let two = Budget { day: cap, month: cap, ..Budget::default() };
    let one = Budget { month: cap, ..Budget::default() };
    let scopes = [
        (Scope::TOTAL, &two),
        (Scope::new(ScopeKind::Tenant, "acme"), &two),
        (Scope::new(ScopeKind::Endpoint, "bench"), &two),
        (Scope::new(ScopeKind::Model, "vendor/model"), &two),
        (Scope::new(ScopeKind::Provider, "vendor"), &one),
        (Scope::new(ScopeKind::Task, "answer"), &one),
    ];
    let by_scope = scopes.into_iter().map(|(scope, budget)| (scope, budget.clone())).collect();
    BudgetSettings { by_scope, each_tenant: None }
}

async fn measure(budgets: BudgetSettings) -> Result<Measured, Failure> {
    let directory = tempfile::tempdir()?;
    let store = Arc::new(Store::open(&directory.path().join("tollgate.db"))?);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ids = Arc::new(IdSource::seeded(1));
    let rules = Arc::new(Rules::new(budgets, AlertSettings::default()));
    let ledger =
        Arc::new(Ledger::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&ids), rules, BTreeMap::new()));
    let begun = clock.monotonic();
    let cpu = ProcessTime::try_now()?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (ledger, ids, clock) = (Arc::clone(&ledger), Arc::clone(&ids), Arc::clone(&clock));
        callers.spawn(async move {
            let mut waits = Vec::new();
            while clock.monotonic() < begun + TIME {
                let ticket: TicketId = ids.next(&*clock);
                let started = clock.monotonic();
                let reservation = ledger.reserve(&wanted(ticket)).await?;
                ledger.settle(reservation, Consumed::Told(Usage::new(400, 60))).await?;
                waits.push(clock.monotonic().saturating_sub(started));
            }
            Ok::<_, Failure>(waits)
        });
    }
    let mut waits = Histogram::<u64>::new(3)?;
    while let Some(caller) = callers.join_next().await {
        for wait in caller?? {
            waits.record(wait.as_micros() as u64)?;
        }
    }
    let (seconds, cpu) = (clock.monotonic().saturating_sub(begun).as_secs_f64(), cpu.try_elapsed()?.as_secs_f64());
    let check = store.check_ledger(false).await?;
    if check.open > 0 || !check.counters.is_empty() || check.astray > 0 {
        return Err("the ledger does not agree with itself".into());
    }
    let pairs = waits.len() as f64;
    Ok(Measured {
        pairs: pairs / seconds,
        p50_ms: waits.value_at_quantile(0.5) as f64 / 1e3,
        p99_ms: waits.value_at_quantile(0.99) as f64 / 1e3,
        cpu_us: cpu * 1e6 / pairs,
    })
}

fn wanted(ticket: TicketId) -> Wanted<'static> {
    let price = Price::new(Rate(150_000_000), Rate(600_000_000));
    let scopes = CallScopes {
        tenant: "acme".to_owned(),
        endpoint: "bench".to_owned(),
        task: "answer".to_owned(),
        provider: "vendor".to_owned(),
        model: "vendor/model".to_owned(),
    };
    let quote = Quote { price, input_tokens: 900, output: OutputCap::Given(512), ceiling: NanoUsd(50_000_000) };
    Wanted { ticket, scopes, release: "bench", fingerprint: None, quote, is_billed: true, exact: None }
}
