use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::super::{Mode, RateProblem, rate};
use super::SkipReason;
use crate::domain::{LongPrompt, Price, Rate, Rates};

const INPUT: &str = "input_cost_per_token";
const OUTPUT: &str = "output_cost_per_token";
const REASONING: &str = "output_cost_per_reasoning_token";
const CACHE_READ: &str = "cache_read_input_token_cost";
const CACHE_WRITE: &str = "cache_creation_input_token_cost";

/// The fields of one entry of the map.
pub(super) struct Fields<'a>(pub(super) BTreeMap<String, &'a RawValue>);

impl Fields<'_> {
    /// A text; `None` when it is something else.
    pub(super) fn text(&self, field: &str) -> Option<String> {
        serde_json::from_str(self.0.get(field)?.get()).ok()
    }

    /// A number of tokens, which the map also writes as `2000.0`.
    pub(super) fn count(&self, field: &str) -> Option<u64> {
        self.0.get(field)?.get().trim_end_matches(".0").parse().ok()
    }

    /// Dollars per token; `None` when they are not given or zero.
    pub(super) fn rate(&self, field: &str) -> Result<Option<Rate>, SkipReason> {
        let Some(value) = self.0.get(field).filter(|value| value.get() != "null") else { return Ok(None) };
        let bad = |problem: RateProblem| SkipReason::BadPrice { field: field.to_owned(), problem: problem.to_string() };
        rate::per_token(value.get()).map(|rate| Some(rate).filter(|rate| *rate > Rate(0))).map_err(bad)
    }

    /// The prices of one service tier, `""` or `"_batches"`.
    pub(super) fn price(&self, mode: Mode, tier: &str) -> Result<Price, SkipReason> {
        if self.0.contains_key("tiered_pricing") {
            return Err(SkipReason::ManySteps);
        }
        let rates = self.rates(mode, tier, None)?;
        let mut steps: Vec<&str> = self.0.keys().filter_map(|field| step(field, tier)).collect();
        steps.sort_unstable();
        steps.dedup();
        let long_prompt = match steps.as_slice() {
            [] => None,
            [step] => {
                let thousands: u64 = step.parse().map_err(|_| SkipReason::ManySteps)?;
                let rates = self.rates(mode, &format!("_above_{step}k_tokens{tier}"), Some(rates))?;
                Some(LongPrompt { above_input_tokens: thousands.saturating_mul(1_000), rates })
            }
            _ => return Err(SkipReason::ManySteps),
        };
        Ok(Price { rates, long_prompt })
    }

    /// The rates whose fields end in `suffix`; input and output that are not given are those of `usual`.
    fn rates(&self, mode: Mode, suffix: &str, usual: Option<Rates>) -> Result<Rates, SkipReason> {
        let required = |field: String, usual: Option<Rate>| match self.rate(&field)?.or(usual) {
            Some(rate) => Ok(rate),
            None => Err(SkipReason::NoPrice { field }),
        };
        let input = required(format!("{INPUT}{suffix}"), usual.map(|usual| usual.input))?;
        let output = match mode {
            Mode::Chat => required(format!("{OUTPUT}{suffix}"), usual.map(|usual| usual.output))?,
            Mode::Embedding => Rate(0),
        };
        Ok(Rates {
            input,
            output,
            cached_input: self.rate(&format!("{CACHE_READ}{suffix}"))?,
            cache_write: self.rate(&format!("{CACHE_WRITE}{suffix}"))?,
            reasoning: self.rate(&format!("{REASONING}{suffix}"))?.filter(|reasoning| *reasoning != output),
        })
    }
}

/// The thousands of prompt tokens above which a field holds.
fn step<'a>(field: &'a str, tier: &str) -> Option<&'a str> {
    let rest = [INPUT, OUTPUT, CACHE_READ, CACHE_WRITE].iter().find_map(|name| field.strip_prefix(name))?;
    let step = rest.strip_prefix("_above_")?.strip_suffix(tier)?.strip_suffix("k_tokens")?;
    step.bytes().all(|byte| byte.is_ascii_digit()).then_some(step)
}
