use serde::{Deserialize, Serialize};

use super::{NanoUsd, Usage};

/// Tokens that a rate is quoted for.
const QUOTED: i128 = 1_000_000;

/// What one kind of token costs: nano-dollars per million tokens ($0.15 per million = 150,000,000).
///
/// Every price that vendors quote is exact in this unit; only the cost of a whole call is rounded, up, to a nano-dollar.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Rate(pub u64);

impl Rate {
    /// The rate of `dollars` per million tokens; `None` when it is negative, not finite, above a million dollars, or
    /// finer than a nano-dollar per million tokens.
    pub fn from_usd_per_million(dollars: f64) -> Option<Self> {
        let nano = dollars * 1e9;
        let whole = nano.round();
        // As near as the two floats can come.
        let exact = (nano - whole).abs() <= (4.0 * f64::EPSILON * nano.abs()).max(1e-6);
        (dollars.is_finite() && (0.0..=1e6).contains(&dollars) && exact).then_some(Self(whole as u64))
    }

    /// Dollars per million tokens, for people.
    pub fn usd_per_million(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

/// The rates of a model's tokens by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Prompt tokens that were neither read from nor written to the vendor's cache.
    #[serde(rename = "input_nanousd_per_million")]
    pub input: Rate,
    /// Tokens of the answer.
    #[serde(rename = "output_nanousd_per_million")]
    pub output: Rate,
    /// Prompt tokens read from the vendor's cache; billed as input when `None`.
    #[serde(rename = "cached_input_nanousd_per_million", default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<Rate>,
    /// Prompt tokens written to the vendor's cache; billed as input when `None`.
    #[serde(rename = "cache_write_nanousd_per_million", default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Rate>,
    /// Reasoning tokens; billed as output when `None`.
    #[serde(rename = "reasoning_nanousd_per_million", default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Rate>,
}

impl Rates {
    /// Rates with one price for all input and one for all output.
    pub fn new(input: Rate, output: Rate) -> Self {
        Self { input, output, cached_input: None, cache_write: None, reasoning: None }
    }

    /// The dearest way to be billed for a prompt token.
    pub fn dearest_input(&self) -> Rate {
        [Some(self.input), self.cached_input, self.cache_write].into_iter().flatten().max().unwrap_or(self.input)
    }

    /// The dearest way to be billed for a token of the answer.
    pub fn dearest_output(&self) -> Rate {
        self.reasoning.map_or(self.output, |reasoning| reasoning.max(self.output))
    }
}

/// What a model's tokens cost, with the dearer rates that some vendors charge for long prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Price {
    /// The ordinary rates.
    #[serde(flatten)]
    pub rates: Rates,
    /// Other rates for the whole call once its prompt is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_prompt: Option<LongPrompt>,
}

/// The rates of calls with a long prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LongPrompt {
    /// They hold above this many prompt tokens.
    pub above_input_tokens: u64,
    /// The rates.
    pub rates: Rates,
}

/// A cost that does not fit into nano-dollars: the token counts are absurd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cost of {input} input and {output} output tokens does not fit into nano-dollars")]
pub struct PriceTooLarge {
    /// Input tokens.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
}

impl Price {
    /// A price with one rate for all input and one for all output.
    pub fn new(input: Rate, output: Rate) -> Self {
        Self { rates: Rates::new(input, output), long_prompt: None }
    }

    fn rates_for(&self, input_tokens: u64) -> &Rates {
        match &self.long_prompt {
            Some(long) if input_tokens > long.above_input_tokens => &long.rates,
            _ => &self.rates,
        }
    }

    /// What `usage` costs: the sum over the kinds of tokens, rounded up to a nano-dollar.
    ///
    /// A kind that claims more tokens than the whole it is part of counts as the whole.
    ///
    /// # Errors
    /// [`PriceTooLarge`] when the sum leaves the range of [`NanoUsd`].
    pub fn cost(&self, usage: Usage) -> Result<NanoUsd, PriceTooLarge> {
        let rates = self.rates_for(usage.input.0);
        let cached = usage.cached_input.0.min(usage.input.0);
        let written = usage.cache_write.0.min(usage.input.0 - cached);
        let plain = usage.input.0 - cached - written;
        let reasoning = usage.reasoning.0.min(usage.output.0);
        let answer = usage.output.0 - reasoning;
        sum(
            &[
                (plain, rates.input),
                (cached, rates.cached_input.unwrap_or(rates.input)),
                (written, rates.cache_write.unwrap_or(rates.input)),
                (answer, rates.output),
                (reasoning, rates.reasoning.unwrap_or(rates.output)),
            ],
            usage.input.0,
            usage.output.0,
        )
    }

    /// The most that a call with at most so many tokens can cost, whatever their kinds: never below [`Price::cost`] of
    /// any usage within these bounds.
    ///
    /// # Errors
    /// [`PriceTooLarge`] when it leaves the range of [`NanoUsd`].
    pub fn worst_case(&self, input_tokens: u64, output_tokens: u64) -> Result<NanoUsd, PriceTooLarge> {
        let at = |rates: &Rates| {
            let kinds = [(input_tokens, rates.dearest_input()), (output_tokens, rates.dearest_output())];
            sum(&kinds, input_tokens, output_tokens)
        };
        let usual = at(&self.rates)?;
        match &self.long_prompt {
            Some(long) if input_tokens > long.above_input_tokens => Ok(usual.max(at(&long.rates)?)),
            _ => Ok(usual),
        }
    }
}

fn sum(kinds: &[(u64, Rate)], input: u64, output: u64) -> Result<NanoUsd, PriceTooLarge> {
    let total = kinds
        .iter()
        .try_fold(0_i128, |sum, &(tokens, rate)| sum.checked_add(i128::from(tokens).checked_mul(i128::from(rate.0))?));
    let rounded_up = total.and_then(|total| total.checked_add(QUOTED - 1)).map(|total| total / QUOTED);
    let cost = rounded_up.and_then(|cost| i64::try_from(cost).ok());
    cost.map(NanoUsd).ok_or(PriceTooLarge { input, output })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Tokens;

    fn rate(dollars: f64) -> Rate {
        Rate::from_usd_per_million(dollars).unwrap()
    }

    #[test]
    fn cost_is_exact_and_refuses_overflow() {
        let price = Price::new(rate(0.15), rate(0.60));
        assert_eq!(price.cost(Usage::new(1_000_000, 0)), Ok(NanoUsd(150_000_000)));
        assert_eq!(price.cost(Usage::new(1, 2)), Ok(NanoUsd(1350)));
        assert!(price.cost(Usage::new(u64::MAX, u64::MAX)).is_err());
    }

    #[test]
    fn fractions_of_a_nano_dollar_are_kept_until_the_call_is_summed_and_then_rounded_up() {
        let price = Price::new(rate(0.0375), rate(0.0));
        assert_eq!(price.cost(Usage::new(2, 0)), Ok(NanoUsd(75)));
        assert_eq!(price.cost(Usage::new(1, 0)), Ok(NanoUsd(38)));
    }

    #[test]
    fn each_kind_has_its_rate_and_claims_beyond_the_whole_are_cut() {
        let mut price = Price::new(rate(3.0), rate(15.0));
        price.rates.cached_input = Some(rate(0.3));
        price.rates.cache_write = Some(rate(3.75));
        let usage = Usage { cached_input: Tokens(600), cache_write: Tokens(300), ..Usage::new(1_000, 10) };
        assert_eq!(price.cost(usage), Ok(NanoUsd(100 * 3_000 + 600 * 300 + 300 * 3_750 + 10 * 15_000)));
        let absurd = Usage { cached_input: Tokens(9_999), reasoning: Tokens(9_999), ..Usage::new(1_000, 10) };
        assert_eq!(price.cost(absurd), Ok(NanoUsd(1_000 * 300 + 10 * 15_000)));
    }

    #[test]
    fn long_prompts_have_their_own_rates_and_the_worst_case_is_never_low() {
        let mut price = Price::new(rate(1.25), rate(10.0));
        price.rates.cache_write = Some(rate(1.5));
        price.long_prompt = Some(LongPrompt { above_input_tokens: 200_000, rates: Rates::new(rate(2.5), rate(15.0)) });
        assert_eq!(price.cost(Usage::new(200_000, 0)), Ok(NanoUsd(250_000_000)));
        assert_eq!(price.cost(Usage::new(200_001, 0)), Ok(NanoUsd(500_002_500)));
        for input in [0, 1, 200_000, 200_001, 1_000_000] {
            for written in [0, input / 2, input] {
                let usage = Usage { cache_write: Tokens(written), ..Usage::new(input, 77) };
                assert!(price.worst_case(input, 77).unwrap() >= price.cost(usage).unwrap());
            }
        }
    }

    #[test]
    fn rates_finer_than_the_unit_are_refused() {
        assert_eq!(Rate::from_usd_per_million(0.15), Some(Rate(150_000_000)));
        assert_eq!(Rate::from_usd_per_million(1_234.567_89), Some(Rate(1_234_567_890_000)));
        assert_eq!(Rate::from_usd_per_million(0.000_000_001), Some(Rate(1)));
        for bad in [-1.0, f64::NAN, f64::INFINITY, 2e6, 0.000_000_000_1, 0.123_456_789_1] {
            assert_eq!(Rate::from_usd_per_million(bad), None, "{bad}");
        }
    }
}
