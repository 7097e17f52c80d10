use statrs::distribution::{ContinuousCDF, Normal};

use super::{Interval, is_confidence};

/// The Wilson score interval for the share of `successes` among `trials`, at `confidence` (0..1).
///
/// It stays within 0..=1 and is sound for shares near the ends. `None` without trials, with more successes than
/// trials, or for a confidence outside 0..1.
///
/// Source: Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.
pub fn wilson_interval(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials || !is_confidence(confidence) {
        return None;
    }
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let n = trials as f64;
    let share = successes as f64 / n;
    let shrink = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / shrink;
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt() / shrink;
    // The ends are 0 and 1 exactly there; rounding would leave 1e-17.
    let lower = if successes == 0 { 0.0 } else { (centre - half).max(0.0) };
    let upper = if successes == trials { 1.0 } else { (centre + half).min(1.0) };
    Some(Interval { lower, upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_statsmodels() {
        // statsmodels 0.15.0: proportion_confint(successes, trials, 1 - confidence, method="wilson").
        // 81/263, 15/148 and 1/29 at 95 % are also in Newcombe (1998), table I: .2553–.3662, .0624–.1605, .0061–.1718.
        let cases = [
            (0, 10, 0.95, 0.0, 0.277_532_799_862_889_2),
            (10, 10, 0.95, 0.722_467_200_137_110_7, 1.0),
            (1, 29, 0.95, 0.006_113_214_292_762_653, 0.171_755_218_793_202_88),
            (81, 263, 0.95, 0.255_288_519_878_274_2, 0.366_209_576_982_800_04),
            (15, 148, 0.95, 0.062_386_399_530_736_3, 0.160_487_241_723_308_03),
            (50, 100, 0.9, 0.418_847_796_112_529_5, 0.581_152_203_887_470_6),
            (999, 1000, 0.99, 0.991_539_433_780_018_3, 0.999_882_583_646_381_6),
            (1, 1, 0.95, 0.206_549_314_377_237_45, 1.0),
        ];
        for (successes, trials, confidence, lower, upper) in cases {
            let interval = wilson_interval(successes, trials, confidence).unwrap();
            assert!((interval.lower - lower).abs() < 1e-9, "{successes}/{trials}: {interval:?}");
            assert!((interval.upper - upper).abs() < 1e-9, "{successes}/{trials}: {interval:?}");
        }
    }

    #[test]
    fn senseless_counts_and_confidences_have_no_interval() {
        assert_eq!(wilson_interval(0, 0, 0.95), None);
        assert_eq!(wilson_interval(2, 1, 0.95), None);
        for confidence in [0.0, 1.0, 95.0, f64::NAN] {
            assert_eq!(wilson_interval(1, 2, confidence), None, "{confidence}");
        }
    }
}
