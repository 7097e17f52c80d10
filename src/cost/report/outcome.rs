use serde::Serialize;

use super::{Distribution, SpendLine};
use crate::cost::tokens::TokenReport;
use crate::domain::NanoUsd;
use crate::store::ChargeState;

/// What was spent in a period, on what, and what a resolved ticket cost.
///
/// Two things are counted. What was *spent* is the sum of the period's calls, by the time at which they were made.
/// What tickets *cost* is the sum of all calls of the period's tickets, by the time at which they were asked.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CostReport {
    /// The first moment looked at, RFC 3339.
    pub from: String,
    /// The first moment after it.
    pub until: String,
    /// Only this tenant was looked at.
    pub tenant: Option<String>,
    /// Only this command or route was looked at.
    pub endpoint: Option<String>,
    /// An evaluated answer counts as resolved from this score on, 0..=1.
    pub resolved_score: f64,
    /// The sum of the calls' charges.
    pub spent_nanousd: NanoUsd,
    /// Of it: booked by an estimate or at the worst case, not by what the vendor says was consumed.
    pub uncertain_nanousd: NanoUsd,
    /// Calls whose tokens nobody told; their cost is booked all the same.
    pub calls_without_tokens: u64,
    /// Calls that have not ended.
    pub open_calls: u64,
    /// What is held for them; it is not spent.
    pub open_nanousd: NanoUsd,
    /// Tickets of which it is known what became of them.
    pub tickets: u64,
    /// Of these: answered, not refused, and where an evaluation scored them at `resolved_score` at the least.
    pub resolved: u64,
    /// The others.
    pub unresolved: u64,
    /// What all tickets and all other work cost; `spent_nanousd` unless a ticket's calls cross the period's bounds.
    pub attributed_nanousd: NanoUsd,
    /// Of it: unresolved tickets, which the resolved ones carry.
    pub unresolved_nanousd: NanoUsd,
    /// Of it: work for no ticket, such as embedding the knowledge base, which the resolved ones carry too.
    pub overhead_nanousd: NanoUsd,
    /// What a ticket cost by itself, to the nearest nano-dollar; `None` without tickets.
    pub per_ticket_nanousd: Option<NanoUsd>,
    /// `attributed_nanousd` a resolved ticket, to the nearest nano-dollar; `None` when nothing was resolved.
    pub per_outcome_nanousd: Option<NanoUsd>,
    /// What tickets cost by themselves; `None` without tickets.
    pub requests: Option<Distribution>,
    /// What resolved tickets cost with what they carry: the sum is `attributed_nanousd` exactly. `None` when nothing
    /// was resolved.
    pub outcomes: Option<Distribution>,
    /// Tickets by what answered them, in the order in which it is tried.
    pub paths: Vec<PathLine>,
    /// Calls by how they ended.
    pub states: Vec<StateLine>,
    /// Spend by model (`provider/model`), the dearest first, as in all of these.
    pub by_model: Vec<SpendLine>,
    /// Spend by provider.
    pub by_provider: Vec<SpendLine>,
    /// Spend by tenant.
    pub by_tenant: Vec<SpendLine>,
    /// Spend by command or route.
    pub by_endpoint: Vec<SpendLine>,
    /// Spend by the prompt's task.
    pub by_task: Vec<SpendLine>,
    /// Spend by day (UTC, `YYYY-MM-DD`), in order; days without calls are left out.
    pub by_day: Vec<SpendLine>,
    /// Where the prompts' tokens go; `None` when it is known of no ticket.
    pub tokens: Option<TokenReport>,
}

/// Tickets that ended alike.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct PathLine {
    /// `exact`, `semantic`, `small`, `large`, `refused`, or `failed` for no answer at all.
    pub path: &'static str,
    /// How many.
    pub tickets: u64,
    /// Their part of all tickets, 0..=1; `None` without tickets.
    pub share: Option<f64>,
    /// How many of them were resolved.
    pub resolved: u64,
    /// What they cost by themselves.
    pub cost_nanousd: NanoUsd,
    /// Their part of what tickets cost by themselves, 0..=1; `None` when that is nothing.
    pub cost_share: Option<f64>,
}

/// Calls that ended alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct StateLine {
    /// How.
    pub state: ChargeState,
    /// How many.
    pub calls: u64,
    /// What was booked for them: nothing while they are open, nor for those that were voided.
    pub cost_nanousd: NanoUsd,
}
