//! `tollgate lift` and `tollgate tune`: what they measure, what they recommend, and the migrations they propose.

#![cfg(test)]

mod common;

use common::{MockVendor, Project, schema_problems};
use serde_json::Value;

const THRESHOLD: &str = "prompts/migrations/0002_confidence_threshold.toml";

/// How long answers take is not the point where a test says this: other tests run at the same time.
const ANY_LATENCY: [&str; 2] = ["--max-latency-increase", "1000"];

/// The report of `tune threshold`, without a file.
fn curve(project: &Project, more: &[&str]) -> Value {
    project.json(&[&["tune", "threshold", "--no-write"], more].concat())
}

#[test]
fn every_point_of_the_curve_is_what_the_pipeline_does_at_that_threshold() {
    let project = Project::scaffolded();
    let curve = curve(&project, &["--repeats", "2", "--seed", "5"]);
    let points = curve["points"].as_array().unwrap();
    let shares: std::collections::BTreeSet<String> =
        points.iter().map(|point| point["kept_share"].to_string()).collect();
    assert!(shares.len() >= 4, "the small model must be unsure now and then: {shares:?}");
    for point in points.iter().step_by(points.len().div_ceil(4)).chain(points.last()) {
        let threshold = &point["threshold"];
        project.migrate(2, &format!("\"stages.confidence_threshold\" = {threshold}\n"));
        let run = project.json(&["eval", "--repeats", "2", "--seed", "5", "--bounds", "never"]);
        assert_eq!(run["score"], point["score"], "{threshold}");
        assert_eq!(run["pass_rate"], point["pass_rate"], "{threshold}");
        assert_eq!(run["cost"]["total_nanousd"], point["cost_nanousd"], "{threshold}");
        assert_eq!(run["cost"]["per_case_nanousd"], point["cost_per_question_nanousd"], "{threshold}");
        assert_eq!(run["cost"]["per_success_nanousd"], point["cost_per_success_nanousd"], "{threshold}");
        let small = run["paths"].as_array().unwrap().iter().find(|path| path["path"] == "small").unwrap();
        assert_eq!(small["share"], point["kept_share"], "{threshold}");
    }
    // One model alone is a release too.
    for (other, figures) in [("large", &curve["small_alone"]), ("small", &curve["large_alone"])] {
        project.migrate(2, &format!("\"stages.{other}\" = \"\"\n"));
        let run = project.json(&["eval", "--repeats", "2", "--seed", "5", "--bounds", "never"]);
        assert_eq!(run["score"], figures["score"], "without {other}");
        assert_eq!(run["cost"]["total_nanousd"], figures["cost_nanousd"], "without {other}");
    }
}

#[test]
fn both_models_are_asked_once_however_often_the_curve_is_drawn() {
    let project = Project::scaffolded();
    curve(&project, &[]);
    let calls = project.count("SELECT count(*) FROM calls");
    project.migrate(2, "\"stages.confidence_threshold\" = 0.45\n");
    let again = project.run(&["tune", "threshold", "--no-write", "--margin", "0.1"]).exits(0);
    again.complains("has answered the cases of work with the small model alone already");
    assert_eq!(project.count("SELECT count(*) FROM calls"), calls);
}

#[test]
fn a_proposed_threshold_is_the_next_migration_and_is_not_proposed_again() {
    let project = Project::scaffolded();
    // Where any loss is accepted, it is the cheapest threshold; of equally cheap ones the highest.
    let shown = project.run(&["tune", "threshold", "--margin", "1", "--no-write"]).exits(0);
    shown.says("set the threshold to 0.529 instead of 0.6").says("not written");
    assert!(!project.file(THRESHOLD).exists());
    let written = project.run(&["tune", "threshold", "--margin", "1"]).exits(0);
    written.says("written to prompts/migrations/0002_confidence_threshold.toml, and not applied");
    let text = project.read(THRESHOLD);
    assert!(text.contains("[set]\n\"stages.confidence_threshold\" = 0.529\n"), "{text}");
    assert!(text.contains("[gate]\ngold_set = \"starter\"\nmargin = 1.0\n"), "{text}");
    project.run(&["prompts", "check"]).exits(0);
    project.run(&["tune", "threshold", "--margin", "1"]).exits(0).says("keep the threshold 0.529");
    assert!(!project.file("prompts/migrations/0003_confidence_threshold.toml").exists());
}

#[test]
fn a_release_of_one_model_has_no_threshold() {
    let project = Project::scaffolded();
    project.migrate(2, "\"stages.large\" = \"\"\n");
    project.run(&["tune", "threshold"]).exits(2).complains("the release has one model").complains("hint: ");
}

#[test]
fn retrieval_is_worth_it_where_answers_come_from_documents() {
    let project = Project::scaffolded();
    let report = project.json(&[&["lift", "rag"][..], &ANY_LATENCY].concat());
    assert_eq!((&report["verdict"], &report["in_use"]), (&"pass".into(), &true.into()));
    let comparison = &report["comparisons"][0];
    let score = |side: &str| comparison[side]["score"]["estimate"].as_f64().unwrap();
    assert!(score("with") > 1.5 * score("without"), "{comparison}");
    assert_eq!(report["proposal"], Value::Null);
    // The rule is the user's, and what gains too little is proposed to be switched off.
    project.run(&["lift", "rag", "--min-lift", "1000", "--no-write"]).exits(1).says("retrieval is not worth it");
    // One case proves nothing.
    project.run(&["lift", "rag", "--limit", "1"]).exits(4).says("nobody can say yet");
}

#[test]
fn retrieval_that_is_off_and_worth_it_is_proposed() {
    let project = Project::scaffolded();
    project.migrate(2, "\"retrieval.mode\" = \"off\"\n");
    let run = project.run(&[&["lift", "rag"][..], &ANY_LATENCY].concat()).exits(0);
    run.says("retrieval is worth it").says("0003_rag_hybrid.toml");
    let text = project.read("prompts/migrations/0003_rag_hybrid.toml");
    assert!(text.contains("\"retrieval.mode\" = \"hybrid\""), "{text}");
    project.run(&["prompts", "check"]).exits(0);
}

#[test]
fn worked_examples_need_to_be_written_before_they_can_be_tried() {
    let project = Project::scaffolded();
    let missing = project.run(&["lift", "few-shot"]).exits(2);
    missing.complains("the project has no worked examples").complains("hint: write them into");
    let example = "description = \"d\"\ntask = \"answer\"\n[[messages]]\nrole = \"user\"\ncontent = \"Hello\"\n\
        [[messages]]\nrole = \"assistant\"\n\
        content = '{\"answer\": \"Hello\", \"citations\": [], \"confidence\": 0.9, \"refused\": false}'\n";
    project.write("prompts/answer_examples/v1.toml", example);
    // The offline models do not read examples, which only cost.
    let report = project.run(&["lift", "few-shot", "--format", "json"]).exits(1).json();
    assert_eq!((&report["verdict"], &report["in_use"]), (&"fail".into(), &false.into()));
    let comparison = &report["comparisons"][0];
    assert_eq!(comparison["difference"]["estimate"], 0.0);
    assert!(comparison["lift"]["cost_per_success"]["relative"].as_f64().unwrap() > 0.0);
    assert_eq!(report["proposal"], Value::Null);
}

#[test]
fn other_retrieval_modes_are_compared_with_the_one_in_use() {
    let project = Project::scaffolded();
    let run = project.run(&["lift", "retrieval-mode", "--format", "json", "--no-write"]);
    let report = run.json();
    let names = |side: &str| -> Vec<String> {
        let comparisons = report["comparisons"].as_array().unwrap().iter();
        comparisons.map(|comparison| comparison[side].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (names("with_name"), names("without_name")),
        (vec!["keyword".into(), "vector".into()], vec!["hybrid".into(); 2])
    );
    let code = match report["verdict"].as_str().unwrap() {
        "pass" => 0,
        "fail" => 1,
        _ => 4,
    };
    run.exits(code);
}

#[test]
fn the_fusion_weight_is_tuned_by_searching_alone() {
    let project = Project::scaffolded();
    let report = project.json(&["tune", "fusion", "--no-write"]);
    assert_eq!(report["points"].as_array().unwrap().len(), 11);
    assert_eq!(project.count("SELECT count(*) FROM calls"), 0);
    let csv = project.run(&["tune", "fusion", "--no-write", "--format", "csv"]).exits(0);
    assert_eq!(csv.stdout.lines().count(), 12);
    project.migrate(2, "\"retrieval.mode\" = \"keyword\"\n");
    project.run(&["tune", "fusion"]).exits(2).complains("where no weight counts").complains("hint: ");
}

#[test]
fn a_gold_set_without_expected_documents_cannot_tune_retrieval() {
    let project = Project::scaffolded();
    project.write("gold_sets/bare.jsonl", "{\"id\": \"a\", \"question\": \"Where?\", \"expected\": \"Here.\"}\n");
    let run = project.run(&["tune", "fusion", "gold_sets/bare.jsonl"]).exits(2);
    run.complains("no case of bare says which documents hold its answer").complains("hint: write `expected_docs`");
}

#[test]
fn reports_keep_to_their_published_schemas_and_the_limit_is_for_all_runs_together() {
    let project = Project::scaffolded();
    for arguments in [&["tune", "threshold"][..], &["tune", "fusion"], &["lift", "rag"]] {
        let report = project.json(&[arguments, &["--no-write"]].concat());
        assert_eq!(schema_problems(project.path(), &report), [""; 0], "{arguments:?}");
    }
    let poor = Project::scaffolded();
    poor.run(&["tune", "threshold", "--max-cost", "0.000000001"]).exits(3).complains("hint: ");
}

#[test]
fn the_vector_of_a_question_is_paid_once_on_the_curve_too() {
    let vendor = MockVendor::start(&serde_json::json!({}));
    let project = Project::with_vendor("openai", &vendor);
    project.append(
        "tollgate.toml",
        "[providers.mock.models.embed]\ninput_usd_per_million = 1\noutput_usd_per_million = 0\n",
    );
    let embedder = "\"retrieval.embedder\" = \"mock/embed\"\n";
    project.migrate(3, embedder);
    let json = |arguments: &[&str]| {
        let run = project.run_with(&[arguments, &["--format", "json"]].concat(), &[("MOCK_KEY", "k")]);
        run.exits(0).json()
    };
    let curve = json(&["tune", "threshold", "--no-write"]);
    let highest = curve["points"].as_array().unwrap().last().unwrap();
    project.migrate(3, &format!("{embedder}\"stages.confidence_threshold\" = 1\n"));
    let run = json(&["eval", "--bounds", "never"]);
    assert_eq!(run["cost"]["total_nanousd"], highest["cost_nanousd"]);
    assert!(project.count("SELECT count(*) FROM calls WHERE operation = 'embeddings'") > 0);
    // The models of this vendor cost the same, so that the large one alone is the cheapest.
    assert_eq!(curve["advice"], "none");
}
