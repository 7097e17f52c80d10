//! What the calls of the past would have cost under other prices. The ledger stays as it is.

mod render;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::report::amount::narrow;
use crate::domain::{NanoUsd, Price, rfc3339};
use crate::store::{Charge, ChargeState};

/// The calls of a period under other prices.
///
/// Sums of money beyond the range of an amount (about ±9.2 billion dollars) stay at its end.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RepriceReport {
    /// The name of the other prices.
    pub prices: String,
    /// When the first booked call was reserved; `None` without calls.
    pub first_call: Option<String>,
    /// When the last booked call was reserved.
    pub last_call: Option<String>,
    /// All booked calls.
    pub total: Repriced,
    /// By `provider/model`.
    pub by_model: Vec<RepricedGroup>,
    /// By month of the reservation, UTC, as `2026-11`.
    pub by_month: Vec<RepricedGroup>,
    /// Which calls are not in the comparison, and why.
    pub left_out: Vec<LeftOut>,
    /// Reservations that are not settled yet; they are in none of the figures.
    pub open: u64,
}

/// Calls under their booked cost and under other prices.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Repriced {
    /// Booked calls.
    pub calls: u64,
    /// What was booked for them.
    pub booked_nanousd: NanoUsd,
    /// Of these, the calls that the comparison is about: their tokens and their other price are known.
    pub compared_calls: u64,
    /// Their prompt tokens.
    pub input_tokens: u64,
    /// Their answer tokens.
    pub output_tokens: u64,
    /// What was booked for them.
    pub compared_nanousd: NanoUsd,
    /// What they cost under the other prices; `None` when there are no such calls.
    pub repriced_nanousd: Option<NanoUsd>,
    /// How much more that is than what was booked for them.
    pub difference_nanousd: Option<NanoUsd>,
    /// The same in percent of what was booked; `None` when that is nothing.
    pub change_percent: Option<f64>,
    /// Calls that are not in the comparison.
    pub left_out_calls: u64,
    /// What was booked for those.
    pub left_out_nanousd: NanoUsd,
}

/// Calls that have a model or a month in common.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RepricedGroup {
    /// The model or the month.
    pub name: String,
    /// Its calls.
    #[serde(flatten)]
    pub calls: Repriced,
}

/// Calls of a model that are not in the comparison for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct LeftOut {
    /// `provider/model`.
    pub model: String,
    /// Why.
    pub reason: LeftOutReason,
    /// How many.
    pub calls: u64,
    /// What was booked for them.
    pub booked_nanousd: NanoUsd,
}

/// Why a call has no cost under the other prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// Nobody told how many tokens it consumed.
    UnknownUsage,
    /// The other prices do not have its model on that day.
    UnknownPrice,
    /// Its cost under the other prices is beyond the range of an amount.
    CostTooLarge,
}

/// Replays charges under other prices, one at a time. Memory grows with models and months, not with charges.
pub struct Repricer<F> {
    prices: String,
    price: F,
    /// The last price asked for by model: charges come by time, so that most share their day with the one before.
    known: HashMap<String, (Date, Option<Price>)>,
    seen: Option<(jiff::Timestamp, jiff::Timestamp)>,
    total: Sums,
    by_model: BTreeMap<String, Sums>,
    by_month: BTreeMap<String, Sums>,
    left_out: BTreeMap<(String, LeftOutReason), (u64, i128)>,
    open: u64,
}

impl<F: FnMut(&str, Date) -> Option<Price>> Repricer<F> {
    /// Nothing replayed yet. `prices` names the other prices for readers; `price` tells what `provider/model` costs on a
    /// day (UTC), and `None` where it does not know.
    pub fn new(prices: impl Into<String>, price: F) -> Self {
        Self {
            prices: prices.into(),
            price,
            known: HashMap::new(),
            seen: None,
            total: Sums::default(),
            by_model: BTreeMap::new(),
            by_month: BTreeMap::new(),
            left_out: BTreeMap::new(),
            open: 0,
        }
    }

    /// Replays a charge. Open ones are counted only; voided ones did not cost anything and do not under any price.
    pub fn add(&mut self, charge: &Charge) {
        match charge.state {
            ChargeState::Voided => return,
            ChargeState::Open => {
                self.open += 1;
                return;
            }
            ChargeState::Settled | ChargeState::Estimated | ChargeState::WorstCase => {}
        }
        let day = charge.at.to_zoned_datetime(TimeZone::UTC).date();
        let cost = self.cost(charge, day);
        if let Err(reason) = cost {
            let (calls, booked) = self.left_out.entry((charge.model.clone(), reason)).or_default();
            *calls += 1;
            *booked += i128::from(charge.charged.0);
        }
        let month = day.strftime("%Y-%m").to_string();
        self.total.add(charge, cost.ok());
        self.by_model.entry(charge.model.clone()).or_default().add(charge, cost.ok());
        self.by_month.entry(month).or_default().add(charge, cost.ok());
        let (first, last) = self.seen.unwrap_or((charge.at, charge.at));
        self.seen = Some((first.min(charge.at), last.max(charge.at)));
    }

    fn cost(&mut self, charge: &Charge, day: Date) -> Result<NanoUsd, LeftOutReason> {
        // What was booked at the worst case was booked without knowing the tokens, whatever is on record.
        let usage = charge.usage.filter(|_| charge.state != ChargeState::WorstCase);
        let usage = usage.ok_or(LeftOutReason::UnknownUsage)?;
        let price = self.price_of(&charge.model, day).ok_or(LeftOutReason::UnknownPrice)?;
        price.cost(usage).map_err(|_| LeftOutReason::CostTooLarge)
    }

    fn price_of(&mut self, model: &str, day: Date) -> Option<Price> {
        if let Some((_, price)) = self.known.get(model).filter(|(known, _)| *known == day) {
            return *price;
        }
        let price = (self.price)(model, day);
        self.known.insert(model.to_owned(), (day, price));
        price
    }

    /// The report on what was replayed.
    pub fn finish(self) -> RepriceReport {
        let groups = |groups: BTreeMap<String, Sums>| {
            groups.into_iter().map(|(name, sums)| RepricedGroup { name, calls: sums.finish() }).collect()
        };
        let left_out =
            |((model, reason), (calls, booked))| LeftOut { model, reason, calls, booked_nanousd: narrow(booked) };
        RepriceReport {
            prices: self.prices,
            first_call: self.seen.map(|(first, _)| rfc3339(first)),
            last_call: self.seen.map(|(_, last)| rfc3339(last)),
            total: self.total.finish(),
            by_model: groups(self.by_model),
            by_month: groups(self.by_month),
            left_out: self.left_out.into_iter().map(left_out).collect(),
            open: self.open,
        }
    }
}

/// Sums over calls; the amounts in nano-dollars.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    calls: u64,
    booked: i128,
    compared_calls: u64,
    input_tokens: u64,
    output_tokens: u64,
    compared: i128,
    repriced: i128,
}

impl Sums {
    fn add(&mut self, charge: &Charge, cost: Option<NanoUsd>) {
        let booked = i128::from(charge.charged.0);
        self.calls += 1;
        self.booked += booked;
        if let Some((cost, usage)) = cost.zip(charge.usage) {
            self.compared_calls += 1;
            self.input_tokens = self.input_tokens.saturating_add(usage.input.0);
            self.output_tokens = self.output_tokens.saturating_add(usage.output.0);
            self.compared += booked;
            self.repriced += i128::from(cost.0);
        }
    }

    fn finish(self) -> Repriced {
        let is_compared = self.compared_calls > 0;
        let difference = self.repriced - self.compared;
        Repriced {
            calls: self.calls,
            booked_nanousd: narrow(self.booked),
            compared_calls: self.compared_calls,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            compared_nanousd: narrow(self.compared),
            repriced_nanousd: is_compared.then(|| narrow(self.repriced)),
            difference_nanousd: is_compared.then(|| narrow(difference)),
            change_percent: (self.compared != 0).then(|| difference as f64 * 100.0 / self.compared as f64),
            left_out_calls: self.calls - self.compared_calls,
            left_out_nanousd: narrow(self.booked - self.compared),
        }
    }
}
