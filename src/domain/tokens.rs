use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A number of model tokens.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Tokens(pub u64);

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one call consumed. The kinds overlap as vendors bill them: cached and cache-write tokens are part of `input`,
/// reasoning tokens are part of `output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// All tokens of the prompt.
    pub input: Tokens,
    /// All tokens that the model produced.
    pub output: Tokens,
    /// Of `input`: read from the vendor's prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cached_input: Tokens,
    /// Of `input`: written to the vendor's prompt cache.
    #[serde(skip_serializing_if = "is_zero")]
    pub cache_write: Tokens,
    /// Of `output`: spent on reasoning that is not part of the answer.
    #[serde(skip_serializing_if = "is_zero")]
    pub reasoning: Tokens,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(tokens: &Tokens) -> bool {
    tokens.0 == 0
}

impl Usage {
    /// Nothing consumed.
    pub const ZERO: Self = Self {
        input: Tokens(0),
        output: Tokens(0),
        cached_input: Tokens(0),
        cache_write: Tokens(0),
        reasoning: Tokens(0),
    };

    /// Usage without cached, cache-write or reasoning tokens.
    pub fn new(input: u64, output: u64) -> Self {
        Self { input: Tokens(input), output: Tokens(output), ..Self::default() }
    }
}

impl Add for Usage {
    type Output = Self;
    /// Sums that would overflow stay at the largest number: usage comes from vendors, who may say anything.
    fn add(self, other: Self) -> Self {
        let sum = |one: Tokens, two: Tokens| Tokens(one.0.saturating_add(two.0));
        Self {
            input: sum(self.input, other.input),
            output: sum(self.output, other.output),
            cached_input: sum(self.cached_input, other.cached_input),
            cache_write: sum(self.cache_write, other.cache_write),
            reasoning: sum(self.reasoning, other.reasoning),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
