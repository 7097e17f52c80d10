use std::io;

use super::{Cell, neutral};

/// The rows of an outcome, for a spreadsheet.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// Column names, `snake_case` with the unit last (`cost_nanousd`, `latency_ms`).
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

impl Records {
    /// Records without rows.
    pub fn new<H: Into<String>>(header: impl IntoIterator<Item = H>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// The same with one more row.
    #[must_use]
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }
}

pub(super) fn page(records: &Records) -> io::Result<String> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_record(records.header.iter().map(|name| guarded(name)))?;
    for row in &records.rows {
        writer.write_record(row.iter().map(field))?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Code(text) | Cell::Status(_, text) => guarded(text),
        number => number.raw(),
    }
}

/// `text` that no spreadsheet takes for a formula: a quote stands before what would start one.
///
/// Source: OWASP, "CSV Injection"; leading white space is looked through, because some importers trim it.
pub fn guarded(text: &str) -> String {
    let clean = neutral::text(text);
    let formula = clean.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if formula || text.starts_with(['\t', '\r', '\n']) { format!("'{clean}") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_formulas_but_numbers_stay_numbers() {
        let mut records = Records::new(["text", "number"]);
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "a=b"] {
            records = records.row([text.into(), Cell::score(Some(-0.5))]);
        }
        let page = page(&records).unwrap();
        let texts: Vec<String> = csv::Reader::from_reader(page.as_bytes())
            .records()
            .map(|row| {
                let row = row.unwrap();
                assert_eq!(&row[1], "-0.5");
                row[0].to_owned()
            })
            .collect();
        assert!(texts[..8].iter().all(|text| text.starts_with('\'')), "{texts:?}");
        assert_eq!(texts[8], "a=b");
    }

    #[test]
    fn separators_and_line_breaks_stay_inside_their_field() {
        let page = page(&Records::new(["a"]).row(["x,\"y\"\nz".into()]).row([Cell::Missing])).unwrap();
        assert_eq!(page, "a\n\"x,\"\"y\"\"\nz\"\n\"\"\n");
    }
}
