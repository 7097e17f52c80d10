use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use serde_json::json;

use super::object::{Document, FieldProblem, Object};
use super::rate::shown;
use super::{Entry, Mode, PriceBook};
use crate::domain::{ContentHash, LongPrompt, Price, Rate, Rates};

/// Why a price book, or a price map to be imported, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PriceBookError {
    /// The file cannot be read.
    #[error("cannot read the prices in `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is not a JSON object.
    #[error("{origin}:{line}:{column}: not a JSON object: {message}")]
    NotJson {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What the parser says.
        message: String,
    },
    /// One of its fields is wrong.
    #[error("{origin}:{line}: {entry}: `{field}` {problem}")]
    Field {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// The entry, as `vendor/model` or by its number.
        entry: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: FieldProblem,
    },
}

const BOOK_FIELDS: &[&str] = &["format", "version", "date", "source", "note", "entries"];
const LONG_PROMPT_FIELDS: &[&str] =
    &["above_input_tokens", "input", "cached_input", "cache_write", "output", "reasoning"];
const BATCH_FIELDS: &[&str] = &["input", "cached_input", "cache_write", "output", "reasoning", "long_prompt"];
const ENTRY_FIELDS: &[&str] = &[
    "vendor",
    "model",
    "aliases",
    "mode",
    "effective_from",
    "input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "long_prompt",
    "batch",
    "context_tokens",
    "max_output_tokens",
    "free",
    "source",
];

/// Reads a book. Rates are dollars per million tokens.
pub(super) fn parse(text: &str, origin: &str) -> Result<PriceBook, PriceBookError> {
    let book = Document { origin, text }.object()?;
    if book.required_count("format")? != 1 {
        return Err(book.problem("format", FieldProblem::OtherFormat));
    }
    book.only(BOOK_FIELDS)?;
    let (version, date) = (book.required_text("version")?, book.date("date")?);
    let (source, note) = (book.required_text("source")?, book.text("note")?.unwrap_or_default());
    let entries =
        book.objects("entries")?.into_iter().map(|entry| read_entry(entry, &source)).collect::<Result<_, _>>()?;
    Ok(PriceBook::new(version, date, source, note, ContentHash::of(text.as_bytes()), entries))
}

fn read_entry(mut fields: Object<'_>, source: &str) -> Result<Entry, PriceBookError> {
    let (vendor, model) = (fields.required_text("vendor")?, fields.required_text("model")?);
    fields.entry = format!("{vendor}/{model}");
    fields.only(ENTRY_FIELDS)?;
    let (mode, free) = (fields.mode("mode")?, fields.flag("free")?);
    let batch = match fields.object("batch")? {
        None => None,
        Some(batch) => {
            batch.only(BATCH_FIELDS)?;
            Some(read_price(&batch, mode, free)?)
        }
    };
    Ok(Entry {
        aliases: fields.texts("aliases")?,
        effective_from: fields.date("effective_from")?,
        price: read_price(&fields, mode, free)?,
        batch,
        context_tokens: fields.count("context_tokens")?,
        max_output_tokens: fields.count("max_output_tokens")?,
        source: fields.text("source")?.unwrap_or_else(|| source.to_owned()),
        vendor,
        model,
        mode,
        free,
    })
}

fn read_price(fields: &Object<'_>, mode: Mode, free: bool) -> Result<Price, PriceBookError> {
    let rates = read_rates(fields, mode, free)?;
    let Some(long) = fields.object("long_prompt")? else { return Ok(Price { rates, long_prompt: None }) };
    long.only(LONG_PROMPT_FIELDS)?;
    let above_input_tokens = long.required_count("above_input_tokens")?;
    let long_prompt = LongPrompt { above_input_tokens, rates: read_rates(&long, mode, free)? };
    Ok(Price { rates, long_prompt: Some(long_prompt) })
}

fn read_rates(fields: &Object<'_>, mode: Mode, free: bool) -> Result<Rates, PriceBookError> {
    Ok(Rates {
        input: fields.required_rate("input", free)?,
        output: match mode {
            Mode::Chat => fields.required_rate("output", free)?,
            Mode::Embedding => fields.rate("output", true)?.unwrap_or_default(),
        },
        cached_input: fields.rate("cached_input", free)?,
        cache_write: fields.rate("cache_write", free)?,
        reasoning: fields.rate("reasoning", free)?,
    })
}

/// Writes a book as [`parse`] reads it, one entry a line, so that a change of a price is a change of one line.
pub(super) fn write<'a>(book: &PriceBook, entries: impl Iterator<Item = &'a Entry>) -> String {
    let mut text = String::from("{\n");
    let note = (!book.note.is_empty()).then(|| ("note", json!(book.note)));
    let header = [
        ("format", json!(1)),
        ("version", json!(book.version)),
        ("date", json!(book.date)),
        ("source", json!(book.source)),
    ];
    for (name, value) in header.into_iter().chain(note) {
        let _ = writeln!(text, "  \"{name}\": {value},");
    }
    let lines: Vec<String> = entries.map(|entry| format!("    {}", entry_line(entry, &book.source))).collect();
    let _ = write!(text, "  \"entries\": [\n{}\n  ]\n}}\n", lines.join(",\n"));
    text
}

fn entry_line(entry: &Entry, source: &str) -> String {
    let mut fields = vec![("vendor", json!(entry.vendor).to_string()), ("model", json!(entry.model).to_string())];
    if !entry.aliases.is_empty() {
        let aliases: Vec<String> = entry.aliases.iter().map(|alias| json!(alias).to_string()).collect();
        fields.push(("aliases", format!("[{}]", aliases.join(", "))));
    }
    fields.push(("mode", json!(entry.mode.as_str()).to_string()));
    fields.push(("effective_from", json!(entry.effective_from).to_string()));
    if entry.free {
        fields.push(("free", "true".to_owned()));
    }
    fields.extend(price_fields(&entry.price, entry.mode));
    fields.extend(entry.batch.map(|batch| ("batch", object(&price_fields(&batch, entry.mode)))));
    fields.extend(entry.context_tokens.map(|tokens| ("context_tokens", tokens.to_string())));
    fields.extend(entry.max_output_tokens.map(|tokens| ("max_output_tokens", tokens.to_string())));
    if entry.source != source {
        fields.push(("source", json!(entry.source).to_string()));
    }
    object(&fields)
}

fn price_fields(price: &Price, mode: Mode) -> Vec<(&'static str, String)> {
    let mut fields = rate_fields(&price.rates, mode);
    if let Some(long) = &price.long_prompt {
        let mut inner = vec![("above_input_tokens", long.above_input_tokens.to_string())];
        inner.extend(rate_fields(&long.rates, mode));
        fields.push(("long_prompt", object(&inner)));
    }
    fields
}

fn rate_fields(rates: &Rates, mode: Mode) -> Vec<(&'static str, String)> {
    let output = (mode == Mode::Chat || rates.output > Rate(0)).then_some(rates.output);
    let fields = [
        ("input", Some(rates.input)),
        ("cached_input", rates.cached_input),
        ("cache_write", rates.cache_write),
        ("output", output),
        ("reasoning", rates.reasoning),
    ];
    fields.into_iter().filter_map(|(name, rate)| Some((name, shown(rate?)))).collect()
}

fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", fields.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = r#"{
  "format": 1,
  "version": "7",
  "date": "2026-11-01",
  "source": "a contract",
  "note": "by hand",
  "entries": [
    {"vendor": "acme", "model": "large", "aliases": ["large-2026-01-01", "l"], "mode": "chat", "effective_from": "2026-01-01", "input": 1.25, "cached_input": 0.125, "cache_write": 1.5625, "output": 10, "reasoning": 12, "long_prompt": {"above_input_tokens": 200000, "input": 2.5, "output": 15}, "batch": {"input": 0.625, "output": 5, "long_prompt": {"above_input_tokens": 200000, "input": 1.25, "output": 7.5}}, "context_tokens": 1000000, "max_output_tokens": 64000},
    {"vendor": "acme", "model": "gift", "mode": "chat", "effective_from": "2026-01-01", "free": true, "input": 0, "output": 0, "source": "a leaflet"},
    {"vendor": "acme", "model": "vectors", "mode": "embedding", "effective_from": "2026-01-01", "input": 0.02}
  ]
}
"#;

    fn refusal(from: &str, to: &str) -> String {
        assert!(BOOK.contains(from), "{from}");
        parse(&BOOK.replacen(from, to, 1), "prices.json").unwrap_err().to_string()
    }

    #[test]
    fn a_book_that_is_read_and_written_is_the_same_text() {
        let book = parse(BOOK, "prices.json").unwrap();
        assert_eq!(book.to_json(), BOOK);
        let large = book.entries().next().unwrap();
        assert_eq!(large.price.rates.cached_input, Some(Rate(125_000_000)));
        assert_eq!(large.price.long_prompt.unwrap().rates.input, Rate(2_500_000_000));
        assert_eq!(large.batch.unwrap().long_prompt.unwrap().rates.output, Rate(7_500_000_000));
        assert_eq!(large.source, "a contract");
        assert_eq!(book.hash, ContentHash::of(BOOK.as_bytes()));
    }

    #[test]
    fn a_malformed_entry_is_refused_with_file_line_entry_and_field() {
        assert_eq!(refusal("\"input\": 0.02", "\"output\": 0"), "prices.json:10: acme/vectors: `input` is missing");
        assert_eq!(refusal("\"output\": 10,", ""), "prices.json:8: acme/large: `output` is missing");
        assert_eq!(
            refusal("\"free\": true, ", ""),
            "prices.json:9: acme/gift: `input` is zero: write `\"free\": true` if the model really costs nothing"
        );
        assert_eq!(
            refusal("\"cached_input\"", "\"cached_inptu\""),
            "prices.json:8: acme/large: `cached_inptu` is not a field of a price book: did you mean `cached_input`?"
        );
        assert_eq!(
            refusal("1.25,", "\"1.25\","),
            "prices.json:8: acme/large: `input` must be a number (in dollars per million tokens)"
        );
        assert_eq!(
            refusal("1.25,", "-1.25,"),
            "prices.json:8: acme/large: `input` must not be negative (in dollars per million tokens)"
        );
        assert_eq!(
            refusal("\"input\": 2.5,", "\"input\": 2.5000000001,"),
            "prices.json:8: acme/large, `long_prompt`: `input` is finer than a nano-dollar per million tokens (in dollars per million tokens)"
        );
        assert_eq!(
            refusal("\"embedding\"", "\"vectors\""),
            "prices.json:10: acme/vectors: `mode` must be \"chat\" or \"embedding\""
        );
        assert_eq!(
            refusal("\"vendor\": \"acme\", \"model\": \"gift\"", "\"model\": \"gift\""),
            "prices.json:9: entry 2: `vendor` is missing"
        );
        assert!(refusal("64000", "6.5").ends_with("`max_output_tokens` must be a whole number"));
        assert_eq!(
            refusal("2026-01-01\", \"input\"", "2026-02-30\", \"input\""),
            "prices.json:8: acme/large: `effective_from` must be a date such as \"2026-11-01\""
        );
        assert!(refusal("\"format\": 1", "\"format\": 2").starts_with("prices.json:2: the book: `format` must be 1"));
        assert!(refusal("\"version\": \"7\"", "\"version\": \" \"").starts_with("prices.json:3: the book: `version`"));
    }

    #[test]
    fn what_is_no_json_object_is_refused_with_its_place() {
        assert!(refusal("\"note\": \"by hand\"", "\"note\": ").starts_with("prices.json:6:11: not a JSON object: "));
        assert!(parse("[]", "x").unwrap_err().to_string().starts_with("x:1:0: not a JSON object: invalid type"));
        assert!(parse("", "x").is_err());
    }
}
