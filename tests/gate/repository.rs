//! The prompts, migrations and gold set of this repository, and a release that is worse.

use std::path::{Path, PathBuf};

use crate::common::Project;
use crate::scenes::{WITHOUT_LATENCY, gated, texts};

/// A copy of this repository's own project.
fn this_repository() -> Project {
    let project = Project::empty();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["docs", "gold_sets", "prompts", "tollgate.toml"] {
        copy(&root.join(name), &project.file(name));
    }
    project
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn worse() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gate/worse")
}

/// How many migrations it has.
fn migrations(project: &Project) -> usize {
    std::fs::read_dir(project.file("prompts/migrations")).unwrap().count()
}

#[test]
fn each_migration_of_this_repository_clears_its_gate() {
    let project = this_repository();
    let last = migrations(&project);
    assert!(last >= 4, "{last}");
    for number in 2..=last {
        let sides = ["--baseline", &(number - 1).to_string(), "--candidate", &number.to_string()];
        let report = gated(&project, &[&sides[..], &WITHOUT_LATENCY[..]].concat(), 0);
        assert_eq!((&report["gold_set"], &report["unpaired"]), (&"manual".into(), &0.into()));
        assert!(report["metrics"][0]["effect"].as_f64().unwrap() > -0.02, "{number}: {:#}", report["metrics"]);
        assert_ne!(report["baseline"]["release_hash"], report["candidate"]["release_hash"], "{number} changes nothing");
    }
}

#[test]
fn a_release_of_this_repository_that_is_shorter_and_cheaper_fails_and_the_right_cases_are_named() {
    let project = this_repository();
    copy(&worse().join("answer"), &project.file("prompts/answer"));
    copy(&worse().join("migrations"), &project.file("prompts/migrations"));
    let number = migrations(&project);
    let report = gated(&project, &WITHOUT_LATENCY, 1);
    assert_eq!(
        (&report["baseline"]["release"], &report["candidate"]["release"]),
        (&(number - 1).into(), &number.into())
    );
    let reasons = texts(&report["reasons"]);
    assert!(reasons.iter().any(|reason| reason.starts_with("score: worse by 0.")), "{reasons:#?}");
    assert!(report["counts"]["regressed"].as_u64().unwrap() >= 8, "{}", report["counts"]);

    let fell = report["fell"].as_array().unwrap();
    let flips = texts(&report["critical_flips"]);
    assert!(!flips.is_empty() && reasons[0].contains("critical"), "{reasons:#?}");
    for flip in &flips {
        let case = fell.iter().find(|case| case["case"] == *flip).unwrap();
        let told = ["critical", "passed_before", "passes_now"].map(|field| case[field].as_bool().unwrap());
        assert_eq!(told, [true, true, false], "{case:#}");
    }
    let damages: Vec<f64> = fell.iter().map(|case| case["damage"].as_f64().unwrap()).collect();
    assert!(damages.is_sorted() && damages[0] < -0.004, "{damages:?}");
    for case in fell {
        let (id, repro) = (case["case"].as_str().unwrap(), case["repro"].as_str().unwrap());
        assert!(repro.contains(&format!("--filter id:{id} ")), "{repro}");
    }
    // The worst of them was right, and is wrong again when it is asked by the command that the report gives.
    let worst = fell.iter().find(|case| case["passed_before"] == true && case["passes_now"] == false).unwrap();
    let repro = worst["repro"].as_str().unwrap().replacen("tollgate", "\"$1\"", 1);
    let again = project.shell(&format!("{repro} --format json")).exits(0).json();
    assert_eq!((&again["results"], &again["passed"]), (&1.into(), &0.into()));
    let score = again["score"]["estimate"].as_f64().unwrap();
    assert!((score - worst["after"].as_f64().unwrap()).abs() < 1e-9, "{again:#}");
}
