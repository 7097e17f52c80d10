//! `tollgate runs` and `tollgate compare`: stored runs, shown, deleted and set side by side.

#![cfg(test)]

mod common;

use common::Project;
use serde_json::{Value, json};

/// A project with two runs of one gold set: the second got one case right that was wrong, and the other way round.
fn two_runs() -> (Project, [String; 2]) {
    let project = Project::echo("forty two", 0);
    let case =
        |id: &str, expected: &str| json!({"id": id, "question": format!("{id}?"), "expected": expected, "tags": ["t"]});
    let cases =
        [case("a", "forty two"), case("b", "forty three"), case("c", "forty two or forty three"), case("d", "no")];
    let lines: Vec<String> = cases.iter().map(|case| format!("{case}\n")).collect();
    project.write(
        "set.jsonl",
        format!("{{\"gold_set\": {{\"graders\": [\"exact\", \"token_f1\"]}}}}\n{}", lines.concat()),
    );
    let first = project.json(&["eval", "set.jsonl"]);
    project.edit("tollgate.toml", "reply = \"forty two\"", "reply = \"forty three\"");
    let second = project.json(&["eval", "set.jsonl"]);
    let id = |report: &Value| report["run"].as_str().unwrap().to_owned();
    (project, [id(&first), id(&second)])
}

#[test]
fn list_shows_the_latest_first() {
    let (project, [first, second]) = two_runs();
    let runs = project.json(&["runs", "list"])["runs"].clone();
    assert_eq!((&runs[0]["run"], &runs[1]["run"]), (&second.into(), &first.into()));
    assert_eq!(project.json(&["runs", "list", "--limit", "1"])["runs"].as_array().unwrap().len(), 1);
    project.run(&["runs", "list"]).exits(0).says("✓ complete      4/4  0.384  $0.0000560");
    assert_eq!(project.run(&["runs", "list", "--format", "csv"]).exits(0).stdout.lines().count(), 3);
    insta::assert_snapshot!(Project::new().run(&["runs", "list"]).transcript(), @r"
    exit 0
    --- stdout
    runs

    No run is stored yet. Start one with `tollgate eval`.
    --- stderr
    ");
}

#[test]
fn show_repeats_the_report_of_the_run() {
    let (project, [first, second]) = two_runs();
    let shown = project.json(&["runs", "show", "latest"]);
    assert_eq!(shown["run"], second.as_str());
    let report = project.json(&["runs", "show", &first]);
    assert_eq!(
        (&report["run"], &report["schema"], &report["passed"]),
        (&first.into(), &"eval_report/v1".into(), &1.into())
    );
    // What the command that made the run printed is what is shown later.
    let printed = project.run(&["eval", "set.jsonl"]).exits(0).stdout;
    assert_eq!(project.run(&["runs", "show", "latest"]).exits(0).stdout, printed);
}

#[test]
fn a_run_may_be_named_by_part_of_its_id() {
    let (project, [first, second]) = two_runs();
    for (part, whole) in
        [(&first[first.len() - 8..], &first), (&second[4..], &second), (&second[second.len() - 12..], &second)]
    {
        assert_eq!(project.json(&["runs", "show", part])["run"], whole.as_str(), "{part}");
    }
    insta::assert_snapshot!(project.run(&["runs", "show", "run_"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: 2 stored runs match `run_`
    hint: give more digits of the run's id
    ");
    insta::assert_snapshot!(project.run(&["runs", "show", "nope"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: 0 stored runs match `nope`
    hint: `tollgate runs list` shows the stored runs
    ");
}

#[test]
fn prune_keeps_the_latest() {
    let (project, [first, second]) = two_runs();
    let dry = project.json(&["runs", "prune", "--keep", "1", "--dry-run"]);
    assert_eq!((&dry["runs"], project.count("SELECT count(*) FROM runs")), (&json!([first]), 2));
    insta::assert_snapshot!(project.run(&["runs", "prune", "--keep", "1"]).transcript(), @r"
    exit 0
    --- stdout
    runs prune

    1 run deleted

      run_ID
    --- stderr
    ");
    assert_eq!(project.json(&["runs", "list"])["runs"][0]["run"], second.as_str());
    assert_eq!(project.count("SELECT count(*) FROM results"), 4, "the results went with their run");
    project.run(&["runs", "prune", "--older-than", "30d"]).exits(0).says("0 runs deleted");
    assert_eq!(project.json(&["runs", "prune", "--older-than", "0h"])["runs"], json!([second]));
    project.run(&["runs", "prune"]).exits(2);
    project.run(&["runs", "prune", "--older-than", "30"]).exits(2).complains("such as 30d");
    project.run(&["runs", "show", "latest"]).exits(2);
}

#[test]
fn compare_counts_what_regressed_and_what_improved() {
    let (project, [first, second]) = two_runs();
    let run = project.run(&["compare", &first, &second]).exits(0);
    insta::assert_snapshot!(run.transcript(), @r"
    exit 0
    --- stdout
    compare set

      left                    run_ID (release 2 HASH)
      right                   run_ID (release 2 HASH)
      score on the left       0.384
      score on the right      0.384
      difference              0.000 (95% -0.974 to 0.974)
      paired cases            4
      judged in one run only  0

                   cases
      ──────────────────
      still right      0
      still wrong      2
      regressed        1
      improved         1

    ── Tags ────────────────────────────────────────────────────────────────────────────────────────────

      tag  cases  difference
      ──────────────────────
      t        4       0.000

    ── Fell most ───────────────────────────────────────────────────────────────────────────────────────

    a · 1.000 → 0.250
    a?

      left      forty [-two-]
      right     forty {+three+}

    ── Rose most ───────────────────────────────────────────────────────────────────────────────────────

    b · 0.250 → 1.000
    b?

      left      forty [-two-]
      right     forty {+three+}
    --- stderr
    ");
    let compared = project.json(&["compare", &first, "latest"]);
    let counts = ["still_right", "still_wrong", "regressed", "improved"].map(|key| compared[key].as_u64().unwrap());
    assert_eq!(counts, [0, 2, 1, 1]);
    let back = project.json(&["compare", &second, &first]);
    assert_eq!((&back["fell"][0]["case"], &compared["rose"][0]["case"]), (&"b".into(), &"b".into()));
}

#[test]
fn runs_over_different_gold_sets_are_not_compared() {
    let (project, [first, _]) = two_runs();
    project.append("set.jsonl", "{\"id\": \"e\", \"question\": \"e?\", \"expected\": \"five\"}\n");
    project.run(&["eval", "set.jsonl"]).exits(0);
    insta::assert_snapshot!(project.run(&["compare", &first, "latest"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: the runs replay different gold sets: set (HASH) and set (HASH)
    hint: replay one gold set in both runs
    ");
}
