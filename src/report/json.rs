use serde_json::{Map, Value};

use super::{Render, neutral};

/// The serialized outcome behind its `schema` field; NaN and the infinities become null.
///
/// An outcome that is no JSON object stands in the field `value`.
pub(super) fn page<R: Render + ?Sized>(outcome: &R) -> Result<String, serde_json::Error> {
    let schema = format!("{}/v{}", outcome.schema_name(), outcome.schema_version());
    let mut published = Map::from_iter([("schema".to_owned(), Value::String(schema))]);
    match serde_json::to_value(outcome)? {
        Value::Object(fields) => published.extend(fields),
        other => {
            published.insert("value".to_owned(), other);
        }
    }
    Ok(escape(&serde_json::to_string_pretty(&published)?) + "\n")
}

/// Writes the dangerous characters that JSON permits in strings (DEL, C1, bidirectional overrides) as `\uXXXX`:
/// the same value, and harmless in a terminal. Outside of strings only line breaks can occur.
pub fn escape(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && neutral::is_dangerous(c) {
            put!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Document;

    #[derive(serde::Serialize)]
    #[serde(transparent)]
    struct Outcome(Value);

    impl Render for Outcome {
        fn schema_name(&self) -> &'static str {
            "thing"
        }
        fn schema_version(&self) -> u32 {
            2
        }
        fn document(&self) -> Document {
            Document::new("Thing")
        }
    }

    #[test]
    fn the_schema_comes_first_and_fields_keep_their_order() {
        let json = page(&Outcome(serde_json::json!({"b": 1, "a": f64::NAN}))).unwrap();
        assert_eq!(json, "{\n  \"schema\": \"thing/v2\",\n  \"b\": 1,\n  \"a\": null\n}\n");
    }

    #[test]
    fn escaped_characters_keep_their_value() {
        let text = "\u{9b}31m \u{202e} \u{7f} \u{1b}[2J é\n";
        let json = page(&Outcome(serde_json::json!([text]))).unwrap();
        assert!(!json.contains(|c| c != '\n' && neutral::is_dangerous(c)));
        let back: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["value"][0], text);
    }
}
