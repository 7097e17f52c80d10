use serde::Serialize;

use super::answers::{Answered, Paired};
use super::cascade::Figure;
use super::change::{all, any};
use super::figures::Placed;
use super::measure::measure;
use super::{Change, Figures, Proposal, TuneError};
use crate::domain::{RunId, Verdict};
use crate::stats::MeanEstimate;
use crate::store::{RunRow, Store};

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// Passages from the knowledge base.
    Rag,
    /// Worked examples in the prompt.
    FewShot,
    /// Another way to find passages.
    RetrievalMode,
}

impl Feature {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rag => "rag",
            Self::FewShot => "few-shot",
            Self::RetrievalMode => "retrieval-mode",
        }
    }
}

/// When a feature is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LiftRules {
    /// Least relative lift, in score or in passed cases: 0.10 is a tenth more than without.
    pub min_lift: f64,
    /// Most relative increase of the cost of a successful outcome.
    pub max_cost_increase: f64,
    /// Most relative increase of the 95th percentile of latency.
    pub max_latency_increase: f64,
    /// Below this, in milliseconds, a rise of the 95th percentile is none.
    pub latency_floor_ms: f64,
    /// Drawings of the bootstraps.
    pub resamples: u32,
    /// Where their random numbers start.
    pub seed: u64,
}

/// A feature, and whether it is worth it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LiftReport {
    /// What was tried.
    pub feature: Feature,
    /// Pass: worth it; fail: not worth it; inconclusive: not enough evidence.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// Whether the release has the feature. Of retrieval modes, none that is tried is in use.
    pub in_use: bool,
    /// The gold set's name.
    pub gold_set: String,
    /// Hash of its content.
    pub gold_hash: String,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: String,
    /// What had to be reached.
    pub rules: LiftRules,
    /// The feature against its absence; of retrieval modes, each against the release's own.
    pub comparisons: Vec<LiftComparison>,
    /// The migration that would switch the feature.
    pub proposal: Option<Proposal>,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// With and without, on the same cases.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LiftComparison {
    /// What is tried: `hybrid`, `examples v2`.
    pub with_name: String,
    /// What it is compared with: `off`, `no examples`.
    pub without_name: String,
    /// The run with it.
    pub with_run: RunId,
    /// The run without it.
    pub without_run: RunId,
    /// Cases that both runs judged.
    pub cases: u64,
    /// Clusters of these.
    pub clusters: u64,
    /// Answers without a score in one run or the other; they count nowhere.
    pub unpaired: u64,
    /// What it comes to with the feature.
    pub with: Figures,
    /// What it comes to without.
    pub without: Figures,
    /// Mean of the score with minus the score without.
    pub difference: Option<MeanEstimate>,
    /// How score, outcomes, cost and latency change.
    pub lift: Lift,
    /// Pass: worth it.
    pub verdict: Verdict,
}

/// How score, outcomes, cost and latency change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Lift {
    /// Of the mean score.
    pub score: Change,
    /// Of the passed cases.
    pub outcome: Change,
    /// Of the cost of a successful outcome.
    pub cost_per_success: Change,
    /// Of the 95th percentile of latency.
    pub p95_latency: Change,
}

impl Lift {
    /// What is gained: enough in score or in outcomes.
    pub fn benefit(&self) -> Verdict {
        any([self.score.verdict, self.outcome.verdict])
    }

    /// Worth it: enough is gained, at similar or lower cost and latency.
    fn verdict(&self) -> Verdict {
        all([self.benefit(), self.cost_per_success.verdict, self.p95_latency.verdict])
    }
}

/// A run, and what it is a run of.
pub type Named<'a> = (&'a str, &'a RunRow);

/// Compares a run with a feature to one without it. `looks` is the number of comparisons that are made at once.
///
/// # Errors
/// [`TuneError::NothingPaired`] when the runs have no judged case in common.
pub fn compare_feature(
    store: &Store,
    with: Named<'_>,
    without: Named<'_>,
    pass_score: f64,
    rules: LiftRules,
    looks: usize,
) -> Result<LiftComparison, TuneError> {
    let paired = Paired::read(store, with.1, without.1)?;
    let places = paired.places();
    let side = |side: usize| -> Vec<Placed> {
        let answers = paired.pairs.iter().filter_map(|pair| pair.get(side)).zip(&places);
        answers.map(|(answer, (cluster, case))| placed(answer, *cluster, *case)).collect()
    };
    let [one, other] = [side(0), side(1)];
    let (lift, difference) = measure(&one, &other, pass_score, rules, looks);
    Ok(LiftComparison {
        with_name: with.0.to_owned(),
        without_name: without.0.to_owned(),
        with_run: with.1.id,
        without_run: without.1.id,
        cases: places.last().map_or(0, |(_, case)| case + 1) as u64,
        clusters: places.last().map_or(0, |(cluster, _)| cluster + 1) as u64,
        unpaired: paired.unpaired,
        with: Figures::of(&one, pass_score),
        without: Figures::of(&other, pass_score),
        difference,
        lift,
        verdict: lift.verdict(),
    })
}

fn placed(answer: &Answered, cluster: usize, case: usize) -> Placed {
    let figure = Figure { score: answer.score.unwrap_or(0.0), cost: answer.cost, latency_ms: answer.latency_ms };
    Placed { cluster, case, weight: answer.weight, figure }
}

impl LiftReport {
    /// The comparison that decides: the one that is worth it with the greatest gain in score, or else the first.
    pub fn decisive(&self) -> Option<&LiftComparison> {
        let gain = |one: &LiftComparison| one.difference.map_or(f64::NEG_INFINITY, |mean| mean.estimate);
        let worth = self.comparisons.iter().filter(|one| one.verdict == Verdict::Pass);
        worth.max_by(|one, other| gain(one).total_cmp(&gain(other))).or(self.comparisons.first())
    }

    /// Whether a migration should switch the feature: on where it is off and worth it, off where it is on and gains too
    /// little. What gains enough but is dear or slow is left on: switching it off would lose what it gains.
    pub fn switches(&self) -> bool {
        let gains_too_little = || self.decisive().is_some_and(|one| one.lift.benefit() == Verdict::Fail);
        match self.verdict {
            Verdict::Pass => !self.in_use,
            Verdict::Fail => self.in_use && gains_too_little(),
            Verdict::Inconclusive => false,
        }
    }

    /// The proposed migration in a sentence.
    pub fn description(&self) -> String {
        let Some(one) = self.decisive() else { return String::new() };
        let (on, off) = (&one.with_name, &one.without_name);
        let (new, old) = if self.verdict == Verdict::Pass { (on, off) } else { (off, on) };
        let score =
            |figures: &Figures| figures.mean_score().map_or_else(|| "unknown".to_owned(), |s| format!("{s:.3}"));
        format!(
            "{} {new} instead of {old}: score {} with {on} and {} with {off} on {}, and {}",
            match self.feature {
                Feature::Rag | Feature::RetrievalMode => "Retrieval",
                Feature::FewShot => "Prompt with",
            },
            score(&one.with),
            score(&one.without),
            self.gold_set,
            self.reason
        )
    }

    /// Draws the verdict from the comparisons.
    pub fn decide(&mut self) {
        self.verdict = any(self.comparisons.iter().map(|one| one.verdict));
        self.reason = self.decisive().map_or_else(String::new, LiftComparison::why);
    }
}

impl LiftComparison {
    /// Whether there is no score at all without the feature, so that a relative lift is unknown.
    fn is_from_nothing(&self) -> bool {
        self.without.mean_score().is_some_and(|score| score <= 0.0)
    }

    /// What the verdict rests on, in a sentence.
    fn why(&self) -> String {
        let lift = &self.lift;
        match (self.verdict, lift.benefit()) {
            (Verdict::Pass, _) if self.is_from_nothing() => {
                "without it no case scores, so that no relative lift exists and any gain is enough".to_owned()
            }
            (Verdict::Pass, _) => "enough is gained, and cost and latency stay within their limits".to_owned(),
            (Verdict::Fail, Verdict::Fail) => "neither score nor passed cases gain enough".to_owned(),
            (Verdict::Fail, _) => {
                let beyond = [
                    (lift.cost_per_success, "a successful outcome costs too much more"),
                    (lift.p95_latency, "answers take too much longer"),
                ];
                let beyond = beyond.iter().filter(|(change, _)| change.verdict == Verdict::Fail).map(|(_, why)| *why);
                beyond.collect::<Vec<_>>().join(", and ")
            }
            (Verdict::Inconclusive, Verdict::Inconclusive) => {
                "too few cases to tell whether score or passed cases gain enough".to_owned()
            }
            (Verdict::Inconclusive, _) if lift.cost_per_success.verdict == Verdict::Inconclusive => {
                "it cannot be told whether a successful outcome costs too much more".to_owned()
            }
            (Verdict::Inconclusive, _) => "it cannot be told whether answers take too much longer".to_owned(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::NanoUsd;

    pub(crate) fn rules() -> LiftRules {
        LiftRules {
            min_lift: 0.10,
            max_cost_increase: 0.10,
            max_latency_increase: 0.10,
            latency_floor_ms: 50.0,
            resamples: 2_000,
            seed: 0,
        }
    }

    fn answers(scores: impl Iterator<Item = f64>, cost: Option<i64>, latency_ms: f64) -> Vec<Placed> {
        let placed = |(number, score): (usize, f64)| Placed {
            cluster: number,
            case: number,
            weight: 1.0,
            figure: Figure { score, cost: cost.map(NanoUsd), latency_ms: Some(latency_ms) },
        };
        scores.enumerate().map(placed).collect()
    }

    fn wavy(base: f64) -> impl Iterator<Item = f64> {
        (0..60).map(move |number| base + f64::from(number % 7) / 50.0)
    }

    pub(crate) fn comparison(with: &[Placed], without: &[Placed]) -> LiftComparison {
        let (lift, difference) = measure(with, without, 0.5, rules(), 1);
        LiftComparison {
            with_name: "hybrid".to_owned(),
            without_name: "off".to_owned(),
            with_run: "run_00000000000000000000000000000001".parse().unwrap(),
            without_run: "run_00000000000000000000000000000002".parse().unwrap(),
            cases: with.len() as u64,
            clusters: with.len() as u64,
            unpaired: 0,
            with: Figures::of(with, 0.5),
            without: Figures::of(without, 0.5),
            difference,
            lift,
            verdict: lift.verdict(),
        }
    }

    pub(crate) fn worth_it() -> LiftComparison {
        comparison(&answers(wavy(0.6), Some(100), 30.0), &answers(wavy(0.4), Some(100), 20.0))
    }

    #[test]
    fn the_lift_is_relative_to_what_there_is_without() {
        let found = worth_it();
        // 60 cases whose waves are 0, 1 to 6 fiftieths: eight times 21 and 0 to 3, so 174 / 50 in all, .058 each.
        assert!((found.lift.score.relative.unwrap() - 0.2 / 0.458).abs() < 1e-9, "{found:?}");
        assert!((found.difference.unwrap().estimate - 0.2).abs() < 1e-12);
        // Without it the waves of .10 and .12 pass: 8 of 7 + 8... all pass with it.
        assert_eq!((found.with.pass_rate, found.verdict), (1.0, Verdict::Pass));
        // Two gains are looked at: each interval is at 97.5 %.
        assert!((found.lift.score.confidence - 0.975).abs() < 1e-12);
        assert_eq!(found.why(), "enough is gained, and cost and latency stay within their limits");
    }

    #[test]
    fn a_gain_below_the_rule_is_not_worth_it() {
        let found = comparison(&answers(wavy(0.61), Some(100), 30.0), &answers(wavy(0.6), Some(100), 20.0));
        assert_eq!((found.verdict, found.lift.benefit()), (Verdict::Fail, Verdict::Fail));
        assert_eq!(found.why(), "neither score nor passed cases gain enough");
    }

    #[test]
    fn a_gain_that_costs_too_much_is_not_worth_it() {
        // Without it 16 of 60 pass at 100 each: 375 a success. With it all pass at 1000 each.
        let found = comparison(&answers(wavy(0.6), Some(1_000), 30.0), &answers(wavy(0.4), Some(100), 20.0));
        assert_eq!((found.lift.benefit(), found.verdict), (Verdict::Pass, Verdict::Fail));
        assert_eq!(found.why(), "a successful outcome costs too much more");
    }

    #[test]
    fn a_gain_that_takes_too_long_is_not_worth_it_but_a_blink_is_no_time() {
        let slow = |ms| comparison(&answers(wavy(0.6), Some(100), ms), &answers(wavy(0.4), Some(100), 20.0));
        assert_eq!((slow(69.0).verdict, slow(71.0).verdict), (Verdict::Pass, Verdict::Fail));
        assert_eq!(slow(71.0).why(), "answers take too much longer");
    }

    #[test]
    fn from_a_score_of_zero_any_gain_is_enough_and_no_relative_lift_exists() {
        let found = comparison(&answers(wavy(0.6), Some(100), 20.0), &answers((0..60).map(|_| 0.0), Some(100), 20.0));
        assert_eq!((found.lift.score.relative, found.lift.outcome.relative), (None, None));
        assert_eq!((found.lift.cost_per_success.relative, found.verdict), (None, Verdict::Pass));
        assert_eq!(found.why(), "without it no case scores, so that no relative lift exists and any gain is enough");
        let none = || answers((0..60).map(|_| 0.0), Some(100), 20.0);
        assert_eq!(comparison(&none(), &none()).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn few_cases_are_inconclusive_and_an_unknown_cost_is_too() {
        let few = |scores: [f64; 4]| answers(scores.into_iter(), Some(100), 20.0);
        let found = comparison(&few([0.9, 0.1, 0.8, 0.6]), &few([0.2, 0.7, 0.6, 0.6]));
        assert_eq!((found.verdict, found.lift.benefit()), (Verdict::Inconclusive, Verdict::Inconclusive));
        let found = comparison(&answers(wavy(0.6), None, 20.0), &answers(wavy(0.4), Some(100), 20.0));
        assert_eq!((found.lift.cost_per_success.relative, found.verdict), (None, Verdict::Inconclusive));
        assert_eq!(found.why(), "it cannot be told whether a successful outcome costs too much more");
    }

    #[test]
    fn of_several_ways_the_one_that_gains_most_decides() {
        let better = comparison(&answers(wavy(0.7), Some(100), 20.0), &answers(wavy(0.4), Some(100), 20.0));
        let worse = comparison(&answers(wavy(0.3), Some(100), 20.0), &answers(wavy(0.4), Some(100), 20.0));
        let mut report =
            report(vec![worse.clone(), worth_it(), LiftComparison { with_name: "best".to_owned(), ..better }]);
        report.decide();
        assert_eq!((report.verdict, report.decisive().unwrap().with_name.as_str()), (Verdict::Pass, "best"));
        report.comparisons = vec![worse];
        report.decide();
        assert_eq!(report.verdict, Verdict::Fail);
    }

    pub(crate) fn report(comparisons: Vec<LiftComparison>) -> LiftReport {
        let mut report = LiftReport {
            feature: Feature::Rag,
            verdict: Verdict::Inconclusive,
            reason: String::new(),
            in_use: true,
            gold_set: "manual".to_owned(),
            gold_hash: "0".repeat(64),
            release: 3,
            release_hash: "1".repeat(64),
            rules: rules(),
            comparisons,
            proposal: None,
            notes: Vec::new(),
        };
        report.decide();
        report
    }
}
