use serde::{Deserialize, Serialize};

use crate::domain::{ContentHash, RunId};
use crate::stats::Interval;

/// How often the gate would fail a release that changed nothing, and which cases are noisy.
///
/// The repeats of one run are divided at random into two halves, again and again, and each time one half is the
/// baseline and the other the candidate of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AaReport {
    /// The gold set's name.
    pub gold_set: String,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: ContentHash,
    /// The run whose repeats were divided.
    pub run: RunId,
    /// How often each case was asked.
    pub repeats: u32,
    /// Gates that were simulated.
    pub rounds: u64,
    /// Cases of each.
    pub cases: u64,
    /// Rounds that failed, though nothing had changed.
    pub false_fails: u64,
    /// Their share of all rounds; `None` without a round.
    pub false_fail_rate: Option<f64>,
    /// The 95 % interval of that share.
    pub interval: Option<Interval>,
    /// Rounds that were inconclusive.
    pub inconclusive: u64,
    /// Rounds that passed.
    pub passes: u64,
    /// Standard deviation of the difference of the two halves' scores; `None` below two rounds.
    pub score_sd: Option<f64>,
    /// Each case's noise, the noisiest first.
    pub noise: Vec<CaseNoise>,
    /// Whether all repeats of every case were alike: then nothing is noisy, and every round passes or fails as one.
    pub deterministic: bool,
    /// Makes the divisions repeatable.
    pub seed: u64,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// How much the repeats of one case differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CaseNoise {
    /// The case.
    pub case: String,
    /// How often it was asked and judged.
    pub repeats: u32,
    /// Mean of its scores.
    pub mean: f64,
    /// Standard deviation of its scores.
    pub sd: f64,
    /// Whether its repeats disagree about pass and fail.
    pub flips: bool,
    /// Until when it is in quarantine, RFC 3339; `None` when it is not.
    pub quarantined_until: Option<String>,
}
