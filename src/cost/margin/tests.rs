//! Two plans and three customers, worked out by hand as a spreadsheet would.

use std::collections::BTreeMap;

use super::*;

pub(super) fn usd(dollars: f64) -> NanoUsd {
    NanoUsd((dollars * 1e9).round() as i64)
}

pub(super) fn plan(price: f64, tickets_per_month: Option<u64>, acquisition: f64) -> PlanSettings {
    PlanSettings { price: usd(price), tickets_per_month, acquisition: Some(usd(acquisition)) }
}

pub(super) fn tenant(plan: &str, tickets_per_month: Option<u64>) -> TenantSettings {
    TenantSettings { plan: Some(plan.to_owned()), tickets_per_month }
}

fn named<V: Clone, const N: usize>(entries: [(&str, V); N]) -> BTreeMap<String, V> {
    entries.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Half a month was observed.
///
/// | tenant  | plan  | tickets | hand-overs | inference |  small alone  | reached large | from caches |
/// |---------|-------|---------|------------|-----------|---------------|---------------|-------------|
/// | acme    | pro   |   2,000 |         20 |    $30.00 | 1,200 ·  $6   | 400 · $24     |         400 |
/// | globex  | pro   |     500 |          2 |     $4.00 |   400 ·  $2   |  50 ·  $2     |          50 |
/// | initech | basic |      10 |          1 |     $0.10 |     5 ·  $.05 |   3 ·  $.05   |           2 |
/// | trial   |       |     490 |          7 |    $10.90 |   295 · $1.45 |  47 · $8.95   |         148 |
/// | all     |       |   3,000 |         30 |    $45.00 | 1,900 · $9.50 | 500 · $35     |         600 |
pub(super) fn fixture() -> MarginInputs {
    let usage = |tickets, handovers, inference, small: (u64, f64), large: (u64, f64), hits: u64| TenantUsage {
        tickets,
        handovers,
        inference: usd(inference),
        exact_hits: hits / 2,
        semantic_hits: hits - hits / 2,
        small_tickets: small.0,
        small_cost: usd(small.1),
        large_tickets: large.0,
        large_cost: usd(large.1),
    };
    MarginInputs {
        plans: named([("pro", plan(1_000.0, None, 2_256.0)), ("basic", plan(400.0, Some(1_000), 589.2))]),
        tenants: named([
            ("acme", tenant("pro", Some(4_000))),
            ("globex", tenant("pro", None)),
            ("initech", tenant("basic", None)),
            ("trial", TenantSettings::default()),
        ]),
        settings: MarginSettings {
            target: 0.75,
            cloud_per_month: Some(usd(300.0)),
            cloud_per_thousand_tickets: Some(usd(0.4)),
            support_per_handover: Some(usd(4.0)),
            customers: None,
        },
        usage: named([
            ("acme", usage(2_000, 20, 30.0, (1_200, 6.0), (400, 24.0), 400)),
            ("globex", usage(500, 2, 4.0, (400, 2.0), (50, 2.0), 50)),
            ("initech", usage(10, 1, 0.1, (5, 0.05), (3, 0.05), 2)),
            ("trial", usage(490, 7, 10.9, (295, 1.45), (47, 8.95), 148)),
        ]),
        days: 30.4375 / 2.0,
    }
}

fn figures_of<'a>(report: &'a MarginReport, tenant: &str) -> &'a TenantMargin {
    report.tenants.iter().find(|row| row.tenant == tenant).unwrap()
}

fn plan_of<'a>(report: &'a MarginReport, plan: &str) -> &'a PlanMargin {
    report.plans.iter().find(|row| row.plan == plan).unwrap()
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

/// Expected tickets, revenue, cloud, inference, support, cost, gross profit in dollars, margin.
fn assert_figures(figures: &Figures, expected: [f64; 8]) {
    let money = |amount: Option<NanoUsd>| amount.unwrap();
    let [tickets, revenue, cloud, inference, support, cogs, profit, margin] = expected;
    assert!(near(figures.expected_tickets.unwrap(), tickets), "{figures:?}");
    assert_eq!(money(figures.revenue_nanousd), usd(revenue));
    assert_eq!(money(figures.cloud_nanousd), usd(cloud));
    assert_eq!(money(figures.inference_nanousd), usd(inference));
    assert_eq!(money(figures.support_nanousd), usd(support));
    assert_eq!(money(figures.cogs_nanousd), usd(cogs));
    assert_eq!(money(figures.gross_profit_nanousd), usd(profit));
    assert!(near(figures.margin.unwrap(), margin), "{figures:?}");
}

#[test]
fn every_figure_equals_the_spreadsheet() {
    let report = margin_report(&fixture());
    // Tickets a month: acme's setting 4,000; globex 500 × 2; initech its plan's 1,000. Together 6,000.
    // Cloud: $300 ÷ 6,000 = $0.05 a ticket, and $0.0004.
    // acme: 4,000 × .0504 = 201.60; inference 30 ÷ 2,000 × 4,000 = 60; hand-overs 1 % × 4,000 × $4 = 160.
    let acme = figures_of(&report, "acme");
    assert_figures(&acme.figures, [4_000.0, 1_000.0, 201.6, 60.0, 160.0, 421.6, 578.4, 0.5784]);
    // globex: 1,000 × .0504 = 50.40; 4 ÷ 500 × 1,000 = 8; 0.4 % × 1,000 × $4 = 16.
    let globex = figures_of(&report, "globex");
    assert_figures(&globex.figures, [1_000.0, 1_000.0, 50.4, 8.0, 16.0, 74.4, 925.6, 0.9256]);
    // initech has 10 tickets, as many as its plan: all 3,000 stand in. 45 ÷ 3,000 × 1,000 = 15; 1 % × 1,000 × $4 = 40.
    let initech = figures_of(&report, "initech");
    assert_figures(&initech.figures, [1_000.0, 400.0, 50.4, 15.0, 40.0, 105.4, 294.6, 0.7365]);
    let basis = [acme, globex, initech].map(|row| row.basis.unwrap());
    assert_eq!(basis, [Basis::Own, Basis::Own, Basis::All]);

    let pro = &plan_of(&report, "pro").figures;
    assert_figures(pro, [5_000.0, 2_000.0, 252.0, 68.0, 176.0, 496.0, 1_504.0, 0.752]);
    let whole = &report.whole.figures;
    assert_figures(whole, [6_000.0, 2_400.0, 302.4, 83.0, 216.0, 601.4, 1_798.6, 1_798.6 / 2_400.0]);
    assert!(near(whole.inference_share.unwrap(), 83.0 / 601.4));
    // pro: 1,504 ÷ 2 customers = 752 a month, 2,256 ÷ 752 = 3. basic: 589.20 ÷ 294.60 = 2.
    assert!(near(pro.payback_months.unwrap(), 3.0));
    assert!(near(plan_of(&report, "basic").figures.payback_months.unwrap(), 2.0));
    assert!(near(whole.payback_months.unwrap(), (2.0 * 2_256.0 + 589.2) / 1_798.6));

    assert_eq!(report.tenants.iter().map(|row| row.tenant.as_str()).collect::<Vec<_>>(), ["acme", "initech", "globex"]);
    let strangers = WithoutPlan { tenants: vec!["trial".into()], tickets: 490, inference_nanousd: Some(usd(10.9)) };
    assert_eq!((report.without_plan.clone(), report.observed_tickets), (strangers, 3_000));
    assert_eq!(report.verdict(), Verdict::Fail);
    assert_eq!(plan_of(&report, "pro").levers, None, "it is above the target");
}

#[test]
fn each_lever_brings_the_margin_to_the_target() {
    let report = margin_report(&fixture());
    // basic may cost 400 × .25 = 100, and costs 105.40: 5.40 too much.
    let levers = plan_of(&report, "basic").levers.clone().unwrap();
    // 105.40 ÷ .25 = 421.60, 5.4 % more.
    assert_eq!(levers.price.needed_nanousd, Some(usd(421.6)));
    assert!(near(levers.price.change.unwrap(), 0.054));
    // Of 1,000 tickets 1,900 ÷ 3 are the small model's at .005, 500 ÷ 3 reach the large one at .07: 800 in all, and
    // each 1 of their share saves 800 × .065 = 52. 19/24 + 5.40 ÷ 52; at 1 the margin is (400 − 105.40 + 52 × 5/24) ÷ 400.
    let small = levers.small_model_share.unwrap();
    assert!(near(small.now, 19.0 / 24.0) && near(small.needed.unwrap(), 19.0 / 24.0 + 5.4 / 52.0), "{small:?}");
    assert!(small.reachable && near(small.margin_at_full, (294.6 + 52.0 * 5.0 / 24.0) / 400.0), "{small:?}");
    // A fifth is from caches: without them inference would be 15 ÷ .8 = 18.75. It may be 9.60 = 18.75 × .512.
    let cache = levers.cache_hit_rate.unwrap();
    assert!(near(cache.now, 0.2) && near(cache.needed.unwrap(), 0.488), "{cache:?}");

    // The same with what is needed put back in: for the plan, and for all customers.
    // Monthly, small + large tickets, a ticket's cost of each, the rest of inference:
    // basic: 800, .005, .07, $.50 ÷ 3. All: 2,400 + 800 + 1,900/3 at 12 + 4 + 9.50/3; 800 + 100 + 500/3 at 48 + 4 + 35/3.
    let [small_tickets, small_cost] = [3_200.0 + 1_900.0 / 3.0, 16.0 + 9.5 / 3.0];
    let [large_tickets, large_cost] = [900.0 + 500.0 / 3.0, 52.0 + 35.0 / 3.0];
    let whole_mix = [small_tickets + large_tickets, small_cost / small_tickets, large_cost / large_tickets, 0.5 / 3.0];
    let basic = (&plan_of(&report, "basic").levers, 400.0, 90.4, 15.0, [800.0, 0.005, 0.07, 0.5 / 3.0]);
    let whole = (&report.whole.levers, 2_400.0, 518.4, 83.0, whole_mix);
    for (levers, revenue, other_cost, inference, [answered, a, b, rest]) in [basic, whole] {
        let levers = levers.as_ref().unwrap();
        let margin = |revenue: f64, inference: f64| (revenue - other_cost - inference) / revenue;
        let raised = revenue * (1.0 + levers.price.change.unwrap());
        assert!(near(margin(raised, inference), 0.75));
        let p = levers.small_model_share.as_ref().unwrap().needed.unwrap();
        assert!(near(margin(revenue, rest + answered * (p * a + (1.0 - p) * b)), 0.75));
        let cache = levers.cache_hit_rate.as_ref().unwrap();
        assert!(near(margin(revenue, inference / (1.0 - cache.now) * (1.0 - cache.needed.unwrap())), 0.75));
    }
    let mut dearer = fixture();
    dearer.plans.get_mut("basic").unwrap().price = usd(421.6);
    let dearer = margin_report(&dearer);
    assert!(near(plan_of(&dearer, "basic").figures.margin.unwrap(), 0.75));
    assert_eq!(dearer.verdict(), Verdict::Pass, "all customers now pay 2,421.60 and cost 601.40");
}

#[test]
fn a_plan_without_customers_is_shown_with_a_typical_one_and_not_judged() {
    let mut inputs = fixture();
    inputs.plans.insert("team".into(), plan(50.0, Some(600), 100.0));
    let report = margin_report(&inputs);
    // $300 × 600 ÷ 6,600 + .24; .015 × 600 = 9; 1 % × 600 × $4 = 24.
    let cloud = 27.272_727_273 + 0.24;
    let team = plan_of(&report, "team");
    assert!(team.typical);
    assert_figures(&team.figures, [600.0, 50.0, cloud, 9.0, 24.0, cloud + 33.0, 17.0 - cloud, (17.0 - cloud) / 50.0]);
    assert_eq!((team.figures.payback_months, team.figures.no_payback), (None, Some(NoPayback::Never)));
    // Inference is 9, and 48.01 is too much: neither of its levers reaches.
    let levers = team.levers.as_ref().unwrap();
    for lever in [&levers.small_model_share, &levers.cache_hit_rate].map(|lever| lever.as_ref().unwrap()) {
        assert_eq!((lever.reachable, lever.needed), (false, None));
    }
    let full = levers.cache_hit_rate.as_ref().unwrap().margin_at_full;
    assert!(near(full, (26.0 - cloud) / 50.0), "{full}");
    assert_eq!(report.whole.figures, margin_report(&fixture()).whole.figures, "it is in no sum");

    // Dearer customers: all that are judged pass, the typical one does not.
    inputs.plans.get_mut("basic").unwrap().price = usd(500.0);
    assert_eq!(margin_report(&inputs).verdict(), Verdict::Pass);
}

#[test]
fn what_is_unknown_stays_unknown_and_decides_nothing() {
    let unknown = |change: fn(&mut MarginInputs)| {
        let mut inputs = fixture();
        inputs.plans.values_mut().for_each(|plan| plan.price = usd(2_000.0));
        assert_eq!(margin_report(&inputs).verdict(), Verdict::Pass);
        change(&mut inputs);
        let report = margin_report(&inputs);
        assert_eq!((report.verdict(), report.whole.figures.margin), (Verdict::Inconclusive, None));
        assert_eq!(report.whole.levers, None);
        report
    };
    let report = unknown(|inputs| inputs.usage.clear());
    // globex has no setting to fall back on.
    assert_eq!(report.whole.figures.unknown, [Unknown::ExpectedTickets, Unknown::Usage]);
    assert_eq!(figures_of(&report, "acme").figures.unknown, [Unknown::Usage]);
    assert_eq!(figures_of(&report, "acme").basis, None);
    // The fixed cost is shared by the tickets that are known: 4,000 of 5,000.
    assert_eq!(figures_of(&report, "acme").figures.cloud_nanousd, Some(usd(241.6)));
    assert_eq!(figures_of(&report, "globex").figures.cloud_nanousd, None);

    let report = unknown(|inputs| inputs.days = 0.0);
    assert_eq!(report.whole.figures.unknown, [Unknown::ExpectedTickets]);
    assert!(plan_of(&report, "basic").figures.margin.is_some());
    let report = unknown(|inputs| inputs.settings.support_per_handover = None);
    assert_eq!(report.whole.figures.unknown, [Unknown::SupportCost]);
    assert_eq!(report.whole.figures.inference_nanousd, Some(usd(83.0)));
    let report = unknown(|inputs| {
        inputs.settings.cloud_per_month = None;
        inputs.settings.cloud_per_thousand_tickets = None;
    });
    assert_eq!(report.whole.figures.unknown, [Unknown::CloudCost]);
    let report = unknown(|inputs| inputs.tenants.clear());
    assert_eq!(report.whole.figures.unknown, [Unknown::Customers]);
    assert_eq!((report.whole.figures.revenue_nanousd, report.whole.figures.payback_months), (None, None));
    let report = unknown(|inputs| inputs.plans.values_mut().for_each(|plan| plan.price = NanoUsd::ZERO));
    assert_eq!(report.whole.figures.unknown, [Unknown::Revenue]);
}

#[test]
fn a_margin_below_the_target_fails_whatever_is_unknown_elsewhere() {
    let mut inputs = fixture();
    inputs.tenants.insert("newcomer".into(), tenant("pro", None));
    let report = margin_report(&inputs);
    assert_eq!((report.whole.figures.margin, plan_of(&report, "pro").figures.margin), (None, None));
    assert_eq!(report.verdict(), Verdict::Fail, "basic is below the target");
    assert_eq!(report.tenants.last().unwrap().tenant, "newcomer");
}

#[test]
fn a_free_plan_is_not_judged_but_its_cost_counts() {
    let mut inputs = fixture();
    inputs.plans.insert("free".into(), plan(0.0, None, 0.0));
    inputs.plans.get_mut("basic").unwrap().price = usd(500.0);
    inputs.tenants.insert("trial".into(), tenant("free", None));
    // trial asks 980 a month: 10.90 × 2 + 14 × $4 + .0004 × 980 = 78.192 more, and the fixed $300 stay.
    let report = margin_report(&inputs);
    assert_eq!(report.whole.figures.cogs_nanousd, Some(usd(601.4 + 78.192)));
    assert_eq!((plan_of(&report, "free").figures.margin, report.verdict()), (None, Verdict::Fail));
    assert_eq!(report.tenants[0].tenant, "trial", "who pays nothing is worst");
    inputs.plans.get_mut("pro").unwrap().price = usd(1_200.0);
    assert_eq!(margin_report(&inputs).verdict(), Verdict::Pass, "679.592 of 2,900");
    assert_eq!(report.without_plan, WithoutPlan { inference_nanousd: Some(NanoUsd::ZERO), ..WithoutPlan::default() });
}

#[test]
fn a_plans_mean_stands_in_from_twenty_tickets_on() {
    let mut inputs = fixture();
    let initech = inputs.usage.get_mut("initech").unwrap();
    initech.tickets = 19;
    inputs.tenants.insert("hooli".into(), tenant("basic", Some(100)));
    let hooli = TenantUsage { tickets: 1, inference: usd(0.1), ..TenantUsage::default() };
    inputs.usage.insert("hooli".into(), hooli);
    // Together 20 tickets for $0.20 and one hand-over: $0.01 and 5 %.
    let report = margin_report(&inputs);
    let hooli = figures_of(&report, "hooli");
    assert_eq!(hooli.basis, Some(Basis::Plan));
    assert_eq!(hooli.figures.inference_nanousd, Some(usd(1.0)));
    assert_eq!(hooli.figures.support_nanousd, Some(usd(20.0)));
    inputs.usage.get_mut("initech").unwrap().tickets = 20;
    assert_eq!(figures_of(&margin_report(&inputs), "initech").basis, Some(Basis::Own));
}

#[test]
fn shares_of_the_fixed_cost_add_up_to_the_nano_dollar() {
    let mut inputs = fixture();
    inputs.settings.cloud_per_month = Some(NanoUsd(100));
    inputs.settings.cloud_per_thousand_tickets = None;
    for tickets in [1, 0] {
        // Equal shares of 100 by three, also when nobody is expected to ask anything.
        inputs.tenants.values_mut().for_each(|tenant| tenant.tickets_per_month = Some(tickets));
        let report = margin_report(&inputs);
        assert_eq!(report.whole.figures.cloud_nanousd, Some(NanoUsd(100)));
        let mut shares: Vec<i64> = report.tenants.iter().map(|row| row.figures.cloud_nanousd.unwrap().0).collect();
        shares.sort_unstable();
        assert_eq!(shares, [33, 33, 34]);
    }
}

#[test]
fn levers_that_the_telemetry_does_not_tell_are_none() {
    let mut inputs = fixture();
    for usage in inputs.usage.values_mut() {
        (usage.large_tickets, usage.large_cost) = (0, NanoUsd::ZERO);
    }
    let levers = margin_report(&inputs).whole.levers.unwrap();
    assert_eq!(levers.small_model_share, None);
    assert!(levers.cache_hit_rate.unwrap().reachable);
    for usage in inputs.usage.values_mut() {
        (usage.exact_hits, usage.semantic_hits) = (usage.tickets, 0);
    }
    assert_eq!(margin_report(&inputs).whole.levers.unwrap().cache_hit_rate, None);
    // A small model that costs more than the large one does not help.
    let mut inputs = fixture();
    for usage in inputs.usage.values_mut() {
        (usage.small_cost, usage.large_cost) = (usd(10.0), usd(0.01));
    }
    let small = margin_report(&inputs).whole.levers.unwrap().small_model_share.unwrap();
    assert_eq!((small.reachable, small.needed), (false, None));
}
