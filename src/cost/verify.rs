use jiff::Timestamp;
use serde::Serialize;

use super::Recovered;
use crate::domain::{NanoUsd, Period, Verdict, rfc3339};
use crate::report::{CaseResult, Cell, Column, Document, Records, Render, Status, Table, TestCase, TestSuite};
use crate::store::LedgerCheck;

/// Whether the ledger's rows, its counters and the stored calls agree.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LedgerReport {
    /// Whether they do.
    pub verdict: Verdict,
    /// Reservations in all.
    pub reservations: u64,
    /// Of these, not ended: calls under way.
    pub open: u64,
    /// Reservations that have ended.
    pub settlements: u64,
    /// The sum of all that is booked.
    pub booked_nanousd: NanoUsd,
    /// Of this, what was estimated or booked at its worst case.
    pub uncertain_nanousd: NanoUsd,
    /// Bookings above what was held for the call.
    pub overruns: u64,
    /// Reservations that a process left open that is gone, released now.
    pub released: u64,
    /// The same, booked now at their worst case, since they had been sent.
    pub booked_at_worst_case: u64,
    /// Counters compared with the rows.
    pub counters: u64,
    /// Whether counters that did not agree were set right.
    pub repaired: bool,
    /// When the last reservation was made, RFC 3339; later than now when the clock has gone back.
    pub last_at: Option<String>,
    /// How far the clock is behind the ledger.
    pub clock_behind_ms: Option<i64>,
    /// What does not agree.
    pub problems: Vec<LedgerProblem>,
}

/// Something in the ledger that does not agree.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LedgerProblem {
    /// What.
    pub what: String,
    /// For a counter: what it says is held, and what the rows say.
    pub reserved_nanousd: Option<[NanoUsd; 2]>,
    /// For a counter: what it says is booked, and what the rows say.
    pub spent_nanousd: Option<[NanoUsd; 2]>,
}

impl LedgerReport {
    /// What a check found.
    pub fn new(check: &LedgerCheck, recovered: Recovered, repaired: bool, now: Timestamp) -> Self {
        let plain = |count: u64, what: &str| {
            (count > 0).then(|| LedgerProblem {
                what: format!("{count} {what}"),
                reserved_nanousd: None,
                spent_nanousd: None,
            })
        };
        let mut problems: Vec<LedgerProblem> = [
            plain(check.astray, "reservations or settlements have no counterpart"),
            plain(check.calls_that_differ, "calls are stored with another cost than the ledger booked for them"),
            plain(check.calls_missing, "settled reservations have no stored call"),
        ]
        .into_iter()
        .flatten()
        .collect();
        for (stored, right) in &check.counters {
            let day = |time: Timestamp| rfc3339(time).get(..10).unwrap_or_default().to_owned();
            let window = match stored.period {
                Period::Lifetime => "lifetime".to_owned(),
                period => format!("{} from {}", period.as_str(), day(stored.window.starts)),
            };
            problems.push(LedgerProblem {
                what: format!("the counter of {}, {window}, does not agree with the rows", stored.scope),
                reserved_nanousd: Some([stored.reserved, right.reserved]),
                spent_nanousd: Some([stored.spent, right.spent]),
            });
        }
        let behind =
            check.last.map(|last| last.as_millisecond() - now.as_millisecond()).filter(|behind| *behind > 60_000);
        Self {
            verdict: if problems.is_empty() { Verdict::Pass } else { Verdict::Fail },
            reservations: check.reservations,
            open: check.open,
            settlements: check.settlements,
            booked_nanousd: check.booked,
            uncertain_nanousd: check.uncertain,
            overruns: check.overruns,
            released: recovered.released,
            booked_at_worst_case: recovered.booked,
            counters: check.counters_checked,
            repaired: repaired && !check.counters.is_empty(),
            last_at: check.last.map(rfc3339),
            clock_behind_ms: behind,
            problems,
        }
    }
}

/// An amount to the nano-dollar: two that differ have to look different.
fn exact(amount: NanoUsd) -> Cell {
    let dollars = amount.exact_dollars();
    Cell::Text(dollars.strip_prefix('-').map_or_else(|| format!("${dollars}"), |less| format!("-${less}")))
}

impl Render for LedgerReport {
    fn schema_name(&self) -> &'static str {
        "ledger_check"
    }

    fn document(&self) -> Document {
        let document = Document::new("Ledger");
        let mut document = match self.verdict {
            Verdict::Pass => document.verdict(Status::Good, "rows, counters and calls agree"),
            _ if self.repaired => {
                document.verdict(Status::Bad, "they did not agree; the counters are rebuilt from the rows")
            }
            _ => document.verdict(Status::Bad, "they do not agree"),
        };
        document = document.facts([
            ("reservations", Cell::count(self.reservations as usize)),
            ("ended", Cell::count(self.settlements as usize)),
            ("under way", Cell::count(self.open as usize)),
            ("booked", Cell::Money(Some(self.booked_nanousd))),
            ("estimated or worst case", Cell::Money(Some(self.uncertain_nanousd))),
            ("above their reservation", Cell::count(self.overruns as usize)),
            ("counters compared", Cell::count(self.counters as usize)),
        ]);
        if !self.problems.is_empty() {
            let columns = [
                Column::text("what"),
                Column::number("held"),
                Column::number("by the rows"),
                Column::number("booked"),
                Column::number("by the rows"),
            ];
            let money = |pair: Option<[NanoUsd; 2]>, at: usize| {
                pair.and_then(|pair| pair.get(at).copied()).map_or(Cell::Missing, exact)
            };
            let table = self.problems.iter().fold(Table::new("", columns), |table, problem| {
                let (held, booked) = (problem.reserved_nanousd, problem.spent_nanousd);
                table.row([
                    Cell::Text(problem.what.clone()),
                    money(held, 0),
                    money(held, 1),
                    money(booked, 0),
                    money(booked, 1),
                ])
            });
            document = document.heading(2, "What does not agree").table(table);
            if !self.repaired && self.problems.iter().any(|problem| problem.spent_nanousd.is_some()) {
                document = document.note("`tollgate ledger verify --repair` sets counters to what the rows say.");
            }
        }
        if self.released + self.booked_at_worst_case > 0 {
            document = document.note(format!(
                "A process that is gone had left {} calls open: {} were never sent and are released, {} are booked at their \
                 worst case.",
                self.released + self.booked_at_worst_case,
                self.released,
                self.booked_at_worst_case
            ));
        }
        if let (Some(behind), Some(last)) = (self.clock_behind_ms, &self.last_at) {
            document = document.note(format!(
                "The clock is {} s behind the last entry ({last}): it is behind now, or was ahead then. The ledger counts on \
                 from there, so that no period begins twice.",
                behind / 1_000
            ));
        }
        document
    }

    fn records(&self) -> Option<Records> {
        let header = ["what", "reserved_nanousd", "reserved_by_rows_nanousd", "spent_nanousd", "spent_by_rows_nanousd"];
        let money = |pair: Option<[NanoUsd; 2]>, at: usize| Cell::Money(pair.and_then(|pair| pair.get(at).copied()));
        Some(self.problems.iter().fold(Records::new(header), |records, problem| {
            let (held, booked) = (problem.reserved_nanousd, problem.spent_nanousd);
            let what = Cell::Text(problem.what.clone());
            records.row([what, money(held, 0), money(held, 1), money(booked, 0), money(booked, 1)])
        }))
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        let failure = (self.verdict != Verdict::Pass)
            .then(|| self.problems.iter().map(|problem| problem.what.as_str()).collect::<Vec<_>>().join("; "));
        let result = failure.map_or(CaseResult::Passed, |message| CaseResult::Failed { message, text: String::new() });
        let name = "rows, counters and calls agree".to_owned();
        let case = TestCase { name, classname: "ledger".to_owned(), time_s: None, result };
        Some(vec![TestSuite { name: "ledger".to_owned(), properties: Vec::new(), cases: vec![case] }])
    }
}
