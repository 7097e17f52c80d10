use super::{LeftOutReason, RepriceReport, Repriced, RepricedGroup};
use crate::domain::NanoUsd;
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};

impl Render for RepriceReport {
    fn schema_name(&self) -> &'static str {
        "reprice_report"
    }

    fn document(&self) -> Document {
        let (status, answer) = self.answer();
        let mut document = Document::new("reprice").verdict(status, answer);
        if self.open > 0 {
            document = document.note(format!(
                "{} {} not settled yet and not counted.",
                counted(self.open, "reservation"),
                if self.open == 1 { "is" } else { "are" }
            ));
        }
        let (Some(first), Some(last)) = (&self.first_call, &self.last_call) else { return document };
        document = document.facts([
            ("prices", self.prices.clone()),
            ("first call", first.clone()),
            ("last call", last.clone()),
        ]);
        if self.total.compared_calls > 0 {
            document = document.heading(2, "By model").table(self.table("model", &self.by_model, true));
            if self.by_month.len() > 1 {
                document = document.heading(2, "By month").table(self.table("month", &self.by_month, false));
            }
        }
        if self.left_out.is_empty() {
            document
        } else {
            document.heading(2, "Not compared").table(self.left_out_table())
        }
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "by",
            "name",
            "calls",
            "booked_nanousd",
            "compared_calls",
            "input_tokens",
            "output_tokens",
            "compared_nanousd",
            "repriced_nanousd",
            "difference_nanousd",
            "change_percent",
            "left_out_calls",
            "left_out_nanousd",
        ];
        let row = |by: &str, name: &str, sums: &Repriced| {
            let mut cells = vec![Cell::from(by), Cell::from(name)];
            cells.extend(record(sums));
            cells
        };
        let mut records = Records::new(header);
        for (by, groups) in [("model", &self.by_model), ("month", &self.by_month)] {
            records = groups.iter().fold(records, |records, group| records.row(row(by, &group.name, &group.calls)));
        }
        Some(records.row(row("total", "", &self.total)))
    }
}

impl RepriceReport {
    /// What it came to, in a line or two.
    pub(super) fn answer(&self) -> (Status, String) {
        let total = &self.total;
        let calls = counted(total.calls, "booked call");
        let (Some(repriced), Some(difference)) = (total.repriced_nanousd, total.difference_nanousd) else {
            return match total.calls {
                0 => (Status::Neutral, "there are no booked calls to reprice".to_owned()),
                _ => (Status::Warn, format!("none of {calls} ({}) can be repriced", total.booked_nanousd)),
            };
        };
        let change = total.change_percent.map_or_else(String::new, |percent| format!(" ({percent:+.1}%)"));
        let change = match difference.0 {
            0 => "no difference".to_owned(),
            _ => format!("{}{change}", signed(difference)),
        };
        let compared = format!("{repriced} instead of {}: {change}", total.compared_nanousd);
        if total.left_out_calls == 0 {
            return (Status::Neutral, format!("{calls} would have cost {compared}"));
        }
        let left_out =
            format!("{} with a booked cost of {} not compared", total.left_out_calls, total.left_out_nanousd);
        let of = format!("{} of {calls} would have cost {compared}", total.compared_calls);
        (Status::Warn, format!("{of}; {left_out}"))
    }

    fn table(&self, name: &str, groups: &[RepricedGroup], has_total: bool) -> Table {
        let columns = ["calls", "tokens", "booked", "repriced", "difference", "change"].map(Column::number);
        let table = Table::new("", [Column::text(name)].into_iter().chain(columns));
        let table = groups.iter().fold(table, |table, group| table.row(line(&group.name, &group.calls)));
        if has_total && groups.len() > 1 { table.row(line("total", &self.total)) } else { table }
    }

    fn left_out_table(&self) -> Table {
        let columns =
            [Column::text("model"), Column::text("because"), Column::number("calls"), Column::number("booked")];
        self.left_out.iter().fold(Table::new("", columns), |table, part| {
            let because = match part.reason {
                LeftOutReason::UnknownUsage => "its tokens are not known",
                LeftOutReason::UnknownPrice => "the other prices do not have it",
                LeftOutReason::CostTooLarge => "its cost is beyond any amount",
            };
            table.row([part.model.clone().into(), because.into(), count(part.calls), part.booked_nanousd.into()])
        })
    }
}

/// A group as people see it: only the calls that are compared, so that the amounts of a line fit together.
fn line(name: &str, sums: &Repriced) -> [Cell; 7] {
    let is_compared = sums.compared_calls > 0;
    [
        name.into(),
        count(sums.compared_calls),
        is_compared.then(|| count(sums.input_tokens.saturating_add(sums.output_tokens))).into(),
        is_compared.then_some(sums.compared_nanousd).into(),
        sums.repriced_nanousd.into(),
        sums.difference_nanousd.map(signed).into(),
        Cell::Change { value: sums.change_percent, decimals: 1, unit: "%" },
    ]
}

fn record(sums: &Repriced) -> [Cell; 11] {
    [
        count(sums.calls),
        sums.booked_nanousd.into(),
        count(sums.compared_calls),
        count(sums.input_tokens),
        count(sums.output_tokens),
        sums.compared_nanousd.into(),
        sums.repriced_nanousd.into(),
        sums.difference_nanousd.into(),
        Cell::Change { value: sums.change_percent, decimals: 6, unit: "%" },
        count(sums.left_out_calls),
        sums.left_out_nanousd.into(),
    ]
}

fn count(count: u64) -> Cell {
    Cell::Number { value: Some(count as f64), decimals: 0, unit: "" }
}

/// `1 call`, `2 calls`.
fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// An amount that always shows its sign.
fn signed(amount: NanoUsd) -> String {
    if amount.0 > 0 { format!("+{amount}") } else { amount.to_string() }
}
