use std::collections::BTreeMap;

use super::figures::money;
use super::levers::Levers;
use super::line::{Customer, Line, whole};
use super::volume::Volume;
use super::{
    Basis, LEAST_TICKETS, MarginInputs, MarginReport, PlanMargin, TenantMargin, TenantUsage, WholeMargin, WithoutPlan,
    reaches,
};
use crate::config::PlanSettings;
use crate::domain::Verdict;

/// Days of a month: a 400-year cycle of the Gregorian calendar has 146,097 days and 4,800 months, 30.436875 to a
/// month; the customary rounding is that of the Julian year, 365.25 ÷ 12.
const DAYS_A_MONTH: f64 = 30.4375;

/// A tenant, the plan it pays for, and its tickets.
struct Subscriber<'a> {
    tenant: &'a str,
    plan: &'a str,
    basis: Option<Basis>,
    customer: Customer<'a>,
}

/// The margin of every plan and tenant.
///
/// - Tickets a month: the tenant's setting, else its plan's, else the observed ones × 30.4375 ÷ days, else unknown.
/// - AI inference and hand-overs: those of an observed ticket times the tickets a month. Below [`LEAST_TICKETS`]
///   observed tickets of a tenant its plan's mean stands in, and below that of the plan the mean of all tenants.
/// - The fixed cloud cost is shared among the customers by tickets a month, among those where they are known, and
///   equally when nobody is expected to ask anything.
/// - A plan without customers is shown with a typical one: the plan's tickets, the mean of all tenants, and the share
///   of the fixed cost that it would bear if it joined now.
pub fn margin_report(inputs: &MarginInputs) -> MarginReport {
    let observed = Observed::of(inputs);
    let subscribers = subscribers(inputs, &observed);
    let fixed = Fixed::of(inputs, &subscribers);
    let target = inputs.settings.target;

    let mut whole_line = Line::empty();
    let mut by_plan: BTreeMap<&str, Line> = BTreeMap::new();
    let mut tenants = Vec::with_capacity(subscribers.len());
    for (subscriber, share) in subscribers.iter().zip(fixed.shares(&subscribers)) {
        let line = Line::of(&subscriber.customer, share, &inputs.settings);
        whole_line += &line;
        *by_plan.entry(subscriber.plan).or_insert_with(Line::empty) += &line;
        tenants.push(TenantMargin {
            tenant: subscriber.tenant.to_owned(),
            plan: subscriber.plan.to_owned(),
            basis: subscriber.basis,
            figures: line.figures(),
        });
    }
    tenants.sort_by(|one, other| worst_first(one).total_cmp(&worst_first(other)));

    let plan = |(name, settings): (&String, &PlanSettings)| {
        let customers = by_plan.get(name.as_str());
        let typical = || {
            let customer = Customer {
                price: settings.price,
                acquisition: settings.acquisition,
                expected: settings.tickets_per_month.map(|tickets| tickets as f64),
                observed: Some(&observed.all).filter(|all| all.tickets > 0.0),
            };
            Line::of(&customer, fixed.of_one_more(customer.expected), &inputs.settings)
        };
        let line = customers.cloned().unwrap_or_else(typical);
        PlanMargin {
            plan: name.clone(),
            price_nanousd: settings.price,
            typical: customers.is_none(),
            figures: line.figures(),
            levers: Levers::of(&line, target),
        }
    };
    let mut report = MarginReport {
        target,
        verdict: Verdict::Inconclusive,
        observed_days: inputs.days,
        observed_tickets: observed.tickets,
        whole: WholeMargin { figures: whole_line.figures(), levers: Levers::of(&whole_line, target) },
        plans: inputs.plans.iter().map(plan).collect(),
        tenants,
        without_plan: without_plan(inputs),
    };
    report.verdict = judge(&report);
    report
}

/// What was observed, summed.
struct Observed<'a> {
    by_tenant: BTreeMap<&'a str, Volume>,
    by_plan: BTreeMap<&'a str, Volume>,
    all: Volume,
    tickets: u64,
}

impl<'a> Observed<'a> {
    fn of(inputs: &'a MarginInputs) -> Self {
        let mut observed =
            Self { by_tenant: BTreeMap::new(), by_plan: BTreeMap::new(), all: Volume::default(), tickets: 0 };
        for (tenant, usage) in &inputs.usage {
            let volume = Volume::from(usage);
            observed.tickets = observed.tickets.saturating_add(usage.tickets);
            observed.all += volume;
            if let Some((plan, _)) = plan_of(inputs, tenant) {
                *observed.by_plan.entry(plan).or_default() += volume;
            }
            observed.by_tenant.insert(tenant, volume);
        }
        observed
    }

    /// Whose tickets stand for those of `tenant`; `None` when there are none at all.
    fn basis(&self, tenant: &str, plan: &str) -> Option<(Basis, &Volume)> {
        let enough = |volume: &&Volume| volume.tickets >= LEAST_TICKETS as f64;
        let own = self.by_tenant.get(tenant).filter(enough).map(|own| (Basis::Own, own));
        let plans = || self.by_plan.get(plan).filter(enough).map(|plan| (Basis::Plan, plan));
        own.or_else(plans).or_else(|| (self.all.tickets > 0.0).then_some((Basis::All, &self.all)))
    }
}

/// The plan of a tenant, when it is a customer.
fn plan_of<'a>(inputs: &'a MarginInputs, tenant: &str) -> Option<(&'a str, &'a PlanSettings)> {
    let plan = inputs.tenants.get(tenant)?.plan.as_ref()?;
    inputs.plans.get_key_value(plan).map(|(name, settings)| (name.as_str(), settings))
}

fn subscribers<'a>(inputs: &'a MarginInputs, observed: &'a Observed<'a>) -> Vec<Subscriber<'a>> {
    let subscriber = |(tenant, settings): (&'a String, &'a crate::config::TenantSettings)| {
        let (plan, plan_settings) = plan_of(inputs, tenant)?;
        let configured = settings.tickets_per_month.or(plan_settings.tickets_per_month).map(|tickets| tickets as f64);
        let seen = observed.by_tenant.get(tenant.as_str()).filter(|own| own.tickets > 0.0 && inputs.days > 0.0);
        let (basis, volume) = observed.basis(tenant, plan).unzip();
        Some(Subscriber {
            tenant,
            plan,
            basis,
            customer: Customer {
                price: plan_settings.price,
                acquisition: plan_settings.acquisition,
                expected: configured.or_else(|| seen.map(|own| own.tickets * DAYS_A_MONTH / inputs.days)),
                observed: volume,
            },
        })
    };
    inputs.tenants.iter().filter_map(subscriber).collect()
}

/// The fixed part of the cloud cost, and the tickets that it is shared by.
struct Fixed {
    amount: f64,
    tickets: f64,
    customers: u64,
}

impl Fixed {
    fn of(inputs: &MarginInputs, subscribers: &[Subscriber<'_>]) -> Self {
        let expected = || subscribers.iter().filter_map(|subscriber| subscriber.customer.expected);
        Self {
            amount: inputs.settings.cloud_per_month.map_or(0.0, |amount| amount.0 as f64),
            tickets: expected().sum(),
            customers: expected().count() as u64,
        }
    }

    /// Each customer's share in nano-dollars. Their rounding is carried over from one to the next, so that they add
    /// up to the amount.
    fn shares(&self, subscribers: &[Subscriber<'_>]) -> impl Iterator<Item = i128> {
        let mut before = 0.0;
        let weight = |tickets: f64| if self.tickets > 0.0 { tickets } else { 1.0 };
        let total = if self.tickets > 0.0 { self.tickets } else { self.customers as f64 };
        subscribers.iter().map(move |subscriber| {
            let Some(tickets) = subscriber.customer.expected else { return 0 };
            let up_to = |tickets: f64| whole(self.amount * (tickets / total));
            let start = up_to(before);
            before += weight(tickets);
            up_to(before) - start
        })
    }

    /// The share of a customer that joins with so many tickets a month.
    fn of_one_more(&self, tickets: Option<f64>) -> i128 {
        let Some(tickets) = tickets else { return 0 };
        let all = self.tickets + tickets;
        whole(self.amount * if all > 0.0 { tickets / all } else { 1.0 / (self.customers + 1) as f64 })
    }
}

/// Where a tenant stands: by margin, one that costs and pays nothing before all, one of which nothing is known last.
fn worst_first(tenant: &TenantMargin) -> f64 {
    let figures = &tenant.figures;
    match (figures.margin, figures.gross_profit_nanousd) {
        (Some(margin), _) => margin,
        (None, Some(profit)) if profit.0 < 0 => f64::NEG_INFINITY,
        _ => f64::INFINITY,
    }
}

fn without_plan(inputs: &MarginInputs) -> WithoutPlan {
    let strangers: Vec<(&String, &TenantUsage)> =
        inputs.usage.iter().filter(|(tenant, _)| plan_of(inputs, tenant).is_none()).collect();
    WithoutPlan {
        tenants: strangers.iter().map(|(tenant, _)| (*tenant).clone()).collect(),
        tickets: strangers.iter().fold(0, |sum, (_, usage)| sum.saturating_add(usage.tickets)),
        inference_nanousd: money(strangers.iter().map(|(_, usage)| i128::from(usage.inference.0)).sum()),
    }
}

fn judge(report: &MarginReport) -> Verdict {
    let margins = || {
        let plans = report.judged().map(|plan| plan.figures.margin);
        std::iter::once(report.whole.figures.margin).chain(plans)
    };
    if margins().flatten().any(|margin| !reaches(margin, report.target)) {
        Verdict::Fail
    } else if margins().any(|margin| margin.is_none()) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}
