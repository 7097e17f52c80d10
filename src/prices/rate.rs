use crate::domain::Rate;

/// A million dollars per million tokens: nothing costs more.
const DEAREST: u128 = 1_000_000_000_000_000;

/// Decimal digits that survive a trip through a double (IEEE 754-2019, table 3.2: 53 bits hold any 15 digits).
const DIGITS_OF_A_DOUBLE: usize = 15;

/// Why a number is no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateProblem {
    /// It is not a decimal number.
    #[error("must be a number")]
    NotANumber,
    /// It is below zero.
    #[error("must not be negative")]
    Negative,
    /// It has more decimals than prices have.
    #[error("is finer than a nano-dollar per million tokens")]
    TooFine,
    /// It is above a million dollars per million tokens.
    #[error("is above a million dollars per million tokens")]
    TooLarge,
}

/// Reads a JSON number that says dollars per million tokens, exactly.
pub(super) fn per_million(text: &str) -> Result<Rate, RateProblem> {
    let (digits, power) = decimal(text)?;
    scaled(&digits, power + 9)
}

/// Reads a JSON number that says dollars per token. It may have been printed from a double: digits beyond those that a
/// double keeps are rounded away (`1.0000000000000001e-07` is a tenth of a micro-dollar), the rest is exact.
pub(super) fn per_token(text: &str) -> Result<Rate, RateProblem> {
    let (mut digits, mut power) = decimal(text)?;
    if let Some(noise) = digits.len().checked_sub(DIGITS_OF_A_DOUBLE).filter(|noise| *noise > 0) {
        let round_up = digits.as_bytes().get(DIGITS_OF_A_DOUBLE).is_some_and(|digit| *digit >= b'5');
        digits.truncate(DIGITS_OF_A_DOUBLE);
        let kept: u64 = digits.parse().map_err(|_| RateProblem::NotANumber)?;
        digits = (kept + u64::from(round_up)).to_string();
        power += signed(noise);
    }
    scaled(&digits, power + 15)
}

/// The digits of a decimal number, without zeros in front, and the power of ten that they count.
fn decimal(text: &str) -> Result<(String, i64), RateProblem> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| RateProblem::NotANumber)?),
    };
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RateProblem::NotANumber);
    }
    let digits = digits.trim_start_matches('0').to_owned();
    if negative && !digits.is_empty() {
        return Err(RateProblem::Negative);
    }
    Ok((digits, i64::from(exponent) - signed(fraction.len())))
}

/// `digits` times ten to the `power`, as nano-dollars per million tokens.
fn scaled(digits: &str, power: i64) -> Result<Rate, RateProblem> {
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return Ok(Rate(0));
    }
    let power = power + signed(digits.len() - significant.len());
    let power =
        u32::try_from(power).map_err(|_| if power < 0 { RateProblem::TooFine } else { RateProblem::TooLarge })?;
    let nano = significant.parse::<u128>().ok().zip(10_u128.checked_pow(power)).and_then(|(n, ten)| n.checked_mul(ten));
    let nano = nano.filter(|nano| *nano <= DEAREST).ok_or(RateProblem::TooLarge)?;
    u64::try_from(nano).map(Rate).map_err(|_| RateProblem::TooLarge)
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX / 4)
}

/// Dollars per million tokens as the shortest exact decimal number.
pub(super) fn shown(rate: Rate) -> String {
    let (whole, fraction) = (rate.0 / 1_000_000_000, rate.0 % 1_000_000_000);
    let shown = format!("{whole}.{fraction:09}");
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_per_million_are_read_exactly_or_refused() {
        let read = |text| per_million(text).map(|rate| rate.0);
        assert_eq!(read("0.15"), Ok(150_000_000));
        assert_eq!(read("3"), Ok(3_000_000_000));
        assert_eq!(read("1.5e1"), Ok(15_000_000_000));
        assert_eq!(read("0.000000001"), Ok(1));
        assert_eq!(read("0.100000000"), Ok(100_000_000));
        assert_eq!(read("1000000"), Ok(1_000_000_000_000_000));
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("-0.0"), Ok(0));
        assert_eq!(read("0.1000000001"), Err(RateProblem::TooFine));
        assert_eq!(read("1000000.1"), Err(RateProblem::TooLarge));
        assert_eq!(read("1e99"), Err(RateProblem::TooLarge));
        assert_eq!(read("1e2147483647"), Err(RateProblem::TooLarge));
        assert_eq!(read("1e-2147483648"), Err(RateProblem::TooFine));
        assert_eq!(read("-1"), Err(RateProblem::Negative));
        for bad in ["", ".5", "null", "\"3\"", "0x3", "1e", "1.2.3", "NaN"] {
            assert_eq!(read(bad), Err(RateProblem::NotANumber), "{bad}");
        }
    }

    #[test]
    fn dollars_per_token_are_read_exactly_and_the_noise_of_doubles_is_rounded_away() {
        let read = |text| per_token(text).map(|rate| rate.0);
        assert_eq!(read("1.5e-07"), Ok(150_000_000));
        assert_eq!(read("0.00001"), Ok(10_000_000_000));
        assert_eq!(read("1.0000000000000001e-07"), Ok(100_000_000));
        assert_eq!(read("9.499999999999999e-07"), Ok(950_000_000));
        assert_eq!(read("9.999999999999999e-06"), Ok(10_000_000_000));
        assert_eq!(read("3.75e-08"), Ok(37_500_000));
        assert_eq!(read("1.00002e-15"), Err(RateProblem::TooFine));
        assert_eq!(read("2"), Err(RateProblem::TooLarge));
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_rate() {
        for nano in [0, 1, 37_500_000, 150_000_000, 3_000_000_000, 12_345_678_901] {
            assert_eq!(per_million(&shown(Rate(nano))), Ok(Rate(nano)));
        }
        assert_eq!(shown(Rate(150_000_000)), "0.15");
        assert_eq!(shown(Rate(20_000_000_000)), "20");
    }
}
