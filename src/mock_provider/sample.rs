use serde_json::{Map, Number, Value};

/// Schemas that refer to themselves are followed so deep.
const DEEPEST: usize = 12;

/// A value shaped like `schema` (JSON Schema, also with Gemini's upper-case types). Properties that `known` has are taken
/// from it, where their type is right; others are made up, and optional ones among them left out.
///
/// It knows types, enumerations, defaults, formats, lengths, ranges, local references and combinations; it does not
/// solve patterns or conditions.
pub(super) fn shaped(schema: &Value, known: &Value) -> Value {
    Shaper { root: schema }.value(schema, Some(known), DEEPEST)
}

struct Shaper<'a> {
    root: &'a Value,
}

impl Shaper<'_> {
    fn value(&self, schema: &Value, known: Option<&Value>, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return Value::Null };
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|name| self.resolve(name)) {
            return self.value(target, known, depth);
        }
        if let Some(merged) = all_of(schema) {
            return self.value(&merged, known, depth);
        }
        if let Some(known) = known.filter(|known| !known.is_object() && accepts(schema, known)) {
            return known.clone();
        }
        for key in ["const", "default"] {
            if let Some(value) = schema.get(key) {
                return value.clone();
            }
        }
        for key in ["enum", "examples"] {
            if let Some(value) = schema.get(key).and_then(Value::as_array).and_then(|values| values.first()) {
                return value.clone();
            }
        }
        for key in ["anyOf", "oneOf"] {
            let Some(choices) = schema.get(key).and_then(Value::as_array) else { continue };
            let fitting = choices.iter().find(|choice| known.is_some_and(|known| accepts(choice, known)));
            if let Some(choice) = fitting.or(choices.first()) {
                return self.value(choice, known, depth);
            }
        }
        match kind(schema) {
            "object" => self.object(schema, known, depth),
            "array" => {
                let item = schema.get("items").unwrap_or(&Value::Bool(true));
                let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(100);
                (0..count).map(|_| self.value(item, None, depth)).collect()
            }
            "integer" => number(schema, true),
            "number" => number(schema, false),
            "boolean" => true.into(),
            "null" => Value::Null,
            _ => text(schema).into(),
        }
    }

    fn object(&self, schema: &Value, known: Option<&Value>, depth: usize) -> Value {
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut object = Map::new();
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let known = known.and_then(|known| known.get(name));
            if known.is_some_and(|known| accepts(property, known)) || required.contains(&name.as_str()) {
                object.insert(name.clone(), self.value(property, known, depth));
            }
        }
        // Without any properties everything is one, and what is known is as good as anything.
        if let (None, Some(Value::Object(known))) = (schema.get("properties"), known) {
            object.clone_from(known);
        }
        for name in required {
            object.entry(name).or_insert_with(|| "sample".into());
        }
        Value::Object(object)
    }

    /// The part of the whole schema that `#/…` names.
    fn resolve(&self, reference: &str) -> Option<&Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }
}

/// A schema that says with `allOf` what belongs together, as one.
fn all_of(schema: &Value) -> Option<Value> {
    let parts = schema.get("allOf")?.as_array()?;
    let mut merged = schema.as_object()?.clone();
    merged.shift_remove("allOf");
    for (key, value) in parts.iter().filter_map(Value::as_object).flatten() {
        match (merged.get_mut(key), value) {
            (Some(Value::Object(there)), Value::Object(more)) => there.extend(more.clone()),
            (Some(Value::Array(there)), Value::Array(more)) => there.extend(more.clone()),
            _ => {
                merged.insert(key.clone(), value.clone());
            }
        }
    }
    Some(Value::Object(merged))
}

/// The type that a schema asks for; the first of several, and what its other words imply when it names none.
fn kind(schema: &Value) -> &'static str {
    let named = match schema.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    let known = ["object", "array", "integer", "number", "boolean", "null", "string"];
    let named = named.and_then(|named| known.into_iter().find(|known| known.eq_ignore_ascii_case(named)));
    let implied = || match () {
        () if schema.get("items").is_some() => "array",
        () if schema.get("minimum").is_some() || schema.get("maximum").is_some() => "number",
        () if schema.get("minLength").is_some() || schema.get("pattern").is_some() => "string",
        () => "object",
    };
    named.unwrap_or_else(implied)
}

/// Whether a known value can stand where `schema` is, as far as a glance tells.
fn accepts(schema: &Value, known: &Value) -> bool {
    let combined = ["$ref", "anyOf", "oneOf", "allOf"].iter().any(|key| schema.get(key).is_some());
    let listed = schema.get("enum").and_then(Value::as_array).is_none_or(|values| values.contains(known));
    let typed = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).any(|name| is_of(name, known)),
        Some(Value::String(name)) => is_of(name, known),
        _ => true,
    };
    combined || (listed && typed)
}

fn is_of(name: &str, value: &Value) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => value.is_string(),
    }
}

fn number(schema: &Value, is_integer: bool) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = if is_integer { 1.0 } else { 0.5 };
    let lowest = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + step));
    let highest = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - step));
    let value = 1.0_f64.max(lowest.unwrap_or(1.0));
    let value = highest.map_or(value, |highest| value.min(highest));
    let value = bound("multipleOf").filter(|step| *step > 0.0).map_or(value, |step| (value / step).ceil() * step);
    if is_integer { (value.ceil() as i64).into() } else { Number::from_f64(value).map_or(1.into(), Value::Number) }
}

fn text(schema: &Value) -> String {
    let sample = match schema.get("format").and_then(Value::as_str) {
        Some("date") => "2026-01-31",
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("time") => "12:00:00Z",
        Some("duration") => "PT1H",
        Some("email") => "sample@example.com",
        Some("uri" | "url") => "https://example.com/",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => "sample",
    };
    let length = |key: &str| schema.get(key).and_then(Value::as_u64);
    let at_least = length("minLength").unwrap_or(0).min(10_000) as usize;
    let at_most = length("maxLength").unwrap_or(u64::MAX) as usize;
    let padding = std::iter::repeat_n('x', at_least.saturating_sub(sample.len()));
    sample.chars().chain(padding).take(at_most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::providers::OutputSchema;

    #[test]
    fn what_is_made_up_satisfies_its_schema() {
        for schema in [
            json!({"type": "object", "required": ["id", "when", "tags"], "properties": {
                "id": {"type": "string", "minLength": 10}, "when": {"type": "string", "format": "date-time"},
                "tags": {"type": "array", "minItems": 2, "items": {"enum": ["a", "b"]}}, "note": {"type": "string"}}}),
            json!({"type": "object", "required": ["n", "x", "k"], "properties": {
                "n": {"type": "integer", "minimum": 3, "maximum": 9, "multipleOf": 4},
                "x": {"type": "number", "exclusiveMaximum": 0.5}, "k": {"type": ["null", "string"]}}}),
            json!({"$defs": {"node": {"type": "object", "required": ["v"],
                "properties": {"v": {"type": "boolean"}, "next": {"$ref": "#/$defs/node"}}}},
                "type": "object", "required": ["head"], "properties": {"head": {"$ref": "#/$defs/node"}}}),
            json!({"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"const": 7}}},
                {"required": ["b"], "properties": {"b": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}]}),
            json!({"type": "object", "required": ["undeclared"]}),
        ] {
            let made_up = shaped(&schema, &Value::Null);
            let checked = OutputSchema::new(schema.clone()).unwrap().check(&made_up.to_string());
            assert!(checked.is_ok(), "{schema} {made_up} {checked:?}");
        }
    }

    #[test]
    fn what_is_known_is_used_where_its_type_is_right() {
        let schema = json!({"type": "OBJECT", "required": ["answer", "confidence"], "properties": {
            "answer": {"type": "STRING"}, "confidence": {"type": "STRING"}, "refused": {"type": "BOOLEAN"},
            "citations": {"type": "ARRAY", "items": {"type": "STRING"}}}});
        let known = json!({"answer": "Yes.", "confidence": 0.5, "refused": false, "citations": ["a#b"], "other": 1});
        let expected = json!({"answer": "Yes.", "confidence": "sample", "refused": false, "citations": ["a#b"]});
        assert_eq!(shaped(&schema, &known), expected);
        assert_eq!(shaped(&json!({"type": "object"}), &known), known);
    }

    #[test]
    fn a_schema_without_an_end_ends() {
        let schema = json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(shaped(&schema, &Value::Null).is_object());
        assert_eq!(shaped(&json!({"$ref": "#"}), &Value::Null), Value::Null);
    }
}
