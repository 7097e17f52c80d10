/// Where the scatter of per-case differences comes from, as variances in the squared unit of the differences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseSplit {
    /// Between the true differences of cases.
    pub between: f64,
    /// Between repeats of one case.
    pub within: f64,
}

impl NoiseSplit {
    /// Estimates it from each case's list of differences, one for each repeat; lists may be of different length.
    ///
    /// One-way random effects by the method of moments: with the mean squares MSB between and MSW within `k` cases of
    /// nᵢ repeats (N in all), within = MSW and between = (MSB − MSW) / n₀, n₀ = (N − Σnᵢ²/N) / (k − 1), not below 0.
    /// Empty lists are left out. `None` below two cases, when no case was repeated, or when a value is not finite.
    ///
    /// Source: Searle, Casella & McCulloch (1992), Variance Components, §3.6.
    pub fn estimate(differences: &[impl AsRef<[f64]>]) -> Option<Self> {
        let cases = || differences.iter().map(AsRef::as_ref).filter(|repeats| !repeats.is_empty());
        let (count, total) = (cases().count() as f64, cases().map(<[f64]>::len).sum::<usize>() as f64);
        if count < 2.0 || total <= count {
            return None;
        }
        let grand = cases().flatten().sum::<f64>() / total;
        let (mut inner, mut outer, mut sizes) = (0.0, 0.0, 0.0);
        for repeats in cases() {
            let size = repeats.len() as f64;
            let mean = repeats.iter().sum::<f64>() / size;
            inner += repeats.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            outer += size * (mean - grand).powi(2);
            sizes += size * size;
        }
        let within = inner / (total - count);
        let typical = (total - sizes / total) / (count - 1.0);
        let between = ((outer / (count - 1.0) - within) / typical).max(0.0);
        (within.is_finite() && between.is_finite()).then_some(Self { between, within })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(differences: &[&[f64]], between: f64, within: f64) {
        let found = NoiseSplit::estimate(differences).unwrap();
        assert!((found.between - between).abs() < 1e-9 && (found.within - within).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn the_calcium_of_turnip_leaves_is_that_of_the_book() {
        // Snedecor & Cochran (1989), Statistical Methods, table 13.3.1: mean squares 0.2961 and 0.0066, between leaves
        // (0.2961 - 0.0066) / 4 = 0.0724. F = 44.8529 is also that of scipy 1.17.1 f_oneway.
        let leaves: [&[f64]; 4] = [
            &[3.28, 3.09, 3.03, 3.03],
            &[3.52, 3.48, 3.38, 3.38],
            &[2.88, 2.80, 2.81, 2.76],
            &[3.34, 3.38, 3.23, 3.26],
        ];
        check(&leaves, 0.072_380_208_333_3, 0.006_602_083_333_3);
    }

    #[test]
    fn cases_may_have_been_repeated_unequally_often() {
        // numpy 2.4.6: MSB 0.448557692, MSW 0.15875 (their ratio is scipy's f_oneway, 2.825560266), N = 13, Σnᵢ² = 43,
        // n₀ = (13 - 43/13) / 4 = 2.423076923.
        let unequal: [&[f64]; 6] =
            [&[0.1, 0.3, 0.2], &[-0.5, 0.0], &[0.25], &[], &[1.0, 0.0, 1.0, 0.5, 0.0], &[-0.25, -0.75]];
        check(&unequal, 0.119_603_174_603_2, 0.158_75);
    }

    #[test]
    fn cases_that_differ_less_than_their_repeats_do_not_differ() {
        // Both means are 0.5: MSB 0, MSW 4 · 0.25 / 2 = 0.5.
        check(&[&[0.0, 1.0], &[1.0, 0.0]], 0.0, 0.5);
    }

    #[test]
    fn one_repeat_tells_nothing_about_repeats() {
        assert_eq!(NoiseSplit::estimate(&[[0.1], [0.2], [0.3]]), None);
        assert_eq!(NoiseSplit::estimate(&[[0.1, 0.2]]), None);
        assert_eq!(NoiseSplit::estimate(&[[0.1, 0.2], [0.3, f64::NAN]]), None);
    }
}
