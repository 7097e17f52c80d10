use super::measure::{Limit, Measured};
use super::{MetricReport, MetricUnit};
use crate::config::{GateSettings, Tier};
use crate::domain::{NanoUsd, Verdict};
use crate::stats::{Bootstrap, Interval, holm, holm_levels, minimum_detectable};

/// The share of equal worsenings that the smallest detectable one is noticed in.
pub(super) const POWER: f64 = 0.8;

/// Judges the primary metric at the policy's full level and all others, slices included, under Holm's correction.
///
/// Fail is decided first: the interval lies on the wrong side of "no change" and the estimate beyond the margin, or a hard
/// limit is broken. Pass is next: the whole interval is within the margin. What is neither is inconclusive.
pub(super) fn judge(
    measured: Vec<Measured>,
    slices: Vec<Measured>,
    settings: &GateSettings,
) -> (Vec<MetricReport>, Vec<MetricReport>) {
    // One-sided, in each tail of the two-sided interval.
    let level = (1.0 - settings.confidence) / 2.0;
    let (mut metrics, mut others) = (Vec::new(), Vec::new());
    let mut measured = measured.into_iter();
    if let Some(primary) = measured.next() {
        let p = primary.p();
        metrics.push(judge_one(primary, settings, level, p));
    }
    others.extend(measured);
    let plain = others.len();
    others.extend(slices);
    // What is only shown is not judged, and costs the others nothing.
    let judged = |one: &Measured| one.tier < Tier::Advisory;
    let p_values: Vec<f64> = others.iter().filter(|one| judged(one)).filter_map(Measured::p).collect();
    let mut adjusted = holm(&p_values).into_iter().zip(holm_levels(&p_values, level));
    let mut slices = Vec::new();
    for (index, one) in others.into_iter().enumerate() {
        let p = one.p();
        let (p_adjusted, level) = match adjusted_of(&one, judged(&one), &mut adjusted) {
            Some((p_adjusted, level)) => (Some(p_adjusted), level),
            None => (p, level),
        };
        let report = judge_one(one, settings, level, p_adjusted);
        if index < plain { metrics.push(report) } else { slices.push(report) }
    }
    (metrics, slices)
}

fn adjusted_of(one: &Measured, judged: bool, adjusted: &mut impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    if judged && one.p().is_some() { adjusted.next() } else { None }
}

impl Measured {
    /// The bootstrap's one-sided p-value against "not worse".
    fn p_worse(&self) -> Option<f64> {
        let change = self.change.as_ref()?;
        Some(if self.unit.more_is_better() { change.p_less(0.0) } else { change.p_greater(0.0) })
    }

    /// The p-value that decides: the larger of the bootstrap's and that of sign flips, so that a handful of clusters cannot
    /// prove what chance could have done.
    fn p(&self) -> Option<f64> {
        let p = self.p_worse()?;
        Some(self.p_flip.map_or(p, |flip| flip.max(p)))
    }
}

fn judge_one(one: Measured, settings: &GateSettings, level: f64, p_adjusted: Option<f64>) -> MetricReport {
    let confidence = 1.0 - 2.0 * level;
    let effect = one.change.as_ref().map(Bootstrap::estimate);
    let interval = one.change.as_ref().and_then(|change| change.interval(confidence));
    let full_level = (1.0 - settings.confidence) / 2.0;
    let proven = p_adjusted.is_some_and(|p| p <= full_level);
    let change = effect.zip(interval).map(|(effect, interval)| Change::of(&one, effect, interval, proven));
    let (mut outcome, mut why) = match (&change, one.otherwise) {
        (Some(change), _) => change.judge(&one),
        (None, Some((verdict, why))) => (verdict, why.to_owned()),
        (None, None) => (Verdict::Inconclusive, "nothing is known of the change".to_owned()),
    };
    let mut limit_open = false;
    if let Some(limit) = &one.limit {
        let (held, said) = limit.judge(one.unit);
        // A broken limit outweighs whatever is said of the change, an open one only what is no failure.
        limit_open = held == Verdict::Inconclusive && outcome != Verdict::Fail;
        if held == Verdict::Fail || limit_open {
            (outcome, why) = (held, said);
        }
    }
    MetricReport {
        tier: one.tier,
        unit: one.unit,
        baseline: one.before,
        candidate: one.after,
        effect,
        interval,
        confidence,
        p: one.p_worse(),
        p_exact: one.p_exact,
        p_adjusted,
        margin: one.margin,
        minimum_detectable: one
            .change
            .as_ref()
            .and_then(|change| minimum_detectable(change.standard_error(), confidence, POWER)),
        limit: one.limit.as_ref().map(|limit| limit.at),
        limit_open,
        cases: one.cases,
        outcome,
        why,
        name: one.name,
    }
}

/// A change with its interval, turned so that a loss is negative whatever the metric.
struct Change {
    gain: f64,
    /// Most that may have been lost, and most that may have been gained.
    gains: Interval,
    proven: bool,
    /// Whether the loss is too small to matter, in the metric's own unit.
    negligible: bool,
}

impl Change {
    fn of(one: &Measured, effect: f64, interval: Interval, proven: bool) -> Self {
        let Interval { lower, upper } = interval;
        let worse_by = one.after.zip(one.before).map(|(after, before)| after - before);
        let negligible = one.floor > 0.0 && worse_by.is_some_and(|worse| worse < one.floor);
        if one.unit.more_is_better() {
            Self { gain: effect, gains: interval, proven, negligible }
        } else {
            Self { gain: -effect, gains: Interval { lower: -upper, upper: -lower }, proven, negligible }
        }
    }

    fn judge(&self, one: &Measured) -> (Verdict, String) {
        let margin = one.margin;
        let is_share = !one.unit.more_is_better();
        let show = |value: f64| if is_share { format!("{:.1}%", value * 100.0) } else { format!("{value:.3}") };
        if self.proven && self.gains.upper < 0.0 && self.gain < -margin && !self.negligible {
            return (Verdict::Fail, format!("worse by {}, more than the margin of {}", show(-self.gain), show(margin)));
        }
        // A rounding error is no loss.
        if self.gains.lower >= -margin - 1e-12 {
            return (Verdict::Pass, String::new());
        }
        if !self.proven && self.gains.upper < 0.0 && self.gain < -margin && !self.negligible {
            let why = format!(
                "looks worse by {}, but too few cases moved to prove it; the margin is {}",
                show(-self.gain),
                show(margin)
            );
            return (Verdict::Inconclusive, why);
        }
        if self.negligible {
            return (Verdict::Pass, format!("the change is below {:.0} ms", one.floor));
        }
        (
            Verdict::Inconclusive,
            format!("may be worse by up to {}, the margin is {}", show(-self.gains.lower), show(margin)),
        )
    }
}

impl Limit {
    fn judge(&self, unit: MetricUnit) -> (Verdict, String) {
        let show = |value: f64| match unit {
            MetricUnit::Score | MetricUnit::Share => format!("{value:.3}"),
            MetricUnit::Ms => format!("{value:.0} ms"),
            MetricUnit::Nanousd => NanoUsd(value.round() as i64).to_string(),
        };
        let Some(Interval { lower, upper }) = self.candidate else {
            return (
                Verdict::Inconclusive,
                format!("too little is known to hold it against the limit of {}", show(self.at)),
            );
        };
        let (best, worst, sign) = if unit.more_is_better() { (upper, lower, "below") } else { (lower, upper, "above") };
        let beyond = |value: f64| if unit.more_is_better() { value < self.at } else { value > self.at };
        if beyond(best) {
            (Verdict::Fail, format!("{} is {sign} the limit of {}", show(best), show(self.at)))
        } else if beyond(worst) {
            (Verdict::Inconclusive, format!("may be as far as {} where the limit is {}", show(worst), show(self.at)))
        } else {
            (Verdict::Pass, String::new())
        }
    }
}
