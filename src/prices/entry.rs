use jiff::civil::Date;
use serde::Serialize;

use crate::domain::Price;

/// What a model is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Answers.
    Chat,
    /// Vectors. Only the input costs something.
    Embedding,
}

impl Mode {
    /// Its name in a price book.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
        }
    }
}

/// What one model costs at one vendor from a day on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Entry {
    /// Who bills: `openai`, `anthropic`, `google`, `mistral`, or the host of an open-weight model.
    pub vendor: String,
    /// The model's name in the vendor's API.
    pub model: String,
    /// Other names of the same model at the same price, such as dated snapshots.
    pub aliases: Vec<String>,
    /// What it is asked for.
    pub mode: Mode,
    /// The first day of this price, which ends when a later entry begins.
    #[schemars(with = "String")]
    pub effective_from: Date,
    /// The price of a call.
    #[serde(flatten)]
    pub price: Price,
    /// The price of a call in the vendor's batch API.
    pub batch: Option<Price>,
    /// Most tokens that a prompt may have.
    pub context_tokens: Option<u64>,
    /// Most tokens that an answer may have.
    pub max_output_tokens: Option<u64>,
    /// Whether it costs nothing: a rate of zero is believed only then.
    pub free: bool,
    /// Where the figures come from.
    pub source: String,
}

impl Entry {
    /// Whether this is the entry of `model` by its name or by another one.
    pub fn is_called(&self, model: &str) -> bool {
        self.names().any(|name| name == model)
    }

    /// Its name and its other names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.model.as_str()).chain(self.aliases.iter().map(String::as_str))
    }
}
