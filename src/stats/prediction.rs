use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, is_confidence};

/// What was observed at one level, such as on weekdays, and how much more of it is to come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level<'a> {
    /// The values seen so far.
    pub observed: &'a [f64],
    /// How many more values are to come, at least 0; half a day is 0.5 of one.
    pub coming: f64,
}

/// What the values to come will sum up to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SumPrediction {
    /// The most likely sum.
    pub estimate: f64,
    /// Where the sum will be; `None` when there are too few observations to tell how values scatter.
    pub interval: Option<Interval>,
}

/// The sum of the values to come at all `levels`, with its prediction interval at `confidence` (0..1; none outside).
///
/// Values are taken for independent and normal with one variance s² about their level's mean. With `N` values observed
/// in `G` levels, and at level `i` the mean mᵢ of Nᵢ values and nᵢ values to come, the sum is
/// Σ nᵢ·mᵢ ± t(N − G) · s · √Σ(nᵢ + nᵢ²/Nᵢ), where s² is pooled over the levels. A part of a value has that part of the
/// variance. `None` when values are to come at a level where none was observed; no interval without more observations
/// than levels.
///
/// Source: Hahn & Meeker (1991), Statistical Intervals, prediction interval for the mean of future observations, times
/// their number; several levels as in any linear model (Seber & Lee (2003), Linear Regression Analysis, §5.3).
pub fn predict_sum(levels: &[Level<'_>], confidence: f64) -> Option<SumPrediction> {
    let (mut estimate, mut spread, mut squares, mut freedom) = (0.0, 0.0, 0.0, 0.0);
    for level in levels {
        let Some(mean) = super::mean(level.observed) else {
            if level.coming > 0.0 {
                return None;
            }
            continue;
        };
        let count = level.observed.len() as f64;
        estimate += level.coming * mean;
        spread += level.coming + level.coming * level.coming / count;
        squares += level.observed.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        freedom += count - 1.0;
    }
    let interval = (freedom > 0.0 && is_confidence(confidence)).then(|| {
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
        let half = t.inverse_cdf(f64::midpoint(1.0, confidence)) * (squares / freedom * spread).sqrt();
        Some(Interval { lower: estimate - half, upper: estimate + half })
    });
    Some(SumPrediction { estimate, interval: interval.flatten() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEVEN: [f64; 7] = [10.0, 12.0, 8.0, 10.0, 14.0, 6.0, 10.0];

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-3, "{found} is not {expected}");
    }

    #[test]
    fn one_level_is_the_textbook_interval() {
        // Mean 10, squares 0+4+4+0+16+16+0 = 40, s² = 40/6; 21 + 21²/7 = 84; s²·84 = 560, root 23.664.
        // t(6) at 97.5 % is 2.4469 in the tables: 210 ± 57.9045.
        let sum = predict_sum(&[Level { observed: &SEVEN, coming: 21.0 }], 0.95).unwrap();
        close(sum.estimate, 210.0);
        let interval = sum.interval.unwrap();
        close(interval.lower, 210.0 - 57.9045);
        close(interval.upper, 210.0 + 57.9045);
    }

    #[test]
    fn two_levels_pool_their_variance() {
        // Means 10 and 2, squares 40 and 2 with 6 + 1 degrees of freedom: s² = 6.
        // 7 + 49/7 = 14 and 2 + 4/2 = 4: s²·18 = 108, root 10.3923. t(7) at 95 % is 1.8946: 70 + 4 ± 19.6892.
        let levels = [Level { observed: &SEVEN, coming: 7.0 }, Level { observed: &[1.0, 3.0], coming: 2.0 }];
        let sum = predict_sum(&levels, 0.90).unwrap();
        close(sum.estimate, 74.0);
        close(sum.interval.unwrap().upper, 74.0 + 19.6892);
    }

    #[test]
    fn what_cannot_be_known_is_not_given() {
        assert_eq!(predict_sum(&[Level { observed: &[], coming: 1.0 }], 0.95), None);
        let one = predict_sum(&[Level { observed: &[3.0], coming: 2.0 }], 0.95).unwrap();
        assert_eq!(one, SumPrediction { estimate: 6.0, interval: None });
        assert_eq!(predict_sum(&[Level { observed: &SEVEN, coming: 2.0 }], 95.0).unwrap().interval, None);
    }

    #[test]
    fn when_nothing_is_to_come_nothing_is_uncertain() {
        let sum = predict_sum(&[Level { observed: &SEVEN, coming: 0.0 }], 0.95).unwrap();
        assert_eq!((sum.estimate, sum.interval), (0.0, Some(Interval { lower: 0.0, upper: 0.0 })));
    }
}
