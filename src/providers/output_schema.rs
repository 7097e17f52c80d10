use jsonschema::Validator;
use serde_json::Value;

/// A JSON Schema that a model's answer must satisfy, compiled once for all answers.
#[derive(Debug)]
pub struct OutputSchema {
    schema: Value,
    validator: Validator,
}

/// Why a model's answer is not what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputProblem {
    /// It is not JSON.
    #[error("not JSON: {message} at line {line}, column {column}")]
    NotJson {
        /// What the parser says.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The schema refuses it.
    #[error("{}", violations.join("; "))]
    Refused {
        /// Everything that is wrong, each with its place.
        violations: Vec<String>,
    },
}

/// A validator of this schema, which must be one by itself: references to other documents are not followed.
///
/// # Errors
/// What is wrong with the schema.
pub fn schema_validator(schema: &Value) -> Result<Validator, String> {
    jsonschema::meta::validate(schema).map_err(|error| at(&error.instance_path().to_string(), &error.to_string()))?;
    jsonschema::validator_for(schema).map_err(|error| error.to_string())
}

fn at(path: &str, message: &str) -> String {
    if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") }
}

/// Everything that `validator` finds wrong with `value`, each with its place.
pub fn violations(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| at(&error.instance_path().to_string(), &error.to_string())).collect()
}

impl OutputSchema {
    /// Compiles `schema`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(schema: Value) -> Result<Self, String> {
        let validator = schema_validator(&schema)?;
        Ok(Self { schema, validator })
    }

    /// The schema itself.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Reads an answer as the JSON that was asked for. One Markdown fence around it is tolerated.
    ///
    /// # Errors
    /// [`OutputProblem`] when it is not JSON, or lists what the schema refuses.
    pub fn check(&self, text: &str) -> Result<Value, OutputProblem> {
        let value: Value = serde_json::from_str(without_fence(text)).map_err(|error| {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned();
            OutputProblem::NotJson { message, line: error.line(), column: error.column() }
        })?;
        if self.validator.is_valid(&value) {
            return Ok(value);
        }
        Err(OutputProblem::Refused { violations: violations(&self.validator, &value) })
    }
}

fn without_fence(text: &str) -> &str {
    let text = text.trim();
    let inside =
        text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```")).and_then(|rest| rest.split_once('\n'));
    match inside {
        Some((language, content)) if matches!(language.trim().to_lowercase().as_str(), "" | "json") => content.trim(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn output_is_read_through_one_fence() {
        let schema = json!({"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}, "n": {"maximum": 1}}});
        let schema = OutputSchema::new(schema).unwrap();
        for text in ["{\"answer\": \"x\"}", "```json\n{\"answer\": \"x\"}\n```", " ```\n{\"answer\": \"x\"}```\n"] {
            assert_eq!(schema.check(text), Ok(json!({"answer": "x"})), "{text}");
        }
        assert!(matches!(schema.check("Sure! {}"), Err(OutputProblem::NotJson { line: 1, column: 1, .. })));
        let refused = schema.check("{\"n\": 2}").unwrap_err().to_string();
        assert!(
            refused.contains("\"answer\" is a required property") && refused.contains("/n: 2 is greater"),
            "{refused}"
        );
        assert!(OutputSchema::new(json!({"type": 7})).is_err());
    }
}
