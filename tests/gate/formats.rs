//! The same decision in every format, and shown again.

use serde_json::Value;

use crate::common::schema_problems;
use crate::scenes::{gold_set, two_answers};

#[test]
fn every_format_tells_the_same_and_a_shown_verdict_exits_as_its_gate_did() {
    let project = two_answers();
    for (cases, code) in [([10, 0, 6, 0], 0), ([4, 8, 0, 0], 1), ([10, 3, 2, 0], 4)] {
        gold_set(&project, cases);
        let sides = ["gate", "--baseline", "2", "--candidate", "3", "--format"];
        project.run(&[&sides[..], &["json", "-o", "gate.json"]].concat()).exits(code);
        let report: Value = serde_json::from_str(&project.read("gate.json")).unwrap();
        assert_eq!(schema_problems(project.path(), &report), [""; 0]);

        let shown =
            |what: &str, format: &str| project.run(&["gate", "show", what, "--format", format]).exits(code).stdout;
        let id = report["id"].as_str().unwrap();
        for format in ["json", "markdown", "junit", "csv", "html", "human"] {
            assert_eq!(shown("gate.json", format), shown("latest", format), "{format}");
            assert_eq!(shown("gate.json", format), shown(id, format), "{format}");
        }
        assert_eq!(serde_json::from_str::<Value>(&shown("latest", "json")).unwrap(), report);
        assert_eq!(shown("latest", "human"), project.run(&["gate", "show"]).exits(code).stdout);
        let markdown = shown("latest", "markdown");
        assert!(markdown.starts_with("<!-- tollgate:gate:starter -->\n"), "{markdown}");
        let junit = shown("latest", "junit");
        let is_red = junit.contains("<failure") || junit.contains("<error");
        assert_eq!(is_red, code != 0, "{junit}");
    }
    project.run(&["gate", "show", "verdict_ffff"]).exits(2).complains("the store has no verdict `verdict_ffff`");
    project.run(&["gate", "show", "tollgate.json"]).exits(2).complains("cannot read tollgate.json");
}

#[test]
fn a_failed_case_is_told_to_the_ci_system_with_what_was_expected_and_what_came() {
    let project = two_answers();
    gold_set(&project, [4, 8, 0, 0]);
    let junit = project.run(&["gate", "--format", "junit"]).exits(1).stdout;
    assert_eq!(junit.matches("right → wrong").count(), 8, "{junit}");
    for told in ["name=\"then-7\"", "expected: alpha", "got: beta", "--filter id:then-7 --seed 0"] {
        assert!(junit.contains(told), "{told}: {junit}");
    }
}
