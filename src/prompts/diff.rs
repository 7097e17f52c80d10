use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use similar::TextDiff;

use super::{Message, Prompt, Role};

/// What differs between two versions of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct PromptDiff {
    /// The older one: `answer@v1`.
    pub from: String,
    /// The newer one.
    pub to: String,
    /// `description` and `task`, if they differ.
    pub about: Vec<Change>,
    /// Messages whose role or text differs.
    pub messages: Vec<MessageDiff>,
    /// What differs in the schema of the inputs.
    pub inputs: SchemaDiff,
    /// What differs in the schema of the output.
    pub output: SchemaDiff,
    /// Parameters that differ; those of one provider are named `extractive.max_sentences`.
    pub params: Vec<Change>,
}

impl PromptDiff {
    /// Whether nothing differs that has any effect.
    pub fn is_empty(&self) -> bool {
        let schemas = [&self.inputs, &self.output];
        self.about.is_empty()
            && self.messages.is_empty()
            && self.params.is_empty()
            && schemas.iter().all(|diff| diff.is_empty())
    }
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Change {
    /// Its name.
    pub key: String,
    /// What it was; `None` when it was not there.
    pub from: Option<Value>,
    /// What it is; `None` when it is gone.
    pub to: Option<Value>,
}

/// A message that differs.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct MessageDiff {
    /// Which message, from 1.
    pub number: usize,
    /// Who spoke; `None` for a message that is new.
    pub from_role: Option<Role>,
    /// Who speaks; `None` for a message that is gone.
    pub to_role: Option<Role>,
    /// The unified diff of the texts; empty when only the role differs.
    pub unified: String,
}

/// What differs between two JSON Schemas. Properties are named by path: `passages[].id`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, schemars::JsonSchema)]
pub struct SchemaDiff {
    /// Properties that are new.
    pub added: Vec<String>,
    /// Properties that are gone.
    pub removed: Vec<String>,
    /// Properties of another type or with other conditions, each with its schema before and after, without what is
    /// nested in it.
    pub changed: Vec<Change>,
    /// Properties that are required now and were not.
    pub required: Vec<String>,
    /// Properties that were required and are no longer.
    pub optional: Vec<String>,
}

impl SchemaDiff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two versions of a prompt.
pub fn diff(from: &Prompt, to: &Prompt) -> PromptDiff {
    let texts = [("description", &from.description, &to.description), ("task", &from.task, &to.task)];
    let about = texts.into_iter().filter(|(_, from, to)| from != to).map(|(key, from, to)| Change {
        key: key.to_owned(),
        from: Some(from.as_str().into()),
        to: Some(to.as_str().into()),
    });
    PromptDiff {
        from: from.label(),
        to: to.label(),
        about: about.collect(),
        messages: message_diffs(from, to),
        inputs: schema_diff(&from.inputs, &to.inputs),
        output: schema_diff(&from.output, &to.output),
        params: changes(&params(from), &params(to)),
    }
}

fn message_diffs(from: &Prompt, to: &Prompt) -> Vec<MessageDiff> {
    let count = from.messages.len().max(to.messages.len());
    let text = |message: Option<&Message>| message.map_or("", |message| message.content.as_str()).to_owned();
    (0..count)
        .map(|index| (index + 1, from.messages.get(index), to.messages.get(index)))
        .filter(|(_, old, new)| old != new)
        .map(|(number, old, new)| {
            let (old_text, new_text) = (text(old), text(new));
            let difference = TextDiff::from_lines(&old_text, &new_text);
            MessageDiff {
                number,
                from_role: old.map(|message| message.role),
                to_role: new.map(|message| message.role),
                unified: difference.unified_diff().context_radius(3).header(&from.label(), &to.label()).to_string(),
            }
        })
        .collect()
}

fn params(prompt: &Prompt) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    let params = serde_json::to_value(&prompt.params).unwrap_or_default();
    for (key, value) in params.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Array(list) if list.is_empty() => {}
            Value::Object(extensions) => {
                for (provider, settings) in extensions {
                    for (key, value) in settings.as_object().into_iter().flatten() {
                        flat.insert(format!("{provider}.{key}"), value.clone());
                    }
                }
            }
            value => drop(flat.insert(key.clone(), value.clone())),
        }
    }
    flat
}

fn changes(from: &BTreeMap<String, Value>, to: &BTreeMap<String, Value>) -> Vec<Change> {
    let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    keys.into_iter()
        .filter(|key| from.get(*key) != to.get(*key))
        .map(|key| Change { key: key.clone(), from: from.get(key).cloned(), to: to.get(key).cloned() })
        .collect()
}

fn schema_diff(from: &Value, to: &Value) -> SchemaDiff {
    let (mut old, mut new) = (Flat::default(), Flat::default());
    old.add(from, "");
    new.add(to, "");
    let paths = |these: &BTreeSet<String>, without: &BTreeSet<String>| these.difference(without).cloned().collect();
    let mut diff = SchemaDiff {
        required: paths(&new.required, &old.required),
        optional: paths(&old.required, &new.required),
        ..SchemaDiff::default()
    };
    for change in changes(&old.schemas, &new.schemas) {
        match (&change.from, &change.to) {
            (None, _) => diff.added.push(change.key),
            (_, None) => diff.removed.push(change.key),
            _ => diff.changed.push(change),
        }
    }
    diff
}

/// A schema as a list of its properties.
#[derive(Default)]
struct Flat {
    schemas: BTreeMap<String, Value>,
    required: BTreeSet<String>,
}

impl Flat {
    fn add(&mut self, schema: &Value, path: &str) {
        let Some(object) = schema.as_object() else {
            return drop(self.schemas.insert(path.to_owned(), schema.clone()));
        };
        let mut own: Map<String, Value> = object.clone();
        for nested in ["properties", "required"] {
            own.shift_remove(nested);
        }
        if own.get("items").is_some_and(Value::is_object) {
            own.shift_remove("items");
        }
        self.schemas.insert(path.to_owned(), Value::Object(own));
        let child = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for name in object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            self.required.insert(child(name));
        }
        for (name, schema) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.add(schema, &child(name));
        }
        if let Some(items) = object.get("items").filter(|items| items.is_object()) {
            self.add(items, &format!("{path}[]"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ContentHash;
    use crate::prompts::Params;

    fn prompt(version: u32, content: &str, inputs: Value, temperature: Option<f64>) -> Prompt {
        Prompt {
            name: "answer".to_owned(),
            version,
            description: "d".to_owned(),
            task: "answer".to_owned(),
            inputs,
            output: json!({"type": "object"}),
            params: Params { temperature, ..Params::default() },
            messages: vec![Message { role: Role::User, content: content.to_owned() }],
            hash: ContentHash::of(b""),
        }
    }

    #[test]
    fn equal_versions_do_not_differ() {
        let inputs = json!({"type": "object", "properties": {"q": {"type": "string"}}});
        assert!(diff(&prompt(1, "a", inputs.clone(), None), &prompt(2, "a", inputs, None)).is_empty());
    }

    #[test]
    fn texts_schemas_and_params_are_compared() {
        let old = json!({"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}, "gone": {},
            "list": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}}});
        let new = json!({"type": "object", "required": ["list"], "properties": {"q": {"type": "string", "maxLength": 9},
            "list": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}, "text": {}}}}}});
        let found = diff(&prompt(1, "one\ntwo\n", old, Some(0.0)), &prompt(2, "one\n2\n", new, None));
        assert_eq!(found.messages[0].unified, "--- answer@v1\n+++ answer@v2\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
        assert_eq!(
            (found.inputs.added, found.inputs.removed),
            (vec!["list[].text".to_owned()], vec!["gone".to_owned()])
        );
        assert_eq!(found.inputs.changed.len(), 1);
        assert_eq!(found.inputs.changed[0].key, "q");
        assert_eq!((found.inputs.required, found.inputs.optional), (vec!["list".to_owned()], vec!["q".to_owned()]));
        assert!(found.output.is_empty());
        assert_eq!(found.params, [Change { key: "temperature".to_owned(), from: Some(json!(0.0)), to: None }]);
    }
}
