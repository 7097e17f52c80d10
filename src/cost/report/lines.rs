use std::collections::BTreeMap;

use serde::Serialize;

use super::amount::{narrow, share};
use crate::domain::{NanoUsd, Usage};
use crate::store::Charge;

/// What was spent on one name: a model, a tenant, a day.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SpendLine {
    /// The name.
    pub name: String,
    /// Calls that were booked.
    pub calls: u64,
    /// Prompt tokens of the calls that told theirs; `None` when none did.
    pub input_tokens: Option<u64>,
    /// Answer tokens of the calls that told theirs; `None` when none did.
    pub output_tokens: Option<u64>,
    /// What they cost.
    pub cost_nanousd: NanoUsd,
    /// Their part of everything spent, 0..=1; `None` when nothing was.
    pub share: Option<f64>,
}

/// Running sums of one name.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) cost: i128,
    usage: Option<Usage>,
}

impl Tally {
    pub(super) fn add(&mut self, cost: NanoUsd, usage: Option<Usage>) {
        self.calls += 1;
        self.cost += i128::from(cost.0);
        if let Some(usage) = usage {
            *self.usage.get_or_insert_default() += usage;
        }
    }

    pub(super) fn line(self, name: String, spent: i128) -> SpendLine {
        SpendLine {
            name,
            calls: self.calls,
            input_tokens: self.usage.map(|usage| usage.input.0),
            output_tokens: self.usage.map(|usage| usage.output.0),
            cost_nanousd: narrow(self.cost),
            share: share(self.cost, spent),
        }
    }
}

/// Running sums of every name of one kind.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, Tally>);

impl Names {
    pub(super) fn add(&mut self, name: &str, charge: &Charge) {
        // Names repeat: only a new one is worth an allocation.
        if let Some(tally) = self.0.get_mut(name) {
            tally.add(charge.charged, charge.usage);
        } else {
            self.0.entry(name.to_owned()).or_default().add(charge.charged, charge.usage);
        }
    }

    /// A line a name, the dearest first; those that cost the same by calls, then by name.
    pub(super) fn dearest(self, spent: i128) -> Vec<SpendLine> {
        let mut lines: Vec<SpendLine> = self.0.into_iter().map(|(name, tally)| tally.line(name, spent)).collect();
        lines.sort_by_key(|line| std::cmp::Reverse((line.cost_nanousd, line.calls)));
        lines
    }
}
