use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Problem;
use super::parse_grader::{Fault, parse_grader};
use super::{Case, Check, Grader};
use crate::domain::nearest;

/// What a gold set's first line may say about the whole set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// What the set is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A case is passed at or above this score, 0..=1.
    #[serde(default = "half")]
    pub pass_score: f64,
    /// The graders of cases that name none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graders: Vec<Grader>,
}

fn half() -> f64 {
    0.5
}

impl Default for Header {
    fn default() -> Self {
        Self { description: None, pass_score: half(), graders: Vec::new() }
    }
}

/// The caller's check of what only it can judge, such as whether a regular expression compiles.
pub(super) type Validate<'a> = &'a dyn Fn(&Check) -> Result<(), String>;

/// A field: its name, what it must be, and whether a value is that.
struct Field {
    name: &'static str,
    expects: &'static str,
    accepts: fn(&Value) -> bool,
}

const CASE_FIELDS: &[Field] = &[
    Field { name: "id", expects: "a text", accepts: Value::is_string },
    Field { name: "question", expects: "a text", accepts: Value::is_string },
    Field { name: "expected", expects: "a text or a list of texts", accepts: is_text_or_texts },
    Field { name: "graders", expects: "a list of graders", accepts: Value::is_array },
    Field { name: "expected_docs", expects: "a list of texts", accepts: is_texts },
    Field { name: "tags", expects: "a list of texts", accepts: is_texts },
    Field { name: "cluster", expects: "a text", accepts: |value| value.is_string() || value.is_null() },
    Field { name: "critical", expects: "true or false", accepts: Value::is_boolean },
    Field { name: "weight", expects: "a number", accepts: Value::is_number },
];

const HEADER_FIELDS: &[Field] = &[
    Field { name: "description", expects: "a text", accepts: |value| value.is_string() || value.is_null() },
    Field { name: "pass_score", expects: "a number", accepts: Value::is_number },
    Field { name: "graders", expects: "a list of graders", accepts: Value::is_array },
];

fn is_texts(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
}

fn is_text_or_texts(value: &Value) -> bool {
    value.is_string() || value.is_null() || is_texts(value)
}

/// Reads one case, or says everything that is wrong with it.
pub(super) fn parse_case(number: usize, line: &str, validate: Validate<'_>) -> Result<Case, Vec<Problem>> {
    let place = Place { number, line };
    let case: Case = serde_json::from_str(line).map_err(|error| place.diagnose(&error))?;
    let mut problems = Vec::new();
    for (field, text) in [("id", &case.id), ("question", &case.question)] {
        if text.trim().is_empty() {
            problems.push(place.problem(field, "must not be empty"));
        }
    }
    if !case.weight.is_finite() || case.weight < 0.0 {
        problems.push(place.problem("weight", format!("must be a number of at least 0, not {}", case.weight)));
    }
    problems.extend(place.refused_graders(&case.graders, validate));
    if problems.is_empty() { Ok(case) } else { Err(problems) }
}

/// Reads the header if the line is one: an object with the key `gold_set`.
pub(super) fn parse_header(number: usize, line: &str, validate: Validate<'_>) -> Option<Result<Header, Vec<Problem>>> {
    if !line.contains("\"gold_set\"") {
        return None;
    }
    let Ok(Value::Object(mut object)) = serde_json::from_str(line) else { return None };
    let place = Place { number, line };
    let settings = object.shift_remove("gold_set")?;
    let mut problems: Vec<Problem> = object
        .keys()
        .map(|key| place.problem(key, "the header line holds only `gold_set`; cases follow on lines of their own"))
        .collect();
    match &settings {
        Value::Object(fields) => problems.extend(place.field_problems(fields, HEADER_FIELDS)),
        _ => problems.push(place.problem("gold_set", "must be an object")),
    }
    if !problems.is_empty() {
        return Some(Err(problems));
    }
    Some(match serde_json::from_value::<Header>(settings) {
        Err(error) => Err(vec![place.problem("gold_set", error.to_string())]),
        Ok(header) if !(0.0..=1.0).contains(&header.pass_score) => {
            Err(vec![place.problem("pass_score", format!("must be between 0 and 1, not {}", header.pass_score))])
        }
        Ok(header) => match place.refused_graders(&header.graders, validate) {
            problems if problems.is_empty() => Ok(header),
            problems => Err(problems),
        },
    })
}

struct Place<'a> {
    number: usize,
    line: &'a str,
}

impl Place<'_> {
    fn problem(&self, field: &str, message: impl Into<String>) -> Problem {
        let key = field.split(['[', '.']).next().unwrap_or(field);
        Problem {
            line: self.number,
            column: column_of_key(self.line, key),
            field: Some(field.to_owned()),
            message: message.into(),
            hint: None,
        }
    }

    /// Why serde refused the line, as precisely as can be found out.
    fn diagnose(&self, error: &serde_json::Error) -> Vec<Problem> {
        let general = Problem {
            line: self.number,
            column: column_in_chars(self.line, error.column()),
            field: None,
            message: without_position(error),
            hint: None,
        };
        match serde_json::from_str(self.line) {
            Ok(Value::Object(fields)) => {
                let mut problems = self.field_problems(&fields, CASE_FIELDS);
                for needed in ["id", "question"] {
                    if !fields.contains_key(needed) {
                        problems.push(Problem { column: 1, ..self.problem(needed, "is missing") });
                    }
                }
                if problems.is_empty() { vec![general] } else { problems }
            }
            Ok(_) => vec![Problem { message: "a case is a JSON object".to_owned(), column: 1, ..general }],
            Err(_) => vec![Problem { message: format!("malformed JSON: {}", general.message), ..general }],
        }
    }

    fn field_problems(&self, fields: &serde_json::Map<String, Value>, known: &[Field]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, value) in fields {
            match known.iter().find(|field| field.name == name) {
                None => problems.push(self.unknown_field(name, known)),
                Some(field) if !(field.accepts)(value) => {
                    problems.push(self.problem(name, format!("must be {}", field.expects)));
                }
                Some(_) if name == "graders" => problems.extend(self.grader_problems(value)),
                Some(_) => {}
            }
        }
        problems
    }

    fn unknown_field(&self, name: &str, known: &[Field]) -> Problem {
        let mut problem = self.problem(name, format!("unknown field `{name}`"));
        problem.hint = Some(if name == "gold_set" {
            "the header must be the first line".to_owned()
        } else {
            nearest(name, known.iter().map(|field| field.name)).map_or_else(
                || format!("known fields: {}", known.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            )
        });
        problem
    }

    fn grader_problems(&self, graders: &Value) -> Vec<Problem> {
        let graders = graders.as_array().map(Vec::as_slice).unwrap_or_default();
        let faults =
            graders.iter().enumerate().filter_map(|(index, grader)| Some((index, parse_grader(grader).err()?)));
        faults
            .flat_map(|(index, faults)| faults.into_iter().map(move |fault| self.grader_problem(index, fault)))
            .collect()
    }

    fn grader_problem(&self, index: usize, fault: Fault) -> Problem {
        let field =
            fault.field.map_or_else(|| format!("graders[{index}]"), |field| format!("graders[{index}].{field}"));
        Problem { hint: fault.hint, ..self.problem(&field, fault.message) }
    }

    fn refused_graders(&self, graders: &[Grader], validate: Validate<'_>) -> Vec<Problem> {
        let refused =
            graders.iter().enumerate().filter_map(|(index, grader)| Some((index, validate(&grader.check).err()?)));
        refused.map(|(index, reason)| self.problem(&format!("graders[{index}]"), reason)).collect()
    }
}

/// What serde says without its ` at line 1 column 7`.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// Turns serde's column, which counts bytes from 1, into one that counts characters from 1.
fn column_in_chars(line: &str, column: usize) -> usize {
    line.as_bytes()
        .get(..column.saturating_sub(1))
        .map_or(1, |before| String::from_utf8_lossy(before).chars().count() + 1)
}

/// Where a key of the line's object stands, in characters from 1; 1 when it is not there. Keys of nested objects count
/// only when the outer object has none of that name.
fn column_of_key(line: &str, key: &str) -> usize {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut opened = 0;
    let mut found: Option<(usize, usize)> = None;
    for (at, character) in line.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' if in_string => {
                in_string = false;
                let is_key = line.get(at + 1..).is_some_and(|rest| rest.trim_start().starts_with(':'));
                if is_key && line.get(opened + 1..at) == Some(key) && found.is_none_or(|(outer, _)| depth < outer) {
                    found = Some((depth, opened));
                }
            }
            '"' => {
                in_string = true;
                opened = at;
            }
            '{' | '[' if !in_string => depth += 1,
            '}' | ']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found.map_or(1, |(_, at)| column_in_chars(line, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(line: &str) -> Vec<String> {
        let result = parse_case(7, line, &|_| Ok(()));
        result.map_or_else(|problems| problems.iter().map(ToString::to_string).collect(), |_| Vec::new())
    }

    #[test]
    fn a_whole_case_is_read() {
        let line = r#"{"id":"a","question":"q?","expected":["x","y"],"graders":["bleu"],"critical":true,"weight":2}"#;
        let case = parse_case(1, line, &|_| Ok(())).unwrap();
        assert!(case.critical && case.is_answerable());
        assert_eq!(case.graders, [Grader { check: Check::Bleu {}, weight: 1.0 }]);
    }

    #[test]
    fn every_problem_of_a_case_is_located_with_its_field() {
        let line =
            r#"{"id":"é","qestion":"q","graders":["bleu",{"type":"regexp","pattern":"x"}],"tags":"t","weight":"1"}"#;
        assert_eq!(
            problems(line),
            [
                "7:11: qestion: unknown field `qestion`\n  hint: did you mean `question`?",
                "7:25: graders[1].type: unknown grader `regexp`\n  hint: did you mean `regex`?",
                "7:76: tags: must be a list of texts",
                "7:87: weight: must be a number",
                "7:1: question: is missing",
            ]
        );
    }

    #[test]
    fn malformed_json_is_located_by_character() {
        assert_eq!(problems(r#"{"id": "ä" "question"}"#), ["7:12: malformed JSON: expected `,` or `}`"]);
        assert_eq!(problems("[1]"), ["7:1: a case is a JSON object"]);
        assert_eq!(problems(r#"{"id":"a","id":"b","question":"q"}"#), ["7:14: duplicate field `id`"]);
        assert_eq!(
            problems(r#"{"id":"a","question":"q","weight":1e999}"#)[0],
            "7:39: malformed JSON: number out of range"
        );
    }

    #[test]
    fn blank_texts_and_negative_weights_are_refused() {
        let found = problems(r#"{"id":" ","question":"","weight":-0.5}"#);
        assert_eq!(found.len(), 3);
        assert_eq!(found[2], "7:25: weight: must be a number of at least 0, not -0.5");
    }

    #[test]
    fn the_caller_judges_settings() {
        let line = r#"{"id":"a","question":"q","graders":[{"type":"regex","pattern":"("}]}"#;
        let refuse = |check: &Check| match check {
            Check::Regex { .. } => Err("unclosed group".to_owned()),
            _ => Ok(()),
        };
        assert_eq!(parse_case(1, line, &refuse).unwrap_err()[0].to_string(), "1:26: graders[0]: unclosed group");
    }

    #[test]
    fn a_header_is_told_from_a_case() {
        let header = |line: &str| parse_header(1, line, &|_| Ok(()));
        assert!(header(r#"{"id":"a","question":"what is \"gold_set\"?"}"#).is_none());
        let read = header(r#"{"gold_set":{"pass_score":0.3,"graders":["token_f1"]}}"#).unwrap().unwrap();
        assert_eq!((read.pass_score.to_string(), read.graders.len()), ("0.3".to_owned(), 1));
        let wrong = header(r#"{"gold_set":{"pas_score":0.3}}"#).unwrap().unwrap_err();
        assert_eq!(
            wrong[0].to_string(),
            "1:14: pas_score: unknown field `pas_score`\n  hint: did you mean `pass_score`?"
        );
        assert!(header(r#"{"gold_set":{"pass_score":3}}"#).unwrap().is_err());
    }
}
