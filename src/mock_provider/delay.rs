use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::SettingsError;

/// No single wait is longer: the tail of a log-normal distribution has no end.
const LONGEST_MS: f64 = 3_600_000.0;

/// How long something takes, as a random distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Delay {
    /// Always the same.
    Constant {
        /// How long.
        ms: f64,
    },
    /// A normal distribution, cut off below 0 (so that its mean is a little higher when it reaches that far).
    Normal {
        /// The mean before the cut.
        mean_ms: f64,
        /// The standard deviation before the cut.
        sd_ms: f64,
    },
    /// A log-normal distribution, by its median and either its 95th percentile or its sigma.
    LogNormal {
        /// The median.
        median_ms: f64,
        /// The 95th percentile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        p95_ms: Option<f64>,
        /// The standard deviation of the logarithm.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
    },
}

impl Default for Delay {
    fn default() -> Self {
        Self::Constant { ms: 0.0 }
    }
}

impl Delay {
    /// Whether nothing ever waits.
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Constant { ms } if ms <= 0.0)
    }

    /// Draws one duration.
    pub(super) fn sample(self, random: &mut ChaCha12Rng) -> Duration {
        let ms = match self {
            Self::Constant { ms } => ms,
            Self::Normal { mean_ms, sd_ms } => {
                let below_zero = standard_normal().map_or(0.0, |normal| normal.cdf(-mean_ms / sd_ms));
                let drawn = below_zero + (1.0 - below_zero) * open_unit(random);
                mean_ms + sd_ms * quantile(drawn)
            }
            Self::LogNormal { median_ms, p95_ms, sigma } => {
                let from_p95 = || p95_ms.map(|p95_ms| (p95_ms / median_ms).ln() / quantile(0.95));
                median_ms * (sigma.or_else(from_p95).unwrap_or(0.0) * quantile(open_unit(random))).exp()
            }
        };
        Duration::from_secs_f64(ms.clamp(0.0, LONGEST_MS) / 1_000.0)
    }

    pub(super) fn check(self, field: &'static str) -> Result<(), SettingsError> {
        let at_least_zero = |value: f64| value.is_finite() && value >= 0.0;
        let wrong = match self {
            Self::Constant { ms } => (!at_least_zero(ms)).then_some("`ms` must be at least 0"),
            Self::Normal { mean_ms, sd_ms } => {
                let acceptable = at_least_zero(mean_ms) && sd_ms.is_finite() && sd_ms > 0.0;
                (!acceptable).then_some("`mean_ms` must be at least 0 and `sd_ms` above 0")
            }
            Self::LogNormal { median_ms, p95_ms, sigma } => {
                let spread = match (p95_ms, sigma) {
                    (Some(p95_ms), None) => p95_ms.is_finite() && p95_ms >= median_ms,
                    (None, Some(sigma)) => at_least_zero(sigma),
                    _ => false,
                };
                let acceptable = median_ms.is_finite() && median_ms > 0.0 && spread;
                (!acceptable).then_some(
                    "`median_ms` must be above 0, with either `p95_ms` (not below the median) or `sigma` (at least 0)",
                )
            }
        };
        wrong.map_or(Ok(()), |problem| Err(SettingsError::Value { field: field.into(), problem: problem.into() }))
    }
}

/// Uniform between 0 and 1, without the ends: a distribution's quantile there may be infinite.
fn open_unit(random: &mut ChaCha12Rng) -> f64 {
    random.random::<f64>().clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

fn standard_normal() -> Option<Normal> {
    Normal::new(0.0, 1.0).ok()
}

/// The standard normal distribution's quantile at `p`, which lies strictly between 0 and 1.
fn quantile(p: f64) -> f64 {
    standard_normal().map_or(0.0, |normal| normal.inverse_cdf(p))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::stats;

    fn quantiles(delay: Delay) -> [f64; 3] {
        let mut random = ChaCha12Rng::seed_from_u64(1);
        let mut drawn: Vec<f64> = (0..20_000).map(|_| delay.sample(&mut random).as_secs_f64() * 1_000.0).collect();
        drawn.sort_by(f64::total_cmp);
        [0.05, 0.5, 0.95].map(|p| stats::quantile(&drawn, p).unwrap())
    }

    #[test]
    fn a_log_normal_delay_has_the_median_and_95th_percentile_that_were_asked_for() {
        let [_, median, p95] = quantiles(Delay::LogNormal { median_ms: 400.0, p95_ms: Some(1_200.0), sigma: None });
        assert!((median / 400.0 - 1.0).abs() < 0.03, "{median}");
        assert!((p95 / 1_200.0 - 1.0).abs() < 0.05, "{p95}");
    }

    #[test]
    fn a_normal_delay_is_cut_at_zero_and_not_piled_up_there() {
        // Python's statistics.NormalDist n: 10 + 10 * n.inv_cdf(n.cdf(-1) + (1 - n.cdf(-1)) * p)
        let [low, median, high] = quantiles(Delay::Normal { mean_ms: 10.0, sd_ms: 10.0 });
        for (drawn, expected) in [(low, 1.610), (median, 12.002), (high, 27.272)] {
            assert!((drawn - expected).abs() < 0.5, "{drawn} is not {expected}");
        }
    }

    #[test]
    fn a_distribution_that_makes_no_sense_is_refused() {
        let log_normal = |p95_ms, sigma| Delay::LogNormal { median_ms: 10.0, p95_ms, sigma };
        assert!(log_normal(Some(20.0), None).check("x").is_ok());
        for wrong in [
            Delay::Constant { ms: -1.0 },
            Delay::Constant { ms: f64::NAN },
            Delay::Normal { mean_ms: 1.0, sd_ms: 0.0 },
            log_normal(None, None),
            log_normal(Some(20.0), Some(1.0)),
            log_normal(Some(5.0), None),
        ] {
            assert!(wrong.check("latency.first_token").is_err(), "{wrong:?}");
        }
    }
}
