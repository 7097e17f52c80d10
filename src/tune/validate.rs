use serde::Serialize;

use super::CONFIDENCE;
use super::cascade::{Cascade, Policy};
use super::figures::{CaseScore, Placed, case_scores, saving};
use super::folds::folds;
use crate::domain::NanoUsd;
use crate::stats::{ClusterMean, MeanEstimate};

/// What came of choosing a threshold on some clusters and measuring it on the others.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct HeldOut {
    /// What each part chose, and what it was measured on.
    pub folds: Vec<FoldChoice>,
    /// Lowest threshold that some part chose; `None` when none chose one.
    pub lowest_threshold: Option<f64>,
    /// Highest threshold that some part chose.
    pub highest_threshold: Option<f64>,
    /// Mean of score minus the reference's, over all cases, each measured at a threshold that was chosen without it.
    pub difference: Option<MeanEstimate>,
    /// Share of the cost of always asking the large model that is saved.
    pub saving_against_large: Option<f64>,
    /// Share of the present cost that is saved; `None` also when the present threshold cannot be measured.
    pub saving_against_present: Option<f64>,
}

/// One part of the clusters: what the others chose for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct FoldChoice {
    /// What the other parts chose; `None` when no threshold was good enough for them: then the large model is asked alone.
    pub threshold: Option<f64>,
    /// Cases of this part.
    pub cases: u64,
    /// Mean of score minus the reference's in this part.
    pub difference: Option<f64>,
}

/// Sums over one cluster under one policy.
#[derive(Debug, Clone, Copy, Default)]
struct ClusterSums {
    difference: f64,
    weight: f64,
    cases: u64,
    cost: Option<NanoUsd>,
    score: f64,
}

/// Every threshold on every cluster, beside the reference: what choosing needs.
pub(super) struct Choices {
    thresholds: Vec<f64>,
    sums: Vec<Vec<ClusterSums>>,
    margin: f64,
}

impl Choices {
    /// Prepares the choice among `thresholds` (ascending) of one whose score is not worse than `reference`'s by more
    /// than `margin`.
    pub(super) fn new(cascade: &Cascade, thresholds: &[f64], reference: Policy, margin: f64) -> Self {
        let reference = case_scores(&cascade.placed(|_| reference));
        let sums = thresholds.iter().map(|threshold| {
            cluster_sums(&cascade.placed(|_| Policy::Threshold(*threshold)), &reference, cascade.clusters())
        });
        Self { thresholds: thresholds.to_vec(), sums: sums.collect(), margin }
    }

    /// The mean difference to the reference of the threshold in this place.
    pub(super) fn difference(&self, place: usize) -> Option<MeanEstimate> {
        mean(self.sums.get(place)?.iter())
    }

    /// Whether a difference is proven not to be worse than the margin: the lower end of its interval is above.
    pub(super) fn is_non_inferior(&self, difference: Option<MeanEstimate>) -> bool {
        difference.and_then(|mean| mean.interval).is_some_and(|interval| interval.lower >= -self.margin)
    }

    /// The place of the cheapest threshold that is not inferior on the clusters that `counts` names. Of equally cheap ones
    /// the best, and of equally good ones the highest. `None` when none is good enough, or costs are unknown.
    pub(super) fn choose(&self, counts: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best: Option<(NanoUsd, f64, usize)> = None;
        for (place, clusters) in self.sums.iter().enumerate() {
            let counted = || clusters.iter().enumerate().filter(|(cluster, _)| counts(*cluster)).map(|(_, sums)| sums);
            if !self.is_non_inferior(mean(counted())) {
                continue;
            }
            let cost: NanoUsd = counted().map(|sums| sums.cost).sum::<Option<NanoUsd>>()?;
            let score: f64 = counted().map(|sums| sums.score).sum();
            if best.is_none_or(|(least, most, _)| cost < least || (cost == least && score >= most)) {
                best = Some((cost, score, place));
            }
        }
        best.map(|(_, _, place)| place)
    }

    /// Chooses on all parts but one and measures on that one, for each of `parts` parts of the clusters; `None` below two.
    pub(super) fn cross_validate(
        &self,
        cascade: &Cascade,
        reference: Policy,
        present: Option<Policy>,
        parts: u32,
        seed: u64,
    ) -> Option<HeldOut> {
        let fold_of = folds(cascade.clusters(), parts, seed)?;
        let count = fold_of.iter().max().map_or(0, |last| last + 1);
        let chosen: Vec<Option<f64>> = (0..count)
            .map(|fold| {
                let place = self.choose(|cluster| fold_of.get(cluster).is_some_and(|other| *other != fold))?;
                self.thresholds.get(place).copied()
            })
            .collect();
        let fold_at = |cluster: usize| fold_of.get(cluster).copied().unwrap_or_default();
        let policy =
            |cluster: usize| chosen.get(fold_at(cluster)).copied().flatten().map_or(Policy::Large, Policy::Threshold);
        let answers = cascade.placed(policy);
        let sums = cluster_sums(&answers, &case_scores(&cascade.placed(|_| reference)), cascade.clusters());
        let folds = chosen.iter().enumerate().map(|(fold, threshold)| {
            let held =
                || sums.iter().enumerate().filter(|(cluster, _)| fold_at(*cluster) == fold).map(|(_, sums)| sums);
            FoldChoice {
                threshold: *threshold,
                cases: held().map(|sums| sums.cases).sum(),
                difference: mean(held()).map(|mean| mean.estimate),
            }
        });
        let cost = total(&answers);
        Some(HeldOut {
            folds: folds.collect(),
            lowest_threshold: chosen.iter().flatten().copied().reduce(f64::min),
            highest_threshold: chosen.iter().flatten().copied().reduce(f64::max),
            difference: mean(sums.iter()),
            saving_against_large: saving(cost, total(&cascade.placed(|_| Policy::Large))),
            saving_against_present: present.and_then(|present| saving(cost, total(&cascade.placed(|_| present)))),
        })
    }
}

fn total(answers: &[Placed]) -> Option<NanoUsd> {
    answers.iter().map(|answer| answer.figure.cost).sum()
}

/// The sums of each cluster; both lists hold the same cases in the same order.
fn cluster_sums(answers: &[Placed], reference: &[CaseScore], clusters: usize) -> Vec<ClusterSums> {
    let mut sums = vec![ClusterSums { cost: Some(NanoUsd::ZERO), ..ClusterSums::default() }; clusters];
    for (case, reference) in case_scores(answers).iter().zip(reference) {
        if let Some(sums) = sums.get_mut(case.cluster) {
            sums.difference += case.weight * (case.score - reference.score);
            sums.score += case.weight * case.score;
            sums.weight += case.weight;
            sums.cases += 1;
        }
    }
    for answer in answers {
        if let Some(sums) = sums.get_mut(answer.cluster) {
            sums.cost = sums.cost.zip(answer.figure.cost).map(|(sum, cost)| sum + cost);
        }
    }
    sums
}

fn mean<'a>(clusters: impl Iterator<Item = &'a ClusterSums>) -> Option<MeanEstimate> {
    let mut mean = ClusterMean::default();
    clusters.for_each(|sums| mean.add(sums.difference, sums.weight, sums.cases));
    mean.estimate(CONFIDENCE)
}

#[cfg(test)]
mod tests {
    use super::super::cascade::tests::{cascade, four, question};
    use super::super::cascade::{BothAnswers, Keep};
    use super::*;

    #[test]
    fn the_cheapest_threshold_is_chosen_that_is_not_worse() {
        // Ten questions of confidence .9 that both models answer alike, ten of .4 that only the large one gets right.
        let mut questions: Vec<BothAnswers> =
            (0..10).map(|n| question(n, Keep::UpTo(0.9), (1.0, 10, 1.0), (1.0, 100, 1.0))).collect();
        questions.extend((10..20).map(|n| question(n, Keep::UpTo(0.4), (0.0, 10, 1.0), (1.0, 100, 1.0))));
        let cascade = cascade(questions);
        let choices = Choices::new(&cascade, &[0.2, 0.4, 0.9, 1.0], Policy::Large, 0.02);
        assert_eq!(choices.choose(|_| true), Some(2));
        // On the first ten alone, nothing speaks against keeping everything; of the equally cheap the highest is taken.
        assert_eq!(choices.choose(|cluster| cluster < 10), Some(2));
        // With a margin of everything, the cheapest is the lowest.
        assert_eq!(Choices::new(&cascade, &[0.2, 0.9], Policy::Large, 1.0).choose(|_| true), Some(0));
    }

    #[test]
    fn what_was_chosen_by_luck_does_not_hold_on_the_clusters_held_out() {
        // One question a cluster, each with a confidence of its own, and one in ten where the small model fails where
        // the large one does not. In sample, the threshold can be put just above the failures; the margin is generous
        // enough for what is left, but a failure that is held out is not seen by those who choose.
        let questions: Vec<BothAnswers> = (0..60)
            .map(|n| {
                let fails = n % 10 == 9;
                let confidence = if fails { 0.5 + n as f64 / 1000.0 } else { 0.55 + (n * 7 % 60) as f64 / 1000.0 };
                question(n, Keep::UpTo(confidence), (f64::from(u8::from(!fails)), 10, 1.0), (1.0, 100, 1.0))
            })
            .collect();
        let cascade = cascade(questions);
        let thresholds = super::super::candidates::thresholds(&cascade, 0.6);
        let choices = Choices::new(&cascade, &thresholds, Policy::Large, 0.0);
        let place = choices.choose(|_| true).unwrap();
        // In sample the chosen threshold loses nothing at all: it stands above the surest failure.
        assert_eq!(choices.difference(place).map(|mean| mean.estimate), Some(0.0));
        // Held out, the surest failures are kept by thresholds chosen without them.
        let held = choices.cross_validate(&cascade, Policy::Large, None, 60, 0).unwrap();
        assert!(held.difference.unwrap().estimate < 0.0, "{held:?}");
        assert!(held.lowest_threshold < Some(thresholds[place]), "{held:?}");
        assert_eq!((held.folds.len(), held.folds.iter().map(|fold| fold.cases).sum::<u64>()), (60, 60));
    }

    #[test]
    fn a_part_for_which_nothing_is_good_enough_asks_the_large_model_alone() {
        // An answer without a confidence is kept at every threshold, and the small model is always wrong.
        let wrong = |n| question(n, Keep::Always, (0.0, 10, 1.0), (1.0, 100, 1.0));
        let cascade = cascade((0..6).map(wrong).collect());
        let choices = Choices::new(&cascade, &[0.2, 1.0], Policy::Large, 0.02);
        assert_eq!(choices.choose(|_| true), None);
        let held = choices.cross_validate(&cascade, Policy::Large, None, 3, 0).unwrap();
        assert_eq!((held.folds[0].threshold, held.lowest_threshold), (None, None));
        assert_eq!((held.difference.unwrap().estimate, held.saving_against_large), (0.0, Some(0.0)));
    }

    #[test]
    fn below_two_clusters_nothing_is_proven_and_nothing_held_out() {
        let one = cascade(vec![question(0, Keep::UpTo(0.9), (1.0, 10, 1.0), (1.0, 100, 1.0))]);
        let choices = Choices::new(&one, &[0.2, 1.0], Policy::Large, 0.02);
        assert_eq!(choices.choose(|_| true), None);
        assert_eq!(choices.cross_validate(&one, Policy::Large, None, 5, 0), None);
    }

    #[test]
    fn an_unknown_cost_leaves_no_choice() {
        let mut cascade = four();
        cascade.questions[0].large.cost = None;
        assert_eq!(Choices::new(&cascade, &[0.2, 1.0], Policy::Large, 1.0).choose(|_| true), None);
    }
}
