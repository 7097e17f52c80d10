//! Interrupting, killing and resuming an evaluation: nothing finished is lost or asked again.

#![cfg(test)]

mod common;

use std::process::{Child, Command, Stdio};

use common::{Project, Run};
use serde_json::Value;

const CASES: usize = 600;
const CONCURRENCY: u64 = 8;
const REPLY: &str = "forty two";

fn slow_project(latency_ms: u32) -> Project {
    let project = Project::echo(REPLY, latency_ms);
    project.generate_cases("many.jsonl", CASES, REPLY);
    project.run(&["kb", "ingest"]).exits(0);
    // The tables must be there before the first look at them.
    project.run(&["runs", "list"]).exits(0);
    project
}

fn spawn(project: &Project, arguments: &[&str]) -> Child {
    project.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until more than `enough` results are stored, or the process has ended, and says how many there are then.
fn wait_for_results(project: &Project, child: &mut Child, enough: u64) -> u64 {
    loop {
        let stored = project.count("SELECT count(*) FROM results");
        if stored > enough {
            return stored;
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "ended ({ended:?}) with {stored} results, before there were more than {enough}");
        std::thread::yield_now();
    }
}

fn wait(project: &Project, child: Child) -> Run {
    common::finish(project.path(), child.wait_with_output().unwrap())
}

/// What must not depend on how often a run was interrupted.
fn essence(report: &Value) -> Value {
    let keys = [
        "status",
        "results",
        "errored",
        "cases",
        "score",
        "passed",
        "pass_rate",
        "answerable",
        "unanswerable",
        "by_tag",
        "by_grader",
        "cost",
        "paths",
    ];
    keys.iter().map(|key| ((*key).to_owned(), report[*key].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn ctrl_c_stops_cleanly_and_resume_completes() {
    let project = slow_project(10);
    let mut child = spawn(&project, &["eval", "many.jsonl", "--format", "json"]);
    wait_for_results(&project, &mut child, 20);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let run = wait(&project, child).exits(3).complains("interrupted; continue with `tollgate eval --resume run_");
    let report = run.json();
    let results = report["results"].as_u64().unwrap();
    assert_eq!(report["status"], "interrupted");
    assert!((21..CASES as u64).contains(&results), "{results}");
    assert_eq!(project.count("SELECT count(*) FROM results"), results, "the totals are those of the rows");

    let report = project.json(&["eval", "--resume", report["run"].as_str().unwrap()]);
    assert_eq!((&report["status"], &report["results"]), (&"complete".into(), &CASES.into()));
    assert_eq!(project.count("SELECT count(*) FROM results"), CASES as u64);
    assert!(project.count("SELECT count(*) FROM calls") <= CASES as u64 + CONCURRENCY);
}

#[test]
fn a_run_killed_twenty_times_loses_nothing_and_repeats_no_more_than_was_under_way() {
    let undisturbed = slow_project(0).json(&["eval", "many.jsonl"]);
    let project = slow_project(25);
    let mut arguments = vec!["eval", "many.jsonl", "--concurrency", "8"];
    // Pseudo-random, and the same every time: Knuth's multiplicative hashing.
    let gap = |kill: u64| 1 + ((kill * 2_654_435_761) >> 7) % 21;
    let mut stored = 0;
    for kill in 1..=20 {
        let mut child = spawn(&project, &arguments);
        stored = wait_for_results(&project, &mut child, stored + gap(kill));
        child.kill().unwrap();
        child.wait().unwrap();
        arguments = vec!["eval", "--resume", "latest"];
        let (results, calls) =
            (project.count("SELECT count(*) FROM results"), project.count("SELECT count(*) FROM calls"));
        assert!(results >= stored, "{stored} results were stored, and {results} are left");
        assert!(calls - results <= kill * CONCURRENCY, "{calls} calls for {results} results after {kill} kills");
        let listed = project.json(&["runs", "list"]);
        assert_eq!((&listed["runs"][0]["results"], &listed["runs"][0]["status"]), (&results.into(), &"running".into()));
        stored = results;
    }
    assert!(stored < CASES as u64, "the run was over before it had been killed often enough");
    let report = project.json(&arguments);
    assert_eq!(project.count("SELECT count(*) FROM results"), CASES as u64);
    assert_eq!(project.count("SELECT count(*) FROM runs"), 1);
    assert!(project.count("SELECT count(*) FROM calls") <= CASES as u64 + 20 * CONCURRENCY);
    assert_eq!(essence(&report), essence(&undisturbed));
    assert_eq!(
        project.count("SELECT sum(cost_nanousd) FROM results"),
        report["cost"]["total_nanousd"].as_u64().unwrap(),
        "the totals are those of the rows"
    );
}

#[test]
fn a_complete_run_is_not_asked_again() {
    let project = Project::new();
    let first = project.json(&["eval", "--limit", "2"]);
    let run = project.run(&["eval", "--resume", first["run"].as_str().unwrap(), "--format", "json"]).exits(0);
    assert_eq!(essence(&run.json()), essence(&first));
    run.complains("is complete; nothing is left to ask");
    insta::assert_snapshot!(project.run(&["eval", "--resume", "latest"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: no stored run is incomplete
    hint: `tollgate runs list` shows the stored runs
    ");
    insta::assert_snapshot!(project.run(&["eval", "--resume", "run_nope"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: 0 stored runs match `run_nope`
    hint: `tollgate runs list` shows the stored runs
    ");
}

#[test]
fn a_run_is_resumed_only_as_it_was_begun() {
    let project = Project::echo(REPLY, 0);
    project.generate_cases("some.jsonl", 10, REPLY);
    let stop = ["eval", "some.jsonl", "--max-cost", "0.0001", "--concurrency", "1"];
    project.run(&stop).exits(3);
    let cases = project.read("some.jsonl");
    project.append("some.jsonl", "{\"id\": \"new\", \"question\": \"q?\", \"expected\": \"a\"}\n");
    insta::assert_snapshot!(project.run(&["eval", "--resume", "latest"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: the run cannot be resumed: its gold set was HASH, and now it is HASH
    hint: start a new run, or restore what has changed
    ");
    project.write("some.jsonl", cases);
    project.migrate(3, "\"retrieval.top_k\" = 4\n");
    project.run(&["eval", "--resume", "latest"]).exits(2).complains("its release was ");
    std::fs::remove_file(project.file("prompts/migrations/0003_test.toml")).unwrap();
    project.append("docs/returns.md", "\nA new sentence.\n");
    project.run(&["eval", "--resume", "latest"]).exits(2).complains("its knowledge base was ");
    project.edit("docs/returns.md", "\nA new sentence.\n", "");
    project.run(&["eval", "--resume", "latest"]).exits(0);
}

#[test]
fn resuming_takes_no_options_that_would_change_the_run() {
    let project = Project::new();
    for option in [["--filter", "tag:x"], ["--limit", "1"], ["--repeats", "2"], ["--seed", "1"]] {
        let run = project.run(&["eval", "--resume", "latest", option[0], option[1]]).exits(2);
        run.complains("cannot be used with");
    }
}

#[test]
fn a_case_that_errored_is_asked_again_when_the_run_is_resumed() {
    let project = Project::echo(REPLY, 0);
    let graders = r#"[{"type": "command", "command": ["sh", "-c", "test -e ready && echo '{\"score\": 1}'"]}]"#;
    let case = |id: &str, graders: &str| {
        format!("{{\"id\": \"{id}\", \"question\": \"{id}?\", \"expected\": \"forty two\", \"graders\": {graders}}}\n")
    };
    project.write("later.jsonl", case("a", graders) + &case("b", "[\"exact\"]") + &case("c", "[\"exact\"]"));
    let limit = ["eval", "later.jsonl", "--concurrency", "1", "--max-cost", "0.00002", "--format", "json"];
    let stopped = project.run(&limit).exits(3).json();
    assert_eq!((&stopped["results"], &stopped["errored"]), (&2.into(), &1.into()), "{stopped:#}");
    project.write("ready", "");
    let report = project.json(&["eval", "--resume", "latest"]);
    assert_eq!((&report["results"], &report["errored"], &report["passed"]), (&3.into(), &0.into(), &3.into()));
}

#[test]
fn a_run_that_another_process_works_on_is_left_alone() {
    let project = slow_project(0);
    let run = project.run(&["eval", "many.jsonl", "--max-cost", "0.000001", "--format", "json"]).exits(3).json();
    let id = run["run"].as_str().unwrap();
    let lock = std::fs::File::create(project.path().join(".tollgate").join(format!("{id}.lock"))).unwrap();
    lock.lock().unwrap();
    project.run(&["eval", "--resume", id]).exits(2).complains("another tollgate process is working on");
    project.run(&["eval", "--resume", "latest"]).exits(2).complains("no stored run is incomplete");
    let pruned = project.json(&["runs", "prune", "--keep", "0"]);
    assert_eq!(pruned["runs"], serde_json::json!([]));
    drop(lock);
    project.run(&["eval", "--resume", id]).exits(0);
}
