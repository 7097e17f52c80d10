use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use jiff::civil::Date;

use super::{Entry, PriceBookError, file};
use crate::domain::{ContentHash, Hasher, nearest};

/// The prices that came with the program.
const SHIPPED: &str = include_str!("book.json");

/// What models cost, by vendor, model and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    /// The book's name for this state of its prices.
    pub version: String,
    /// The day of this state.
    pub date: Date,
    /// Where the figures come from, where an entry does not say otherwise.
    pub source: String,
    /// What a reader must know.
    pub note: String,
    /// SHA-256 of the book's bytes.
    pub hash: ContentHash,
    /// The book's own entries, then those of the books that it lies on.
    layers: Vec<Vec<Entry>>,
}

/// Why there is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownPrice {
    /// The book has no such model at this vendor.
    #[error("no price is known for the model `{model}` of `{vendor}`")]
    Model {
        /// Who bills.
        vendor: String,
        /// The model.
        model: String,
        /// The nearest that has a price, as `vendor/model`.
        nearest: Option<String>,
    },
    /// The book's first price of the model begins later.
    #[error("the first known price of `{vendor}/{model}` holds from {first}, which is after {on}")]
    NotYet {
        /// Who bills.
        vendor: String,
        /// The model.
        model: String,
        /// The day in question.
        on: Date,
        /// The day from which a price is known.
        first: Date,
    },
}

impl PriceBook {
    pub(super) fn new(
        version: String,
        date: Date,
        source: String,
        note: String,
        hash: ContentHash,
        entries: Vec<Entry>,
    ) -> Self {
        Self { version, date, source, note, hash, layers: vec![entries] }
    }

    /// The prices that came with the program.
    pub fn shipped() -> &'static Self {
        // A test proves that the book parses; without it no model would have a price, so that every call is refused.
        static BOOK: LazyLock<PriceBook> = LazyLock::new(|| {
            PriceBook::parse(SHIPPED, "the shipped price book").unwrap_or_else(|problem| {
                let hash = ContentHash::of(SHIPPED.as_bytes());
                PriceBook::new(String::new(), Date::ZERO, String::new(), problem.to_string(), hash, Vec::new())
            })
        });
        &BOOK
    }

    /// Reads a book from a file.
    ///
    /// # Errors
    /// When the file cannot be read, or is not a price book: with the line, the entry and the field.
    pub fn read(path: &Path) -> Result<Self, PriceBookError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PriceBookError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a book from its JSON text; `origin` names it in messages.
    ///
    /// # Errors
    /// When it is not a price book: with the line, the entry and the field.
    pub fn parse(text: &str, origin: &str) -> Result<Self, PriceBookError> {
        file::parse(text, origin)
    }

    /// The book as the JSON text that [`PriceBook::parse`] reads, one entry a line; without the books that it lies on.
    pub fn to_json(&self) -> String {
        file::write(self, self.layers.iter().take(1).flatten())
    }

    /// This book with `project` on top: from the day on which the project's own first price of a model holds, its
    /// prices are used, also where this book has a later one. The version names both, the hash covers both.
    #[must_use]
    pub fn overlaid_by(&self, project: &Self) -> Self {
        let mut hasher = Hasher::default();
        hasher.field(project.hash.as_str()).field(self.hash.as_str());
        Self {
            version: format!("{} over {}", project.version, self.version),
            date: project.date.max(self.date),
            source: project.source.clone(),
            note: project.note.clone(),
            hash: hasher.finish(),
            layers: project.layers.iter().chain(&self.layers).cloned().collect(),
        }
    }

    /// What `model` costs at `vendor` on a day: of the topmost book that has a price by then, the latest.
    /// A model's own name goes before another entry's alias.
    ///
    /// # Errors
    /// When no price is known. Nothing is ever free for want of an entry.
    pub fn find(&self, vendor: &str, model: &str, on: Date) -> Result<&Entry, UnknownPrice> {
        let named = |entry: &&Entry| entry.vendor == vendor && entry.is_called(model);
        for layer in &self.layers {
            let known = layer.iter().filter(named).filter(|entry| entry.effective_from <= on);
            if let Some(entry) = known.max_by_key(|entry| (entry.model == model, entry.effective_from)) {
                return Ok(entry);
            }
        }
        let first = self.entries().filter(named).map(|entry| entry.effective_from).min();
        let (vendor, model) = (vendor.to_owned(), model.to_owned());
        match first {
            Some(first) => Err(UnknownPrice::NotYet { vendor, model, on, first }),
            None => Err(UnknownPrice::Model { nearest: self.nearest(&vendor, &model), vendor, model }),
        }
    }

    /// The same model at another vendor, else the nearest name.
    fn nearest(&self, vendor: &str, model: &str) -> Option<String> {
        let elsewhere = self.entries().find(|entry| entry.is_called(model)).map(|entry| (&entry.vendor, model));
        let names = || self.entries().filter(|entry| entry.vendor == vendor).flat_map(Entry::names);
        let here = || nearest(model, names()).map(|name| format!("{vendor}/{name}"));
        let anywhere = || {
            let all: BTreeSet<String> =
                self.entries().flat_map(|e| e.names().map(move |name| format!("{}/{name}", e.vendor))).collect();
            nearest(&format!("{vendor}/{model}"), all.iter().map(String::as_str)).map(str::to_owned)
        };
        elsewhere.map(|(vendor, model)| format!("{vendor}/{model}")).or_else(here).or_else(anywhere)
    }

    /// All entries: the book's own, then those of the books that it lies on, also where they no longer hold.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.layers.iter().flatten()
    }

    /// The entries that hold on a day, by vendor and model.
    pub fn current(&self, on: Date) -> Vec<&Entry> {
        let mut current: Vec<&Entry> =
            self.entries().filter_map(|entry| self.find(&entry.vendor, &entry.model, on).ok()).collect();
        current.sort_by(|one, two| (&one.vendor, &one.model).cmp(&(&two.vendor, &two.model)));
        current.dedup_by(|one, two| std::ptr::eq(*one, *two));
        current
    }

    /// The entries of each book by itself, the topmost first.
    pub(super) fn layers(&self) -> impl Iterator<Item = &[Entry]> {
        self.layers.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::Rate;

    fn book(version: &str, lines: &[(&str, &str, &str, u32)]) -> PriceBook {
        let entries: Vec<String> = lines
            .iter()
            .map(|(model, aliases, from, dollars)| {
                format!(
                    r#"{{"vendor": "acme", "model": "{model}", "aliases": [{aliases}], "mode": "chat", "effective_from": "{from}", "input": {dollars}, "output": {dollars}}}"#
                )
            })
            .collect();
        let head = format!(r#""format": 1, "version": "{version}", "date": "2026-11-01", "source": "s""#);
        PriceBook::parse(&format!("{{{head}, \"entries\": [{}]}}", entries.join(",")), "test").unwrap()
    }

    fn dollars(book: &PriceBook, model: &str, on: Date) -> u64 {
        book.find("acme", model, on).unwrap().price.rates.input.0 / 1_000_000_000
    }

    #[test]
    fn the_latest_price_that_holds_by_the_day_is_found() {
        let book = book("1", &[("m", "", "2026-03-01", 3), ("m", "", "2026-01-01", 1), ("m", "", "2026-02-01", 2)]);
        assert_eq!(dollars(&book, "m", date(2026, 1, 31)), 1);
        assert_eq!(dollars(&book, "m", date(2026, 2, 1)), 2);
        assert_eq!(dollars(&book, "m", date(2027, 1, 1)), 3);
        assert_eq!(book.current(date(2026, 2, 2)).len(), 1);
    }

    #[test]
    fn no_price_is_an_error_that_names_the_first_day_or_the_nearest_model() {
        let book = book("1", &[("large", "\"large-latest\"", "2026-03-01", 3)]);
        let refusal = |vendor, model| book.find(vendor, model, date(2026, 2, 28)).unwrap_err();
        assert_eq!(
            refusal("acme", "large").to_string(),
            "the first known price of `acme/large` holds from 2026-03-01, which is after 2026-02-28"
        );
        let nearest = |vendor, model| match refusal(vendor, model) {
            UnknownPrice::Model { nearest, .. } => nearest,
            other @ UnknownPrice::NotYet { .. } => panic!("{other}"),
        };
        assert_eq!(nearest("acme", "lrage-latest").as_deref(), Some("acme/large-latest"));
        assert_eq!(nearest("acne", "large").as_deref(), Some("acme/large"));
        assert_eq!(nearest("acne", "lrage").as_deref(), Some("acme/large"));
        assert_eq!(nearest("acme", "something else"), None);
    }

    #[test]
    fn a_models_own_name_goes_before_an_alias() {
        let book = book("1", &[("m", "\"m-2\"", "2026-03-01", 3), ("m-2", "", "2026-01-01", 1)]);
        assert_eq!(dollars(&book, "m-2", date(2026, 4, 1)), 1);
    }

    #[test]
    fn a_projects_price_holds_from_its_day_on_also_against_a_later_shipped_one() {
        let below =
            book("1", &[("m", "\"m-2026\"", "2026-01-01", 1), ("m", "", "2026-06-01", 6), ("n", "", "2026-01-01", 9)]);
        let project = book("acme-3", &[("m", "", "2026-03-01", 3)]);
        let both = below.overlaid_by(&project);
        assert_eq!(dollars(&both, "m", date(2026, 2, 1)), 1);
        assert_eq!(dollars(&both, "m", date(2026, 3, 1)), 3);
        assert_eq!(dollars(&both, "m", date(2026, 7, 1)), 3);
        assert_eq!(dollars(&both, "m-2026", date(2026, 7, 1)), 1);
        assert_eq!(dollars(&both, "n", date(2026, 7, 1)), 9);
        assert_eq!(both.version, "acme-3 over 1");
        assert!(both.hash != below.hash && both.hash != project.hash);
        let current: Vec<&str> = both.current(date(2026, 7, 1)).iter().map(|entry| entry.model.as_str()).collect();
        assert_eq!(current, ["m", "n"]);
    }

    #[test]
    fn a_book_that_is_not_there_is_named() {
        let refusal = PriceBook::read(Path::new("/no/such/prices.json")).unwrap_err().to_string();
        assert!(refusal.starts_with("cannot read the prices in `/no/such/prices.json`: "), "{refusal}");
    }

    #[test]
    fn the_shipped_book_is_sound_and_written_as_this_program_writes_it() {
        let book = PriceBook::parse(SHIPPED, "book.json").unwrap();
        assert_eq!(&book, PriceBook::shipped());
        assert_eq!(book.check(book.date), []);
        assert_eq!(book.to_json(), SHIPPED);
        assert!((60..=150).contains(&book.entries().count()));
        for vendor in ["openai", "anthropic", "google", "mistral"] {
            assert!(book.entries().filter(|entry| entry.vendor == vendor).count() >= 8, "{vendor}");
        }
    }

    #[test]
    fn shipped_prices_are_the_published_ones() {
        let book = PriceBook::shipped();
        let price = |vendor, model| book.find(vendor, model, book.date).unwrap().price.rates;
        // https://openai.com/api/pricing and https://claude.com/pricing, dollars per million tokens.
        let mini = price("openai", "gpt-4o-mini");
        assert_eq!((mini.input, mini.cached_input, mini.output), (usd(0.15), Some(usd(0.075)), usd(0.6)));
        assert_eq!(price("openai", "gpt-4.1-2025-04-14").output, usd(8.0));
        assert_eq!(price("openai", "text-embedding-3-small").input, usd(0.02));
        let sonnet = price("anthropic", "claude-sonnet-4-5");
        assert_eq!((sonnet.input, sonnet.cache_write, sonnet.output), (usd(3.0), Some(usd(3.75)), usd(15.0)));
        let pro = book.find("google", "gemini-2.5-pro", book.date).unwrap();
        assert_eq!(
            pro.price.long_prompt.map(|long| (long.above_input_tokens, long.rates.output)),
            Some((200_000, usd(15.0)))
        );
    }

    fn usd(dollars: f64) -> Rate {
        Rate::from_usd_per_million(dollars).unwrap()
    }
}
