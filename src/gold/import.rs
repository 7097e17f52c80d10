mod collect;
mod csv;
mod openai_evals;
mod promptfoo;
mod promptfoo_assert;
mod squad;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use self::collect::Collector;
use super::{Case, Header};
use crate::domain::nearest;

/// A format of another tool that cases are imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A table with a header row.
    Csv,
    /// A promptfoo configuration, or its list of tests.
    Promptfoo,
    /// Samples of OpenAI's evals, one JSON object a line.
    OpenaiEvals,
    /// The Stanford Question Answering Dataset's JSON, 1.1 or 2.0.
    Squad,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Promptfoo, Self::OpenaiEvals, Self::Squad];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Promptfoo => "promptfoo",
            Self::OpenaiEvals => "openai-evals",
            Self::Squad => "squad",
        }
    }
}

impl FromStr for Format {
    type Err = ImportError;

    fn from_str(name: &str) -> Result<Self, ImportError> {
        Self::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| ImportError::UnknownFormat {
            name: name.to_owned(),
            hint: nearest(name, Self::ALL.map(Self::as_str)).map_or_else(
                || "known formats: csv, promptfoo, openai-evals, squad".to_owned(),
                |near| format!("did you mean `{near}`?"),
            ),
        })
    }
}

/// What an import made of a file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, schemars::JsonSchema)]
pub struct Imported {
    /// The cases; their ids are unique.
    pub cases: Vec<Case>,
    /// What is said about all of them.
    pub header: Header,
    /// Whatever the cases do not carry over.
    pub unmapped: Vec<Unmapped>,
}

/// Something in the file that has no counterpart in a gold set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Unmapped {
    /// Where it stands first: a line (`file:7`), or a path in the document (`tests[2].assert[0]`).
    pub place: String,
    /// What it is, and what became of it.
    pub what: String,
    /// How often it occurs.
    pub count: usize,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not of the format.
    #[error("{}:{line}:{column}: not {}: {message}", .path.display(), .format.as_str())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The format it was read as.
        format: Format,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The file holds nothing that could be a case.
    #[error("`{}` holds no cases", .path.display())]
    NoCases {
        /// The file.
        path: PathBuf,
        /// Why not, as far as that is known.
        unmapped: Vec<Unmapped>,
    },
    /// There is no such format.
    #[error("unknown format `{name}`")]
    UnknownFormat {
        /// The name given.
        name: String,
        /// What to write instead.
        hint: String,
    },
}

impl ImportError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Malformed { .. } => Some("if the file has another format, say so with `--from`".to_owned()),
            Self::NoCases { unmapped, .. } => Some(
                unmapped
                    .first()
                    .map_or("is it the right file?".to_owned(), |first| format!("{}: {}", first.place, first.what)),
            ),
            Self::UnknownFormat { hint, .. } => Some(hint.clone()),
        }
    }
}

/// Reads the cases of a file. Nothing is dropped silently: what does not become part of a case is in
/// [`Imported::unmapped`].
///
/// # Errors
/// [`ImportError`] when the file cannot be read, is not of the format, or holds no case.
pub fn import(path: &Path, format: Format) -> Result<Imported, ImportError> {
    let mut collector = Collector::new(path);
    match format {
        Format::Csv => csv::read(path, &mut collector)?,
        Format::Promptfoo => promptfoo::read(path, &mut collector)?,
        Format::OpenaiEvals => openai_evals::read(path, &mut collector)?,
        Format::Squad => squad::read(path, &mut collector)?,
    }
    let imported = collector.finish();
    if imported.cases.is_empty() {
        return Err(ImportError::NoCases { path: path.to_owned(), unmapped: imported.unmapped });
    }
    Ok(imported)
}

/// The format of a file as far as its name and beginning make it clear.
pub fn detect(path: &Path) -> Option<Format> {
    use std::io::Read;
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let has = |head: &str, key: &str| head.contains(&format!("\"{key}\""));
    match extension.as_str() {
        "csv" | "tsv" => return Some(Format::Csv),
        "yaml" | "yml" => return Some(Format::Promptfoo),
        "json" | "jsonl" => {}
        _ => return None,
    }
    let mut head = Vec::new();
    fs::File::open(path).ok()?.take(1 << 16).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    if extension == "json" {
        return if has(&head, "paragraphs") || has(&head, "qas") {
            Some(Format::Squad)
        } else {
            (has(&head, "tests") || has(&head, "vars")).then_some(Format::Promptfoo)
        };
    }
    let first = head.lines().find(|line| !line.trim().is_empty())?;
    (has(first, "input") && has(first, "ideal")).then_some(Format::OpenaiEvals)
}

fn read_text(path: &Path, format: Format) -> Result<String, ImportError> {
    let bytes = fs::read(path).map_err(|source| ImportError::Unreadable { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let valid = String::from_utf8_lossy(valid);
        ImportError::Malformed {
            path: path.to_owned(),
            format,
            line: valid.matches('\n').count() + 1,
            column: valid.chars().rev().take_while(|character| *character != '\n').count() + 1,
            message: "not valid UTF-8".to_owned(),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// What serde says without its ` at line 1 column 7`.
fn json_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart_by_name_and_beginning() {
        let directory = tempfile::tempdir().unwrap();
        for (name, content, expected) in [
            ("a.csv", "question,answer", Some(Format::Csv)),
            ("a.yaml", "tests: []", Some(Format::Promptfoo)),
            ("a.json", "{\"data\": [{\"title\": \"t\", \"paragraphs\": []}]}", Some(Format::Squad)),
            ("b.json", "{\"tests\": []}", Some(Format::Promptfoo)),
            ("a.jsonl", "\n{\"input\": \"q\", \"ideal\": \"a\"}", Some(Format::OpenaiEvals)),
            ("b.jsonl", "{\"id\": \"a\", \"question\": \"q\"}", None),
            ("a.txt", "", None),
        ] {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            assert_eq!(detect(&path), expected, "{name}");
        }
    }

    #[test]
    fn an_unknown_format_is_named_with_the_nearest() {
        let error = "promptfo".parse::<Format>().unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("did you mean `promptfoo`?"));
        assert_eq!("openai-evals".parse::<Format>().unwrap(), Format::OpenaiEvals);
    }

    #[test]
    fn a_file_without_cases_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.csv");
        fs::write(&path, "question,answer\n").unwrap();
        assert!(matches!(import(&path, Format::Csv), Err(ImportError::NoCases { .. })));
    }
}
