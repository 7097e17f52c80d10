use std::ops::AddAssign;

use super::TenantUsage;

/// Tickets and what they cost, of some tenants in some time; money in nano-dollars.
///
/// Floats, because only ratios and projections are made of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Volume {
    pub(super) tickets: f64,
    pub(super) handovers: f64,
    pub(super) inference: f64,
    pub(super) cached: f64,
    pub(super) small_tickets: f64,
    pub(super) small_cost: f64,
    pub(super) large_tickets: f64,
    pub(super) large_cost: f64,
}

impl Volume {
    /// The same mix with so many tickets; `None` when it holds none.
    pub(super) fn with_tickets(&self, tickets: f64) -> Option<Self> {
        let factor = (self.tickets > 0.0).then(|| tickets / self.tickets)?;
        Some(Self {
            tickets,
            handovers: self.handovers * factor,
            inference: self.inference * factor,
            cached: self.cached * factor,
            small_tickets: self.small_tickets * factor,
            small_cost: self.small_cost * factor,
            large_tickets: self.large_tickets * factor,
            large_cost: self.large_cost * factor,
        })
    }
}

impl From<&TenantUsage> for Volume {
    fn from(usage: &TenantUsage) -> Self {
        Self {
            tickets: usage.tickets as f64,
            handovers: usage.handovers as f64,
            inference: usage.inference.0 as f64,
            cached: usage.exact_hits as f64 + usage.semantic_hits as f64,
            small_tickets: usage.small_tickets as f64,
            small_cost: usage.small_cost.0 as f64,
            large_tickets: usage.large_tickets as f64,
            large_cost: usage.large_cost.0 as f64,
        }
    }
}

impl AddAssign for Volume {
    fn add_assign(&mut self, other: Self) {
        self.tickets += other.tickets;
        self.handovers += other.handovers;
        self.inference += other.inference;
        self.cached += other.cached;
        self.small_tickets += other.small_tickets;
        self.small_cost += other.small_cost;
        self.large_tickets += other.large_tickets;
        self.large_cost += other.large_cost;
    }
}
