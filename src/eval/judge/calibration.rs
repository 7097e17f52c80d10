use serde::{Deserialize, Serialize};

use super::CONFIDENCE;
use crate::domain::{ContentHash, Verdict};
use crate::eval::grade::Judge;
use crate::stats::{self, CorrectedRate, Interval, cohen_kappa, corrected_rate, wilson_interval};
use crate::store::{Store, StoreError};

/// Fewer labels than this prove nothing about a judge.
pub const MIN_LABELS: u64 = 20;

/// What rounding may take from a kappa that is reached exactly.
const ROUNDING: f64 = 1e-9;

/// How far one judge agrees with people, as it is stored. No text of any answer is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Calibration {
    /// Hash of prompt, model and votes.
    pub judge: ContentHash,
    /// Its model.
    pub model: String,
    /// Its prompt with the version.
    pub prompt: String,
    /// Votes of each order of the two texts.
    pub votes: u32,
    /// When it was calibrated, RFC 3339.
    pub calibrated_at: String,
    /// Labelled answers that it judged.
    pub labels: u64,
    /// What people and the judge said of them.
    pub agreement: Agreement,
    /// Cohen's kappa, -1..=1: agreement beyond chance; `None` when both said the same of every answer.
    pub kappa: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// Of the answers that people pass, those that the judge passes too.
    pub sensitivity: Share,
    /// Of the answers that people fail, those that the judge fails too.
    pub specificity: Share,
    /// Of all votes, those that changed sides when the two texts were swapped.
    pub position_bias: Share,
}

/// Answers by what people and the judge say of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Agreement {
    /// Both pass it.
    pub both_pass: u64,
    /// Only people pass it.
    pub only_people: u64,
    /// Only the judge passes it.
    pub only_judge: u64,
    /// Both fail it.
    pub both_fail: u64,
}

/// A count out of another, with the 95 % Wilson interval of the share.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Share {
    /// How many.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The share, 0..=1; `None` of nothing.
    pub share: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
}

impl Share {
    /// `count` of `of`.
    pub fn new(count: u64, of: u64) -> Self {
        let share = (of > 0).then(|| count as f64 / of as f64);
        Self { count, of, share, interval: wilson_interval(count, of, CONFIDENCE) }
    }
}

impl Agreement {
    /// Counts one answer.
    pub fn add(&mut self, people: bool, judge: bool) {
        let count = match (people, judge) {
            (true, true) => &mut self.both_pass,
            (true, false) => &mut self.only_people,
            (false, true) => &mut self.only_judge,
            (false, false) => &mut self.both_fail,
        };
        *count += 1;
    }

    /// All answers.
    pub fn total(&self) -> u64 {
        self.both_pass + self.only_people + self.only_judge + self.both_fail
    }
}

impl Calibration {
    /// What a table of agreement says of `judge`; `contradictory` of its `asked` votes contradicted themselves.
    pub fn new(judge: &Judge, agreement: Agreement, contradictory: u64, asked: u64, calibrated_at: String) -> Self {
        let Agreement { both_pass, only_people, only_judge, both_fail } = agreement;
        let kappa = cohen_kappa(both_pass, only_people, only_judge, both_fail);
        Self {
            judge: judge.hash().clone(),
            model: judge.model().to_owned(),
            prompt: judge.prompt(),
            votes: judge.votes(),
            calibrated_at,
            labels: agreement.total(),
            agreement,
            kappa: kappa.map(|found| found.kappa),
            interval: kappa.and_then(|found| found.interval(CONFIDENCE)),
            sensitivity: Share::new(both_pass, both_pass + only_people),
            specificity: Share::new(both_fail, both_fail + only_judge),
            position_bias: Share::new(contradictory, asked),
        }
    }

    /// The latest calibration of the judge with this hash; `None` when there is none that this version can read.
    pub fn latest(store: &Store, judge: &ContentHash) -> Result<Option<Self>, StoreError> {
        Ok(store.latest_calibration(judge)?.and_then(|body| serde_json::from_str(&body).ok()))
    }

    /// Whether the judge may decide where a kappa of `min_kappa` is needed.
    ///
    /// Inconclusive with fewer than [`MIN_LABELS`] labels, or without labels of both kinds. Otherwise pass when kappa is
    /// at least `min_kappa`, fail when the whole interval is below it, and inconclusive between the two.
    pub fn verdict(&self, min_kappa: f64) -> Verdict {
        let (Some(kappa), Some(interval)) = (self.kappa, self.interval) else { return Verdict::Inconclusive };
        if self.labels < MIN_LABELS || self.has_one_kind() {
            Verdict::Inconclusive
        } else if kappa >= min_kappa - ROUNDING {
            Verdict::Pass
        } else if interval.upper < min_kappa {
            Verdict::Fail
        } else {
            Verdict::Inconclusive
        }
    }

    /// Whether people passed all answers, or none.
    pub fn has_one_kind(&self) -> bool {
        self.sensitivity.of == 0 || self.specificity.of == 0
    }

    /// The share of answers that people would pass, where the judge passed `passed` of `answers`, with its 95 % interval.
    ///
    /// `None` without answers, without labels of both kinds, or for a judge that is no better than chance.
    pub fn corrected(&self, passed: u64, answers: u64) -> Option<CorrectedRate> {
        let errors = stats::Calibration {
            passes_passed: self.sensitivity.count,
            passes: self.sensitivity.of,
            failures_failed: self.specificity.count,
            failures: self.specificity.of,
        };
        corrected_rate(passed, answers, errors, CONFIDENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(both_pass: u64, only_people: u64, only_judge: u64, both_fail: u64) -> Calibration {
        let agreement = Agreement { both_pass, only_people, only_judge, both_fail };
        let kappa = cohen_kappa(both_pass, only_people, only_judge, both_fail);
        Calibration {
            judge: ContentHash::of(b"judge"),
            model: "mock/large".to_owned(),
            prompt: "judge@v1".to_owned(),
            votes: 1,
            calibrated_at: "2026-01-01T00:00:00Z".to_owned(),
            labels: agreement.total(),
            agreement,
            kappa: kappa.map(|found| found.kappa),
            interval: kappa.and_then(|found| found.interval(CONFIDENCE)),
            sensitivity: Share::new(both_pass, both_pass + only_people),
            specificity: Share::new(both_fail, both_fail + only_judge),
            position_bias: Share::new(1, agreement.total()),
        }
    }

    #[test]
    fn kappa_decides_by_its_estimate_and_its_upper_end() {
        // Kappa 0.4, from 0.151 to 0.649.
        let judge = calibration(20, 5, 10, 15);
        assert_eq!(judge.verdict(0.4), Verdict::Pass);
        assert_eq!(judge.verdict(0.6), Verdict::Inconclusive);
        assert_eq!(judge.verdict(0.65), Verdict::Fail);
    }

    #[test]
    fn few_labels_or_labels_of_one_kind_prove_nothing() {
        assert_eq!(calibration(9, 0, 0, 10).verdict(0.6), Verdict::Inconclusive);
        assert_eq!(calibration(10, 0, 0, 10).verdict(0.6), Verdict::Pass);
        assert_eq!(calibration(30, 10, 0, 0).verdict(0.6), Verdict::Inconclusive);
        assert_eq!(calibration(30, 0, 0, 0).verdict(0.6), Verdict::Inconclusive);
        assert_eq!(calibration(0, 0, 0, 0).verdict(0.0), Verdict::Inconclusive);
    }

    #[test]
    fn shares_are_of_what_people_said() {
        let judge = calibration(18, 2, 6, 14);
        assert_eq!((judge.sensitivity.count, judge.sensitivity.of, judge.sensitivity.share), (18, 20, Some(0.9)));
        assert_eq!((judge.specificity.count, judge.specificity.of, judge.specificity.share), (14, 20, Some(0.7)));
        // Judged 0.6 of 100: (0.6 + 0.7 - 1) / (0.9 + 0.7 - 1) = 0.5.
        assert!((judge.corrected(60, 100).unwrap().rate - 0.5).abs() < 1e-12);
        assert_eq!(calibration(0, 0, 0, 9).sensitivity.share, None);
    }

    #[tokio::test]
    async fn what_is_stored_is_found_by_the_judges_hash() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("t.db")).unwrap();
        let (judge, stored) = (ContentHash::of(b"judge"), calibration(20, 5, 10, 15));
        assert_eq!(Calibration::latest(&store, &judge).unwrap(), None);
        let body = serde_json::to_string(&stored).unwrap();
        store.record_calibration(judge.clone(), 1, body).await.unwrap();
        assert_eq!(Calibration::latest(&store, &judge).unwrap(), Some(stored));
        store.record_calibration(judge.clone(), 2, "{}".to_owned()).await.unwrap();
        assert_eq!(Calibration::latest(&store, &judge).unwrap(), None, "an unreadable one is none");
    }
}
