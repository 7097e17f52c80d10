//! `tollgate eval`: scores, limits, filters, caches, formats, and what becomes of bad gold sets and failing cases.

#![cfg(test)]

mod common;

use common::Project;
use serde_json::Value;

/// Four cases whose scores under an echo of `forty two` are 1, 0.8, 0 and 0.
const FOUR: &str = r#"{"gold_set": {"pass_score": 0.5, "graders": ["token_f1"]}}
{"id": "right", "question": "What is six times seven?", "expected": "forty two", "tags": ["sums"]}
{"id": "partly", "question": "And in full?", "expected": "forty two indeed", "tags": ["sums"]}
{"id": "wrong", "question": "Who asked?", "expected": "nobody", "tags": ["people"]}
{"id": "refuse", "question": "Who will ask tomorrow?", "graders": ["refusal"], "tags": ["people"]}
"#;

fn four() -> Project {
    let project = Project::echo("forty two", 0);
    project.write("four.jsonl", FOUR);
    project.run(&["kb", "ingest"]).exits(0);
    project
}

fn paths(report: &Value) -> Vec<(String, u64)> {
    let paths = report["paths"].as_array().unwrap().iter();
    paths.map(|path| (path["path"].as_str().unwrap().to_owned(), path["answers"].as_u64().unwrap())).collect()
}

fn answers(report: &Value, wanted: &str) -> u64 {
    paths(report).into_iter().find(|(path, _)| path == wanted).unwrap().1
}

#[test]
fn a_report_says_what_was_asked_and_what_it_came_to() {
    let run = four().run(&["eval", "four.jsonl", "--worst", "1"]);
    insta::assert_snapshot!(run.transcript(), @r"
    exit 0
    --- stdout
    eval four

    ✓ score 0.450 (95% 0.000 to 1.000), 2 of 4 cases passed

      gold set                     four.jsonl HASH (4 cases)
      release                      2 HASH (echo/any, retrieval off)
      pass rate                    50.0% at a score of 0.5 or more
      answers                      4 answered, 0 refused, 0 broken, 0 errored
      answerable refused           0 of 3 (0.0%)
      unanswerable refused         0 of 1 (0.0%)
      latency p50                  N ms
      latency p95                  N ms
      latency p99                  N ms
      cost                         $0.0000660
      cost per case                $0.0000165
      cost per successful outcome  $0.0000330
      calls                        4, 50 tokens in, 8 out
      run                          run_ID (seed 0)

    ── Paths ───────────────────────────────────────────────────────────────────────────────────────────

      answered by  answers  share
      ───────────────────────────────────────
      small              4  ██████████ 100.0%

    ── Graders ─────────────────────────────────────────────────────────────────────────────────────────

      grader    cases  score  95% interval
      ───────────────────────────────────────────────
      refusal       1  0.000  –               counted
      token_f1      3  0.600  0.000 to 1.000  counted

    ── Tags ────────────────────────────────────────────────────────────────────────────────────────────

      tag     cases  score  95% interval    passed
      ────────────────────────────────────────────
      people      2  0.000  0.000 to 0.000    0.0%
      sums        2  0.900  0.000 to 1.000  100.0%

    ── Worst cases ─────────────────────────────────────────────────────────────────────────────────────

    refuse · 0.000
    Who will ask tomorrow?

      expected  (a refusal)
      got       forty two

    refusal 0.00 (answered where a refusal is expected)

    ── Repeat a failing case ───────────────────────────────────────────────────────────────────────────

      tollgate eval four.jsonl --filter id:refuse --seed 0
      tollgate eval four.jsonl --filter id:wrong --seed 0
    --- stderr
    ");
}

#[test]
fn a_new_project_evaluates_at_once() {
    let report = Project::scaffolded().json(&["eval"]);
    assert_eq!(
        (&report["status"], &report["results"], &report["errored"]),
        (&"complete".into(), &22.into(), &0.into())
    );
    let bounds = &report["bounds"];
    assert_eq!(bounds["cases"], 17);
    let score = bounds["score"].as_f64().unwrap();
    assert!(bounds["floor"].as_f64().unwrap() < score, "{bounds:#}");
    assert!(score > 0.2 && bounds["ceiling"].is_f64(), "{bounds:#}");
}

#[test]
fn floor_and_ceiling_are_measured_only_when_they_are_wanted() {
    let project = Project::new();
    let bounds = |options: &[&str]| project.json(&[&["eval", "--limit", "2"], options].concat())["bounds"].clone();
    assert_eq!((&bounds(&[])["cases"], &bounds(&["--bounds", "always"])["cases"]), (&2.into(), &2.into()));
    assert_eq!(bounds(&["--bounds", "never"]), Value::Null);
    project.append("tollgate.toml", "bounds = \"never\"\n");
    assert_eq!(bounds(&[]), Value::Null);
}

#[test]
fn a_score_under_the_limit_exits_1_and_one_at_it_exits_0() {
    let project = four();
    project.run(&["eval", "four.jsonl", "--fail-under", "0.46"]).exits(1).complains("score 0.4500 is below 0.46");
    project.run(&["eval", "four.jsonl", "--fail-under", "0.45"]).exits(0);
    project.run(&["eval", "four.jsonl", "--filter", "id:right", "--fail-under", "1"]).exits(0);
    project.run(&["eval", "four.jsonl", "--fail-under", "1.5"]).exits(2).complains("write a score from 0 to 1");
}

#[test]
fn an_empty_gold_set_exits_2() {
    let project = four();
    project.write("empty.jsonl", "");
    insta::assert_snapshot!(project.run(&["eval", "empty.jsonl"]).transcript(), @r#"
    exit 2
    --- stdout

    --- stderr
    error: gold set `empty.jsonl` has 1 problem
    empty.jsonl:1:1: it holds no cases
      hint: write one case a line: {"id": "…", "question": "…", "expected": "…"}
    "#);
    project.write("header.jsonl", "{\"gold_set\": {}}\n");
    project.run(&["eval", "header.jsonl"]).exits(2).complains("it holds no cases");
}

#[test]
fn an_empty_selection_exits_2() {
    let project = four();
    insta::assert_snapshot!(project.run(&["eval", "four.jsonl", "--filter", "tag:sum"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: no case of four meets the filters
    hint: no case has the tag `sum`; did you mean `sums`?
    ");
    project.run(&["eval", "four.jsonl", "--limit", "0"]).exits(2);
    project.run(&["eval", "four.jsonl", "--filter", "sums"]).exits(2).complains("cannot read filter `sums`");
}

#[test]
fn every_broken_line_is_reported_with_its_place() {
    let project = four();
    project.write(
        "bad.jsonl",
        "{\"id\":\"a\",\"question\":\"x?\",\"expected\":\"y\"}\n{\"id\":\"b\",\"question\":\n\
         {\"id\":\"a\",\"question\":\"z?\",\"expected\":\"y\"}\n\
         {\"id\":\"c\",\"question\":\"q?\",\"expected\":\"y\",\"graders\":[\"token_f2\"]}\n\
         {\"id\":\"d\",\"question\":\"q?\",\"expectd\":\"y\"}\n",
    );
    project.write("latin1.jsonl", b"{\"id\": \"caf\xe9\"}\n{\"id\": 1}\n");
    insta::assert_snapshot!(project.run(&["eval", "bad.jsonl"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: gold set `bad.jsonl` has 4 problems
    bad.jsonl:2:21: malformed JSON: EOF while parsing a value
    bad.jsonl:3:1: id: `a` is already the id of the case in line 1
      hint: give every case an id of its own
    bad.jsonl:4:42: graders[0].type: unknown grader `token_f2`
      hint: did you mean `token_f1`?
    bad.jsonl:5:27: expectd: unknown field `expectd`
      hint: did you mean `expected`?
    ");
    insta::assert_snapshot!(project.run(&["eval", "latin1.jsonl"]).transcript(), @r"
    exit 2
    --- stdout

    --- stderr
    error: gold set `latin1.jsonl` has 3 problems
    latin1.jsonl:1:12: not valid UTF-8
      hint: save the file as UTF-8
    latin1.jsonl:2:2: id: must be a text
    latin1.jsonl:2:1: question: is missing
    ");
    assert_eq!(project.json(&["runs", "list"])["runs"], serde_json::json!([]), "a run was stored for nothing");
}

#[test]
fn a_run_in_which_every_case_errored_exits_3() {
    let project = four();
    let case = r#"{"id": "a", "question": "x?", "expected": "y", "graders": [{"type": "command", "command": ["sh", "-c", "exit 3"]}]}"#;
    project.write("errs.jsonl", case);
    let run = project.run(&["eval", "errs.jsonl", "--format", "json"]).exits(3).complains("no case has a score");
    assert_eq!((&run.json()["errored"], &run.json()["score"]), (&1.into(), &Value::Null));
    project.write(
        "mixed.jsonl",
        format!("{case}\n{{\"id\": \"b\", \"question\": \"z?\", \"expected\": \"forty two\"}}\n"),
    );
    let report = project.json(&["eval", "mixed.jsonl"]);
    assert_eq!((&report["errored"], &report["results"], &report["passed"]), (&1.into(), &2.into(), &1.into()));
}

#[test]
fn an_output_that_breaks_its_schema_is_a_failed_case_that_counts() {
    let project = four();
    let prompt = project.read("prompts/answer/v2.toml");
    let prompt = prompt.replace("\"refused\"]", "\"refused\", \"language\"]");
    let prompt = prompt.replace("properties.refused", "properties.language.type = \"string\"\nproperties.refused");
    project.write("prompts/answer/v3.toml", prompt);
    project.migrate(3, "\"prompts.answer\" = 3\n");
    let run = project.run(&["eval", "four.jsonl", "--format", "json"]).exits(3).complains("missing or broken");
    let report = run.json();
    assert_eq!((&report["results"], &report["broken"], &report["passed"]), (&4.into(), &4.into(), &0.into()));
    assert_eq!(report["score"]["estimate"], 0.0);
    assert_eq!(report["cost"]["calls"], 4, "the broken answers were paid for");
    let error = report["worst"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("the answer of echo/any breaks the output schema of answer@v3: "), "{error}");
    project.run(&["eval", "four.jsonl", "--fail-under", "0.1"]).exits(1);
    project.run(&["ask", "Anything?"]).exits(3).complains("\"language\" is a required property");
}

#[test]
fn a_dry_run_calls_nothing_and_stores_no_run() {
    let project = four();
    let run = project.run(&["eval", "four.jsonl", "--repeats", "3", "--dry-run"]);
    insta::assert_snapshot!(run.transcript(), @r"
    exit 0
    --- stdout
    eval four (dry run: nothing was called)

      cases                         4 × 3 repeats
      floor and ceiling questions   0
      calls                         12 to 12
      input tokens a call           13
      most output tokens a call     512
      cost, small model only        $0.0124
      cost, every answer escalated  $0.0124
    --- stderr
    ");
    assert_eq!(project.count("SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM runs)"), 0);
    let expected = project.json(&["eval", "four.jsonl", "--repeats", "3", "--dry-run"]);
    let report = project.json(&["eval", "four.jsonl", "--repeats", "3"]);
    assert_eq!((&report["cost"]["calls"], &report["cost"]["calls"]), (&expected["calls_at_least"], &12.into()));
    let cost = report["cost"]["total_nanousd"].as_i64().unwrap();
    assert!(cost <= expected["cost_at_most_nanousd"].as_i64().unwrap(), "{expected:#}");
}

#[test]
fn a_spend_limit_stops_the_run_and_resume_completes_it() {
    let project = four();
    let limit =
        ["eval", "four.jsonl", "--repeats", "5", "--concurrency", "1", "--format", "json", "--max-cost", "0.0001"];
    let stopped = project.run(&limit).exits(3).complains("stopped; continue with `tollgate eval --resume run_");
    let report = stopped.json();
    let (results, cost) = (report["results"].as_u64().unwrap(), report["cost"]["total_nanousd"].as_u64().unwrap());
    assert_eq!(report["status"], "stopped");
    assert!((1..20).contains(&results) && cost >= 100_000, "{results} results for {cost}");
    assert!(cost - cost / results < 100_000, "a case was begun after the limit was reached");
    let report = project.json(&["eval", "--resume", "latest"]);
    assert_eq!(
        (&report["status"], &report["results"], &report["run"]),
        (&"complete".into(), &20.into(), &stopped.json()["run"])
    );
    assert_eq!(project.count("SELECT count(*) FROM calls"), 20, "a finished case was asked again");
    project.run(&["eval", "--max-cost", "free"]).exits(2).complains("write dollars, such as 2.50");
}

#[test]
fn caches_answer_only_when_they_are_wanted() {
    let project = four();
    let eval = ["eval", "four.jsonl", "--repeats", "3"];
    for _ in 0..2 {
        let report = project.json(&eval);
        assert_eq!((answers(&report, "exact"), &report["cost"]["calls"]), (0, &12.into()));
    }
    let cached = [&eval[..], &["--cache"]].concat();
    project.json(&cached);
    let report = project.json(&cached);
    assert_eq!(
        (answers(&report, "exact"), &report["cost"]["calls"]),
        (4, &8.into()),
        "only the first of three repeats"
    );
    let report = project.json(&eval);
    assert_eq!((answers(&report, "exact"), &report["cost"]["calls"]), (0, &12.into()));
}

#[test]
fn repeats_of_a_case_never_share_an_answer() {
    let project = four();
    let report = project.json(&["eval", "four.jsonl", "--repeats", "3", "--concurrency", "1", "--cache"]);
    assert_eq!((answers(&report, "exact"), &report["cost"]["calls"]), (0, &12.into()), "{:?}", paths(&report));
}

#[test]
fn filters_narrow_the_selection_together() {
    let project = four();
    let selected = |filters: &[&str]| {
        let arguments: Vec<&str> = filters.iter().flat_map(|filter| ["--filter", filter]).collect();
        project.json(&[&["eval", "four.jsonl"], &arguments[..]].concat())["cases"].as_u64().unwrap()
    };
    assert_eq!(selected(&["tag:sums"]), 2);
    assert_eq!(selected(&["tag:sums,people"]), 4);
    assert_eq!(selected(&["-tag:sums"]), 2);
    assert_eq!(selected(&["id:r*"]), 2);
    assert_eq!(selected(&["-id:r*"]), 2);
    assert_eq!(selected(&["tag:people", "id:r*"]), 1);
    assert_eq!(project.json(&["eval", "four.jsonl", "--limit", "3"])["cases"], 3);
}

#[test]
fn the_repro_command_of_a_failing_case_repeats_it() {
    let project = four();
    project.write("odd name.jsonl", "{\"id\": \"it's *\", \"question\": \"q?\", \"expected\": \"no\"}\n{\"id\": \"it's b\", \"question\": \"r?\", \"expected\": \"forty two\"}\n");
    let report = project.json(&["eval", "odd name.jsonl", "--seed", "7"]);
    let repro = report["failing"][0]["repro"].as_str().unwrap().strip_prefix("tollgate ").unwrap();
    let again = project.shell(&format!("\"$1\" {repro} --format json")).exits(0).json();
    assert_eq!(
        (&again["cases"], &again["failing"][0]["case"], &again["details"]["seed"]),
        (&1.into(), &"it's *".into(), &7.into())
    );
}

#[test]
fn every_format_holds_every_case() {
    let project = four();
    let write = |format: &str| project.run(&["eval", "four.jsonl", "--format", format]).exits(0).stdout;
    let csv = write("csv");
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(csv.starts_with("case,score,passed,tags,question,"), "{csv}");
    let junit = write("junit");
    assert!(junit.starts_with("<?xml"), "{junit}");
    assert!(junit.contains("tests=\"4\"") && junit.contains("failures=\"2\""), "{junit}");
    assert!(write("markdown").starts_with("# eval four\n"));
    let html = write("html");
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "{html}");
    assert!(write("human").starts_with("eval four\n"));
    assert_eq!(project.json(&["eval", "four.jsonl"])["schema"], "eval_report/v1");
}

#[test]
fn two_evals_of_one_project_at_once_both_complete() {
    let project = Project::echo("forty two", 1);
    project.generate_cases("many.jsonl", 200, "forty two");
    let start = || {
        let mut command = project.command(&["eval", "many.jsonl", "--format", "json"]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let runs = [start(), start()].map(|child| common::finish(project.path(), child.wait_with_output().unwrap()));
    let runs = runs.map(|run| run.exits(0).json());
    assert_ne!(runs[0]["run"], runs[1]["run"]);
    for run in &runs {
        assert_eq!((&run["status"], &run["results"], &run["errored"]), (&"complete".into(), &200.into(), &0.into()));
    }
    assert_eq!(runs[0]["score"], runs[1]["score"]);
}
