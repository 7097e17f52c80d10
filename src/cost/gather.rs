//! What reports are made of, read from the ledger.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{CurveInputs, DiffModel, DiffSide, ModelUse, Requests, TenantUsage, Week};
use crate::domain::{AnswerPath, NanoUsd};
use crate::store::{ChargeState, OutcomeRow, RunRow, SpendFilter, Store, StoreError};

/// A week's requests and what they used.
///
/// # Errors
/// When the store cannot be read.
pub fn week(store: &Store, filter: &SpendFilter) -> Result<Week, StoreError> {
    let mut tenants: BTreeMap<String, Requests> = BTreeMap::new();
    let mut request_costs = Vec::new();
    store.for_each_ticket(filter, |ticket| {
        if let Some(outcome) = &ticket.outcome {
            let tenant = tenants.entry(ticket.tenant.clone()).or_default();
            tenant.requests += 1;
            tenant.cache_hits += u64::from(is_hit(outcome.path));
            request_costs.push(ticket.charged);
        }
        Ok::<_, StoreError>(())
    })?;
    request_costs.sort_unstable();
    let mut uses: BTreeMap<(String, String), ModelUse> = BTreeMap::new();
    store.for_each_charge(filter, |charge| {
        if matches!(charge.state, ChargeState::Open | ChargeState::Voided) {
            return Ok::<_, StoreError>(());
        }
        let entry = uses.entry((charge.tenant.clone(), charge.model.clone())).or_insert_with(|| ModelUse {
            tenant: charge.tenant.clone(),
            model: charge.model.clone(),
            calls: 0,
            input_tokens: 0,
            output_tokens: 0,
            input_cost: NanoUsd::ZERO,
            output_cost: NanoUsd::ZERO,
            other_cost: NanoUsd::ZERO,
        });
        entry.calls += 1;
        match (charge.usage, charge.charged_input) {
            (Some(usage), Some(input)) => {
                entry.input_tokens += usage.input.0;
                entry.output_tokens += usage.output.0;
                entry.input_cost += input;
                entry.output_cost += charge.charged - input;
            }
            _ => entry.other_cost += charge.charged,
        }
        Ok(())
    })?;
    Ok(Week { from: filter.from, until: filter.until, tenants, uses: uses.into_values().collect(), request_costs })
}

/// What each tenant's tickets took.
///
/// # Errors
/// When the store cannot be read.
pub fn tenant_usage(store: &Store, filter: &SpendFilter) -> Result<BTreeMap<String, TenantUsage>, StoreError> {
    let mut tenants: BTreeMap<String, TenantUsage> = BTreeMap::new();
    store.for_each_ticket(filter, |ticket| {
        if let Some(outcome) = &ticket.outcome {
            tenants.entry(ticket.tenant.clone()).or_default().count(outcome, ticket.charged);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(tenants)
}

/// What the curves of cost against cache hit rate start from.
///
/// # Errors
/// When the store cannot be read.
pub fn curve_inputs(store: &Store, filter: &SpendFilter) -> Result<CurveInputs, StoreError> {
    let mut all = TenantUsage::default();
    store.for_each_ticket(filter, |ticket| {
        if let Some(outcome) = &ticket.outcome {
            all.count(outcome, ticket.charged);
        }
        Ok::<_, StoreError>(())
    })?;
    let (embedded, embedding) = store.embedded_questions(filter)?;
    let mean = |sum: NanoUsd, count: u64| (count > 0).then(|| NanoUsd((sum.0 as f64 / count as f64).round() as i64));
    let embedding = mean(embedding, embedded).unwrap_or_default();
    let without_embedding = |cost: Option<NanoUsd>| cost.map(|cost| NanoUsd((cost.0 - embedding.0).max(0)));
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    Ok(CurveInputs {
        small_ticket: without_embedding(mean(all.small_cost, all.small_tickets)),
        large_ticket: without_embedding(mean(all.large_cost, all.large_tickets)),
        embedding,
        small_share: share(all.small_tickets, all.small_tickets + all.large_tickets),
        exact_hit_rate: share(all.exact_hits, all.tickets),
        semantic_hit_rate: share(all.semantic_hits, all.tickets.saturating_sub(all.exact_hits)),
        tickets: all.tickets,
    })
}

/// What was booked on each day, by the calendar of UTC; days without a booking are left out.
///
/// # Errors
/// When the store cannot be read.
pub fn daily(store: &Store, filter: &SpendFilter) -> Result<BTreeMap<Date, NanoUsd>, StoreError> {
    let mut days: BTreeMap<Date, NanoUsd> = BTreeMap::new();
    store.for_each_charge(filter, |charge| {
        *days.entry(charge.at.to_zoned_datetime(TimeZone::UTC).date()).or_default() += charge.charged;
        Ok::<_, StoreError>(())
    })?;
    Ok(days)
}

/// One side of a cost diff: a stored run.
///
/// # Errors
/// When the store cannot be read.
pub fn diff_side(store: &Store, run: &RunRow, resolved_score: f64) -> Result<DiffSide, StoreError> {
    let spend = store.run_spend(run.id, resolved_score)?;
    let model = |(model, calls, usage, cost): (String, u64, crate::domain::Usage, Option<NanoUsd>)| DiffModel {
        model,
        calls,
        input_tokens: usage.input.0,
        output_tokens: usage.output.0,
        cost,
    };
    Ok(DiffSide {
        label: run.id.to_string(),
        release: run.release_number,
        release_hash: run.release_hash.as_str().to_owned(),
        price_book: None,
        tickets: spend.tickets,
        resolved: spend.resolved,
        models: spend.models.into_iter().map(model).collect(),
        cost: spend.cost,
        gold_set: run.gold_set.clone(),
        gold_hash: run.gold_hash.as_str().to_owned(),
    })
}

impl TenantUsage {
    /// Counts a ticket that cost `charged`.
    fn count(&mut self, outcome: &OutcomeRow, charged: NanoUsd) {
        self.tickets += 1;
        self.handovers += u64::from(!outcome.resolved);
        self.inference += charged;
        match outcome.path {
            Some(AnswerPath::Exact) => self.exact_hits += 1,
            Some(AnswerPath::Semantic) => self.semantic_hits += 1,
            Some(AnswerPath::Small) => {
                self.small_tickets += 1;
                self.small_cost += charged;
            }
            Some(AnswerPath::Large) => {
                self.large_tickets += 1;
                self.large_cost += charged;
            }
            _ => {}
        }
    }
}

fn is_hit(path: Option<AnswerPath>) -> bool {
    matches!(path, Some(AnswerPath::Exact | AnswerPath::Semantic))
}
