use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::ExportFacts;
use crate::domain::{NanoUsd, Tokens, Usage};
use crate::report;
use crate::store::Charge;

/// A charge on its way out, with what the export knows beside it.
pub(super) struct Row<'a> {
    pub(super) charge: &'a Charge,
    pub(super) facts: &'a ExportFacts,
}

impl Row<'_> {
    /// A count of the charge's usage; missing where that is not known.
    pub(super) fn tokens(&self, count: fn(Usage) -> Tokens) -> Field<'static> {
        self.charge.usage.map_or(Field::Missing, |usage| Field::Whole(count(usage).0.into()))
    }
}

/// A column's name, and its value in a row.
pub(super) type Column = (&'static str, for<'a> fn(&Row<'a>) -> Field<'a>);

/// A value in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field<'a> {
    /// Nothing is known, or nothing applies: an empty cell, `null`.
    Missing,
    /// Words, made harmless when they are written.
    Text(Cow<'a, str>),
    /// A count, or an amount in nano-dollars.
    Whole(i128),
    /// A count where decimal numbers are expected: readers that guess a column's type see a decimal one.
    Decimal(i128),
    /// An amount in dollars with all nine decimals, so that sums are exact.
    Dollars(NanoUsd),
}

impl Field<'_> {
    /// An amount in nano-dollars.
    pub(super) fn nano(amount: NanoUsd) -> Self {
        Self::Whole(amount.0.into())
    }

    /// The value as a cell of a CSV file.
    pub(super) fn cell(&self) -> Cow<'_, str> {
        match self {
            Self::Missing => Cow::Borrowed(""),
            Self::Text(text) => Cow::Owned(report::guarded(text)),
            Self::Whole(number) => Cow::Owned(number.to_string()),
            Self::Decimal(number) => Cow::Owned(format!("{number}.0")),
            Self::Dollars(amount) => Cow::Owned(amount.exact_dollars()),
        }
    }
}

impl<'a> From<&'a str> for Field<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Field<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl<T: Into<Self>> From<Option<T>> for Field<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Field::Missing, Into::into)
    }
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Whole(number) | Self::Decimal(number) => serializer.serialize_i128(*number),
            Self::Dollars(amount) => serializer.serialize_str(&amount.exact_dollars()),
        }
    }
}

/// A row as a JSON object.
pub(super) struct Record<'a> {
    pub(super) columns: &'static [Column],
    pub(super) row: Row<'a>,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().map(|(name, value)| (name, value(&self.row))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_to_the_nano_dollar() {
        let shown =
            [0, 1, -1, 1_000_000_000, -2_500_000_001, i64::MAX, i64::MIN].map(|nano| NanoUsd(nano).exact_dollars());
        let expected = [
            "0.000000000",
            "0.000000001",
            "-0.000000001",
            "1.000000000",
            "-2.500000001",
            "9223372036.854775807",
            "-9223372036.854775808",
        ];
        assert_eq!(shown, expected);
    }
}
