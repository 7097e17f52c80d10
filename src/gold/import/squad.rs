use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::collect::{Collector, blank_case, slug};
use super::{Format, ImportError, json_message, read_text};
use crate::gold::{Case, Check, Grader};

/// The format of Rajpurkar et al. (2016, 2018), SQuAD 1.1 and 2.0, as far as cases need it.
#[derive(Deserialize)]
struct Dataset {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    #[serde(default)]
    title: String,
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    qas: Vec<Task>,
    #[serde(default)]
    context: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Task {
    question: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    answers: Vec<Text>,
    #[serde(default)]
    is_impossible: bool,
    #[serde(default)]
    plausible_answers: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
}

pub(super) fn read(path: &Path, collector: &mut Collector) -> Result<(), ImportError> {
    let text = read_text(path, Format::Squad)?;
    let dataset: Dataset = serde_json::from_str(&text).map_err(|error| ImportError::Malformed {
        path: path.to_owned(),
        format: Format::Squad,
        line: error.line(),
        column: error.column(),
        message: json_message(&error),
    })?;
    for (a, article) in dataset.data.into_iter().enumerate() {
        let tag = slug(&article.title);
        for (p, paragraph) in article.paragraphs.into_iter().enumerate() {
            if paragraph.context.is_some() {
                let what =
                    "the paragraph that holds the answers is not kept: bring it into the knowledge base as a document";
                collector.note(format!("data[{a}].paragraphs[{p}].context"), what);
            }
            for (q, task) in paragraph.qas.into_iter().enumerate() {
                let place = format!("data[{a}].paragraphs[{p}].qas[{q}]");
                let case = case(task, &tag, &place, collector);
                collector.case(&place, case);
            }
        }
    }
    Ok(())
}

fn case(task: Task, tag: &str, place: &str, collector: &mut Collector) -> Case {
    let mut case = Case { id: task.id, ..blank_case(task.question) };
    if !tag.is_empty() {
        case.tags.push(tag.to_owned());
    }
    if !task.plausible_answers.is_empty() {
        collector.note(place, "plausible answers of questions without an answer are not kept");
    }
    if !task.is_impossible {
        for answer in task.answers {
            if !answer.text.trim().is_empty() && !case.expected.contains(&answer.text) {
                case.expected.push(answer.text);
            }
        }
        if case.expected.is_empty() {
            collector.note(place, "a question without answers that is not marked impossible: taken as unanswerable");
        }
    } else if !task.answers.is_empty() {
        collector.note(place, "answers of a question that is marked impossible are not kept");
    }
    if case.expected.is_empty() {
        case.graders.push(Grader { check: Check::Refusal { expect: None }, weight: 1.0 });
    }
    case
}

#[cfg(test)]
mod tests {
    use super::super::import;
    use super::*;

    #[test]
    fn both_versions_are_understood() {
        // The shape of dev-v2.0.json, shortened.
        let content = r#"{"version": "v2.0", "data": [{"title": "Super_Bowl_50", "paragraphs": [{"context": "c", "qas": [
            {"question": "Who?", "id": "56be", "answers": [{"text": "Denver", "answer_start": 1}, {"text": "Denver", "answer_start": 9},
              {"text": "Denver Broncos", "answer_start": 1}], "is_impossible": false},
            {"question": "Which?", "id": "5ad3", "answers": [], "is_impossible": true,
              "plausible_answers": [{"text": "x", "answer_start": 3}]},
            {"question": "1.1?", "id": "57", "answers": [{"text": "y", "answer_start": 0}]}]}]}]}"#;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("dev.json");
        std::fs::write(&path, content).unwrap();
        let imported = import(&path, Format::Squad).unwrap();
        let expected: Vec<String> = imported.cases.iter().map(|case| case.expected.join("|")).collect();
        assert_eq!(expected, ["Denver|Denver Broncos", "", "y"]);
        assert_eq!(imported.cases[1].graders[0].check, Check::Refusal { expect: None });
        assert_eq!((imported.cases[0].id.as_str(), imported.cases[0].tags[0].as_str()), ("56be", "super-bowl-50"));
        assert_eq!(imported.unmapped.len(), 2);
        assert_eq!(imported.unmapped[1].place, "data[0].paragraphs[0].qas[1]");
    }

    #[test]
    fn another_json_file_is_located() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.json");
        std::fs::write(&path, "{\"data\":\n [{}]}").unwrap();
        let error = import(&path, Format::Squad).unwrap_err().to_string();
        assert!(error.contains("x.json:2:") && error.contains("missing field `paragraphs`"), "{error}");
    }
}
