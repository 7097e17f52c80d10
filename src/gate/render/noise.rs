use super::settle::day;
use super::words::{counted, plural};
use crate::gate::noise_outcome::{FlakyCase, NoiseList};
use crate::report::{Cell, Column, Document, Records, Render, Table};

impl Render for NoiseList {
    fn schema_name(&self) -> &'static str {
        "flaky_cases"
    }

    fn document(&self) -> Document {
        let document = Document::new(format!("flaky cases of {}", self.gold_set));
        if self.cases.is_empty() {
            return document.text(
                "No case is known to be flaky. Only runs that ask each case more than once (`--repeats`) can tell.",
            );
        }
        let held = self.cases.iter().filter(|case| case.is_held()).count() as u64;
        let known = plural(self.cases.len() as u64, "case is", "cases are");
        let columns = [
            Column::text("case"),
            Column::text("disagreed in"),
            Column::text("last"),
            Column::text("quarantine"),
            Column::text("why"),
        ];
        let table = self.cases.iter().fold(Table::new("", columns), |table, case| {
            table.row([
                Cell::Code(case.case.clone()),
                Cell::Text(format!("{} of {} runs", counted(case.flipped_runs), counted(case.runs))),
                Cell::Text(day(&case.last_seen).to_owned()),
                case.quarantine(),
                Cell::from(case.reason.clone()),
            ])
        });
        document.text(format!("{known} known to be flaky, {} in quarantine now.", counted(held))).table(table)
    }

    /// A row for each case.
    fn records(&self) -> Option<Records> {
        let header =
            ["case", "first_seen", "last_seen", "runs", "flipped_runs", "quarantined_until", "expired", "reason"];
        Some(self.cases.iter().fold(Records::new(header), |records, case| {
            records.row([
                Cell::Code(case.case.clone()),
                case.first_seen.clone().into(),
                case.last_seen.clone().into(),
                Cell::count(case.runs as usize),
                Cell::count(case.flipped_runs as usize),
                case.quarantined_until.clone().into(),
                Cell::from(if case.expired { "yes" } else { "no" }),
                case.reason.clone().into(),
            ])
        }))
    }
}

impl FlakyCase {
    fn is_held(&self) -> bool {
        self.quarantined_until.is_some() && !self.expired
    }

    fn quarantine(&self) -> Cell {
        match self.quarantined_until.as_deref().map(day) {
            None => Cell::Missing,
            Some(until) if self.expired => format!("over ({until})").into(),
            Some(until) => format!("until {until}").into(),
        }
    }
}
