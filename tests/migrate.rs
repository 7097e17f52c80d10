//! `tollgate migrate`: what is applied and behind which gate, what is refused, and which release answers.

#![cfg(test)]

mod common;
#[path = "common/gate.rs"]
mod scenes;

#[path = "migrate/at_once.rs"]
mod at_once;
#[path = "migrate/edited.rs"]
mod edited;
#[path = "migrate/files.rs"]
mod files;

use common::{Project, schema_problems};
use scenes::{NOW, THEN, calls, gated, gold_set, texts, transcript, two_answers};
use serde_json::{Value, json};

/// The JSON of a `tollgate migrate` that exits with `code`.
#[track_caller]
fn migrated(project: &Project, arguments: &[&str], code: i32) -> Value {
    project
        .run_with(&[&["migrate"], arguments, &["--format", "json"]].concat(), &[("USER", "tester")])
        .exits(code)
        .json()
}

/// Numbers and what let each through.
fn changed(outcome: &Value) -> Vec<(u64, &str)> {
    let changed = outcome["changed"].as_array().unwrap().iter();
    changed.map(|one| (one["number"].as_u64().unwrap(), one["clearance"].as_str().unwrap_or("none"))).collect()
}

/// Numbers and states.
fn states(project: &Project, code: i32) -> Vec<(u64, String)> {
    let status = migrated(project, &["status"], code);
    assert_eq!(schema_problems(project.path(), &status), [""; 0]);
    let listed = status["migrations"].as_array().unwrap().iter();
    listed.map(|one| (one["number"].as_u64().unwrap(), one["state"].as_str().unwrap().to_owned())).collect()
}

/// What the project's assistant says.
fn answer(project: &Project) -> String {
    project.json(&["ask", "What is it?"])["text"].as_str().unwrap().to_owned()
}

/// A project with release 2 applied and release 3 pending; `cases` as for [`gold_set`].
fn with_two_applied(cases: [usize; 4]) -> Project {
    let project = two_answers();
    gold_set(&project, cases);
    assert_eq!(changed(&migrated(&project, &["up", "--to", "2"], 0)), [(1, "starting_point"), (2, "verdict")]);
    project
}

/// A gold set of eight cases.
fn write_cases(project: &Project, name: &str, expected: &Value) {
    let case = |number| json!({"id": format!("case-{number}"), "question": "What?", "expected": expected, "graders": ["exact"]});
    let lines: Vec<String> = (0..8).map(|number| case(number).to_string()).collect();
    project.write(name, lines.join("\n"));
}

#[test]
fn the_first_migration_is_the_starting_point_and_each_further_one_clears_its_gate() {
    let project = two_answers();
    // The extractive model of release 1 gets none of these right.
    gold_set(&project, [10, 0, 6, 0]);
    let outcome = migrated(&project, &["up"], 0);
    assert_eq!(schema_problems(project.path(), &outcome), [""; 0]);
    assert_eq!(changed(&outcome), [(1, "starting_point"), (2, "verdict"), (3, "verdict")]);
    let verdicts: Vec<&Value> = outcome["changed"].as_array().unwrap().iter().map(|one| &one["verdict"]).collect();
    assert_eq!((verdicts[0], &outcome["changed"][1]["verdict_was_stored"]), (&Value::Null, &false.into()));
    let shown = project.json(&["gate", "show", verdicts[2].as_str().unwrap()]);
    assert_eq!((&shown["baseline"]["name"], &shown["counts"]["improved"]), (&"live".into(), &6.into()));
    assert_eq!((&outcome["live"]["number"], &outcome["left"]), (&3.into(), &json!([])));
    assert_eq!(states(&project, 0), [1, 2, 3].map(|number| (number, "applied".to_owned())));
    // Release 2 was evaluated once, for both of its gates.
    assert_eq!(project.count("SELECT count(*) FROM runs"), 3);
    let nothing = migrated(&project, &["up"], 0);
    assert_eq!((changed(&nothing), &nothing["live"]["number"]), (vec![], &3.into()));
    project.run(&["migrate", "up"]).exits(0).says("nothing was applied: nothing is pending");
}

#[test]
fn status_tells_what_was_applied_and_why() {
    let project = with_two_applied([10, 0, 6, 0]);
    insta::assert_snapshot!(transcript(&project.run(&["migrate", "status"])), @r"
    exit 0
    --- stdout
    migrate status

    · release 2 (`HASH`) is live; 1 migration is pending

      migration     state      applied (UTC)     cleared by
      ──────────────────────────────────────────────────────────────────────────────────
      0001_initial  ✓ applied  MINUTE  starting point: nothing was live before
      0002_test     ✓ applied  MINUTE  verdict_ID
      0003_test     · pending  –                 –

    note: `0002_test` is a breaking change: only an answer is promised

    note: next: `tollgate migrate up`
    --- stderr
    ");
}

#[test]
fn a_failing_gate_stops_with_1_and_leaves_the_earlier_ones_applied() {
    let project = two_answers();
    gold_set(&project, [4, 8, 0, 0]);
    project.migrate(4, "\"retrieval.top_k\" = 3\n");
    let outcome = migrated(&project, &["up"], 1);
    assert_eq!(changed(&outcome), [(1, "starting_point"), (2, "verdict")]);
    assert_eq!((&outcome["stopped"]["number"], &outcome["stopped"]["outcome"]), (&3.into(), &"fail".into()));
    assert_eq!((&outcome["live"]["number"], texts(&outcome["left"])), (&2.into(), vec!["0003_test", "0004_test"]));
    assert_eq!(answer(&project), THEN);
    let verdict = outcome["stopped"]["verdict"].as_str().unwrap();
    project.run(&["gate", "show", verdict]).exits(1);
    let run = project.run(&["migrate", "up"]).exits(1);
    run.says("`0003_test` was not applied: it did not clear its gate; nothing was applied");
    // What it says next is about the same comparison.
    gated(&project, &["--baseline", "live", "--candidate", "3"], 1);
}

#[test]
fn too_little_evidence_stops_with_4() {
    let project = with_two_applied([20, 4, 2, 0]);
    let outcome = migrated(&project, &["up"], 4);
    assert_eq!((changed(&outcome), &outcome["stopped"]["outcome"]), (vec![], &"inconclusive".into()));
    assert!(outcome["next"].as_str().unwrap().contains("--escalate"), "{outcome:#}");
    assert_eq!(states(&project, 0)[2], (3, "pending".to_owned()));
}

#[test]
fn a_dead_endpoint_stops_with_3_and_applies_nothing() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let project = with_two_applied([10, 0, 6, 0]);
    let settings = format!(
        "\n[providers.dead]\nkind = \"openai\"\nbase_url = \"http://{address}/v1\"\napi_key_env = \"MOCK_KEY\"\n\
         [providers.dead.models.any]\ninput_usd_per_million = 1\noutput_usd_per_million = 2\n"
    );
    project.append("tollgate.toml", &settings);
    project.migrate(3, "\"stages.small\" = \"dead/any\"\n");
    project.run_with(&["migrate", "up"], scenes::WITH_KEY).exits(3).complains("nobody answers");
    assert_eq!(states(&project, 0)[2], (3, "pending".to_owned()));
}

#[test]
fn force_is_recorded_and_shown_ever_after() {
    let project = with_two_applied([4, 8, 0, 0]);
    project.run(&["migrate", "up", "--force"]).exits(2).complains("--reason");
    project.run(&["migrate", "up", "--force", "--reason", ""]).exits(2);
    project.run(&["migrate", "up", "--reason", "no force"]).exits(2).complains("--force");
    let asked = calls(&project);
    let outcome = migrated(&project, &["up", "--force", "--reason", "the vendor ends tonight"], 0);
    assert_eq!((changed(&outcome), calls(&project)), (vec![(3, "forced")], asked));
    let told = |status: &Value| {
        let entry = status["history"].as_array().unwrap().iter().find(|entry| !entry["forced_by"].is_null()).unwrap();
        ["number", "forced_by", "reason", "verdict"].map(|field| entry[field].clone())
    };
    let expected = [3.into(), "tester".into(), "the vendor ends tonight".into(), Value::Null];
    let status = migrated(&project, &["status"], 0);
    assert_eq!((told(&status), &status["migrations"][2]["forced_by"]), (expected.clone(), &"tester".into()));
    project.run(&["migrate", "status"]).exits(0).says("FORCED by tester: the vendor ends tonight");

    project.run(&["migrate", "down", "--reason", "it was worse"]).exits(0);
    let status = migrated(&project, &["status"], 0);
    assert_eq!((told(&status), &status["migrations"][2]["forced_by"]), (expected, &Value::Null));
    let run = project.run(&["migrate", "status"]).exits(0).says("FORCED by tester: the vendor ends tonight");
    run.says("taken back").says("it was worse");
}

#[test]
fn a_stored_passing_verdict_is_used() {
    let project = with_two_applied([10, 0, 6, 0]);
    let report = gated(&project, &["--baseline", "live"], 0);
    let asked = calls(&project);
    let outcome = migrated(&project, &["up"], 0);
    let step = &outcome["changed"][0];
    assert_eq!((&step["verdict"], &step["verdict_was_stored"]), (&report["id"], &true.into()));
    assert_eq!(calls(&project), asked);
    assert_eq!(project.count("SELECT count(*) FROM verdicts"), 2, "a verdict was reached again");
}

#[test]
fn a_passing_verdict_about_something_else_is_not_used() {
    let project = with_two_applied([8, 12, 0, 0]);
    write_cases(&project, "easy.jsonl", &json!([THEN, NOW]));
    let others: [&[&str]; 5] = [
        &["--margin", "1", "--skip", "pass_rate", "--skip", "cost_per_success"],
        &["--skip", "score", "--skip", "pass_rate", "--skip", "cost_per_success"],
        &["--gold-set", "easy.jsonl"],
        &["--filter", "id:both-*"],
        &["--limit", "8"],
    ];
    for other in others {
        gated(&project, &[&["--baseline", "live"], other].concat(), 0);
        assert_eq!(migrated(&project, &["up"], 1)["stopped"]["number"], 3, "{other:?} let it through");
    }
    // A verdict of the other direction.
    gated(&project, &["--baseline", "3", "--candidate", "2"], 0);
    migrated(&project, &["up"], 1);
}

#[test]
fn a_passing_verdict_over_runs_of_some_cases_is_not_used() {
    let project = with_two_applied([8, 12, 0, 0]);
    let run = |release: &str, more: &[&str]| {
        let report = project.json(&[&["eval", "--bounds", "never", "--release", release], more].concat());
        report["run"].as_str().unwrap().to_owned()
    };
    for conditions in [&["--filter", "id:both-*"][..], &["--limit", "8"]] {
        let (before, after) = (run("2", conditions), run("3", conditions));
        gated(&project, &["--baseline", &before, "--candidate", &after], 0);
        assert_eq!(migrated(&project, &["up"], 1)["stopped"]["number"], 3, "runs with {conditions:?} let it through");
    }
}

#[test]
fn the_migration_says_what_its_gate_is() {
    let project = with_two_applied([19, 1, 0, 0]);
    migrated(&project, &["up"], 4);
    project.migrate(3, "\"stages.small\" = \"beta/any\"\n\n[gate]\nmargin = 0.3\n");
    let report = gated(&project, &["--baseline", "live"], 0);
    assert_eq!(report["policy"]["metrics"]["score"]["margin"], 0.3);
    assert_eq!(migrated(&project, &["up"], 0)["changed"][0]["verdict"], report["id"]);
    // Its own gold set, which only release 4 gets right.
    write_cases(&project, "gold_sets/own.jsonl", &json!(THEN));
    project.migrate(4, "\"stages.small\" = \"echo/any\"\n\n[gate]\ngold_set = \"own\"\n");
    let outcome = migrated(&project, &["up"], 0);
    let shown = project.json(&["gate", "show", outcome["changed"][0]["verdict"].as_str().unwrap()]);
    assert_eq!((&shown["gold_set"], &shown["counts"]["improved"]), (&"own".into(), &8.into()));
}

#[test]
fn a_migration_that_changes_no_behaviour_needs_no_verdict() {
    let project = with_two_applied([10, 0, 6, 0]);
    project.migrate(3, "\"stages.small\" = \"echo/any\"\n");
    let asked = calls(&project);
    assert_eq!(changed(&migrated(&project, &["up"], 0)), [(3, "same_behaviour")]);
    assert_eq!(calls(&project), asked);
}

#[test]
fn a_dry_run_applies_and_asks_nothing() {
    let project = two_answers();
    let outcome = migrated(&project, &["up", "--dry-run"], 0);
    assert_eq!(changed(&outcome), [(1, "starting_point"), (2, "verdict"), (3, "verdict")]);
    assert_eq!((&outcome["dry_run"], &outcome["live"], calls(&project)), (&true.into(), &Value::Null, 0));
    assert_eq!(migrated(&project, &["status"], 0)["live"], Value::Null);
    assert_eq!(migrated(&project, &["status"], 0)["history"], json!([]));
}

#[test]
fn what_is_taken_back_is_no_longer_live_and_can_be_applied_again() {
    let project = with_two_applied([10, 0, 6, 0]);
    let first = migrated(&project, &["up"], 0);
    let asked = calls(&project);
    let outcome = migrated(&project, &["down", "--reason", "a complaint"], 0);
    assert_eq!(schema_problems(project.path(), &outcome), [""; 0]);
    let one = &outcome["changed"][0];
    assert_eq!(
        (&one["number"], &one["reason"], &outcome["live"]["number"]),
        (&3.into(), &"a complaint".into(), &2.into())
    );
    assert_eq!(answer(&project), THEN);
    let again = migrated(&project, &["up"], 0);
    let step = &again["changed"][0];
    assert_eq!((&step["verdict"], &step["verdict_was_stored"]), (&first["changed"][0]["verdict"], &true.into()));
    assert_eq!(calls(&project), asked + 1, "only `ask` asked");
    assert_eq!(answer(&project), NOW);

    let outcome = migrated(&project, &["down", "--to", "1"], 0);
    assert_eq!((changed(&outcome), &outcome["live"]["number"]), (vec![(3, "none"), (2, "none")], &1.into()));
    migrated(&project, &["down"], 0);
    assert_eq!(migrated(&project, &["status"], 0)["live"]["number"], 0);
    project.run(&["migrate", "down"]).exits(2).complains("no migration is applied");
    project.run(&["migrate", "up", "--to", "9"]).exits(2).complains("there is no migration 0009");
    let history = migrated(&project, &["status"], 0)["history"].as_array().unwrap().len();
    assert_eq!(history, 3 + 1 + 1 + 2 + 1);
}

#[test]
fn ask_answers_with_the_live_release_and_eval_evaluates_what_is_on_disk() {
    let project = two_answers();
    gold_set(&project, [10, 0, 6, 0]);
    assert_eq!(answer(&project), NOW, "before anything was applied the files count");
    project.run(&["eval", "--release", "live"]).exits(2).complains("no migration was ever applied");
    migrated(&project, &["up", "--to", "2"], 0);
    assert_eq!(answer(&project), THEN, "migration 3 is pending");
    let release =
        |arguments: &[&str]| project.json(&[&["eval", "--bounds", "never"], arguments].concat())["release"].clone();
    assert_eq!(
        (release(&[]), release(&["--release", "live"]), release(&["--release", "1"])),
        (3.into(), 2.into(), 1.into())
    );
    migrated(&project, &["up"], 0);
    assert_eq!(answer(&project), NOW);
}
