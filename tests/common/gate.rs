//! What the tests of gates and migrations share: projects whose releases answer differently, and gold sets about which of
//! them is right.

#![allow(dead_code, reason = "every test binary uses its own part of this")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::{MockVendor, Project, Run};

/// What release 2 always says.
pub(crate) const THEN: &str = "alpha";
/// What release 3 always says.
pub(crate) const NOW: &str = "beta";
/// The key that mock vendors are asked with.
pub(crate) const WITH_KEY: &[(&str, &str)] = &[("MOCK_KEY", "sk-mock-0123456789abcdefghijklmnop")];

/// Beside other tests latencies say nothing.
const PATIENT: &str = "\n[gate]\nlatency_floor_ms = 60000\n\
                       [gate.p95_ms]\nretrieve = 60000\nticket = 60000\ngenerate = 60000\n";
/// What `PATIENT` says, as flags.
pub(crate) const WITHOUT_LATENCY: [&str; 6] =
    ["--skip", "retrieve_p95", "--skip", "ticket_p95", "--skip", "generate_p95"];

/// A project whose release 2 always says [`THEN`], and release 3 [`NOW`]; they cost the same.
pub(crate) fn two_answers() -> Project {
    let project = Project::echo(THEN, 0);
    project.append("tollgate.toml", &another_echo("beta", NOW));
    project.append("tollgate.toml", PATIENT);
    project.migrate(3, "\"stages.small\" = \"beta/any\"\n");
    gold_set(&project, [4, 1, 1, 0]);
    project
}

/// A provider that always says `reply`, at the prices of [`Project::echo`].
pub(crate) fn another_echo(name: &str, reply: &str) -> String {
    format!(
        "\n[providers.{name}]\nkind = \"echo\"\nreply = {reply:?}\n\
         [providers.{name}.models.any]\ninput_usd_per_million = 1\noutput_usd_per_million = 2\n"
    )
}

/// Makes `gold_sets/starter.jsonl` a set of cases that both releases of [`two_answers`] get right, only the earlier, only
/// the later, and none: `both-0`, `then-0`, `now-0` and `neither-0` with those after them.
pub(crate) fn gold_set(project: &Project, [both, then, now, neither]: [usize; 4]) {
    let mut text = "{\"gold_set\": {\"pass_score\": 1, \"graders\": [\"exact\"]}}\n".to_owned();
    let kinds = [
        ("both", both, json!([THEN, NOW])),
        ("then", then, json!(THEN)),
        ("now", now, json!(NOW)),
        ("neither", neither, json!("gamma")),
    ];
    for (kind, count, expected) in kinds {
        for number in 0..count {
            let question = format!("What is {kind} {number}?");
            let case = json!({"id": format!("{kind}-{number}"), "question": question, "expected": expected});
            writeln!(text, "{case}").unwrap();
        }
    }
    project.write("gold_sets/starter.jsonl", text);
}

/// Adds a case to `gold_sets/starter.jsonl` that only release 2 gets right, and that fails a gate alone.
pub(crate) fn add_critical_case(project: &Project, id: &str) {
    let case = json!({"id": id, "question": format!("What is {id}?"), "expected": THEN, "critical": true});
    project.append("gold_sets/starter.jsonl", &format!("{case}\n"));
}

/// A vendor whose every 2nd or 3rd answer of 7 is right, whoever asks: [`THEN`], or something else.
pub(crate) fn noisy_vendor() -> MockVendor {
    let reply = |text: &str| json!({"answer": text, "citations": [], "confidence": 0.9, "refused": false}).to_string();
    // An odd number of lines, so that neither of two sides that take turns always gets the same ones.
    let lines = [THEN, "delta", THEN, THEN, "delta", THEN, "delta"].map(|text| json!({"reply": reply(text)}));
    MockVendor::start(&json!({"answers": {"mode": "file", "lines": lines}}))
}

/// A project whose release 2 is another model of the vendor than release 3, with `echo` as release 4, which always says
/// [`THEN`].
pub(crate) fn noisy_project(vendor: &MockVendor) -> Project {
    let project = two_answers();
    let url = vendor.openai_url();
    let mut settings =
        format!("\n[providers.mock]\nkind = \"openai\"\nbase_url = \"{url}\"\napi_key_env = \"MOCK_KEY\"\n");
    for model in ["one", "other"] {
        let prices = "input_usd_per_million = 1\noutput_usd_per_million = 2\n";
        settings.extend(["[providers.mock.models.", model, "]\n", prices]);
    }
    project.append("tollgate.toml", &settings);
    project.migrate(3, "\"stages.small\" = \"mock/one\"\n");
    project.migrate(4, "\"stages.small\" = \"mock/other\"\n");
    project
}

/// The JSON of a gate that exits with `code`.
#[track_caller]
pub(crate) fn gated(project: &Project, arguments: &[&str], code: i32) -> Value {
    project.run_with(&[&["gate", "--format", "json"], arguments].concat(), WITH_KEY).exits(code).json()
}

/// The ids of listed cases.
pub(crate) fn ids(cases: &Value) -> Vec<String> {
    cases.as_array().unwrap().iter().map(|case| case["case"].as_str().unwrap().to_owned()).collect()
}

/// The texts of a list.
pub(crate) fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// A transcript without the ids of verdicts, short or whole.
pub(crate) fn transcript(run: &Run) -> String {
    let text = regex::Regex::new(r"\bverdict_[0-9a-f]{12,32}\b")
        .unwrap()
        .replace_all(&run.transcript(), "verdict_ID")
        .into_owned();
    // `2026-01-02 03:04`, as tables show it.
    regex::Regex::new(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b").unwrap().replace_all(&text, "MINUTE").into_owned()
}

/// Runs git in `directory` without the settings of whoever runs the tests.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(directory).args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits everything but the store, and says which commit it is.
pub(crate) fn commit(directory: &Path) -> String {
    if !directory.join(".git").exists() {
        git(directory, &["init", "--quiet", "--initial-branch", "main"]);
        std::fs::write(directory.join(".git/info/exclude"), ".tollgate/\n").unwrap();
    }
    git(directory, &["add", "--all"]);
    git(directory, &["commit", "--quiet", "--allow-empty", "--message", "a test"]);
    git(directory, &["rev-parse", "HEAD"])
}

/// How many calls of models the store knows of.
pub(crate) fn calls(project: &Project) -> u64 {
    project.count("SELECT count(*) FROM calls")
}
