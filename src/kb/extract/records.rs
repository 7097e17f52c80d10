use serde_json::{Map, Value};

use super::MAX_LINE_BYTES;
use super::sections::Sections;

/// Fields that name a record.
const IDS: &[&str] = &["id", "_id", "key", "slug"];
/// Fields that are a record's heading.
const HEADINGS: &[&str] = &["title", "heading", "name", "subject", "question"];
/// Fields that are a record's text, when it has any of them.
const TEXTS: &[&str] = &["text", "body", "content", "answer"];

/// One section a row. Columns of text stand as they are, any other as `column: value`; each on a line of its own.
pub(super) fn read_csv(text: &str, sections: &mut Sections) {
    let mut reader = csv::ReaderBuilder::new().flexible(true).delimiter(delimiter(text)).from_reader(text.as_bytes());
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return sections.warn(error.to_string()),
    };
    for (index, record) in reader.records().enumerate() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                sections.warn(error.to_string());
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != header.len() {
            sections.warn(format!("line {line}: it has {} fields, and the header has {}", record.len(), header.len()));
            continue;
        }
        if record.as_slice().len() > MAX_LINE_BYTES {
            sections.warn(format!("line {line}: the row is longer than {MAX_LINE_BYTES} bytes"));
            continue;
        }
        let fields: Vec<(&str, &str)> =
            header.iter().zip(&record).map(|(name, value)| (name.trim(), value.trim())).collect();
        let find = |names: &[&str]| {
            let named =
                |(name, value): &&(&str, &str)| names.contains(&name.to_lowercase().as_str()) && !value.is_empty();
            fields.iter().find(named).map(|(_, value)| (*value).to_owned())
        };
        let anchor = find(IDS).unwrap_or_else(|| format!("row-{}", index + 1));
        let heading = find(HEADINGS);
        let has_text = find(TEXTS).is_some();
        let line = |(name, value): &(&str, &str)| {
            let known = name.to_lowercase();
            match known.as_str() {
                _ if value.is_empty() => None,
                id if IDS.contains(&id) => None,
                text if TEXTS.contains(&text) => Some((*value).to_owned()),
                // What is the heading already is not said again, unless it is all there is.
                title if has_text && HEADINGS.contains(&title) => None,
                _ => Some(format!("{name}: {value}")),
            }
        };
        let text: Vec<String> = fields.iter().filter_map(line).collect();
        if !text.is_empty() {
            sections.record(heading, &anchor, text.join("\n"));
        }
    }
}

/// What separates the fields: whatever of comma, semicolon and tab the first line has most of.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    // The last of equals: a line without any is a single column.
    *[b'\t', b';', b','].iter().max_by_key(|delimiter| count(delimiter)).unwrap_or(&b',')
}

/// One section a line.
pub(super) fn read_jsonl(text: &str, sections: &mut Sections) {
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        if line.len() > MAX_LINE_BYTES {
            sections.warn(format!("line {number}: it is longer than {MAX_LINE_BYTES} bytes"));
            continue;
        }
        let object: Map<String, Value> = match serde_json::from_str(line) {
            Ok(object) => object,
            Err(error) => {
                sections.warn(format!("line {number}: {error}"));
                continue;
            }
        };
        let find = |names: &[&str]| {
            names.iter().find_map(|name| match object.get(*name) {
                Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                Some(Value::Number(number)) => Some(number.to_string()),
                _ => None,
            })
        };
        let strings = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
            let wanted = object.iter().filter(|(name, _)| wanted(name));
            wanted.filter_map(|(_, value)| value.as_str()).filter(|text| !text.trim().is_empty()).collect()
        };
        let mut text = strings(&|name| TEXTS.contains(&name));
        if text.is_empty() {
            text = strings(&|name| !IDS.contains(&name) && !HEADINGS.contains(&name));
        }
        if text.is_empty() {
            text = strings(&|name| HEADINGS.contains(&name));
        }
        if text.is_empty() {
            sections.warn(format!("line {number}: it has no text field (one of {})", TEXTS.join(", ")));
            continue;
        }
        sections.record(find(HEADINGS), &find(IDS).unwrap_or_else(|| format!("line-{number}")), text.join("\n"));
    }
}
