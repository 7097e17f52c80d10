use crate::gold::Check;

use super::compiled;

/// A grader's setting that cannot work, whatever the answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckError {
    /// The regular expression does not compile.
    #[error("`pattern` is not a regular expression: {reason}")]
    BadPattern {
        /// What the compiler says.
        reason: String,
    },
    /// The JSON Schema does not compile.
    #[error("`schema` is not a JSON Schema: {reason}")]
    BadSchema {
        /// What the compiler says.
        reason: String,
    },
    /// A list that must name something names nothing.
    #[error("`{field}` is empty")]
    Empty {
        /// The list.
        field: &'static str,
    },
    /// One entry of a list is empty; every answer contains it.
    #[error("`{field}` holds an empty text")]
    EmptyEntry {
        /// The list.
        field: &'static str,
    },
    /// A number that must not be negative.
    #[error("`{field}` is {value}; it must be 0 or more")]
    Negative {
        /// The setting.
        field: &'static str,
        /// What it is.
        value: f64,
    },
    /// A share outside 0..=1.
    #[error("`{field}` is {value}; it must be between 0 and 1")]
    NotAShare {
        /// The setting.
        field: &'static str,
        /// What it is.
        value: f64,
    },
    /// A number that must be at least 1.
    #[error("`{field}` is 0; it must be 1 or more")]
    Zero {
        /// The setting.
        field: &'static str,
    },
}

/// Whether a check's settings can work at all; to be asked when a gold set is read.
pub fn validate(check: &Check) -> Result<(), CheckError> {
    match check {
        Check::ContainsAll { values } | Check::ContainsAny { values } | Check::NotContains { values } => {
            filled("values", values)
        }
        Check::Regex { pattern } => match compiled::regex(pattern) {
            Ok(_) => Ok(()),
            Err(reason) => Err(CheckError::BadPattern { reason }),
        },
        Check::JsonSchema { schema } => match compiled::schema(schema) {
            Ok(_) => Ok(()),
            Err(reason) => Err(CheckError::BadSchema { reason }),
        },
        Check::Numeric { tolerance, relative, .. } => {
            not_negative("tolerance", *tolerance)?;
            not_negative("relative", *relative)
        }
        Check::Retrieval { k, .. } => above_zero("k", *k == 0),
        Check::Grounded { support } if !(0.0..=1.0).contains(support) => {
            Err(CheckError::NotAShare { field: "support", value: *support })
        }
        Check::MaxLatencyMs { limit } => not_negative("limit", *limit),
        Check::MaxCost { limit_nanousd } => not_negative("limit_nanousd", *limit_nanousd as f64),
        Check::Command { command, timeout_ms } => {
            let program = command.first().ok_or(CheckError::Empty { field: "command" })?;
            // An argument may be empty; the program may not.
            filled("command", std::slice::from_ref(program))?;
            above_zero("timeout_ms", *timeout_ms == 0)
        }
        Check::Exact { .. }
        | Check::TokenF1 {}
        | Check::RougeL {}
        | Check::Bleu {}
        | Check::Cites {}
        | Check::Grounded { .. }
        | Check::Refusal { .. }
        | Check::Similarity {}
        // Blank rubrics and prompts without a version are refused where a set is read.
        | Check::Judge { .. } => Ok(()),
    }
}

fn filled(field: &'static str, values: &[String]) -> Result<(), CheckError> {
    if values.is_empty() {
        return Err(CheckError::Empty { field });
    }
    if values.iter().any(|value| value.trim().is_empty()) {
        return Err(CheckError::EmptyEntry { field });
    }
    Ok(())
}

fn not_negative(field: &'static str, value: f64) -> Result<(), CheckError> {
    if value >= 0.0 { Ok(()) } else { Err(CheckError::Negative { field, value }) }
}

fn above_zero(field: &'static str, zero: bool) -> Result<(), CheckError> {
    if zero { Err(CheckError::Zero { field }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let none = || Vec::<String>::new();
        let bad = [
            (Check::Regex { pattern: "a(".into() }, "`pattern` is not a regular expression: unclosed group"),
            (Check::ContainsAll { values: none() }, "`values` is empty"),
            (Check::NotContains { values: vec!["a".into(), " ".into()] }, "`values` holds an empty text"),
            (Check::Numeric { value: None, tolerance: -1.0, relative: 0.0 }, "`tolerance` is -1; it must be 0 or more"),
            (Check::Retrieval { metric: crate::gold::RetrievalMetric::Mrr, k: 0 }, "`k` is 0; it must be 1 or more"),
            (Check::Grounded { support: 1.5 }, "`support` is 1.5; it must be between 0 and 1"),
            (Check::MaxLatencyMs { limit: -0.5 }, "`limit` is -0.5; it must be 0 or more"),
            (Check::MaxCost { limit_nanousd: -3 }, "`limit_nanousd` is -3; it must be 0 or more"),
            (Check::Command { command: none(), timeout_ms: 1 }, "`command` is empty"),
            (Check::Command { command: vec![String::new()], timeout_ms: 1 }, "`command` holds an empty text"),
            (Check::Command { command: vec!["true".into()], timeout_ms: 0 }, "`timeout_ms` is 0; it must be 1 or more"),
        ];
        for (check, message) in bad {
            assert_eq!(validate(&check).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_schema_that_is_none_and_one_that_points_outside_are_refused() {
        for schema in [json!({"type": "strin"}), json!({"$ref": "https://example.com/other.json"}), json!(7)] {
            let error = validate(&Check::JsonSchema { schema }).unwrap_err();
            assert!(matches!(error, CheckError::BadSchema { .. }), "{error}");
        }
        assert_eq!(validate(&Check::JsonSchema { schema: json!({"type": "string"}) }), Ok(()));
    }

    #[test]
    fn settings_that_work_pass() {
        for check in [
            Check::TokenF1 {},
            Check::Regex { pattern: r"\d+".into() },
            Check::Grounded { support: 0.0 },
            Check::MaxCost { limit_nanousd: 0 },
            Check::Command { command: vec!["grep".into(), String::new()], timeout_ms: 1 },
        ] {
            assert_eq!(validate(&check), Ok(()), "{check:?}");
        }
    }
}
