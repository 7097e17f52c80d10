use statrs::distribution::{ContinuousCDF, Normal};

use super::{NoiseSplit, is_confidence};

/// The smallest true effect whose two-sided interval at `confidence` would leave out zero with probability `power`.
///
/// In the unit of `standard_error`: (z((1 + confidence) / 2) + z(power)) · standard error. `None` for a confidence or
/// power outside 0..1, or when the standard error is negative or not finite.
///
/// Source: Bloom (1995), Minimum Detectable Effects; Miller (2024), Adding Error Bars to Evals, §5.
pub fn minimum_detectable(standard_error: f64, confidence: f64, power: f64) -> Option<f64> {
    let deviates = deviates(confidence, power)?;
    (standard_error.is_finite() && standard_error >= 0.0).then_some(deviates * standard_error)
}

/// The number of clusters at which an effect that stays as it is would be told from a bound `effect_distance` away (on
/// either side), with probability `power`.
///
/// `now` clusters have given `standard_error`, which falls with the square root of their number. It can be less than
/// `now`; never less than 2. `None` when the distance is 0 or not finite, and where [`minimum_detectable`] has none.
///
/// Source: Miller (2024), Adding Error Bars to Evals, §5.
pub fn clusters_needed(
    now: u64,
    effect_distance: f64,
    standard_error: f64,
    confidence: f64,
    power: f64,
) -> Option<u64> {
    let detectable = minimum_detectable(standard_error, confidence, power)?;
    let needed = (now as f64 * (detectable / effect_distance).powi(2)).ceil();
    (effect_distance.is_finite() && needed < 1e18).then_some((needed as u64).max(2))
}

/// The number of repeats of each of `cases` on each side at which an effect that stays as it is would be told from a
/// bound `effect_distance` away (on either side), with probability `power`.
///
/// With `r` repeats the mean difference has the variance (between + within / r) / cases. `None` when the cases differ so
/// much among each other that no number of repeats is enough, when the distance is 0 or not finite, or for a confidence
/// or power outside 0..1.
///
/// Source: Miller (2024), Adding Error Bars to Evals, §3.
pub fn repeats_needed(noise: NoiseSplit, cases: u64, effect_distance: f64, confidence: f64, power: f64) -> Option<u32> {
    let error = effect_distance / deviates(confidence, power)?;
    let room = cases as f64 * error * error - noise.between;
    if !error.is_finite() || error == 0.0 || room.is_nan() || room < 0.0 {
        return None;
    }
    let needed = if noise.within > 0.0 { (noise.within / room).ceil() } else { 1.0 };
    (needed <= f64::from(u32::MAX)).then_some((needed as u32).max(1))
}

/// How many standard errors an effect must be away from a bound.
fn deviates(confidence: f64, power: f64) -> Option<f64> {
    let normal = Normal::standard();
    let sum = || normal.inverse_cdf(f64::midpoint(1.0, confidence)) + normal.inverse_cdf(power);
    // With little confidence and power both, no distance is too small.
    (is_confidence(confidence) && is_confidence(power)).then(sum).map(|sum| sum.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_detectable_effect_is_that_of_the_normal_tables() {
        // scipy 1.17.1: (norm.ppf((1 + confidence) / 2) + norm.ppf(power)) * standard_error; 1.95996 + 0.84162 for
        // the usual 95 % and 80 %.
        for (error, confidence, power, expected) in [
            (0.012, 0.95, 0.8, 0.033_619_022_617_355_62),
            (0.02, 0.9, 0.9, 0.058_528_103_849_921_45),
            (1.0, 0.99, 0.95, 4.220_682_930_500_373),
            (0.0, 0.95, 0.8, 0.0),
        ] {
            let found = minimum_detectable(error, confidence, power).unwrap();
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
        for (error, confidence, power) in [(-1.0, 0.95, 0.8), (f64::NAN, 0.95, 0.8), (1.0, 95.0, 0.8), (1.0, 0.95, 1.0)]
        {
            assert_eq!(minimum_detectable(error, confidence, power), None);
        }
    }

    #[test]
    fn clusters_needed_grow_with_the_square_of_the_distance() {
        // 100 · (0.0336190 / 0.02)² = 282.56; 200 · (0.0336190 / 0.05)² = 90.4; 50 · (2.926405 · 0.03 / 0.01)² = 3853.7.
        assert_eq!(clusters_needed(100, 0.02, 0.012, 0.95, 0.8), Some(283));
        assert_eq!(clusters_needed(100, -0.02, 0.012, 0.95, 0.8), Some(283));
        assert_eq!(clusters_needed(200, 0.05, 0.012, 0.95, 0.8), Some(91));
        assert_eq!(clusters_needed(50, 0.01, 0.03, 0.9, 0.9), Some(3854));
        assert_eq!(clusters_needed(50, 0.01, 0.0, 0.9, 0.9), Some(2));
        for distance in [0.0, f64::NAN, f64::INFINITY, 1e-200] {
            assert_eq!(clusters_needed(100, distance, 0.012, 0.95, 0.8), None, "{distance}");
        }
    }

    #[test]
    fn repeats_help_only_against_the_noise_within_cases() {
        // 2.801585² = 7.848880: 200 · 0.03² / 7.848880 = 0.022933; of it 0.01 is taken by the cases, 0.012933 is left:
        // 0.08 / 0.012933 = 6.19.
        let noise = NoiseSplit { between: 0.01, within: 0.08 };
        assert_eq!(repeats_needed(noise, 200, 0.03, 0.95, 0.8), Some(7));
        assert_eq!(repeats_needed(noise, 200, -0.03, 0.95, 0.8), Some(7));
        // 200 · 0.015² / 7.848880 = 0.005733 is less than the 0.01 that the cases take.
        assert_eq!(repeats_needed(noise, 200, 0.015, 0.95, 0.8), None);
        assert_eq!(repeats_needed(NoiseSplit { within: 0.0, ..noise }, 200, 0.03, 0.95, 0.8), Some(1));
        assert_eq!(repeats_needed(noise, 200, 0.0, 0.95, 0.8), None);
        assert_eq!(repeats_needed(noise, 200, 0.03, 0.95, 80.0), None);
    }
}
