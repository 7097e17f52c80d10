use serde::Serialize;

use super::CONFIDENCE;
use super::cascade::Figure;
use crate::domain::NanoUsd;
use crate::stats::{ClusterMean, MeanEstimate, mean, quantile};

/// What a set of answers comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Figures {
    /// Mean score of the cases by weight, with its cluster-robust 95 % interval.
    pub score: Option<MeanEstimate>,
    /// Share of the cases at or above the pass score.
    pub pass_rate: f64,
    /// Cost of all answers; `None` when some of it is unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Cost of one question.
    pub cost_per_question_nanousd: Option<NanoUsd>,
    /// Cost of one answer at or above the pass score, with what the others cost; `None` without any.
    pub cost_per_success_nanousd: Option<NanoUsd>,
    /// Mean time from question to answer.
    pub mean_latency_ms: Option<f64>,
    /// Its 95th percentile.
    pub p95_latency_ms: Option<f64>,
    /// Answers.
    pub answers: u64,
}

/// One answer, and where it belongs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) cluster: usize,
    pub(super) case: usize,
    pub(super) weight: f64,
    pub(super) figure: Figure,
}

/// One case with its repeats put together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CaseScore {
    pub(super) cluster: usize,
    pub(super) weight: f64,
    pub(super) score: f64,
}

/// The cases of answers that are in order of cluster and case: repeats are averaged first.
pub(super) fn case_scores(answers: &[Placed]) -> Vec<CaseScore> {
    answers
        .chunk_by(|one, other| one.case == other.case)
        .filter_map(|repeats| {
            let first = repeats.first()?;
            let scores: Vec<f64> = repeats.iter().map(|answer| answer.figure.score).collect();
            Some(CaseScore { cluster: first.cluster, weight: first.weight, score: mean(&scores)? })
        })
        .collect()
}

/// The weighted mean of `cases`, which are in order of their clusters, with its cluster-robust interval.
pub(super) fn cluster_mean(cases: &[CaseScore]) -> Option<MeanEstimate> {
    let mut mean = ClusterMean::default();
    for cluster in cases.chunk_by(|one, other| one.cluster == other.cluster) {
        // Summed like the score of a run, so that it is the same to the last bit.
        let (mut sum, mut weight) = (0.0, 0.0);
        for case in cluster {
            sum += case.weight * case.score;
            weight += case.weight;
        }
        mean.add(sum, weight, cluster.len() as u64);
    }
    mean.estimate(CONFIDENCE)
}

impl Figures {
    /// Of `answers`, which are in order of cluster and case.
    pub(super) fn of(answers: &[Placed], pass_score: f64) -> Self {
        let cases = case_scores(answers);
        let passed = cases.iter().filter(|case| case.score >= pass_score).count();
        let succeeded = answers.iter().filter(|answer| answer.figure.score >= pass_score).count();
        let cost: Option<NanoUsd> = answers.iter().map(|answer| answer.figure.cost).sum();
        let mut latencies: Vec<f64> = answers.iter().filter_map(|answer| answer.figure.latency_ms).collect();
        latencies.sort_by(f64::total_cmp);
        Self {
            score: cluster_mean(&cases),
            pass_rate: passed as f64 / cases.len().max(1) as f64,
            cost_nanousd: cost,
            cost_per_question_nanousd: each(cost, answers.len()),
            cost_per_success_nanousd: each(cost, succeeded),
            mean_latency_ms: mean(&latencies),
            p95_latency_ms: quantile(&latencies, 0.95),
            answers: answers.len() as u64,
        }
    }

    /// The mean score alone.
    pub fn mean_score(&self) -> Option<f64> {
        self.score.map(|score| score.estimate)
    }
}

/// One of `count` equal parts of `total`, rounded half up; `None` of none.
fn each(total: Option<NanoUsd>, count: usize) -> Option<NanoUsd> {
    let count = i64::try_from(count).ok().filter(|count| *count > 0)?;
    total.map(|total| NanoUsd((total.0 + count / 2) / count))
}

/// Share of `reference` that is saved by paying `cost` instead; negative when it costs more. `None` when one is unknown or
/// there is nothing to save.
pub(super) fn saving(cost: Option<NanoUsd>, reference: Option<NanoUsd>) -> Option<f64> {
    let (cost, reference) = (cost?.0 as f64, reference?.0 as f64);
    (reference > 0.0).then(|| 1.0 - cost / reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(cluster: usize, case: usize, score: f64, cost: Option<i64>, latency_ms: Option<f64>) -> Placed {
        let figure = Figure { score, cost: cost.map(NanoUsd), latency_ms };
        Placed { cluster, case, weight: 1.0, figure }
    }

    #[test]
    fn repeats_are_averaged_before_cases_are() {
        // Case 0 is asked three times: its mean is 1/3, and it weighs as much as case 1.
        let answers = [
            answer(0, 0, 1.0, Some(10), Some(1.0)),
            answer(0, 0, 0.0, Some(10), Some(2.0)),
            answer(0, 0, 0.0, Some(10), Some(3.0)),
            answer(1, 1, 1.0, Some(11), None),
        ];
        let figures = Figures::of(&answers, 0.5);
        assert!((figures.mean_score().unwrap() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((figures.pass_rate, figures.cost_nanousd), (0.5, Some(NanoUsd(41))));
        // 41 over 4 questions is 10.25; two of the four answers passed, 20.5 each, rounded half up.
        assert_eq!(figures.cost_per_question_nanousd, Some(NanoUsd(10)));
        assert_eq!(figures.cost_per_success_nanousd, Some(NanoUsd(21)));
        assert_eq!(figures.mean_latency_ms, Some(2.0));
    }

    #[test]
    fn an_unknown_cost_makes_the_sum_unknown_and_no_success_has_no_price() {
        let figures = Figures::of(&[answer(0, 0, 0.0, Some(5), None), answer(1, 1, 0.0, None, None)], 0.5);
        assert_eq!((figures.cost_nanousd, figures.cost_per_success_nanousd), (None, None));
        assert_eq!(Figures::of(&[answer(0, 0, 0.0, Some(5), None)], 0.5).cost_per_success_nanousd, None);
        assert_eq!(saving(Some(NanoUsd(3)), Some(NanoUsd(4))), Some(0.25));
        assert_eq!((saving(None, Some(NanoUsd(4))), saving(Some(NanoUsd(4)), Some(NanoUsd(0)))), (None, None));
    }
}
