use serde_json::{Map, Value};

/// How deep references and nesting are followed.
const MAX_DEPTH: usize = 16;

/// A value that a JSON Schema describes: its first example, its default, or something plain of the right type.
pub(super) fn sample(schema: &Value) -> Value {
    of(schema, schema, "text", MAX_DEPTH)
}

fn of(schema: &Value, root: &Value, name: &str, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let inner = |schema: &Value, name: &str| of(schema, root, name, depth - 1);
    let first = |key: &str| schema.get(key).and_then(Value::as_array).and_then(|list| list.first());
    if let Some(value) = first("examples").or_else(|| schema.get("default")).or_else(|| schema.get("const")) {
        return value.clone();
    }
    if let Some(value) = first("enum") {
        return value.clone();
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) {
        return root.pointer(target).map_or(Value::Null, |target| inner(target, name));
    }
    if let Some(alternative) = first("anyOf").or_else(|| first("oneOf")) {
        return inner(alternative, name);
    }
    let kind = schema.get("type").and_then(Value::as_str).or_else(|| first("type").and_then(Value::as_str));
    match kind {
        Some("string") => Value::from(format!("sample {name}")),
        Some("boolean") => Value::from(false),
        Some("integer") => schema.get("minimum").cloned().unwrap_or_else(|| Value::from(1)),
        Some("number") => schema.get("minimum").cloned().unwrap_or_else(|| Value::from(0.5)),
        Some("array") => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 100);
            let item = schema.get("items").map_or(Value::from("sample item"), |items| inner(items, name));
            (0..count).map(|_| item.clone()).collect()
        }
        _ => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                Value::Object(properties.iter().map(|(name, schema)| (name.clone(), inner(schema, name))).collect())
            }
            None if kind == Some("object") => Value::Object(Map::new()),
            None => Value::Null,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sample_is_accepted_by_its_schema() {
        let schema = json!({
            "type": "object",
            "required": ["question", "passages", "mode", "count"],
            "properties": {
                "question": {"type": "string", "examples": ["how?"]},
                "passages": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/passage"}},
                "mode": {"enum": ["a", "b"]},
                "count": {"type": ["integer", "null"], "minimum": 3},
            },
            "$defs": {"passage": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}},
        });
        let value = sample(&schema);
        assert!(jsonschema::is_valid(&schema, &value), "{value}");
        assert_eq!(value["question"], "how?");
        assert_eq!(value["passages"][1]["id"], "sample id");
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema).is_object());
    }
}
