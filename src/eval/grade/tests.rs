use serde_json::json;

use super::*;
use crate::domain::{AnswerPath, NanoUsd, Passage, Usage};

fn case(expected: &[&str]) -> Case {
    Case {
        id: "c1".into(),
        question: "How do I cap spend?".into(),
        expected: expected.iter().map(|&text| text.to_owned()).collect(),
        graders: Vec::new(),
        expected_docs: Vec::new(),
        tags: Vec::new(),
        cluster: None,
        critical: false,
        weight: 1.0,
    }
}

fn answer(text: &str) -> Answer {
    Answer {
        ticket: uuid::Uuid::nil().into(),
        text: text.into(),
        citations: Vec::new(),
        refused: false,
        confidence: None,
        path: AnswerPath::Small,
        model: None,
        passages: Vec::new(),
        usage: Usage::default(),
        cost_nanousd: None,
        latency_ms: 12.34,
        calls: 1,
        replayed: false,
        trace: Vec::new(),
    }
}

fn refusal() -> Answer {
    Answer { refused: true, path: AnswerPath::Refused, ..answer("I found nothing on how to cap spend in 5 passages.") }
}

async fn grade(check: Check, case: &Case, answer: &Answer) -> Grade {
    let graders = [Grader { check, weight: 2.0 }];
    Graders::new(".").grade(case, &graders, answer).await.grades.remove(0)
}

async fn score(check: Check, case: &Case, answer: &Answer) -> Option<f64> {
    grade(check, case, answer).await.score
}

fn against_expected() -> [Check; 7] {
    [
        Check::Exact { case_sensitive: false },
        Check::Exact { case_sensitive: true },
        Check::TokenF1 {},
        Check::RougeL {},
        Check::Bleu {},
        Check::Similarity {},
        Check::Numeric { value: None, tolerance: 0.0, relative: 0.0 },
    ]
}

fn values(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

#[tokio::test]
async fn the_best_expected_answer_counts() {
    let case = case(&["Wait.", "Set a cap of 5 dollars."]);
    for check in against_expected() {
        assert_eq!(score(check.clone(), &case, &answer("Set a cap of 5 dollars.")).await, Some(1.0), "{check:?}");
    }
}

#[tokio::test]
async fn a_refusal_earns_no_partial_credit_and_neither_does_an_empty_answer() {
    let case = case(&["I found that you cap spend in 5 passages."]);
    for check in against_expected() {
        let grade = grade(check.clone(), &case, &refusal()).await;
        assert_eq!((grade.score, grade.reason.as_deref()), (Some(0.0), Some("refused")), "{check:?}");
        assert_eq!(score(check.clone(), &case, &answer(" \n")).await, Some(0.0), "{check:?}");
    }
    assert_eq!(score(Check::Grounded { support: 0.0 }, &case, &refusal()).await, Some(0.0));
}

#[tokio::test]
async fn refusing_is_right_where_no_answer_is_expected() {
    for check in against_expected().into_iter().chain([Check::Refusal { expect: None }]) {
        assert_eq!(score(check.clone(), &case(&[]), &refusal()).await, Some(1.0), "{check:?}");
        let answered = grade(check.clone(), &case(&[]), &answer("Set a cap of 5 dollars.")).await;
        assert_eq!(answered.score, Some(0.0), "{check:?}");
        assert_eq!(answered.reason.as_deref(), Some("answered where a refusal is expected"), "{check:?}");
    }
    assert_eq!(score(Check::Refusal { expect: Some(false) }, &case(&[]), &refusal()).await, Some(0.0));
}

#[tokio::test]
async fn exact_ignores_case_and_articles_unless_told() {
    let case = case(&["The Cap!"]);
    assert_eq!(score(Check::Exact { case_sensitive: false }, &case, &answer("cap")).await, Some(1.0));
    assert_eq!(score(Check::Exact { case_sensitive: true }, &case, &answer("the cap!")).await, Some(0.0));
    assert_eq!(score(Check::Exact { case_sensitive: true }, &case, &answer(" The Cap!\n")).await, Some(1.0));
}

#[tokio::test]
async fn contained_values_are_looked_for_without_case() {
    let (case, answer) = (case(&["x"]), answer("Use Budget ＳＥＴ first"));
    let all = grade(Check::ContainsAll { values: values(&["budget", "set", "reset"]) }, &case, &answer).await;
    assert!((all.score.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(all.reason.as_deref(), Some("missing: reset"));
    assert_eq!(score(Check::ContainsAny { values: values(&["cap", "FIRST"]) }, &case, &answer).await, Some(1.0));
    assert_eq!(score(Check::ContainsAny { values: values(&["cap"]) }, &case, &answer).await, Some(0.0));
    assert_eq!(score(Check::NotContains { values: values(&["cap"]) }, &case, &answer).await, Some(1.0));
    let not = grade(Check::NotContains { values: values(&["cap", "USE"]) }, &case, &answer).await;
    assert_eq!((not.score, not.reason.as_deref()), (Some(0.0), Some("contains `USE`")));
}

#[tokio::test]
async fn a_number_may_differ_by_the_tolerance() {
    let numeric = |value, tolerance, relative| Check::Numeric { value, tolerance, relative };
    let case = case(&["about 2.5 seconds"]);
    assert_eq!(score(numeric(None, 0.1, 0.0), &case, &answer("It takes 2.6 s")).await, Some(1.0));
    assert_eq!(score(numeric(None, 0.1, 0.0), &case, &answer("It takes 2.61 s")).await, Some(0.0));
    assert_eq!(score(numeric(None, 0.0, 0.1), &case, &answer("2.75")).await, Some(1.0));
    assert_eq!(score(numeric(Some(1500.0), 0.0, 0.0), &case, &answer("3 or 1,500")).await, Some(1.0));
    let far = grade(numeric(Some(-4.0), 0.0, 0.0), &case, &answer("4 or 5")).await;
    assert_eq!((far.score, far.reason.as_deref()), (Some(0.0), Some("found 4, 5")));
    let wordy = self::case(&["a few"]);
    assert_eq!(grade(numeric(None, 0.0, 0.0), &wordy, &answer("3")).await.score, None);
}

#[tokio::test]
async fn regex_and_schema_look_at_the_text() {
    let case = case(&["x"]);
    let regex = |pattern: &str| Check::Regex { pattern: pattern.into() };
    assert_eq!(score(regex(r"(?i)CAP \d+"), &case, &answer("a cap 5")).await, Some(1.0));
    assert_eq!(score(regex(r"^cap"), &case, &answer("a cap 5")).await, Some(0.0));
    assert_eq!(grade(regex("("), &case, &answer("a")).await.score, None);

    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let schema = Check::JsonSchema { schema };
    assert_eq!(score(schema.clone(), &case, &answer(" {\"n\": 1}\n")).await, Some(1.0));
    let wrong = grade(schema.clone(), &case, &answer("{\"n\": \"1\"}")).await;
    assert_eq!((wrong.score, wrong.reason.as_deref()), (Some(0.0), Some("/n: \"1\" is not of type \"integer\"")));
    let none = grade(schema, &case, &answer("n is 1")).await;
    assert!(none.score == Some(0.0) && none.reason.unwrap().starts_with("not JSON: "));
}

#[tokio::test]
async fn limits_include_themselves_and_an_unknown_cost_is_not_judged() {
    let case = case(&["x"]);
    assert_eq!(score(Check::MaxLatencyMs { limit: 12.34 }, &case, &answer("a")).await, Some(1.0));
    let slow = grade(Check::MaxLatencyMs { limit: 10.0 }, &case, &answer("a")).await;
    assert_eq!((slow.score, slow.reason.as_deref()), (Some(0.0), Some("took 12.3 ms, limit 10 ms")));
    let unknown = grade(Check::MaxCost { limit_nanousd: 5 }, &case, &answer("a")).await;
    assert_eq!((unknown.score, unknown.reason.as_deref()), (None, Some("the cost is unknown")));
    let paid = Answer { cost_nanousd: Some(NanoUsd(5)), ..answer("a") };
    assert_eq!(score(Check::MaxCost { limit_nanousd: 5 }, &case, &paid).await, Some(1.0));
    assert_eq!(score(Check::MaxCost { limit_nanousd: 4 }, &case, &paid).await, Some(0.0));
}

#[tokio::test]
async fn citations_count_for_their_chunk_and_their_document() {
    let case = Case { expected_docs: values(&["docs/a.md", "docs/b.md#x"]), ..case(&["x"]) };
    let citing = |citations: &[&str]| Answer { citations: values(citations), ..answer("a") };
    assert_eq!(score(Check::Cites {}, &case, &citing(&["docs/a.md#z", "docs/b.md#x"])).await, Some(1.0));
    let half = grade(Check::Cites {}, &case, &citing(&["docs/a.md#z", "docs/b.md#y"])).await;
    assert_eq!((half.score, half.reason.as_deref()), (Some(0.5), Some("not cited: docs/b.md#x")));
    assert_eq!(score(Check::Cites {}, &self::case(&[]), &refusal()).await, Some(1.0));
    assert_eq!(score(Check::Cites {}, &self::case(&[]), &citing(&["docs/a.md#z"])).await, Some(0.0));
}

#[tokio::test]
async fn an_unsupported_sentence_is_shown() {
    let passage = Passage {
        chunk: "a#1".into(),
        document: "a".into(),
        heading: "Budgets".into(),
        text: "A cap stops calls.".into(),
        score: None,
    };
    let answer = Answer { passages: vec![passage], ..answer("A cap stops calls. Unicorns fly.") };
    let grade = grade(Check::Grounded { support: 0.5 }, &case(&["x"]), &answer).await;
    assert_eq!((grade.score, grade.reason.as_deref()), (Some(0.5), Some("unsupported: Unicorns fly.")));
}

#[tokio::test]
async fn retrieval_is_named_by_its_measure_and_does_not_count_without_documents() {
    let check = Check::Retrieval { metric: RetrievalMetric::Ndcg, k: 10 };
    let none = grade(check.clone(), &case(&[]), &refusal()).await;
    assert_eq!((none.grader.as_str(), none.weight, none.score), ("ndcg@10", 0.0, None));
    let some = Case { expected_docs: values(&["a"]), ..case(&["x"]) };
    let found = grade(check, &some, &answer("x")).await;
    assert_eq!((found.weight, found.score), (2.0, Some(0.0)));
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_sees_the_case_and_the_answer() {
    let script = r#"input=$(cat); case "$input" in *'"case":{"id":"c1"'*'"text":"hello"'*) echo '{"score":1}';; esac"#;
    let command = |script: &str| Check::Command { command: values(&["sh", "-c", script]), timeout_ms: 10_000 };
    assert_eq!(score(command(script), &case(&["x"]), &answer("hello")).await, Some(1.0));
    let failed = grade(command("echo sorry >&2; exit 1"), &case(&["x"]), &answer("hello")).await;
    assert_eq!(failed.score, None);
    assert_eq!(failed.reason.as_deref(), Some("`sh` failed (exit status: 1): sorry"));
}

#[test]
fn a_case_score_is_the_weighted_mean_of_what_counts() {
    let grade = |weight, score| Grade { grader: "exact".into(), weight, score, reason: None };
    assert_eq!(case_score(&[grade(1.0, Some(1.0)), grade(3.0, Some(0.0))]), Some(0.25));
    assert_eq!(case_score(&[grade(1.0, Some(1.0)), grade(0.0, None)]), Some(1.0));
    assert_eq!(case_score(&[grade(1.0, Some(1.0)), grade(1.0, None)]), None);
    assert_eq!(case_score(&[grade(0.0, Some(1.0))]), None);
    assert_eq!(case_score(&[]), None);
}

#[test]
fn a_missing_score_is_null() {
    let grade = Grade { grader: "max_cost".into(), weight: 1.0, score: None, reason: Some("unknown".into()) };
    let json = serde_json::to_value(&grade).unwrap();
    assert_eq!(json, json!({"grader": "max_cost", "weight": 1.0, "score": null, "reason": "unknown"}));
    assert_eq!(serde_json::from_value::<Grade>(json).unwrap(), grade);
}
