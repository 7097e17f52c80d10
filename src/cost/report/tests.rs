use jiff::Timestamp;

use super::*;
use crate::domain::{CallId, NanoUsd, TicketId, Usage};
use crate::report::{Format, Style, write};
use crate::store::{OutcomeRow, PromptParts};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn filter() -> SpendFilter {
    let (from, until) = (time("2026-11-01T00:00:00Z"), time("2026-12-01T00:00:00Z"));
    SpendFilter::between(from, until)
}

fn charge(charged: i64, state: ChargeState) -> Charge {
    Charge {
        call: "call_0193f2c47b3a7c22a1b2c3d4e5f60718".parse::<CallId>().unwrap(),
        ticket: "tkt_0193f2c47b3a7c22a1b2c3d4e5f60718".parse().unwrap(),
        tenant: "acme".into(),
        endpoint: "ask".into(),
        task: "answer".into(),
        provider: "openai".into(),
        model: "openai/gpt-5-mini".into(),
        release: "r".into(),
        at: time("2026-11-03T10:00:00Z"),
        ended_at: None,
        reserved: NanoUsd(charged * 2),
        state,
        charged: NanoUsd(charged),
        charged_input: Some(NanoUsd(charged / 2)),
        usage: Some(Usage::new(100, 10)),
    }
}

fn ticket(charged: i64, outcome: Option<(Option<AnswerPath>, bool, Option<f64>)>) -> TicketSpend {
    let id: TicketId = "tkt_0193f2c47b3a7c22a1b2c3d4e5f60718".parse().unwrap();
    let at = time("2026-11-03T10:00:00Z");
    let outcome = outcome.map(|(path, resolved, score)| OutcomeRow {
        ticket: id,
        tenant: "acme".into(),
        endpoint: "ask".into(),
        release: "r".into(),
        at,
        path,
        resolved,
        score,
        latency_ms: 900.0,
        prompt: Some(PromptParts { system: 900, few_shot: 1_200, passages: 6_000, question: 100 }),
    });
    TicketSpend {
        ticket: id,
        tenant: "acme".into(),
        endpoint: "ask".into(),
        at,
        outcome,
        charged: NanoUsd(charged),
        uncertain: NanoUsd::ZERO,
        input_tokens: 2_000,
        output_tokens: 120,
        charged_input: NanoUsd(charged / 2),
        calls: 1,
    }
}

const RESOLVED: Option<(Option<AnswerPath>, bool, Option<f64>)> = Some((Some(AnswerPath::Small), true, None));

fn report(tickets: &[TicketSpend], charges: &[Charge]) -> CostReport {
    let mut builder = ReportBuilder::new(filter(), 0.6);
    for ticket in tickets {
        builder.add_ticket(ticket);
    }
    for charge in charges {
        builder.add_charge(charge);
    }
    builder.finish()
}

fn shown(report: &CostReport, format: Format) -> String {
    let mut out = Vec::new();
    write(report, format, Style { color: false, width: 90 }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn resolved_tickets_carry_unresolved_ones_and_other_work() {
    let refused = ticket(50, Some((Some(AnswerPath::Refused), false, None)));
    let tickets = [ticket(100, RESOLVED), ticket(301, RESOLVED), ticket(200, RESOLVED), refused, ticket(17, None)];
    let report = report(&tickets, &[]);
    assert_eq!((report.tickets, report.resolved, report.unresolved), (4, 3, 1));
    assert_eq!((report.unresolved_nanousd, report.overhead_nanousd), (NanoUsd(50), NanoUsd(17)));
    // 651 / 4 = 162.75 and 668 / 3 = 222.67.
    assert_eq!(report.per_ticket_nanousd, Some(NanoUsd(163)));
    assert_eq!(report.per_outcome_nanousd, Some(NanoUsd(223)));
    // 67 on three: 22 each, and one more for the first: 123, 323, 222.
    let outcomes = report.outcomes.unwrap();
    assert_eq!((outcomes.p50_nanousd, outcomes.max_nanousd), (NanoUsd(222), NanoUsd(323)));
    assert_eq!(outcomes.total_nanousd, report.attributed_nanousd);
    let requests = report.requests.unwrap();
    assert_eq!((requests.count, requests.p50_nanousd, requests.total_nanousd), (4, NanoUsd(100), NanoUsd(651)));
}

#[test]
fn outcomes_sum_to_the_ledger_to_the_nano_dollar() {
    let (mut tickets, mut charges) = (Vec::new(), Vec::new());
    for at in 1..1_000_i64 {
        let outcome = match at % 7 {
            0 => None,
            1 => Some((None, false, None)),
            2 => Some((Some(AnswerPath::Large), true, Some(0.4))),
            _ => RESOLVED,
        };
        let costs = [at * 7_919 % 10_007, at * 31 % 1_009];
        tickets.push(ticket(costs.iter().sum(), outcome));
        charges.extend(costs.map(|cost| charge(cost, ChargeState::Settled)));
    }
    let report = report(&tickets, &charges);
    assert_eq!(report.outcomes.unwrap().total_nanousd, report.spent_nanousd);
    assert_eq!(report.outcomes.unwrap().count, report.resolved);
    assert!(report.resolved > 500 && report.overhead_nanousd > NanoUsd::ZERO);
    let tickets_cost: NanoUsd = report.paths.iter().map(|path| path.cost_nanousd).sum();
    assert_eq!(tickets_cost + report.overhead_nanousd, report.spent_nanousd);
}

#[test]
fn an_evaluated_answer_is_resolved_from_the_score_on() {
    let scored = |score| ticket(10, Some((Some(AnswerPath::Large), true, score)));
    let refused = ticket(10, Some((Some(AnswerPath::Refused), false, Some(1.0))));
    let tickets = [scored(Some(0.6)), scored(Some(0.59)), scored(None), scored(Some(f64::NAN)), refused];
    let report = report(&tickets, &[]);
    assert_eq!((report.resolved, report.unresolved), (2, 3));
    let large = report.paths.iter().find(|path| path.path == "large").unwrap();
    assert_eq!((large.tickets, large.resolved, large.share), (4, 2, Some(0.8)));
}

#[test]
fn without_a_resolved_ticket_its_cost_is_unknown() {
    let failed = report(&[ticket(10, Some((None, false, None)))], &[charge(10, ChargeState::Settled)]);
    assert_eq!((failed.per_outcome_nanousd, failed.outcomes), (None, None));
    assert_eq!(failed.per_ticket_nanousd, Some(NanoUsd(10)));
    assert!(shown(&failed, Format::Human).contains("carried by none"));
    let nothing = report(&[], &[]);
    assert_eq!((nothing.per_ticket_nanousd, nothing.requests, &nothing.tokens), (None, None, &None));
    assert!(nothing.paths.iter().all(|path| path.share.is_none() && path.cost_share.is_none()));
    assert!(!shown(&nothing, Format::Markdown).is_empty());
}

#[test]
fn only_booked_calls_are_spent() {
    let untold = Charge { usage: None, charged_input: None, ..charge(40, ChargeState::WorstCase) };
    let charges = [
        charge(100, ChargeState::Settled),
        charge(20, ChargeState::Estimated),
        untold,
        charge(0, ChargeState::Voided),
        Charge { reserved: NanoUsd(77), ..charge(0, ChargeState::Open) },
    ];
    let report = report(&[], &charges);
    assert_eq!((report.spent_nanousd, report.uncertain_nanousd), (NanoUsd(160), NanoUsd(60)));
    assert_eq!((report.open_calls, report.open_nanousd, report.calls_without_tokens), (1, NanoUsd(77), 1));
    assert_eq!(report.states.iter().map(|line| line.calls).collect::<Vec<_>>(), [1, 1, 1, 1, 1]);
    let model = &report.by_model[0];
    assert_eq!((model.calls, model.input_tokens, model.output_tokens), (3, Some(200), Some(20)));
    assert_eq!(model.cost_nanousd, NanoUsd(160));
}

#[test]
fn spend_is_told_by_every_name_with_the_dearest_first() {
    let mut charges: Vec<Charge> =
        (0..12).map(|at| Charge { tenant: format!("tenant-{at:02}"), ..charge(at, ChargeState::Settled) }).collect();
    // A day of UTC, whatever the hour.
    charges[11].at = time("2026-11-04T23:59:59.999Z");
    let report = report(&[], &charges);
    assert_eq!(report.by_tenant.len(), 12);
    assert_eq!((report.by_tenant[0].name.as_str(), report.by_tenant[0].share), ("tenant-11", Some(11.0 / 66.0)));
    let days: Vec<_> = report.by_day.iter().map(|day| (day.name.as_str(), day.cost_nanousd.0)).collect();
    assert_eq!(days, [("2026-11-03", 55), ("2026-11-04", 11)]);
    let human = shown(&report, Format::Human);
    assert!(human.contains("and 2 more") && !human.contains("tenant-01"), "{human}");
    assert!(human.contains("All of it: provider `openai`, endpoint `ask`, task `answer`."), "{human}");
    let csv = shown(&report, Format::Csv);
    assert!(csv.contains("\ntenant,tenant-01,1,100,10,1,") && csv.contains("\nday,2026-11-04,1,"), "{csv}");
}

#[test]
fn days_without_calls_have_their_bar() {
    let late = Charge { at: time("2026-11-06T00:00:00Z"), ..charge(9_000_000, ChargeState::Settled) };
    let report = report(&[], &[charge(5_000_000, ChargeState::Settled), late]);
    let human = shown(&report, Format::Human);
    for day in ["2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06"] {
        assert!(human.contains(day), "{human}");
    }
}

#[test]
fn calls_outside_of_the_period_are_told() {
    let report = report(&[ticket(100, RESOLVED)], &[charge(90, ChargeState::Settled)]);
    assert_eq!((report.spent_nanousd, report.attributed_nanousd), (NanoUsd(90), NanoUsd(100)));
    assert!(shown(&report, Format::Human).contains("asked in one period"));
}
