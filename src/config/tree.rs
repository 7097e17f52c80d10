use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Place, Problem};
use crate::domain::nearest;

/// One setting, with the place it came from.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    List(Vec<Node>),
    Flag(bool),
    Table(BTreeMap<String, Node>),
    /// A date, or a number out of range: nothing that any setting takes.
    Other,
}

/// Variables that are read elsewhere, are for the tests and benchmarks, or hold what another project's settings name.
const OTHER_VARIABLES: &[&str] = &["TOLLGATE_PROJECT", "TOLLGATE_DATA", "TOLLGATE_WEBHOOK_SECRET"];

/// Reads TOML, keeping the place of every value.
pub(super) fn parse(text: &str) -> Result<Node, Problem> {
    let place = |at: usize| {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        Place::File { line: before.matches('\n').count() + 1, column }
    };
    let table = DeTable::parse(text).map_err(|error| Problem {
        place: place(error.span().map_or(0, |span| span.start)),
        field: String::new(),
        message: error.message().to_owned(),
        hint: None,
    })?;
    Ok(Node { place: place(0), value: Value::Table(read_table(table.get_ref(), &place)) })
}

fn read_table(table: &DeTable<'_>, place: &dyn Fn(usize) -> Place) -> BTreeMap<String, Node> {
    table
        .iter()
        .map(|(key, value)| {
            let mut node = read_value(value, place);
            if matches!(node.value, Value::Table(_)) {
                node.place = place(key.span().start);
            }
            (key.get_ref().to_string(), node)
        })
        .collect()
}

fn read_value(value: &Spanned<DeValue<'_>>, place: &dyn Fn(usize) -> Place) -> Node {
    let read = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).map_or(Value::Other, Value::Integer)
        }
        DeValue::Float(float) => float.as_str().parse().map_or(Value::Other, Value::Float),
        DeValue::Array(items) => Value::List(items.iter().map(|item| read_value(item, place)).collect()),
        DeValue::Table(table) => Value::Table(read_table(table, place)),
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Other,
    };
    Node { value: read, place: place(value.span().start) }
}

/// Lays `TOLLGATE_A__B=value` over the tree as `a.b`; the value is read as TOML where it is TOML, else as text.
pub(super) fn override_from(tree: &mut Node, environment: &[(String, String)], problems: &mut Vec<Problem>) {
    // A variable that a setting names, to hold a secret, is no setting itself.
    let mut named = named_variables(tree);
    for (name, text) in environment {
        let Some(path) = name.strip_prefix("TOLLGATE_").filter(|path| path.contains("__")) else { continue };
        if named.contains(name) {
            continue;
        }
        let place = Place::Environment(name.clone());
        let keys: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let value = parse(&format!("value = {text}")).ok().and_then(|node| match node.value {
            Value::Table(mut table) => table.remove("value"),
            _ => None,
        });
        let value = value.map_or_else(|| Value::Text(text.clone()), |node| node.value);
        set(tree, &keys, &Node { value, place });
    }
    named.extend(named_variables(tree));
    let known = || OTHER_VARIABLES.iter().copied().chain(named.iter().map(String::as_str));
    for (name, _) in environment {
        let meant = name.strip_prefix("TOLLGATE_").is_some_and(|path| !path.contains("__"));
        if meant && !known().any(|known| known == name) {
            problems.push(Problem {
                place: Place::Environment(name.clone()),
                field: String::new(),
                message: "no setting has this name".into(),
                hint: Some(match nearest(name, known()) {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "write the setting's path with two underscores, as in TOLLGATE_EVAL__CONCURRENCY".into(),
                }),
            });
        }
    }
}

/// The variables that settings such as `api_key_env` name, at any depth.
fn named_variables(node: &Node) -> BTreeSet<String> {
    let Value::Table(table) = &node.value else { return BTreeSet::new() };
    let of = |(key, child): (&String, &Node)| match &child.value {
        Value::Text(name) if key.ends_with("_env") => BTreeSet::from([name.clone()]),
        _ => named_variables(child),
    };
    table.iter().flat_map(of).collect()
}

fn set(node: &mut Node, keys: &[String], leaf: &Node) {
    let Some((key, rest)) = keys.split_first() else {
        *node = leaf.clone();
        return;
    };
    if !matches!(node.value, Value::Table(_)) {
        *node = Node { value: Value::Table(BTreeMap::new()), place: leaf.place.clone() };
    }
    if let Value::Table(table) = &mut node.value {
        // A name in the file may use dashes or capitals, which a variable's name cannot.
        let known = table.keys().find(|known| known.to_lowercase().replace('-', "_") == *key).cloned();
        let child = table
            .entry(known.unwrap_or_else(|| key.clone()))
            .or_insert_with(|| Node { value: Value::Table(BTreeMap::new()), place: leaf.place.clone() });
        set(child, rest, leaf);
    }
}
