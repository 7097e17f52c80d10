use std::collections::BTreeSet;
use std::path::Path;

use super::budgets::{CostSettings, EndpointSettings};
use super::plans::{MarginSettings, PlanSettings, TenantSettings};
use super::reader::Reader;
use super::settings::is_tenant_name;
use crate::domain::nearest;

/// Most tickets of a customer in a month.
const MOST_TICKETS: i64 = 1_000_000_000;

/// Reads `[plans.NAME]`.
pub(super) fn read_plan(plan: Reader<'_>) -> Option<PlanSettings> {
    plan.require("price_usd_per_month", "say what one customer pays for a month; 0 for a free plan");
    let price = plan.dollars("price_usd_per_month");
    let tickets_per_month = read_tickets(&plan);
    let acquisition = plan.dollars("acquisition_usd");
    plan.finish();
    Some(PlanSettings { price: price?, tickets_per_month, acquisition })
}

/// Reads `[tenants.NAME]`, whose plan has to be one of `plans`.
pub(super) fn read_tenant(name: &str, tenant: Reader<'_>, plans: &BTreeSet<String>) -> TenantSettings {
    if !is_tenant_name(name) {
        tenant.refuse(
            format!("`{name}` is no tenant's name"),
            Some("use letters, digits, `-` and `_`, at most 64".into()),
        );
    }
    let plan = tenant.text("plan");
    if let Some(plan) = &plan
        && !plans.contains(plan)
    {
        let hint = match nearest(plan, plans.iter().map(String::as_str)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "describe it in a table [plans.NAME] with price_usd_per_month".to_owned(),
        };
        tenant.reject("plan", format!("there is no plan `{plan}`"), Some(hint));
    }
    let tickets_per_month = read_tickets(&tenant);
    tenant.finish();
    TenantSettings { plan, tickets_per_month }
}

fn read_tickets(table: &Reader<'_>) -> Option<u64> {
    table.integer("tickets_per_month", 0..=MOST_TICKETS).map(|tickets| tickets as u64)
}

/// Reads `[margin]`; `has_tenants` says whether there are tables `[tenants.NAME]`.
pub(super) fn read_margin(root: &Path, margin: Reader<'_>, has_tenants: bool) -> MarginSettings {
    let target = margin.number("target", 0.0..=1.0).unwrap_or(MarginSettings::default().target);
    if target >= 1.0 {
        let hint = "a target of 75 percent is written target = 0.75";
        margin.reject("target", "must be below 1: every ticket costs something", Some(hint.into()));
    }
    let customers = margin.text("customers");
    if customers.is_some() && has_tenants {
        let hint = "keep one of the two: the file, or the tables [tenants.NAME]";
        margin.reject("customers", "stands beside [tenants]", Some(hint.into()));
    }
    let settings = MarginSettings {
        target,
        cloud_per_month: margin.dollars("cloud_usd_per_month"),
        cloud_per_thousand_tickets: margin.dollars("cloud_usd_per_thousand_tickets"),
        support_per_handover: margin.dollars("support_usd_per_handover"),
        customers: customers.map(|path| root.join(path)),
    };
    margin.finish();
    settings
}

/// Reads `[endpoints.NAME]`.
pub(super) fn read_endpoint(endpoint: Reader<'_>) -> EndpointSettings {
    let tokens = endpoint.integer("output_tokens", 1..=1_000_000).map(|tokens| tokens as u64);
    endpoint.finish();
    EndpointSettings { output_tokens: tokens.unwrap_or(EndpointSettings::default().output_tokens) }
}

/// Reads `[cost]`.
pub(super) fn read_cost(cost: Reader<'_>) -> CostSettings {
    let defaults = CostSettings::default();
    let settings = CostSettings {
        resolved_score: cost.number("resolved_score", 0.0..=1.0).unwrap_or(defaults.resolved_score),
        drift: cost.number("drift_percent", 1.0..=1000.0).map_or(defaults.drift, |percent| percent / 100.0),
    };
    cost.finish();
    settings
}

#[cfg(test)]
mod tests {
    use super::super::testing::{load_text, problems};
    use super::*;
    use crate::domain::NanoUsd;

    #[test]
    fn plans_tenants_and_margin_are_read() {
        let config = load_text(
            "[plans.pro]\nprice_usd_per_month = 500\ntickets_per_month = 4000\nacquisition_usd = 900\n\
             [plans.free]\nprice_usd_per_month = 0\n\
             [tenants.acme]\nplan = \"pro\"\ntickets_per_month = 5200\n[tenants.trial]\n\
             [margin]\ntarget = 0.8\ncloud_usd_per_month = 300\ncloud_usd_per_thousand_tickets = 0.40\n\
             support_usd_per_handover = 4.00\n",
            &[],
        )
        .unwrap();
        let dollars = |dollars: i64| NanoUsd(dollars * 1_000_000_000);
        let pro = PlanSettings { price: dollars(500), tickets_per_month: Some(4_000), acquisition: Some(dollars(900)) };
        assert_eq!(config.plans["pro"], pro);
        assert_eq!(
            config.plans["free"],
            PlanSettings { price: dollars(0), tickets_per_month: None, acquisition: None }
        );
        assert_eq!(config.tenants["acme"], TenantSettings { plan: Some("pro".into()), tickets_per_month: Some(5_200) });
        assert_eq!(config.tenants["trial"], TenantSettings::default());
        let margin = MarginSettings {
            target: 0.8,
            cloud_per_month: Some(dollars(300)),
            cloud_per_thousand_tickets: Some(NanoUsd(400_000_000)),
            support_per_handover: Some(dollars(4)),
            customers: None,
        };
        assert_eq!(config.margin, margin);
    }

    #[test]
    fn the_file_of_customers_belongs_to_the_project() {
        let config = load_text("[margin]\ncustomers = \"customers.csv\"\n", &[]).unwrap();
        assert_eq!(config.margin.customers, Some(config.root.join("customers.csv")));
        assert_eq!(config.margin.target.to_bits(), 0.75_f64.to_bits());
    }

    #[test]
    fn endpoints_and_cost_are_read_and_have_defaults() {
        let text = "[endpoints.ask]\noutput_tokens = 300\n[endpoints.eval]\n[cost]\nresolved_score = 1\ndrift_percent = 12.5\n";
        let config = load_text(text, &[]).unwrap();
        assert_eq!((config.endpoints["ask"].output_tokens, config.endpoints["eval"].output_tokens), (300, 1024));
        assert_eq!(config.cost, CostSettings { resolved_score: 1.0, drift: 0.125 });
        assert_eq!(load_text("", &[]).unwrap().cost, CostSettings { resolved_score: 0.5, drift: 0.15 });
    }

    #[test]
    fn what_cannot_be_is_refused_where_it_stands() {
        let found = problems(
            "[plans.pro]\nprice_usd_per_month = -1\n[plans.team]\ntickets_per_month = 1.5\n\
             [tenants.acme]\nplan = \"prp\"\n[tenants.\"a b\"]\nplan = \"enterprise\"\n\
             [margin]\ntarget = 75\ncustomers = \"c.csv\"\n[endpoints.ask]\noutput_tokens = 0\n\
             [cost]\nresolved_score = 1.01\ndrift_percent = 0.15\n",
            &[],
        );
        insta::assert_snapshot!(found, @r#"
        2:23 plans.pro.price_usd_per_month: must be a number of at least 0
        3:8 plans.team.price_usd_per_month: is missing (say what one customer pays for a month; 0 for a free plan)
        4:21 plans.team.tickets_per_month: must be a whole number from 0 to 1000000000
        6:8 tenants.acme.plan: there is no plan `prp` (did you mean `pro`?)
        7:10 tenants."a b": `a b` is no tenant's name (use letters, digits, `-` and `_`, at most 64)
        8:8 tenants."a b".plan: there is no plan `enterprise` (describe it in a table [plans.NAME] with price_usd_per_month)
        10:10 margin.target: must be a number from 0 to 1
        11:13 margin.customers: stands beside [tenants] (keep one of the two: the file, or the tables [tenants.NAME])
        13:17 endpoints.ask.output_tokens: must be a whole number from 1 to 1000000
        15:18 cost.resolved_score: must be a number from 0 to 1
        16:17 cost.drift_percent: must be a number from 1 to 1000
        "#);
    }

    #[test]
    fn a_margin_of_everything_is_no_target() {
        insta::assert_snapshot!(problems("[margin]\ntarget = 1\n", &[]), @r"2:10 margin.target: must be below 1: every ticket costs something (a target of 75 percent is written target = 0.75)");
    }
}
