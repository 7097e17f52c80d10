use serde::Serialize;

use crate::domain::Verdict;
use crate::stats::{Bootstrap, Interval};

/// What a change must come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// It must be at least this.
    AtLeast(f64),
    /// It must be at most this.
    AtMost(f64),
}

/// How a number changes by a feature, as a share of what it is without.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// `(with − without) / without`; `None` when one is unknown, or 0 without the feature.
    pub relative: Option<f64>,
    /// Its interval, resampling whole clusters.
    pub interval: Option<Interval>,
    /// Confidence of the interval.
    pub confidence: f64,
    /// Whether the change is proven to be within its limit, proven to be beyond, or neither.
    pub verdict: Verdict,
}

impl Limit {
    /// Pass when the whole interval is on the right side, fail when all of it is on the wrong one.
    pub fn judge(self, interval: Interval) -> Verdict {
        let (holds, broken) = match self {
            Self::AtLeast(least) => (interval.lower >= least, interval.upper < least),
            Self::AtMost(most) => (interval.upper <= most, interval.lower > most),
        };
        match (holds, broken) {
            (true, _) => Verdict::Pass,
            (_, true) => Verdict::Fail,
            _ => Verdict::Inconclusive,
        }
    }
}

impl Change {
    /// What a bootstrap of the relative change says; without one, nothing is known.
    pub(super) fn judged(found: Option<&Bootstrap>, confidence: f64, limit: Limit) -> Self {
        let interval = found.and_then(|found| found.interval(confidence));
        let verdict = interval.map_or(Verdict::Inconclusive, |interval| limit.judge(interval));
        Self { relative: found.map(Bootstrap::estimate), interval, confidence, verdict }
    }

    /// The same with a verdict that rests on something else.
    pub(super) fn settled(self, verdict: Verdict) -> Self {
        Self { verdict, ..self }
    }
}

/// All of these must hold: fail when one is broken, pass when each is proven.
pub(super) fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().fold(Verdict::Pass, |sum, verdict| match (sum, verdict) {
        (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
        _ => Verdict::Pass,
    })
}

/// One of these must hold: pass when one is proven, fail when each is broken.
pub(super) fn any(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().fold(Verdict::Fail, |sum, verdict| match (sum, verdict) {
        (Verdict::Pass, _) | (_, Verdict::Pass) => Verdict::Pass,
        (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
        _ => Verdict::Fail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Fail, Inconclusive, Pass};

    #[test]
    fn a_limit_is_judged_by_the_whole_interval() {
        let judge = |limit: Limit, lower: f64, upper: f64| limit.judge(Interval { lower, upper });
        let least = [(0.10, 0.3), (0.09, 0.3), (-0.1, 0.10), (-0.1, 0.09)];
        let found = least.map(|(lower, upper)| judge(Limit::AtLeast(0.10), lower, upper));
        assert_eq!(found, [Pass, Inconclusive, Inconclusive, Fail]);
        let most = [(-0.1, 0.10), (0.0, 0.11), (0.10, 0.2), (0.11, 0.2)];
        let found = most.map(|(lower, upper)| judge(Limit::AtMost(0.10), lower, upper));
        assert_eq!(found, [Pass, Inconclusive, Inconclusive, Fail]);
    }

    #[test]
    fn verdicts_are_joined() {
        assert_eq!(all([Pass, Pass]), Pass);
        assert_eq!(all([Pass, Inconclusive]), Inconclusive);
        assert_eq!(all([Inconclusive, Fail, Pass]), Fail);
        assert_eq!(any([Fail, Pass, Inconclusive]), Pass);
        assert_eq!(any([Fail, Inconclusive]), Inconclusive);
        assert_eq!(any([Fail, Fail]), Fail);
    }
}
