use serde::Serialize;

use super::{Calibration, PASS_SCORE, Share};
use crate::domain::RunId;
use crate::eval::EvalError;
use crate::eval::grade::JUDGE;
use crate::stats::Interval;
use crate::store::{CaseKind, CaseResult, Store};

/// What a judge said of the answers of a stored run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunVerdicts {
    /// The run.
    pub run: RunId,
    /// Answers that it compared with an expected one; refusals and empty answers are clear without it.
    pub compared: u64,
    /// Of these, passed.
    pub passed: u64,
}

/// The pass rate of a run's compared answers, as judged and as people would have it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunPassRate {
    /// The run.
    pub run: RunId,
    /// What the judge passed.
    pub judged: Share,
    /// The share that people would pass, 0..=1, by the judge's errors on the labels (Rogan & Gladen 1978); `None` when
    /// these do not allow it.
    pub corrected: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
}

impl RunVerdicts {
    /// Counts the grades that a judge gave in `run`, every repeat for itself.
    pub fn of(store: &Store, run: RunId) -> Result<Self, EvalError> {
        let mut verdicts = Self { run, compared: 0, passed: 0 };
        store.for_each_result::<EvalError>(run, CaseKind::Case, |result| {
            if let Some(score) = opinion(&result) {
                verdicts.compared += 1;
                verdicts.passed += u64::from(score >= PASS_SCORE);
            }
            Ok(())
        })?;
        Ok(verdicts)
    }

    /// The pass rate, corrected by `calibration`.
    pub fn rate(self, calibration: &Calibration) -> RunPassRate {
        let corrected = calibration.corrected(self.passed, self.compared);
        RunPassRate {
            run: self.run,
            judged: Share::new(self.passed, self.compared),
            corrected: corrected.map(|found| found.rate),
            interval: corrected.map(|found| found.interval),
        }
    }
}

/// The judge's score of an answer that it was asked about.
fn opinion(result: &CaseResult) -> Option<f64> {
    let asked = result.answerable && !result.refused && !result.answer.trim().is_empty();
    result.grades.iter().find(|grade| asked && grade.grader == JUDGE)?.score
}
