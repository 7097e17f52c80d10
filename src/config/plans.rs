use std::path::PathBuf;

use crate::domain::NanoUsd;

/// `[plans.NAME]`: what customers on a plan pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanSettings {
    /// What one customer pays for a month.
    pub price: NanoUsd,
    /// Expected tickets of one customer in a month.
    pub tickets_per_month: Option<u64>,
    /// What it costs to win one customer.
    pub acquisition: Option<NanoUsd>,
}

/// `[tenants.NAME]`: what is known of one customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantSettings {
    /// The plan it pays for; one of `[plans]`.
    pub plan: Option<String>,
    /// Its expected tickets in a month, instead of the plan's.
    pub tickets_per_month: Option<u64>,
}

/// `[margin]`: the margin to reach, and what else a ticket costs.
#[derive(Debug, Clone, PartialEq)]
pub struct MarginSettings {
    /// The gross margin to reach, at least 0 and below 1.
    pub target: f64,
    /// Cloud cost of the whole project in a month, however many tickets there are.
    pub cloud_per_month: Option<NanoUsd>,
    /// Cloud cost of a thousand tickets.
    pub cloud_per_thousand_tickets: Option<NanoUsd>,
    /// What a person's work on one hand-over costs.
    pub support_per_handover: Option<NanoUsd>,
    /// A CSV file with the columns `tenant`, `plan` and `tickets_per_month`, instead of `[tenants]`.
    pub customers: Option<PathBuf>,
}

impl Default for MarginSettings {
    fn default() -> Self {
        Self {
            target: 0.75,
            cloud_per_month: None,
            cloud_per_thousand_tickets: None,
            support_per_handover: None,
            customers: None,
        }
    }
}
