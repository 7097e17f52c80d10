use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::collect::{Collector, blank_case};
use super::promptfoo_assert::{Judged, assertion_from_text, judge, plain_text};
use super::{Format, ImportError, json_message, read_text};

/// Reads a promptfoo configuration, a list of its tests, or a table of them.
pub(super) fn read(path: &Path, collector: &mut Collector) -> Result<(), ImportError> {
    let mut reader = Reader { path, collector, default: Map::new() };
    if has_extension(path, "csv") {
        return reader.table(path);
    }
    match parse(path)? {
        Value::Array(tests) => reader.tests(&tests, "tests"),
        Value::Object(config) => reader.config(&config),
        _ => Err(malformed(path, 1, 1, "neither a configuration nor a list of tests".to_owned())),
    }
}

struct Reader<'a> {
    path: &'a Path,
    collector: &'a mut Collector,
    default: Map<String, Value>,
}

impl Reader<'_> {
    fn config(&mut self, config: &Map<String, Value>) -> Result<(), ImportError> {
        for key in config.keys().filter(|key| !matches!(key.as_str(), "tests" | "defaultTest" | "description")) {
            self.collector.note(key, format!("`{key}` has no counterpart in a gold set"));
        }
        if let Some(Value::String(description)) = config.get("description") {
            self.collector.header().description = Some(description.clone());
        }
        match config.get("defaultTest") {
            Some(Value::Object(default)) => self.default(default),
            Some(Value::Null) | None => {}
            Some(_) => self.collector.note("defaultTest", "defaultTest in a file of its own is not read"),
        }
        match config.get("tests") {
            Some(Value::Array(tests)) => self.tests(tests, "tests"),
            Some(Value::String(reference)) => self.file(reference, "tests"),
            Some(test @ Value::Object(_)) => self.test(test, "tests"),
            _ => Ok(()),
        }
    }

    fn default(&mut self, default: &Map<String, Value>) {
        for key in default.keys().filter(|key| !matches!(key.as_str(), "vars" | "assert" | "threshold")) {
            self.collector
                .note(format!("defaultTest.{key}"), format!("`defaultTest.{key}` has no counterpart in a gold set"));
        }
        match default.get("threshold").map(Value::as_f64) {
            Some(Some(threshold)) if (0.0..=1.0).contains(&threshold) => self.collector.header().pass_score = threshold,
            Some(_) => self.collector.note("defaultTest.threshold", "a threshold outside 0..=1 is not kept"),
            None => {}
        }
        self.default.clone_from(default);
    }

    fn tests(&mut self, tests: &[Value], place: &str) -> Result<(), ImportError> {
        for (index, test) in tests.iter().enumerate() {
            self.test(test, &format!("{place}[{index}]"))?;
        }
        Ok(())
    }

    fn test(&mut self, test: &Value, place: &str) -> Result<(), ImportError> {
        match test {
            Value::String(reference) => self.file(reference, place),
            Value::Object(test) => match test.get("path") {
                Some(Value::String(reference)) if !test.contains_key("vars") => self.file(reference, place),
                _ => {
                    self.one(test, place);
                    Ok(())
                }
            },
            _ => {
                self.collector.note(place, "a test that is neither a mapping nor a file's name: left out");
                Ok(())
            }
        }
    }

    /// A file of tests, relative to the configuration.
    fn file(&mut self, reference: &str, place: &str) -> Result<(), ImportError> {
        let name = reference.strip_prefix("file://").unwrap_or(reference);
        let path = self.path.parent().map_or_else(|| PathBuf::from(name), |parent| parent.join(name));
        let unread = |why: &str| format!("tests in `{reference}` are not read: {why}");
        if name.contains("://") {
            self.collector.note(place, unread("only files are"));
        } else if name.contains(['*', '?', '[', '{']) && !path.exists() {
            self.collector.note(place, unread("import the files of a pattern one by one"));
        } else if has_extension(&path, "csv") {
            return self.table(&path);
        } else if ["yaml", "yml", "json"].iter().any(|extension| has_extension(&path, extension)) {
            return match parse(&path)? {
                Value::Array(tests) => self.tests(&tests, &path.display().to_string()),
                test => self.test(&test, &path.display().to_string()),
            };
        } else if has_extension(&path, "jsonl") {
            for (index, line) in read_text(&path, Format::Promptfoo)?.lines().enumerate() {
                if !line.trim().is_empty() {
                    let test = serde_json::from_str(line)
                        .map_err(|error| malformed(&path, index + 1, error.column(), json_message(&error)))?;
                    self.test(&test, &format!("{}:{}", path.display(), index + 1))?;
                }
            }
        } else {
            self.collector.note(place, unread("only .yaml, .json, .jsonl and .csv are"));
        }
        Ok(())
    }

    /// A table of tests: variables by column, and assertions in `__expected` columns.
    fn table(&mut self, path: &Path) -> Result<(), ImportError> {
        let text = read_text(path, Format::Promptfoo)?;
        let mut rows = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let refused = |error: &::csv::Error| {
            let line = error.position().map_or(1, |position| position.line() as usize);
            malformed(path, line, 1, error.to_string())
        };
        let headers = rows.headers().map_err(|error| refused(&error))?.clone();
        for row in rows.records() {
            let row = row.map_err(|error| refused(&error))?;
            let place = format!("{}:{}", path.display(), row.position().map_or(0, ::csv::Position::line));
            let (mut vars, mut asserts) = (Map::new(), Vec::new());
            for (header, cell) in headers.iter().map(str::trim).zip(&row) {
                if header.starts_with("__expected") {
                    asserts.extend(assertion_from_text(cell));
                } else if header.starts_with("__") {
                    self.collector.note(&place, format!("column `{header}` has no counterpart in a gold set"));
                } else {
                    vars.insert(header.to_owned(), Value::String(cell.to_owned()));
                }
            }
            if row.len() > headers.len() {
                let what = "a row with more cells than the header row: those beyond it are left out";
                self.collector.note(&place, what);
            }
            let row = [("vars".to_owned(), Value::Object(vars)), ("assert".to_owned(), Value::Array(asserts))];
            self.one(&Map::from_iter(row), &place);
        }
        Ok(())
    }

    /// One test; one case, or as many as its question variable has values.
    fn one(&mut self, test: &Map<String, Value>, place: &str) {
        for key in test.keys().filter(|key| !matches!(key.as_str(), "vars" | "assert")) {
            self.collector
                .note(format!("{place}.{key}"), format!("`{key}` of a test has no counterpart in a gold set"));
        }
        let mut vars = self.default.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
        match test.get("vars") {
            Some(Value::Object(own)) => vars.extend(own.clone()),
            None | Some(Value::Null) => {}
            Some(_) => self.collector.note(place, "variables in a file of their own are not read"),
        }
        let mut judged = Judged::default();
        for (source, asserts) in [("defaultTest", self.default.get("assert")), (place, test.get("assert"))] {
            let asserts = asserts.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for (index, assert) in asserts.iter().enumerate() {
                judge(assert, &vars, &format!("{source}.assert[{index}]"), self.collector, &mut judged);
            }
        }
        let Some(name) = question_variable(&vars, &judged.used) else {
            return self.collector.note(
                place,
                "a test without a variable called question, query, input, message, prompt or user_input: left out",
            );
        };
        for (key, value) in &vars {
            if *key != name && !judged.used.contains(key) {
                self.collector.note(format!("{place}.vars.{key}"), format!("variable `{key}` is not kept"));
            } else if *key != name && value.is_array() {
                self.collector
                    .note(format!("{place}.vars.{key}"), "a list of values is expanded only for the question");
            }
        }
        let question = vars.get(&name).cloned().unwrap_or_default();
        let questions = match question {
            Value::Array(questions) => questions,
            question => vec![question],
        };
        if !judged.refuses && judged.expected().is_empty() {
            let what =
                "a test without an expected text: it counts as one that must be refused until `expected` is written";
            self.collector.note(place, what);
        }
        for question in questions {
            let question = plain_text(&question);
            if question.starts_with("file://") {
                self.collector.note(place, "a question in a file of its own is not read: left out");
                continue;
            }
            if question.contains("{{") {
                self.collector.note(place, "the question holds template variables, which are not filled in");
            }
            let mut case = blank_case(question);
            case.expected = judged.expected();
            case.graders.clone_from(&judged.graders);
            self.collector.case(place, case);
        }
    }
}

/// The variable that holds the question: by name, or the only one that no assertion uses.
fn question_variable(vars: &Map<String, Value>, used: &BTreeSet<String>) -> Option<String> {
    let by_name = ["question", "query", "input", "message", "prompt", "user_input"]
        .into_iter()
        .find(|name| vars.contains_key(*name))
        .map(str::to_owned);
    by_name.or_else(|| {
        let mut unused = vars.keys().filter(|key| !used.contains(*key));
        let only = unused.next()?;
        unused.next().is_none().then(|| only.clone())
    })
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted))
}

fn parse(path: &Path) -> Result<Value, ImportError> {
    let text = read_text(path, Format::Promptfoo)?;
    // The limits guard against hostile documents; this is the user's own, and may hold many tests.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 50_000_000,
            max_events: 100_000_000,
            max_total_scalar_bytes: 1 << 30,
        },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(&text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line() as usize, at.column() as usize));
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
        malformed(path, line, column, message.to_owned())
    })
}

fn malformed(path: &Path, line: usize, column: usize, message: String) -> ImportError {
    ImportError::Malformed { path: path.to_owned(), format: Format::Promptfoo, line, column, message }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::super::{Imported, import};
    use super::*;

    fn imported(files: &[(&str, &str)]) -> Imported {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let path = directory.path().join(files[0].0);
        import(&path, Format::Promptfoo).unwrap()
    }

    fn notes(imported: &Imported) -> Vec<&str> {
        imported.unmapped.iter().map(|note| note.what.as_str()).collect()
    }

    #[test]
    fn a_configuration_with_defaults_is_understood() {
        let config = r#"
description: Support bot
prompts: [prompt.txt]
defaultTest:
  threshold: 0.7
  assert:
    - type: icontains
      value: "{{ expected }}"
      weight: 2
    - {type: latency, threshold: 3000}
tests:
  - description: capital
    vars: {question: "Capital of France?", expected: Paris}
    assert:
      - {type: similar, value: "It is {{expected}}.", threshold: 0.8}
      - {type: llm-rubric, value: is polite}
  - vars: {question: [Hello?, Hi?], expected: hello}
"#;
        let imported = imported(&[("config.yaml", config)]);
        assert_eq!(imported.header.description.as_deref(), Some("Support bot"));
        assert!((imported.header.pass_score - 0.7).abs() < 1e-9);
        let cases = serde_json::to_value(&imported.cases).unwrap();
        assert_eq!(
            cases[0],
            json!({"id": "config-0001", "question": "Capital of France?", "expected": "It is Paris.", "graders": [
                {"type": "contains_all", "values": "Paris", "weight": 2.0}, {"type": "max_latency_ms", "limit": 3000.0}, {"type": "similarity"}]})
        );
        assert_eq!((&cases[1]["question"], &cases[2]["question"]), (&json!("Hello?"), &json!("Hi?")));
        assert_eq!(cases[1]["expected"], "hello");
        assert_eq!(
            notes(&imported),
            [
                "`prompts` has no counterpart in a gold set",
                "`description` of a test has no counterpart in a gold set",
                "the threshold of `similar` is not kept: the grader's score counts as it is",
                "assertion `llm-rubric` has no counterpart",
            ]
        );
    }

    #[test]
    fn tests_in_other_files_are_read_relative_to_the_configuration() {
        let csv = "question,context,__expected,__expected2,__metric\nWhy?,c,\"contains-any: a, b\",not-contains: z,m\nWho?,,Ada,,\n";
        let files = [
            ("config.yaml", "tests: [file://t.csv, more.json, 'https://x/y.csv', 'gone/*.yaml']"),
            ("t.csv", csv),
            ("more.json", r#"[{"vars": {"text": "Only one?"}, "assert": [{"type": "is-refusal"}]}]"#),
        ];
        let imported = imported(&files);
        let questions: Vec<&str> = imported.cases.iter().map(|case| case.question.as_str()).collect();
        assert_eq!(questions, ["Why?", "Who?", "Only one?"]);
        assert_eq!(
            serde_json::to_value(&imported.cases[0].graders).unwrap(),
            json!([{"type": "contains_any", "values": ["a", "b"]}, {"type": "not_contains", "values": "z"}])
        );
        assert_eq!(imported.cases[1].expected, ["Ada"]);
        assert!(!imported.cases[2].is_answerable());
        let found = notes(&imported);
        assert!(found.contains(&"column `__metric` has no counterpart in a gold set"), "{found:?}");
        assert!(found.contains(&"variable `context` is not kept"), "{found:?}");
        assert!(found.contains(&"tests in `https://x/y.csv` are not read: only files are"), "{found:?}");
        assert!(found.iter().any(|note| note.starts_with("tests in `gone/*.yaml`")), "{found:?}");
    }

    #[test]
    fn malformed_yaml_is_located() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("c.yaml");
        fs::write(&path, "tests:\n  - vars: {question: a\n  - b\n").unwrap();
        let error = import(&path, Format::Promptfoo).unwrap_err().to_string();
        assert!(error.ends_with("c.yaml:2:11: not promptfoo: unclosed bracket '{'"), "{error}");
    }
}
