use crate::domain::NanoUsd;

/// `total` in the range of an amount; sums beyond it (about ±9.2 billion dollars) stay at its end.
pub(in crate::cost) fn narrow(total: i128) -> NanoUsd {
    NanoUsd(i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX }))
}

/// `total` divided by `count`, rounded to the nearest nano-dollar, halves upwards; `None` by nothing.
pub(in crate::cost) fn per(total: i128, count: u64) -> Option<NanoUsd> {
    let count = i128::from(count);
    (count > 0).then(|| narrow((2 * total + count).div_euclid(2 * count)))
}

/// `part` as a share of `whole`; `None` of nothing.
pub(in crate::cost) fn share(part: i128, whole: i128) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

/// Divides `whole` in proportion to `weights` (0 or more), so that the parts are whole and their sum is `whole` exactly.
///
/// Each boundary between two parts is rounded to the nearest unit. Without weights every part is 0.
pub(in crate::cost) fn divided<const N: usize>(whole: i128, weights: [i128; N]) -> [i128; N] {
    let all: i128 = weights.iter().sum();
    let (mut reached, mut given) = (0, 0);
    weights.map(|weight| {
        reached += weight;
        let boundary = whole.saturating_mul(2 * reached).saturating_add(all).checked_div(2 * all).unwrap_or(0);
        let part = boundary - given;
        given = boundary;
        part
    })
}

/// `count` with commas between thousands from 10,000 on, as tables show it.
pub(in crate::cost) fn counted(count: u64) -> String {
    let digits = count.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_rounded_to_the_nearest_and_of_nothing_there_is_none() {
        assert_eq!(per(10, 4), Some(NanoUsd(3)));
        assert_eq!(per(9, 4), Some(NanoUsd(2)));
        assert_eq!(per(-10, 4), Some(NanoUsd(-2)));
        assert_eq!(per(10, 0), None);
        assert_eq!(narrow(i128::MAX), NanoUsd(i64::MAX));
        assert_eq!(narrow(i128::MIN), NanoUsd(i64::MIN));
    }

    #[test]
    fn counts_read_as_in_tables() {
        assert_eq!([0, 9999, 10_000, 1_234_567].map(counted), ["0", "9999", "10,000", "1,234,567"]);
    }

    #[test]
    fn what_is_divided_is_whole_again_when_summed() {
        // Boundaries of 10 at thirds: 3.33 and 6.67, rounded 3 and 7.
        assert_eq!(divided(10, [1, 1, 1]), [3, 4, 3]);
        assert_eq!(divided(10, [0, 5, 0]), [0, 10, 0]);
        assert_eq!(divided(10, [0, 0]), [0, 0]);
        assert_eq!(divided(7, [3, 2, 9, 11, 13]).iter().sum::<i128>(), 7);
    }
}
