use statrs::distribution::{ContinuousCDF, Normal};

use super::{Interval, is_confidence};

/// How far two judges agree beyond chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kappa {
    /// 1 is full agreement, 0 what chance would give, less than 0 worse than chance.
    pub kappa: f64,
    /// Its large-sample standard error; 0 when they agree on everything, however few the cases are.
    pub standard_error: f64,
}

impl Kappa {
    /// The interval at `confidence` (0..1; `None` outside), cut to -1..=1.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let half = is_confidence(confidence)
            .then(|| Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence)) * self.standard_error)?;
        Some(Interval { lower: (self.kappa - half).max(-1.0), upper: (self.kappa + half).min(1.0) })
    }
}

/// Cohen's kappa of two judges' verdicts, from the four counts of cases.
///
/// `None` without cases, and when both judges give every case the same verdict: chance would then agree as well.
///
/// Source: Cohen (1960), A Coefficient of Agreement for Nominal Scales; standard error by Fleiss, Cohen & Everitt
/// (1969), Large Sample Standard Errors of Kappa and Weighted Kappa.
pub fn cohen_kappa(both_pass: u64, only_first: u64, only_second: u64, both_fail: u64) -> Option<Kappa> {
    let counts = [both_pass, only_first, only_second, both_fail].map(|count| count as f64);
    let total: f64 = counts.iter().sum();
    let [pass, first, second, fail] = counts.map(|count| count / total);
    // Shares of passes by each judge.
    let (a, b) = (pass + first, pass + second);
    let expected = a * b + (1.0 - a) * (1.0 - b);
    let observed = pass + fail;
    let kappa = (observed - expected) / (1.0 - expected);
    if !kappa.is_finite() {
        return None;
    }
    let missing = 1.0 - kappa;
    let agreeing = pass * (1.0 - (a + b) * missing).powi(2) + fail * (1.0 - (2.0 - a - b) * missing).powi(2);
    let differing = missing * missing * (first * (b + 1.0 - a).powi(2) + second * (a + 1.0 - b).powi(2));
    let chance = (kappa - expected * missing).powi(2);
    let variance = (agreeing + differing - chance).max(0.0) / ((1.0 - expected).powi(2) * total);
    Some(Kappa { kappa, standard_error: variance.sqrt() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kappa_is_that_of_statsmodels() {
        // statsmodels 0.15.0 cohens_kappa([[both_pass, only_first], [only_second, both_fail]]): kappa, std_kappa,
        // kappa_low, kappa_upp at 95 %.
        let cases = [
            ([20, 5, 10, 15], [0.4, 0.126_996_062_931_1, 0.151_092_290_476_7, 0.648_907_709_523_3]),
            ([118, 5, 2, 25], [0.848_484_848_484_8, 0.055_585_245_542_7, 0.739_539_769_149_2, 0.957_429_927_820_4]),
            ([45, 15, 25, 15], [0.130_434_782_608_7, 0.098_661_537_623_4, -0.062_938_277_792_6, 0.323_807_843_010_0]),
            ([80, 3, 9, 8], [0.505_358_615_004_1, 0.122_142_828_299_9, 0.265_963_070_566_4, 0.744_754_159_441_9]),
            ([1, 0, 0, 1], [1.0, 0.0, 1.0, 1.0]),
        ];
        for ([pass, first, second, fail], expected) in cases {
            let found = cohen_kappa(pass, first, second, fail).unwrap();
            let interval = found.interval(0.95).unwrap();
            let figures = [found.kappa, found.standard_error, interval.lower, interval.upper];
            assert!(figures.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{figures:?}");
        }
    }

    #[test]
    fn one_verdict_for_everything_has_no_kappa() {
        assert_eq!(cohen_kappa(0, 0, 0, 0), None);
        assert_eq!(cohen_kappa(9, 0, 0, 0), None);
        assert!(cohen_kappa(5, 0, 4, 0).unwrap().kappa.abs() < 1e-12);
        assert_eq!(cohen_kappa(5, 1, 1, 5).unwrap().interval(95.0), None);
    }
}
