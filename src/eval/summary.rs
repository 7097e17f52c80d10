use std::collections::{BTreeMap, HashSet};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::accumulate::{CaseSummary, Grouper, Slice, Slices};
use super::{EvalError, RunDetails};
use crate::domain::{AnswerPath, NanoUsd, RunId, Usage};
use crate::gold::filter_for_id;
use crate::stats::MeanEstimate;
use crate::store::{CaseKind, CaseResult, CaseStatus, GradeRow, RunRow, RunStatus, Store};

/// Failing cases that a report lists with their repro command; the rest is counted.
const FAILING_LISTED: usize = 200;

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

/// Derives a report from the stored results of `run`.
///
/// Memory grows with the tags and graders, not with the results; with bounds, by the ids of the cases.
pub fn summarize(store: &Store, run: &RunRow, detail: Detail) -> Result<EvalReport, EvalError> {
    let details = RunDetails::of(run)?;
    let bounds = if details.bounds { Some(Bounds::read(store, run.id)?) } else { None };
    let mut tally = Tally::new(run, &details, detail, bounds);
    let mut grouper = Grouper::default();
    store.for_each_result::<EvalError>(run.id, CaseKind::Case, |result| {
        tally.result(&result);
        if let Some(case) = grouper.add(result) {
            tally.case(&case);
        }
        Ok(())
    })?;
    if let Some(case) = grouper.finish() {
        tally.case(&case);
    }
    Ok(tally.finish(run, details))
}

/// The scores of floor and ceiling, and the cases they were measured on.
#[derive(Default)]
struct Bounds {
    cases: HashSet<(String, String)>,
    floor: Slice,
    ceiling: Slice,
    score: Slice,
    cost: NanoUsd,
    cost_unknown: bool,
}

impl Bounds {
    fn read(store: &Store, run: RunId) -> Result<Self, EvalError> {
        let mut bounds = Self::default();
        store.for_each_result::<EvalError>(run, CaseKind::Floor, |result| {
            bounds.spent(&result);
            bounds.floor.add(result.weight, result.score, 0.0);
            bounds.floor.end_cluster();
            bounds.cases.insert((result.cluster, result.case_id));
            Ok(())
        })?;
        store.for_each_result::<EvalError>(run, CaseKind::Ceiling, |result| {
            bounds.spent(&result);
            bounds.ceiling.add(result.weight, result.score, 0.0);
            bounds.ceiling.end_cluster();
            Ok(())
        })?;
        Ok(bounds)
    }

    fn spent(&mut self, result: &CaseResult) {
        self.cost += result.cost_nanousd.unwrap_or_default();
        self.cost_unknown |= result.cost_nanousd.is_none();
    }

    fn case(&mut self, case: &CaseSummary) {
        let key = (case.first.cluster.clone(), case.first.case_id.clone());
        if self.cases.contains(&key) {
            self.score.add(case.first.weight, case.score, 0.0);
            self.score.end_cluster();
        }
    }

    fn report(&self) -> BoundsReport {
        let mean = |slice: &Slice| slice.estimate().map(|estimate| estimate.estimate);
        BoundsReport {
            cases: self.score.cases,
            floor: mean(&self.floor),
            score: mean(&self.score),
            ceiling: mean(&self.ceiling),
        }
    }
}

/// Sums over results and cases as they come.
struct Tally {
    pass_score: f64,
    detail: Detail,
    every_case: Vec<CaseLine>,
    gold_path: String,
    seed: u64,
    all: Slice,
    tags: Slices,
    graders: Slices,
    counting: BTreeMap<String, bool>,
    cluster: Option<String>,
    latency: Histogram<u64>,
    results: u64,
    errored: u64,
    succeeded: u64,
    answerable: RefusalCount,
    unanswerable: RefusalCount,
    cost: NanoUsd,
    cost_unknown: bool,
    calls: u64,
    tokens: Usage,
    paths: BTreeMap<AnswerPath, u64>,
    worst: Vec<WorstCase>,
    failing: Vec<FailingCase>,
    failing_unlisted: u64,
    bounds: Option<Bounds>,
}

impl Tally {
    fn new(run: &RunRow, details: &RunDetails, detail: Detail, bounds: Option<Bounds>) -> Self {
        Self {
            pass_score: details.pass_score,
            detail,
            every_case: Vec::new(),
            gold_path: run.gold_path.clone(),
            seed: details.seed,
            all: Slice::default(),
            tags: Slices::default(),
            graders: Slices::default(),
            counting: BTreeMap::new(),
            cluster: None,
            latency: new_histogram(),
            results: 0,
            errored: 0,
            succeeded: 0,
            answerable: RefusalCount::default(),
            unanswerable: RefusalCount::default(),
            cost: NanoUsd::ZERO,
            cost_unknown: false,
            calls: 0,
            tokens: Usage::default(),
            paths: BTreeMap::new(),
            worst: Vec::new(),
            failing: Vec::new(),
            failing_unlisted: 0,
            bounds,
        }
    }

    fn result(&mut self, result: &CaseResult) {
        self.results += 1;
        self.errored += u64::from(result.status == CaseStatus::Errored);
        self.succeeded += u64::from(result.score.is_some_and(|score| score >= self.pass_score));
        self.cost += result.cost_nanousd.unwrap_or_default();
        self.cost_unknown |= result.cost_nanousd.is_none();
        self.calls += u64::from(result.calls);
        self.tokens += result.usage;
        if let Some(path) = result.path {
            *self.paths.entry(path).or_insert(0) += 1;
            let count = if result.answerable { &mut self.answerable } else { &mut self.unanswerable };
            count.answers += 1;
            count.refused += u64::from(result.refused);
        }
        if let Some(latency_ms) = result.latency_ms {
            self.latency.saturating_record((latency_ms * 1_000.0).round() as u64);
        }
    }

    fn case(&mut self, case: &CaseSummary) {
        if self.cluster.as_ref().is_some_and(|cluster| *cluster != case.first.cluster) {
            self.end_cluster();
        }
        if self.cluster.as_ref() != Some(&case.first.cluster) {
            self.cluster = Some(case.first.cluster.clone());
        }
        let weight = case.first.weight;
        self.all.add(weight, case.score, self.pass_score);
        for tag in &case.first.tags {
            self.tags.add(tag, weight, case.score, self.pass_score);
        }
        for (grader, grader_weight, score) in &case.grades {
            self.graders.add(grader, weight, *score, self.pass_score);
            if *grader_weight > 0.0 || !self.counting.contains_key(grader) {
                self.counting.insert(grader.clone(), *grader_weight > 0.0);
            }
        }
        if let Some(bounds) = &mut self.bounds {
            bounds.case(case);
        }
        if case.score.is_none_or(|score| score < self.pass_score) {
            self.fail(case);
        }
        self.consider_worst(case);
        if self.detail.every_case {
            self.every_case.push(self.line(case));
        }
    }

    fn line(&self, case: &CaseSummary) -> CaseLine {
        let shown = case.shown();
        CaseLine {
            case: shown.case_id.clone(),
            tags: shown.tags.clone(),
            score: case.score,
            passed: case.score.map(|score| score >= self.pass_score),
            question: shown.question.clone(),
            expected: shown.expected.clone(),
            got: shown.answer.clone(),
            refused: shown.refused,
            path: shown.path,
            latency_ms: shown.latency_ms,
            cost_nanousd: shown.cost_nanousd,
            error: shown.error.clone(),
        }
    }

    fn fail(&mut self, case: &CaseSummary) {
        if self.failing.len() >= FAILING_LISTED {
            self.failing_unlisted += 1;
            return;
        }
        let id = &case.first.case_id;
        let quoted = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@,+".contains(&byte));
            if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
        };
        let repro = format!(
            "tollgate eval {} --filter {} --seed {}",
            quoted(&self.gold_path),
            quoted(&filter_for_id(id)),
            self.seed
        );
        let error = case.shown().error.clone();
        self.failing.push(FailingCase { case: id.clone(), score: case.score, error, repro });
    }

    fn consider_worst(&mut self, case: &CaseSummary) {
        let Some(score) = case.score.filter(|score| *score < 1.0) else { return };
        let last = self.worst.last().map_or(f64::INFINITY, |worst| worst.score);
        if self.worst.len() >= self.detail.worst && score >= last {
            return;
        }
        let shown = case.shown();
        let worst = WorstCase {
            case: shown.case_id.clone(),
            score,
            question: shown.question.clone(),
            expected: shown.expected.clone(),
            got: shown.answer.clone(),
            refused: shown.refused,
            citations: shown.citations.clone(),
            grades: shown.grades.clone(),
            error: shown.error.clone(),
        };
        let at = self.worst.partition_point(|other| other.score <= score);
        self.worst.insert(at, worst);
        self.worst.truncate(self.detail.worst);
    }

    fn end_cluster(&mut self) {
        self.all.end_cluster();
        self.tags.end_cluster();
        self.graders.end_cluster();
    }

    fn finish(mut self, run: &RunRow, details: RunDetails) -> EvalReport {
        self.end_cluster();
        let answers: u64 = self.paths.values().sum();
        let total = (!self.cost_unknown).then_some(self.cost);
        let each = |count: u64| {
            let count = i64::try_from(count).ok().filter(|count| *count > 0)?;
            // Rounded half up: half a nano-dollar is nothing, but the sign of a rounding error should not be either.
            total.map(|total| NanoUsd((total.0 + count / 2) / count))
        };
        let counting = std::mem::take(&mut self.counting);
        EvalReport {
            run: run.id,
            status: run.status,
            started_at: run.started_at.clone(),
            finished_at: run.finished_at.clone(),
            gold_set: run.gold_set.clone(),
            gold_path: run.gold_path.clone(),
            gold_hash: run.gold_hash.to_string(),
            release: run.release_number,
            release_hash: run.release_hash.to_string(),
            details,
            planned: run.planned,
            results: self.results,
            errored: self.errored,
            cases: self.all.cases,
            score: self.all.estimate(),
            passed: self.all.passed,
            pass_rate: self.all.pass_rate(),
            answerable: self.answerable,
            unanswerable: self.unanswerable,
            by_tag: self
                .tags
                .0
                .iter()
                .map(|(tag, slice)| SliceReport {
                    tag: tag.clone(),
                    cases: slice.cases,
                    score: slice.estimate(),
                    pass_rate: slice.pass_rate(),
                })
                .collect(),
            by_grader: self
                .graders
                .0
                .iter()
                .map(|(grader, slice)| GraderReport {
                    grader: grader.clone(),
                    cases: slice.cases,
                    unjudged: slice.cases - slice.judged,
                    score: slice.estimate(),
                    counts: counting.get(grader).copied().unwrap_or(false),
                })
                .collect(),
            latency: latency_report(&self.latency),
            cost: CostReport {
                total_nanousd: total,
                per_case_nanousd: each(self.results),
                per_success_nanousd: each(self.succeeded),
                bounds_nanousd: self.bounds.as_ref().and_then(|bounds| (!bounds.cost_unknown).then_some(bounds.cost)),
                calls: self.calls,
                tokens: self.tokens,
            },
            paths: AnswerPath::ALL
                .into_iter()
                .map(|path| {
                    let count = self.paths.get(&path).copied().unwrap_or(0);
                    PathShare {
                        path,
                        answers: count,
                        share: if answers > 0 { count as f64 / answers as f64 } else { 0.0 },
                    }
                })
                .collect(),
            bounds: self.bounds.as_ref().map(Bounds::report),
            worst: self.worst,
            failing: self.failing,
            failing_unlisted: self.failing_unlisted,
            every_case: self.every_case,
        }
    }
}

/// Microseconds, up to an hour, three significant digits.
fn new_histogram() -> Histogram<u64> {
    // These bounds are always acceptable; the fallback is only there so that nothing can panic.
    Histogram::new_with_bounds(1, 3_600_000_000, 3)
        .unwrap_or_else(|_| Histogram::new(3).unwrap_or_else(|_| unreachable!()))
}

fn latency_report(histogram: &Histogram<u64>) -> Option<LatencyReport> {
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
    (!histogram.is_empty()).then(|| LatencyReport {
        p50_ms: at(0.50),
        p90_ms: at(0.90),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        max_ms: histogram.max() as f64 / 1_000.0,
    })
}
