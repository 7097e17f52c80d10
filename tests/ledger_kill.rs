//! Evaluations with 64 questions under way that are killed at random moments: whatever a process leaves behind, no cap is
//! overshot, and no call that a vendor bills is missing from the books.
//!
//! `TOLLGATE_TEST_KILL_SECONDS=60 cargo test --test ledger_kill -- --nocapture`

#![cfg(test)]
#![expect(clippy::print_stdout, reason = "the figures are worth reading")]

mod common;

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{MockVendor, Project};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde_json::json;
use tollgate::config::{AlertSettings, BudgetSettings};
use tollgate::cost::{Ledger, LedgerReport, Rules};
use tollgate::domain::{Clock, IdSource, SystemClock, Verdict};
use tollgate::store::Store;

const CALLERS: u64 = 64;
/// $1 and $2 a million tokens, in nano-dollars a token.
const PRICES: (i64, i64) = (1_000, 2_000);
/// The budgets. That of the large model has room for little more than one worst case when a process starts, so that it
/// refuses after a few calls; one of the others, in turn, has room for fewer than there are callers, who then wait.
const BUDGETS: [(&str, &str); 11] = [
    (LARGE, "day"),
    ("total", "day"),
    ("total", "month"),
    ("total", "lifetime"),
    ("tenant:shared", "day"),
    ("tenant:shared", "month"),
    ("endpoint:eval", "day"),
    ("provider:mock", "day"),
    ("provider:mock", "lifetime"),
    ("model:mock/small", "day"),
    ("task:answer", "month"),
];
const LARGE: &str = "model:mock/large";

/// How many hundredths of a worst case a budget has room for beyond what it stands at, at this start or the last one.
fn room(budget: usize, start: Option<usize>) -> i64 {
    let in_turn = start.map(|start| 1 + start % (BUDGETS.len() - 1));
    match budget {
        0 if start.is_none() => 99,
        0 => 102,
        budget if Some(budget) == in_turn => 4_000,
        _ => 60_000,
    }
}

/// For how long processes are started and killed.
#[expect(
    clippy::disallowed_methods,
    reason = "whoever runs the test says how long, and no setting of the program does"
)]
fn time() -> Duration {
    let seconds = std::env::var("TOLLGATE_TEST_KILL_SECONDS").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// A project whose two models are the vendor's.
fn project(vendor: &MockVendor) -> Project {
    let project = Project::echo("unused", 0);
    let mut settings = format!(
        "\n[providers.mock]\nkind = \"openai\"\nbase_url = \"{}\"\nmax_concurrency = 200\n",
        vendor.openai_url()
    );
    for model in ["small", "large"] {
        settings.extend([
            "[providers.mock.models.",
            model,
            "]\ninput_usd_per_million = 1\noutput_usd_per_million = 2\n",
        ]);
    }
    project.append("tollgate.toml", &settings);
    project.migrate(3, "\"stages.small\" = \"mock/small\"\n\"stages.large\" = \"mock/large\"\n");
    project.generate_cases("many.jsonl", 1_000, "forty two");
    project.run(&["kb", "ingest"]).exits(0);
    project
}

/// The sum of a query over the project's database.
fn sum(project: &Project, sql: &str) -> i64 {
    let database = project.database();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Caps every budget at what it stands at and its room, in the settings and for what watches the counters.
fn cap(project: &Project, settings: &str, worst: i64, start: Option<usize>) {
    let mut tables: BTreeMap<&str, String> = BTreeMap::new();
    let mut caps = String::from("DELETE FROM caps;");
    for (budget, (scope, period)) in BUDGETS.into_iter().enumerate() {
        let stands = format!(
            "SELECT coalesce(sum(spent + reserved), 0) FROM counters WHERE scope = '{scope}' AND period = '{period}'
             AND ends_ms = (SELECT max(ends_ms) FROM counters WHERE scope = '{scope}' AND period = '{period}')"
        );
        let cap = sum(project, &stands) + room(budget, start) * worst / 100;
        let line = format!("{period}_usd = {}.{:09}\n", cap / 1_000_000_000, cap % 1_000_000_000);
        tables.entry(scope).or_default().push_str(&line);
        caps.extend([format!("INSERT INTO caps VALUES ('{scope}', '{period}', {cap}, {worst});")]);
    }
    let table = |(scope, lines): (&&str, &String)| {
        let name = scope.split_once(':').map_or("total".to_owned(), |(kind, name)| format!("{kind}.\"{name}\""));
        format!("\n[budgets.{name}]\n{lines}")
    };
    project.write("tollgate.toml", format!("{settings}{}", tables.iter().map(table).collect::<String>()));
    project.database().execute_batch(&caps).unwrap();
}

/// Notes each moment at which a counter stands above its cap, and each at which its cap has no room for another call.
const WATCH: &str = "CREATE TABLE caps (scope TEXT, period TEXT, cap INTEGER, worst INTEGER);
    CREATE TABLE full (scope TEXT, period TEXT);
    CREATE TABLE overshot (scope TEXT, period TEXT, by INTEGER);
    CREATE TRIGGER watched AFTER UPDATE ON counters BEGIN
        INSERT INTO overshot SELECT scope, period, new.spent + new.reserved - cap FROM caps
        WHERE scope = new.scope AND period = new.period AND new.spent + new.reserved > cap;
        INSERT INTO full SELECT scope, period FROM caps
        WHERE scope = new.scope AND period = new.period AND new.spent + new.reserved + worst > cap;
    END;";

/// What the vendor itself counts, at its prices, and the calls that it has answered.
fn bill(vendor: &MockVendor) -> (i64, i64) {
    let metrics = loop {
        let metrics = vendor.get("/metrics");
        if metrics.lines().any(|line| line == "mock_provider_in_flight 0") {
            break metrics;
        }
    };
    let tokens = |kind: &str| -> i64 {
        let series = format!("mock_provider_tokens_total{{kind=\"{kind}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    };
    let answered = metrics.lines().filter(|line| line.starts_with("mock_provider_requests_total{"));
    let answered = answered.filter(|line| line.contains("status=\"200\"")).map(|line| line.rsplit_once(' ').unwrap().1);
    (
        tokens("input") * PRICES.0 + tokens("output") * PRICES.1,
        answered.map(|count| count.parse::<i64>().unwrap()).sum(),
    )
}

fn eval(project: &Project) -> Child {
    let arguments = ["eval", "many.jsonl", "--concurrency", &CALLERS.to_string(), "--bounds", "never"];
    project.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the process some time after it has begun to spend; says whether it still ran.
fn kill_at_random(project: &Project, mut child: Child, random: &mut ChaCha12Rng) -> bool {
    let begun = sum(project, "SELECT count(*) FROM reservations");
    while sum(project, "SELECT count(*) FROM reservations") == begun && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    // The moment is what this test is about.
    std::thread::sleep(Duration::from_millis(random.random_range(0..600)));
    let runs = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    runs
}

#[test]
fn killed_at_any_moment_no_cap_is_overshot_and_nothing_that_is_billed_is_missing() {
    let says = |confidence: f64| {
        json!({"answer": "forty two", "citations": [], "confidence": confidence, "refused": false}).to_string()
    };
    // Every tenth question is asked of the large model too.
    let lines = json!([{"match_regex": "number \\d*0\\?", "reply": says(0.1)}, {"reply": says(0.9)}]);
    let vendor = MockVendor::start(&json!({
        "answers": {"mode": "file", "lines": lines},
        "latency": {"first_token": {"kind": "log_normal", "median_ms": 20, "p95_ms": 120}},
        "faults": [{"kind": "503", "probability": 0.005}],
    }));
    let project = project(&vendor);
    let settings = project.read("tollgate.toml");
    // What one question costs at worst.
    project.run(&["eval", "many.jsonl", "--limit", "1", "--bounds", "never"]).exits(0);
    let worst = sum(&project, "SELECT max(reserved) FROM reservations");
    project.database().execute_batch(WATCH).unwrap();

    let clock = SystemClock::new();
    let mut random = ChaCha12Rng::seed_from_u64(4);
    let (mut started, mut killed) = (0, 0);
    while clock.monotonic() < time() {
        cap(&project, &settings, worst, Some(started));
        let child = eval(&project);
        started += 1;
        killed += i64::from(kill_at_random(&project, child, &mut random));
    }
    let left_open = sum(&project, "SELECT count(*) FROM open_reservations");

    let store = Arc::new(Store::open(&project.file(".tollgate/tollgate.db")).unwrap());
    let rules = Arc::new(Rules::new(BudgetSettings::default(), AlertSettings::default()));
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let ids = Arc::new(IdSource::from_system());
    let ledger = Ledger::new(Arc::clone(&store), Arc::clone(&clock), ids, rules, BTreeMap::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recovered = runtime.block_on(ledger.recover()).unwrap();
    assert_eq!(recovered.released + recovered.booked, left_open.cast_unsigned());
    // The last one is left alone, and says what the large model's cap has no room for.
    cap(&project, &settings, worst, None);
    let arguments = ["eval", "many.jsonl", "--limit", "100", "--concurrency", "64", "--bounds", "never"];
    project.run(&arguments).exits(1).complains("the day budget of model:mock/large has no room for a call");
    let (billed, answered) = bill(&vendor);
    let check = runtime.block_on(store.check_ledger(false)).unwrap();
    let of = |what: &str| sum(&project, &format!("SELECT coalesce(sum({what}), 0) FROM settlements"));
    let (booked, at_worst_case) = (check.booked.0, of("charged * (state = 'worst_case')"));
    let (worst_cases, voided, settled) = (of("state = 'worst_case'"), of("state = 'voided'"), of("state = 'settled'"));
    let overshot = sum(&project, "SELECT count(*) FROM overshot");
    let refused = sum(&project, "SELECT count(*) FROM results WHERE error LIKE '%budget of model:mock/large%'");
    let full = sum(&project, "SELECT count(*) FROM full");
    let full_scopes = sum(&project, "SELECT count(*) FROM (SELECT DISTINCT scope, period FROM full)");
    println!(
        "{started} starts, {killed} kills in {:?}: {} reservations, {settled} settled, {worst_cases} booked at their worst case, {voided} \
         voided, {left_open} open after the last kill ({recovered:?})\n\
         {answered} calls answered; booked {booked} = billed {billed} + {}, of which at worst case {at_worst_case}; {refused} results refused by a \
         budget; {full} times one of {full_scopes} caps had no room for another call; {} counters, overshot {overshot} times",
        time(),
        check.reservations,
        booked - billed,
        check.counters_checked,
    );

    assert_eq!(overshot, 0);
    let above = "SELECT count(*) FROM counters JOIN caps USING (scope, period) WHERE spent + reserved > cap";
    assert_eq!(sum(&project, above), 0);
    assert!(check.counters_checked >= BUDGETS.len() as u64);
    let ended = (settled + worst_cases + voided).cast_unsigned();
    assert_eq!((check.open, check.reservations, check.settlements), (0, ended, ended), "{check:?}");
    let report = LedgerReport::new(&check, recovered, false, clock.now());
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.problems);
    assert!(answered <= settled + worst_cases, "{answered} calls were answered");
    assert!(billed <= booked, "{billed} billed, {booked} booked");
    assert!(booked <= billed + at_worst_case, "{booked} booked, {billed} billed");
    assert!(worst_cases <= killed * CALLERS.cast_signed(), "no more than was under way at the kills: {worst_cases}");
    assert!(killed > 0 && worst_cases > 0 && refused > 0 && full_scopes > 1, "nothing was tried");
}
