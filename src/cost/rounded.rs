use crate::domain::NanoUsd;

/// A computed amount of nano-dollars as money, rounded half up; held at the ends of the range.
pub(super) fn nano(amount: f64) -> NanoUsd {
    // To a thousandth first: a half that came out a hair below is still a half.
    NanoUsd(((amount * 1e3).round() / 1e3 + 0.5).floor() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_up() {
        assert_eq!([1.4, 1.5, -1.5, -1.6, 1e300].map(|amount| nano(amount).0), [1, 2, -1, -2, i64::MAX]);
        // 500,000.4999999999
        assert_eq!(nano((1.0 - 0.8) * 2.5e6 + 0.5).0, 500_001);
    }
}
