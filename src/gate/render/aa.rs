use super::settle::day;
use super::words::{counted, percent, plural};
use crate::gate::aa_outcome::{AaReport, CaseNoise};
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};

/// A gate that fails unchanged releases more often than this is worth a look.
const ACCEPTED: f64 = 0.03;
/// Noisy cases that a person is shown; CSV and JSON have them all.
const CASES_SHOWN: usize = 20;

impl Render for AaReport {
    fn schema_name(&self) -> &'static str {
        "gate_aa"
    }

    fn document(&self) -> Document {
        let (status, line) = self.headline();
        let mut document =
            Document::new(format!("gate aa {}: release {}", self.gold_set, self.release)).verdict(status, line);
        if self.rounds > 0 {
            document = document.table(self.rounds_table());
        }
        document = self.add_noise(document);
        document = document.heading(2, "To repeat it").facts([
            (
                "release",
                Cell::Text(format!("{} {}, {} cases", self.release, self.release_hash.short(), counted(self.cases))),
            ),
            ("run", Cell::Code(self.run.to_string())),
            ("repeats", Cell::Text(format!("{} of each case, divided into halves", self.repeats))),
            ("seed", Cell::Text(self.seed.to_string())),
        ]);
        self.notes.iter().fold(document, |document, note| document.note(note.clone()))
    }

    /// A row for each case.
    fn records(&self) -> Option<Records> {
        let header = ["case", "repeats", "mean", "sd", "flips", "quarantined_until"];
        Some(self.noise.iter().fold(Records::new(header), |records, case| {
            records.row([
                Cell::Code(case.case.clone()),
                Cell::count(case.repeats as usize),
                Cell::score(Some(case.mean)),
                Cell::score(Some(case.sd)),
                Cell::from(if case.flips { "yes" } else { "no" }),
                case.quarantined_until.clone().into(),
            ])
        }))
    }
}

impl AaReport {
    fn headline(&self) -> (Status, String) {
        if self.deterministic {
            let line = "every repeat of every case was the same: nothing is noisy here, and what moves has changed";
            return (Status::Good, line.to_owned());
        }
        let Some(rate) = self.false_fail_rate else {
            return (Status::Warn, "no round was simulated: how often the gate errs is unknown".to_owned());
        };
        let share = |share: f64| format!("{:.1}%", share * 100.0);
        let interval = self.interval.map(|it| {
            let (level, lower, upper) = (percent(0.95), share(it.lower), share(it.upper));
            format!(" ({level} interval {lower} to {upper})")
        });
        let line = format!(
            "the gate would fail a release that changed nothing {} of the time{}",
            share(rate),
            interval.unwrap_or_default()
        );
        (if rate <= ACCEPTED { Status::Good } else { Status::Warn }, line)
    }

    fn rounds_table(&self) -> Table {
        let columns = ["passed", "inconclusive", "failed", "score varies by (sd)"].map(Column::number);
        Table::new(format!("{} without a change", plural(self.rounds, "gate", "gates")), columns).row([
            Cell::count(self.passes as usize),
            Cell::count(self.inconclusive as usize),
            Cell::count(self.false_fails as usize),
            Cell::Number { value: self.score_sd, decimals: 4, unit: "" },
        ])
    }

    fn add_noise(&self, document: Document) -> Document {
        let noisy: Vec<&CaseNoise> = self.noise.iter().filter(|case| case.sd > 0.0 || case.flips).collect();
        if noisy.is_empty() {
            return document;
        }
        let flips = noisy.iter().filter(|case| case.flips).count() as u64;
        let columns = [
            Column::text("case"),
            Column::number("repeats"),
            Column::number("mean"),
            Column::number("sd"),
            Column::text(""),
            Column::text("quarantine"),
        ];
        let table = noisy.iter().take(CASES_SHOWN).fold(Table::new("", columns), |table, case| {
            let flips = if case.flips { (Status::Warn, "flips") } else { (Status::Neutral, "varies") };
            let until = case.quarantined_until.as_deref().map(|until| format!("until {}", day(until)));
            table.row([
                Cell::Code(case.case.clone()),
                Cell::count(case.repeats as usize),
                Cell::score(Some(case.mean)),
                Cell::score(Some(case.sd)),
                Cell::Status(flips.0, flips.1.to_owned()),
                until.into(),
            ])
        });
        let vary = plural(noisy.len() as u64, "case varies", "cases vary");
        let document = document
            .heading(2, "Noise")
            .text(format!("{vary} from repeat to repeat; {} between pass and fail.", counted(flips)))
            .table(table);
        match noisy.len().saturating_sub(CASES_SHOWN) as u64 {
            0 => document,
            more => document.text(format!("{} less.", plural(more, "more case varies", "more cases vary"))),
        }
    }
}
