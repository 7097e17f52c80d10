use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::domain::nearest;

/// An answer that a person passed or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its line in the file, from 1.
    pub line: u64,
    /// What was asked.
    pub question: String,
    /// The expected answer.
    pub expected: String,
    /// The answer that was labelled.
    pub answer: String,
    /// Whether the person passed it.
    pub pass: bool,
    /// What matters, as the `judge` grader's `rubric`.
    pub rubric: Option<String>,
}

/// One thing that is wrong with a file of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelProblem {
    /// The line, from 1.
    pub line: u64,
    /// The column's name, where it is about one.
    pub column: Option<&'static str>,
    /// What is wrong.
    pub message: String,
}

/// Why a file of labels cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LabelsError {
    /// It cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It has mistakes.
    #[error("{}", listed(.path, .problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them, at least one.
        problems: Vec<LabelProblem>,
    },
}

impl LabelsError {
    /// The next step for the user.
    pub fn hint(&self) -> &'static str {
        "a CSV file with the columns question, expected, answer and label (pass or fail), and optionally rubric"
    }
}

/// Problems that are shown; the rest is counted.
const SHOWN: usize = 20;

fn listed(path: &Path, problems: &[LabelProblem]) -> String {
    let path = path.display();
    let plural = if problems.len() == 1 { "" } else { "s" };
    let mut text = format!("`{path}` has {} problem{plural}", problems.len());
    for LabelProblem { line, column, message } in problems.iter().take(SHOWN) {
        let column = column.map(|column| format!("{column}: ")).unwrap_or_default();
        let _ = write!(text, "\n{path}:{line}: {column}{message}");
    }
    if let Some(more) = problems.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        let _ = write!(text, "\nand {more} more");
    }
    text
}

const REQUIRED: [&str; 4] = ["question", "expected", "answer", "label"];

/// Reads a CSV file of labelled answers; columns of other names are left alone.
///
/// # Errors
/// [`LabelsError::Invalid`] lists everything that is wrong, each with its line.
pub fn read_labels(path: &Path) -> Result<Vec<Label>, LabelsError> {
    let bytes = std::fs::read(path).map_err(|source| LabelsError::Unreadable { path: path.to_owned(), source })?;
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    parse(text).map_err(|problems| LabelsError::Invalid { path: path.to_owned(), problems })
}

fn parse(text: &[u8]) -> Result<Vec<Label>, Vec<LabelProblem>> {
    let about = |line, message: String| LabelProblem { line, column: None, message };
    let mut reader = csv::Reader::from_reader(text);
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return Err(vec![about(1, error.to_string())]),
    };
    let named = |name: &str| headers.iter().position(|header| header.trim().eq_ignore_ascii_case(name));
    let places = REQUIRED.map(named);
    let [Some(question), Some(expected), Some(answer), Some(label)] = places else {
        let missing = REQUIRED.iter().zip(places).filter(|(_, place)| place.is_none());
        return Err(missing.map(|(name, _)| about(1, missing_column(name, &headers))).collect());
    };
    let rubric = named("rubric");
    let (mut labels, mut problems) = (Vec::new(), Vec::new());
    for row in reader.records() {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let message = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("has {len} cells, and the header row has {expected_len}")
                    }
                    _ => error.to_string(),
                };
                problems.push(about(error.position().map_or(1, csv::Position::line), message));
                continue;
            }
        };
        let line = row.position().map_or(1, csv::Position::line);
        let cell = |place: usize| row.get(place).unwrap_or_default().trim().to_owned();
        let before = problems.len();
        let mut problem = |column, message: &str| {
            problems.push(LabelProblem { line, column: Some(column), message: message.to_owned() });
        };
        let (question, expected, answer) = (cell(question), cell(expected), cell(answer));
        for (column, text) in [("question", &question), ("expected", &expected), ("answer", &answer)] {
            if text.is_empty() {
                problem(column, "is empty; a judge is only asked where there are two answers to compare");
            }
        }
        let pass = passed(&cell(label));
        if pass.is_none() {
            problem("label", &format!("`{}` is neither pass nor fail (1 or 0, true or false, yes or no)", cell(label)));
        }
        let rubric = rubric.map(cell).filter(|rubric| !rubric.is_empty());
        if let Some(pass) = pass.filter(|_| problems.len() == before) {
            labels.push(Label { line, question, expected, answer, pass, rubric });
        }
    }
    if labels.is_empty() && problems.is_empty() {
        problems.push(about(1, "holds no labels".to_owned()));
    }
    if problems.is_empty() { Ok(labels) } else { Err(problems) }
}

fn missing_column(name: &str, headers: &csv::StringRecord) -> String {
    let near = nearest(name, headers.iter().map(str::trim));
    let near = near.map(|near| format!("; is `{near}` meant?")).unwrap_or_default();
    format!("no column is called `{name}`{near}")
}

fn passed(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "pass" | "1" | "true" | "yes" => Some(true),
        "fail" | "0" | "false" | "no" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let problems = parse(text.as_bytes()).unwrap_err();
        listed(Path::new("l.csv"), &problems).lines().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn labels_are_read_in_all_their_spellings() {
        let text = "id,Question,expected,answer,label,rubric\n\
            1,\"Why,\nso?\",e,a,PASS,the number\n2,q,e,a,0,\n3,q,e,a, yes,\n4,q,e,a,False,\n";
        let labels = parse(text.as_bytes()).unwrap();
        assert_eq!(labels.iter().map(|label| label.pass).collect::<Vec<_>>(), [true, false, true, false]);
        assert_eq!(
            labels.iter().map(|label| label.line).collect::<Vec<_>>(),
            [2, 4, 5, 6],
            "a question spans two lines"
        );
        assert_eq!((labels[0].question.as_str(), labels[0].rubric.as_deref()), ("Why,\nso?", Some("the number")));
        assert_eq!(labels[1].rubric, None);
    }

    #[test]
    fn mistakes_are_listed_all_at_once_with_their_lines() {
        let text = "question,expected,answer,label\nq,e,a,maybe\nq,e,a,pass\nq,,a,fail\nq,e\n";
        assert_eq!(
            problems(text),
            [
                "l.csv:2: label: `maybe` is neither pass nor fail (1 or 0, true or false, yes or no)",
                "l.csv:4: expected: is empty; a judge is only asked where there are two answers to compare",
                "l.csv:5: has 2 cells, and the header row has 4",
            ]
        );
    }

    #[test]
    fn missing_columns_are_named_with_what_is_near() {
        assert_eq!(
            problems("question,expect,reply,labels\nq,e,a,pass\n"),
            [
                "l.csv:1: no column is called `expected`; is `expect` meant?",
                "l.csv:1: no column is called `answer`",
                "l.csv:1: no column is called `label`; is `labels` meant?",
            ]
        );
        assert_eq!(problems("question,expected,answer,label\n"), ["l.csv:1: holds no labels"]);
    }
}
