use crate::domain::NanoUsd;
use crate::gate::outcome::{MetricReport, MetricUnit};
use crate::report::Cell;
use crate::stats::Interval;

/// What stands where nothing is known.
pub(super) const MISSING: &str = "–";

/// A share in percent without needless decimals: `95%`, `99.17%`.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A count with commas between thousands, from 10,000 on.
pub(super) fn counted(count: u64) -> String {
    let digits = count.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 case`, `2 cases`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", counted(count), if count == 1 { one } else { many })
}

/// A sentence to go on from.
pub(super) fn sentence(text: &str) -> &str {
    text.trim().trim_end_matches('.')
}

/// A number with its sign; zero has none.
pub(super) fn signed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return MISSING.to_owned();
    }
    let text = format!("{value:+.decimals$}");
    if text.contains(|c: char| c.is_ascii_digit() && c != '0') {
        text
    } else {
        text.trim_start_matches(['+', '-']).to_owned()
    }
}

/// A p-value.
pub(super) fn chance(p: Option<f64>) -> Cell {
    match p {
        Some(p) if p < 0.001 => "<0.001".into(),
        p => Cell::score(p),
    }
}

/// `score 0.412 → 0.433 (+0.021, 95% interval -0.004 to +0.047)`
pub(super) fn movement(metric: &MetricReport) -> String {
    let unit = metric.unit;
    let name = &metric.name;
    let Some((before, after)) = metric.baseline.zip(metric.candidate) else {
        return format!("{name} cannot be compared");
    };
    let (before, after) = (unit.text(before), unit.text(after));
    let change = match (metric.effect, metric.interval) {
        (Some(effect), Some(interval)) => {
            let confidence = percent(metric.confidence);
            format!(" ({}, {confidence} interval {})", unit.moved(effect), unit.range_text(interval))
        }
        (Some(effect), None) => format!(" ({}, without an interval)", unit.moved(effect)),
        (None, _) => String::new(),
    };
    format!("{name} {before} → {after}{change}")
}

impl MetricUnit {
    /// A value of a metric.
    pub(super) fn value(self, value: Option<f64>) -> Cell {
        match self {
            Self::Score => Cell::score(value),
            Self::Share => Cell::Percent(value),
            Self::Ms => Cell::Ms(value),
            Self::Nanousd => Cell::Money(value.filter(|value| value.is_finite()).map(dollars)),
        }
    }

    /// The same in a sentence.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Score => format!("{value:.3}"),
            Self::Share => format!("{:.1}%", value * 100.0),
            Self::Ms => format!("{value:.0} ms"),
            Self::Nanousd => dollars(value).to_string(),
        }
    }

    /// A change: score points, percentage points, or a share of what it was.
    pub(super) fn change(self, effect: f64) -> String {
        match self {
            Self::Score => signed(effect, 3),
            Self::Share => signed(effect * 100.0, 1) + " pp",
            Self::Ms | Self::Nanousd => signed(effect * 100.0, 1) + "%",
        }
    }

    /// A change, which for cost and latency says whether it is one for the worse.
    pub(super) fn moved(self, effect: f64) -> String {
        let change = self.change(effect);
        match (self.more_is_better(), change.chars().next()) {
            (false, Some('+')) => change + " worse",
            (false, Some('-')) => change + " better",
            _ => change,
        }
    }

    /// A size in the unit of changes.
    pub(super) fn amount(self, size: f64) -> String {
        self.change(size).trim_start_matches('+').to_owned()
    }

    /// An interval of changes, for a table: it breaks into two halves where a column is narrow.
    pub(super) fn range(self, interval: Interval) -> String {
        let (lower, upper) = self.ends(interval);
        format!("[{lower}, {upper}]")
    }

    /// The same in a sentence.
    fn range_text(self, interval: Interval) -> String {
        let (lower, upper) = self.ends(interval);
        format!("{lower} to {upper}")
    }

    /// Both ends; one unit is enough for the two.
    fn ends(self, interval: Interval) -> (String, String) {
        let (lower, upper) = (self.change(interval.lower), self.change(interval.upper));
        (lower.trim_end_matches(" pp").to_owned(), upper)
    }
}

fn dollars(nano: f64) -> NanoUsd {
    NanoUsd(nano.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_says_which_way_is_worse() {
        assert_eq!(MetricUnit::Nanousd.moved(0.12), "+12.0% worse");
        assert_eq!(MetricUnit::Ms.moved(-0.031), "-3.1% better");
        assert_eq!(MetricUnit::Ms.moved(-0.000_1), "0.0%");
        assert_eq!(MetricUnit::Score.moved(-0.021), "-0.021");
        assert_eq!(MetricUnit::Share.range(Interval { lower: -0.004, upper: 0.047 }), "[-0.4, +4.7 pp]");
        assert_eq!(MetricUnit::Score.amount(0.02), "0.020");
    }

    #[test]
    fn percentages_have_no_needless_decimals() {
        assert_eq!([percent(0.95), percent(0.991_67), percent(1.0)], ["95%", "99.17%", "100%"]);
        assert_eq!([counted(9_999), counted(1_234_567)], ["9999", "1,234,567"]);
    }
}
