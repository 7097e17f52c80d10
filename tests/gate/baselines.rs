//! Baselines that were blessed, and stored runs.

use serde_json::Value;

use crate::common::schema_problems;
use crate::scenes::{calls, gated, gold_set, two_answers};

#[test]
fn what_is_blessed_is_compared_with_and_only_the_candidate_is_asked() {
    let project = two_answers();
    gold_set(&project, [10, 0, 6, 0]);
    let blessed = project.json(&["gate", "bless", "2", "--reason", "as good as it gets"]);
    assert_eq!((&blessed["cases"], &blessed["release"], &blessed["score"]), (&16.into(), &2.into(), &0.625.into()));
    assert_eq!((&blessed["reason"], &blessed["replaced"]), (&"as good as it gets".into(), &Value::Null));
    assert_eq!(schema_problems(project.path(), &blessed), [""; 0]);
    let path = blessed["path"].as_str().unwrap();
    assert!(path.starts_with("reports/baselines/starter-") && project.file(path).is_file(), "{path}");
    assert_eq!(calls(&project), 16);

    std::fs::remove_dir_all(project.file(".tollgate")).unwrap();
    let report = gated(&project, &["--baseline", "blessed"], 0);
    assert_eq!(
        (calls(&project), &report["baseline"]["run"], &report["candidate"]["fresh"]),
        (16, &Value::Null, &true.into())
    );
    assert_eq!((&report["counts"]["improved"], &report["baseline"]["score"]["estimate"]), (&6.into(), &0.625.into()));
    let by_name = gated(&project, &["--baseline", path], 0);
    assert_eq!((calls(&project), &by_name["candidate"]["fresh"]), (16, &false.into()));

    let again = project.json(&["gate", "bless", "3", "--reason", "better"]);
    assert_eq!(again["replaced"], blessed["path"]);
    let report = gated(&project, &["--baseline", "blessed"], 0);
    assert_eq!((&report["baseline"]["release"], &report["counts"]["improved"]), (&3.into(), &0.into()));
}

#[test]
fn a_baseline_file_that_was_changed_is_refused() {
    let project = two_answers();
    let blessed = project.json(&["gate", "bless", "2", "--reason", "a test"]);
    let path = project.file(blessed["path"].as_str().unwrap());
    let path = path.to_str().unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, text.replacen("\"score\": 1.0", "\"score\": 0.0", 1)).unwrap();
    let run = project.run(&["gate", "--baseline", path]).exits(2);
    run.complains("was changed after it was blessed").complains("hint: restore it from version control");
    std::fs::write(path, text.replacen("gate_baseline/v1", "gate_baseline/v9", 1)).unwrap();
    project.run(&["gate", "--baseline", path]).exits(2).complains("it says that it is a `gate_baseline/v9`");
    std::fs::write(path, "{").unwrap();
    project.run(&["gate", "--baseline", path]).exits(2).complains("cannot read the baseline");
    std::fs::write(path, text).unwrap();
    gold_set(&project, [4, 1, 2, 0]);
    project.run(&["gate", "--baseline", path]).exits(2).complains("gold set differs (baseline starter ");
    assert_eq!(calls(&project), 6, "nobody was asked for a comparison that cannot be made");
}

#[test]
fn blessing_without_a_reason_is_refused() {
    let project = two_answers();
    project.run(&["gate", "bless", "2"]).exits(2).complains("--reason");
    project.run(&["gate", "bless", "2", "--reason", "  "]).exits(2).complains("no reason is given");
    assert!(!project.file("reports/baselines").exists());
}

#[test]
fn stored_runs_on_both_sides_ask_nobody() {
    let project = two_answers();
    let run = |release: &str| {
        let report = project.json(&["eval", "--bounds", "never", "--release", release]);
        report["run"].as_str().unwrap().to_owned()
    };
    let (before, after) = (run("2"), run("3"));
    let asked = calls(&project);
    let report = gated(&project, &["--baseline", &before, "--candidate", &after], 4);
    assert_eq!(
        (&report["baseline"]["run"], &report["candidate"]["run"]),
        (&before.as_str().into(), &after.as_str().into())
    );
    gated(&project, &["--baseline", &before[..20], "--candidate", "latest"], 4);
    assert_eq!(calls(&project), asked);
}

#[test]
fn a_pair_is_asked_once_unless_fresh_answers_are_wanted() {
    let project = two_answers();
    let fresh = |report: &Value| ["baseline", "candidate"].map(|side| report[side]["fresh"].as_bool().unwrap());
    let sides = ["--baseline", "2", "--candidate", "3"];
    let first = gated(&project, &sides, 4);
    assert_eq!((fresh(&first), calls(&project)), ([true, true], 12));
    let second = gated(&project, &sides, 4);
    assert_eq!((fresh(&second), calls(&project)), ([false, false], 12));
    assert_eq!((&second["baseline"]["run"], &second["metrics"]), (&first["baseline"]["run"], &first["metrics"]));
    let third = gated(&project, &[&sides[..], &["--fresh"]].concat(), 4);
    assert_eq!((fresh(&third), calls(&project)), ([true, true], 24));
    // Conditions that a stored run was not made under: more repeats, another price, other documents.
    let more = gated(&project, &[&sides[..], &["--repeats", "2"]].concat(), 4);
    assert_eq!((fresh(&more), calls(&project)), ([true, true], 48));
    project.edit("tollgate.toml", "output_usd_per_million = 2\n", "output_usd_per_million = 3\n");
    assert_eq!(fresh(&gated(&project, &sides, 4)), [true, true]);
    project.append("docs/returns.md", "\nA new sentence.\n");
    assert_eq!(fresh(&gated(&project, &sides, 4)), [true, true]);
}
