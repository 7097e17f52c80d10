use super::Proposal;
use crate::domain::NanoUsd;
use crate::report::{Cell, Document, Records};
use crate::stats::{Interval, MeanEstimate};

/// A difference of scores with its interval, as `+0.012 [-0.003, +0.027]`.
pub(super) fn signed(mean: Option<&MeanEstimate>) -> String {
    let Some(mean) = mean else { return "–".to_owned() };
    let interval = mean
        .interval
        .map_or_else(String::new, |interval| format!(" [{}, {}]", sign(interval.lower, 3), sign(interval.upper, 3)));
    format!("{}{interval}", sign(mean.estimate, 3))
}

/// A number that shows its sign, unless it rounds to zero.
pub(super) fn sign(value: f64, decimals: usize) -> String {
    let shown = format!("{value:+.decimals$}");
    if shown.chars().all(|c| matches!(c, '+' | '-' | '0' | '.')) {
        shown.trim_start_matches(['+', '-']).to_owned()
    } else {
        shown
    }
}

/// A relative change in percent with its interval, as `+31.2% [+18.0%, +45.1%]`; `–` when it is unknown.
pub(super) fn relative(change: Option<f64>, interval: Option<Interval>) -> String {
    let percent = |share: f64| {
        if share.is_finite() { format!("{}%", sign(share * 100.0, 1)) } else { "no end".to_owned() }
    };
    let Some(change) = change else { return "–".to_owned() };
    let interval = interval
        .map_or_else(String::new, |interval| format!(" [{}, {}]", percent(interval.lower), percent(interval.upper)));
    format!("{}{interval}", percent(change))
}

/// A share of a cost that is saved, in words.
pub(super) fn saved(share: Option<f64>) -> String {
    match share {
        None => "an unknown cost".to_owned(),
        Some(share) if share < 0.0 => format!("{:.1}% more", -share * 100.0),
        Some(share) => format!("{:.1}% less", share * 100.0),
    }
}

/// What a thousand questions cost that cost this each.
pub(super) fn a_thousand(each: Option<NanoUsd>) -> Option<NanoUsd> {
    each.map(|each| NanoUsd(each.0.saturating_mul(1_000)))
}

/// The proposed migration, or nothing.
pub(super) fn proposal(document: Document, proposal: Option<&Proposal>) -> Document {
    let Some(proposal) = proposal else { return document };
    let path = format!("prompts/{}", proposal.path.display());
    let document = document.heading(2, "Proposed migration").code("toml", proposal.text.clone());
    if proposal.written {
        document.note(format!(
            "written to {path}, and not applied: `tollgate gate` judges it, `tollgate migrate up` applies it"
        ))
    } else {
        document.note(format!("not written; without `--no-write` it would be {path}"))
    }
}

/// A number as CSV has it.
pub(super) fn plain(value: Option<f64>) -> Cell {
    Cell::Number { value, decimals: 6, unit: "" }
}

/// The columns of an interval around a number, for CSV.
pub(super) fn interval_cells(interval: Option<Interval>) -> [Cell; 2] {
    [plain(interval.map(|interval| interval.lower)), plain(interval.map(|interval| interval.upper))]
}

/// Rows with this header.
pub(super) fn rows<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = Vec<Cell>>) -> Records {
    rows.into_iter().fold(Records::new(header), Records::row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_carry_their_sign_unless_they_round_to_nothing() {
        assert_eq!([0.0123, -0.0123, -0.0001].map(|value| sign(value, 3)), ["+0.012", "-0.012", "0.000"]);
        let interval = Interval { lower: -0.01, upper: f64::INFINITY };
        assert_eq!(relative(Some(0.312), Some(interval)), "+31.2% [-1.0%, no end]");
        assert_eq!(relative(None, Some(interval)), "–");
        assert_eq!([saved(Some(0.251)), saved(Some(-0.1))], ["25.1% less", "10.0% more"]);
    }
}
