//! Judging answers: every check of [`crate::gold::Check`], each giving a score in 0..=1.
//!
//! Checks against the expected answers (`exact`, `numeric`, `token_f1`, `rouge_l`, `bleu`, `similarity`, `judge`) give a
//! refusal 1 when the case expects one and 0 when it does not, and an empty answer 0; `grounded` does the same with a
//! refusal.
//! All other checks look at the answer as it is.

mod bleu;
mod command;
mod compiled;
mod expected;
mod grounded;
mod judge;
mod judgement;
mod matching;
mod numbers;
mod retrieval;
mod rouge;
mod similarity;
mod squad;
mod validate;

pub use bleu::sentence_bleu;
pub use grounded::{cites, grounded};
pub use judge::{Judge, JudgeError, JudgeModel, JudgeParts, Judged, Ruling, judge_prompt};
pub use retrieval::ranking_score;
pub use rouge::rouge_l;
pub use similarity::similarity;
pub use squad::token_f1;
pub use validate::{CheckError, validate};

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cost::BudgetBreach;
use crate::domain::{Answer, NanoUsd};
use crate::gold::{Case, Check, Grader, RetrievalMetric};

use compiled::Compiled;
use judgement::Judgement;

/// Grows whenever a grader judges otherwise than before, so that scores of two versions are not compared.
pub const VERSION: u32 = 1;

/// What one grader made of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Grade {
    /// The check's name as in the gold set; a retrieval check is named by its measure, such as `recall@5`.
    pub grader: String,
    /// How much it counts in the case's score; 0 when the check does not apply to the case.
    pub weight: f64,
    /// 0..=1; `None` when the grader could not judge.
    pub score: Option<f64>,
    /// Why it is not 1, where there is more to say than the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What all graders made of one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Grading {
    /// One grade for each grader, in their order.
    pub grades: Vec<Grade>,
    /// What a model's judging cost, which is no part of what the answer cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// The budget that had no room for judging.
    pub breach: Option<Box<BudgetBreach>>,
}

/// The score of a case: the mean of its grades by weight.
///
/// `None` when a grader that counts could not judge, or when none counts.
pub fn case_score(grades: &[Grade]) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for grade in grades.iter().filter(|grade| grade.weight > 0.0) {
        sum += grade.weight * grade.score?;
        weights += grade.weight;
    }
    (weights > 0.0).then(|| sum / weights)
}

/// Grades answers; keeps what is costly to make (regular expressions, JSON Schemas) from one case to the next.
pub struct Graders {
    directory: PathBuf,
    judge: Option<Arc<Judge>>,
    regexes: Compiled<regex::Regex>,
    schemas: Compiled<jsonschema::Validator>,
}

impl Graders {
    /// Graders whose commands run in `directory`, the project's.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        let (regexes, schemas) = (Compiled::default(), Compiled::default());
        Self { directory: directory.into(), judge: None, regexes, schemas }
    }

    /// The same with a model that judges for `judge` graders, which give no score without one.
    #[must_use]
    pub fn with_judge(self, judge: Option<Arc<Judge>>) -> Self {
        Self { judge, ..self }
    }

    /// One grade for each of `graders`, in their order, and what they cost.
    ///
    /// `graders` are those that hold for the case: its own, or its set's. Only `command` and `judge` ever wait.
    pub async fn grade(&self, case: &Case, graders: &[Grader], answer: &Answer) -> Grading {
        let mut given = Vec::with_capacity(graders.len());
        let (mut cost_nanousd, mut breach) = (Some(NanoUsd::ZERO), None);
        for Grader { check, weight } in graders {
            let judgement = match check {
                Check::Command { command, timeout_ms } => {
                    command::judge(command, &self.directory, *timeout_ms, case, answer).await
                }
                Check::Judge { rubric, prompt } => {
                    let judged = judge::judge(self.judge.as_deref(), case, rubric.as_deref(), prompt, answer).await;
                    cost_nanousd = cost_nanousd.zip(judged.cost_nanousd).map(|(sum, more)| sum + more);
                    breach = judged.breach.or(breach);
                    judged.judgement
                }
                other => self.judge(other, case, answer),
            };
            given.push(judgement.into_grade(name(check), *weight));
        }
        Grading { grades: given, cost_nanousd, breach }
    }

    fn judge(&self, check: &Check, case: &Case, answer: &Answer) -> Judgement {
        let text = answer.text.as_str();
        match check {
            Check::Exact { case_sensitive } => expected::exact(case, answer, *case_sensitive),
            Check::TokenF1 {} => expected::token_f1(case, answer),
            Check::RougeL {} => expected::best(case, answer, rouge_l),
            Check::Similarity {} => expected::best(case, answer, similarity),
            Check::Bleu {} => expected::bleu(case, answer),
            Check::Numeric { value, tolerance, relative } => {
                expected::numeric(case, answer, *value, *tolerance, *relative)
            }
            Check::ContainsAll { values } => matching::contains_all(text, values),
            Check::ContainsAny { values } => matching::contains_any(text, values),
            Check::NotContains { values } => matching::not_contains(text, values),
            Check::Regex { pattern } => match self.regexes.get(pattern, compiled::regex) {
                Ok(regex) => Judgement::yes_or_no(regex.is_match(text), || "no match".to_owned()),
                Err(error) => Judgement::Unjudged(error),
            },
            Check::JsonSchema { schema } => match self.schemas.get(&schema.to_string(), |_| compiled::schema(schema)) {
                Ok(schema) => matching::json_schema(text, &schema),
                Err(error) => Judgement::Unjudged(error),
            },
            Check::Cites {} => grounded::judge_citations(&case.expected_docs, answer),
            Check::Retrieval { metric, k } => match ranking_score(*metric, &answer.passages, &case.expected_docs, *k) {
                Some(score) => Judgement::score(score),
                None => Judgement::NotApplicable("the case expects no document".to_owned()),
            },
            Check::Grounded { support } => grounded::judge(case, answer, *support),
            Check::Refusal { expect } => matching::refusal(answer.refused, expect.unwrap_or(!case.is_answerable())),
            Check::MaxLatencyMs { limit } => matching::max_latency(answer, *limit),
            Check::MaxCost { limit_nanousd } => matching::max_cost(answer.cost_nanousd, *limit_nanousd),
            Check::Command { .. } | Check::Judge { .. } => {
                Judgement::Unjudged("what has to be waited for cannot be judged at once".to_owned())
            }
        }
    }
}

/// The name of a model's grades.
pub(super) const JUDGE: &str = "judge";

fn name(check: &Check) -> String {
    let name = match check {
        Check::Exact { .. } => "exact",
        Check::ContainsAll { .. } => "contains_all",
        Check::ContainsAny { .. } => "contains_any",
        Check::NotContains { .. } => "not_contains",
        Check::Regex { .. } => "regex",
        Check::Numeric { .. } => "numeric",
        Check::TokenF1 {} => "token_f1",
        Check::RougeL {} => "rouge_l",
        Check::Bleu {} => "bleu",
        Check::JsonSchema { .. } => "json_schema",
        Check::Cites {} => "cites",
        Check::Retrieval { metric: RetrievalMetric::Recall, k } => return format!("recall@{k}"),
        Check::Retrieval { metric: RetrievalMetric::Mrr, k } => return format!("mrr@{k}"),
        Check::Retrieval { metric: RetrievalMetric::Ndcg, k } => return format!("ndcg@{k}"),
        Check::Grounded { .. } => "grounded",
        Check::Refusal { .. } => "refusal",
        Check::Similarity {} => "similarity",
        Check::Judge { .. } => JUDGE,
        Check::MaxLatencyMs { .. } => "max_latency_ms",
        Check::MaxCost { .. } => "max_cost",
        Check::Command { .. } => "command",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests;
