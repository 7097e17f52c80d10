use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::tree::{Node, Value};
use super::{Place, Problem};
use crate::domain::{NanoUsd, nearest};

/// Reads one table of settings, notes what is wrong, and at the end which keys nobody asked for.
pub(super) struct Reader<'a> {
    table: Option<&'a BTreeMap<String, Node>>,
    place: Place,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
    problems: &'a RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(node: &'a Node, path: String, problems: &'a RefCell<Vec<Problem>>) -> Self {
        let table = match &node.value {
            Value::Table(table) => Some(table),
            _ => None,
        };
        let reader = Self { table, place: node.place.clone(), path, asked: RefCell::default(), problems };
        if reader.table.is_none() {
            reader.problem(&reader.place, "", "must be a table", None);
        }
        reader
    }

    fn problem(&self, place: &Place, key: &str, message: impl Into<String>, hint: Option<String>) {
        let field = match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        };
        let problem = Problem { place: place.clone(), field, message: message.into(), hint };
        self.problems.borrow_mut().push(problem);
    }

    fn node(&self, key: &'static str) -> Option<&'a Node> {
        self.asked.borrow_mut().insert(key);
        self.table?.get(key)
    }

    /// Reports a key that must be there.
    pub(super) fn require(&self, key: &'static str, hint: &str) {
        if self.node(key).is_none() {
            self.problem(&self.place, key, "is missing", Some(hint.to_owned()));
        }
    }

    /// Reports that the value of `key` is not acceptable.
    pub(super) fn reject(&self, key: &'static str, message: impl Into<String>, hint: Option<String>) {
        let place = self.table.and_then(|table| table.get(key)).map_or(&self.place, |node| &node.place);
        self.problem(place, key, message, hint);
    }

    /// Reports that the table itself is not acceptable, because of its name, say.
    pub(super) fn refuse(&self, message: impl Into<String>, hint: Option<String>) {
        self.problem(&self.place, "", message, hint);
    }

    fn typed<T>(&self, key: &'static str, expected: &str, read: impl FnOnce(&'a Value) -> Option<T>) -> Option<T> {
        let node = self.node(key)?;
        let value = read(&node.value);
        if value.is_none() {
            self.problem(&node.place, key, format!("must be {expected}"), None);
        }
        value
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        self.typed(key, "text", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        self.typed(key, "a list of texts", read_texts)
    }

    /// A whole number within `range`.
    pub(super) fn integer(&self, key: &'static str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.typed(key, &expected, |value| match value {
            Value::Integer(integer) => range.contains(integer).then_some(*integer),
            _ => None,
        })
    }

    /// A list of whole numbers within `range`; a single one is a list too.
    pub(super) fn integers(&self, key: &'static str, range: std::ops::RangeInclusive<i64>) -> Option<Vec<i64>> {
        let wrong = format!("must hold only whole numbers from {} to {}", range.start(), range.end());
        let read = |node: &Node| match node.value {
            Value::Integer(integer) if range.contains(&integer) => Some(integer),
            _ => {
                self.problem(&node.place, key, &*wrong, None);
                None
            }
        };
        let node = self.node(key)?;
        match &node.value {
            Value::List(items) => {
                // Every item is looked at, so that each wrong one is reported.
                let found: Vec<_> = items.iter().map(read).collect();
                found.into_iter().collect()
            }
            _ => read(node).map(|integer| vec![integer]),
        }
    }

    /// A number within `range`.
    pub(super) fn number(&self, key: &'static str, range: std::ops::RangeInclusive<f64>) -> Option<f64> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.typed(key, &expected, |value| {
            let number = match value {
                Value::Integer(integer) => *integer as f64,
                Value::Float(float) => *float,
                _ => return None,
            };
            range.contains(&number).then_some(number)
        })
    }

    /// A number that is not negative.
    pub(super) fn amount(&self, key: &'static str) -> Option<f64> {
        self.typed(key, "a number of at least 0", |value| match value {
            Value::Integer(integer) => (*integer >= 0).then_some(*integer as f64),
            Value::Float(float) => (float.is_finite() && *float >= 0.0).then_some(*float),
            _ => None,
        })
    }

    /// A number of dollars, rounded to the nano-dollar, at most a billion.
    pub(super) fn dollars(&self, key: &'static str) -> Option<NanoUsd> {
        let dollars = self.amount(key)?;
        if dollars > 1e9 {
            self.reject(key, "must be at most 1,000,000,000 dollars", None);
            return None;
        }
        Some(NanoUsd((dollars * 1e9).round() as i64))
    }

    /// A time in milliseconds, at least 1 and at most an hour.
    pub(super) fn millis(&self, key: &'static str) -> Option<Duration> {
        self.integer(key, 1..=3_600_000).map(|millis| Duration::from_millis(millis as u64))
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// Whether there is such a key.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.node(key).is_some()
    }

    /// All keys of a table that names them freely, each with a text.
    pub(super) fn free_texts(self) -> Vec<(String, String)> {
        self.free("text", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// All keys of a table that names them freely, each with a list of texts.
    pub(super) fn free_lists(self) -> BTreeMap<String, Vec<String>> {
        self.free("a list of texts", read_texts).into_iter().collect()
    }

    fn free<T>(self, expected: &str, read: impl Fn(&Value) -> Option<T>) -> Vec<(String, T)> {
        let mut found = Vec::new();
        for (key, node) in self.table.into_iter().flatten() {
            match read(&node.value) {
                Some(value) => found.push((key.clone(), value)),
                None => self.problem(&node.place, key, format!("must be {expected}"), None),
            }
        }
        found
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(key)?;
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let hint = nearest(&text, names.iter().copied()).map(|name| format!("did you mean `{name}`?"));
            self.reject(key, format!("`{text}` is not one of {}", names.join(", ")), hint);
        }
        found
    }

    /// The table under `key`, when there is one.
    pub(super) fn table(&self, key: &'static str) -> Option<Reader<'a>> {
        self.node(key).map(|node| Reader::new(node, self.child(key), self.problems))
    }

    /// The tables under `key`, by name, such as `[providers.NAME]`.
    pub(super) fn tables(&self, key: &'static str) -> Vec<(String, Reader<'a>)> {
        let Some(node) = self.node(key) else { return Vec::new() };
        let path = self.child(key);
        let Value::Table(table) = &node.value else {
            self.problem(&node.place, key, "must be a table of tables", None);
            return Vec::new();
        };
        let reader = |name: &String, node| Reader::new(node, format!("{path}.{}", in_path(name)), self.problems);
        table.iter().map(|(name, node)| (name.clone(), reader(name, node))).collect()
    }

    fn child(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Reports every key that was never asked for.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for (key, node) in self.table.into_iter().flatten() {
            if !asked.contains(key.as_str()) {
                let hint = match nearest(key, asked.iter().copied()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => format!("known here: {}", asked.iter().copied().collect::<Vec<_>>().join(", ")),
                };
                self.problem(&node.place, key, "is not a known setting", Some(hint));
            }
        }
    }
}

/// A table's name as it stands in a dotted path: in quotation marks where TOML needs them.
fn in_path(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { name.to_owned() } else { format!("\"{name}\"") }
}

fn read_texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Text(text) => Some(vec![text.clone()]),
        Value::List(items) => items
            .iter()
            .map(|item| match &item.value {
                Value::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
