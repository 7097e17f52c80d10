pub(super) mod amount;
mod distribution;
mod lines;
mod outcome;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::tokens::TokenTally;
use crate::domain::{AnswerPath, rfc3339};
use crate::store::{Charge, ChargeState, SpendFilter, TicketSpend};
use amount::{narrow, per, share};
use distribution::{Distribution, carry};
use lines::{Names, SpendLine, Tally};
use outcome::{PathLine, StateLine};

pub use outcome::CostReport;

/// Makes a [`CostReport`] of charges and tickets that are handed in one at a time, in any order.
///
/// It keeps 8 bytes a ticket, and sums by name and day.
#[derive(Debug)]
pub struct ReportBuilder {
    filter: SpendFilter,
    resolved_score: f64,
    spent: i128,
    uncertain: i128,
    open: i128,
    untold: u64,
    states: BTreeMap<ChargeState, Tally>,
    models: Names,
    providers: Names,
    tenants: Names,
    endpoints: Names,
    tasks: Names,
    days: BTreeMap<Date, Tally>,
    resolved: Vec<i64>,
    unresolved: Vec<i64>,
    overhead: i128,
    paths: BTreeMap<Option<AnswerPath>, PathTally>,
    tokens: TokenTally,
}

#[derive(Debug, Default)]
struct PathTally {
    tickets: u64,
    resolved: u64,
    cost: i128,
}

impl ReportBuilder {
    /// A report of what `filter` chose; an evaluated answer counts as resolved from `resolved_score` (0..=1) on.
    pub fn new(filter: SpendFilter, resolved_score: f64) -> Self {
        Self {
            filter,
            resolved_score,
            spent: 0,
            uncertain: 0,
            open: 0,
            untold: 0,
            states: BTreeMap::new(),
            models: Names::default(),
            providers: Names::default(),
            tenants: Names::default(),
            endpoints: Names::default(),
            tasks: Names::default(),
            days: BTreeMap::new(),
            resolved: Vec::new(),
            unresolved: Vec::new(),
            overhead: 0,
            paths: BTreeMap::new(),
            tokens: TokenTally::default(),
        }
    }

    /// Adds one call's charge: to what was spent when it was booked, to what is held while it is open.
    pub fn add_charge(&mut self, charge: &Charge) {
        self.states.entry(charge.state).or_default().add(charge.charged, charge.usage);
        match charge.state {
            ChargeState::Open => return self.open += i128::from(charge.reserved.0),
            ChargeState::Voided => return,
            ChargeState::Settled => {}
            ChargeState::Estimated | ChargeState::WorstCase => self.uncertain += i128::from(charge.charged.0),
        }
        self.spent += i128::from(charge.charged.0);
        self.untold += u64::from(charge.usage.is_none());
        let Self { models, providers, tenants, endpoints, tasks, days, .. } = self;
        let names = [
            (models, &charge.model),
            (providers, &charge.provider),
            (tenants, &charge.tenant),
            (endpoints, &charge.endpoint),
            (tasks, &charge.task),
        ];
        for (names, name) in names {
            names.add(name, charge);
        }
        let day = charge.at.to_zoned_datetime(TimeZone::UTC).date();
        days.entry(day).or_default().add(charge.charged, charge.usage);
    }

    /// Adds one ticket, or other work, with all that was booked for it.
    pub fn add_ticket(&mut self, ticket: &TicketSpend) {
        let Some(outcome) = &ticket.outcome else {
            self.overhead += i128::from(ticket.charged.0);
            return;
        };
        let resolved = outcome.resolved && outcome.score.is_none_or(|score| score >= self.resolved_score);
        let costs = if resolved { &mut self.resolved } else { &mut self.unresolved };
        costs.push(ticket.charged.0);
        let path = self.paths.entry(outcome.path).or_default();
        path.tickets += 1;
        path.resolved += u64::from(resolved);
        path.cost += i128::from(ticket.charged.0);
        self.tokens.add(ticket);
    }

    /// What it all comes to.
    pub fn finish(mut self) -> CostReport {
        let sum = |costs: &[i64]| costs.iter().copied().map(i128::from).sum::<i128>();
        let (own, lost) = (sum(&self.resolved), sum(&self.unresolved));
        let attributed = own + lost + self.overhead;
        let (resolved, unresolved) = (self.resolved.len() as u64, self.unresolved.len() as u64);
        let tickets = resolved + unresolved;

        let mut requests = self.unresolved;
        requests.extend(&self.resolved);
        let requests = Distribution::of(&mut requests);
        carry(&mut self.resolved, lost + self.overhead);
        let outcomes = Distribution::of(&mut self.resolved);

        let mut paths = self.paths;
        let path = |path: Option<AnswerPath>| {
            let tally = paths.remove(&path).unwrap_or_default();
            PathLine {
                path: path.map_or("failed", AnswerPath::as_str),
                tickets: tally.tickets,
                share: share(i128::from(tally.tickets), i128::from(tickets)),
                resolved: tally.resolved,
                cost_nanousd: narrow(tally.cost),
                cost_share: share(tally.cost, own + lost),
            }
        };
        let paths = AnswerPath::ALL.into_iter().map(Some).chain([None]).map(path).collect();
        let mut states = self.states;
        let state = |state| {
            let tally = states.remove(&state).unwrap_or_default();
            StateLine { state, calls: tally.calls, cost_nanousd: narrow(tally.cost) }
        };
        let states = ChargeState::ALL.map(state);
        CostReport {
            from: rfc3339(self.filter.from),
            until: rfc3339(self.filter.until),
            tenant: self.filter.tenant,
            endpoint: self.filter.endpoint,
            resolved_score: self.resolved_score,
            spent_nanousd: narrow(self.spent),
            uncertain_nanousd: narrow(self.uncertain),
            calls_without_tokens: self.untold,
            open_calls: states.iter().filter(|line| line.state == ChargeState::Open).map(|line| line.calls).sum(),
            open_nanousd: narrow(self.open),
            tickets,
            resolved,
            unresolved,
            attributed_nanousd: narrow(attributed),
            unresolved_nanousd: narrow(lost),
            overhead_nanousd: narrow(self.overhead),
            per_ticket_nanousd: per(own + lost, tickets),
            per_outcome_nanousd: per(attributed, resolved),
            requests,
            outcomes,
            paths,
            states: states.into(),
            by_model: self.models.dearest(self.spent),
            by_provider: self.providers.dearest(self.spent),
            by_tenant: self.tenants.dearest(self.spent),
            by_endpoint: self.endpoints.dearest(self.spent),
            by_task: self.tasks.dearest(self.spent),
            by_day: self.days.into_iter().map(|(day, tally)| tally.line(day.to_string(), self.spent)).collect(),
            tokens: self.tokens.finish(),
        }
    }
}
