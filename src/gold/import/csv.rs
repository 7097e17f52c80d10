use std::path::Path;

use super::collect::{Collector, blank_case};
use super::{Format, ImportError, read_text};
use crate::gold::Case;

/// What a column means.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Column {
    Question,
    Expected,
    Id,
    Tags,
    ExpectedDocs,
    Cluster,
    Critical,
    Weight,
}

impl Column {
    fn of(header: &str) -> Option<Self> {
        let name = header.trim().to_lowercase().replace([' ', '-'], "_");
        Some(match name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_') {
            "question" | "input" | "prompt" | "query" => Self::Question,
            "expected" | "answer" | "output" | "ideal" | "reference" | "expected_answer" | "expected_output"
            | "ground_truth" => Self::Expected,
            "id" | "case_id" => Self::Id,
            "tags" | "tag" | "category" => Self::Tags,
            "expected_docs" | "docs" | "documents" | "expected_documents" => Self::ExpectedDocs,
            "cluster" | "intent" => Self::Cluster,
            "critical" => Self::Critical,
            "weight" => Self::Weight,
            _ => return None,
        })
    }

    /// Whether several columns may mean it.
    fn repeats(self) -> bool {
        matches!(self, Self::Expected | Self::Tags | Self::ExpectedDocs)
    }
}

pub(super) fn read(path: &Path, collector: &mut Collector) -> Result<(), ImportError> {
    let text = read_text(path, Format::Csv)?;
    let mut rows = ::csv::ReaderBuilder::new().flexible(true).delimiter(delimiter(&text)).from_reader(text.as_bytes());
    let malformed = |error: &::csv::Error| ImportError::Malformed {
        path: path.to_owned(),
        format: Format::Csv,
        line: error.position().map_or(1, |position| position.line() as usize),
        column: 1,
        message: error.to_string(),
    };
    let headers = rows.headers().map_err(|error| malformed(&error))?.clone();
    if headers.iter().any(|header| header.trim().starts_with("__expected")) {
        return super::promptfoo::read(path, collector);
    }
    let columns = columns(path, &headers, collector);
    if !columns.contains(&Some(Column::Question)) {
        return Err(ImportError::Malformed {
            path: path.to_owned(),
            format: Format::Csv,
            line: 1,
            column: 1,
            message: "no column is called question (or input, prompt, query)".to_owned(),
        });
    }
    for row in rows.records() {
        let row = row.map_err(|error| malformed(&error))?;
        let place = format!("{}:{}", path.display(), row.position().map_or(0, ::csv::Position::line));
        let mut case = blank_case("");
        for (index, cell) in row.iter().enumerate() {
            match columns.get(index) {
                Some(Some(column)) => fill(&mut case, *column, cell, &place, collector),
                Some(None) => {}
                None if cell.trim().is_empty() => {}
                None => {
                    collector.note(&place, "a row with more cells than the header row: those beyond it are left out");
                }
            }
        }
        collector.case(&place, case);
    }
    Ok(())
}

/// The separator that the header row uses most.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let uses = |delimiter: u8| header.bytes().filter(|byte| *byte == delimiter).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|delimiter| uses(*delimiter)).unwrap_or(b',')
}

fn columns(path: &Path, headers: &::csv::StringRecord, collector: &mut Collector) -> Vec<Option<Column>> {
    let mut columns = Vec::new();
    for header in headers {
        let mut column = Column::of(header);
        let place = format!("{}:1", path.display());
        if column.is_none() {
            collector.note(place, format!("column `{header}` has no counterpart in a gold set"));
        } else if columns.contains(&column) && column.is_some_and(|column| !column.repeats()) {
            collector.note(place, format!("column `{header}` means the same as one before it"));
            column = None;
        }
        columns.push(column);
    }
    columns
}

fn fill(case: &mut Case, column: Column, cell: &str, place: &str, collector: &mut Collector) {
    let cell = cell.trim();
    if cell.is_empty() {
        return;
    }
    let list = || cell.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    match column {
        Column::Question => cell.clone_into(&mut case.question),
        Column::Expected => case.expected.push(cell.to_owned()),
        Column::Id => cell.clone_into(&mut case.id),
        Column::Tags => case.tags.extend(list()),
        Column::ExpectedDocs => case.expected_docs.extend(list()),
        Column::Cluster => case.cluster = Some(cell.to_owned()),
        Column::Critical => match cell.to_lowercase().as_str() {
            "true" | "yes" | "y" | "1" | "x" => case.critical = true,
            "false" | "no" | "n" | "0" => {}
            _ => collector.note(place, format!("`{cell}` is neither yes nor no: taken as not critical")),
        },
        Column::Weight => match cell.parse::<f64>() {
            Ok(weight) if weight.is_finite() && weight >= 0.0 => case.weight = weight,
            _ => collector.note(place, format!("`{cell}` is not a weight of at least 0: taken as 1")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Imported, import};
    use super::*;

    fn imported(content: &str) -> Result<Imported, ImportError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.csv");
        std::fs::write(&path, content).unwrap();
        import(&path, Format::Csv)
    }

    #[test]
    fn all_columns_are_understood() {
        let content = "\u{feff}ID,Question,expected_1,expected_2,Tags,expected_docs,cluster,critical,weight\r\n\
            a,\"How, then?\nSo?\",x,\"y\"\"z\",t; u,docs/a.md#b,c,yes,2\r\n,q2,,,,,,,\r\n";
        let imported = imported(content).unwrap();
        assert_eq!(imported.unmapped, []);
        let [first, second] = imported.cases.as_slice() else { panic!("{:?}", imported.cases) };
        assert_eq!((first.id.as_str(), first.question.as_str()), ("a", "How, then?\nSo?"));
        assert_eq!(first.expected, ["x", "y\"z"]);
        assert_eq!((first.tags.join("|"), first.expected_docs.join("|")), ("t|u".to_owned(), "docs/a.md#b".to_owned()));
        assert!(first.critical && (first.weight - 2.0).abs() < 1e-9 && first.cluster() == "c");
        assert_eq!(second, &Case { id: "set-0002".to_owned(), ..blank_case("q2") });
    }

    #[test]
    fn synonyms_and_other_separators_are_understood() {
        let imported = imported("prompt;ideal\nq;a, b\n").unwrap();
        assert_eq!(imported.cases[0].question, "q");
        assert_eq!(imported.cases[0].expected, ["a, b"]);
    }

    #[test]
    fn nothing_is_dropped_silently() {
        let imported = imported("question,input,notes,critical,weight\nq,x,n,maybe,-1\nr,,,,,extra\n,,,,\n").unwrap();
        let notes: Vec<&str> = imported.unmapped.iter().map(|note| note.what.as_str()).collect();
        assert_eq!(
            notes,
            [
                "column `input` means the same as one before it",
                "column `notes` has no counterpart in a gold set",
                "`maybe` is neither yes nor no: taken as not critical",
                "`-1` is not a weight of at least 0: taken as 1",
                "a row with more cells than the header row: those beyond it are left out",
                "a task without a question: left out",
            ]
        );
        assert!(imported.unmapped[4].place.ends_with("set.csv:3"), "{}", imported.unmapped[4].place);
    }

    #[test]
    fn a_table_of_promptfoo_tests_is_recognized() {
        let imported = imported("question,__expected\nq,icontains: x\n").unwrap();
        assert_eq!(imported.cases[0].expected, ["x"]);
        assert_eq!(imported.unmapped, []);
    }

    #[test]
    fn a_table_without_questions_is_refused() {
        let error = imported("a,b\n1,2\n").unwrap_err();
        assert!(error.to_string().contains("set.csv:1:1: not csv: no column is called question"), "{error}");
    }
}
