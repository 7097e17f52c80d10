//! L0: quantiles, means, intervals and tests; pure functions on numbers, no I/O.

mod betting;
mod bootstrap;
mod bootstrap_quantile;
mod cluster_mean;
mod corrected_rate;
mod holm;
mod kappa;
mod mcnemar;
mod noise;
mod permutation;
mod power;
mod prediction;
mod quantile;
mod resampling;
#[cfg(test)]
mod simulations;
mod wilson;

pub use betting::{BettingTest, Side};
pub use bootstrap::{Bootstrap, bootstrap};
pub use bootstrap_quantile::{QuantileChange, bootstrap_quantile_change};
pub use cluster_mean::{ClusterMean, MeanEstimate};
pub use corrected_rate::{Calibration, CorrectedRate, corrected_rate};
pub use holm::{holm, holm_levels};
pub use kappa::{Kappa, cohen_kappa};
pub use mcnemar::{McNemar, mcnemar};
pub use noise::NoiseSplit;
pub use permutation::{SignFlip, sign_flip};
pub use power::{clusters_needed, minimum_detectable, repeats_needed};
pub use prediction::{Level, SumPrediction, predict_sum};
pub use quantile::{mean, quantile};
pub use resampling::Resampling;
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
