use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, PromptError};
use crate::domain::Severity;
use crate::domain::nearest;

/// A TOML file that is being read, and what was found wrong with it so far.
pub(super) struct TomlFile<'a> {
    path: &'a Path,
    text: &'a str,
    pub(super) problems: Vec<Problem>,
}

/// The bytes of a file.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, PromptError> {
    fs::read(path).map_err(|source| PromptError::Unreadable { path: path.to_owned(), source })
}

/// The text of a file's bytes.
pub(super) fn decode<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, PromptError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let valid = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok()).unwrap_or("");
        let mut file = TomlFile::new(path, valid);
        file.problem(
            valid.len()..valid.len(),
            None,
            "not valid UTF-8".to_owned(),
            Some("save the file as UTF-8".to_owned()),
        );
        PromptError::Invalid { problems: file.problems }
    })
}

impl<'a> TomlFile<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, problems: Vec::new() }
    }

    /// Parses the file; a syntax error leaves its table incomplete, and what is missing is then not worth reporting.
    pub(super) fn parse(&mut self) -> Option<Spanned<DeTable<'a>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            self.problem(error.span().unwrap_or(0..0), None, error.message().to_owned(), None);
        }
        errors.is_empty().then_some(table)
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before.get(line_start..).map_or(0, |line| line.chars().count()) + 1)
    }

    /// The source text of a span.
    pub(super) fn source(&self, span: Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or_default()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    pub(super) fn problem(&mut self, span: Range<usize>, field: Option<&str>, message: String, hint: Option<String>) {
        let (line, column) = self.position(span.start);
        self.problems.push(Problem {
            severity: Severity::Error,
            path: self.path.to_owned(),
            line: Some(line),
            column: Some(column),
            field: field.map(str::to_owned),
            message,
            hint,
        });
    }

    /// Reports every key that is not known, with the nearest one that is.
    pub(super) fn unknown_keys(&mut self, table: &DeTable<'_>, prefix: &str, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let hint = nearest(name, known.iter().copied())
                .map_or_else(|| format!("known keys: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
            self.problem(key.span(), Some(&format!("{prefix}{name}")), format!("unknown key `{name}`"), Some(hint));
        }
    }

    /// A key's value as `read` takes it; anything else is reported as not being `expected`.
    pub(super) fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        prefix: &str,
        key: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = table.get(key)?;
        let taken = read(&to_json(value.get_ref()));
        if taken.is_none() {
            self.problem(value.span(), Some(&format!("{prefix}{key}")), format!("must be {expected}"), None);
        }
        taken
    }

    /// A text that must be there and not be blank.
    pub(super) fn required_text(&mut self, table: &DeTable<'_>, key: &str) -> String {
        if !table.contains_key(key) {
            self.problem(0..0, Some(key), "is missing".to_owned(), None);
        }
        self.optional(table, "", key, "a text that is not blank", |value| {
            value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
        })
        .unwrap_or_default()
    }
}

/// A TOML value as JSON. Dates become texts; numbers that JSON does not have become null.
pub(super) fn to_json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(float) => float.as_str().parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        DeValue::Array(items) => items.iter().map(|item| to_json(item.get_ref())).collect(),
        DeValue::Table(table) => Value::Object(to_json_map(table)),
    }
}

/// A TOML table as a JSON object.
pub(super) fn to_json_map(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), to_json(value.get_ref()))).collect()
}
