//! Calibrating a judge: how far a model's opinion of answers agrees with what people said of them.

mod calibrate;
mod calibration;
mod labels;
mod render;
mod report;
mod run_rate;

pub use calibrate::{Calibrating, calibrate};
pub use calibration::{Agreement, Calibration, MIN_LABELS, Share};
pub use labels::{Label, LabelProblem, LabelsError, read_labels};
pub use report::{CalibrationReport, Disagreement, Unjudged};
pub use run_rate::{RunPassRate, RunVerdicts};

/// Score from which on a judge's opinion of one answer is a pass.
pub const PASS_SCORE: f64 = 0.5;
/// Confidence of every interval.
const CONFIDENCE: f64 = 0.95;
