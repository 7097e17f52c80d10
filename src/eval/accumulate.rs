use std::collections::BTreeMap;

use crate::stats::{ClusterMean, MeanEstimate};
use crate::store::{CaseResult, CaseStatus, GradeRow};

/// Confidence of every interval in a report.
pub(super) const CONFIDENCE: f64 = 0.95;

/// One case with its repeats put together.
#[derive(Debug)]
pub(super) struct CaseSummary {
    /// The case's first result; names, tags and texts.
    pub(super) first: CaseResult,
    /// Mean over the repeats that were judged; `None` when none was.
    pub(super) score: Option<f64>,
    /// The result with the lowest score, when it is not the first.
    pub(super) worst: Option<CaseResult>,
    /// Why the first of its repeats that errored has no answer or no score.
    pub(super) error: Option<String>,
    /// Mean grade of each grader over the repeats, with its weight.
    pub(super) grades: Vec<(String, f64, Option<f64>)>,
}

impl CaseSummary {
    /// The result to show for the case: the worst of its repeats.
    pub(super) fn shown(&self) -> &CaseResult {
        self.worst.as_ref().unwrap_or(&self.first)
    }

    fn of(repeats: Vec<CaseResult>) -> Option<Self> {
        let judged: Vec<f64> = repeats.iter().filter_map(|result| result.score).collect();
        let score = crate::stats::mean(&judged);
        let grades = mean_grades(repeats.iter().map(|result| &result.grades[..]));
        let error = repeats.iter().find(|result| result.status == CaseStatus::Errored);
        let error = error.and_then(|result| result.error.clone());
        let mut repeats = repeats.into_iter();
        let first = repeats.next()?;
        let least = |score: Option<f64>| score.unwrap_or(f64::INFINITY);
        let worst = repeats.reduce(|worst, next| if least(next.score) < least(worst.score) { next } else { worst });
        let worst = worst.filter(|worst| least(worst.score) < least(first.score));
        Some(Self { first, score, worst, error, grades })
    }
}

fn mean_grades<'a>(repeats: impl Iterator<Item = &'a [GradeRow]>) -> Vec<(String, f64, Option<f64>)> {
    let mut sums: Vec<(String, f64, f64, u32)> = Vec::new();
    for grade in repeats.flatten() {
        let found = sums.iter().position(|(grader, ..)| *grader == grade.grader);
        let at = found.unwrap_or_else(|| {
            sums.push((grade.grader.clone(), grade.weight, 0.0, 0));
            sums.len() - 1
        });
        if let (Some((.., sum, count)), Some(score)) = (sums.get_mut(at), grade.score) {
            *sum += score;
            *count += 1;
        }
    }
    let mean = |sum: f64, count: u32| (count > 0).then(|| sum / f64::from(count));
    sums.into_iter().map(|(grader, weight, sum, count)| (grader, weight, mean(sum, count))).collect()
}

/// Puts the repeats of a case together while results come in order of cluster, case and repeat.
#[derive(Default)]
pub(super) struct Grouper {
    repeats: Vec<CaseResult>,
}

impl Grouper {
    /// Takes the next result; returns the case before it once that is complete.
    pub(super) fn add(&mut self, result: CaseResult) -> Option<CaseSummary> {
        let same =
            self.repeats.last().is_none_or(|last| last.case_id == result.case_id && last.cluster == result.cluster);
        let complete = if same { None } else { self.finish() };
        self.repeats.push(result);
        complete
    }

    /// The last case.
    pub(super) fn finish(&mut self) -> Option<CaseSummary> {
        CaseSummary::of(std::mem::take(&mut self.repeats))
    }
}

/// The mean score of a slice of the cases, while its cases come in, cluster by cluster.
#[derive(Debug, Default)]
pub(super) struct Slice {
    mean: ClusterMean,
    weighted: f64,
    weight: f64,
    open: u64,
    /// Cases in the slice, unjudged ones too.
    pub(super) cases: u64,
    /// Of the judged, those at or above the pass score.
    pub(super) passed: u64,
    /// Cases with a score.
    pub(super) judged: u64,
}

impl Slice {
    pub(super) fn add(&mut self, weight: f64, score: Option<f64>, pass_score: f64) {
        self.cases += 1;
        let Some(score) = score else { return };
        self.judged += 1;
        self.passed += u64::from(score >= pass_score);
        self.weighted += weight * score;
        self.weight += weight;
        self.open += 1;
    }

    pub(super) fn end_cluster(&mut self) {
        if self.open > 0 {
            self.mean.add(self.weighted, self.weight, self.open);
        }
        (self.weighted, self.weight, self.open) = (0.0, 0.0, 0);
    }

    pub(super) fn estimate(&self) -> Option<MeanEstimate> {
        self.mean.estimate(CONFIDENCE)
    }

    /// Share of the judged cases that passed.
    pub(super) fn pass_rate(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.passed as f64 / self.judged as f64)
    }
}

/// Slices by name.
#[derive(Debug, Default)]
pub(super) struct Slices(pub(super) BTreeMap<String, Slice>);

impl Slices {
    pub(super) fn add(&mut self, name: &str, weight: f64, score: Option<f64>, pass_score: f64) {
        match self.0.get_mut(name) {
            Some(slice) => slice.add(weight, score, pass_score),
            None => self.0.entry(name.to_owned()).or_default().add(weight, score, pass_score),
        }
    }

    pub(super) fn end_cluster(&mut self) {
        self.0.values_mut().for_each(Slice::end_cluster);
    }
}
