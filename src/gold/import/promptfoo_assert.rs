use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::collect::Collector;
use crate::gold::{Check, Grader};

/// What a test's assertions come to.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) graders: Vec<Grader>,
    /// Variables that assertions use.
    pub(super) used: BTreeSet<String>,
    /// Whether the test expects a refusal.
    pub(super) refuses: bool,
    references: Vec<String>,
    mentions: Vec<String>,
}

impl Judged {
    /// The whole answers that assertions compare with; failing that, what an answer must mention.
    pub(super) fn expected(&self) -> Vec<String> {
        match (self.refuses, self.references.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => self.mentions.clone(),
            (false, false) => self.references.clone(),
        }
    }
}

/// Adds what one assertion asks for, with the variables filled in.
pub(super) fn judge(
    assert: &Value,
    vars: &Map<String, Value>,
    place: &str,
    collector: &mut Collector,
    into: &mut Judged,
) {
    let Some(kind) = assert.get("type").and_then(Value::as_str) else {
        return collector.note(place, "an assertion without a type: left out");
    };
    if kind == "assert-set" {
        collector.note(place, "an assert-set is taken apart; its own threshold and weight are not kept");
        let members = assert.get("assert").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        return members.iter().for_each(|member| judge(member, vars, place, collector, into));
    }
    let value = assert.get("value").map(|value| filled(value, vars, &mut into.used)).unwrap_or_default();
    let Some(check) = check(kind, &value, assert.get("threshold"), place, collector, into) else { return };
    let weight = match assert.get("weight").map(Value::as_f64) {
        None => 1.0,
        Some(Some(weight)) if weight >= 0.0 => weight,
        Some(_) => {
            collector.note(place, "a weight that is not a number of at least 0: taken as 1");
            1.0
        }
    };
    let ignored = assert.as_object().into_iter().flat_map(Map::keys);
    for key in ignored.filter(|key| !matches!(key.as_str(), "type" | "value" | "weight" | "threshold")) {
        collector.note(format!("{place}.{key}"), format!("`{key}` of an assertion has no counterpart"));
    }
    into.graders.push(Grader { check, weight });
}

fn check(
    kind: &str,
    value: &Value,
    threshold: Option<&Value>,
    place: &str,
    collector: &mut Collector,
    into: &mut Judged,
) -> Option<Check> {
    if let Some(text) = texts(value).iter().find(|text| text.starts_with("file://") || text.contains("{{")) {
        collector.note(place, format!("`{text}` cannot be filled in: the assertion `{kind}` is left out"));
        return None;
    }
    let mut left_out = |what: String| {
        collector.note(place, what);
        None
    };
    let values = listed(value);
    if matches!(kind, "similar" | "bleu") && threshold.is_some() {
        left_out(format!("the threshold of `{kind}` is not kept: the grader's score counts as it is"));
    }
    if matches!(kind, "contains" | "contains-all" | "contains-any" | "not-contains") {
        left_out(format!("`{kind}` is case-sensitive in promptfoo; here it ignores case"));
    }
    match kind {
        "equals" | "similar" | "bleu" | "starts-with" | "contains" | "icontains" | "not-contains" | "not-icontains"
        | "regex"
            if values.is_empty() || value.is_object() =>
        {
            left_out(format!("`{kind}` without a text to compare with is left out"))
        }
        "contains-all" | "contains-any" | "icontains-all" | "icontains-any" if values.is_empty() => {
            left_out(format!("`{kind}` without a text to compare with is left out"))
        }
        "equals" => {
            into.references.extend(texts(value));
            Some(Check::Exact { case_sensitive: true })
        }
        "similar" => {
            into.references.extend(texts(value));
            Some(Check::Similarity {})
        }
        "bleu" => {
            into.references.extend(texts(value));
            Some(Check::Bleu {})
        }
        "contains" | "icontains" => {
            into.mentions.extend(texts(value));
            Some(Check::ContainsAll { values: texts(value) })
        }
        "contains-all" | "icontains-all" => {
            into.mentions.push(values.join(" "));
            Some(Check::ContainsAll { values })
        }
        "contains-any" | "icontains-any" => {
            into.mentions.extend(values.clone());
            Some(Check::ContainsAny { values })
        }
        "not-contains" | "not-icontains" => Some(Check::NotContains { values: texts(value) }),
        "not-contains-any" | "not-icontains-any" if !values.is_empty() => Some(Check::NotContains { values }),
        "starts-with" => {
            into.mentions.extend(texts(value));
            Some(Check::Regex { pattern: format!(r"\A{}", regex::escape(&plain_text(value))) })
        }
        "regex" => Some(Check::Regex { pattern: plain_text(value) }),
        "is-json" => match schema(value) {
            Some(schema) => Some(Check::JsonSchema { schema }),
            None => left_out("`is-json` with a schema that cannot be read is left out".to_owned()),
        },
        "is-refusal" | "not-is-refusal" => {
            into.refuses |= kind == "is-refusal";
            Some(Check::Refusal { expect: Some(kind == "is-refusal") })
        }
        "latency" | "cost" => match threshold.and_then(Value::as_f64).filter(|limit| *limit >= 0.0) {
            Some(limit) if kind == "latency" => Some(Check::MaxLatencyMs { limit }),
            Some(dollars) => Some(Check::MaxCost { limit_nanousd: (dollars * 1e9).round() as i64 }),
            None => left_out(format!("`{kind}` without a threshold is left out")),
        },
        "rouge-n" | "levenshtein" => {
            into.references.extend(texts(value));
            left_out(format!("assertion `{kind}` has no counterpart; its text is kept as the expected answer"))
        }
        _ => left_out(format!("assertion `{kind}` has no counterpart")),
    }
}

fn schema(value: &Value) -> Option<Value> {
    match value {
        Value::Null => Some(Value::Object(Map::new())),
        Value::Object(_) | Value::Bool(_) => Some(value.clone()),
        Value::String(text) => serde_saphyr::from_str::<Value>(text).ok().filter(Value::is_object),
        _ => None,
    }
}

pub(super) fn plain_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A value's texts, without blank ones.
fn texts(value: &Value) -> Vec<String> {
    let texts = match value {
        Value::Array(list) => list.iter().map(plain_text).collect(),
        other => vec![plain_text(other)],
    };
    texts.into_iter().filter(|text| !text.trim().is_empty()).collect()
}

/// A value's texts, where a single text lists them with commas, as promptfoo reads it for its `-all` and `-any`.
fn listed(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        }
        other => texts(other),
    }
}

static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}").ok());
static TYPED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)\A((?:not-)?[a-z-]+)(?:\((\d+(?:\.\d+)?)\))?(?::\s*(.*))?\z").ok());

/// Fills in `{{ variable }}`s; what it does not know stays as it is.
fn filled(value: &Value, vars: &Map<String, Value>, used: &mut BTreeSet<String>) -> Value {
    match (value, &*VARIABLE) {
        (Value::Array(list), _) => Value::Array(list.iter().map(|value| filled(value, vars, used)).collect()),
        (Value::String(text), Some(variable)) => {
            let filled = variable.replace_all(text, |captures: &Captures<'_>| {
                let name = captures.get(1).map_or("", |name| name.as_str());
                match vars.get(name) {
                    Some(value) => {
                        used.insert(name.to_owned());
                        plain_text(value)
                    }
                    None => captures.get(0).map_or("", |whole| whole.as_str()).to_owned(),
                }
            });
            Value::String(filled.into_owned())
        }
        (other, _) => other.clone(),
    }
}

/// The types that may stand before a colon in a table's cell; anything else there is text.
const TYPES: &[&str] = &[
    "answer-relevance",
    "bleu",
    "classifier",
    "contains",
    "contains-all",
    "contains-any",
    "contains-json",
    "cost",
    "equals",
    "eval",
    "factuality",
    "fn",
    "grade",
    "icontains",
    "icontains-all",
    "icontains-any",
    "is-json",
    "is-refusal",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "perplexity",
    "python",
    "regex",
    "rouge-n",
    "similar",
    "starts-with",
    "webhook",
];

/// An assertion as promptfoo writes it into a table's cell: `type: value`, `type(threshold): value`, or the very text
/// that is expected.
pub(super) fn assertion_from_text(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let captures = TYPED.as_ref().and_then(|typed| typed.captures(text));
    let part = |index| captures.as_ref().and_then(|captures| captures.get(index)).map(|part| part.as_str());
    let known = |kind: &&str| TYPES.contains(&kind.strip_prefix("not-").unwrap_or(kind));
    let mut assert = Map::new();
    match part(1).filter(known) {
        Some(kind)
            if part(3).is_some()
                || matches!(kind, "is-json" | "is-refusal" | "not-is-refusal" | "latency" | "cost") =>
        {
            assert.insert("type".to_owned(), Value::from(kind));
            if let Some(value) = part(3).filter(|value| !value.is_empty()) {
                assert.insert("value".to_owned(), Value::from(value));
            }
            if let Some(threshold) = part(2).and_then(|threshold| threshold.parse::<f64>().ok()) {
                assert.insert("threshold".to_owned(), Value::from(threshold));
            }
        }
        _ => {
            assert.insert("type".to_owned(), Value::from("equals"));
            assert.insert("value".to_owned(), Value::from(text));
        }
    }
    Some(Value::Object(assert))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn judged(assert: &Value) -> (Judged, usize) {
        let mut collector = Collector::new(Path::new("a.yaml"));
        let mut judged = Judged::default();
        judge(assert, &Map::new(), "here", &mut collector, &mut judged);
        (judged, collector.finish().unmapped.len())
    }

    #[test]
    fn assertions_become_graders() {
        for (assert, grader, expected) in [
            (json!({"type": "equals", "value": 42}), json!({"type": "exact", "case_sensitive": true}), vec!["42"]),
            (
                json!({"type": "icontains", "value": "a, b"}),
                json!({"type": "contains_all", "values": "a, b"}),
                vec!["a, b"],
            ),
            (
                json!({"type": "icontains-all", "value": ["a", "b"]}),
                json!({"type": "contains_all", "values": ["a", "b"]}),
                vec!["a b"],
            ),
            (
                json!({"type": "icontains-any", "value": "a, b"}),
                json!({"type": "contains_any", "values": ["a", "b"]}),
                vec!["a", "b"],
            ),
            (json!({"type": "not-icontains", "value": "z"}), json!({"type": "not_contains", "values": "z"}), vec![]),
            (
                json!({"type": "starts-with", "value": "a.b"}),
                json!({"type": "regex", "pattern": "\\Aa\\.b"}),
                vec!["a.b"],
            ),
            (
                json!({"type": "is-json", "value": {"type": "object"}}),
                json!({"type": "json_schema", "schema": {"type": "object"}}),
                vec![],
            ),
            (
                json!({"type": "cost", "threshold": 0.002}),
                json!({"type": "max_cost", "limit_nanousd": 2_000_000}),
                vec![],
            ),
            (json!({"type": "is-refusal"}), json!({"type": "refusal", "expect": true}), vec![]),
        ] {
            let (judged, notes) = judged(&assert);
            assert_eq!(serde_json::to_value(&judged.graders).unwrap(), json!([grader]));
            assert_eq!(judged.expected(), expected, "{assert}");
            assert_eq!(notes, 0, "{assert}");
        }
    }

    #[test]
    fn what_has_no_counterpart_is_noted() {
        for (assert, graders) in [
            (json!({"type": "javascript", "value": "x"}), 0),
            (json!({"type": "rouge-n", "value": "x"}), 0),
            (json!({"type": "contains", "value": "x"}), 1),
            (json!({"type": "equals", "value": "{{ unknown | upper }}"}), 0),
            (json!({"type": "icontains", "value": "x", "metric": "m"}), 1),
            (json!({"type": "icontains", "value": "x", "weight": -1}), 1),
            (json!({"value": "x"}), 0),
        ] {
            let (judged, notes) = judged(&assert);
            assert_eq!((judged.graders.len(), notes), (graders, 1), "{assert}");
        }
    }

    #[test]
    fn cells_are_read_as_promptfoo_reads_them() {
        let cell = |text| assertion_from_text(text).unwrap();
        assert_eq!(cell("contains: x"), json!({"type": "contains", "value": "x"}));
        assert_eq!(cell("similar(0.8): x y"), json!({"type": "similar", "value": "x y", "threshold": 0.8}));
        assert_eq!(cell("note: this"), json!({"type": "equals", "value": "note: this"}));
        assert_eq!(cell("is-json"), json!({"type": "is-json"}));
        assert_eq!(cell("contains"), json!({"type": "equals", "value": "contains"}));
        assert_eq!(assertion_from_text(" "), None);
    }
}
