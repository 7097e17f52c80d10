use serde_json::{Map, Value, json};

/// Keywords that say nothing about which values fit.
const ANNOTATIONS: &[&str] = &[
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "$schema",
    "$id",
    "$anchor",
    "$defs",
    "definitions",
];

/// A schema as an object.
pub(super) type Schema = Map<String, Value>;

/// A schema as an object without annotations, local references replaced by what they refer to, except those within
/// themselves. `true` is an empty object, and `false` one that nothing fits.
pub(super) fn inlined(schema: &Value) -> Schema {
    within(schema, schema, &mut Vec::new())
}

fn within(schema: &Value, root: &Value, open: &mut Vec<String>) -> Schema {
    let schema = match schema {
        Value::Object(object) => object,
        Value::Bool(false) => return Map::from_iter([("not".to_owned(), json!({}))]),
        _ => return Map::new(),
    };
    let mut whole = Map::new();
    for (key, value) in schema.iter().filter(|(key, _)| *key != "$ref" && !ANNOTATIONS.contains(&key.as_str())) {
        let value = match (key.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(schemas)) => {
                let schemas =
                    schemas.iter().map(|(name, schema)| (name.clone(), Value::Object(within(schema, root, open))));
                Value::Object(schemas.collect())
            }
            ("items" | "additionalProperties" | "not" | "contains" | "propertyNames" | "if" | "then" | "else", _) => {
                within(value, root, open).into()
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter().map(|schema| Value::Object(within(schema, root, open))).collect()
            }
            _ => value.clone(),
        };
        whole.insert(key.clone(), value);
    }
    let Some(reference) = schema.get("$ref") else { return whole };
    let name = reference.as_str().unwrap_or_default();
    let target = name.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
    match target.filter(|_| !open.iter().any(|outer| outer == name)) {
        None => drop(whole.insert("$ref".to_owned(), reference.clone())),
        Some(target) => {
            open.push(name.to_owned());
            let target = within(target, root, open);
            open.pop();
            if whole.is_empty() {
                return target;
            }
            // Both hold.
            whole.insert("$ref".to_owned(), target.into());
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_and_annotations_dropped() {
        let schema = json!({"title": "t", "properties": {"title": {"$ref": "#/$defs/a~1b"}, "any": true, "none": false},
            "$defs": {"a/b": {"type": "array", "description": "d", "items": {"$ref": "#/$defs/c"}}, "c": {"type": "null"}}});
        let expected = json!({"properties": {"title": {"type": "array", "items": {"type": "null"}}, "any": {}, "none": {"not": {}}}});
        assert_eq!(Value::Object(inlined(&schema)), expected);
    }

    #[test]
    fn a_reference_within_itself_stays() {
        let schema = json!({"properties": {"next": {"$ref": "#"}}});
        let expected = json!({"properties": {"next": {"properties": {"next": {"$ref": "#"}}}}});
        assert_eq!(Value::Object(inlined(&schema)), expected);
    }

    #[test]
    fn what_stands_beside_a_reference_holds_too() {
        let schema =
            json!({"properties": {"x": {"$ref": "#/$defs/d", "maxLength": 3}}, "$defs": {"d": {"type": "string"}}});
        let expected = json!({"properties": {"x": {"maxLength": 3, "$ref": {"type": "string"}}}});
        assert_eq!(Value::Object(inlined(&schema)), expected);
    }
}
