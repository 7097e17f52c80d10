/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The quantile of ascending `sorted` values at `p` (0..=1, clamped), linear between the two nearest values.
///
/// `None` without values or when `p` is not a number. The same as `numpy.quantile` and R's default.
///
/// Source: Hyndman & Fan (1996), Sample Quantiles in Statistical Packages, definition 7.
pub fn quantile(sorted: &[f64], p: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    if p.is_nan() {
        return None;
    }
    let position = p.clamp(0.0, 1.0) * last as f64;
    let below = position.floor();
    let lower = *sorted.get(below as usize)?;
    let upper = *sorted.get((below as usize + 1).min(last))?;
    let share = position - below;
    // At a value itself the neighbour must not count: infinity times zero is not a number.
    Some(if share > 0.0 { lower + share * (upper - lower) } else { lower })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy 2.4.6: np.quantile([1, 2, 4, 8, 16, 32], p)
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
        for (p, expected) in
            [(0.0, 1.0), (0.25, 2.5), (0.5, 6.0), (0.75, 14.0), (0.95, 28.0), (0.99, 31.2), (1.0, 32.0)]
        {
            assert!((quantile(&sorted, p).unwrap() - expected).abs() < 1e-12, "{p}");
        }
    }

    #[test]
    fn quantiles_of_nothing_and_of_one_value() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.95), Some(7.0));
        assert_eq!(quantile(&[1.0, 2.0], f64::NAN), None);
        assert_eq!(quantile(&[1.0, 2.0], 7.0), Some(2.0));
        assert_eq!(quantile(&[1.0, f64::INFINITY], 0.0), Some(1.0));
    }

    #[test]
    fn the_mean_of_nothing_is_unknown() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    }
}
