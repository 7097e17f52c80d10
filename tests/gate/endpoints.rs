//! Models that do not answer, and money that runs out.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;
use tollgate::domain::{Clock, SystemClock};

use crate::common::{MockVendor, Project};
use crate::scenes::{WITH_KEY, gated, gold_set, texts, two_answers};

/// A project whose release 3 asks what listens at `address`.
fn asking(address: std::net::SocketAddr) -> Project {
    let project = two_answers();
    let settings = format!(
        "\n[providers.there]\nkind = \"openai\"\nbase_url = \"http://{address}/v1\"\napi_key_env = \"MOCK_KEY\"\n\
         [providers.there.models.any]\ninput_usd_per_million = 1\noutput_usd_per_million = 2\n"
    );
    project.append("tollgate.toml", &settings);
    project.migrate(3, "\"stages.small\" = \"there/any\"\n");
    gold_set(&project, [20, 0, 0, 0]);
    project
}

#[test]
fn a_dead_endpoint_exits_3_within_10_seconds() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = asking(address);
    let clock = SystemClock::new();
    let run = project.run_with(&["gate"], WITH_KEY).exits(3);
    assert!(clock.monotonic() < Duration::from_secs(10), "{:?}", clock.monotonic());
    run.complains("nobody answers: there/any gave no answer").complains("connection refused").complains("hint: ");
    let status = project.run(&["gate", "show"]).exits(2);
    status.complains("the store has no verdict `latest`");
}

#[test]
fn an_endpoint_that_never_answers_exits_3() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let project = asking(silent.local_addr().unwrap());
    project.append("tollgate.toml", "\n[proxy]\ndeadline_ms = 300\n");
    let run = project.run_with(&["gate"], WITH_KEY).exits(3);
    run.complains("nobody answers: there/any").complains("within 300 ms");
}

#[test]
fn a_missing_key_exits_3_and_names_the_variable() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    asking(address).run(&["gate"]).exits(3).complains("`MOCK_KEY`");
}

#[test]
fn a_cap_that_has_no_room_exits_1() {
    let project = two_answers();
    project.run(&["budget", "set", "tenant:shared", "--month", "0.00001", "--reason", "a test"]).exits(0);
    let run = project.run(&["gate", "--baseline", "2", "--candidate", "3"]).exits(1);
    run.complains("tenant:shared");
}

#[test]
fn a_spend_limit_that_is_reached_exits_3() {
    let project = two_answers();
    let run = project.run(&["gate", "--baseline", "2", "--max-cost", "0.00001", "--concurrency", "1"]).exits(3);
    run.complains("its spend limit is reached").complains("tollgate eval --resume");
}

#[test]
fn two_cases_are_enough_to_see_that_nobody_answers() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = asking(address);
    gold_set(&project, [2, 0, 0, 0]);
    project.run_with(&["gate"], WITH_KEY).exits(3).complains("nobody answers: there/any gave no answer");
}

#[test]
fn answers_that_are_missing_are_never_a_pass() {
    let reply = json!({"answer": "beta", "citations": [], "confidence": 0.9, "refused": false}).to_string();
    let answers = json!({"mode": "file", "lines": [{"reply": reply}]});
    // After eight requests the account has nothing left.
    let vendor = MockVendor::start(&json!({"answers": answers, "limits": {"quota_requests": 8}}));
    let project = asking(vendor.said["address"].as_str().unwrap().parse().unwrap());
    gold_set(&project, [8, 0, 4, 0]);
    let report = gated(&project, &["--concurrency", "1", "--skip", "cost_per_success"], 4);
    assert_eq!((&report["paired"], &report["unpaired"]), (&8.into(), &4.into()));
    assert_eq!(texts(&report["reasons"]), ["4 cases are not judged on both sides"]);
    // What has holes is not taken for the whole: it is asked again, and now nobody answers at all.
    project.run_with(&["gate", "--concurrency", "1"], WITH_KEY).exits(3).complains("nobody answers");
}
