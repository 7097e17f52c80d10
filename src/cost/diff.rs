mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::Serialize;

use super::report::amount::per;
use crate::domain::{NanoUsd, Verdict};

/// What one replay of a gold set cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DiffSide {
    /// What it is called: the run's id.
    pub label: String,
    /// The release's number.
    pub release: u32,
    /// The release's content hash.
    pub release_hash: String,
    /// The price book that its calls were priced by; `None` when it is not known.
    pub price_book: Option<String>,
    /// Answers asked for.
    pub tickets: u64,
    /// Of these: resolved.
    pub resolved: u64,
    /// What each model took.
    pub models: Vec<DiffModel>,
    /// What all of it cost; `None` when it is not known.
    #[serde(rename = "cost_nanousd")]
    pub cost: Option<NanoUsd>,
    /// The gold set's name.
    pub gold_set: String,
    /// The gold set's content hash.
    pub gold_hash: String,
}

/// What one model took in a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct DiffModel {
    /// `provider/model`.
    pub model: String,
    /// Calls made.
    pub calls: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Answer tokens.
    pub output_tokens: u64,
    /// What they cost; `None` when a price is not known.
    #[serde(rename = "cost_nanousd")]
    pub cost: Option<NanoUsd>,
}

/// What a resolved ticket costs before a change and after it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CostDiff {
    /// Whether the cost stays within the limit. Without a limit, a cost that is known on both sides passes.
    pub verdict: Verdict,
    /// The limit: by which share (0.10) of the baseline's the cost may rise.
    pub max_increase: Option<f64>,
    /// A line for each model of either side.
    pub models: Vec<DiffLine>,
    /// All models together.
    pub total: DiffLine,
    /// How it is.
    pub baseline: DiffSide,
    /// How it would be.
    pub candidate: DiffSide,
}

/// Cost of a resolved ticket before and after. A model that a side does not use costs nothing there, which is known.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DiffLine {
    /// `provider/model`; `total` for all of them.
    pub model: String,
    /// In the baseline, to the nearest nano-dollar; `None` when it is not known or nothing was resolved.
    pub before_nanousd: Option<NanoUsd>,
    /// In the candidate.
    pub after_nanousd: Option<NanoUsd>,
    /// After minus before.
    pub change_nanousd: Option<NanoUsd>,
    /// The change as a share of before; `None` when that is unknown or nothing.
    pub change: Option<f64>,
    /// Calls of the baseline for each resolved ticket; `None` when nothing was resolved.
    pub calls_before: Option<f64>,
    /// Calls of the candidate for each resolved ticket.
    pub calls_after: Option<f64>,
}

/// Why two costs cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DiffError {
    /// The runs replay different gold sets.
    #[error("the runs replay different gold sets: baseline {baseline}, candidate {candidate}")]
    GoldSetDiffers {
        /// Content hash of the baseline's.
        baseline: String,
        /// Content hash of the candidate's.
        candidate: String,
    },
    /// The limit is not a share.
    #[error("the cost may rise by a share of 0 or more, not by {share}")]
    NotAShare {
        /// What was given.
        share: f64,
    },
}

impl DiffError {
    /// The next step to suggest to the user.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::GoldSetDiffers { .. } => "replay one gold set in both runs",
            Self::NotAShare { .. } => "0.10 lets the cost rise by 10 %",
        }
    }
}

/// Compares what a resolved ticket costs: all cost of a side, its unresolved tickets' too, over its resolved tickets.
///
/// The verdict is a failure when the candidate's is above the baseline's times `1 + max_increase`, and inconclusive
/// when a cost is unknown or a side resolved nothing.
///
/// # Errors
/// Different gold sets are not comparable; a limit below 0 is not one.
pub fn cost_diff(baseline: DiffSide, candidate: DiffSide, max_increase: Option<f64>) -> Result<CostDiff, DiffError> {
    if baseline.gold_hash != candidate.gold_hash {
        return Err(DiffError::GoldSetDiffers { baseline: baseline.gold_hash, candidate: candidate.gold_hash });
    }
    if let Some(share) = max_increase.filter(|share| !share.is_finite() || *share < 0.0) {
        return Err(DiffError::NotAShare { share });
    }
    let names: BTreeSet<&str> = [&baseline, &candidate].iter().flat_map(|side| side.names()).collect();
    let mut models: Vec<DiffLine> =
        names.into_iter().map(|name| DiffLine::new(name, &baseline.model(name), &candidate.model(name))).collect();
    models.sort_by_key(|line| std::cmp::Reverse(line.after_nanousd.max(line.before_nanousd)));
    let total = DiffLine::new("total", &baseline.total(), &candidate.total());
    let verdict = match (baseline.known(), candidate.known()) {
        (Some(before), Some(after)) if rises(before, after, max_increase) => Verdict::Fail,
        (Some(_), Some(_)) => Verdict::Pass,
        _ => Verdict::Inconclusive,
    };
    Ok(CostDiff { verdict, max_increase, models, total, baseline, candidate })
}

/// Whether `after` is above `before` by more than the limit, without rounding: each is a cost and how many share it.
fn rises(before: (NanoUsd, u64), after: (NanoUsd, u64), max_increase: Option<f64>) -> bool {
    const BILLION: i128 = 1_000_000_000;
    let Some(limit) = max_increase.map(|share| BILLION + (share * BILLION as f64).round() as i128) else {
        return false;
    };
    let product = |cost: NanoUsd, count: u64, factor: i128| {
        i128::from(cost.0).saturating_mul(i128::from(count)).saturating_mul(factor)
    };
    product(after.0, before.1, BILLION) > product(before.0, after.1, limit)
}

impl DiffSide {
    fn names(&self) -> impl Iterator<Item = &str> {
        self.models.iter().map(|model| model.model.as_str())
    }

    fn model(&self, name: &str) -> Part {
        let mut part = Part { cost: Some(0), calls: 0, resolved: self.resolved };
        for model in self.models.iter().filter(|model| model.model == name) {
            part.cost = part.cost.zip(model.cost).map(|(sum, cost)| sum + i128::from(cost.0));
            part.calls += model.calls;
        }
        part
    }

    fn total(&self) -> Part {
        let calls = self.models.iter().map(|model| model.calls).sum();
        Part { cost: self.cost.map(|cost| i128::from(cost.0)), calls, resolved: self.resolved }
    }

    /// Its cost and how many resolved tickets share it, when both are known.
    fn known(&self) -> Option<(NanoUsd, u64)> {
        let priced = self.models.iter().all(|model| model.cost.is_some());
        self.cost.filter(|_| priced && self.resolved > 0).map(|cost| (cost, self.resolved))
    }
}

/// What a model, or all of them, took on one side.
struct Part {
    cost: Option<i128>,
    calls: u64,
    resolved: u64,
}

impl DiffLine {
    fn new(model: &str, before: &Part, after: &Part) -> Self {
        let each = |part: &Part| part.cost.and_then(|cost| per(cost, part.resolved));
        let calls = |part: &Part| (part.resolved > 0).then(|| part.calls as f64 / part.resolved as f64);
        let both = each(before).zip(each(after));
        Self {
            model: model.to_owned(),
            before_nanousd: each(before),
            after_nanousd: each(after),
            change_nanousd: both.map(|(before, after)| after - before),
            change: both
                .filter(|(before, _)| *before != NanoUsd::ZERO)
                .map(|(before, after)| (after - before).0 as f64 / before.0 as f64),
            calls_before: calls(before),
            calls_after: calls(after),
        }
    }
}

impl CostDiff {
    /// Whether the cost stays within the limit.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}
