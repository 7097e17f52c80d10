use statrs::distribution::{ContinuousCDF, Normal};

use crate::stats::{Interval, is_confidence, quantile};

/// Share of resamples without a finite statistic from which nothing can be said any more.
const MOST_UNKNOWN: f64 = 0.05;

/// Decimal digits of the largest resampled value that count.
const DIGITS: i32 = 12;

/// What a bootstrap found: an estimate and the distribution that it had in the resamples.
///
/// Source: Efron (1987), Better Bootstrap Confidence Intervals.
#[derive(Debug, Clone, PartialEq)]
pub struct Bootstrap {
    estimate: f64,
    /// Ascending, never empty.
    sorted: Vec<f64>,
    unknown: usize,
    /// How many standard deviations the estimate lies above the median of the distribution.
    bias: f64,
    acceleration: f64,
}

impl Bootstrap {
    /// Bias-corrected and accelerated (BCa), for smooth statistics.
    pub(in crate::stats) fn accelerated(estimate: f64, resampled: Vec<f64>, acceleration: f64) -> Option<Self> {
        let mut found = Self::percentile(estimate, resampled)?;
        let below = found.sorted.partition_point(|value| *value < found.estimate);
        let up_to = found.sorted.partition_point(|value| *value <= found.estimate);
        let count = found.sorted.len() as f64;
        if found.sorted.first() != found.sorted.last() {
            // Resamples that equal the estimate count half below; of none below or none above, we know only that the
            // share is less than one resample.
            let share = (below + up_to) as f64 / (2.0 * count);
            found.bias = Normal::standard().inverse_cdf(share.clamp(0.5 / count, 1.0 - 0.5 / count));
            found.acceleration = acceleration;
        }
        Some(found)
    }

    /// Taken as it is (the percentile method).
    pub(in crate::stats) fn percentile(estimate: f64, mut resampled: Vec<f64>) -> Option<Self> {
        let drawn = resampled.len();
        resampled.retain(|value| value.is_finite());
        let unknown = drawn - resampled.len();
        if resampled.is_empty() || !estimate.is_finite() || unknown as f64 > MOST_UNKNOWN * drawn as f64 {
            return None;
        }
        let scale = resampled.iter().fold(estimate.abs(), |scale, value| scale.max(value.abs()));
        for value in &mut resampled {
            *value = rounded(*value, scale);
        }
        resampled.sort_unstable_by(f64::total_cmp);
        let estimate = rounded(estimate, scale);
        Some(Self { estimate, sorted: resampled, unknown, bias: 0.0, acceleration: 0.0 })
    }

    /// The statistic of the data themselves.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// Standard deviation of the resampled statistic.
    pub fn standard_error(&self) -> f64 {
        let count = self.sorted.len() as f64;
        let mean = self.sorted.iter().sum::<f64>() / count;
        let squares: f64 = self.sorted.iter().map(|value| (value - mean).powi(2)).sum();
        if count > 1.0 && self.sorted.first() != self.sorted.last() { (squares / (count - 1.0)).sqrt() } else { 0.0 }
    }

    /// Resamples whose statistic was not finite.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// The two-sided interval at `confidence` (0..1), an equal tail left out on each side.
    ///
    /// A distribution of one value gives that value. `None` outside 0..1, and when a tail is so small that not even one
    /// resample is expected in it: more confidence needs more resamples.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let tail = (1.0 - confidence) / 2.0;
        if !is_confidence(confidence) || tail <= self.least() {
            return None;
        }
        let z = Normal::standard().inverse_cdf(tail);
        Some(Interval { lower: self.quantile(self.level(z))?, upper: self.quantile(self.level(-z))? })
    }

    /// The evidence that the true value is below `value`, as a one-sided p-value: the smallest tail at which the upper
    /// bound is below it.
    ///
    /// It is less than `(1 - confidence) / 2` exactly when the upper end of that interval is below `value`, and never
    /// less than one in one more than the resamples.
    pub fn p_less(&self, value: f64) -> f64 {
        let next = self.sorted.partition_point(|resampled| *resampled < value);
        let p = match next.checked_sub(1) {
            None => 1.0,
            Some(last) => self.level_between(last, value).map_or(0.0, |level| normal_cdf(-self.unlevel(level))),
        };
        p.max(self.least())
    }

    /// The evidence that the true value is above `value`, as a one-sided p-value; see [`Bootstrap::p_less`].
    pub fn p_greater(&self, value: f64) -> f64 {
        let next = self.sorted.partition_point(|resampled| *resampled <= value);
        let p = match next.checked_sub(1) {
            None if value.is_nan() => 1.0,
            None => 0.0,
            Some(last) => self.level_between(last, value).map_or(1.0, |level| normal_cdf(self.unlevel(level))),
        };
        p.max(self.least())
    }

    /// The smallest tail that the resamples can tell from none.
    fn least(&self) -> f64 {
        1.0 / (self.sorted.len() as f64 + 1.0)
    }

    /// The corrected level of the distribution for the normal deviate `z` of a plain one.
    ///
    /// Source: Efron & Tibshirani (1993), equation 14.10.
    fn level(&self, z: f64) -> f64 {
        let deviate = self.bias + z;
        let stretch = 1.0 - self.acceleration * deviate;
        // Beyond the pole of the formula there is nothing left of the tail.
        normal_cdf(self.bias + if stretch > 0.0 { deviate / stretch } else { deviate * f64::INFINITY })
    }

    /// The normal deviate whose corrected level is `level`.
    fn unlevel(&self, level: f64) -> f64 {
        let deviate = Normal::standard().inverse_cdf(level) - self.bias;
        let stretch = 1.0 + self.acceleration * deviate;
        (if stretch > 0.0 { deviate / stretch } else { deviate * f64::INFINITY }) - self.bias
    }

    /// The distribution's quantile, linear between the values at `i / (resamples + 1)`.
    ///
    /// Source: Hyndman & Fan (1996), Sample Quantiles in Statistical Packages, definition 6.
    fn quantile(&self, level: f64) -> Option<f64> {
        let count = self.sorted.len() as f64;
        quantile(&self.sorted, (level * (count + 1.0) - 1.0) / (count - 1.0).max(1.0))
    }

    /// The level whose quantile is `value`, which lies between value number `last` and the next; `None` when that is the
    /// greatest.
    fn level_between(&self, last: usize, value: f64) -> Option<f64> {
        let (lower, upper) = (self.sorted.get(last)?, self.sorted.get(last + 1)?);
        Some((last as f64 + 1.0 + (value - lower) / (upper - lower)) * self.least())
    }
}

/// `value` to twelve decimal digits of `scale`.
///
/// The sum of the same scores in another order differs in its last digits. What is equal must be so, or it depends on
/// chance whether a bound lies below 0 or on it.
fn rounded(value: f64, scale: f64) -> f64 {
    if scale == 0.0 {
        return value;
    }
    let digits = DIGITS - scale.log10().ceil() as i32;
    let factor = 10_f64.powi(digits.abs());
    if digits >= 0 { (value * factor).round() / factor } else { (value / factor).round() * factor }
}

fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_that_differ_by_rounding_only_are_equal() {
        // 0.1 + 0.2 - 0.3 is 5.6e-17, and 0.2 - 0.3 + 0.1 is 2.8e-17 less than 0.
        let cancelled = [0.1 + 0.2 - 0.3, 0.2 - 0.3 + 0.1, 0.0];
        let found = Bootstrap::percentile(0.0, cancelled.into_iter().chain([-0.1 - 0.2, -0.3, 0.4]).collect()).unwrap();
        assert_eq!(found.sorted, [-0.3, -0.3, 0.0, 0.0, 0.0, 0.4]);
        // What is left has the digits of the decimal number, whatever the scale.
        assert_eq!((rounded(-0.019_999_999_999_999_99, 0.3), rounded(123_456_789.0, 4e17)), (-0.02, 123_000_000.0));
    }

    #[test]
    fn resamples_that_equal_the_estimate_count_half_below_it() {
        // Of eight, two are below and four equal: a share of (2 + 4 / 2) / 8 = 1/2, no bias.
        let even = vec![1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0, 3.0];
        assert!(Bootstrap::accelerated(2.0, even, 0.1).unwrap().bias.abs() < 1e-12);
        // Three below and one equal: 3.5 / 4 = 0.875, whose normal deviate is 1.1503.
        let high = Bootstrap::accelerated(4.0, vec![1.0, 2.0, 3.0, 4.0], 0.1).unwrap();
        assert!((high.bias - 1.150_349_380_376).abs() < 1e-9, "{}", high.bias);
    }

    #[test]
    fn a_corrected_level_is_that_of_the_formula_and_can_be_undone() {
        // numpy 2.4.6 and scipy 1.17.1: norm.cdf(z0 + (z0 + z) / (1 - a (z0 + z))) for z0 = 0.146, a = 0.061 and
        // z = norm.ppf(0.05), norm.ppf(0.95); Efron & Tibshirani (1993), §14.3, give .110 and .985.
        let spatial = Bootstrap { estimate: 0.0, sorted: vec![0.0], unknown: 0, bias: 0.146, acceleration: 0.061 };
        let z = 1.644_853_626_951_472_2;
        let (lower, upper) = (spatial.level(-z), spatial.level(z));
        assert!(
            (lower - 0.109_856_182_555_823_41).abs() < 1e-9 && (upper - 0.984_477_013_084_062_7).abs() < 1e-9,
            "{lower} {upper}"
        );
        assert!((spatial.unlevel(lower) + z).abs() < 1e-9 && (spatial.unlevel(upper) - z).abs() < 1e-9);
    }

    #[test]
    fn beyond_the_pole_of_the_formula_a_level_is_0_or_1() {
        let skewed = |acceleration| Bootstrap { estimate: 0.0, sorted: vec![0.0], unknown: 0, bias: 0.0, acceleration };
        assert_eq!((skewed(0.5).level(3.0), skewed(-0.5).level(-3.0)), (1.0, 0.0));
        assert_eq!((skewed(0.5).unlevel(0.01), skewed(-0.5).unlevel(0.99)), (f64::NEG_INFINITY, f64::INFINITY));
    }
}
