mod render;
mod tally;

use serde::Serialize;

use crate::domain::NanoUsd;

pub(super) use tally::TokenTally;

/// Where the tokens of tickets go that a model was asked about.
///
/// A vendor counts a prompt's tokens as a whole; a part's share of the prompt's text stands for its share of them.
/// All parts of the prompts are priced alike, at what their tokens cost on average.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TokenReport {
    /// Tickets that this is about: a model was asked, and what was consumed is known.
    pub tickets: u64,
    /// Tickets that a model was asked about, and of which it is not known how many tokens they took or what these
    /// cost by kind. They are left out of everything here.
    pub tickets_left_out: u64,
    /// Prompt tokens of all their calls.
    pub input_tokens: u64,
    /// Answer tokens of all their calls.
    pub output_tokens: u64,
    /// What the prompts cost.
    pub input_nanousd: NanoUsd,
    /// What the answers cost.
    pub output_nanousd: NanoUsd,
    /// What a million prompt tokens cost on average.
    pub input_price_per_million_nanousd: Option<NanoUsd>,
    /// The parts of the prompts, then the answers. Tokens and costs sum to those above.
    pub parts: Vec<TokenPart>,
    /// What shorter prompts would have saved.
    pub savings: Vec<Saving>,
}

/// A part of what models read and wrote.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TokenPart {
    /// `system`, `few_shot`, `passages`, `question` or `answer`.
    pub part: &'static str,
    /// Its tokens.
    pub tokens: u64,
    /// Its tokens in a ticket, on average.
    pub tokens_per_ticket: Option<f64>,
    /// Its part of all tokens, 0..=1.
    pub share: Option<f64>,
    /// What they cost.
    pub cost_nanousd: NanoUsd,
    /// Its part of the whole cost, 0..=1; `None` when that is nothing.
    pub cost_share: Option<f64>,
}

/// What a shorter prompt would have saved, other things being equal: whether answers stay as good is not said here.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Saving {
    /// The part that is shortened: `passages` or `few_shot`.
    pub part: &'static str,
    /// How much of it stays, in percent.
    pub kept_percent: u32,
    /// Tokens saved in the period.
    pub tokens: u64,
    /// What they cost.
    pub cost_nanousd: NanoUsd,
    /// That as a part of the whole cost, 0..=1; `None` when that is nothing.
    pub cost_share: Option<f64>,
    /// Tokens saved in a thousand of these tickets.
    pub tokens_per_thousand: f64,
    /// What they cost.
    pub cost_per_thousand_nanousd: NanoUsd,
}
