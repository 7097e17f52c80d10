//! A model that judges answers: as a grader of an evaluation, and compared with people's labels.

#![cfg(test)]

mod common;

use common::{MockVendor, Project, schema_problems};
use serde_json::{Value, json};

const WITH_KEY: &[(&str, &str)] = &[("MOCK_KEY", "sk-test-0123456789")];

/// A vendor that says of two answers what `lines` say.
fn judge_saying(lines: &[(&str, &str)]) -> MockVendor {
    let line = |(pattern, better): &(&str, &str)| json!({"match_regex": pattern, "reply": json!({"reason": format!("{better} is better"), "better": better}).to_string()});
    let lines: Vec<Value> = lines.iter().map(line).collect();
    MockVendor::start(&json!({"answers": {"mode": "file", "lines": lines}}))
}

/// Follows the text: whichever side says `good` wins, in either order; two that do are alike.
const FAIR: &[(&str, &str)] = &[
    (r#"(?s)<answer id="a">\ngood.*<answer id="b">\ngood"#, "neither"),
    (r#"<answer id="a">\ngood"#, "a"),
    (r#"<answer id="b">\ngood"#, "b"),
];
/// Always prefers what it is shown first.
const FIRST: &[(&str, &str)] = &[("question", "a")];

/// A project whose assistant always says `reply`, and whose judge is the vendor's model.
fn project(reply: &str, vendor: &MockVendor, judge: &str) -> Project {
    let project = Project::echo(reply, 0);
    project.append(
        "tollgate.toml",
        &format!(
            "\n[providers.mock]\nkind = \"openai\"\nbase_url = \"{}\"\napi_key_env = \"MOCK_KEY\"\n\
             [providers.mock.models.large]\ninput_usd_per_million = 1\noutput_usd_per_million = 2\n\n[judge]\n{judge}\n",
            vendor.openai_url()
        ),
    );
    project
}

const MODEL: &str = "model = \"mock/large\"";

fn judged_cases(project: &Project) {
    let case = |id: &str, expected: &str| {
        let graders = json!([{"type": "judge", "rubric": "says good"}, {"type": "token_f1", "weight": 0}]);
        format!("{}\n", json!({"id": id, "question": format!("{id}?"), "expected": expected, "graders": graders}))
    };
    project.write("judged.jsonl", [case("alike", "good one"), case("worse", "none")].concat());
}

#[test]
fn a_judge_grades_an_evaluation_and_its_cost_is_kept_apart() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, &format!("{MODEL}\nvotes = 2"));
    judged_cases(&project);
    let run = project.run_with(&["eval", "judged.jsonl", "--format", "json", "--bounds", "never"], WITH_KEY).exits(0);
    let report = run.json();
    assert_eq!(vendor.requests(), 8, "two cases, two votes, two orders");
    assert_eq!((&report["score"]["estimate"], &report["errored"]), (&1.0.into(), &0.into()));
    assert_eq!(schema_problems(project.path(), &report), Vec::<String>::new());

    let judging = report["cost"]["judging_nanousd"].as_u64().unwrap();
    let booked = |task: &str| {
        project.count(&format!(
            "SELECT coalesce(sum(charged), 0) FROM settlements JOIN reservations ON key = reservation WHERE task = '{task}'"
        ))
    };
    assert_eq!((judging, report["cost"]["total_nanousd"].as_u64().unwrap()), (booked("judge"), booked("answer")));
    assert!(judging > 0);
    assert_eq!(project.count("SELECT sum(grading_nanousd) FROM results"), judging);
    let judged_tickets = "(SELECT ticket FROM reservations WHERE task = 'judge')";
    assert_eq!(project.count(&format!("SELECT count(*) FROM outcomes WHERE ticket IN {judged_tickets}")), 0);
    assert_eq!(project.count("SELECT count(DISTINCT ticket) FROM reservations WHERE task = 'judge'"), 2);
    project.run(&["ledger", "verify"]).exits(0);

    let shown = project.run(&["runs", "show", "latest"]).exits(0).says("cost of judging");
    assert!(shown.stdout.contains("judge"), "{}", shown.transcript());
}

#[test]
fn an_answer_that_loses_says_why_and_one_that_goes_by_the_position_counts_half() {
    let vendor = judge_saying(&[(r#"<answer id="a">\nnone"#, "a"), (r#"<answer id="b">\nnone"#, "b"), ("", "neither")]);
    let project = project("bad answer", &vendor, MODEL);
    judged_cases(&project);
    let report = project.run_with(&["eval", "judged.jsonl", "--format", "json"], WITH_KEY).exits(0).json();
    assert_eq!(report["score"]["estimate"], 0.5, "one is as good, one is worse");
    let reason = report["worst"][0]["grades"][0]["reason"].as_str().unwrap();
    assert_eq!(reason, "the vote found the answer worse than the expected one: a is better (a: expected, b: answer)");

    let vendor = judge_saying(FIRST);
    let project = self::project("bad answer", &vendor, MODEL);
    judged_cases(&project);
    let report = project.run_with(&["eval", "judged.jsonl", "--format", "json"], WITH_KEY).exits(0).json();
    assert_eq!(report["score"]["estimate"], 0.5);
    assert!(report["worst"][0]["grades"][0]["reason"].as_str().unwrap().contains("position bias"));
}

#[test]
fn a_set_with_a_judge_is_refused_without_a_model_before_anything_is_asked() {
    let vendor = judge_saying(FIRST);
    let project = project("good answer", &vendor, "votes = 1");
    judged_cases(&project);
    let run = project.run_with(&["eval", "judged.jsonl"], WITH_KEY).exits(2);
    run.complains("gold set judged has `judge` graders, and tollgate.toml names no model")
        .complains("hint: write `model");
    project.edit("tollgate.toml", "votes = 1", "model = \"mock/larg\"");
    project.run_with(&["eval", "judged.jsonl"], WITH_KEY).exits(2).complains("hint: `[judge] model` names");
    project.edit("tollgate.toml", "mock/larg\"", "mock/large\"");
    let set = project.read("judged.jsonl").replacen("\"rubric\"", "\"prompt\":\"judge@v2\",\"rubric\"", 1);
    project.write("judged.jsonl", &set);
    project.run_with(&["eval", "judged.jsonl"], WITH_KEY).exits(2).complains("two prompts, `judge@v2` and `judge@v1`");
    project.write(
        "judged.jsonl",
        set.replacen("\"rubric\"", "\"prompt\":\"judge@v2\",\"rubric\"", 2).lines().next().unwrap(),
    );
    project.run_with(&["eval", "judged.jsonl"], WITH_KEY).exits(2).complains("prompt `judge` has no version 2");
    assert_eq!((vendor.requests(), project.json(&["runs", "list"])["runs"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn a_judge_that_fails_leaves_the_case_to_be_resumed_and_only_by_the_same_judge() {
    let broken = MockVendor::start(&json!({"answers": {"mode": "file", "lines": [{"reply": "{\"better\": \"me\"}"}]}}));
    let project = project("good answer", &broken, MODEL);
    judged_cases(&project);
    let eval = ["eval", "judged.jsonl", "--limit", "1", "--repeats", "2", "--concurrency", "1", "--format", "json"];
    let report = project.run_with(&eval, WITH_KEY).exits(3).json();
    assert_eq!((&report["errored"], &report["score"]), (&2.into(), &Value::Null), "no score, and not a 0");
    assert!(report["cost"]["judging_nanousd"].as_u64().unwrap() > 0, "what failed was paid for");
    let error = report["failing"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("judge gave no score: the answer of mock/large breaks its schema"), "{error}");

    let fair = judge_saying(FAIR);
    project.edit("tollgate.toml", broken.openai_url(), fair.openai_url());
    let spent = report["cost"]["judging_nanousd"].as_u64().unwrap();
    let run = report["run"].as_str().unwrap().to_owned();
    project.database().execute("UPDATE runs SET status = 'interrupted'", []).unwrap();
    project.edit("tollgate.toml", MODEL, &format!("{MODEL}\nvotes = 3"));
    project.run_with(&["eval", "--resume", &run], WITH_KEY).exits(2).complains("its judge (model, prompt, votes) was");
    project.edit("tollgate.toml", "votes = 3", "votes = 1");
    let resumed = project.run_with(&["eval", "--resume", &run, "--format", "json"], WITH_KEY).exits(0).json();
    assert_eq!((&resumed["errored"], &resumed["score"]["estimate"]), (&0.into(), &1.0.into()));
    assert!(resumed["cost"]["judging_nanousd"].as_u64().unwrap() > spent, "what failed before is still counted");
}

#[test]
fn a_budget_of_judging_stops_the_run() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    project.append("tollgate.toml", "\n[budgets.task.judge]\nday_usd = 0.000001\n");
    judged_cases(&project);
    let run = project.run_with(&["eval", "judged.jsonl", "--concurrency", "1"], WITH_KEY).exits(1);
    run.complains("the day budget of task:judge has no room").complains("eval --resume run_");
    assert_eq!(vendor.requests(), 0);
}

/// `good` and `bad` answers with labels: so many of each, by what people say.
fn labels(good_passed: usize, good_failed: usize, bad_passed: usize, bad_failed: usize) -> String {
    let mut csv = "question,expected,answer,label,rubric\n".to_owned();
    let groups = [
        ("good", "pass", good_passed),
        ("good", "fail", good_failed),
        ("bad", "yes", bad_passed),
        ("bad", "0", bad_failed),
    ];
    for (answer, label, count) in groups {
        for number in 0..count {
            csv.extend([
                answer,
                " ",
                label,
                " ",
                &number.to_string(),
                "?,good one,\"",
                answer,
                ", then\",",
                label,
                ",\n",
            ]);
        }
    }
    csv
}

fn calibrated(project: &Project, code: i32, options: &[&str]) -> Value {
    let arguments = [&["judge", "calibrate", "labels.csv", "--format", "json"], options].concat();
    let report = project.run_with(&arguments, WITH_KEY).exits(code).json();
    assert_eq!(schema_problems(project.path(), &report), Vec::<String>::new());
    report
}

#[test]
fn calibrating_reports_agreement_and_is_stored_for_this_very_judge() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    // The judge passes the 22 good ones: people and judge agree on 20 and 15 of 40.
    project.write("labels.csv", labels(20, 2, 3, 15));
    let report = calibrated(&project, 0, &[]);
    assert_eq!(vendor.requests(), 80);
    let agreement = json!({"both_pass": 20, "only_people": 3, "only_judge": 2, "both_fail": 15});
    assert_eq!((&report["agreement"], &report["labels"]), (&agreement, &40.into()));
    // Observed 35/40 = 0.875; chance (23 × 22 + 17 × 18) / 1600 = 0.5075; kappa 0.3675 / 0.4925 = 0.746193.
    assert!((report["kappa"].as_f64().unwrap() - 0.746_193).abs() < 1e-6, "{report}");
    assert_eq!((&report["sensitivity"]["count"], &report["sensitivity"]["of"]), (&20.into(), &23.into()));
    assert_eq!((&report["specificity"]["count"], &report["specificity"]["of"]), (&15.into(), &17.into()));
    assert_eq!(report["position_bias"]["count"], 0);
    assert_eq!(report["verdict"], "pass");
    let differ = report["disagreements"].as_array().unwrap();
    assert_eq!(differ.len(), 5);
    assert_eq!(
        (&differ[0]["passed_by_people"], &differ[0]["score"], &differ[0]["line"]),
        (&false.into(), &1.0.into(), &22.into())
    );
    assert_eq!(report["cost_nanousd"].as_u64().unwrap(), project.count("SELECT sum(charged) FROM settlements"));
    let stored = "SELECT count(*) FROM calibrations WHERE judge = '";
    let hash = report["judge"].as_str().unwrap();
    assert_eq!(project.count(&format!("{stored}{hash}'")), 1);
    assert_eq!(project.count("SELECT count(*) FROM calibrations WHERE body LIKE '%then%'"), 0, "no texts are stored");

    project.edit("tollgate.toml", MODEL, &format!("{MODEL}\nvotes = 3"));
    assert_ne!(calibrated(&project, 0, &[])["judge"], hash, "more votes are another judge");
}

#[test]
fn what_a_calibration_says_to_people() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    project.write("labels.csv", labels(12, 0, 1, 10));
    insta::assert_snapshot!(project.run_with(&["judge", "calibrate", "labels.csv"], WITH_KEY).transcript(), @r#"
    exit 0
    --- stdout
    judge calibrate mock/large

    ✓ this judge may decide: kappa 0.91 (95% 0.75 to 1.00) on 23 labels, 0.60 is needed

      Cohen's kappa           0.91 (95% 0.75 to 1.00)
      good answers passed     92.3% (95% 66.7 to 98.6), 12 of 13
      bad answers failed      100.0% (95% 72.2 to 100.0), 10 of 10
      contradictory votes     0.0% (95% 0.0 to 14.3), 0 of 23
      pass rate by people     56.5% (95% 36.8 to 74.4), 13 of 23
      pass rate by the judge  52.2% (95% 33.0 to 70.8), 12 of 23
      prompt, votes           judge@v1, 1 vote in both orders
      cost                    $0.0119

    ── Agreement ───────────────────────────────────────────────────────────────────────────────────────

                   judge passes  judge fails
      ──────────────────────────────────────
      people pass            12            1
      people fail             0           10

    ── Seen differently (1) ────────────────────────────────────────────────────────────────────────────

    line 14 · people: pass · judge: 0.00
    bad yes 0?

    a is better (a: expected, b: answer)

      expected  good one
      answer    bad, then
    --- stderr
    judging 23 labelled answers by mock/large: 46 questions
    "#);
    let csv = project.run_with(&["judge", "calibrate", "labels.csv", "--format", "csv"], WITH_KEY).exits(0).stdout;
    assert_eq!(csv.lines().count(), 2, "{csv}");
}

#[test]
fn the_exit_code_says_what_is_proved() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    project.write("labels.csv", labels(9, 0, 0, 10));
    assert_eq!(calibrated(&project, 4, &[])["kappa"], 1.0, "19 labels are too few");
    project.write("labels.csv", labels(10, 10, 10, 10));
    calibrated(&project, 1, &[]);
    // Kappa 0.4, from 0.151 to 0.649: 0.6 is neither reached nor out of reach.
    project.write("labels.csv", labels(20, 10, 5, 15));
    calibrated(&project, 4, &[]);
    project.edit("tollgate.toml", MODEL, &format!("{MODEL}\nmin_kappa = 0.4"));
    calibrated(&project, 0, &[]);
    let stopped = calibrated(&project, 3, &["--max-cost", "0.0005", "--concurrency", "1"]);
    let (judged, left) = (stopped["labels"].as_u64().unwrap(), stopped["not_asked"].as_u64().unwrap());
    assert!(judged > 0 && judged + left == 50, "{judged} {left}");
    assert_eq!(project.count("SELECT count(*) FROM calibrations"), 4, "what was stopped is not stored");
}

#[test]
fn answers_that_cannot_be_judged_are_counted_neither_way() {
    let mut lines = vec![("9\\?", "x")];
    lines.extend_from_slice(FAIR);
    let vendor = judge_saying(&lines);
    let project = project("good answer", &vendor, MODEL);
    project.write("labels.csv", labels(15, 0, 0, 15));
    let report = calibrated(&project, 0, &[]);
    assert_eq!((&report["labels"], report["unjudged"].as_array().unwrap().len()), (&28.into(), 2));
    assert_eq!(report["agreement"], json!({"both_pass": 14, "only_people": 0, "only_judge": 0, "both_fail": 14}));
    assert!(report["unjudged"][0]["reason"].as_str().unwrap().contains("breaks its schema"), "{report}");
    drop(vendor);
    let run = project.run_with(&["judge", "calibrate", "labels.csv"], WITH_KEY).exits(3);
    run.complains("no answer could be judged");
    assert_eq!(project.count("SELECT count(*) FROM calibrations"), 1);
}

#[test]
fn the_pass_rate_of_a_run_is_corrected_for_the_judges_errors() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    judged_cases(&project);
    project.run_with(&["eval", "judged.jsonl", "--repeats", "10", "--bounds", "never"], WITH_KEY).exits(0);
    project.write("labels.csv", labels(16, 4, 0, 20));
    let report = calibrated(&project, 0, &["--run", "latest"]);
    assert_eq!((&report["run"]["judged"]["count"], &report["run"]["judged"]["of"]), (&20.into(), &20.into()));
    // Sensitivity 16/16, specificity 20/24: (1 + 20/24 - 1) / (1 + 20/24 - 1) = 1.
    assert_eq!(report["run"]["corrected"], 1.0);
    project.edit("tollgate.toml", MODEL, &format!("{MODEL}\nvotes = 2"));
    let asked = vendor.requests();
    let arguments = ["judge", "calibrate", "labels.csv", "--run", "latest"];
    project.run_with(&arguments, WITH_KEY).exits(2).complains("was judged by another judge");
    project.run_with(&["eval", "--limit", "1"], WITH_KEY);
    project.run_with(&arguments, WITH_KEY).exits(2).complains("was not judged by a model");
    assert_eq!(vendor.requests(), asked, "nothing was asked for it");
}

#[test]
fn labels_that_cannot_be_read_are_listed_with_their_lines() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    project.write("labels.csv", "question,expected,answer,label\nq,e,a,maybe\nq,,a,pass\n");
    insta::assert_snapshot!(project.run_with(&["judge", "calibrate", "labels.csv"], WITH_KEY).transcript(), @r#"
    exit 2
    --- stdout

    --- stderr
    error: `labels.csv` has 2 problems
    labels.csv:2: label: `maybe` is neither pass nor fail (1 or 0, true or false, yes or no)
    labels.csv:3: expected: is empty; a judge is only asked where there are two answers to compare
    hint: a CSV file with the columns question, expected, answer and label (pass or fail), and optionally rubric
    "#);
    project.run_with(&["judge", "calibrate", "gone.csv"], WITH_KEY).exits(2).complains("cannot read `gone.csv`");
    project.write("labels.csv", labels(1, 0, 0, 1));
    project.edit("tollgate.toml", MODEL, "");
    let run = project.run_with(&["judge", "calibrate", "labels.csv"], WITH_KEY).exits(2);
    run.complains("names no model that judges").complains("hint: write `model");
    project.append("tollgate.toml", MODEL);
    let run = project.run_with(&["judge", "calibrate", "labels.csv", "--prompt", "answer@v1"], WITH_KEY).exits(2);
    run.complains("prompt `answer@v1` cannot judge");
}

#[test]
fn a_gate_does_not_let_a_judge_decide_that_nobody_has_compared_with_people() {
    let vendor = judge_saying(FAIR);
    let project = project("good answer", &vendor, MODEL);
    judged_cases(&project);
    project.migrate(3, "\"limits.max_output_tokens\" = 400\n");
    let gate = ["gate", "--baseline", "2", "--candidate", "3", "--gold-set", "judged.jsonl"];
    let run = project.run_with(&gate, WITH_KEY).exits(4);
    run.says("the judge is at fault").says("was never calibrated");
    project.write("labels.csv", labels(20, 0, 0, 20));
    calibrated(&project, 0, &[]);
    let asked = vendor.requests();
    let run = project.run_with(&gate, WITH_KEY);
    assert!(!run.stdout.contains("the judge is at fault"), "{}", run.transcript());
    assert_eq!(vendor.requests(), asked, "the stored runs of this very judge are taken");
}
