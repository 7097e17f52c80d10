use std::collections::{BTreeMap, HashSet};

use hdrhistogram::Histogram;

use super::accumulate::{CaseSummary, Grouper, Slice, Slices};
use super::outcome::{
    BoundsReport, CaseLine, CostReport, Detail, EvalReport, FailingCase, GraderReport, LatencyReport, PathShare,
    RefusalCount, SliceReport, WorstCase,
};
use super::{EvalError, RunDetails};
use crate::domain::{AnswerPath, NanoUsd, RunId, Usage};
use crate::gold::filter_for_id;
use crate::store::{CaseKind, CaseResult, CaseStatus, RunRow, Store};

/// Failing cases that a report lists with their repro command; the rest is counted.
const FAILING_LISTED: usize = 200;

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

/// The command that asks one case of a gold set again, of `release` as `--release` names it.
pub fn repro_command(gold_path: &str, case: &str, seed: u64, release: &str) -> String {
    let (path, filter) = (shell_word(gold_path), shell_word(&filter_for_id(case)));
    let release = if release == "work" { String::new() } else { format!(" --release {}", shell_word(release)) };
    format!("tollgate eval {path} --filter {filter} --seed {seed}{release}")
}

/// A text as one word for a shell.
pub fn shell_word(text: &str) -> String {
    let plain =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@,+".contains(&byte));
    if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
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
        self.cost += result.cost_nanousd.unwrap_or_default() + result.grading_nanousd.unwrap_or_default();
        self.cost_unknown |= result.cost_nanousd.is_none() || result.grading_nanousd.is_none();
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
    broken: u64,
    succeeded: u64,
    answerable: RefusalCount,
    unanswerable: RefusalCount,
    cost: NanoUsd,
    cost_unknown: bool,
    /// What judging the answers cost; `None` when some of it is unknown.
    judging: Option<NanoUsd>,
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
            broken: 0,
            succeeded: 0,
            answerable: RefusalCount::default(),
            unanswerable: RefusalCount::default(),
            cost: NanoUsd::ZERO,
            cost_unknown: false,
            judging: Some(NanoUsd::ZERO),
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
        self.broken += u64::from(result.status == CaseStatus::Answered && result.error.is_some());
        self.succeeded += u64::from(result.score.is_some_and(|score| score >= self.pass_score));
        self.cost += result.cost_nanousd.unwrap_or_default();
        self.cost_unknown |= result.cost_nanousd.is_none();
        self.judging = self.judging.zip(result.grading_nanousd).map(|(sum, more)| sum + more);
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
        if case.error.is_some() || case.score.is_none_or(|score| score < self.pass_score) {
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
        let repro = repro_command(&self.gold_path, id, self.seed, "work");
        let error = case.error.clone().or_else(|| case.shown().error.clone());
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
            broken: self.broken,
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
                judging_nanousd: self.judging,
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
