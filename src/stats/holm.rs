/// P-values after Holm's correction for as many tests as there are, in the order given.
///
/// A hypothesis is rejected at a family-wise error of alpha when its corrected p-value is at most alpha. A value that is
/// not a number counts as a test without evidence: it is corrected to 1.
///
/// Source: Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![1.0; p_values.len()];
    let mut greatest = 0.0_f64;
    for (position, p, tests) in steps(p_values) {
        greatest = greatest.max((p * tests).min(1.0));
        if let Some(slot) = adjusted.get_mut(position) {
            *slot = greatest;
        }
    }
    adjusted
}

/// The level at which Holm's procedure tests each hypothesis, in the order given: alpha over the number of hypotheses
/// not yet rejected.
///
/// It ends at the first that is not rejected, and those behind it are shown at its level. So a hypothesis is rejected
/// exactly when its p-value is at most its level, and an interval at confidence 1 - level says the same as the test.
pub fn holm_levels(p_values: &[f64], alpha: f64) -> Vec<f64> {
    let mut levels = vec![alpha; p_values.len()];
    let mut ended = None;
    for (position, p, tests) in steps(p_values) {
        let level = ended.unwrap_or(alpha / tests);
        if p > level {
            ended = Some(level);
        }
        if let Some(slot) = levels.get_mut(position) {
            *slot = level;
        }
    }
    levels
}

/// Position, p-value and number of hypotheses left, from the smallest p-value to the greatest.
fn steps(p_values: &[f64]) -> impl Iterator<Item = (usize, f64, f64)> {
    let mut order: Vec<(usize, f64)> = p_values.iter().map(|p| if p.is_nan() { 1.0 } else { *p }).enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let count = order.len();
    order.into_iter().enumerate().map(move |(rank, (position, p))| (position, p, (count - rank) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: [f64; 6] = [0.0001, 0.02, 0.02, 0.9, 0.03, 0.012];

    #[test]
    fn corrected_p_values_are_those_of_statsmodels() {
        // statsmodels 0.15.0: multipletests(p_values, method="holm")[1]. The first is also the example of Wright
        // (1992), Adjusted P-values for Simultaneous Inference.
        let cases: [(&[f64], &[f64]); 4] = [
            (&[0.01, 0.04, 0.03, 0.005], &[0.03, 0.06, 0.06, 0.02]),
            (&SIX, &[0.0006, 0.08, 0.08, 0.9, 0.08, 0.06]),
            (&[0.6, 0.7], &[1.0, 1.0]),
            (&[], &[]),
        ];
        for (p_values, expected) in cases {
            let found = holm(p_values);
            assert_eq!(found.len(), expected.len());
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        }
    }

    #[test]
    fn levels_step_down_until_the_first_that_is_not_rejected() {
        // 0.0001 at 0.05/6 is rejected, 0.012 at 0.05/5 is not, and there it ends.
        let (first, end) = (0.05 / 6.0, 0.05 / 5.0);
        assert_eq!(holm_levels(&SIX, 0.05), [first, end, end, end, end, end]);
        assert_eq!(holm_levels(&[0.001, 0.002, 0.04], 0.05), [0.05 / 3.0, 0.025, 0.05]);
    }

    #[test]
    fn a_level_says_the_same_as_the_corrected_p_value() {
        for alpha in [0.001, 0.05, 0.07, 0.1, 0.9] {
            for p_values in [&SIX[..], &[0.01, 0.04, 0.03, 0.005], &[0.03, 0.03], &[0.025, 0.05]] {
                let rejected = holm(p_values).into_iter().map(|p| p <= alpha);
                let levels = holm_levels(p_values, alpha);
                assert!(rejected.eq(p_values.iter().zip(levels).map(|(p, level)| *p <= level)), "{p_values:?}");
            }
        }
    }

    #[test]
    fn a_test_without_a_p_value_still_counts() {
        assert_eq!(holm(&[f64::NAN, 0.01]), [1.0, 0.02]);
        assert_eq!(holm_levels(&[f64::NAN, 0.01], 0.05), [0.05, 0.025]);
    }
}
