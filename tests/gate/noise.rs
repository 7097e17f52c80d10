//! Comparing a release with itself, the registry of flaky cases, and evidence that is bought.

use serde_json::Value;

use crate::common::schema_problems;
use crate::scenes::{
    WITH_KEY, add_critical_case, calls, gated, gold_set, ids, noisy_project, noisy_vendor, texts, two_answers,
};

#[test]
fn deterministic_models_give_no_false_alarm() {
    let project = two_answers();
    let report = project.json(&["gate", "aa", "--repeats", "2", "--rounds", "20"]);
    assert_eq!(schema_problems(project.path(), &report), [""; 0]);
    let told = ["deterministic", "false_fails", "passes", "cases", "repeats"].map(|field| report[field].clone());
    assert_eq!(told, serde_json::json!([true, 0, 20, 6, 2]).as_array().unwrap()[..], "{report:#}");
    assert_eq!(calls(&project), 12);
    let run = report["run"].as_str().unwrap();
    project.run(&["gate", "aa", "--release", run, "--rounds", "20"]).exits(0);
    assert_eq!(calls(&project), 12, "a stored run was asked again");
    let once = project.json(&["eval", "--bounds", "never"])["run"].as_str().unwrap().to_owned();
    project.run(&["gate", "aa", "--release", &once]).exits(2).complains("the cases were asked only once");
}

#[test]
fn noise_is_seen_and_kept_in_the_registry_of_flaky_cases() {
    let vendor = noisy_vendor();
    let project = noisy_project(&vendor);
    gold_set(&project, [6, 0, 0, 2]);
    let aa = ["gate", "aa", "--repeats", "6", "--rounds", "20", "--concurrency", "1", "--format", "json"];
    let report = project.run_with(&aa, WITH_KEY).exits(0).json();
    assert_eq!(report["deterministic"], false);
    assert_eq!(
        report["passes"].as_u64().unwrap()
            + report["inconclusive"].as_u64().unwrap()
            + report["false_fails"].as_u64().unwrap(),
        20
    );
    let noise = report["noise"].as_array().unwrap();
    let flips = |case: &&Value| case["flips"] == true && case["sd"].as_f64().unwrap() > 0.0;
    assert_eq!(noise.iter().filter(flips).count(), 6, "{noise:#?}");
    let list = project.json(&["gate", "flaky", "list"]);
    assert_eq!(schema_problems(project.path(), &list), [""; 0]);
    // Those that are always wrong are not flaky.
    let mut listed = ids(&list["cases"]);
    listed.sort();
    assert_eq!(listed, (0..6).map(|number| format!("both-{number}")).collect::<Vec<_>>());
    assert_eq!((&list["cases"][0]["runs"], &list["cases"][0]["flipped_runs"]), (&1.into(), &1.into()));
}

#[test]
fn a_case_in_quarantine_fails_no_gate_until_it_is_released_or_its_time_is_over() {
    let project = two_answers();
    gold_set(&project, [30, 0, 2, 0]);
    add_critical_case(&project, "vital");
    let sides = ["--baseline", "2", "--candidate", "3", "--margin", "0.2"];
    gated(&project, &sides, 1);
    let quarantine = ["gate", "flaky", "quarantine", "vital", "--days", "3", "--reason", "the vendor is at it"];
    let list = project.json(&quarantine);
    let case = &list["cases"][0];
    assert_eq!(
        (&case["case"], &case["expired"], &case["reason"]),
        (&"vital".into(), &false.into(), &"the vendor is at it".into())
    );
    let report = gated(&project, &sides, 0);
    assert_eq!((&report["quarantined"][0]["case"], texts(&report["critical_flips"]).len()), (&"vital".into(), 0));
    assert_eq!(ids(&report["fell"]), ["vital"], "it counts in the score");
    project.run(&[&["gate"], &sides[..]].concat()).exits(0).says("Quarantine").says("the vendor is at it");

    project.run(&["gate", "flaky", "release", "vital", "--reason", "mended"]).exits(0);
    gated(&project, &sides, 1);
    project.run(&quarantine).exits(0);
    gated(&project, &sides, 0);
    // Four days later.
    project
        .database()
        .execute("UPDATE case_noise SET quarantined_until_ms = quarantined_until_ms - 4 * 86400000", [])
        .unwrap();
    assert_eq!(project.json(&["gate", "flaky", "list"])["cases"][0]["expired"], true);
    gated(&project, &sides, 1);
}

#[test]
fn a_quarantine_needs_a_known_case_a_reason_and_an_end() {
    let project = two_answers();
    let flaky = |arguments: &[&str]| project.run(&[&["gate", "flaky"], arguments].concat());
    flaky(&["quarantine", "nope", "--reason", "x"]).exits(2).complains("starter has no case `nope`");
    flaky(&["release", "nope", "--reason", "x"]).exits(2).complains("starter has no case `nope`");
    flaky(&["quarantine", "both-0"]).exits(2).complains("--reason");
    flaky(&["quarantine", "both-0", "--reason", "x", "--days", "91"]).exits(2).complains("1..=90");
    flaky(&["quarantine", "both-0", "--reason", "x", "--days", "0"]).exits(2);
    assert_eq!(project.json(&["gate", "flaky", "list"])["cases"], serde_json::json!([]));
}

/// A gate of two equally noisy models, asked one after the other so that each run of a test sees the same answers.
const NOISY: [&str; 6] = ["--baseline", "3", "--candidate", "4", "--concurrency", "1"];

#[test]
fn escalation_buys_evidence_until_the_score_is_settled() {
    let vendor = noisy_vendor();
    let project = noisy_project(&vendor);
    gold_set(&project, [12, 0, 0, 0]);
    let wide = ["--margin", "0.25", "--skip", "cost_per_success"];
    gated(&project, &[&NOISY[..], &wide].concat(), 4);
    let asked = vendor.requests();
    let report = gated(&project, &[&NOISY[..], &wide, &["--escalate", "--max-cost", "1"]].concat(), 0);
    let escalation = &report["escalation"];
    assert_eq!(
        (&escalation["outcome"], &escalation["ended"]),
        (&"pass".into(), &"the evidence is decisive".into()),
        "{escalation:#}"
    );
    assert_eq!(
        vendor.requests() - asked,
        2 * escalation["pairs"].as_u64().unwrap(),
        "both sides are asked, and nobody else"
    );
    assert!(escalation["e_not_worse"].as_f64().unwrap() >= escalation["needed"].as_f64().unwrap(), "{escalation:#}");
    assert!(escalation["cost_nanousd"].as_u64().unwrap() > 0);
    assert_eq!(schema_problems(project.path(), &report), [""; 0]);
}

#[test]
fn escalation_proves_a_worse_release_worse() {
    let vendor = noisy_vendor();
    let project = noisy_project(&vendor);
    // Release 2 is always right.
    gold_set(&project, [5, 0, 0, 0]);
    let sides = ["--baseline", "2", "--candidate", "3", "--concurrency", "1", "--skip", "cost_per_success"];
    gated(&project, &sides, 4);
    let report = gated(&project, &[&sides[..], &["--escalate", "--max-cost", "1"]].concat(), 1);
    assert_eq!(
        (&report["escalation"]["outcome"], &report["escalation"]["cases"]),
        (&"fail".into(), &2.into()),
        "{report:#}"
    );
    assert!(texts(&report["reasons"])[0].contains("proved it worse"), "{report:#}");
}

#[test]
fn escalation_ends_when_the_money_is_spent() {
    let vendor = noisy_vendor();
    let project = noisy_project(&vendor);
    gold_set(&project, [12, 0, 0, 0]);
    gated(&project, &NOISY, 4);
    let report = gated(&project, &[&NOISY[..], &["--escalate", "--max-cost", "0.0005"]].concat(), 4);
    let escalation = &report["escalation"];
    assert_eq!(
        (&escalation["outcome"], &escalation["ended"]),
        (&"inconclusive".into(), &"the spend limit is reached".into())
    );
    let cost = escalation["cost_nanousd"].as_u64().unwrap();
    // No more than the batch that was under way comes on top: each differing case once.
    let each = cost / escalation["pairs"].as_u64().unwrap();
    let most = 500_000 + each * escalation["cases"].as_u64().unwrap();
    assert!((500_000..most).contains(&cost), "{cost} of {most}");
}

#[test]
fn escalation_needs_a_spend_limit_and_releases() {
    let project = two_answers();
    project.run(&["gate", "--escalate"]).exits(2).complains("--max-cost");
    let before = project.json(&["eval", "--bounds", "never", "--release", "2"])["run"].as_str().unwrap().to_owned();
    let run = project.run(&["gate", "--baseline", &before, "--escalate", "--max-cost", "1"]).exits(2);
    run.complains("only releases can be asked again");
}
