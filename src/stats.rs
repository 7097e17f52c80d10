//! L0: quantiles, means and intervals; pure functions on numbers, no I/O.

mod cluster_mean;
mod prediction;
mod quantile;
mod wilson;

pub use cluster_mean::{ClusterMean, MeanEstimate};
pub use prediction::{Level, SumPrediction, predict_sum};
pub use quantile::{mean, quantile};
pub use wilson::wilson_interval;

use serde::{Deserialize, Serialize};

/// A two-sided interval around an estimate, in the estimate's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Interval {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
}

/// Whether `confidence` can be asked for: strictly between 0 and 1.
fn is_confidence(confidence: f64) -> bool {
    confidence > 0.0 && confidence < 1.0
}
