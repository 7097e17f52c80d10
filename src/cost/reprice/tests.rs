use jiff::civil::date;
use uuid::Uuid;

use super::*;
use crate::domain::{CallId, Rate, TicketId, Tokens, Usage};
use crate::report::{self, Format, Render, Style};

/// $1 and $4 per million tokens of prompt and answer; prompt tokens from the vendor's cache at $0.10.
fn price() -> Price {
    let rate = |dollars| Rate::from_usd_per_million(dollars).unwrap();
    let mut price = Price::new(rate(1.0), rate(4.0));
    price.rates.cached_input = Some(rate(0.1));
    price
}

/// The same with input at twice the price.
fn dearer() -> Price {
    let mut price = price();
    price.rates.input = Rate(price.rates.input.0 * 2);
    price
}

fn charge(model: &str, at: &str, usage: Usage) -> Charge {
    Charge {
        call: CallId::from(Uuid::nil()),
        ticket: TicketId::from(Uuid::nil()),
        tenant: "acme".to_owned(),
        endpoint: "ask".to_owned(),
        task: "answer".to_owned(),
        provider: "openai".to_owned(),
        model: model.to_owned(),
        release: "3f2a".to_owned(),
        at: at.parse().unwrap(),
        ended_at: Some(at.parse().unwrap()),
        reserved: NanoUsd(50_000_000),
        state: ChargeState::Settled,
        charged: price().cost(usage).unwrap(),
        charged_input: None,
        usage: Some(usage),
    }
}

/// Two models in two months, all settled.
fn history() -> Vec<Charge> {
    vec![
        charge("openai/small", "2026-10-31T23:59:00Z", Usage::new(1_000, 100)),
        charge("openai/small", "2026-11-01T00:00:00Z", Usage { cached_input: Tokens(600), ..Usage::new(2_000, 10) }),
        charge("openai/large", "2026-11-02T10:00:00Z", Usage::new(500, 500)),
    ]
}

fn repriced(charges: &[Charge], price: impl FnMut(&str, Date) -> Option<Price>) -> RepriceReport {
    let mut repricer = Repricer::new("book 2026-12", price);
    for charge in charges {
        repricer.add(charge);
    }
    repricer.finish()
}

#[test]
fn the_same_prices_make_no_difference_at_all() {
    let report = repriced(&history(), |_, _| Some(price()));
    let all = report.by_model.iter().chain(&report.by_month).map(|group| &group.calls).chain([&report.total]);
    for calls in all {
        assert_eq!(calls.difference_nanousd, Some(NanoUsd::ZERO));
        assert_eq!(calls.change_percent, Some(0.0));
        assert_eq!(calls.booked_nanousd, calls.compared_nanousd);
    }
    assert_eq!((report.total.calls, report.left_out.len()), (3, 0));
}

#[test]
fn twice_the_input_price_costs_the_uncached_prompt_again() {
    let report = repriced(&history(), |_, _| Some(dearer()));
    // In nano-dollars a token costs 1,000 in a prompt (100 cached) and 4,000 in an answer.
    // small: 1,000 × 1,000 + 100 × 4,000 = 1,400,000; (2,000 − 600) × 1,000 + 600 × 100 + 10 × 4,000 = 1,500,000.
    // large: 500 × 1,000 + 500 × 4,000 = 2,500,000.
    // Doubled input adds 1,000,000 and 1,400,000 to small, 500,000 to large.
    let [large, small] = report.by_model.as_slice() else { panic!("{report:?}") };
    assert_eq!((small.name.as_str(), small.calls.calls), ("openai/small", 2));
    assert_eq!((small.calls.input_tokens, small.calls.output_tokens), (3_000, 110));
    assert_eq!(small.calls.booked_nanousd, NanoUsd(2_900_000));
    assert_eq!(small.calls.repriced_nanousd, Some(NanoUsd(5_300_000)));
    assert_eq!(small.calls.difference_nanousd, Some(NanoUsd(2_400_000)));
    assert_eq!(large.calls.difference_nanousd, Some(NanoUsd(500_000)));
    assert_eq!(large.calls.change_percent, Some(20.0));
    assert_eq!(report.total.difference_nanousd, Some(NanoUsd(2_900_000)));
    let months: Vec<_> =
        report.by_month.iter().map(|month| (month.name.as_str(), month.calls.difference_nanousd)).collect();
    assert_eq!(months, [("2026-10", Some(NanoUsd(1_000_000))), ("2026-11", Some(NanoUsd(1_900_000)))]);
}

#[test]
fn a_model_without_a_price_is_left_out_and_not_free() {
    let report = repriced(&history(), |model, _| (model != "openai/large").then(price));
    let large = &report.by_model[0].calls;
    assert_eq!((large.repriced_nanousd, large.difference_nanousd, large.change_percent), (None, None, None));
    assert_eq!((large.left_out_calls, large.left_out_nanousd), (1, NanoUsd(2_500_000)));
    let expected = LeftOut {
        model: "openai/large".to_owned(),
        reason: LeftOutReason::UnknownPrice,
        calls: 1,
        booked_nanousd: NanoUsd(2_500_000),
    };
    assert_eq!(report.left_out, [expected]);
    // The total compares like with like: both sides without the large model.
    assert_eq!((report.total.calls, report.total.compared_calls), (3, 2));
    assert_eq!(report.total.booked_nanousd, NanoUsd(5_400_000));
    assert_eq!(report.total.compared_nanousd, NanoUsd(2_900_000));
    assert_eq!(report.total.repriced_nanousd, Some(NanoUsd(2_900_000)));
    assert_eq!(report.total.left_out_nanousd, NanoUsd(2_500_000));
}

#[test]
fn calls_of_unknown_size_or_absurd_cost_are_left_out_with_their_booked_cost() {
    let [unknown, worst, absurd] = <[Charge; 3]>::try_from(history()).unwrap();
    let unknown = Charge { usage: None, state: ChargeState::Estimated, ..unknown };
    let worst = Charge { state: ChargeState::WorstCase, charged: NanoUsd(50_000_000), ..worst };
    let absurd = Charge { usage: Some(Usage::new(u64::MAX, 1)), ..absurd };
    let report = repriced(&[unknown, worst, absurd], |_, _| Some(price()));
    let reasons: Vec<_> = report.left_out.iter().map(|part| (part.reason, part.calls, part.booked_nanousd.0)).collect();
    let expected = [(LeftOutReason::CostTooLarge, 1, 2_500_000), (LeftOutReason::UnknownUsage, 2, 51_400_000)];
    assert_eq!(reasons, expected);
    assert_eq!((report.total.repriced_nanousd, report.total.compared_calls), (None, 0));
}

#[test]
fn voided_and_open_reservations_change_no_figure() {
    let mut charges = history();
    let expected = repriced(&charges, |_, _| Some(dearer()));
    charges.push(Charge { state: ChargeState::Voided, charged: NanoUsd::ZERO, ..charges[0].clone() });
    charges.push(Charge { state: ChargeState::Open, charged: NanoUsd::ZERO, ..charges[0].clone() });
    assert_eq!(repriced(&charges, |_, _| Some(dearer())), RepriceReport { open: 1, ..expected });
}

#[test]
fn each_call_has_the_price_of_its_day() {
    let rises = |_: &str, day: Date| Some(if day < date(2026, 11, 1) { price() } else { dearer() });
    let report = repriced(&history(), rises);
    let [october, november] = report.by_month.as_slice() else { panic!("{report:?}") };
    assert_eq!(october.calls.difference_nanousd, Some(NanoUsd::ZERO));
    assert_eq!(november.calls.difference_nanousd, Some(NanoUsd(1_900_000)));
}

#[test]
fn the_answer_says_what_is_missing_from_it() {
    let answer = |report: RepriceReport| report.answer().1;
    let dear = answer(repriced(&history(), |_, _| Some(dearer())));
    assert_eq!(dear, "3 booked calls would have cost $0.00830 instead of $0.00540: +$0.00290 (+53.7%)");
    let same = answer(repriced(&history(), |_, _| Some(price())));
    assert_eq!(same, "3 booked calls would have cost $0.00540 instead of $0.00540: no difference");
    let partly = answer(repriced(&history(), |model, _| (model != "openai/large").then(dearer)));
    assert_eq!(
        partly,
        "2 of 3 booked calls would have cost $0.00530 instead of $0.00290: +$0.00240 (+82.8%); \
         1 with a booked cost of $0.00250 not compared"
    );
    assert_eq!(answer(repriced(&history(), |_, _| None)), "none of 3 booked calls ($0.00540) can be repriced");
    assert_eq!(answer(repriced(&[], |_, _| None)), "there are no booked calls to reprice");
}

#[test]
fn rows_cover_models_months_and_the_total_with_empty_cells_for_what_is_not_known() {
    let report = repriced(&history(), |model, _| (model != "openai/large").then(price));
    let mut csv = Vec::new();
    report::write(&report, Format::Csv, Style { color: false, width: 80 }, &mut csv).unwrap();
    let csv = String::from_utf8(csv).unwrap();
    let expected = "by,name,calls,booked_nanousd,compared_calls,input_tokens,output_tokens,compared_nanousd,\
        repriced_nanousd,difference_nanousd,change_percent,left_out_calls,left_out_nanousd\n\
        model,openai/large,1,2500000,0,0,0,0,,,,1,2500000\n\
        model,openai/small,2,2900000,2,3000,110,2900000,2900000,0,0,0,0\n\
        month,2026-10,1,1400000,1,1000,100,1400000,1400000,0,0,0,0\n\
        month,2026-11,2,4000000,1,2000,10,1500000,1500000,0,0,1,2500000\n\
        total,,3,5400000,2,3000,110,2900000,2900000,0,0,1,2500000\n";
    assert_eq!(csv, expected);
    assert_eq!(report.schema_name(), "reprice_report");
}
