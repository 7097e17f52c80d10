use std::collections::BTreeSet;

use super::MetricUnit;
use super::evidence::Repeat;
use super::pair::{Pair, Pairs, Sides};
use crate::config::{GateMetric, GateSettings, Tier};
use crate::domain::{Hasher, NanoUsd, Verdict};
use crate::stats::{
    Bootstrap, Interval, Resampling, bootstrap, bootstrap_quantile_change, mcnemar, quantile, sign_flip,
};

/// The percentile of latency that is judged.
const P95: f64 = 0.95;

/// One metric of a comparison, measured and not yet judged.
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) tier: Tier,
    pub(super) margin: f64,
    pub(super) unit: MetricUnit,
    pub(super) before: Option<f64>,
    pub(super) after: Option<f64>,
    pub(super) cases: u64,
    /// How the change may vary: candidate minus baseline, of cost and latency as a share of the baseline's value; `None`
    /// when too little is known.
    pub(super) change: Option<Bootstrap>,
    /// One-sided p-value against "not worse" by a test that assumes less; shown.
    pub(super) p_exact: Option<f64>,
    /// The same by sign flips of whole clusters, which decides together with the bootstrap's.
    pub(super) p_flip: Option<f64>,
    pub(super) limit: Option<Limit>,
    /// Worsening in the metric's own unit up to which it is never a regression.
    pub(super) floor: f64,
    /// Where there is no change to be measured: what that comes to, and why.
    pub(super) otherwise: Option<(Verdict, &'static str)>,
}

/// A hard limit of the candidate's value, and the interval that is held against it.
pub(super) struct Limit {
    pub(super) at: f64,
    /// The candidate's value may lie here; the value itself where a limit is held against the estimate.
    pub(super) candidate: Option<Interval>,
}

impl Measured {
    /// The same metric, of which nothing is known.
    fn bare(&self) -> Self {
        Self {
            name: self.name.clone(),
            change: None,
            p_exact: None,
            p_flip: None,
            limit: None,
            otherwise: None,
            before: None,
            after: None,
            ..*self
        }
    }
}

/// Measures what `settings` wants judged, the primary metric first, slices last.
pub(super) struct Measure<'a> {
    pub(super) pairs: &'a Pairs<'a>,
    pub(super) settings: &'a GateSettings,
    pub(super) seed: u64,
    /// Whether latencies are of this day on both sides.
    pub(super) timed: bool,
    /// Why they may not be held against each other, when they may not; the budgets hold all the same.
    pub(super) elsewhere: Option<&'static str>,
}

impl Measure<'_> {
    /// Every metric but the slices; those that do not apply to the gold set are left out.
    pub(super) fn metrics(&self) -> Vec<Measured> {
        let wanted = GateMetric::ALL.into_iter().filter(|metric| self.settings.metric(*metric).tier != Tier::Off);
        wanted.filter_map(|metric| self.metric(metric)).collect()
    }

    fn metric(&self, metric: GateMetric) -> Option<Measured> {
        let pass_score = self.pairs.pass_score;
        match metric {
            GateMetric::Score => {
                let mut score = self.mean(metric, metric.as_str(), MetricUnit::Score, |_| true, score);
                score.limit = self.settings.min_score.map(|at| Limit { at, candidate: point(score.after) });
                Some(score)
            }
            GateMetric::PassRate => {
                let passed = |pair: &Pair<'_>| Some((1.0, pair.passed));
                let mut rate = self.mean(metric, metric.as_str(), MetricUnit::Share, |_| true, passed);
                let counts = self.pairs.counts();
                rate.p_exact = Some(mcnemar(counts.regressed, counts.improved).regressed_mid_p);
                Some(rate)
            }
            GateMetric::Refusal => {
                let right = |pair: &Pair<'_>| {
                    // An answer that did not come is no refusal, and no answer.
                    let right = |answerable: bool| {
                        move |repeat: &Repeat| repeat.score.map(|_| indicator(repeat.refused != answerable))
                    };
                    let sides = Sides {
                        before: pair.before.mean(right(pair.before.answerable))?,
                        after: pair.after.mean(right(pair.after.answerable))?,
                    };
                    Some((1.0, sides))
                };
                Some(self.mean(metric, metric.as_str(), MetricUnit::Share, |_| true, right))
            }
            GateMetric::Groundedness => {
                let grounded = |pair: &Pair<'_>| {
                    let before = pair.before.mean(|repeat| repeat.grounded)?;
                    let after = pair.after.mean(|repeat| repeat.grounded)?;
                    Some((pair.before.weight, Sides { before, after }))
                };
                let measured = self.mean(metric, metric.as_str(), MetricUnit::Score, |_| true, grounded);
                // A gold set without that grader has nothing to judge.
                (measured.cases > 0).then_some(measured)
            }
            GateMetric::CostPerSuccess => Some(self.cost_per_success(pass_score)),
            GateMetric::RetrieveP95 => self.latency(metric, self.settings.p95_ms.retrieve, |repeat| repeat.retrieve_ms),
            GateMetric::TicketP95 => self
                .latency(metric, self.settings.p95_ms.ticket, |repeat| repeat.latency_ms.filter(|_| !repeat.escalated)),
            GateMetric::GenerateP95 => self.latency(metric, self.settings.p95_ms.generate, |repeat| {
                repeat.latency_ms.filter(|_| repeat.escalated)
            }),
            GateMetric::Slices => None,
        }
    }

    /// The score by tag; a tag that all cases have says nothing new.
    pub(super) fn slices(&self) -> Vec<Measured> {
        if self.settings.metric(GateMetric::Slices).tier == Tier::Off {
            return Vec::new();
        }
        let all = self.pairs.count();
        let tags: BTreeSet<&String> = self.pairs.iter().flat_map(|pair| &pair.before.tags).collect();
        let slice = |tag: &String| {
            let tagged = |pair: &Pair<'_>| pair.before.tags.contains(tag);
            self.mean(GateMetric::Slices, &format!("tag:{tag}"), MetricUnit::Score, tagged, score)
        };
        tags.into_iter().map(slice).filter(|slice| slice.cases < all).collect()
    }

    fn how(&self, name: &str) -> Resampling {
        let mut seed = Hasher::default();
        seed.field(self.seed.to_le_bytes()).field(name);
        Resampling { resamples: self.settings.resamples, seed: seed.finish_seed() }
    }

    /// The weighted mean of what `value` says of the cases that `within` chooses.
    fn mean(
        &self,
        metric: GateMetric,
        name: &str,
        unit: MetricUnit,
        within: impl Fn(&Pair<'_>) -> bool,
        value: impl Fn(&Pair<'_>) -> Option<(f64, Sides)>,
    ) -> Measured {
        let weighed = |pair: &Pair<'_>| {
            let (weight, sides) = value(pair).filter(|_| within(pair))?;
            Some([weight * sides.change(), weight, weight * sides.before, weight * sides.after])
        };
        let totals = self.pairs.totals(weighed);
        let sum = |index: usize| totals.clusters.iter().filter_map(|sums| sums.get(index)).sum::<f64>();
        let weight = sum(1);
        let mean = |index: usize| (weight > 0.0).then(|| sum(index) / weight);
        let how = self.how(name);
        let changes: Vec<[f64; 2]> = totals.clusters.iter().map(|[change, weight, ..]| [*change, *weight]).collect();
        let change = bootstrap(&changes, |[change, weight]| change / weight, how);
        let sums: Vec<f64> = changes.iter().map(|[change, _]| *change).collect();
        let p_flip = sign_flip(&sums, how).map(|test| test.p_less);
        let open = if totals.cases == 0 { "no case is judged on both sides" } else { "too few clusters of cases" };
        Measured {
            unit,
            before: mean(2),
            after: mean(3),
            cases: totals.cases,
            change,
            p_exact: p_flip,
            p_flip,
            otherwise: Some((Verdict::Inconclusive, open)),
            ..self.unmeasured(metric, name)
        }
    }

    /// Cost of all answers over the number of those that pass, with each case's repeats averaged first.
    fn cost_per_success(&self, pass_score: f64) -> Measured {
        let side = |repeats: &[Repeat]| {
            let cost: NanoUsd = repeats.iter().map(|repeat| repeat.cost_nanousd).sum::<Option<NanoUsd>>()?;
            let right = repeats.iter().filter(|repeat| repeat.score.is_some_and(|score| score >= pass_score)).count();
            let count = repeats.len() as f64;
            Some([cost.0 as f64 / count, right as f64 / count])
        };
        let totals = self.pairs.totals(|pair| {
            let [cost_then, right_then] = side(&pair.before.repeats)?;
            let [cost_now, right_now] = side(&pair.after.repeats)?;
            Some([cost_then, right_then, cost_now, right_now])
        });
        let mut all = [0.0; 4];
        for cluster in &totals.clusters {
            all.iter_mut().zip(cluster).for_each(|(sum, value)| *sum += value);
        }
        let [cost_then, right_then, cost_now, right_now] = all;
        let each = |cost: f64, successes: f64| (successes > 0.0).then(|| cost / successes);
        let known = totals.cases == self.pairs.count() && totals.cases > 0;
        // Where nothing ever costs anything there is nothing to resample.
        let free = known && cost_then <= 0.0 && cost_now <= 0.0;
        let clusters: &[[f64; 4]] = if known && !free { &totals.clusters } else { &[] };
        let relative = |[cost_then, right_then, cost_now, right_now]: &[f64; 4]| {
            cost_now * right_then / (right_now * cost_then) - 1.0
        };
        let metric = GateMetric::CostPerSuccess;
        let how = self.how(metric.as_str());
        let change = bootstrap(clusters, relative, how);
        // With the totals of both sides pooled, exchanging a cluster's sides turns its sign and nothing else: to first order
        // these add up to the logarithm of the change.
        let (pooled, successes) = (f64::midpoint(cost_then, cost_now), f64::midpoint(right_then, right_now));
        let shifts: Vec<f64> = clusters
            .iter()
            .map(|[cost_then, right_then, cost_now, right_now]| {
                (cost_now - cost_then) / pooled - (right_now - right_then) / successes
            })
            .collect();
        let p_flip = if change.is_some() { sign_flip(&shifts, how).map(|test| test.p_greater) } else { None };
        let otherwise = if free {
            (Verdict::Pass, "both sides are free of charge")
        } else if !known {
            (Verdict::Inconclusive, "what some answer cost is unknown")
        } else if cost_then <= 0.0 {
            (Verdict::Fail, "the baseline cost nothing, and the candidate does")
        } else {
            (Verdict::Inconclusive, "too few cases pass to tell what one of them costs")
        };
        let after = each(cost_now, right_now).filter(|_| known);
        let limit = self.settings.max_cost_per_success_nanousd;
        Measured {
            unit: MetricUnit::Nanousd,
            before: each(cost_then, right_then).filter(|_| known),
            after,
            cases: totals.cases,
            change,
            p_exact: p_flip,
            p_flip,
            limit: limit.map(|at| Limit { at: at.0 as f64, candidate: point(after) }),
            otherwise: Some(otherwise),
            ..self.unmeasured(metric, metric.as_str())
        }
    }

    /// The 95th percentile of a pathway; `None` when no answer took it.
    fn latency(&self, metric: GateMetric, budget: f64, ms: impl Fn(&Repeat) -> Option<f64>) -> Option<Measured> {
        let [before, after] = self.pairs.answers(ms);
        let count = |side: &[Vec<f64>]| side.iter().map(|cluster| cluster.len() as u64).sum::<u64>();
        let (answers_before, answers_after) = (count(&before), count(&after));
        if answers_before + answers_after == 0 {
            return None;
        }
        let unmeasured =
            Measured { unit: MetricUnit::Ms, cases: answers_after, ..self.unmeasured(metric, metric.as_str()) };
        let otherwise = |verdict, why| Measured { otherwise: Some((verdict, why)), ..unmeasured.bare() };
        if !self.timed {
            return Some(otherwise(Verdict::Inconclusive, "answers were replayed: their latency is of another day"));
        }
        if answers_after == 0 {
            return Some(otherwise(Verdict::Pass, "no answer of the candidate takes this way"));
        }
        let elsewhere =
            if answers_before == 0 { Some("no answer of the baseline takes this way") } else { self.elsewhere };
        // Alone the candidate is still held against its budget.
        let baseline = if elsewhere.is_none() { &before } else { &after };
        let Some(quantiles) = bootstrap_quantile_change(baseline, &after, P95, self.how(metric.as_str())) else {
            let mut all: Vec<f64> = after.concat();
            all.sort_by(f64::total_cmp);
            let limit = Limit { at: budget, candidate: point(quantile(&all, P95)) };
            let few = otherwise(Verdict::Inconclusive, "too few answers take this way");
            return Some(Measured { after: quantile(&all, P95), limit: Some(limit), ..few });
        };
        Some(Measured {
            before: elsewhere.is_none().then(|| quantiles.baseline.estimate()),
            after: Some(quantiles.candidate.estimate()),
            limit: Some(Limit { at: budget, candidate: quantiles.candidate.interval(self.settings.confidence) }),
            floor: self.settings.latency_floor_ms,
            otherwise: Some(match elsewhere {
                Some(why) => (Verdict::Pass, why),
                None => (Verdict::Inconclusive, "the baseline takes no time that could be measured"),
            }),
            change: quantiles.relative.filter(|_| elsewhere.is_none()),
            ..unmeasured
        })
    }

    fn unmeasured(&self, metric: GateMetric, name: &str) -> Measured {
        let settings = self.settings.metric(metric);
        Measured {
            name: name.to_owned(),
            tier: settings.tier,
            margin: settings.margin,
            unit: MetricUnit::Score,
            before: None,
            after: None,
            cases: 0,
            change: None,
            p_exact: None,
            p_flip: None,
            limit: None,
            floor: 0.0,
            otherwise: None,
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "of other values there may be none")]
fn score(pair: &Pair<'_>) -> Option<(f64, Sides)> {
    Some((pair.before.weight, pair.score))
}

fn indicator(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn point(value: Option<f64>) -> Option<Interval> {
    value.map(|value| Interval { lower: value, upper: value })
}
