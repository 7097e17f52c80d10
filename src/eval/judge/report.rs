use serde::Serialize;

use super::{Calibration, RunPassRate, Share};
use crate::domain::{NanoUsd, Verdict};

/// What calibrating a judge came to.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CalibrationReport {
    /// Whether the judge may decide.
    pub verdict: Verdict,
    /// The lowest kappa at which it may.
    pub min_kappa: f64,
    /// How far it agrees with people.
    #[serde(flatten)]
    pub calibration: Calibration,
    /// Answers that people passed, of those judged.
    pub passed_by_people: Share,
    /// Answers that the judge passed.
    pub passed_by_judge: Share,
    /// The pass rate of a stored run, when one was asked for.
    pub run: Option<RunPassRate>,
    /// Labelled answers that people and the judge see differently, in the order of the file.
    pub disagreements: Vec<Disagreement>,
    /// Labelled answers that could not be judged; they count neither as passed nor as failed.
    pub unjudged: Vec<Unjudged>,
    /// Labelled answers that were not asked about, because a limit was reached; then nothing is stored.
    pub not_asked: u64,
    /// What the judge's calls cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
}

/// A labelled answer that people and the judge see differently.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Disagreement {
    /// Its line in the file.
    pub line: u64,
    /// What was asked.
    pub question: String,
    /// The expected answer.
    pub expected: String,
    /// The labelled answer.
    pub answer: String,
    /// Whether people passed it.
    pub passed_by_people: bool,
    /// The judge's score, 0..=1.
    pub score: f64,
    /// What the judge said.
    pub reason: String,
}

/// A labelled answer that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Unjudged {
    /// Its line in the file.
    pub line: u64,
    /// What was asked.
    pub question: String,
    /// Why it could not.
    pub reason: String,
}
