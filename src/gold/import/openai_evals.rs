use std::path::Path;

use serde_json::{Map, Value};

use super::collect::{Collector, blank_case};
use super::{Format, ImportError, json_message, read_text};
use crate::gold::{Case, Check, Grader};

/// Reads samples as `openai/evals` keeps them for its classes Match, Includes and FuzzyMatch.
pub(super) fn read(path: &Path, collector: &mut Collector) -> Result<(), ImportError> {
    let text = read_text(path, Format::OpenaiEvals)?;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let malformed = |column, message: String| ImportError::Malformed {
            path: path.to_owned(),
            format: Format::OpenaiEvals,
            line: index + 1,
            column,
            message,
        };
        let sample: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| malformed(error.column(), json_message(&error)))?;
        let (Some(input), Some(ideal)) = (sample.get("input"), sample.get("ideal")) else {
            return Err(malformed(1, "a sample has `input` and `ideal`".to_owned()));
        };
        let place = format!("{}:{}", path.display(), index + 1);
        for key in sample.keys().filter(|key| !matches!(key.as_str(), "input" | "ideal" | "id")) {
            collector.note(&place, format!("`{key}` has no counterpart in a gold set"));
        }
        let mut case = blank_case(question(input, &place, collector));
        case.id = sample.get("id").map(plain_text).unwrap_or_default();
        case.expected = match ideal {
            Value::Array(ideals) => ideals.iter().map(plain_text).collect(),
            ideal => vec![plain_text(ideal)],
        };
        case.expected.retain(|expected| !expected.trim().is_empty());
        judge(&mut case, &place, collector);
        collector.case(&place, case);
    }
    Ok(())
}

/// A sample does not name its eval's class, so an answer is right if it holds an ideal, which is the loosest of the three.
fn judge(case: &mut Case, place: &str, collector: &mut Collector) {
    if case.expected.is_empty() {
        return collector.note(place, "a sample without an ideal answer: taken as unanswerable");
    }
    let what = "the samples do not say how the eval matches (match, includes, fuzzy): an answer that contains an ideal is right";
    collector.note(place, what);
    let short = |ideal: &String| ideal.chars().count() < 3 && ideal.chars().all(char::is_alphanumeric);
    let check = if case.expected.iter().all(short) {
        // Nearly every answer contains the letter of a multiple choice: it has to stand alone.
        let ideals: Vec<String> = case.expected.iter().map(|ideal| regex::escape(ideal)).collect();
        Check::Regex { pattern: format!(r"\b(?:{})\b", ideals.join("|")) }
    } else {
        Check::ContainsAny { values: case.expected.clone() }
    };
    case.graders = vec![Grader { check, weight: 1.0 }];
}

fn question(input: &Value, place: &str, collector: &mut Collector) -> String {
    let Value::Array(messages) = input else { return plain_text(input) };
    let role = |message: &Value| message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
    if messages.iter().any(|message| role(message) == "system") {
        collector.note(place, "system messages are not kept: instructions belong into a prompt");
    }
    let Some(last) = messages.iter().rposition(|message| role(message) == "user") else {
        collector.note(place, "input without a user message");
        return String::new();
    };
    let others = messages.iter().enumerate().filter(|(at, message)| *at != last && role(message) != "system").count();
    if others > 0 {
        collector.note(place, "turns other than the last user message are not kept");
    }
    match messages.get(last).and_then(|message| message.get("content")) {
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
            if texts.len() < parts.len() {
                collector.note(place, "parts of a message that are not text are not kept");
            }
            texts.join("\n")
        }
        Some(content) => plain_text(content),
        None => String::new(),
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::import;
    use super::*;

    #[test]
    fn samples_of_all_shapes_are_understood() {
        let content = concat!(
            r#"{"input": [{"role": "system", "content": "s"}, {"role": "user", "content": "old"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "Capital of France?"}], "ideal": ["Paris", "paris"]}"#,
            "\n\n",
            r#"{"input": "Which letter?", "ideal": "B", "difficulty": 3}"#,
            "\n",
            r#"{"input": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, {"type": "image_url"}]}], "ideal": 42}"#,
            "\n",
            r#"{"input": [{"role": "system", "content": "s"}], "ideal": "x"}"#,
            "\n",
        );
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("samples.jsonl");
        std::fs::write(&path, content).unwrap();
        let imported = import(&path, Format::OpenaiEvals).unwrap();
        let questions: Vec<&str> = imported.cases.iter().map(|case| case.question.as_str()).collect();
        assert_eq!(questions, ["Capital of France?", "Which letter?", "What is it?"]);
        let values = vec!["Paris".to_owned(), "paris".to_owned()];
        assert_eq!(imported.cases[0].graders[0].check, Check::ContainsAny { values });
        assert_eq!(imported.cases[1].graders[0].check, Check::Regex { pattern: r"\b(?:B)\b".to_owned() });
        assert_eq!(imported.cases[2].expected, ["42"]);
        let notes: Vec<(&str, usize)> =
            imported.unmapped.iter().map(|note| (note.what.split(':').next().unwrap(), note.count)).collect();
        assert_eq!(
            notes,
            [
                ("system messages are not kept", 2),
                ("turns other than the last user message are not kept", 1),
                ("the samples do not say how the eval matches (match, includes, fuzzy)", 4),
                ("`difficulty` has no counterpart in a gold set", 1),
                ("parts of a message that are not text are not kept", 1),
                ("input without a user message", 1),
                ("a task without a question", 1),
            ]
        );
    }

    #[test]
    fn a_line_that_is_no_sample_is_located() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("samples.jsonl");
        std::fs::write(&path, "{\"input\": \"q\", \"ideal\": \"a\"}\n{\"input\": \"q\"}\n").unwrap();
        let error = import(&path, Format::OpenaiEvals).unwrap_err().to_string();
        assert!(error.contains("samples.jsonl:2:1: not openai-evals: a sample has `input` and `ideal`"), "{error}");
    }
}
