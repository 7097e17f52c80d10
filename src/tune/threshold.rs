use serde::Serialize;

use super::advice::{Advice, same};
use super::candidates::thresholds;
use super::cascade::{Cascade, Policy};
use super::figures::{Figures, Placed, case_scores, cluster_mean, saving};
use super::validate::{Choices, HeldOut};
use super::{Proposal, figures::CaseScore};
use crate::domain::RunId;
use crate::stats::MeanEstimate;

/// The share of the questions that a small model should answer, least and most.
pub const KEPT_AIM: [f64; 2] = [0.6, 0.8];

/// How a threshold is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ThresholdSettings {
    /// The release's own threshold.
    pub present: f64,
    /// How much worse than always asking the large model the score may be, in score points.
    pub margin: f64,
    /// Parts that choosing is validated on.
    pub folds: u32,
    /// Draws the parts.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Measured {
    /// The gold set's name.
    pub gold_set: String,
    /// Hash of its content.
    pub gold_hash: String,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: String,
    /// The small model.
    pub small: String,
    /// The large model.
    pub large: String,
    /// The run in which the small model answered alone.
    pub small_run: RunId,
    /// The run in which the large model answered alone.
    pub large_run: RunId,
}

/// Score against cost at every threshold, and the threshold that is recommended.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ThresholdReport {
    /// What was measured.
    #[serde(flatten)]
    pub measured: Measured,
    /// How the threshold is chosen.
    pub settings: ThresholdSettings,
    /// The release's `stages.refuse_below`: no lower threshold can be told from the two runs.
    pub refuse_below: f64,
    /// Cases that both models were judged on.
    pub cases: u64,
    /// Clusters of these.
    pub clusters: u64,
    /// Answers that one of the models has no score for; they count nowhere.
    pub unpaired: u64,
    /// What to do.
    pub advice: Advice,
    /// Why, in a sentence.
    pub reason: String,
    /// The large model alone: the reference that no threshold may be worse than.
    pub large_alone: Figures,
    /// The small model alone.
    pub small_alone: Figures,
    /// The present threshold; `None` when it is below the refusal limit.
    pub present: Option<CascadePoint>,
    /// The cheapest threshold that is not worse than the reference; `None` without any.
    pub chosen: Option<CascadePoint>,
    /// Share of the cost of the large model alone that the chosen threshold saves.
    pub saving_against_large: Option<f64>,
    /// Share of the present cost that the chosen threshold saves.
    pub saving_against_present: Option<f64>,
    /// Mean of the score at the chosen threshold minus that at the present one.
    pub difference_to_present: Option<MeanEstimate>,
    /// The same choice, validated on cases that had no part in it; `None` below two clusters.
    pub held_out: Option<HeldOut>,
    /// The share of questions that the small model should answer, least and most.
    pub kept_aim: [f64; 2],
    /// The curve, by rising threshold.
    pub points: Vec<CascadePoint>,
    /// The migration that would set the chosen threshold.
    pub proposal: Option<Proposal>,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// What one threshold comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CascadePoint {
    /// The small model's answer is kept from this confidence on.
    pub threshold: f64,
    /// Share of the questions that the small model answers.
    pub kept_share: f64,
    /// Score, cost and latency.
    #[serde(flatten)]
    pub figures: Figures,
    /// Mean of score minus the large model's, over the cases.
    pub difference: Option<MeanEstimate>,
    /// Whether it is proven not to be worse by more than the margin: the interval's lower end is above it.
    pub non_inferior: bool,
    /// Mean of score minus that of asking the large model about as many questions drawn at random.
    pub gain_over_random: Option<MeanEstimate>,
}

/// Computes the curve and chooses a threshold.
pub fn tune_threshold(cascade: &Cascade, settings: ThresholdSettings, measured: Measured) -> ThresholdReport {
    let thresholds = thresholds(cascade, settings.present);
    let choices = Choices::new(cascade, &thresholds, Policy::Large, settings.margin);
    let [small, large] = [Policy::Small, Policy::Large].map(|policy| case_scores(&cascade.placed(|_| policy)));
    let points: Vec<CascadePoint> = thresholds
        .iter()
        .enumerate()
        .map(|(place, threshold)| {
            let answers = cascade.placed(|_| Policy::Threshold(*threshold));
            let difference = choices.difference(place);
            let kept_share = cascade.kept_share(*threshold).unwrap_or_default();
            CascadePoint {
                threshold: *threshold,
                kept_share,
                figures: Figures::of(&answers, cascade.pass_score),
                difference,
                non_inferior: choices.is_non_inferior(difference),
                gain_over_random: over_random(&answers, &small, &large, 1.0 - kept_share),
            }
        })
        .collect();
    let at = |threshold: f64| points.iter().find(|point| same(point.threshold, threshold)).copied();
    let present = at(settings.present);
    let chosen = choices.choose(|_| true).and_then(|place| points.get(place)).copied();
    let present_policy = present.map(|point| Policy::Threshold(point.threshold));
    let held_out = choices.cross_validate(cascade, Policy::Large, present_policy, settings.folds, settings.seed);
    let (large_alone, small_alone) = (cascade.figures(Policy::Large), cascade.figures(Policy::Small));
    let cost = |point: Option<CascadePoint>| point.and_then(|point| point.figures.cost_nanousd);
    let mut report = ThresholdReport {
        measured,
        settings,
        refuse_below: cascade.refuse_below,
        cases: cascade.cases() as u64,
        clusters: cascade.clusters() as u64,
        unpaired: cascade.unpaired,
        advice: Advice::None,
        reason: String::new(),
        large_alone,
        small_alone,
        present,
        chosen,
        saving_against_large: saving(cost(chosen), large_alone.cost_nanousd),
        saving_against_present: saving(cost(chosen), cost(present)),
        difference_to_present: chosen.zip(present).and_then(|(chosen, present)| {
            let [chosen, present] =
                [chosen, present].map(|point| case_scores(&cascade.placed(|_| Policy::Threshold(point.threshold))));
            minus(&chosen, &present)
        }),
        held_out,
        kept_aim: KEPT_AIM,
        points,
        proposal: None,
        notes: notes(cascade, settings.present),
    };
    (report.advice, report.reason) = report.advise();
    report
}

/// Mean difference of the same cases in the same order.
fn minus(one: &[CaseScore], other: &[CaseScore]) -> Option<MeanEstimate> {
    let differences = one.iter().zip(other).map(|(one, other)| CaseScore { score: one.score - other.score, ..*one });
    cluster_mean(&differences.collect::<Vec<_>>())
}

/// The gain over asking the large model about the share `rate` of the questions whatever they are: that scores
/// `(1 − rate) · small + rate · large` on average.
fn over_random(answers: &[Placed], small: &[CaseScore], large: &[CaseScore], rate: f64) -> Option<MeanEstimate> {
    let random = |(small, large): (&CaseScore, &CaseScore)| CaseScore {
        score: (1.0 - rate) * small.score + rate * large.score,
        ..*small
    };
    minus(&case_scores(answers), &small.iter().zip(large).map(random).collect::<Vec<_>>())
}

fn notes(cascade: &Cascade, present: f64) -> Vec<String> {
    let mut notes = Vec::new();
    if present < cascade.refuse_below {
        notes.push(format!(
            "The present threshold {present} is below stages.refuse_below {}, where it cannot be told from these runs what it comes to.",
            cascade.refuse_below
        ));
    }
    if cascade.judged_by_cost_or_time {
        notes.push(
            "A grader judges cost or latency: an escalated question has the grade that the large model had alone."
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::cascade::tests::{cascade, four, question};
    use super::super::cascade::{BothAnswers, Keep};
    use super::*;
    use crate::domain::NanoUsd;

    pub(crate) fn measured() -> Measured {
        Measured {
            gold_set: "manual".to_owned(),
            gold_hash: "0".repeat(64),
            release: 3,
            release_hash: "1".repeat(64),
            small: "extractive/small".to_owned(),
            large: "extractive/large".to_owned(),
            small_run: "run_00000000000000000000000000000001".parse().unwrap(),
            large_run: "run_00000000000000000000000000000002".parse().unwrap(),
        }
    }

    pub(crate) fn settings(present: f64) -> ThresholdSettings {
        ThresholdSettings { present, margin: 0.02, folds: 5, seed: 0 }
    }

    /// Twenty sure questions that both models answer alike, and ten unsure ones that only the large model gets right.
    pub(crate) fn thirty() -> Cascade {
        let mut questions: Vec<BothAnswers> =
            (0..20).map(|n| question(n, Keep::UpTo(0.8), (1.0, 10, 20.0), (1.0, 100, 50.0))).collect();
        questions.extend((20..30).map(|n| question(n, Keep::UpTo(0.4), (0.0, 10, 20.0), (1.0, 100, 50.0))));
        cascade(questions)
    }

    #[test]
    fn random_escalation_is_worked_out_by_arithmetic() {
        let report = tune_threshold(&four(), settings(0.6), measured());
        // The small model alone scores (1 + 0 + 1 + 0)/4 = .5, the large one (1 + 1 + .5 + 0)/4 = .625.
        // At .6 half the questions are escalated: random escalation scores .5625 on average, and the cascade .375.
        let gain = |threshold: f64| {
            let point = report.points.iter().find(|point| same(point.threshold, threshold)).unwrap();
            point.gain_over_random.unwrap().estimate
        };
        assert!((gain(0.6) - (0.375 - 0.5625)).abs() < 1e-12);
        // At .9 three of four are: .5 / 4 + 3 * .625 / 4 = .59375, and the cascade .625. At 1 all are.
        assert!((gain(0.9) - (0.625 - 0.59375)).abs() < 1e-12);
        assert!(gain(1.0).abs() < 1e-12);
    }

    #[test]
    fn a_cheaper_threshold_is_recommended_with_what_it_saves_and_how_that_holds_up() {
        let report = tune_threshold(&thirty(), settings(0.9), measured());
        assert_eq!((report.advice, report.chosen.unwrap().threshold), (Advice::Change, 0.8));
        // 20 questions at 10, 10 at 109: 1290 of 3000 for the large model alone, of 30 * 109 = 3270 at present.
        assert_eq!(report.chosen.unwrap().figures.cost_nanousd, Some(NanoUsd(1290)));
        assert!((report.saving_against_large.unwrap() - (1.0 - 1290.0 / 3000.0)).abs() < 1e-12);
        assert!((report.saving_against_present.unwrap() - (1.0 - 1290.0 / 3270.0)).abs() < 1e-12);
        assert_eq!(report.difference_to_present.map(|mean| mean.estimate), Some(0.0));
        let held = report.held_out.as_ref().unwrap();
        assert_eq!((held.lowest_threshold, held.highest_threshold), (Some(0.8), Some(0.8)));
        assert_eq!((held.difference.unwrap().estimate, held.folds.len()), (0.0, 5));
        assert!((held.saving_against_present.unwrap() - report.saving_against_present.unwrap()).abs() < 1e-12);
        assert_eq!(report.recommended().map(|point| point.kept_share), Some(20.0 / 30.0));
    }

    #[test]
    fn the_present_threshold_stays_when_it_is_the_one() {
        assert_eq!(tune_threshold(&thirty(), settings(0.8), measured()).advice, Advice::Keep);
    }

    #[test]
    fn a_threshold_that_lets_too_much_through_is_raised() {
        let report = tune_threshold(&thirty(), settings(0.3), measured());
        assert_eq!((report.advice, report.chosen.unwrap().threshold), (Advice::Change, 0.8));
        assert!(report.saving_against_present.unwrap() < 0.0);
        assert!(report.reason.starts_with("the present threshold is proven to be worse"), "{}", report.reason);
    }

    #[test]
    fn a_dearer_threshold_needs_proof_that_the_present_one_is_worse() {
        // One failure in 21: the mean difference is -.048, and its interval reaches above 0.
        let mut cascade = thirty();
        cascade.questions.truncate(21);
        let report = tune_threshold(&cascade, settings(0.3), measured());
        assert_eq!((report.advice, report.chosen.unwrap().threshold), (Advice::Keep, 0.8));
        assert!(report.reason.starts_with("these cases prove neither"), "{}", report.reason);
    }

    #[test]
    fn a_small_model_that_does_not_pay_is_not_recommended() {
        let dear = |n| question(n, Keep::UpTo(0.3), (0.0, 90, 1.0), (1.0, 100, 1.0));
        let report = tune_threshold(&cascade((0..30).map(dear).collect()), settings(0.6), measured());
        assert_eq!(report.advice, Advice::None);
        assert!(report.reason.starts_with("asking the large model alone costs no more"), "{}", report.reason);
    }

    #[test]
    fn a_present_threshold_below_the_refusal_limit_is_not_measured() {
        let report = tune_threshold(&thirty(), settings(0.1), measured());
        assert_eq!((report.present, report.advice), (None, Advice::Change));
        assert!(report.notes[0].contains("below stages.refuse_below"));
    }
}
