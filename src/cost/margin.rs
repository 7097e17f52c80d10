//! Gross margin by plan and by tenant: (revenue − (cloud + AI inference + support)) ÷ revenue, a month.
//!
//! Revenue is what plans cost, the tickets of a month are what customers are expected to ask, and what a ticket costs
//! is what the observed ones did. Nothing here reads a clock or a store: the caller brings what was observed.

mod compute;
mod customers;
mod customers_error;
mod figures;
mod levers;
mod levers_render;
mod line;
mod render;
#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod tests;
mod volume;

use std::collections::BTreeMap;

use serde::Serialize;

pub use compute::margin_report;
pub use customers::read_customers;
pub use customers_error::{CustomerProblem, CustomersError};
pub use figures::{Figures, NoPayback, Unknown};
pub use levers::{Levers, PriceLever, ShareLever};

use crate::config::{MarginSettings, PlanSettings, TenantSettings};
use crate::domain::{NanoUsd, Verdict};

/// Observed tickets from which on a tenant's own figures (or its plan's) stand for it. Below, a single long ticket
/// would move a cost per ticket by more than a twentieth of itself.
pub const LEAST_TICKETS: u64 = 20;

/// What the margin is computed from.
#[derive(Debug, Clone)]
pub struct MarginInputs {
    /// Plans by name.
    pub plans: BTreeMap<String, PlanSettings>,
    /// Customers by name. One without a plan, or with one that `plans` does not have, pays nothing and is left out.
    pub tenants: BTreeMap<String, TenantSettings>,
    /// The target, and what cloud and support cost.
    pub settings: MarginSettings,
    /// What was observed, by tenant.
    pub usage: BTreeMap<String, TenantUsage>,
    /// Length of the observed time, in days.
    pub days: f64,
}

/// What was observed of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantUsage {
    /// Its tickets.
    pub tickets: u64,
    /// Those that were handed over to a person.
    pub handovers: u64,
    /// Cost of all their calls.
    pub inference: NanoUsd,
    /// Tickets answered from the exact cache.
    pub exact_hits: u64,
    /// Tickets answered from the semantic cache.
    pub semantic_hits: u64,
    /// Tickets that the small model answered alone.
    pub small_tickets: u64,
    /// Cost of all calls of those.
    pub small_cost: NanoUsd,
    /// Tickets that reached the large model.
    pub large_tickets: u64,
    /// Cost of all calls of those, the small model's too.
    pub large_cost: NanoUsd,
}

/// Gross margin a month, against a target.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct MarginReport {
    /// The margin to reach, 0..1.
    pub target: f64,
    /// Whether the whole and each plan with paying customers reach it; see [`MarginReport::verdict`].
    pub verdict: Verdict,
    /// Length of the observed time, in days.
    pub observed_days: f64,
    /// Tickets observed in it, of all tenants.
    pub observed_tickets: u64,
    /// All customers together.
    pub whole: WholeMargin,
    /// By plan, in the order of their names.
    pub plans: Vec<PlanMargin>,
    /// By tenant with a plan, the worst margin first, those without one last.
    pub tenants: Vec<TenantMargin>,
    /// What was observed of tenants without a plan; it is in no figure above but [`MarginReport::observed_tickets`]
    /// and the mean that stands in for tenants with too few tickets.
    pub without_plan: WithoutPlan,
}

/// All customers.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct WholeMargin {
    /// Sums over the customers.
    #[serde(flatten)]
    pub figures: Figures,
    /// What would bring it to the target; `None` when it is there, or its margin is not known.
    pub levers: Option<Levers>,
}

/// The customers of one plan.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct PlanMargin {
    /// The plan.
    pub plan: String,
    /// Its price, a month and customer.
    pub price_nanousd: NanoUsd,
    /// It has no customers: the figures are of one that would join now and be typical.
    pub typical: bool,
    /// Sums over its customers.
    #[serde(flatten)]
    pub figures: Figures,
    /// What would bring it to the target; `None` when it is there, or its margin is not known.
    pub levers: Option<Levers>,
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TenantMargin {
    /// The tenant.
    pub tenant: String,
    /// Its plan.
    pub plan: String,
    /// Whose tickets tell what one of its tickets costs; `None` when no ticket was observed.
    pub basis: Option<Basis>,
    /// Its figures.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Whose observed tickets tell what a ticket costs and how often one is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The tenant's, of which there are at least [`LEAST_TICKETS`].
    Own,
    /// Those of all tenants of its plan, of which there are at least [`LEAST_TICKETS`].
    Plan,
    /// Those of all tenants, however few.
    All,
}

impl Basis {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Plan => "plan",
            Self::All => "all",
        }
    }
}

/// Tenants that asked and pay for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct WithoutPlan {
    /// Their names.
    pub tenants: Vec<String>,
    /// Tickets observed.
    pub tickets: u64,
    /// Cost of their calls in the observed time; `None` beyond what an amount can hold.
    pub inference_nanousd: Option<NanoUsd>,
}

impl MarginReport {
    /// Whether the target is reached by the whole, and by each plan that has customers and a price.
    ///
    /// A plan that costs nothing has no margin: it is not judged, but its cost is in the whole. A plan without
    /// customers is not judged either. One margin below the target fails the whole report, whatever is unknown
    /// elsewhere; otherwise one that is unknown makes it inconclusive.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The plans that the verdict is on.
    fn judged(&self) -> impl Iterator<Item = &PlanMargin> {
        self.plans.iter().filter(|plan| plan.is_judged())
    }
}

impl PlanMargin {
    fn is_judged(&self) -> bool {
        !self.typical && self.price_nanousd > NanoUsd::ZERO
    }
}

/// Whether a margin is at the target, but for what floats lose.
fn reaches(margin: f64, target: f64) -> bool {
    margin >= target - 1e-12
}
