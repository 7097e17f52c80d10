use crate::domain::{NanoUsd, Verdict};

/// How good something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As it should be.
    Good,
    /// Broken.
    Bad,
    /// Worth a look.
    Warn,
    /// Neither good nor bad.
    Neutral,
}

impl Status {
    /// The sign that says it without colour.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✗",
            Self::Warn => "!",
            Self::Neutral => "·",
        }
    }

    /// Its name, as a CSS class.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Neutral => "neutral",
        }
    }
}

impl From<Verdict> for Status {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Good,
            Verdict::Fail => Self::Bad,
            Verdict::Inconclusive => Self::Warn,
        }
    }
}

/// One value in a table or a list of facts.
///
/// A missing value (also NaN and the infinities) is shown as `–` and is empty in CSV; it is never 0.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Missing,
    /// Words; shown on one line, no markup.
    Text(String),
    /// A name, an id or a command, set apart.
    Code(String),
    /// A state, with its sign.
    Status(Status, String),
    /// A number with a fixed count of decimals; `unit` is `""` for none.
    Number {
        /// The number.
        value: Option<f64>,
        /// Decimals shown.
        decimals: usize,
        /// Shown behind it: `ms`, `pp`.
        unit: &'static str,
    },
    /// A difference: a number that always shows its sign.
    Change {
        /// The difference.
        value: Option<f64>,
        /// Decimals shown.
        decimals: usize,
        /// Shown behind it.
        unit: &'static str,
    },
    /// An amount; dollars to a reader, integer nano-dollars in CSV.
    Money(Option<NanoUsd>),
    /// A share in 0..=1, shown in percent; CSV has the share.
    Percent(Option<f64>),
    /// A duration in milliseconds, shown in a readable unit; CSV has the milliseconds.
    Ms(Option<f64>),
    /// A share in 0..=1, drawn as a bar beside its percentage.
    Bar {
        /// The share.
        share: Option<f64>,
    },
}

/// What stands where nothing is known.
const MISSING: &str = "–";

impl Cell {
    /// A count.
    pub fn count(count: usize) -> Self {
        Self::Number { value: Some(count as f64), decimals: 0, unit: "" }
    }

    /// A score in 0..=1, with three decimals.
    pub fn score(score: Option<f64>) -> Self {
        Self::Number { value: score, decimals: 3, unit: "" }
    }

    /// The value as a reader sees it, without drawing and signs.
    pub(super) fn shown(&self) -> String {
        let known = match self {
            Self::Missing => None,
            Self::Text(text) | Self::Code(text) | Self::Status(_, text) => Some(text.clone()),
            Self::Number { value, decimals, unit } => finite(*value).map(|v| with_unit(number(v, *decimals), unit)),
            Self::Change { value, decimals, unit } => finite(*value).map(|v| {
                let shown = number(v, *decimals);
                let sign = if v > 0.0 && !is_zero(&shown) { "+" } else { "" };
                with_unit(format!("{sign}{shown}"), unit)
            }),
            Self::Money(amount) => amount.map(|amount| amount.to_string()),
            Self::Percent(share) | Self::Bar { share } => finite(*share).map(|v| format!("{}%", number(v * 100.0, 1))),
            Self::Ms(ms) => finite(*ms).map(duration),
        };
        known.filter(|text| !text.is_empty()).unwrap_or_else(|| MISSING.to_owned())
    }

    /// The value for CSV: unrounded, without unit; empty when missing.
    pub(super) fn raw(&self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Text(text) | Self::Code(text) | Self::Status(_, text) => text.clone(),
            Self::Money(amount) => amount.map_or_else(String::new, |NanoUsd(nano)| nano.to_string()),
            _ => self.sort_key().map_or_else(String::new, |value| value.to_string()),
        }
    }

    /// The number to sort by, when it holds one.
    pub(super) fn sort_key(&self) -> Option<f64> {
        match self {
            Self::Missing | Self::Text(_) | Self::Code(_) | Self::Status(..) => None,
            Self::Money(amount) => amount.map(|NanoUsd(nano)| nano as f64),
            Self::Number { value, .. }
            | Self::Change { value, .. }
            | Self::Percent(value)
            | Self::Ms(value)
            | Self::Bar { share: value } => finite(*value),
        }
    }

    /// The same cell with `change` applied to its text.
    pub(super) fn map_text(self, change: fn(&str) -> String) -> Self {
        match self {
            Self::Text(text) => Self::Text(change(&text)),
            Self::Code(text) => Self::Code(change(&text)),
            Self::Status(status, text) => Self::Status(status, change(&text)),
            other => other,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::count(count)
    }
}

impl From<NanoUsd> for Cell {
    fn from(amount: NanoUsd) -> Self {
        Self::Money(Some(amount))
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// `value` unless it is missing or not a finite number.
pub(super) fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// `value` with `decimals` decimals and commas between thousands from 10,000 on; never `-0`.
pub(super) fn number(value: f64, decimals: usize) -> String {
    let plain = format!("{value:.decimals$}");
    let plain = if is_zero(&plain) { plain.trim_start_matches('-') } else { &plain };
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, part)| (whole, Some(part)));
    let mut shown = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && whole.len() > 4 && (whole.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    if let Some(fraction) = fraction {
        shown.push('.');
        shown.push_str(fraction);
    }
    shown
}

fn is_zero(shown: &str) -> bool {
    !shown.contains(|c: char| c.is_ascii_digit() && c != '0')
}

fn with_unit(shown: String, unit: &str) -> String {
    if unit.is_empty() { shown } else { format!("{shown} {unit}") }
}

/// Milliseconds in the unit that reads best: `0.42 ms`, `12.3 ms`, `840 ms`, `1.24 s`, `3m 05s`.
fn duration(ms: f64) -> String {
    match ms.abs() {
        size if size < 9.995 => format!("{} ms", number(ms, 2)),
        size if size < 99.95 => format!("{} ms", number(ms, 1)),
        size if size < 999.5 => format!("{} ms", number(ms, 0)),
        size if size < 99_995.0 => format!("{} s", number(ms / 1e3, 2)),
        _ => {
            let seconds = (ms / 1e3).round() as i64;
            format!("{}m {:02}s", seconds / 60, (seconds % 60).abs())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_a_dash_and_never_zero() {
        let number = |value| Cell::Number { value, decimals: 1, unit: "ms" };
        let missing = [
            Cell::Missing,
            number(None),
            number(Some(f64::NAN)),
            Cell::Money(None),
            Cell::Percent(Some(f64::INFINITY)),
        ];
        for cell in missing {
            assert_eq!((cell.shown().as_str(), cell.raw().as_str()), ("–", ""), "{cell:?}");
        }
        assert_eq!(number(Some(0.0)).shown(), "0.0 ms");
    }

    #[test]
    fn numbers_are_rounded_to_read_and_whole_in_csv() {
        let score = Cell::score(Some(0.612_345));
        assert_eq!((score.shown().as_str(), score.raw().as_str()), ("0.612", "0.612345"));
        assert_eq!(Cell::count(1_234_567).shown(), "1,234,567");
        assert_eq!(Cell::count(1234).shown(), "1234");
        assert_eq!(Cell::score(Some(-0.000_1)).shown(), "0.000");
        let money = Cell::from(NanoUsd(1_500_000));
        assert_eq!((money.shown().as_str(), money.raw().as_str()), ("$0.00150", "1500000"));
    }

    #[test]
    fn changes_carry_their_sign() {
        let change = |value| Cell::Change { value: Some(value), decimals: 2, unit: "pp" }.shown();
        assert_eq!([change(1.5), change(-1.5), change(0.001)], ["+1.50 pp", "-1.50 pp", "0.00 pp"]);
    }

    #[test]
    fn durations_pick_their_unit() {
        let shown = [0.4, 9.999, 12.34, 999.6, 1240.0, 185_000.0].map(|ms| Cell::Ms(Some(ms)).shown());
        assert_eq!(shown, ["0.40 ms", "10.0 ms", "12.3 ms", "1.00 s", "1.24 s", "3m 05s"]);
    }
}
