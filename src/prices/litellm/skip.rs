use serde::Serialize;

/// An entry of the map that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Skipped {
    /// Its name in the map.
    pub name: String,
    /// Why.
    pub reason: SkipReason,
    /// Why, for people.
    pub message: String,
}

/// Why an entry of the map was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SkipReason {
    /// It is not an object with a vendor and a mode.
    #[error("it is not the entry of a model")]
    NotAModel,
    /// It is a class of models, or named after another vendor.
    #[error("its name does not begin with its vendor, {vendor}: it is a price class, or another vendor's name")]
    OtherName {
        /// The vendor.
        vendor: String,
    },
    /// Its mode is neither chat nor embedding.
    #[error("its mode is `{mode}`, not chat or embedding")]
    OtherMode {
        /// The mode.
        mode: String,
    },
    /// The price depends on the region.
    #[error("{vendor} has other prices in other regions")]
    Regional {
        /// The cloud.
        vendor: String,
    },
    /// It has no price by tokens, or a price of zero.
    #[error("`{field}` is missing or zero")]
    NoPrice {
        /// The field.
        field: String,
    },
    /// A price is not a number that a book can hold.
    #[error("`{field}` {problem}")]
    BadPrice {
        /// The field.
        field: String,
        /// What is wrong, for people.
        problem: String,
    },
    /// It has more than one step of dearer prices for long prompts.
    #[error("it has more than two prices by the length of the prompt")]
    ManySteps,
    /// Calls cost more than their tokens.
    #[error("calls cost more than their tokens (`{field}`)")]
    OtherCharge {
        /// The field.
        field: String,
    },
    /// Another entry of the map has the same model with another price.
    #[error("the map has another price of the same model")]
    Ambiguous,
}
