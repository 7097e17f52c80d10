//! The booked charges as a file for other tools, written while they are read: memory does not grow with their number.

mod field;
mod focus;
#[cfg(test)]
mod focus_tests;
mod ledger_rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use jiff::Timestamp;

use crate::domain::{CallId, NanoUsd, rfc3339};
use crate::report;
use crate::store::{Charge, ChargeState};
use field::{Column, Record, Row};

/// How charges are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Every field of a charge, for a spreadsheet.
    Csv,
    /// The same as one JSON object with the array `rows`.
    Json,
    /// CSV with the columns of the FinOps Open Cost and Usage Specification 1.2, then our own with the prefix `x_`.
    Focus,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::Focus];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Focus => "focus",
        }
    }
}

/// What an export says beside its charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFacts {
    /// The project's name: the account that is billed.
    pub project: String,
    /// The first moment of the export.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Who bills for a provider of the project, by the provider's name; one that is not listed bills by its own name.
    pub vendors: BTreeMap<String, String>,
    /// Whether released reservations get a row too; they cost nothing.
    pub voided: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportSummary {
    /// Number of rows.
    pub rows: u64,
    /// The sum of their charges.
    pub sum: NanoUsd,
    /// Reservations that are not settled yet; they have no row.
    pub open: u64,
    /// What these hold.
    pub open_reserved: NanoUsd,
    /// Reservations that were released, with or without a row.
    pub voided: u64,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Writing failed.
    #[error("the export could not be written")]
    Io(#[from] io::Error),
    /// The sum is beyond the range of an amount.
    #[error("with call `{call}` the sum of the export leaves the range of amounts")]
    SumTooLarge {
        /// The charge's call.
        call: CallId,
    },
}

impl From<csv::Error> for ExportError {
    fn from(error: csv::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Io(error.into())
    }
}

/// Writes charges one at a time. What was written is complete only after [`Exporter::finish`].
pub struct Exporter<W: Write> {
    sink: Sink<W>,
    facts: ExportFacts,
    summary: ExportSummary,
}

enum Sink<W: Write> {
    Csv { out: Box<csv::Writer<W>>, columns: &'static [Column] },
    Json(BufWriter<W>),
}

impl<W: Write> Exporter<W> {
    /// Starts an export: what stands before the first row is written.
    ///
    /// # Errors
    /// When `out` refuses it.
    pub fn new(out: W, format: ExportFormat, facts: ExportFacts) -> Result<Self, ExportError> {
        let sink = match format {
            ExportFormat::Csv => Sink::table(out, ledger_rows::COLUMNS)?,
            ExportFormat::Focus => Sink::table(out, focus::COLUMNS)?,
            ExportFormat::Json => {
                let mut out = BufWriter::new(out);
                let (from, until) = (rfc3339(facts.from), rfc3339(facts.until));
                write!(out, r#"{{"schema":"ledger_export/v1","from":"{from}","until":"{until}","rows":["#)?;
                Sink::Json(out)
            }
        };
        Ok(Self { sink, facts, summary: ExportSummary::default() })
    }

    /// Writes the row of a booked charge; counts one that is open or voided.
    ///
    /// # Errors
    /// When the row cannot be written, or the sum leaves the range of an amount.
    pub fn charge(&mut self, charge: &Charge) -> Result<(), ExportError> {
        let too_large = || ExportError::SumTooLarge { call: charge.call };
        let summary = &mut self.summary;
        match charge.state {
            ChargeState::Open => {
                summary.open += 1;
                summary.open_reserved = summary.open_reserved.checked_add(charge.reserved).ok_or_else(too_large)?;
                return Ok(());
            }
            ChargeState::Voided => {
                summary.voided += 1;
                if !self.facts.voided {
                    return Ok(());
                }
            }
            ChargeState::Settled | ChargeState::Estimated | ChargeState::WorstCase => {}
        }
        summary.sum = summary.sum.checked_add(charge.charged).ok_or_else(too_large)?;
        let is_first = summary.rows == 0;
        summary.rows += 1;
        let row = Row { charge, facts: &self.facts };
        match &mut self.sink {
            Sink::Csv { out, columns } => {
                for (_, value) in *columns {
                    out.write_field(value(&row).cell().as_bytes())?;
                }
                out.write_record(None::<&[u8]>)?;
            }
            Sink::Json(out) => {
                let record = serde_json::to_string(&Record { columns: ledger_rows::COLUMNS, row })?;
                write!(out, "{}\n{}", if is_first { "" } else { "," }, report::escape_json(&record))?;
            }
        }
        Ok(())
    }

    /// Ends the export: what stands behind the last row is written, and all of it handed on.
    ///
    /// # Errors
    /// When `out` refuses it.
    pub fn finish(self) -> Result<ExportSummary, ExportError> {
        let ExportSummary { rows, sum, open, open_reserved, voided } = self.summary;
        match self.sink {
            Sink::Csv { mut out, .. } => out.flush()?,
            Sink::Json(mut out) => {
                write!(out, "\n],\"row_count\":{rows},\"sum_nanousd\":{},", sum.0)?;
                write!(out, "\"open\":{open},\"open_reserved_nanousd\":{},", open_reserved.0)?;
                writeln!(out, "\"voided\":{voided}}}")?;
                out.flush()?;
            }
        }
        Ok(self.summary)
    }
}

impl<W: Write> Sink<W> {
    fn table(out: W, columns: &'static [Column]) -> Result<Self, ExportError> {
        let mut out = Box::new(csv::Writer::from_writer(out));
        out.write_record(columns.iter().map(|(name, _)| name))?;
        Ok(Self::Csv { out, columns })
    }
}
