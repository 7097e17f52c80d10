#![cfg(test)]
//! Money on the command line: caps, what becomes of a question that one refuses, and sums that agree to the nano-dollar.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::Project;
use serde_json::Value;
use tollgate::config::{AlertSettings, BudgetSettings};
use tollgate::cost::{Consumed, Ledger, OutputCap, Quote, Rules, Wanted};
use tollgate::domain::{Clock, IdSource, ManualClock, NanoUsd, Price, Rate, SystemClock, TicketId, Usage};
use tollgate::store::{CallScopes, OutcomeRow, Store};

/// A project whose questions cost some micro-dollars each: nine words and the question in, two words out.
fn project() -> Project {
    Project::echo("forty two", 0)
}

#[test]
fn a_cap_without_room_exits_1_and_gives_the_figures_to_people_and_programs() {
    let project = project();
    project.append("tollgate.toml", "\n[budgets.tenant.acme]\nmonth_usd = 0.0001\ntime_zone = \"Europe/Berlin\"\n");
    let ask = ["ask", "What is it?", "--tenant", "acme", "--no-cache"];
    let refused = project.run(&ask).exits(1);
    let refused = refused.complains("the month budget of tenant:acme has no room for a call of up to $0.00");
    let refused = refused.complains("limit $0.000100, spent $0.00, reserved $0.00; it begins anew at 20");
    refused.complains("hint: raise the cap: `tollgate budget set tenant:acme --month USD --reason …`");
    let problem = project.run(&[&ask[..], &["--format", "json"]].concat()).exits(1).json();
    assert_eq!((&problem["status"], &problem["scope"]), (&Value::from(402), &Value::from("tenant:acme")));
    assert_eq!((&problem["limit_nanousd"], &problem["spent_nanousd"]), (&Value::from(100_000), &Value::from(0)));
    assert_eq!(problem["retry_may_help"], false);
    assert!(problem["needed_nanousd"].as_i64().unwrap() > 100_000);
    let schema = project.run(&["schema", "budget_problem"]).exits(0).json();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&problem), "{problem:#}");
    // Another tenant is not held by it.
    project.run(&["ask", "What is it?", "--tenant", "other"]).exits(0);
    assert_eq!(project.json(&["ledger", "verify"])["reservations"], 1);
}

#[test]
fn a_tenants_policy_names_what_is_said_instead() {
    let project = project();
    project.append(
        "tollgate.toml",
        "\n[budgets.tenant.acme]\nday_usd = 0\non_breach = \"template\"\ntemplate = \"A person will answer.\"\n\
         [budgets.tenant.beta]\nday_usd = 0\non_breach = \"model\"\nfallback_model = \"spare/any\"\n\
         [providers.spare]\nkind = \"echo\"\nreply = \"from the spare model\"\n\
         [providers.spare.models.any]\ninput_usd_per_million = 0\noutput_usd_per_million = 0\n",
    );
    let answer = |tenant: &str| project.json(&["ask", "What is it?", "--tenant", tenant]);
    let template = answer("acme");
    assert_eq!((&template["text"], &template["path"]), (&"A person will answer.".into(), &"degraded".into()));
    assert_eq!((&template["calls"], &template["cost_nanousd"]), (&0.into(), &0.into()));
    let spare = answer("beta");
    assert_eq!((&spare["text"], &spare["model"]), (&"from the spare model".into(), &"spare/any".into()));
    let report = project.json(&["cost", "report"]);
    assert_eq!((&report["tickets"], &report["resolved"], &report["spent_nanousd"]), (&2.into(), &1.into(), &0.into()));
}

#[test]
fn caps_set_by_hand_hold_at_once_and_are_taken_back() {
    let project = project();
    let ask = ["ask", "What is it?", "--no-cache"];
    project.run(&ask).exits(0);
    let set = project.run(&["budget", "set", "model:echo/any", "--lifetime", "0.00001", "--reason", "a test"]).exits(0);
    set.says("model:echo/any by lifetime was set by hand: a test");
    project.run(&ask).exits(1).complains("the lifetime budget of model:echo/any");
    project.run(&["budget", "set", "model:echo/any", "--lifetime", "none", "--reason", "a test"]).exits(0);
    project.run(&ask).exits(0);
    project.run(&["budget", "set", "total", "--day", "0", "--reason", "a test"]).exits(0);
    project.run(&ask).exits(1).complains("the day budget of total");
    project.run(&["budget", "reset", "total", "--reason", "enough"]).exits(0).says("No budget of total is set.");
    project.run(&ask).exits(0);
    project.run(&["budget", "reset", "total", "--reason", "x"]).exits(0).complains("no cap of total was set by hand");
    assert_eq!(project.count("SELECT count(*) FROM budget_changes"), 4);
}

#[test]
fn what_cannot_be_a_budget_is_refused() {
    let project = project();
    let set = |scope: &str, cap: &str| project.run(&["budget", "set", scope, "--day", cap, "--reason", "x"]).exits(2);
    set("acme", "1").complains("`acme` is not a scope: write total, tenant:NAME");
    set("tenant:a b", "1").complains("`a b` cannot be a tenant");
    set("model:gpt", "1").complains("`gpt` cannot be a model");
    set("provider:nix", "1").complains("no provider `nix` is configured");
    for cap in ["-1", "1e3", "1000000001", "much"] {
        set("total", cap).complains("write dollars from 0 to a billion");
    }
    project.run(&["margin"]).exits(2).complains("there is no plan");
    project.run(&["cost", "report", "--from", "2026-01-02", "--until", "2026-01-02"]).exits(2).complains("is empty");
    project.append("tollgate.toml", "\n[budgets.total]\nmonth_usd = -5\n");
    project.run(&["budget", "show"]).exits(2).complains("`budgets.total.month_usd`: must be a number of at least 0");
}

#[test]
fn an_evaluation_stops_at_a_cap_and_goes_on_when_it_is_raised() {
    let project = project();
    project.generate_cases("cases.jsonl", 60, "forty two");
    project.append("tollgate.toml", "\n[budgets.endpoint.eval]\nday_usd = 0\nsoft_percent = [5]\n");
    project.append("tollgate.toml", "[budgets.tenant.none]\nday_usd = 0\n");
    let problem = project.run(&["ask", "What is number 10?", "--tenant", "none", "--format", "json"]).exits(1).json();
    // Room for a single worst case, and for some thirty calls at what they really cost.
    let cap = NanoUsd(problem["needed_nanousd"].as_i64().unwrap() + 500_000);
    let dollars = format!("0.{:09}", cap.0);
    project.run(&["budget", "set", "endpoint:eval", "--day", &dollars, "--reason", "a test"]).exits(0);
    let eval = project.run(&["eval", "cases.jsonl", "--concurrency", "8", "--bounds", "never"]).exits(1);
    let eval = eval.complains("stopped; continue with `tollgate eval --resume");
    let eval = eval.complains("the day budget of endpoint:eval has no room");
    eval.complains("alert: Endpoint `eval` has reached 5 % of its daily budget");
    let budget = &project.json(&["budget", "show", "endpoint:eval"])["budgets"][0];
    let spent = budget["spent_nanousd"].as_i64().unwrap();
    assert!((400_000..=cap.0).contains(&spent), "{budget:#}");
    assert_eq!(budget["reserved_nanousd"], 0);
    project.run(&["budget", "set", "endpoint:eval", "--day", "1", "--reason", "more"]).exits(0);
    let report = project.run(&["eval", "--resume", "latest", "--format", "json"]).exits(0).json();
    assert_eq!((&report["results"], &report["errored"]), (&60.into(), &0.into()));
    project.run(&["ledger", "verify"]).exits(0).says("rows, counters and calls agree");
}

#[test]
fn every_report_comes_to_the_ledgers_sum() {
    let project = project();
    project.generate_cases("cases.jsonl", 20, "forty two");
    project.run(&["eval", "cases.jsonl", "--repeats", "2"]).exits(0);
    project.run(&["ask", "What is it?"]).exits(0);
    let booked = project.json(&["ledger", "verify"])["booked_nanousd"].as_i64().unwrap();
    assert!(booked > 0);
    let report = project.json(&["cost", "report"]);
    assert_eq!(report["spent_nanousd"], booked);
    let outcomes = &report["outcomes"];
    assert_eq!(outcomes["total_nanousd"], booked, "what unresolved tickets cost is carried by the resolved ones");
    let json = project.run(&["cost", "export", "--format", "json"]).exits(0).json();
    assert_eq!(json["sum_nanousd"], booked);
    let rows = json["rows"].as_array().unwrap().iter();
    assert_eq!(rows.map(|row| row["charged_nanousd"].as_i64().unwrap()).sum::<i64>(), booked);
    let column = |arguments: &[&str], name: &str| -> Vec<String> {
        let text = project.run(arguments).exits(0).stdout;
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let at = csv.headers().unwrap().iter().position(|header| header == name).unwrap();
        csv.records().map(|row| row.unwrap()[at].to_owned()).collect()
    };
    let plain = column(&["cost", "export"], "charged_nanousd");
    assert_eq!(plain.iter().map(|cost| cost.parse::<i64>().unwrap()).sum::<i64>(), booked);
    let focus = column(&["cost", "export", "--focus"], "BilledCost");
    let nano = |cost: &String| NanoUsd::parse_dollars(cost).unwrap().0;
    assert_eq!(focus.iter().map(nano).sum::<i64>(), booked);
}

#[test]
fn a_wrong_counter_is_reported_and_rebuilt_from_the_rows() {
    let project = project();
    project.append("tollgate.toml", "\n[budgets.total]\nmonth_usd = 1\n");
    project.run(&["ask", "What is it?"]).exits(0);
    project.run(&["ledger", "verify"]).exits(0);
    project.database().execute("UPDATE counters SET spent = spent + 7", []).unwrap();
    let found = project.run(&["ledger", "verify"]).exits(1).says("they do not agree");
    found.says("the counter of total, month");
    project.run(&["ledger", "verify", "--repair"]).exits(1).says("the counters are rebuilt from the rows");
    project.run(&["ledger", "verify"]).exits(0);
    let changed = project.database().execute("UPDATE settlements SET charged = 1", []).unwrap_err();
    assert!(changed.to_string().contains("the ledger is append-only"), "{changed}");
    let gone = project.database().execute("DELETE FROM reservations", []).unwrap_err();
    assert!(gone.to_string().contains("the ledger is append-only"), "{gone}");
}

/// Books `tickets` requests of so many tokens each, at $1 a million, spread over the six days before `end`.
fn history(project: &Project, end: jiff::Timestamp, tickets: u64, tokens: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let start = end - jiff::SignedDuration::from_hours(6 * 24);
    let clock = Arc::new(ManualClock::new(start));
    let ids = Arc::new(IdSource::from_system());
    let store = Arc::new(Store::open(&project.file(".tollgate/tollgate.db")).unwrap());
    let rules = Arc::new(Rules::new(BudgetSettings::default(), AlertSettings::default()));
    let time: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let ledger = Ledger::new(Arc::clone(&store), Arc::clone(&time), Arc::clone(&ids), rules, BTreeMap::new());
    runtime.block_on(async {
        for _ in 0..tickets {
            let ticket: TicketId = ids.next(&*time);
            let quote = Quote {
                price: Price::new(Rate(1_000_000_000), Rate(1_000_000_000)),
                input_tokens: tokens,
                output: OutputCap::Given(0),
                ceiling: NanoUsd(1_000_000_000),
            };
            let scopes = CallScopes {
                tenant: "acme".into(),
                endpoint: "ask".into(),
                task: "answer".into(),
                provider: "echo".into(),
                model: "echo/any".into(),
            };
            let wanted =
                Wanted { ticket, scopes, release: "r", fingerprint: None, quote, is_billed: true, exact: None };
            let reservation = ledger.reserve(&wanted).await.unwrap();
            store.record_outcome(OutcomeRow {
                ticket,
                tenant: "acme".into(),
                endpoint: "ask".into(),
                release: "r".into(),
                at: clock.now(),
                path: Some(tollgate::domain::AnswerPath::Small),
                resolved: true,
                score: None,
                latency_ms: 1.0,
                prompt: None,
            });
            ledger.settle(reservation, Consumed::Told(Usage::new(tokens, 0))).await.unwrap();
            clock.advance(Duration::from_secs(6 * 86_400 / tickets));
        }
    });
}

#[test]
fn drift_above_the_threshold_exits_1_names_its_cause_and_alerts_once_a_week() {
    let week = jiff::SignedDuration::from_hours(7 * 24);
    let now = SystemClock::new().now() - jiff::SignedDuration::from_secs(60);
    let silent = project();
    history(&silent, now - week, 50, 10_000);
    history(&silent, now, 50, 11_400);
    let report = silent.run(&["cost", "drift", "--format", "json"]).exits(0).json();
    assert_eq!(report["alerts"], Value::Array(Vec::new()), "14 % is within the threshold of 15 %");

    let project = project();
    history(&project, now - week, 50, 10_000);
    history(&project, now, 50, 11_600);
    let first = project.run(&["cost", "drift"]).exits(1);
    let first = first.says("tokens per call");
    first.complains("alert: Tenant `acme`");
    let again = project.run(&["cost", "drift"]).exits(1);
    assert!(!again.stderr.contains("alert:"), "{}", again.transcript());
    let alerts = project.json(&["budget", "alerts"])["alerts"].as_array().unwrap().len();
    assert!(alerts >= 4, "P50, P95, mean and spend of all, and of the tenant: {alerts}");
    project.run(&["cost", "drift", "--threshold", "20"]).exits(0);
}
