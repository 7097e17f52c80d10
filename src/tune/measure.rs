use super::figures::{CaseScore, Placed, case_scores, cluster_mean};
use super::lift::{Lift, LiftRules};
use super::{CONFIDENCE, Change, Limit};
use crate::domain::Verdict;
use crate::stats::{MeanEstimate, Resampling, bootstrap, bootstrap_quantile_change};

/// The same answers in the same order, with and without.
pub(super) fn measure(
    with: &[Placed],
    without: &[Placed],
    pass_score: f64,
    rules: LiftRules,
    looks: usize,
) -> (Lift, Option<MeanEstimate>) {
    let how = Resampling { resamples: rules.resamples, seed: rules.seed };
    let sums = Sums::of(with, without, pass_score);
    // Either of two gains in any of the comparisons is enough: the chance to err is shared out among them (Bonferroni).
    let confidence = 1.0 - (1.0 - CONFIDENCE) / (2 * looks.max(1)) as f64;
    let gain = |values: &[[f64; 2]]| {
        let found = bootstrap(values, |[with, without]| with / without - 1.0, how);
        let change = Change::judged(found.as_ref(), confidence, Limit::AtLeast(rules.min_lift));
        // Whatever is gained where there was nothing is more than any share of it.
        let nothing = values.iter().all(|[_, without]| *without <= 0.0);
        let gained = || bootstrap(values, |[with, _]| *with, how).and_then(|found| found.interval(confidence));
        let is_gain = nothing && gained().is_some_and(|interval| interval.lower > 0.0);
        if is_gain { change.settled(Verdict::Pass) } else { change }
    };
    let [one, other] = [with, without].map(case_scores);
    let differences = one.iter().zip(&other).map(|(one, other)| CaseScore { score: one.score - other.score, ..*one });
    let lift = Lift {
        score: gain(&column(&sums, |sums| sums.score)),
        outcome: gain(&column(&sums, |sums| sums.passed)),
        cost_per_success: cost_per_success(&sums, rules, how),
        p95_latency: p95_latency(&sums, rules, how),
    };
    (lift, cluster_mean(&differences.collect::<Vec<_>>()))
}

fn column<const K: usize>(sums: &[Sums], values: impl Fn(&Sums) -> [f64; K]) -> Vec<[f64; K]> {
    sums.iter().map(values).collect()
}

fn cost_per_success(sums: &[Sums], rules: LiftRules, how: Resampling) -> Change {
    let limit = Limit::AtMost(rules.max_cost_increase);
    let known: Option<Vec<[f64; 4]>> = sums
        .iter()
        .map(|sums| {
            let ([with, without], [passed_with, passed_without]) = (sums.cost, sums.succeeded);
            Some([with?, passed_with, without?, passed_without])
        })
        .collect();
    let Some(known) = known else { return Change::judged(None, CONFIDENCE, limit) };
    let change = |[with, passed_with, without, passed_without]: &[f64; 4]| {
        // Nothing for nothing is no rise.
        let (with, without) = (with / passed_with, without / passed_without);
        if with <= 0.0 && without <= 0.0 { 0.0 } else { with / without - 1.0 }
    };
    let successes = |side: fn(&[f64; 4]) -> f64| known.iter().map(side).sum::<f64>();
    let verdict = match (successes(|sums| sums[1]) > 0.0, successes(|sums| sums[3]) > 0.0) {
        (true, true) => return Change::judged(bootstrap(&known, change, how).as_ref(), CONFIDENCE, limit),
        // Where nothing succeeds without it, no success could have been had for less.
        (true, false) => Verdict::Pass,
        (false, true) => Verdict::Fail,
        (false, false) => Verdict::Inconclusive,
    };
    Change::judged(None, CONFIDENCE, limit).settled(verdict)
}

fn p95_latency(sums: &[Sums], rules: LiftRules, how: Resampling) -> Change {
    let limit = Limit::AtMost(rules.max_latency_increase);
    let [with, without]: [Vec<Vec<f64>>; 2] =
        [0, 1].map(|side| sums.iter().filter_map(|sums| sums.latencies.get(side).cloned()).collect());
    let Some(found) = bootstrap_quantile_change(&without, &with, 0.95, how) else {
        return Change::judged(None, CONFIDENCE, limit);
    };
    let change = Change::judged(found.relative.as_ref(), CONFIDENCE, limit);
    let is_small = found.absolute.estimate() < rules.latency_floor_ms;
    if is_small { change.settled(Verdict::Pass) } else { change }
}

/// Sums over one cluster, with and without.
#[derive(Debug, Clone, Default)]
struct Sums {
    score: [f64; 2],
    passed: [f64; 2],
    succeeded: [f64; 2],
    cost: [Option<f64>; 2],
    latencies: [Vec<f64>; 2],
}

impl Sums {
    fn of(with: &[Placed], without: &[Placed], pass_score: f64) -> Vec<Self> {
        let count = with.last().map_or(0, |last| last.cluster + 1);
        let mut sums = vec![Self { cost: [Some(0.0); 2], ..Self::default() }; count];
        for (side, answers) in [with, without].into_iter().enumerate() {
            for case in case_scores(answers) {
                if let Some(sums) = sums.get_mut(case.cluster) {
                    add(&mut sums.score, side, case.weight * case.score);
                    add(&mut sums.passed, side, f64::from(u8::from(case.score >= pass_score)));
                }
            }
            for answer in answers {
                if let Some(sums) = sums.get_mut(answer.cluster) {
                    add(&mut sums.succeeded, side, f64::from(u8::from(answer.figure.score >= pass_score)));
                    if let Some(sum) = sums.cost.get_mut(side) {
                        *sum = sum.zip(answer.figure.cost).map(|(sum, cost)| sum + cost.0 as f64);
                    }
                    if let Some(latencies) = sums.latencies.get_mut(side) {
                        latencies.extend(answer.figure.latency_ms);
                    }
                }
            }
        }
        sums
    }
}

fn add(sums: &mut [f64; 2], side: usize, value: f64) {
    if let Some(sum) = sums.get_mut(side) {
        *sum += value;
    }
}
