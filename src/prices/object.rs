use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::file::PriceBookError;
use super::{Mode, RateProblem, rate};
use crate::domain::{Rate, nearest};

/// What is wrong with one field of a price book.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// Price books have no such field.
    #[error("is not a field of a price book{}", nearest.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default())]
    Unknown {
        /// The nearest field that they have.
        nearest: Option<&'static str>,
    },
    /// It is of another type.
    #[error("must be {expected}")]
    WrongType {
        /// What it must be.
        expected: &'static str,
    },
    /// The book is written in a format of another version.
    #[error("must be 1: this program reads no other format")]
    OtherFormat,
    /// It is no price.
    #[error("{0} (in dollars per million tokens)")]
    Rate(RateProblem),
    /// It is zero in an entry that does not say that the model is free.
    #[error("is zero: write `\"free\": true` if the model really costs nothing")]
    ZeroButNotFree,
}

/// A document with the places of its parts, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    /// The file, or where else the text comes from.
    pub(super) origin: &'a str,
    /// The whole text.
    pub(super) text: &'a str,
}

impl<'a> Document<'a> {
    /// The line of a part of the text, from 1.
    fn line_of(self, part: &str) -> usize {
        let offset = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    /// The fields of the whole document, as they are.
    pub(super) fn fields(self) -> Result<BTreeMap<String, &'a RawValue>, PriceBookError> {
        serde_json::from_str(self.text).map_err(|error| PriceBookError::NotJson {
            origin: self.origin.to_owned(),
            line: error.line(),
            column: error.column(),
            message: error.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        })
    }

    /// The whole document.
    pub(super) fn object(self) -> Result<Object<'a>, PriceBookError> {
        Ok(Object { document: self, entry: "the book".to_owned(), start: self.text, fields: self.fields()? })
    }
}

/// The fields of one object. Values stay text until they are asked for, so that numbers are read exactly.
pub(super) struct Object<'a> {
    document: Document<'a>,
    /// What the object is, for messages.
    pub(super) entry: String,
    start: &'a str,
    fields: BTreeMap<String, &'a RawValue>,
}

impl<'a> Object<'a> {
    /// The error that says what is wrong with `field`.
    pub(super) fn problem(&self, field: &str, problem: FieldProblem) -> PriceBookError {
        let at = self.fields.get(field).map_or(self.start, |value| value.get());
        let (origin, line) = (self.document.origin.to_owned(), self.document.line_of(at));
        PriceBookError::Field { origin, line, entry: self.entry.clone(), field: field.to_owned(), problem }
    }

    fn read<T: Deserialize<'a>>(&self, field: &str, expected: &'static str) -> Result<Option<T>, PriceBookError> {
        let Some(value) = self.fields.get(field) else { return Ok(None) };
        let wrong = |_| self.problem(field, FieldProblem::WrongType { expected });
        serde_json::from_str(value.get()).map(Some).map_err(wrong)
    }

    fn required<T>(&self, field: &str, value: Option<T>) -> Result<T, PriceBookError> {
        value.ok_or_else(|| self.problem(field, FieldProblem::Missing))
    }

    /// A text, which must not be empty.
    pub(super) fn text(&self, field: &str) -> Result<Option<String>, PriceBookError> {
        let expected = "a text that is not empty";
        match self.read::<String>(field, expected)? {
            Some(text) if text.trim().is_empty() => Err(self.problem(field, FieldProblem::WrongType { expected })),
            text => Ok(text),
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, field: &str) -> Result<String, PriceBookError> {
        self.required(field, self.text(field)?)
    }

    /// A list of texts; empty when there is none.
    pub(super) fn texts(&self, field: &str) -> Result<Vec<String>, PriceBookError> {
        Ok(self.read(field, "a list of texts")?.unwrap_or_default())
    }

    /// A number of tokens.
    pub(super) fn count(&self, field: &str) -> Result<Option<u64>, PriceBookError> {
        self.read(field, "a whole number")
    }

    /// A number of tokens that must be there.
    pub(super) fn required_count(&self, field: &str) -> Result<u64, PriceBookError> {
        self.required(field, self.count(field)?)
    }

    /// `true` or `false`; `false` when it is not there.
    pub(super) fn flag(&self, field: &str) -> Result<bool, PriceBookError> {
        Ok(self.read(field, "true or false")?.unwrap_or_default())
    }

    /// A day that must be there.
    pub(super) fn date(&self, field: &str) -> Result<Date, PriceBookError> {
        self.required(field, self.read(field, "a date such as \"2026-11-01\"")?)
    }

    /// What the model is asked for, which must be there.
    pub(super) fn mode(&self, field: &str) -> Result<Mode, PriceBookError> {
        let name = self.required_text(field)?;
        let mode = [Mode::Chat, Mode::Embedding].into_iter().find(|mode| mode.as_str() == name);
        let expected = "\"chat\" or \"embedding\"";
        mode.ok_or_else(|| self.problem(field, FieldProblem::WrongType { expected }))
    }

    /// Dollars per million tokens; zero only where it `may_be_zero`.
    pub(super) fn rate(&self, field: &str, may_be_zero: bool) -> Result<Option<Rate>, PriceBookError> {
        let Some(value) = self.fields.get(field) else { return Ok(None) };
        match rate::per_million(value.get()) {
            Ok(Rate(0)) if !may_be_zero => Err(self.problem(field, FieldProblem::ZeroButNotFree)),
            Ok(rate) => Ok(Some(rate)),
            Err(problem) => Err(self.problem(field, FieldProblem::Rate(problem))),
        }
    }

    /// Dollars per million tokens that must be there.
    pub(super) fn required_rate(&self, field: &str, may_be_zero: bool) -> Result<Rate, PriceBookError> {
        self.required(field, self.rate(field, may_be_zero)?)
    }

    /// An object in this one.
    pub(super) fn object(&self, field: &str) -> Result<Option<Self>, PriceBookError> {
        let inner = |value: &&'a RawValue| self.inner(value, field, format!("{}, `{field}`", self.entry));
        self.fields.get(field).map(inner).transpose()
    }

    /// The objects of a list that must be there.
    pub(super) fn objects(&self, field: &str) -> Result<Vec<Self>, PriceBookError> {
        let values: Vec<&RawValue> = self.required(field, self.read(field, "a list of objects")?)?;
        let numbered = values.into_iter().enumerate();
        numbered.map(|(at, value)| self.inner(value, field, format!("entry {}", at + 1))).collect()
    }

    fn inner(&self, value: &'a RawValue, field: &str, entry: String) -> Result<Self, PriceBookError> {
        let (document, start) = (self.document, value.get());
        match serde_json::from_str(start) {
            Ok(fields) => Ok(Self { document, entry, start, fields }),
            Err(_) => Err(self.problem(field, FieldProblem::WrongType { expected: "an object, or a list of objects" })),
        }
    }

    /// Refuses fields that are none of these, naming the nearest of them.
    pub(super) fn only(&self, known: &[&'static str]) -> Result<(), PriceBookError> {
        let unknown = self.fields.keys().find(|field| !known.contains(&field.as_str()));
        let refuse = |field: &String| {
            let nearest = nearest(field, known.iter().copied());
            Err(self.problem(field, FieldProblem::Unknown { nearest }))
        };
        unknown.map_or(Ok(()), refuse)
    }
}
