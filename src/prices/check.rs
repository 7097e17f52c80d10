use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;

use super::{Entry, Mode, PriceBook, rate};
use crate::domain::{Price, Rate, Rates, Severity};

/// After so many days prices are likely to have changed.
const STALE_DAYS: i32 = 180;

/// The cheapest rate that is believed: a tenth of a cent per million tokens.
const CHEAPEST: Rate = Rate(1_000_000);
/// The dearest rate that is believed of a model that answers: $1,000 per million tokens.
const DEAREST_CHAT: Rate = Rate(1_000_000_000_000);
/// The dearest rate that is believed of a model that makes vectors: $10 per million tokens.
const DEAREST_EMBEDDING: Rate = Rate(10_000_000_000);

/// Something in a price book that is wrong, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct PriceProblem {
    /// The entry, as `vendor/model`; `None` when it is about the whole book.
    pub entry: Option<String>,
    /// The entry's first day.
    #[schemars(with = "Option<String>")]
    pub effective_from: Option<Date>,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub kind: PriceProblemKind,
    /// What it is, for people.
    pub message: String,
}

/// What is wrong with a price, or looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PriceProblemKind {
    /// Two entries price one name from the same day on.
    #[error("`{name}` has another price from the same day on")]
    Duplicate {
        /// The model's name, or an alias.
        name: String,
    },
    /// A rate that no known model has.
    #[error("`{field}` is ${} per million tokens: is it per million?", rate::shown(*.rate))]
    Implausible {
        /// The rate's name.
        field: String,
        /// The rate.
        #[serde(rename = "nanousd_per_million")]
        rate: Rate,
    },
    /// A rate that is always at most another one is above it.
    #[error("`{field}` is dearer than `{than}`")]
    Dearer {
        /// The rate that should be the lower one.
        field: String,
        /// The other.
        than: String,
    },
    /// Nothing says how long a prompt may be.
    #[error("`context_tokens` is missing")]
    NoContext,
    /// The price begins in the future.
    #[error("this price begins in the future")]
    Future,
    /// The book says that it was made in the future.
    #[error("the book's date {date} is in the future")]
    BookFromTheFuture {
        /// The date.
        #[schemars(with = "String")]
        date: Date,
    },
    /// The book is old.
    #[error("the book is {days} days old: compare it with the vendors' price pages")]
    Stale {
        /// Its age.
        days: i32,
    },
    /// The book has no entry.
    #[error("the book has no entry")]
    Empty,
}

impl PriceProblemKind {
    fn severity(&self) -> Severity {
        match self {
            Self::Duplicate { .. } | Self::Implausible { .. } | Self::Empty => Severity::Error,
            Self::Dearer { .. }
            | Self::NoContext
            | Self::Future
            | Self::BookFromTheFuture { .. }
            | Self::Stale { .. } => Severity::Warning,
        }
    }

    fn of(self, entry: Option<&Entry>) -> PriceProblem {
        PriceProblem {
            entry: entry.map(|entry| format!("{}/{}", entry.vendor, entry.model)),
            effective_from: entry.map(|entry| entry.effective_from),
            severity: self.severity(),
            message: self.to_string(),
            kind: self,
        }
    }
}

impl PriceBook {
    /// How many days the book is old, when that is so many that prices are likely to have changed.
    pub fn stale_days(&self, today: Date) -> Option<i32> {
        let days = (today - self.date).get_days();
        (days > STALE_DAYS).then_some(days)
    }

    /// Everything in the book that is wrong or looks wrong on the day `today`, in the order of the book.
    pub fn check(&self, today: Date) -> Vec<PriceProblem> {
        let mut problems: Vec<PriceProblem> = self.about_itself(today).map(|kind| kind.of(None)).collect();
        for layer in self.layers() {
            let mut seen = BTreeSet::new();
            for entry in layer {
                let twice = entry.names().filter(|name| !seen.insert((&entry.vendor, *name, entry.effective_from)));
                let twice = twice.map(|name| PriceProblemKind::Duplicate { name: name.to_owned() });
                let mut found: Vec<PriceProblemKind> = twice.collect();
                found.extend(about(entry, today));
                problems.extend(found.into_iter().map(|kind| kind.of(Some(entry))));
            }
        }
        problems
    }

    fn about_itself(&self, today: Date) -> impl Iterator<Item = PriceProblemKind> {
        let days = (today - self.date).get_days();
        let empty = self.entries().next().is_none().then_some(PriceProblemKind::Empty);
        let future = (days < 0).then_some(PriceProblemKind::BookFromTheFuture { date: self.date });
        let stale = self.stale_days(today).map(|days| PriceProblemKind::Stale { days });
        [empty, future, stale].into_iter().flatten()
    }
}

fn about(entry: &Entry, today: Date) -> Vec<PriceProblemKind> {
    let mut problems = Vec::new();
    if entry.effective_from > today {
        problems.push(PriceProblemKind::Future);
    }
    if entry.context_tokens.is_none() {
        problems.push(PriceProblemKind::NoContext);
    }
    let usual = named("", &entry.price.rates);
    let long = entry.price.long_prompt.map(|long| named("long_prompt.", &long.rates));
    let batch = entry.batch.map(|batch| named("batch.", &batch.rates));
    let dearest = if entry.mode == Mode::Chat { DEAREST_CHAT } else { DEAREST_EMBEDDING };
    for (field, rate) in [Some(&usual), long.as_ref(), batch.as_ref()].into_iter().flatten().flatten() {
        if *rate > Rate(0) && !(CHEAPEST..=dearest).contains(rate) {
            problems.push(PriceProblemKind::Implausible { field: field.clone(), rate: *rate });
        }
    }
    let mut at_most = |field: &str, lower: Option<Rate>, than: &str, upper: Option<Rate>| {
        if lower.zip(upper).is_some_and(|(lower, upper)| lower > upper) {
            problems.push(PriceProblemKind::Dearer { field: field.to_owned(), than: than.to_owned() });
        }
    };
    let Price { rates, long_prompt } = &entry.price;
    at_most("cached_input", rates.cached_input, "input", Some(rates.input));
    if entry.mode == Mode::Chat {
        at_most("input", Some(rates.input), "output", Some(rates.output));
    }
    if let Some(long) = long_prompt {
        at_most("input", Some(rates.input), "long_prompt.input", Some(long.rates.input));
        at_most("output", Some(rates.output), "long_prompt.output", Some(long.rates.output));
    }
    if let Some(batch) = &entry.batch {
        at_most("batch.input", Some(batch.rates.input), "input", Some(rates.input));
        at_most("batch.output", Some(batch.rates.output), "output", Some(rates.output));
    }
    problems
}

/// The rates with their names in the book.
fn named(prefix: &str, rates: &Rates) -> Vec<(String, Rate)> {
    let rates = [
        ("input", Some(rates.input)),
        ("cached_input", rates.cached_input),
        ("cache_write", rates.cache_write),
        ("output", Some(rates.output)),
        ("reasoning", rates.reasoning),
    ];
    rates.into_iter().filter_map(|(name, rate)| Some((format!("{prefix}{name}"), rate?))).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn problems(entries: &str, today: Date) -> Vec<(Severity, String)> {
        let head = r#""format": 1, "version": "1", "date": "2026-11-01", "source": "s""#;
        let book = PriceBook::parse(&format!("{{{head}, \"entries\": [{entries}]}}"), "test").unwrap();
        book.check(today).into_iter().map(|problem| (problem.severity, problem.message)).collect()
    }

    fn entry(fields: &str) -> String {
        let head = r#""vendor": "acme", "model": "m", "mode": "chat", "effective_from": "2026-01-01""#;
        format!("{{{head}, \"context_tokens\": 1000, {fields}}}")
    }

    #[test]
    fn a_sound_book_has_no_problem_until_it_is_old() {
        let sound = entry(r#""input": 1, "cached_input": 0.1, "output": 4, "batch": {"input": 0.5, "output": 2}"#);
        assert_eq!(problems(&sound, date(2026, 11, 1)), []);
        assert_eq!(problems(&sound, date(2027, 4, 30)), []);
        assert_eq!(
            problems(&sound, date(2027, 5, 1)),
            [(Severity::Warning, "the book is 181 days old: compare it with the vendors' price pages".to_owned())]
        );
        assert_eq!(problems(&sound, date(2026, 10, 31))[0].1, "the book's date 2026-11-01 is in the future");
        assert_eq!(problems("", date(2026, 11, 1)), [(Severity::Error, "the book has no entry".to_owned())]);
    }

    #[test]
    fn names_that_are_priced_twice_from_one_day_on_are_errors() {
        let alias = r#""aliases": ["m"], "input": 1, "output": 4"#;
        let twice = format!(
            "{}, {}",
            entry(r#""input": 1, "output": 4"#),
            entry(alias).replace("\"model\": \"m\"", "\"model\": \"n\"")
        );
        let twice = problems(&twice, date(2026, 11, 1));
        assert_eq!(twice, [(Severity::Error, "`m` has another price from the same day on".to_owned())]);
        let later = entry(r#""input": 1, "output": 4"#).replace("2026-01-01", "2026-02-01");
        assert_eq!(problems(&format!("{}, {later}", entry(r#""input": 2, "output": 4"#)), date(2026, 11, 1)), []);
    }

    #[test]
    fn rates_that_look_wrong_are_named() {
        let messages = |fields| -> Vec<String> {
            problems(&entry(fields), date(2026, 11, 1)).into_iter().map(|(_, message)| message).collect()
        };
        assert_eq!(
            messages(r#""input": 0.0000025, "output": 0.00001"#),
            [
                "`input` is $0.0000025 per million tokens: is it per million?",
                "`output` is $0.00001 per million tokens: is it per million?"
            ]
        );
        assert_eq!(
            messages(r#""input": 2, "output": 1001"#),
            ["`output` is $1001 per million tokens: is it per million?"]
        );
        assert_eq!(messages(r#""input": 10, "output": 2"#), ["`input` is dearer than `output`"]);
        assert_eq!(
            messages(r#""input": 1, "cached_input": 1.5, "output": 2"#),
            ["`cached_input` is dearer than `input`"]
        );
        assert_eq!(
            messages(r#""input": 2, "output": 4, "long_prompt": {"above_input_tokens": 9, "input": 1, "output": 4}"#),
            ["`input` is dearer than `long_prompt.input`"]
        );
        assert_eq!(
            messages(r#""input": 2, "output": 4, "batch": {"input": 1, "output": 5}"#),
            ["`batch.output` is dearer than `output`"]
        );
        let future = entry(r#""input": 1, "output": 2"#).replace("2026-01-01", "2026-12-01");
        assert_eq!(problems(&future, date(2026, 11, 1))[0].1, "this price begins in the future");
        let blind = entry(r#""input": 1, "output": 2"#).replace("\"context_tokens\": 1000, ", "");
        assert_eq!(problems(&blind, date(2026, 11, 1))[0].1, "`context_tokens` is missing");
        let vectors = entry(r#""input": 100"#).replace("chat", "embedding");
        assert_eq!(
            problems(&vectors, date(2026, 11, 1))[0].1,
            "`input` is $100 per million tokens: is it per million?"
        );
    }
}
