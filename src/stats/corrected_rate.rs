use statrs::distribution::{ContinuousCDF, Normal};

use super::{Interval, is_confidence};

/// A pass rate corrected for the errors of the judge that measured it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorrectedRate {
    /// The share that truly passes, cut to 0..=1.
    pub rate: f64,
    /// Its interval, cut to 0..=1; one without width, at an end, says that the counts contradict the calibration.
    pub interval: Interval,
}

/// How often a judge was right on cases whose truth is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calibration {
    /// True passes that it passed.
    pub passes_passed: u64,
    /// True passes that it judged.
    pub passes: u64,
    /// True failures that it failed.
    pub failures_failed: u64,
    /// True failures that it judged.
    pub failures: u64,
}

/// The true pass rate behind `passed` of `trials` verdicts of a judge with the given calibration, at `confidence`.
///
/// With observed rate r, sensitivity s and specificity t it is (r + t − 1) / (s + t − 1); the interval allows for all
/// three being estimates. `None` when the judge is no better than chance (s + t ≤ 1), when any of the three was not
/// observed or its counts make no sense, or for a confidence outside 0..1.
///
/// Source: Rogan & Gladen (1978), Estimating Prevalence from the Results of a Screening Test; interval: Lang & Reiczigel
/// (2014), Confidence Limits for Prevalence of Disease Adjusted for Estimated Sensitivity and Specificity.
pub fn corrected_rate(passed: u64, trials: u64, calibration: Calibration, confidence: f64) -> Option<CorrectedRate> {
    let Calibration { passes_passed, passes, failures_failed, failures } = calibration;
    let counts = [(passed, trials), (passes_passed, passes), (failures_failed, failures)];
    if !is_confidence(confidence) || counts.iter().any(|(hits, total)| *total == 0 || hits > total) {
        return None;
    }
    let [observed, sensitive, specific] = counts.map(|(hits, total)| (hits as f64, total as f64));
    let [r, s, t] = [observed, sensitive, specific].map(|(hits, total)| hits / total);
    if s + t <= 1.0 {
        return None;
    }
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let share = |(hits, total): (f64, f64), added: f64| {
        let share = (hits + added / 2.0) / (total + added);
        (share, share * (1.0 - share) / (total + added))
    };
    let ((r_shrunk, r_variance), (s_shrunk, s_variance), (t_shrunk, t_variance)) =
        (share(observed, z * z), share(sensitive, 2.0), share(specific, 2.0));
    let gain = s_shrunk + t_shrunk - 1.0;
    let rate = (r_shrunk + t_shrunk - 1.0) / gain;
    let centre = rate + 2.0 * z * z * (rate * s_variance - (1.0 - rate) * t_variance);
    let half = z * (r_variance + rate.powi(2) * s_variance + (1.0 - rate).powi(2) * t_variance).sqrt() / gain;
    let cut = |share: f64| share.clamp(0.0, 1.0);
    let interval = Interval { lower: cut(centre - half), upper: cut(centre + half) };
    Some(CorrectedRate { rate: cut((r + t - 1.0) / (s + t - 1.0)), interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(passes_passed: u64, passes: u64, failures_failed: u64, failures: u64) -> Calibration {
        Calibration { passes_passed, passes, failures_failed, failures }
    }

    #[test]
    fn rate_and_interval_are_those_of_the_published_formulas() {
        // Python with scipy 1.17.1 norm.ppf, equations 2, 6, 7, 16 and 17 of Lang & Reiczigel as R's asht::prevSeSp has
        // them (the last with (1 - P)² where the article prints (1 + P)²).
        let cases = [
            (259, 4910, judge(178, 181, 744, 750), [0.045_876_896_558_2, 0.035_736_829_048_1, 0.054_563_049_106_7]),
            (140, 200, judge(45, 50, 40, 48), [0.727_272_727_272_7, 0.604_163_304_093_7, 0.871_091_373_985_5]),
            (23, 150, judge(96, 100, 89, 100), [0.050_980_392_156_9, 0.0, 0.145_668_457_615_5]),
            (2, 100, judge(30, 40, 35, 45), [0.0, 0.0, 0.0]),
        ];
        for (passed, trials, calibration, expected) in cases {
            let found = corrected_rate(passed, trials, calibration, 0.95).unwrap();
            let figures = [found.rate, found.interval.lower, found.interval.upper];
            assert!(figures.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{figures:?}");
        }
    }

    #[test]
    fn a_judge_no_better_than_chance_corrects_nothing() {
        assert_eq!(corrected_rate(50, 100, judge(50, 100, 50, 100), 0.95), None);
        assert_eq!(corrected_rate(50, 100, judge(30, 100, 60, 100), 0.95), None);
    }

    #[test]
    fn senseless_counts_and_confidences_have_no_rate() {
        let good = judge(9, 10, 8, 10);
        assert!(corrected_rate(5, 10, good, 0.95).is_some());
        assert_eq!(corrected_rate(5, 10, good, 95.0), None);
        assert_eq!(corrected_rate(0, 0, good, 0.95), None);
        assert_eq!(corrected_rate(11, 10, good, 0.95), None);
        assert_eq!(corrected_rate(5, 10, judge(9, 10, 0, 0), 0.95), None);
    }
}
