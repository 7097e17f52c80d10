//! `tollgate gold`: importing, checking and freezing gold sets.

#![cfg(test)]

mod common;

use common::Project;
use serde_json::{Value, json};

fn imported(project: &Project, arguments: &[&str]) -> Vec<Value> {
    project.run(&[&["gold", "import"], arguments, &["-o", "out.jsonl", "--force"]].concat()).exits(0);
    let lines = project.read("out.jsonl");
    let cases: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    cases.into_iter().filter(|case| case.get("gold_set").is_none()).collect()
}

#[test]
fn a_csv_table_is_imported_and_what_has_no_place_is_named() {
    let project = Project::new();
    project.write("q.csv", "question,expected,tags,notes\n\"How long?\",30 days,\"a;b\",x\nWho?,,b,\n");
    let run = project.run(&["gold", "import", "q.csv", "-o", "sets/new.jsonl"]);
    insta::assert_snapshot!(run.transcript(), @r"
    exit 0
    --- stdout
    gold import

    ! cases written to `sets/new.jsonl`: 2

      where    not carried over                                 times
      ───────────────────────────────────────────────────────────────
      q.csv:1  column `notes` has no counterpart in a gold set      1

    note: next: `tollgate gold check sets/new.jsonl`, then `tollgate eval sets/new.jsonl`
    --- stderr
    ");
    insta::assert_snapshot!(project.read("sets/new.jsonl"), @r#"
    {"id":"q-0001","question":"How long?","expected":"30 days","tags":["a","b"]}
    {"id":"q-0002","question":"Who?","tags":["b"]}
    "#);
    let run = project.run(&["gold", "import", "q.csv", "-o", "sets/new.jsonl"]);
    insta::assert_snapshot!(run.transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: sets/new.jsonl exists
    hint: choose another name, or add `--force`
    ");
}

#[test]
fn every_known_format_is_imported() {
    let project = Project::new();
    project.write(
        "promptfooconfig.yaml",
        "prompts: ['{{question}}']\ntests:\n  - vars: {question: How long?}\n    assert: [{type: contains, value: 30 days}]\n",
    );
    project.write(
        "samples.jsonl",
        "{\"input\": [{\"role\": \"user\", \"content\": \"How long?\"}], \"ideal\": \"30 days\"}\n",
    );
    project.write(
        "squad.json",
        json!({"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": "It is 30 days.", "qas": [
            {"id": "q1", "question": "How long?", "answers": [{"text": "30 days", "answer_start": 6}], "is_impossible": false},
            {"id": "q2", "question": "Who?", "answers": [], "is_impossible": true}]}]}]})
        .to_string(),
    );
    for (file, format, cases) in
        [("promptfooconfig.yaml", "promptfoo", 1), ("samples.jsonl", "openai-evals", 1), ("squad.json", "squad", 2)]
    {
        for arguments in [&[file][..], &[file, "--from", format]] {
            let imported = imported(&project, arguments);
            assert_eq!(
                (imported.len(), &imported[0]["question"]),
                (cases, &"How long?".into()),
                "{file}: {imported:#?}"
            );
        }
        project.run(&["eval", "out.jsonl"]).exits(0);
    }
}

#[test]
fn a_file_of_no_known_format_exits_2() {
    let project = Project::new();
    project.write("notes.xyz", "hello");
    insta::assert_snapshot!(project.run(&["gold", "import", "notes.xyz", "-o", "x.jsonl"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: the format of notes.xyz cannot be guessed
    hint: say it with `--from csv|promptfoo|openai-evals|squad`
    ");
    insta::assert_snapshot!(project.run(&["gold", "import", "notes.xyz"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: no gold set to write is given
    hint: add `-o gold_sets/NAME.jsonl`
    ");
    project.write("broken.json", "{\"data\": [");
    project
        .run(&["gold", "import", "broken.json", "--from", "squad", "-o", "x.jsonl"])
        .exits(2)
        .complains("broken.json:1:");
    assert!(!project.file("x.jsonl").exists());
}

#[test]
fn check_finds_what_makes_scores_mislead() {
    let project = Project::new();
    project.run(&["kb", "ingest"]).exits(0);
    let lines = [
        json!({"id": "a", "question": "How long?", "expected": "30 days", "expected_docs": ["docs/retruns.md"]}),
        json!({"id": "b", "question": "how LONG", "expected": "30 days"}),
        json!({"id": "c", "question": "Which?", "expected": " "}),
        json!({"id": "d", "question": "When?", "expected": "now", "graders": [{"type": "max_latency_ms", "limit": 5}]}),
    ];
    project.write("set.jsonl", lines.map(|line| format!("{line}\n")).concat());
    insta::assert_snapshot!(project.run(&["gold", "check", "set.jsonl"]).transcript(), @r"
    exit 1
    --- stdout
    gold check

    ✗ `set.jsonl`: 4 cases, 4 errors, 0 warnings

      answerable  4
      tags        –
      sha256      SHA256
      lock        not frozen

               line  case  finding
      ──────────────────────────────────────────────────────────────────────────────────────────────────
      ✗ error     1  a     expects document `docs/retruns.md`, which the knowledge base does not have;
                           correct its path, or bring it in with `tollgate kb ingest`
      ✗ error     2  b     asks the same question as `a` in line 1; remove one of them, or they count
                           twice
      ✗ error     3  c     an expected answer is blank; leave `expected` out if it must be refused
      ✗ error     4  d     has an expected answer, but no grader that counts judges the answer's
                           content; add a grader such as `token_f1`, or give one a weight above 0
    --- stderr
    ");
}

#[test]
fn check_of_an_unreadable_set_lists_every_line_and_exits_1() {
    let project = Project::new();
    project.write(
        "set.jsonl",
        "{\"id\": \"a\", \"question\": \"q?\"\n{\"id\": \"b\", \"question\": \"q?\", \"graders\": [\"blue\"]}\n[]\n",
    );
    insta::assert_snapshot!(project.run(&["gold", "check", "set.jsonl"]).transcript(), @r"
    exit 1
    --- stdout

    --- stderr
    error: gold set `set.jsonl` has 3 problems
    set.jsonl:1:28: malformed JSON: EOF while parsing an object
    set.jsonl:2:31: graders[0].type: unknown grader `blue`
      hint: did you mean `bleu`?
    set.jsonl:3:1: a case is a JSON object
    ");
    project.run(&["gold", "check", "nix.jsonl"]).exits(2);
}

#[test]
fn check_of_a_good_set_exits_0() {
    let project = Project::new();
    let checked = project.json(&["gold", "check"]);
    assert!(checked["sets"][0]["findings"].as_array().unwrap().iter().all(|finding| finding["severity"] == "warning"));
}

#[test]
fn a_line_of_fifty_megabytes_is_passed_over_in_bounded_memory() {
    let project = Project::new();
    let mut set = "x".repeat(50_000_000);
    set += "\n{\"id\":\n";
    project.write("big.jsonl", set);
    // The program itself takes about 60 MB of addresses; 50 MB more would not fit.
    let run = project.shell("ulimit -v 100000; exec \"$1\" gold check big.jsonl").exits(1);
    let run = run.complains("big.jsonl:1:1: the line is longer than 1048576 bytes");
    run.complains("big.jsonl:2:6: malformed JSON");
}

#[test]
fn a_frozen_set_that_has_changed_is_refused() {
    let project = Project::new();
    let set = "gold_sets/starter.jsonl";
    insta::assert_snapshot!(project.run(&["gold", "lock", set]).transcript(), @r"
    exit 0
    --- stdout
    gold lock

    ✓ `gold_sets/starter.jsonl` is frozen: 12 cases

      sha256     SHA256
      lock file  gold_sets/starter.jsonl.lock
      frozen at  TIME
    --- stderr
    ");
    project.run(&["eval"]).exits(0);
    project.edit(set, "30 days", "31 days");
    let refused = project.run(&["eval"]).exits(2);
    insta::assert_snapshot!(refused.transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: gold set `PROJECT/gold_sets/starter.jsonl` has changed since it was locked at TIME: it has 12 cases with SHA-256 HASH, locked were 12 with HASH
    hint: accept the change with `tollgate gold lock PROJECT/gold_sets/starter.jsonl --update`, or restore the file
    ");
    project.run(&["gold", "check"]).exits(1).says("the set has changed since it was locked");
    project.run(&["gold", "lock", set]).exits(1);
    project.run(&["eval"]).exits(2);
    project.run(&["gold", "lock", set, "--update"]).exits(0);
    project.run(&["eval"]).exits(0);
    project.write(&format!("{set}.lock"), "{");
    project.run(&["eval"]).exits(2).complains("starter.jsonl.lock:1:");
}
