use serde::Serialize;

use super::figures::{CaseScore, cluster_mean};
use super::folds::folds;
use super::{Advice, Proposal, TuneError};
use crate::stats::MeanEstimate;

/// How a weight is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct FusionSettings {
    /// The release's own weight.
    pub present: f64,
    /// Parts that choosing is validated on.
    pub folds: u32,
    /// Draws the parts.
    pub seed: u64,
}

/// How well each weight ranks the documents of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedCase {
    /// Cases of one cluster are resampled together.
    pub cluster: String,
    /// How much it counts.
    pub weight: f64,
    /// nDCG@10 at each weight, 0..=1.
    pub ndcg: Vec<f64>,
    /// Recall@5 at each weight, 0..=1.
    pub recall: Vec<f64>,
}

/// How well retrieval ranks at every weight, and the weight that is recommended.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct FusionReport {
    /// The gold set's name.
    pub gold_set: String,
    /// Hash of its content.
    pub gold_hash: String,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: String,
    /// The model that makes the vectors; `None` for the built-in lexical ones.
    pub embedder: Option<String>,
    /// How the weight is chosen.
    pub settings: FusionSettings,
    /// Cases with expected documents.
    pub cases: u64,
    /// Clusters of these.
    pub clusters: u64,
    /// What to do.
    pub advice: Advice,
    /// Why, in a sentence.
    pub reason: String,
    /// The weight with the best nDCG@10; of equally good ones the nearest to the present one.
    pub chosen: f64,
    /// Mean nDCG@10 at the chosen weight minus that at the present one, on the cases that chose it.
    pub gain: Option<MeanEstimate>,
    /// The same on cases that had no part in choosing; `None` below two clusters.
    pub held_out_gain: Option<MeanEstimate>,
    /// The weight that each part's others chose for it.
    pub fold_weights: Vec<f64>,
    /// The curve, by rising weight.
    pub points: Vec<FusionPoint>,
    /// The migration that would set the chosen weight.
    pub proposal: Option<Proposal>,
}

/// What one weight comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct FusionPoint {
    /// The share of vector similarity in the fused score.
    pub vector_weight: f64,
    /// Mean nDCG@10, with its cluster-robust 95 % interval.
    pub ndcg: Option<MeanEstimate>,
    /// Mean recall@5.
    pub recall: Option<MeanEstimate>,
    /// Mean nDCG@10 minus that at the present weight.
    pub difference: Option<MeanEstimate>,
}

/// The weights that are tried, ascending: tenths from 0 to 1, and the present one.
pub fn weights(present: f64) -> Vec<f64> {
    let mut weights: Vec<f64> = (0..=10).map(|tenth| f64::from(tenth) / 10.0).chain([present]).collect();
    weights.sort_by(f64::total_cmp);
    weights.dedup_by(|one, other| (*one - *other).abs() < f64::EPSILON);
    weights
}

/// Chooses a weight by how the cases rank at each of [`weights`].
///
/// Names and hashes are for the caller to fill in.
///
/// # Errors
/// [`TuneError::NothingExpected`] without any case.
pub fn tune_fusion(
    gold_set: &str,
    mut cases: Vec<RankedCase>,
    settings: FusionSettings,
) -> Result<FusionReport, TuneError> {
    if cases.is_empty() {
        return Err(TuneError::NothingExpected { gold_set: gold_set.to_owned() });
    }
    cases.sort_by(|one, other| one.cluster.cmp(&other.cluster));
    let weights = weights(settings.present);
    let near = |weight: f64| (weight - settings.present).abs();
    let present = weights.iter().position(|weight| near(*weight) < f64::EPSILON).unwrap_or_default();
    let ranked = Ranked::new(&cases);
    // Those nearest to the present weight come first, so that of equally good ones the nearest is taken.
    let mut order: Vec<usize> = (0..weights.len()).collect();
    let distance = |place: usize| weights.get(place).copied().map_or(f64::INFINITY, near);
    order.sort_by(|one, other| distance(*one).total_cmp(&distance(*other)));
    let best = |counts: &dyn Fn(usize) -> bool| {
        let value = |place: usize| ranked.total(place, counts);
        order.iter().copied().fold(present, |best, place| if value(place) > value(best) { place } else { best })
    };
    let place = best(&|_| true);
    let fold_of = folds(ranked.clusters, settings.folds, settings.seed);
    let fold_places: Vec<usize> = fold_of.as_ref().map_or_else(Vec::new, |fold_of| {
        let count = fold_of.iter().max().map_or(0, |last| last + 1);
        (0..count).map(|fold| best(&|cluster| fold_of.get(cluster).is_some_and(|other| *other != fold))).collect()
    });
    let held_out_gain = fold_of.as_ref().and_then(|fold_of| {
        let chosen = |cluster: usize| fold_of.get(cluster).and_then(|fold| fold_places.get(*fold)).copied();
        ranked.mean(|case| Some(case.ndcg.get(chosen(case.cluster)?)? - case.ndcg.get(present)?))
    });
    let minus_present = |place: usize| ranked.mean(|case| Some(case.ndcg.get(place)? - case.ndcg.get(present)?));
    let points = weights.iter().enumerate().map(|(place, weight)| FusionPoint {
        vector_weight: *weight,
        ndcg: ranked.mean(|case| case.ndcg.get(place).copied()),
        recall: ranked.mean(|case| case.recall.get(place).copied()),
        difference: minus_present(place),
    });
    let (advice, reason) = advise(place == present, held_out_gain);
    let weight_at = |place: usize| weights.get(place).copied().unwrap_or(settings.present);
    Ok(FusionReport {
        gold_set: gold_set.to_owned(),
        gold_hash: String::new(),
        release: 0,
        release_hash: String::new(),
        embedder: None,
        settings,
        cases: cases.len() as u64,
        clusters: ranked.clusters as u64,
        advice,
        reason: reason.to_owned(),
        chosen: weight_at(place),
        gain: minus_present(place),
        held_out_gain,
        fold_weights: fold_places.into_iter().map(weight_at).collect(),
        points: points.collect(),
        proposal: None,
    })
}

impl FusionReport {
    /// The proposed migration in a sentence.
    pub fn description(&self) -> String {
        let gain = self.held_out_gain.map_or_else(|| "unknown".to_owned(), |gain| format!("{:+.3}", gain.estimate));
        format!(
            "Weigh vectors with {} instead of {}: nDCG@10 {gain} on held-out cases of {}",
            self.chosen, self.settings.present, self.gold_set
        )
    }
}

fn advise(is_present: bool, held_out: Option<MeanEstimate>) -> (Advice, &'static str) {
    let proven = held_out.and_then(|mean| mean.interval).is_some_and(|interval| interval.lower > 0.0);
    match (is_present, held_out) {
        (true, _) => (Advice::Keep, "no weight ranks better"),
        (false, None) => (Advice::Keep, "one cluster of cases proves nothing"),
        (false, Some(_)) if proven => (Advice::Change, "it ranks better also on cases that had no part in choosing it"),
        (false, Some(_)) => {
            (Advice::Keep, "what another weight gains is not proven on cases that had no part in choosing it")
        }
    }
}

/// The cases with the numbers of their clusters.
struct Ranked<'a> {
    cases: Vec<Numbered<'a>>,
    clusters: usize,
}

struct Numbered<'a> {
    cluster: usize,
    weight: f64,
    ndcg: &'a [f64],
    recall: &'a [f64],
}

impl<'a> Ranked<'a> {
    fn new(cases: &'a [RankedCase]) -> Self {
        let clusters = cases.chunk_by(|one, other| one.cluster == other.cluster).enumerate();
        let numbered = clusters.flat_map(|(cluster, cases)| {
            cases.iter().map(move |case| Numbered {
                cluster,
                weight: case.weight,
                ndcg: &case.ndcg,
                recall: &case.recall,
            })
        });
        let cases: Vec<Numbered<'a>> = numbered.collect();
        let clusters = cases.last().map_or(0, |last| last.cluster + 1);
        Self { cases, clusters }
    }

    /// Sum of weight times nDCG at the weight in this place, over the clusters that `counts` names.
    fn total(&self, place: usize, counts: &dyn Fn(usize) -> bool) -> f64 {
        let counted = self.cases.iter().filter(|case| counts(case.cluster));
        counted.map(|case| case.weight * case.ndcg.get(place).copied().unwrap_or_default()).sum()
    }

    fn mean(&self, value: impl Fn(&Numbered<'_>) -> Option<f64>) -> Option<MeanEstimate> {
        let scores = self
            .cases
            .iter()
            .map(|case| Some(CaseScore { cluster: case.cluster, weight: case.weight, score: value(case)? }));
        cluster_mean(&scores.collect::<Option<Vec<_>>>()?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn settings() -> FusionSettings {
        FusionSettings { present: 0.5, folds: 5, seed: 3 }
    }

    /// A case of its own cluster that ranks at each of the eleven weights as `ndcg` says.
    pub(crate) fn case(number: usize, ndcg: impl Fn(usize) -> f64) -> RankedCase {
        let ndcg: Vec<f64> = (0..11).map(ndcg).collect();
        RankedCase { cluster: format!("c{number:03}"), weight: 1.0, recall: ndcg.clone(), ndcg }
    }

    #[test]
    fn a_weight_that_is_better_everywhere_is_recommended() {
        let cases =
            (0..20).map(|number| case(number, |place| if place == 7 { 0.8 } else { 0.6 + number as f64 / 1e3 }));
        let report = tune_fusion("manual", cases.collect(), settings()).unwrap();
        assert_eq!((report.advice, report.chosen), (Advice::Change, 0.7));
        assert_eq!(report.fold_weights, [0.7; 5]);
        // .8 against .6 to .619, whose mean is .6095.
        assert!((report.gain.unwrap().estimate - 0.1905).abs() < 1e-12);
        assert_eq!(report.held_out_gain, report.gain);
    }

    #[test]
    fn a_weight_that_is_good_only_where_it_was_chosen_is_not() {
        // Each weight but the present one is right in one part of the cases and a little worse in all others. In sample
        // the best of them gains (1 + 4 * .45) / 5 - .5 = .06. Those who choose without a part see only weights that
        // are right in other parts, and lose .05 on it.
        let part = folds(20, 5, settings().seed).unwrap();
        let right = |cluster: usize| [0, 2, 4, 6, 8][part[cluster]];
        let value = |number: usize, place: usize| match place {
            5 => 0.5,
            place if place == right(number) => 1.0,
            _ => 0.45,
        };
        let cases = (0..20).map(|number| case(number, |place| value(number, place)));
        let report = tune_fusion("manual", cases.collect(), settings()).unwrap();
        assert!((report.gain.unwrap().estimate - 0.06).abs() < 1e-12, "{report:?}");
        assert!((report.held_out_gain.unwrap().estimate + 0.05).abs() < 1e-12, "{report:?}");
        assert_eq!(report.advice, Advice::Keep);
    }

    #[test]
    fn of_equally_good_weights_the_present_one_stays() {
        let report = tune_fusion("manual", (0..9).map(|n| case(n, |_| 0.7)).collect(), settings()).unwrap();
        assert_eq!((report.advice, report.chosen), (Advice::Keep, 0.5));
        assert_eq!(report.gain.map(|gain| gain.estimate), Some(0.0));
    }

    #[test]
    fn a_present_weight_between_the_tenths_is_tried_too() {
        assert_eq!(weights(0.45).len(), 12);
        assert_eq!(weights(0.3).len(), 11);
        assert_eq!(weights(0.3).get(3), Some(&0.3));
    }

    #[test]
    fn without_expected_documents_there_is_nothing_to_tune() {
        let error = tune_fusion("manual", Vec::new(), settings()).unwrap_err();
        assert_eq!(error.to_string(), "no case of manual says which documents hold its answer");
    }
}
