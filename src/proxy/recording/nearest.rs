use std::path::Path;

use serde_json::Value;

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

/// What differs between `request` and the recorded request in `directory` that is nearest to it: the one with the
/// fewest differing fields.
pub(super) fn difference(directory: &Path, request: &Value) -> String {
    let files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let recorded = files.filter_map(|file| {
        let text = std::fs::read_to_string(file.path()).ok()?;
        serde_json::from_str::<Value>(&text).ok()?.get("request").cloned()
    });
    let nearest = recorded
        .map(|other| {
            let mut found = Vec::new();
            compare(&other, request, "", &mut found);
            found
        })
        .filter(|found| !found.is_empty())
        .min_by_key(Vec::len);
    match nearest.as_deref() {
        None => "nothing is recorded for this task".to_owned(),
        Some([only]) => only.clone(),
        Some([first, rest @ ..]) => format!("{first}; and {} more fields differ", rest.len()),
        Some([]) => String::new(),
    }
}

fn compare(recorded: &Value, asked: &Value, path: &str, found: &mut Vec<String>) {
    match (recorded, asked) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, value) in other {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                compare(one.get(key).unwrap_or(&Value::Null), value, &path, found);
            }
            for key in one.keys().filter(|key| !other.contains_key(*key)) {
                found.push(format!("`{path}.{key}` is missing"));
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(one, other, &format!("{path}[{index}]"), found);
            }
        }
        (one, other) if one == other => {}
        (Value::String(one), Value::String(other)) => {
            let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
            let from = |text: &str| shown(&text.chars().skip(same.saturating_sub(20)).collect::<String>());
            found.push(format!("`{path}` differs at character {}: {}, and was {}", same + 1, from(other), from(one)));
        }
        (one, other) => {
            found.push(format!("`{path}` is {}, and was {}", shown(&other.to_string()), shown(&one.to_string())));
        }
    }
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown.replace('\n', "\\n")
}
