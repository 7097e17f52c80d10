use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::domain::{TicketId, Tokens, Usage};

pub(super) fn facts() -> ExportFacts {
    ExportFacts {
        project: "Example shop".to_owned(),
        from: "2026-11-01T00:00:00Z".parse().unwrap(),
        until: "2026-12-01T00:00:00Z".parse().unwrap(),
        vendors: BTreeMap::from([("main".to_owned(), "OpenAI".to_owned())]),
        voided: false,
    }
}

pub(super) fn charge(state: ChargeState, charged: i64) -> Charge {
    let at: Timestamp = "2026-11-30T23:59:59.900Z".parse().unwrap();
    let ended_at = (state != ChargeState::Open).then(|| "2026-12-01T00:00:01.200Z".parse().unwrap());
    Charge {
        call: CallId::from(Uuid::from_u128(7)),
        ticket: TicketId::from(Uuid::from_u128(8)),
        tenant: "acme".to_owned(),
        endpoint: "ask".to_owned(),
        task: "answer".to_owned(),
        provider: "main".to_owned(),
        model: "main/gpt-4.1-mini".to_owned(),
        release: "3f2a".to_owned(),
        at,
        ended_at,
        reserved: NanoUsd(5_000_000),
        state,
        charged: NanoUsd(charged),
        charged_input: Some(NanoUsd(400_000)),
        usage: Some(Usage { cached_input: Tokens(600), ..Usage::new(1_000, 80) }),
    }
}

pub(super) fn written(format: ExportFormat, facts: ExportFacts, charges: &[Charge]) -> (String, ExportSummary) {
    let mut out = Vec::new();
    let mut exporter = Exporter::new(&mut out, format, facts).unwrap();
    for charge in charges {
        exporter.charge(charge).unwrap();
    }
    let summary = exporter.finish().unwrap();
    (String::from_utf8(out).unwrap(), summary)
}

/// The rows of a CSV export, each with its cells by column.
pub(super) fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn a_charge_is_written_with_every_field() {
    let (text, summary) = written(ExportFormat::Csv, facts(), &[charge(ChargeState::Settled, 1_250_000)]);
    let expected = "call,ticket,tenant,endpoint,task,provider,model,release,reserved_at,ended_at,state,\
        reserved_nanousd,charged_nanousd,charged_input_nanousd,\
        input_tokens,output_tokens,cached_input_tokens,cache_write_tokens,reasoning_tokens\n\
        call_00000000000000000000000000000007,tkt_00000000000000000000000000000008,acme,ask,answer,main,\
        main/gpt-4.1-mini,3f2a,2026-11-30T23:59:59.900Z,2026-12-01T00:00:01.200Z,settled,\
        5000000,1250000,400000,1000,80,600,0,0\n";
    assert_eq!(text, expected);
    assert_eq!(summary, ExportSummary { rows: 1, sum: NanoUsd(1_250_000), ..ExportSummary::default() });
}

#[test]
fn json_says_the_same_and_null_for_what_is_not_known() {
    let unknown = Charge { usage: None, charged_input: None, ..charge(ChargeState::WorstCase, 5_000_000) };
    let (text, _) = written(ExportFormat::Json, facts(), &[charge(ChargeState::Estimated, 7), unknown]);
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["from"], "2026-11-01T00:00:00.000Z");
    assert_eq!(json["until"], "2026-12-01T00:00:00.000Z");
    assert_eq!((&json["row_count"], &json["sum_nanousd"]), (&2.into(), &5_000_007.into()));
    let [estimated, worst] = json["rows"].as_array().unwrap().as_slice() else { panic!("{text}") };
    assert_eq!(estimated["charged_nanousd"], 7);
    assert_eq!(estimated["reserved_at"], "2026-11-30T23:59:59.900Z");
    assert_eq!(worst["state"], "worst_case");
    for unknown in ["charged_input_nanousd", "input_tokens", "reasoning_tokens"] {
        assert_eq!(worst.get(unknown), Some(&Value::Null), "{unknown}");
    }
}

#[test]
fn an_export_without_rows_is_whole() {
    let (json, summary) = written(ExportFormat::Json, facts(), &[]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["rows"], &json["sum_nanousd"]), (&serde_json::json!([]), &0.into()));
    assert_eq!(summary, ExportSummary::default());
    for format in [ExportFormat::Csv, ExportFormat::Focus] {
        assert_eq!(written(format, facts(), &[]).0.lines().count(), 1, "{format:?}");
    }
}

#[test]
fn open_reservations_are_counted_and_voided_ones_are_written_when_asked() {
    let charges = [
        charge(ChargeState::Open, 0),
        charge(ChargeState::Voided, 0),
        charge(ChargeState::Settled, 3),
        charge(ChargeState::Open, 0),
    ];
    for format in ExportFormat::ALL {
        let (_, summary) = written(format, facts(), &charges);
        let expected =
            ExportSummary { rows: 1, sum: NanoUsd(3), open: 2, open_reserved: NanoUsd(10_000_000), voided: 1 };
        assert_eq!(summary, expected);
        let (_, all) = written(format, ExportFacts { voided: true, ..facts() }, &charges);
        assert_eq!(all, ExportSummary { rows: 2, ..expected });
    }
}

#[test]
fn no_cell_becomes_a_formula() {
    for hostile in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
        let charge = Charge { tenant: hostile.to_owned(), ..charge(ChargeState::Settled, -1) };
        let charge = Charge { task: hostile.to_owned(), endpoint: hostile.to_owned(), ..charge };
        for format in [ExportFormat::Csv, ExportFormat::Focus] {
            let facts = ExportFacts { project: hostile.to_owned(), ..facts() };
            let (text, _) = written(format, facts, std::slice::from_ref(&charge));
            let row = table(&text).remove(0);
            let starts = |(name, cell): (&String, &String)| {
                let is_number = name.ends_with("Cost") || name.ends_with("_nanousd");
                (!is_number && cell.starts_with(['=', '+', '-', '@', '\t'])).then(|| name.clone())
            };
            assert_eq!(row.iter().find_map(starts), None, "{text}");
        }
    }
}

#[test]
fn json_is_harmless_in_a_terminal_and_keeps_its_texts() {
    let hostile = "a\u{202e}b\u{9b}31m\u{1b}[2J\"";
    let charge = Charge { tenant: hostile.to_owned(), ..charge(ChargeState::Settled, 1) };
    let (text, _) = written(ExportFormat::Json, facts(), &[charge]);
    assert!(text.chars().all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')), "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["rows"][0]["tenant"], hostile);
}

#[test]
fn a_sum_beyond_the_range_is_refused() {
    let mut exporter = Exporter::new(Vec::new(), ExportFormat::Csv, facts()).unwrap();
    exporter.charge(&charge(ChargeState::Settled, i64::MAX)).unwrap();
    let refused = exporter.charge(&charge(ChargeState::Settled, 1));
    assert!(matches!(refused, Err(ExportError::SumTooLarge { .. })));
}

fn charges() -> impl Strategy<Value = Vec<Charge>> {
    let one = (0..ChargeState::ALL.len(), 0..1_000_000_000_000_000_i64, any::<bool>(), ".{0,12}");
    let one = one.prop_map(|(state, amount, is_known, text)| {
        let state = ChargeState::ALL[state];
        let is_booked = !matches!(state, ChargeState::Open | ChargeState::Voided);
        let charge = charge(state, if is_booked { amount } else { 0 });
        Charge { tenant: text, usage: charge.usage.filter(|_| is_known), ..charge }
    });
    proptest::collection::vec(one, 0..20)
}

proptest! {
    #[test]
    fn every_format_adds_up_to_the_ledger(charges in charges(), voided in any::<bool>()) {
        let ledger: NanoUsd = charges.iter().map(|charge| charge.charged).sum();
        let facts = ExportFacts { voided, ..facts() };
        let whole = |rows: Vec<BTreeMap<String, String>>, read: fn(&BTreeMap<String, String>) -> NanoUsd| {
            rows.iter().map(read).sum::<NanoUsd>()
        };

        let (csv, summary) = written(ExportFormat::Csv, facts.clone(), &charges);
        prop_assert_eq!(whole(table(&csv), |row| NanoUsd(row["charged_nanousd"].parse().unwrap())), ledger);
        prop_assert_eq!(summary.sum, ledger);

        let (json, same) = written(ExportFormat::Json, facts.clone(), &charges);
        let json: Value = serde_json::from_str(&json).unwrap();
        let rows = json["rows"].as_array().unwrap();
        prop_assert_eq!(rows.iter().map(|row| row["charged_nanousd"].as_i64().unwrap()).sum::<i64>(), ledger.0);
        prop_assert_eq!(json["sum_nanousd"].as_i64(), Some(ledger.0));
        prop_assert_eq!(rows.len() as u64, summary.rows);
        prop_assert_eq!(same, summary);

        let (focus, same) = written(ExportFormat::Focus, facts, &charges);
        for column in ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"] {
            let rows = table(&focus);
            let sum: NanoUsd = rows.iter().map(|row| NanoUsd::parse_dollars(&row[column]).unwrap()).sum();
            prop_assert_eq!(sum, ledger, "{}", column);
        }
        prop_assert_eq!(same, summary);
    }
}
