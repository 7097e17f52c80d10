use serde::Serialize;

use super::RunDetails;
use crate::domain::{AnswerPath, NanoUsd, RunId, Usage};
use crate::stats::MeanEstimate;
use crate::store::{GradeRow, RunStatus};

/// What a run came to. Every figure is derived from its stored results.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct EvalReport {
    /// The run.
    pub run: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// When it was first started, RFC 3339.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// The gold set's name.
    pub gold_set: String,
    /// Where it was read from.
    pub gold_path: String,
    /// Hash of its content.
    pub gold_hash: String,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: String,
    /// What is needed to repeat the run.
    pub details: RunDetails,
    /// Repeats of cases to be asked.
    pub planned: u64,
    /// Of these, asked so far.
    pub results: u64,
    /// Of the asked, those without an answer or a score.
    pub errored: u64,
    /// Of the asked, those that the assistant itself failed, such as by an answer that breaks its schema; they score 0.
    pub broken: u64,
    /// Cases with a result.
    pub cases: u64,
    /// The weighted mean score, with its cluster-robust 95 % interval.
    pub score: Option<MeanEstimate>,
    /// Cases at or above the pass score.
    pub passed: u64,
    /// Share of the judged cases that passed.
    pub pass_rate: Option<f64>,
    /// Floor and ceiling, when they were measured.
    pub bounds: Option<BoundsReport>,
    /// Answerable cases and those of them that were refused.
    pub answerable: RefusalCount,
    /// Unanswerable cases and those of them that were refused.
    pub unanswerable: RefusalCount,
    /// By tag.
    pub by_tag: Vec<SliceReport>,
    /// By grader.
    pub by_grader: Vec<GraderReport>,
    /// Latency of the answers.
    pub latency: Option<LatencyReport>,
    /// What it cost.
    pub cost: CostReport,
    /// Which stage answered how often.
    pub paths: Vec<PathShare>,
    /// The cases with the lowest scores.
    pub worst: Vec<WorstCase>,
    /// Failing cases, with the command that repeats each.
    pub failing: Vec<FailingCase>,
    /// Failing cases beyond those listed.
    pub failing_unlisted: u64,
    /// Every case, when it was asked for (CSV and JUnit need them).
    #[serde(skip)]
    pub every_case: Vec<CaseLine>,
}

/// How much a report shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Cases with the lowest scores that are shown in full.
    pub worst: usize,
    /// Whether every case is listed; then memory grows with the cases.
    pub every_case: bool,
}

/// One case in a line.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseLine {
    /// The case.
    pub case: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its mean score over the repeats.
    pub score: Option<f64>,
    /// Whether that is a pass; `None` without a score.
    pub passed: Option<bool>,
    /// What was asked.
    pub question: String,
    /// The acceptable answers.
    pub expected: Vec<String>,
    /// The worst answer of its repeats.
    pub got: String,
    /// Whether that was a refusal.
    pub refused: bool,
    /// Which stage gave it.
    pub path: Option<AnswerPath>,
    /// How long it took.
    pub latency_ms: Option<f64>,
    /// What it cost.
    pub cost_nanousd: Option<NanoUsd>,
    /// Why there is no answer or score.
    pub error: Option<String>,
}

/// The scale that a score is read on: the same questions over random passages and over the right ones.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BoundsReport {
    /// Cases that all three were measured on: answerable, with expected documents.
    pub cases: u64,
    /// Mean score over random passages.
    pub floor: Option<f64>,
    /// Mean score through the release's own retrieval.
    pub score: Option<f64>,
    /// Mean score over passages of the expected documents.
    pub ceiling: Option<f64>,
}

/// How many of some cases were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct RefusalCount {
    /// Repeats of cases that were answered or refused.
    pub answers: u64,
    /// Of these, refused.
    pub refused: u64,
}

/// One slice of the cases.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SliceReport {
    /// The tag.
    pub tag: String,
    /// Its cases.
    pub cases: u64,
    /// Their score.
    pub score: Option<MeanEstimate>,
    /// Share that passed.
    pub pass_rate: Option<f64>,
}

/// What one grader said of all cases it judged.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct GraderReport {
    /// The grader.
    pub grader: String,
    /// Cases it was asked about.
    pub cases: u64,
    /// Cases it could not judge.
    pub unjudged: u64,
    /// Its mean score.
    pub score: Option<MeanEstimate>,
    /// Whether it counts in any case's score.
    pub counts: bool,
}

/// Percentiles in milliseconds, from a histogram with three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the unit is the last word of every name")]
pub struct LatencyReport {
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

/// What a run cost; floor and ceiling are not in it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CostReport {
    /// Sum over all results; `None` when the cost of some is unknown.
    pub total_nanousd: Option<NanoUsd>,
    /// Of one result.
    pub per_case_nanousd: Option<NanoUsd>,
    /// Of one passed result: what the failed ones cost is carried by those that passed.
    pub per_success_nanousd: Option<NanoUsd>,
    /// What measuring floor and ceiling cost besides.
    pub bounds_nanousd: Option<NanoUsd>,
    /// What a model's judging of the answers cost besides; it is no part of what an answer costs. `None` when unknown.
    pub judging_nanousd: Option<NanoUsd>,
    /// Model calls.
    pub calls: u64,
    /// Tokens.
    pub tokens: Usage,
}

/// How often one stage answered.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct PathShare {
    /// The stage.
    pub path: AnswerPath,
    /// Answers.
    pub answers: u64,
    /// Share of all answers.
    pub share: f64,
}

/// A case with a low score.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct WorstCase {
    /// The case.
    pub case: String,
    /// Its score.
    pub score: f64,
    /// What was asked.
    pub question: String,
    /// The acceptable answers.
    pub expected: Vec<String>,
    /// The worst answer of its repeats.
    pub got: String,
    /// Whether that was a refusal.
    pub refused: bool,
    /// What it cites.
    pub citations: Vec<String>,
    /// What each grader said of it.
    pub grades: Vec<GradeRow>,
    /// Why there is no answer.
    pub error: Option<String>,
}

/// A case that did not pass.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct FailingCase {
    /// The case.
    pub case: String,
    /// Its score; `None` when it could not be judged.
    pub score: Option<f64>,
    /// Why it has no answer or no score, or how the answer broke its schema.
    pub error: Option<String>,
    /// The command that repeats it.
    pub repro: String,
}
