use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// An amount of money in nano-dollars: 1 USD = 1,000,000,000.
///
/// Prices per million tokens are exact in this unit ($0.15 per million = 150 a token), so sums never round.
/// The range is about ±9.2 billion dollars.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// No money at all.
    pub const ZERO: Self = Self(0);

    /// Sum of two amounts, or `None` outside the range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Dollars, exactly, as [`NanoUsd::parse_dollars`] reads them: a sign only when negative, nine decimals.
    pub fn exact_dollars(self) -> String {
        const NANO: u64 = 1_000_000_000;
        let magnitude = self.0.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}{}.{:09}", magnitude / NANO, magnitude % NANO)
    }

    /// Reads dollars as a person writes them (`"2.50"`, `"$0.000150"`), exactly; `None` when it is not a
    /// plain decimal number, has more than nine decimals, or is out of range.
    pub fn parse_dollars(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('$').unwrap_or(text);
        let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let fraction: i64 = format!("{fraction:0<9}").parse().ok()?;
        whole.checked_mul(1_000_000_000)?.checked_add(fraction).map(|nano| Self(sign * nano))
    }
}

impl fmt::Display for NanoUsd {
    /// Dollars with as many decimals as the amount needs to show three significant digits, at least two.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let decimals = match magnitude {
            1..1_000 => 9,
            1_000..10_000 => 8,
            10_000..100_000 => 7,
            100_000..1_000_000 => 6,
            1_000_000..10_000_000 => 5,
            10_000_000..1_000_000_000 => 4,
            _ => 2,
        };
        let unit = 10_u64.pow(9 - decimals);
        let rounded = (magnitude + unit / 2) / unit;
        let scale = 10_u64.pow(decimals);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}${}.{:0width$}", rounded / scale, rounded % scale, width = decimals as usize)
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for NanoUsd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_exactly() {
        assert_eq!(NanoUsd::parse_dollars("2.50"), Some(NanoUsd(2_500_000_000)));
        assert_eq!(NanoUsd::parse_dollars("$0.000000001"), Some(NanoUsd(1)));
        assert_eq!(NanoUsd::parse_dollars("-.5"), Some(NanoUsd(-500_000_000)));
        for bad in ["", ".", "1e3", "0.0000000001", "1,000", "99999999999999", "+1"] {
            assert_eq!(NanoUsd::parse_dollars(bad), None, "{bad}");
        }
    }

    #[test]
    fn amounts_show_significant_digits() {
        let shown = |nano| NanoUsd(nano).to_string();
        assert_eq!(shown(0), "$0.00");
        assert_eq!(shown(150), "$0.000000150");
        assert_eq!(shown(12_345), "$0.0000123");
        assert_eq!(shown(12_345_678), "$0.0123");
        assert_eq!(shown(-2_504_999_999), "-$2.50");
    }
}
