use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::pair::Pairs;
use super::{Comparison, EscalationReport};
use crate::domain::{NanoUsd, Verdict};
use crate::stats::{BettingTest, Interval, Side};

/// Buying evidence for an open score: the cases that differ between the sides are drawn at random and asked again on
/// both, and two tests bet on the differences, so that the evidence may be looked at after every answer.
///
/// Cases on which the sides agreed are taken as they are: what is estimated is the difference that the differing cases
/// make to the score of this gold set. Only answers bought here count, since the earlier ones chose the cases. With `s`
/// the share of the set's weight that differing cases have, "worse" is tested as a mean difference of at least 0, and "not
/// worse by more than the margin m" as one of at most -m/s; either is taken as proven from an e-value of
/// `2 / (1 - confidence)` on, which a test of a true hypothesis ever reaches with a probability of at most its inverse.
///
/// Source: Waudby-Smith & Ramdas (2024), Estimating means of bounded random variables by betting; Ville (1939).
pub struct Escalation {
    cases: Vec<(String, f64)>,
    share: f64,
    margin: f64,
    needed: f64,
    worse: BettingTest,
    not_worse: BettingTest,
    random: ChaCha8Rng,
    pairs: u64,
    looks: u64,
    sum: f64,
    cost: Option<NanoUsd>,
}

impl Escalation {
    /// Prepares to ask the differing cases of `comparison` again; `None` when the sides differ nowhere.
    pub fn of(comparison: &Comparison<'_>) -> Option<Self> {
        let pairs = Pairs::of(comparison.baseline.evidence, comparison.candidate.evidence);
        let differing = pairs.iter().filter(|pair| pair.score.change().abs() > 0.0 && pair.before.weight > 0.0);
        let cases: Vec<(String, f64)> = differing.map(|pair| (pair.id.to_owned(), pair.before.weight)).collect();
        if cases.is_empty() {
            return None;
        }
        let share = cases.iter().map(|(_, weight)| weight).sum::<f64>() / pairs.weight();
        let settings = comparison.settings;
        let margin = settings.metric(crate::config::GateMetric::Score).margin;
        let bounds = Interval { lower: -1.0, upper: 1.0 };
        Some(Self {
            cases,
            share,
            margin,
            needed: 2.0 / (1.0 - settings.confidence),
            worse: BettingTest::new(0.0, Side::Less, bounds),
            // Differing cases that weigh less than the margin cannot exceed it, whatever they do.
            not_worse: BettingTest::new((-margin / share).max(-1.0), Side::Greater, bounds),
            random: ChaCha8Rng::seed_from_u64(comparison.seed),
            pairs: 0,
            looks: 0,
            sum: 0.0,
            cost: Some(NanoUsd::ZERO),
        })
    }

    /// The ids of the cases to ask next, drawn with replacement by weight: as many as differ, at most `most`.
    pub fn draw(&mut self, most: usize) -> Vec<String> {
        let total: f64 = self.cases.iter().map(|(_, weight)| weight).sum();
        let count = self.cases.len().min(most);
        let mut drawn = Vec::with_capacity(count);
        for _ in 0..count {
            let mut at = self.random.random::<f64>() * total;
            let hit = self.cases.iter().find(|(_, weight)| {
                at -= weight;
                at < 0.0
            });
            drawn.extend(hit.or(self.cases.last()).map(|(id, _)| id.clone()));
        }
        drawn
    }

    /// Takes a pair of fresh answers to one drawn case.
    pub fn observe(&mut self, before: f64, after: f64) {
        let difference = after - before;
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
        (self.pairs > 0).then(|| self.share * self.sum / self.pairs as f64)
    }

    fn outcome(&self) -> Verdict {
        let beyond_margin = self.effect().is_some_and(|effect| effect < -self.margin);
        if self.worse.e_value() >= self.needed && beyond_margin {
            Verdict::Fail
        } else if self.margin >= self.share || self.not_worse.e_value() >= self.needed {
            Verdict::Pass
        } else {
            Verdict::Inconclusive
        }
    }

    /// What it came to, and why it ended.
    pub fn report(&self, ended: String) -> EscalationReport {
        EscalationReport {
            cases: self.cases.len() as u64,
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
