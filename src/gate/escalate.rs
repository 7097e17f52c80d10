use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::pair::{Pair, Pairs};
use super::{Comparison, EscalationReport};
use crate::domain::{NanoUsd, Verdict};
use crate::stats::{BettingTest, Interval, Side};

/// Chance of a draw to be one of the cases that differed, unless they weigh more than that.
const DIFFERING: f64 = 0.5;

/// Buying evidence for an open score: cases are drawn at random and asked again on both sides, and two tests bet on the
/// differences, so that the evidence may be looked at after every answer.
///
/// Cases that differed between the sides are drawn with a probability of at least one half, since there is most to be
/// learned; the others too, because sides may have agreed by chance. A difference is divided by how much more likely its
/// case was drawn than its weight in the set, so that its expectation is the change of the set's score whichever cases
/// differed. Only answers bought here count: the earlier ones chose the cases. "Worse" is tested as a mean of at least 0,
/// and "not worse by more than the margin m" as one of at most -m; either is taken as proven from an e-value of
/// `2 / (1 - confidence)` on, which a test of a true hypothesis ever reaches with a probability of at most its inverse.
/// A failure also needs both estimates, the bought one and the earlier one, to be beyond the margin.
///
/// Source: Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting; Ville (1939); Horvitz &
/// Thompson (1952) for the weights.
pub struct Escalation {
    cases: Vec<Drawn>,
    differing: u64,
    margin: f64,
    before: f64,
    needed: f64,
    worse: BettingTest,
    not_worse: BettingTest,
    random: ChaCha8Rng,
    pairs: u64,
    looks: u64,
    sum: f64,
    cost: Option<NanoUsd>,
}

/// A case that can be drawn.
struct Drawn {
    id: String,
    /// How likely.
    chance: f64,
    /// Its share of the set's weight over its chance.
    factor: f64,
}

impl Escalation {
    /// Prepares to ask the cases of `comparison` again; `None` when the sides differ nowhere.
    pub fn of(comparison: &Comparison<'_>) -> Option<Self> {
        let pairs = Pairs::of(comparison.baseline.evidence, comparison.candidate.evidence);
        let weight = pairs.weight();
        let differs = |change: f64| change.abs() > 0.0;
        let differing = pairs.iter().filter(|pair| differs(pair.score.change()) && pair.before.weight > 0.0);
        let (mut share, mut count, mut before) = (0.0, 0, 0.0);
        for pair in differing {
            (share, count) = (share + pair.before.weight / weight, count + 1);
            before += pair.before.weight / weight * pair.score.change();
        }
        if count == 0 {
            return None;
        }
        // Where every case differs there is nothing else to draw.
        let preferred = if share >= 1.0 - 1e-9 { 1.0 } else { share.max(DIFFERING) };
        let drawn = |pair: &Pair<'_>| {
            let part = pair.before.weight / weight;
            let factor =
                if differs(pair.score.change()) { share / preferred } else { (1.0 - share) / (1.0 - preferred) };
            Drawn { id: pair.id.to_owned(), chance: part / factor, factor }
        };
        let cases: Vec<Drawn> = pairs.iter().filter(|pair| pair.before.weight > 0.0).map(drawn).collect();
        let most = cases.iter().map(|case| case.factor).fold(0.0, f64::max);
        let settings = comparison.settings;
        let margin = settings.metric(crate::config::GateMetric::Score).margin;
        let bounds = Interval { lower: -most, upper: most };
        Some(Self {
            cases,
            differing: count,
            margin,
            before,
            needed: 2.0 / (1.0 - settings.confidence),
            worse: BettingTest::new(0.0, Side::Less, bounds),
            not_worse: BettingTest::new(-margin, Side::Greater, bounds),
            random: ChaCha8Rng::seed_from_u64(comparison.seed),
            pairs: 0,
            looks: 0,
            sum: 0.0,
            cost: Some(NanoUsd::ZERO),
        })
    }

    /// The ids of the `count` cases to ask next, drawn with replacement.
    pub fn draw(&mut self, count: usize) -> Vec<String> {
        let mut drawn = Vec::with_capacity(count);
        for _ in 0..count {
            let mut at = self.random.random::<f64>();
            let hit = self.cases.iter().find(|case| {
                at -= case.chance;
                at < 0.0
            });
            drawn.extend(hit.or(self.cases.last()).map(|case| case.id.clone()));
        }
        drawn
    }

    /// Takes a pair of fresh answers to the drawn case of this id.
    pub fn observe(&mut self, id: &str, before: f64, after: f64) {
        let Some(case) = self.cases.iter().find(|case| case.id == id) else { return };
        let difference = case.factor * (after - before);
        self.pairs += 1;
        self.sum += difference;
        self.worse.observe(difference);
        self.not_worse.observe(difference);
    }

    /// Counts what a pair cost; an unknown cost makes the sum unknown.
    pub fn spend(&mut self, cost: Option<NanoUsd>) {
        self.cost = self.cost.zip(cost).and_then(|(sum, cost)| sum.checked_add(cost));
    }

    /// What was spent so far; `None` once something is unknown.
    pub fn cost(&self) -> Option<NanoUsd> {
        self.cost
    }

    /// Looks at the evidence.
    pub fn look(&mut self) -> Verdict {
        self.looks += 1;
        self.outcome()
    }

    fn effect(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.sum / self.pairs as f64)
    }

    fn outcome(&self) -> Verdict {
        let beyond_margin = |effect: f64| effect < -self.margin;
        let is_loss = beyond_margin(self.before) && self.effect().is_some_and(beyond_margin);
        if self.worse.e_value() >= self.needed && is_loss {
            Verdict::Fail
        } else if self.not_worse.e_value() >= self.needed {
            Verdict::Pass
        } else {
            Verdict::Inconclusive
        }
    }

    /// What it came to, and why it ended.
    pub fn report(&self, ended: String) -> EscalationReport {
        EscalationReport {
            cases: self.differing,
            looks: self.looks,
            pairs: self.pairs,
            e_worse: self.worse.e_value(),
            e_not_worse: self.not_worse.e_value(),
            needed: self.needed,
            effect: self.effect(),
            cost_nanousd: self.cost,
            outcome: self.outcome(),
            ended,
        }
    }
}
