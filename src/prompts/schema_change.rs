use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::compat::{BreakingChange, Side};
use super::schema_inline::{Schema, inlined};

/// Keywords that are compared one by one, each by its own rule.
const COMPARED: &[&str] = &["type", "enum", "const", "properties", "required", "additionalProperties", "items"];
/// Keywords that only ever rule values out: one that is new narrows, one that is gone widens.
const CONDITIONS: &[&str] = &["pattern", "format", "multipleOf", "uniqueItems", "not"];
/// Bounds from below and from above.
const LOWER: &[&str] = &["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
const UPPER: &[&str] = &["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Every type; an integer is a number too.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// What breaks for those who relied on the schema `before`, an object's, once `after` holds in its place.
///
/// Inputs must go on accepting what they accepted, and outputs must not bring what they did not bring, nor lack what they
/// had. References within a schema are followed; the rest of what JSON Schema knows is only found to differ.
pub(super) fn schema_changes(side: Side, before: &Value, after: &Value) -> Vec<BreakingChange> {
    let mut walk = Walk { side, found: Vec::new() };
    let whole = |schema: &Value| {
        let mut schema = inlined(schema);
        schema.entry("type").or_insert_with(|| json!("object"));
        schema
    };
    walk.compare("", &whole(before), &whole(after));
    walk.found
}

struct Walk {
    side: Side,
    found: Vec<BreakingChange>,
}

impl Walk {
    fn report(&mut self, path: &str, what: impl Into<String>) {
        let change = BreakingChange { side: self.side, path: path.to_owned(), what: what.into() };
        if !self.found.contains(&change) {
            self.found.push(change);
        }
    }

    fn compare(&mut self, path: &str, before: &Schema, after: &Schema) {
        if before == after {
            return;
        }
        self.types(path, before, after);
        self.values(path, before, after);
        self.bounds(path, before, after);
        self.rest(path, before, after);
        self.properties(path, before, after);
        self.others(path, before, after);
        let items = |schema: &Schema| schema.get("items").and_then(Value::as_object).cloned().unwrap_or_default();
        self.compare(&format!("{path}[]"), &items(before), &items(after));
    }

    fn types(&mut self, path: &str, before: &Schema, after: &Schema) {
        let (old, new) = (types(before), types(after));
        let (had, has) = (said(&old), said(&new));
        let is_untold = old.len() == TYPES.len();
        match self.side {
            Side::Inputs if !old.is_subset(&new) => {
                self.report(path, format!("accepted {had}, and now accepts {has}"));
            }
            // What was never promised cannot be missed.
            Side::Outputs if old != new && !is_untold => self.report(path, format!("was {had}, and is now {has}")),
            _ => {}
        }
    }

    fn values(&mut self, path: &str, before: &Schema, after: &Schema) {
        match (values(before), values(after), self.side) {
            (Some(old), Some(new), _) => {
                let gone: Vec<String> = missing(&old, &new);
                if !gone.is_empty() {
                    let verb = if self.side == Side::Inputs { "no longer accepts" } else { "can no longer be" };
                    self.report(path, format!("{verb} {}", gone.join(", ")));
                }
                let added = missing(&new, &old);
                if self.side == Side::Outputs && !added.is_empty() {
                    self.report(path, format!("can now be {}, which consumers do not know", added.join(", ")));
                }
            }
            (None, Some(new), Side::Inputs) => {
                self.report(path, format!("accepts nothing any more but {}", missing(&new, &[]).join(", ")));
            }
            (None, Some(new), Side::Outputs) if types(before).len() < TYPES.len() => {
                self.report(path, format!("can no longer be anything but {}", missing(&new, &[]).join(", ")));
            }
            (Some(_), None, Side::Outputs) => {
                self.report(path, "is no longer one of a list of values that consumers know");
            }
            _ => {}
        }
    }

    fn bounds(&mut self, path: &str, before: &Schema, after: &Schema) {
        let bounds = LOWER.iter().map(|key| (*key, 1.0)).chain(UPPER.iter().map(|key| (*key, -1.0)));
        for (key, sign) in bounds {
            let bound = |schema: &Schema| schema.get(key).and_then(Value::as_f64);
            let (old, new) = (bound(before), bound(after));
            // Without a bound it is infinitely wide.
            let tightness = |bound: Option<f64>| bound.map_or(f64::NEG_INFINITY, |bound| bound * sign);
            let breaks = match self.side {
                Side::Inputs => tightness(new) > tightness(old),
                Side::Outputs => tightness(new) < tightness(old),
            };
            if breaks {
                let shown = |bound: Option<f64>| bound.map_or_else(|| "none".to_owned(), |bound| bound.to_string());
                let verb = if self.side == Side::Inputs { "was tightened" } else { "was loosened" };
                self.report(path, format!("`{key}` {verb}: it was {}, and is {}", shown(old), shown(new)));
            }
        }
    }

    fn rest(&mut self, path: &str, before: &Schema, after: &Schema) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let own_rule = [COMPARED, LOWER, UPPER].concat();
        for key in keys.into_iter().filter(|key| !own_rule.contains(&key.as_str())) {
            let (old, new) = (before.get(key), after.get(key));
            let harmless = match self.side {
                Side::Inputs => new.is_none(),
                Side::Outputs => old.is_none(),
            };
            if old != new && !(harmless && CONDITIONS.contains(&key.as_str())) {
                self.report(path, format!("`{key}` was changed in a way that cannot be compared"));
            }
        }
    }

    fn properties(&mut self, path: &str, before: &Schema, after: &Schema) {
        let child = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let (old, new) = (required(before), required(after));
        let is_input = self.side == Side::Inputs;
        let changed = if is_input { new.difference(&old) } else { old.difference(&new) };
        let properties = |schema: &Schema| schema.get("properties").and_then(Value::as_object).cloned();
        let (had, has) = (properties(before).unwrap_or_default(), properties(after).unwrap_or_default());
        for name in changed.filter(|name| is_input || has.contains_key(**name)) {
            let what = if is_input { "is now required" } else { "is no longer required" };
            self.report(&child(name), what);
        }
        for (name, old) in &had {
            match (old.as_object(), has.get(name).and_then(Value::as_object)) {
                (_, None) => self.report(&child(name), "was removed"),
                (Some(old), Some(new)) => self.compare(&child(name), old, new),
                (None, Some(_)) => {}
            }
        }
    }

    /// Properties that are not declared by name.
    fn others(&mut self, path: &str, before: &Schema, after: &Schema) {
        let others = |schema: &Schema| {
            schema.get("additionalProperties").and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let (old, new) = (others(before), others(after));
        let is_closed = |schema: &Schema| schema.get("not") == Some(&json!({}));
        match (is_closed(&old), is_closed(&new), self.side) {
            (false, true, Side::Inputs) => self.report(path, "no longer accepts other properties"),
            (false, true, Side::Outputs) if !old.is_empty() => self.report(path, "no longer has other properties"),
            (false, false, _) => {
                self.compare(&if path.is_empty() { "*".to_owned() } else { format!("{path}.*") }, &old, &new);
            }
            _ => {}
        }
    }
}

/// The types that fit; all of them where nothing is said.
fn types(schema: &Schema) -> BTreeSet<&str> {
    let mut types: BTreeSet<&str> = match (schema.get("type"), values(schema)) {
        (Some(Value::String(one)), _) => BTreeSet::from([one.as_str()]),
        (Some(Value::Array(several)), _) => several.iter().filter_map(Value::as_str).collect(),
        (_, Some(values)) => values.into_iter().map(type_of).collect(),
        _ => TYPES.into(),
    };
    if types.contains("number") {
        types.insert("integer");
    }
    types
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn said(types: &BTreeSet<&str>) -> String {
    if types.len() == TYPES.len() {
        return "any value".to_owned();
    }
    let is_implied = |kind: &&&str| **kind == "integer" && types.contains("number");
    types.iter().filter(|kind| !is_implied(kind)).copied().collect::<Vec<_>>().join(" or ")
}

/// The values that fit, where they are listed.
fn values(schema: &Schema) -> Option<Vec<&Value>> {
    let list = schema.get("enum").and_then(Value::as_array).map(|list| list.iter().collect());
    list.or_else(|| schema.get("const").map(|value| vec![value]))
}

fn missing(these: &[&Value], from: &[&Value]) -> Vec<String> {
    these.iter().filter(|value| !from.contains(value)).map(ToString::to_string).collect()
}

fn required(schema: &Schema) -> BTreeSet<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(side: Side, before: &Value, after: &Value) -> Vec<String> {
        let found = schema_changes(side, before, after);
        found.into_iter().map(|change| format!("{}: {}", change.path, change.what)).collect()
    }

    fn both(before: &Value, after: &Value) -> [Vec<String>; 2] {
        [Side::Inputs, Side::Outputs].map(|side| changes(side, before, after))
    }

    fn property(schema: &Value) -> Value {
        json!({"type": "object", "properties": {"x": schema}})
    }

    #[test]
    fn the_bundled_kind_of_schema_is_walked_by_path() {
        let passages = |item: Value| {
            json!({"type": "object", "required": ["question"], "additionalProperties": false, "properties": {
            "question": {"type": "string"}, "passages": {"type": "array", "items": item}}})
        };
        let old = passages(json!({"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string"}, "heading": {"type": "string"}}}));
        let new = passages(json!({"type": "object", "required": ["id", "text"], "properties": {
            "id": {"type": "integer"}, "text": {"type": "string"}}}));
        let [inputs, outputs] = both(&old, &new);
        assert_eq!(
            inputs,
            [
                "passages[].text: is now required",
                "passages[].id: accepted string, and now accepts integer",
                "passages[].heading: was removed",
            ]
        );
        assert_eq!(outputs, ["passages[].id: was string, and is now integer", "passages[].heading: was removed"]);
        // Backwards it is the other way round; a new property alone breaks nobody.
        assert_eq!(both(&new, &old)[1][0], "passages[].id: was integer, and is now string");
        let more = passages(json!({"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string"}, "heading": {"type": "string"}, "text": {"type": "string"}}}));
        assert_eq!(both(&old, &more), [[""; 0], [""; 0]]);
    }

    #[test]
    fn types_may_widen_for_inputs_and_must_stay_for_outputs() {
        let cases = [
            (json!({"type": "string"}), json!({"type": ["string", "null"]}), 0, 1),
            (json!({"type": ["string", "null"]}), json!({"type": "string"}), 1, 1),
            (json!({"type": "integer"}), json!({"type": "number"}), 0, 1),
            (json!({"type": "number"}), json!({"type": "integer"}), 1, 1),
            (json!({}), json!({"type": "string"}), 1, 0),
            (json!(true), json!({}), 0, 0),
            (json!({"enum": ["a"]}), json!({"type": "string", "enum": ["a"]}), 0, 0),
            (json!({"type": "string", "title": "a"}), json!({"type": "string", "description": "b"}), 0, 0),
        ];
        for (before, after, inputs, outputs) in cases {
            let found = both(&property(&before), &property(&after)).map(|changes| changes.len());
            assert_eq!(found, [inputs, outputs], "{before} → {after}");
        }
    }

    #[test]
    fn listed_values_may_grow_for_inputs_and_must_stay_for_outputs() {
        let two = property(&json!({"type": "string", "enum": ["a", "b"]}));
        let three = property(&json!({"type": "string", "enum": ["a", "b", "c"]}));
        let any = property(&json!({"type": "string"}));
        assert_eq!(both(&two, &three), [vec![], vec!["x: can now be \"c\", which consumers do not know".to_owned()]]);
        assert_eq!(
            both(&three, &two),
            [vec!["x: no longer accepts \"c\"".to_owned()], vec!["x: can no longer be \"c\"".to_owned()]]
        );
        assert_eq!(both(&two, &any).map(|changes| changes.len()), [0, 1]);
        assert_eq!(both(&any, &two).map(|changes| changes.len()), [1, 1]);
        let one = property(&json!({"type": "string", "const": "a"}));
        assert_eq!(both(&one, &two).map(|changes| changes.len()), [0, 1]);
    }

    #[test]
    fn required_properties_may_get_fewer_for_inputs_and_more_for_outputs() {
        let optional = json!({"properties": {"x": {"type": "string"}}});
        let required = json!({"required": ["x"], "properties": {"x": {"type": "string"}}});
        assert_eq!(both(&optional, &required), [vec!["x: is now required".to_owned()], vec![]]);
        assert_eq!(both(&required, &optional), [vec![], vec!["x: is no longer required".to_owned()]]);
        assert_eq!(both(&required, &json!({})), [["x: was removed"], ["x: was removed"]]);
    }

    #[test]
    fn other_properties_may_be_let_in_but_not_shut_out() {
        let (open, closed) = (json!({}), json!({"additionalProperties": false}));
        assert_eq!(both(&open, &closed), [vec![": no longer accepts other properties".to_owned()], vec![]]);
        assert_eq!(both(&closed, &open), [[""; 0], [""; 0]]);
        let of = |kind: &str| json!({"additionalProperties": {"type": kind}});
        assert_eq!(
            both(&of("string"), &of("integer")),
            [["*: accepted string, and now accepts integer"], ["*: was string, and is now integer"]]
        );
        assert_eq!(both(&of("string"), &closed)[1], [": no longer has other properties"]);
    }

    #[test]
    fn bounds_may_loosen_for_inputs_and_tighten_for_outputs() {
        let percent = property(&json!({"type": "number", "minimum": 0, "maximum": 100}));
        let share = property(&json!({"type": "number", "minimum": 0, "maximum": 1}));
        assert_eq!(
            both(&percent, &share),
            [vec!["x: `maximum` was tightened: it was 100, and is 1".to_owned()], vec![]]
        );
        assert_eq!(
            both(&share, &percent),
            [vec![], vec!["x: `maximum` was loosened: it was 1, and is 100".to_owned()]]
        );
        let free = property(&json!({"type": "number"}));
        assert_eq!(both(&free, &share).map(|changes| changes.len()), [2, 0]);
        let pattern = property(&json!({"type": "number", "multipleOf": 2}));
        assert_eq!(both(&free, &pattern).map(|changes| changes.len()), [1, 0]);
        assert_eq!(both(&pattern, &free).map(|changes| changes.len()), [0, 1]);
    }

    #[test]
    fn references_are_followed_and_what_cannot_be_followed_is_said() {
        let with = |definition: Value| json!({"properties": {"x": {"$ref": "#/$defs/passage"}}, "$defs": {"passage": definition}});
        let (old, new) = (with(json!({"type": "string"})), with(json!({"type": "integer"})));
        assert_eq!(changes(Side::Inputs, &old, &new), ["x: accepted string, and now accepts integer"]);
        assert_eq!(changes(Side::Inputs, &old, &property(&json!({"type": "string"}))), [""; 0]);
        let either = |kind: &str| property(&json!({"anyOf": [{"type": kind}, {"type": "null"}]}));
        let expected = ["x: `anyOf` was changed in a way that cannot be compared"];
        assert_eq!(both(&either("string"), &either("integer")), [expected, expected]);
        assert_eq!(both(&either("string"), &either("string")), [[""; 0], [""; 0]]);
        let elsewhere = property(&json!({"$ref": "https://example.com/x.json"}));
        assert_eq!(both(&elsewhere, &property(&json!({})))[0].len(), 1);
    }

    #[test]
    fn a_schema_that_refers_to_itself_is_compared() {
        let tree = |kind: &str| json!({"properties": {"name": {"type": kind}, "children": {"type": "array", "items": {"$ref": "#"}}}});
        assert_eq!(changes(Side::Inputs, &tree("string"), &tree("string")), [""; 0]);
        let found = changes(Side::Inputs, &tree("string"), &tree("integer"));
        assert_eq!(found[0], "name: accepted string, and now accepts integer");
    }
}
