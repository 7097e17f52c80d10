//! L1: how the outcome of every command is shown: human, JSON, Markdown, JUnit, CSV, HTML.
//!
//! An operation's outcome implements [`Render`]; [`write()`] shows it in one [`Format`]. Texts are hostile until
//! proven otherwise (answers come from models and documents): every text that leaves here has its control
//! characters neutralised once, in one place, and is then escaped for its format.

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($text:expr, $($part:tt)*) => {{
        use std::fmt::Write as _;
        let _ = $text.write_fmt(format_args!($($part)*));
    }};
}

mod cell;
mod chart;
mod csv;
mod diff;
mod document;
mod escape;
mod file;
mod format;
mod html;
mod human;
mod inline;
mod json;
mod junit;
mod markdown;
mod neutral;
#[cfg(test)]
mod sample;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub use cell::{Cell, Status};
pub use chart::{Axis, Bar, Chart, Marks, Reference, Series};
pub use csv::{Records, guarded};
pub use document::{Block, Document};
pub use file::replace_file;
pub use format::{Format, Style};
pub use json::escape as escape_json;
pub use junit::{CaseResult, TestCase, TestSuite};
pub use table::{Align, Column, Table};

/// An outcome that can be shown.
pub trait Render: serde::Serialize {
    /// Name of its published JSON schema, such as `eval_report`.
    fn schema_name(&self) -> &'static str;

    /// Version of that schema: it grows when a field goes away or changes its meaning.
    fn schema_version(&self) -> u32 {
        1
    }

    /// What a person reads; human, Markdown and HTML output are drawn from it.
    fn document(&self) -> Document;

    /// Its rows, for CSV; `None` when it has no natural rows.
    fn records(&self) -> Option<Records> {
        None
    }

    /// Its checks, for JUnit; `None` when nothing in it passes or fails.
    fn junit(&self) -> Option<Vec<TestSuite>> {
        None
    }
}

/// Why an outcome could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The outcome has no such form.
    #[error("`{schema}` cannot be written as {format}")]
    FormatUnsupported {
        /// The format asked for.
        format: Format,
        /// The outcome's schema name.
        schema: &'static str,
    },
    /// The outcome does not serialize: a defect of its type, such as a map whose keys are not strings.
    #[error("`{schema}` cannot be serialized")]
    Unserializable {
        /// The outcome's schema name.
        schema: &'static str,
        /// What serde says.
        source: serde_json::Error,
    },
    /// Writing failed.
    #[error("the report could not be written")]
    Io(#[from] io::Error),
}

/// Writes `outcome` to `out`; the text ends with a newline. `style` matters to [`Format::Human`] only.
///
/// Nothing is written when the format is unsupported.
pub fn write<R: Render + ?Sized>(
    outcome: &R,
    format: Format,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let schema = outcome.schema_name();
    let unsupported = ReportError::FormatUnsupported { format, schema };
    let text = match format {
        Format::Human => human::page(&outcome.document().neutralised(), style),
        Format::Markdown => markdown::page(&outcome.document().neutralised()),
        Format::Html => html::page(&outcome.document().neutralised(), schema),
        Format::Json => json::page(outcome).map_err(|source| ReportError::Unserializable { schema, source })?,
        Format::Csv => csv::page(&outcome.records().ok_or(unsupported)?)?,
        Format::Junit => junit::page(&outcome.junit().ok_or(unsupported)?),
    };
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
