use proptest::prelude::*;

use super::*;
use crate::domain::ScopeKind;
use crate::report::{Format, Style, write};

const SMALL: &str = "vendor/small";
const LARGE: &str = "vendor/large";
const NEW: &str = "vendor/new";

/// A call of `model` that sends 1000 tokens and receives 200; 40 % of what the large one costs is for answers.
fn uses(model: &str, calls: u64, input_rate: i64, output_rate: i64) -> ModelUse {
    let (input_tokens, output_tokens) = (calls * 1000, calls * 200);
    ModelUse {
        tenant: "acme".to_owned(),
        model: model.to_owned(),
        calls,
        input_tokens,
        output_tokens,
        input_cost: NanoUsd(input_tokens.cast_signed() * input_rate),
        output_cost: NanoUsd(output_tokens.cast_signed() * output_rate),
        other_cost: NanoUsd(0),
    }
}

/// 1000 requests, 200 of them hits; 800 small calls of $0.0025 and 200 large ones of $0.01 are $2 + $2.
fn base() -> Week {
    let uses = vec![uses(SMALL, 800, 1500, 5000), uses(LARGE, 200, 6000, 20_000)];
    with_costs(Week {
        from: "2026-06-01T00:00:00Z".parse().unwrap(),
        until: "2026-06-08T00:00:00Z".parse().unwrap(),
        tenants: BTreeMap::from([("acme".to_owned(), Requests { requests: 1000, cache_hits: 200 })]),
        uses,
        request_costs: Vec::new(),
    })
}

/// The same with requests that cost nothing when they hit and all the same when they do not.
fn with_costs(week: Week) -> Week {
    let spend: i64 = week.uses.iter().map(|one| one.input_cost.0 + one.output_cost.0 + one.other_cost.0).sum();
    let count = |of: fn(&Requests) -> u64| week.tenants.values().map(of).sum::<u64>() as usize;
    let (requests, hits) = (count(|one| one.requests), count(|one| one.cache_hits));
    let each = spend / i64::try_from((requests - hits).max(1)).unwrap();
    let mut request_costs = vec![NanoUsd(0); hits];
    request_costs.resize(requests, NanoUsd(each));
    Week { request_costs, ..week }
}

fn percent_of(count: u64, percent: u64) -> u64 {
    count * percent / 100
}

fn cost_of(cost: NanoUsd, percent: u64) -> NanoUsd {
    NanoUsd(cost.0 * percent.cast_signed() / 100)
}

/// The base with one factor changed so that it costs `percent` of what it did.
fn changed(factor: Factor, percent: u64) -> Week {
    let mut week = base();
    let requests = week.tenants.get_mut("acme").unwrap();
    match factor {
        Factor::Volume => {
            *requests = Requests { requests: percent_of(1000, percent), cache_hits: percent_of(200, percent) };
        }
        // 1000 requests, of which so many percent of 800 miss.
        Factor::CacheHitRate => requests.cache_hits = 1000 - percent_of(800, percent),
        // A model that was not there: each call is $0.01, and a percent of $4 is four of them.
        Factor::Mix => week.uses.push(uses(NEW, (percent - 100) * 4, 6000, 20_000)),
        _ => {}
    }
    for one in week.uses.iter_mut().filter(|_| factor != Factor::Mix) {
        if matches!(factor, Factor::Volume | Factor::CacheHitRate) {
            one.calls = percent_of(one.calls, percent);
        }
        if factor != Factor::Price {
            one.input_tokens = percent_of(one.input_tokens, percent);
            one.output_tokens = percent_of(one.output_tokens, percent);
        }
        one.input_cost = cost_of(one.input_cost, percent);
        one.output_cost = cost_of(one.output_cost, percent);
    }
    with_costs(week)
}

const CASES: [Factor; 5] = [Factor::Volume, Factor::CacheHitRate, Factor::Mix, Factor::TokensPerCall, Factor::Price];

#[test]
fn a_rise_by_16_percent_fires_and_names_its_one_cause() {
    for factor in CASES {
        let report = drift(&base(), &changed(factor, 116), 0.15);
        assert!(report.has_alerts(), "{factor:?}");
        for alert in &report.alerts {
            assert!((alert.change - 0.16).abs() < 1e-6, "{alert:?}");
            let cause = alert.cause.as_ref().unwrap();
            assert_eq!(cause.factor, factor, "{alert:?}");
            assert!((cause.share.unwrap() - 0.16).abs() < 1e-6, "{alert:?}");
        }
        // Nothing but the cause contributes.
        let spend = metric(&report, DriftMeasure::Spend, None);
        for part in spend.contributions.iter().filter(|part| part.factor != factor) {
            assert!(part.amount_nanousd.0.abs() <= 1, "{factor:?}: {part:?}");
        }
        let measures: Vec<&str> = report.alerts.iter().map(|alert| alert.metric.as_str()).collect();
        let total: Vec<&str> =
            report.alerts.iter().filter(|alert| alert.scope.is_none()).map(|alert| alert.metric.as_str()).collect();
        let quantiles = ["cost_per_request_p50", "cost_per_request_p95", "cost_per_request_mean", "spend"];
        match factor {
            // A request costs the same; and a miss costs the same when there are more of them.
            Factor::Volume => assert!(measures.iter().all(|measure| *measure == "spend")),
            Factor::CacheHitRate => assert_eq!(total, quantiles[2..]),
            _ => assert_eq!(total, quantiles),
        }
    }
}

#[test]
fn a_rise_by_14_percent_or_by_exactly_the_threshold_is_silent() {
    for (factor, percent) in CASES.into_iter().flat_map(|factor| [(factor, 114), (factor, 115)]) {
        let report = drift(&base(), &changed(factor, percent), 0.15);
        assert_eq!(report.alerts, [], "{factor:?} at {percent}");
        let change = metric(&report, DriftMeasure::Spend, None).change.unwrap();
        assert!((change - (percent as f64 / 100.0 - 1.0)).abs() < 1e-9, "{factor:?}: {change}");
    }
}

#[test]
fn a_fall_is_shown_and_is_no_alert() {
    let report = drift(&changed(Factor::Price, 150), &base(), 0.15);
    assert!(!report.has_alerts());
    let spend = metric(&report, DriftMeasure::Spend, None);
    assert!((spend.change.unwrap() + 1.0 / 3.0).abs() < 1e-9 && spend.status == DriftStatus::Steady);
    // The cause is that of the fall.
    assert_eq!(spend.cause.as_ref().unwrap().factor, Factor::Price);
    assert!(spend.cause.as_ref().unwrap().share.unwrap() < 0.0);
}

#[test]
fn a_model_called_more_often_is_named_while_the_total_is_calm() {
    // 40 of the 800 small calls become large: −40·0.0025 + 40·0.01 = $0.30 of $4: 7.5 %. The large model: +20 %.
    let mut week = base();
    week.uses = vec![uses(SMALL, 760, 1500, 5000), uses(LARGE, 240, 6000, 20_000)];
    let report = drift(&base(), &with_costs(week), 0.15);
    let [alert] = report.alerts.as_slice() else { panic!("{:?}", report.alerts) };
    assert_eq!(alert.scope, Some(Scope::new(ScopeKind::Model, LARGE)));
    assert_eq!(alert.text, "spend of model:vendor/large rose by 20.0% week over week; cause: model mix (+20.0%)");
    let spend = metric(&report, DriftMeasure::Spend, None);
    assert_eq!(spend.cause.as_ref().unwrap().to_string(), "model mix (+7.5%, most in vendor/large)");
    assert_eq!(spend.contributions.iter().map(|part| part.amount_nanousd.0).sum::<i64>(), 300_000_000);
}

#[test]
fn two_factors_share_a_rise_as_their_logarithms() {
    // One model, input only: 100 requests, 100 calls of 1000 tokens at 100 a token are $0.01; twice the requests at
    // twice the price are $0.04. L = 0.03 / ln 4; volume and price get L · ln 2 = 0.015 each.
    let week = |requests: u64, rate: i64| Week {
        tenants: BTreeMap::from([("acme".to_owned(), Requests { requests, cache_hits: 0 })]),
        uses: vec![uses(SMALL, requests, rate, 0)],
        ..base()
    };
    let report = drift(&week(100, 100), &week(200, 200), 0.15);
    let parts: Vec<i64> =
        metric(&report, DriftMeasure::Spend, None).contributions.iter().map(|part| part.amount_nanousd.0).collect();
    assert_eq!(parts, [15_000_000, 0, 0, 0, 15_000_000, 0]);
    // A request's cost doubled, from $0.0001, by its price alone.
    let mean = metric(&report, DriftMeasure::CostPerRequestMean, None);
    let parts: Vec<i64> = mean.contributions.iter().map(|part| part.amount_nanousd.0).collect();
    assert_eq!(parts, [0, 0, 0, 0, 100_000, 0]);
}

#[test]
fn costs_without_tokens_are_a_cause_of_their_own() {
    let mut week = base();
    week.uses[1].other_cost = NanoUsd(1_000_000_000);
    let report = drift(&base(), &with_costs(week), 0.15);
    let spend = metric(&report, DriftMeasure::Spend, None);
    assert_eq!(spend.cause.as_ref().unwrap().to_string(), "other costs (+25.0%, most in vendor/large)");
}

#[test]
fn calls_for_cached_answers_are_explained_too() {
    // Every request a hit, with calls (embeddings of the questions) all the same, at twice the price.
    let week = |rate: i64| Week {
        tenants: BTreeMap::from([("acme".to_owned(), Requests { requests: 100, cache_hits: 100 })]),
        uses: vec![uses(SMALL, 100, rate, 0)],
        ..base()
    };
    let report = drift(&week(100), &week(200), 0.15);
    let spend = metric(&report, DriftMeasure::Spend, None);
    assert_eq!(spend.cause.as_ref().unwrap().to_string(), "price (+100.0%)");
}

#[test]
fn what_cannot_be_compared_says_why_and_is_never_an_alert() {
    let few = |count: u64| Week {
        tenants: BTreeMap::from([("acme".to_owned(), Requests { requests: count, cache_hits: 0 })]),
        uses: vec![uses(SMALL, count, 1500, 5000)],
        ..base()
    };
    let (old, new) = (with_costs(few(3)), with_costs(few(19)));
    let report = drift(&old, &new, 0.15);
    assert!(!report.has_alerts());
    for metric in &report.metrics {
        assert_eq!((metric.status, metric.change), (DriftStatus::NoBasis, None), "{metric:?}");
        let reason = metric.reason.as_deref().unwrap();
        assert!(reason.starts_with("too few ") && reason.ends_with(": 3 before, 19 now"), "{reason}");
    }
    // One week with enough of them is enough for spending, and two for the cost of a request.
    let report = drift(&old, &with_costs(few(20)), 0.15);
    assert!(report.alerts.iter().all(|alert| alert.metric == DriftMeasure::Spend) && report.alerts.len() == 3);
}

#[test]
fn spending_from_nothing_is_new() {
    let nothing = Week { tenants: BTreeMap::new(), uses: Vec::new(), request_costs: Vec::new(), ..base() };
    let report = drift(&nothing, &base(), 0.15);
    assert!(!report.has_alerts());
    let spend = metric(&report, DriftMeasure::Spend, Some(&Scope::new(ScopeKind::Tenant, "acme")));
    assert_eq!((spend.status, spend.change), (DriftStatus::New, None));
    assert_eq!(metric(&report, DriftMeasure::CostPerRequestP95, None).status, DriftStatus::NoBasis);
    // What drives it is known, how large it is relative to nothing is not.
    let total = metric(&report, DriftMeasure::Spend, None);
    assert_eq!(total.cause, Some(DriftCause { factor: Factor::Volume, share: None, model: None }));
    let empty = drift(&nothing, &nothing, 0.15);
    assert!(empty.metrics.iter().all(|metric| metric.status == DriftStatus::NoBasis));
}

#[test]
fn a_tenant_is_judged_by_its_own_requests() {
    let two = |requests: u64, hits: u64| {
        let mut week = base();
        week.tenants.insert("globex".to_owned(), Requests { requests, cache_hits: hits });
        let calls = requests - hits;
        week.uses.push(ModelUse { tenant: "globex".to_owned(), ..uses(SMALL, calls, 1500, 5000) });
        with_costs(week)
    };
    let report = drift(&two(100, 60), &two(100, 0), 0.15);
    let globex = Scope::new(ScopeKind::Tenant, "globex");
    let mean = metric(&report, DriftMeasure::CostPerRequestMean, Some(&globex));
    // 40 misses became 100: two and a half times the cost.
    assert_eq!((mean.status, mean.cause.as_ref().unwrap().factor), (DriftStatus::Alert, Factor::CacheHitRate));
    assert!((mean.change.unwrap() - 1.5).abs() < 1e-9);
    let acme = metric(&report, DriftMeasure::Spend, Some(&Scope::new(ScopeKind::Tenant, "acme")));
    assert_eq!(acme.change, Some(0.0));
}

#[test]
fn a_reader_sees_the_worst_first_and_a_machine_one_check_a_metric() {
    let report = drift(&base(), &changed(Factor::TokensPerCall, 123), 0.15);
    let shown = |format| {
        let mut out = Vec::new();
        write(&report, format, Style { color: false, width: 100 }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let human = shown(Format::Human);
    let verdict =
        "cost per request P95 rose by 23.0% week over week; cause: tokens per call (+23.0%, most in vendor/small)";
    assert!(human.split_whitespace().collect::<Vec<_>>().join(" ").contains(verdict), "{human}");
    let junit = shown(Format::Junit);
    assert_eq!(junit.matches("<testcase").count(), report.metrics.len());
    assert_eq!(junit.matches("<failure").count(), report.alerts.len());
    assert!(shown(Format::Csv).contains("tenant:acme,spend,4000000000,4920000000,0.23,alert,,tokens_per_call,0,0,0,"));
}

fn metric<'a>(report: &'a DriftReport, measure: DriftMeasure, scope: Option<&Scope>) -> &'a DriftMetric {
    report.metrics.iter().find(|metric| metric.metric == measure && metric.scope.as_ref() == scope).unwrap()
}

fn any_use() -> impl Strategy<Value = ModelUse> {
    let count = || prop_oneof![Just(0_u64), 1..2_000_000_u64];
    let cost = || prop_oneof![Just(0_i64), 1..5_000_000_000_000_i64].prop_map(NanoUsd);
    let names = (prop::sample::select(vec!["acme", "globex"]), prop::sample::select(vec![SMALL, LARGE, NEW]));
    (names, count(), count(), count(), cost(), cost(), cost()).prop_map(
        |((tenant, model), calls, input_tokens, output_tokens, input_cost, output_cost, other_cost)| ModelUse {
            tenant: tenant.to_owned(),
            model: model.to_owned(),
            calls,
            input_tokens,
            output_tokens,
            input_cost,
            output_cost,
            other_cost,
        },
    )
}

fn any_week() -> impl Strategy<Value = Week> {
    let requests =
        (0..100_000_u64, 0..100_000_u64).prop_map(|(requests, cache_hits)| Requests { requests, cache_hits });
    let tenants =
        prop::collection::btree_map(prop::sample::select(vec!["acme".to_owned(), "globex".to_owned()]), requests, 0..3);
    (tenants, prop::collection::vec(any_use(), 0..8)).prop_map(|(tenants, uses)| Week { tenants, uses, ..base() })
}

proptest! {
    #[test]
    fn contributions_add_up_to_the_change(old in any_week(), new in any_week()) {
        for metric in drift(&old, &new, 0.15).metrics.iter().filter(|metric| !metric.contributions.is_empty()) {
            if matches!(metric.metric, DriftMeasure::CostPerRequestP50 | DriftMeasure::CostPerRequestP95) {
                continue;
            }
            let sum: i64 = metric.contributions.iter().map(|part| part.amount_nanousd.0).sum();
            let change = metric.now_nanousd.unwrap().0 - metric.before_nanousd.unwrap().0;
            // Six contributions and two values, each rounded to the nano-dollar.
            prop_assert!((sum - change).abs() <= 4, "{}: {sum} is not {change}", metric.name());
        }
    }
}
