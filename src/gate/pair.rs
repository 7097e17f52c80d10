use std::collections::BTreeMap;

use super::evidence::{CaseEvidence, Repeat};
use super::{Evidence, MoveCounts};

/// Two sides, case by case: what every metric is measured on.
pub(super) struct Pairs<'a> {
    /// The paired cases by cluster, in order.
    pub(super) clusters: BTreeMap<&'a str, Vec<Pair<'a>>>,
    /// Cases of the set that are not judged on both sides.
    pub(super) unpaired: u64,
    /// Paired cases of which some repeat has no score.
    pub(super) incomplete: u64,
    /// Score from which a case is passed.
    pub(super) pass_score: f64,
}

/// A case that both sides judged; its repeats are averaged first, on each side.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) id: &'a str,
    pub(super) before: &'a CaseEvidence,
    pub(super) after: &'a CaseEvidence,
    /// Mean scores.
    pub(super) score: Sides,
    /// Shares of the repeats that pass.
    pub(super) passed: Sides,
}

/// A value on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sides {
    pub(super) before: f64,
    pub(super) after: f64,
}

impl Sides {
    pub(super) fn change(self) -> f64 {
        self.after - self.before
    }

    fn of(before: Option<f64>, after: Option<f64>) -> Option<Self> {
        let (before, after) = before.zip(after)?;
        Some(Self { before, after })
    }
}

impl<'a> Pairs<'a> {
    pub(super) fn of(baseline: &'a Evidence, candidate: &'a Evidence) -> Self {
        let pass_score = candidate.conditions.pass_score;
        let mut pairs = Self { clusters: BTreeMap::new(), unpaired: 0, incomplete: 0, pass_score };
        for (id, before) in &baseline.cases {
            let pair = candidate.cases.get(id).and_then(|after| {
                let score = Sides::of(before.score(), after.score())?;
                let passed = Sides::of(before.pass_share(pass_score), after.pass_share(pass_score))?;
                Some(Pair { id, before, after, score, passed })
            });
            match pair {
                Some(pair) => {
                    pairs.incomplete += u64::from(!(pair.before.is_whole() && pair.after.is_whole()));
                    pairs.clusters.entry(&before.cluster).or_default().push(pair);
                }
                None => pairs.unpaired += 1,
            }
        }
        pairs.unpaired += candidate.cases.keys().filter(|id| !baseline.cases.contains_key(*id)).count() as u64;
        pairs
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Pair<'a>> {
        self.clusters.values().flatten()
    }

    /// Number of paired cases.
    pub(super) fn count(&self) -> u64 {
        self.clusters.values().map(|cases| cases.len() as u64).sum()
    }

    /// Sums over each cluster of what `each` says of a case; clusters about whose cases nothing is known are left out.
    pub(super) fn totals<const K: usize>(&self, each: impl Fn(&Pair<'a>) -> Option<[f64; K]>) -> Totals<K> {
        let mut totals = Totals { clusters: Vec::with_capacity(self.clusters.len()), cases: 0 };
        for cases in self.clusters.values() {
            let mut sums = [0.0; K];
            let mut known = 0;
            for values in cases.iter().filter_map(&each) {
                known += 1;
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            if known > 0 {
                totals.clusters.push(sums);
                totals.cases += known;
            }
        }
        totals
    }

    /// What `each` says of every answer, by cluster, on the two sides.
    pub(super) fn answers(&self, each: impl Fn(&Repeat) -> Option<f64>) -> [Vec<Vec<f64>>; 2] {
        let side = |case: fn(&Pair<'a>) -> &'a CaseEvidence| -> Vec<Vec<f64>> {
            let cluster =
                |cases: &Vec<Pair<'a>>| cases.iter().flat_map(|pair| &case(pair).repeats).filter_map(&each).collect();
            self.clusters.values().map(cluster).collect()
        };
        [side(|pair| pair.before), side(|pair| pair.after)]
    }

    /// Cases by pass or fail on the two sides.
    pub(super) fn counts(&self) -> MoveCounts {
        let mut counts = MoveCounts::default();
        for pair in self.iter() {
            let count = match (pair.passed_before(self.pass_score), pair.passes_now(self.pass_score)) {
                (true, true) => &mut counts.still_right,
                (false, false) => &mut counts.still_wrong,
                (true, false) => &mut counts.regressed,
                (false, true) => &mut counts.improved,
            };
            *count += 1;
        }
        counts
    }

    /// Sum of the weights.
    pub(super) fn weight(&self) -> f64 {
        self.iter().map(|pair| pair.before.weight).sum()
    }
}

impl Pair<'_> {
    pub(super) fn passed_before(&self, pass_score: f64) -> bool {
        self.score.before >= pass_score
    }

    pub(super) fn passes_now(&self, pass_score: f64) -> bool {
        self.score.after >= pass_score
    }

    /// Whether the majority of the repeats was right before, and the majority is wrong now.
    pub(super) fn flipped(&self) -> bool {
        self.passed.before > 0.5 && self.passed.after < 0.5
    }
}

/// Sums by cluster, and the cases behind them.
pub(super) struct Totals<const K: usize> {
    pub(super) clusters: Vec<[f64; K]>,
    pub(super) cases: u64,
}
