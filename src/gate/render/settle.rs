use super::words::{counted, percent, plural, signed};
use crate::domain::{NanoUsd, Verdict};
use crate::gate::outcome::{EscalationReport, GateReport, JudgeStanding, NeededEvidence};
use crate::report::{Cell, Column, Document, Table};

/// Nano-dollars of a cent.
const CENT: u64 = 10_000_000;

impl GateReport {
    /// The command among the next ones that buys the missing evidence.
    pub(super) fn escalate_command(&self) -> Option<&str> {
        let command = self.next.iter().find(|command| command.contains("--escalate"));
        command.filter(|_| self.needed.is_some()).map(String::as_str)
    }

    pub(super) fn add_needed(&self, document: Document) -> Document {
        let Some(needed) = &self.needed else { return document };
        let repeats = needed.repeats.map_or_else(
            || "no number of repeats would do, or one repeat cannot tell".to_owned(),
            |repeats| {
                let now = self.baseline.repeats.min(self.candidate.repeats);
                format!("{} of each case on each side (now {now}), {}", counted(repeats.into()), needed.price())
            },
        );
        let cases = needed.cases.map_or_else(
            || "no number of cases would do".to_owned(),
            |cases| format!("about {} in all (now {})", counted(cases), counted(self.paired)),
        );
        let document = document.heading(2, "What would settle it").facts([
            ("what is open", Cell::Code(needed.metric.clone())),
            ("either repeats", Cell::Text(repeats)),
            ("or more cases", Cell::Text(cases)),
        ]);
        if self.escalation.is_some() {
            return document;
        }
        let how = "asks the cases that differ again, and stops as soon as it is settled or the money is spent";
        match self.escalate_command() {
            Some(command) => document.text(format!("`--escalate` {how}:")).code("sh", command),
            None => document.text(format!("`--escalate --max-cost {}` {how}.", needed.limit())),
        }
    }

    pub(super) fn add_escalation(&self, document: Document) -> Document {
        match &self.escalation {
            Some(escalation) => document.heading(2, "Escalation").facts(escalation.facts()),
            None => document,
        }
    }

    pub(super) fn add_judge(&self, document: Document) -> Document {
        match &self.judge {
            Some(judge) => {
                let document = document.heading(2, "Judge").facts(judge.facts());
                if judge.trusted { document } else { document.text(judge.advice()) }
            }
            None => document,
        }
    }

    pub(super) fn add_quarantined(&self, document: Document) -> Document {
        if self.quarantined.is_empty() {
            return document;
        }
        let columns = [Column::text("case"), Column::text("until"), Column::text("its repeats"), Column::text("why")];
        let table = self.quarantined.iter().fold(Table::new("", columns), |table, case| {
            table.row([
                Cell::Code(case.case.clone()),
                Cell::Text(day(&case.until).to_owned()),
                Cell::Text(format!("disagreed in {} of {} runs", counted(case.flipped_runs), counted(case.runs))),
                case.reason.clone().into(),
            ])
        });
        document
            .heading(2, "Quarantine")
            .text("Known to be flaky: these cases count in the score, but their flips do not fail the gate.")
            .table(table)
    }
}

/// What is missing, in half a sentence.
pub(super) fn in_short(needed: &NeededEvidence) -> String {
    match (needed.repeats, needed.cases) {
        (Some(repeats), _) => {
            let repeats = plural(repeats.into(), "repeat", "repeats");
            format!("{repeats} of each case would settle `{}`, {}", needed.metric, needed.price())
        }
        (None, Some(cases)) => format!("about {} would settle `{}`", plural(cases, "case", "cases"), needed.metric),
        (None, None) => format!("no amount of evidence would settle `{}` as it stands", needed.metric),
    }
}

impl NeededEvidence {
    fn price(&self) -> String {
        match self.repeats_cost_nanousd {
            Some(NanoUsd::ZERO) => "at no cost".to_owned(),
            Some(cost) => format!("for {cost} more"),
            None => "at a cost that is unknown".to_owned(),
        }
    }

    /// A limit that covers the repeats, in whole cents.
    fn limit(&self) -> String {
        let known = self.repeats_cost_nanousd.map(|NanoUsd(nano)| nano.max(1).unsigned_abs().div_ceil(CENT));
        known.map_or_else(|| "USD".to_owned(), |cents| format!("{}.{:02}", cents / 100, cents % 100))
    }
}

impl EscalationReport {
    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let came = match self.outcome {
            Verdict::Pass => "settled: not worse",
            Verdict::Fail => "settled: worse",
            Verdict::Inconclusive => "not settled",
        };
        let evidence = |value: f64| Cell::Text(format!("{} of {} needed", size(value), size(self.needed)));
        let bought = format!(
            "{} for {}, looked at {}",
            plural(self.pairs, "pair of answers", "pairs of answers"),
            plural(self.cases, "case that differed", "cases that differed"),
            plural(self.looks, "time", "times")
        );
        let effect = self.effect.map_or(Cell::Missing, |effect| Cell::Text(signed(effect, 3)));
        vec![
            ("outcome", Cell::Status(self.outcome.into(), format!("{came}; {}", self.ended))),
            ("bought", bought.into()),
            ("cost", Cell::Money(self.cost_nanousd)),
            ("change of the score", effect),
            ("evidence that it is worse", evidence(self.e_worse)),
            ("evidence that it is not", evidence(self.e_not_worse)),
        ]
    }
}

/// An e-value to read: large ones only by their size.
fn size(value: f64) -> String {
    match value {
        value if !value.is_finite() => super::words::MISSING.to_owned(),
        value if value >= 10_000.0 => format!("{value:.0e}"),
        value if value >= 100.0 => format!("{value:.0}"),
        value => {
            let text = format!("{value:.2}");
            text.strip_suffix(".00").unwrap_or(&text).to_owned()
        }
    }
}

impl JudgeStanding {
    fn advice(&self) -> &'static str {
        match self.kappa {
            None => "`tollgate judge calibrate LABELS.csv` holds it against answers that people have labelled.",
            Some(_) => {
                "The judge is at fault: mend its prompt or take another model, then hold it against people's labels \
                 with `tollgate judge calibrate LABELS.csv`."
            }
        }
    }

    fn agreement(&self) -> String {
        let Some(kappa) = self.kappa else { return "never calibrated".to_owned() };
        let interval = self.interval.map(|it| format!("{} {:.2} to {:.2}, ", percent(0.95), it.lower, it.upper));
        let labels = plural(self.labels, "label", "labels");
        format!("{kappa:.2} ({}{labels})", interval.unwrap_or_default())
    }

    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let verdict = if self.trusted { Verdict::Pass } else { Verdict::Inconclusive };
        let standing = if self.trusted { "trusted" } else { "not trusted" };
        vec![
            ("model", format!("{} {}", self.model, self.judge.short()).into()),
            ("kappa with people", format!("{}, {:.2} needed", self.agreement(), self.min_kappa).into()),
            ("standing", Cell::Status(verdict.into(), standing.to_owned())),
        ]
    }
}

/// The day of an RFC 3339 time.
pub(super) fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_an_escalation_covers_its_price() {
        let needed = |cost: Option<i64>| {
            let repeats_cost_nanousd = cost.map(NanoUsd);
            NeededEvidence { metric: "score".into(), cases: None, repeats: Some(3), repeats_cost_nanousd }.limit()
        };
        assert_eq!([needed(Some(52_100_000)), needed(Some(0)), needed(None)], ["0.06", "0.01", "USD"]);
    }

    #[test]
    fn e_values_are_told_by_their_size() {
        assert_eq!([size(20.0), size(3.25), size(123.4), size(1.5e7)], ["20", "3.25", "123", "2e7"]);
    }
}
