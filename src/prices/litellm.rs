mod fields;
mod skip;

use std::collections::BTreeMap;

use jiff::civil::Date;

use self::fields::Fields;
pub use self::skip::{SkipReason, Skipped};
use super::object::Document;
use super::{Entry, Mode, PriceBook, PriceBookError};
use crate::domain::ContentHash;

/// Vendors that have another name in the map.
const VENDORS: &[(&str, &str)] = &[
    ("gemini", "google"),
    ("together_ai", "together"),
    ("fireworks_ai", "fireworks"),
    ("fireworks_ai-embedding-models", "fireworks"),
    ("cohere_chat", "cohere"),
];

/// Vendors whose models stand in the map without a prefix. Elsewhere such a name is a class of models by size.
const UNPREFIXED: &[&str] = &["openai", "anthropic", "gemini", "mistral", "deepseek", "cohere", "cohere_chat"];

/// Clouds whose prices depend on the region and on the contract.
const CLOUDS: &[&str] = &["bedrock", "vertex_ai", "azure", "sagemaker", "watsonx", "oci", "snowflake", "databricks"];

/// Charges that a price by tokens leaves out.
const OTHER_CHARGES: &[&str] =
    &["input_cost_per_request", "input_cost_per_query", "input_cost_per_character", "citation_cost_per_token"];

/// How to import a price map.
#[derive(Clone, Copy)]
pub struct Import<'a> {
    /// The version that the book gets.
    pub version: &'a str,
    /// The day of the map.
    pub date: Date,
    /// From which day on the prices hold.
    pub effective_from: Date,
    /// Where the map comes from.
    pub source: &'a str,
    /// Which models are wanted, by vendor and model.
    pub wanted: &'a dyn Fn(&str, &str) -> bool,
}

/// What an import brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The prices.
    pub book: PriceBook,
    /// What was wanted but has no price that a book can hold, by name.
    pub skipped: Vec<Skipped>,
}

/// Makes a price book of LiteLLM's map.
///
/// Prices per token become exact prices per million. Those of long prompts (`_above_NNNk_tokens`) and of batches
/// (`_batches`) are kept; those of other service tiers (`_priority`, `_flex`) and of caches that are held for longer than
/// usual (`_above_1hr`) are not. A zero for cached tokens is left out, so that they are billed as input. Dated snapshots
/// with the price of their model become its aliases.
///
/// # Errors
/// When the text is not a JSON object. An entry that cannot be used is listed instead.
pub fn import_litellm(text: &str, origin: &str, import: &Import<'_>) -> Result<Imported, PriceBookError> {
    let mut models: BTreeMap<(String, String), Entry> = BTreeMap::new();
    let mut skipped = Vec::new();
    for (name, value) in (Document { origin, text }).fields()? {
        let taken = read_entry(&name, value.get(), import).and_then(|entry| {
            let Some(entry) = entry else { return Ok(()) };
            let known = models.entry((entry.vendor.clone(), entry.model.clone())).or_insert_with(|| entry.clone());
            if known.price == entry.price { Ok(()) } else { Err(SkipReason::Ambiguous) }
        });
        if let Err(reason) = taken {
            skipped.push(Skipped { name, message: reason.to_string(), reason });
        }
    }
    let (version, source) = (import.version.to_owned(), import.source.to_owned());
    let entries = with_snapshots_folded(&models);
    let note = format!("Imported from {source}.");
    let mut book = PriceBook::new(version, import.date, source, note, ContentHash::of(b""), entries);
    book.hash = ContentHash::of(book.to_json().as_bytes());
    Ok(Imported { book, skipped })
}

/// The entry of `name`, or `None` when it is not wanted.
fn read_entry(name: &str, value: &str, import: &Import<'_>) -> Result<Option<Entry>, SkipReason> {
    let fields = Fields(serde_json::from_str(value).map_err(|_| SkipReason::NotAModel)?);
    let provider = fields.text("litellm_provider").filter(|provider| !provider.contains(' '));
    let provider = provider.ok_or(SkipReason::NotAModel)?;
    let vendor = VENDORS.iter().find(|(theirs, _)| *theirs == provider).map_or(provider.as_str(), |(_, ours)| ours);
    let begins = |prefix: &str| provider.starts_with(&prefix.replace('-', "_"));
    let prefixed = name.split_once('/').filter(|(prefix, _)| begins(prefix)).map(|(_, model)| model);
    let model = prefixed.unwrap_or(name);
    if !(import.wanted)(vendor, model) {
        return Ok(None);
    }
    let cloud = CLOUDS.iter().any(|cloud| provider.starts_with(cloud));
    // `azure/gpt-4o` is the list price, `azure/eu/gpt-4o` that of a region.
    let listed = provider == "azure" && !model.contains('/');
    if cloud && !listed {
        return Err(SkipReason::Regional { vendor: vendor.to_owned() });
    }
    if prefixed.is_none() && !UNPREFIXED.contains(&provider.as_str()) {
        return Err(SkipReason::OtherName { vendor: vendor.to_owned() });
    }
    let mode = match fields.text("mode").ok_or(SkipReason::NotAModel)?.as_str() {
        "chat" => Mode::Chat,
        "embedding" => Mode::Embedding,
        other => return Err(SkipReason::OtherMode { mode: other.to_owned() }),
    };
    let searches = provider == "perplexity" || model.contains("-search-");
    let searches = searches.then_some("search_context_cost_per_query").filter(|field| fields.0.contains_key(*field));
    let charge = OTHER_CHARGES.iter().copied().find(|field| fields.rate(field) != Ok(None)).or(searches);
    if let Some(field) = charge {
        return Err(SkipReason::OtherCharge { field: field.to_owned() });
    }
    Ok(Some(Entry {
        vendor: vendor.to_owned(),
        model: model.to_owned(),
        aliases: Vec::new(),
        mode,
        effective_from: import.effective_from,
        price: fields.price(mode, "")?,
        batch: match fields.price(mode, "_batches") {
            Err(SkipReason::NoPrice { .. }) => None,
            batch => Some(batch?),
        },
        context_tokens: fields.count("max_input_tokens"),
        max_output_tokens: fields.count("max_output_tokens").filter(|_| mode == Mode::Chat),
        free: false,
        source: import.source.to_owned(),
    }))
}

/// All entries; one that has the name of another with a date or `-latest` behind it, and its price, becomes its alias.
fn with_snapshots_folded(models: &BTreeMap<(String, String), Entry>) -> Vec<Entry> {
    let base_of = |entry: &Entry| {
        let base = models.get(&(entry.vendor.clone(), without_date(&entry.model)?.to_owned()))?;
        let same = Entry { model: base.model.clone(), ..entry.clone() } == *base;
        same.then(|| (base.vendor.clone(), base.model.clone()))
    };
    let mut folded = models.clone();
    for (name, entry) in models {
        if let Some(base) = base_of(entry) {
            folded.remove(name);
            if let Some(base) = folded.get_mut(&base) {
                base.aliases.push(entry.model.clone());
            }
        }
    }
    folded.into_values().collect()
}

/// The name before `-latest` or a date (`-2025-04-14`, `-20250414`, `-2512`).
fn without_date(model: &str) -> Option<&str> {
    let shape = |text: &str| text.replace(|character: char| character.is_ascii_digit(), "0");
    let dated = ["-0000-00-00", "-00000000", "-0000"].iter().find_map(|date| {
        let (base, end) = model.split_at_checked(model.len().checked_sub(date.len())?)?;
        (shape(end) == *date).then_some(base)
    });
    model.strip_suffix("-latest").or(dated)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::{LongPrompt, Price, Rate, Rates};

    /// Entries of LiteLLM's map (litellm 1.109.1, MIT licence), shortened to the fields that matter, and some made up.
    const MAP: &str = include_str!("litellm/sample.json");

    fn imported(wanted: &dyn Fn(&str, &str) -> bool) -> Imported {
        let day = date(2026, 11, 1);
        import_litellm(
            MAP,
            "map.json",
            &Import { version: "1", date: day, effective_from: day, source: "a map", wanted },
        )
        .unwrap()
    }

    fn entry<'a>(book: &'a PriceBook, vendor: &str, model: &str) -> &'a Entry {
        book.find(vendor, model, date(2026, 11, 1)).unwrap()
    }

    fn usd(dollars: f64) -> Rate {
        Rate::from_usd_per_million(dollars).unwrap()
    }

    #[test]
    fn prices_per_token_become_exact_prices_per_million_with_batch_and_long_prompt() {
        let book = imported(&|_, _| true).book;
        let gpt = entry(&book, "openai", "gpt-4o");
        let rates = Rates { cached_input: Some(usd(1.25)), ..Rates::new(usd(2.5), usd(10.0)) };
        assert_eq!(gpt.price, Price { rates, long_prompt: None });
        assert_eq!(gpt.batch, Some(Price::new(usd(1.25), usd(5.0))));
        assert_eq!((gpt.context_tokens, gpt.max_output_tokens), (Some(128_000), Some(16_384)));
        let gemini = entry(&book, "google", "gemini-2.5-pro");
        let long = Rates { cached_input: Some(usd(0.25)), ..Rates::new(usd(2.5), usd(15.0)) };
        assert_eq!(gemini.price.long_prompt, Some(LongPrompt { above_input_tokens: 200_000, rates: long }));
        let batch = gemini.batch.and_then(|batch| batch.long_prompt).unwrap();
        assert_eq!((batch.rates.input, batch.rates.output), (usd(1.25), usd(5.0)));
        assert_eq!(gemini.max_output_tokens, Some(65_536));
        let vectors = entry(&book, "openai", "text-embedding-3-small");
        assert_eq!((vectors.mode, vectors.price), (Mode::Embedding, Price::new(usd(0.02), Rate(0))));
        assert_eq!(entry(&book, "deepseek", "deepseek-v4-flash").price.rates.cache_write, None);
        assert_eq!(entry(&book, "novita", "deepseek/deepseek-v4-pro").price, Price::new(usd(1.6), usd(3.2)));
        assert_eq!(entry(&book, "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo").price.rates.input, usd(1.04));
        assert_eq!(entry(&book, "fireworks", "nomic-ai/nomic-embed-text-v1").price.rates.input, usd(0.008));
        assert_eq!(entry(&book, "azure", "gpt-4o").price.rates.input, usd(2.5));
    }

    #[test]
    fn snapshots_with_the_price_of_their_model_become_its_aliases() {
        let book = imported(&|_, _| true).book;
        assert_eq!(entry(&book, "openai", "gpt-4o").aliases, ["gpt-4o-2024-08-06"]);
        assert_eq!(entry(&book, "openai", "gpt-4o-2024-05-13").price.rates.input, usd(5.0));
        for (model, base) in [("claude-opus-4-6-20260205", "claude-opus-4-6"), ("m-latest", "m"), ("m-2512", "m")] {
            assert_eq!(without_date(model), Some(base));
        }
        for model in ["gpt-4", "claude-opus-4-6", "llama3-8b", "o1", "2512"] {
            assert_eq!(without_date(model), None, "{model}");
        }
    }

    #[test]
    fn what_has_no_price_that_a_book_can_hold_is_skipped_with_a_reason() {
        let skipped = imported(&|_, _| true).skipped;
        let reasons: Vec<(&str, &str)> =
            skipped.iter().map(|skipped| (skipped.name.as_str(), skipped.message.as_str())).collect();
        assert_eq!(
            reasons,
            [
                ("azure/eu/gpt-4o-2024-08-06", "azure has other prices in other regions"),
                ("chatgpt/gpt-5.4", "`input_cost_per_token` is missing or zero"),
                ("dall-e-3", "its mode is `image_generation`, not chat or embedding"),
                ("dashscope/qwen3-max", "it has more than two prices by the length of the prompt"),
                ("deepseek/deepseek-chat", "the map has another price of the same model"),
                ("gemini/gemma-3-27b-it", "`input_cost_per_token` is missing or zero"),
                ("gpt-4o-search-preview", "calls cost more than their tokens (`search_context_cost_per_query`)"),
                ("sample_spec", "it is not the entry of a model"),
                (
                    "together-ai-4.1b-8b",
                    "its name does not begin with its vendor, together: it is a price class, or another vendor's name"
                ),
                ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock_converse has other prices in other regions"),
                ("x/two-steps", "it has more than two prices by the length of the prompt"),
                ("x/words", "`input_cost_per_token` must be a number"),
            ]
        );
    }

    #[test]
    fn only_wanted_models_are_imported_and_the_book_reads_back_as_it_was_written() {
        let Imported { book, skipped } = imported(&|vendor, _| vendor == "openai");
        assert!(book.entries().all(|entry| entry.vendor == "openai"));
        assert_eq!(
            skipped.iter().map(|skipped| skipped.name.as_str()).collect::<Vec<_>>(),
            ["dall-e-3", "gpt-4o-search-preview", "sample_spec"]
        );
        assert_eq!(PriceBook::parse(&book.to_json(), "again").unwrap(), book);
    }

    #[test]
    fn a_map_that_is_no_json_is_refused_with_its_place() {
        let day = date(2026, 11, 1);
        let import = Import { version: "1", date: day, effective_from: day, source: "s", wanted: &|_, _| true };
        let refusal = import_litellm("{\"a\": }", "map.json", &import).unwrap_err().to_string();
        assert!(refusal.starts_with("map.json:1:7: not a JSON object: "), "{refusal}");
    }
}
