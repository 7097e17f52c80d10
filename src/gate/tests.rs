use std::collections::BTreeMap;

use super::*;
use crate::config::{GateMetric, GatePolicy, GateSettings, MetricSettings, Tier};
use crate::domain::{ContentHash, NanoUsd, RunId, Verdict, VerdictId};

/// Evidence of cases `c00`, `c01`, …, each with these scores in its repeats.
pub(super) fn evidence<S: AsRef<[f64]>>(cases: &[S]) -> Evidence {
    let repeat = |score: &f64| Repeat {
        score: Some(*score),
        refused: false,
        grounded: None,
        latency_ms: Some(100.0),
        retrieve_ms: Some(10.0),
        escalated: false,
        cost_nanousd: Some(NanoUsd(1_000)),
    };
    let case = |scores: &[f64]| CaseEvidence {
        cluster: String::new(),
        weight: 1.0,
        tags: Vec::new(),
        critical: false,
        answerable: true,
        question: "how?".to_owned(),
        expected: vec!["so".to_owned()],
        answer: format!("{scores:?}"),
        error: None,
        repeats: scores.iter().map(repeat).collect(),
    };
    let numbered = cases.iter().enumerate().map(|(index, scores)| (format!("c{index:02}"), case(scores.as_ref())));
    let mut cases: BTreeMap<String, CaseEvidence> = numbered.collect();
    for (id, case) in &mut cases {
        case.cluster.clone_from(id);
    }
    let repeats = cases.values().map(|case| case.repeats.len()).max().unwrap_or(1) as u32;
    let conditions = Conditions {
        gold_set: "set".to_owned(),
        gold_path: "gold_sets/set.jsonl".to_owned(),
        gold_hash: ContentHash::of(b"set"),
        pass_score: 0.5,
        release: 1,
        release_hash: ContentHash::of(b"release"),
        run: RunId::from(uuid::Uuid::nil()),
        started_at: String::new(),
        repeats,
        filters: Vec::new(),
        limit: None,
        concurrency: 8,
        seed: 7,
        use_cache: false,
        replayed: false,
        knowledge: ContentHash::of(b"docs"),
        graders: 1,
        judge: None,
        prices: None,
        setup: None,
        program: "0.1.0".to_owned(),
    };
    Evidence { conditions, cases }
}

/// Forty cases, of which `right` score 1 and the others 0.
fn forty(right: usize) -> Evidence {
    let cases: Vec<&[f64]> = (0..40).map(|index| if index < right { &[1.0][..] } else { &[0.0][..] }).collect();
    evidence(&cases)
}

fn weigh(before: &Evidence, after: &Evidence, settings: &GateSettings) -> Result<GateReport, GateError> {
    decide(&comparison(before, after, settings), VerdictId::from(uuid::Uuid::nil()), String::new())
}

fn comparison<'a>(before: &'a Evidence, after: &'a Evidence, settings: &'a GateSettings) -> Comparison<'a> {
    Comparison {
        baseline: Side { name: "1", evidence: before, fresh: false, stored: true },
        candidate: Side { name: "2", evidence: after, fresh: true, stored: true },
        settings,
        terms: ContentHash::of(b""),
        seed: 1,
        judge: None,
        quarantined: Vec::new(),
    }
}

fn quick() -> GateSettings {
    GateSettings { resamples: 2_000, ..GateSettings::default() }
}

fn metric<'a>(report: &'a GateReport, name: &str) -> &'a MetricReport {
    report.metrics.iter().chain(&report.slices).find(|metric| metric.name == name).unwrap()
}

#[test]
fn a_clear_loss_fails_and_names_the_cases_that_lost_most() {
    let report = weigh(&forty(30), &forty(20), &quick()).unwrap();
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(
        report.reasons[0].starts_with("score: worse by 0.250, more than the margin of 0.020"),
        "{:?}",
        report.reasons
    );
    assert_eq!(report.counts, MoveCounts { still_right: 20, still_wrong: 10, regressed: 10, improved: 0 });
    assert_eq!((report.fell.len(), report.fell[0].case.as_str(), report.fell[0].damage), (10, "c20", -1.0 / 40.0));
    assert_eq!(report.fell[0].repro, "tollgate eval gold_sets/set.jsonl --filter id:c20 --seed 7 --release 1");
    let score = metric(&report, "score");
    assert_eq!((score.baseline, score.candidate, score.effect), (Some(0.75), Some(0.5), Some(-0.25)));
    assert!(score.interval.unwrap().upper < 0.0 && score.p.unwrap() < 0.025);
}

#[test]
fn a_gain_passes_and_so_does_no_change_at_all_even_under_the_strict_policy() {
    assert_eq!(weigh(&forty(20), &forty(30), &quick()).unwrap().verdict, Verdict::Pass);
    let strict = GateSettings { resamples: 2_000, ..GateSettings::of(GatePolicy::Strict) };
    let same = weigh(&forty(20), &forty(20), &strict).unwrap();
    assert_eq!((same.verdict, metric(&same, "score").outcome), (Verdict::Pass, Verdict::Pass), "{:?}", same.reasons);
}

#[test]
fn a_loss_that_chance_explains_is_inconclusive_and_says_what_would_settle_it() {
    // Two cases lost of forty: -0.05, and sign flips of two clusters prove nothing (p = 1/4).
    let report = weigh(&forty(22), &forty(20), &quick()).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(report.reasons[0].starts_with("score: may be worse by up to"), "{:?}", report.reasons);
    let needed = report.needed.unwrap();
    assert_eq!(needed.metric, "score");
    assert!(needed.cases.unwrap() > 40, "{needed:?}");
    assert_eq!((needed.repeats, needed.repeats_cost_nanousd), (None, None), "one repeat says nothing of the noise");
}

#[test]
fn more_repeats_are_advised_where_repeats_differ() {
    // Noise alone: the repeats of every case disagree, differently on the two sides.
    let (right, wrong): (&[f64], &[f64]) = (&[1.0, 0.0, 1.0], &[0.0, 1.0, 0.0]);
    let before: Vec<&[f64]> = (0..40).map(|index| if index % 2 == 0 { right } else { wrong }).collect();
    let after: Vec<&[f64]> = (0..40).map(|index| if index % 3 == 0 { right } else { wrong }).collect();
    let report = weigh(&evidence(&before), &evidence(&after), &quick()).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive, "{:?}", report.metrics[0]);
    let needed = report.needed.unwrap();
    let repeats = needed.repeats.unwrap();
    // Both sides: 40 cases at 1,000 nano-dollars an answer, for each repeat beyond three.
    assert_eq!(needed.repeats_cost_nanousd, Some(NanoUsd(2 * 40 * 1_000 * i64::from(repeats - 3))));
}

#[test]
fn a_critical_case_that_turns_wrong_fails_alone_unless_it_is_in_quarantine() {
    let (mut before, mut after) = (forty(40), forty(40));
    for side in [&mut before, &mut after] {
        side.cases.get_mut("c03").unwrap().critical = true;
        side.cases.get_mut("c03").unwrap().weight = 0.001;
    }
    after.cases.get_mut("c03").unwrap().repeats[0].score = Some(0.0);
    let report = weigh(&before, &after, &quick()).unwrap();
    assert_eq!(report.verdict, Verdict::Fail);
    assert_eq!(report.reasons, ["1 critical case went from right to wrong: c03"]);
    let settings = quick();
    let quarantined = QuarantinedCase {
        case: "c03".to_owned(),
        until: "2026-12-01T00:00:00Z".to_owned(),
        reason: "the vendor wavers".to_owned(),
        flipped_runs: 3,
        runs: 9,
    };
    let quarantine = Comparison { quarantined: vec![quarantined], ..comparison(&before, &after, &settings) };
    let report = decide(&quarantine, VerdictId::from(uuid::Uuid::nil()), String::new()).unwrap();
    assert_eq!(report.verdict, Verdict::Pass);
    assert_eq!((report.quarantined.len(), report.counts.regressed), (1, 1), "it is shown and counted all the same");
}

#[test]
fn a_minority_of_wrong_repeats_is_no_flip() {
    let (mut before, mut after) = (evidence(&[&[1.0; 3]; 30]), evidence(&[&[1.0; 3]; 30]));
    for side in [&mut before, &mut after] {
        side.cases.get_mut("c00").unwrap().critical = true;
    }
    after.cases.get_mut("c00").unwrap().repeats[1].score = Some(0.0);
    assert!(weigh(&before, &after, &quick()).unwrap().critical_flips.is_empty());
    after.cases.get_mut("c00").unwrap().repeats[2].score = Some(0.0);
    assert_eq!(weigh(&before, &after, &quick()).unwrap().critical_flips, ["c00"]);
}

#[test]
fn what_is_missing_is_never_a_pass() {
    let (before, mut after) = (forty(30), forty(30));
    after.cases.get_mut("c05").unwrap().repeats[0].score = None;
    let report = weigh(&before, &after, &quick()).unwrap();
    assert_eq!((report.verdict, report.unpaired, report.paired), (Verdict::Inconclusive, 1, 39));
    assert_eq!(report.reasons, ["1 case is not judged on both sides"]);
    after.cases.remove("c05");
    assert_eq!(weigh(&before, &after, &quick()).unwrap().unpaired, 1);
}

#[test]
fn sides_that_were_not_measured_alike_are_refused_by_the_name_of_what_differs() {
    type Change = fn(&mut Conditions);
    let changes: [(&str, Change); 8] = [
        ("gold set", |c| c.gold_hash = ContentHash::of(b"other")),
        ("pass score", |c| c.pass_score = 0.6),
        ("graders", |c| c.graders = 2),
        ("judge", |c| c.judge = Some(ContentHash::of(b"judge"))),
        ("price book", |c| c.prices = Some(ContentHash::of(b"prices"))),
        ("filters", |c| c.filters = vec!["tag:x".to_owned()]),
        ("limit", |c| c.limit = Some(3)),
        ("answer cache", |c| c.use_cache = true),
    ];
    for (name, change) in changes {
        let (before, mut after) = (forty(30), forty(30));
        change(&mut after.conditions);
        match weigh(&before, &after, &quick()) {
            Err(GateError::Incomparable { field, .. }) => assert_eq!(field, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    // What is compared, averaged out or named in the report may differ.
    let (before, mut after) = (forty(30), forty(30));
    after.conditions.knowledge = ContentHash::of(b"new docs");
    (after.conditions.seed, after.conditions.release) = (8, 2);
    let report = weigh(&before, &after, &quick()).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("documents changed")), "{:?}", report.notes);
}

#[test]
fn a_judge_that_cannot_be_trusted_is_at_fault_whatever_it_says() {
    let settings = quick();
    let (before, after) = (forty(30), forty(10));
    let judge = JudgeStanding {
        judge: ContentHash::of(b"judge"),
        model: "mock/large".to_owned(),
        kappa: Some(0.41),
        interval: None,
        labels: 60,
        min_kappa: 0.6,
        trusted: false,
    };
    let judged = Comparison { judge: Some(judge), ..comparison(&before, &after, &settings) };
    let report = decide(&judged, VerdictId::from(uuid::Uuid::nil()), String::new()).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let said =
        "the judge is at fault, not the candidate: mock/large agrees with people only at a kappa of 0.41, below 0.60";
    assert_eq!(report.reasons, [said]);
}

#[test]
fn hard_limits_hold_whatever_changed() {
    let floor = GateSettings { min_score: Some(0.8), ..quick() };
    let report = weigh(&forty(30), &forty(30), &floor).unwrap();
    assert_eq!(report.reasons, ["score: 0.750 is below the limit of 0.800"]);
    let mut slow = forty(30);
    for case in slow.cases.values_mut() {
        case.repeats[0].latency_ms = Some(1_700.0);
    }
    let report = weigh(&slow, &slow, &quick()).unwrap();
    assert_eq!(
        (report.verdict, report.reasons),
        (Verdict::Fail, vec!["ticket_p95: 1700 ms is above the limit of 1500 ms".to_owned()])
    );
    let dear = GateSettings { max_cost_per_success_nanousd: Some(NanoUsd(1_200)), ..quick() };
    // 40 answers at 1,000 for 30 that pass: 1,333.
    let report = weigh(&forty(30), &forty(30), &dear).unwrap();
    assert_eq!(report.verdict, Verdict::Fail);
    assert!(report.reasons[0].starts_with("cost_per_success: "), "{:?}", report.reasons);
}

#[test]
fn a_rise_of_cost_or_latency_fails_and_one_that_nobody_notices_does_not() {
    let changed = |change: fn(&mut Repeat)| {
        let mut side = forty(30);
        side.cases.values_mut().flat_map(|case| &mut case.repeats).for_each(change);
        side
    };
    let dearer = changed(|repeat| repeat.cost_nanousd = Some(NanoUsd(1_200)));
    let report = weigh(&forty(30), &dearer, &quick()).unwrap();
    assert_eq!(report.reasons, ["cost_per_success: worse by 20.0%, more than the margin of 5.0%"]);
    let slower = changed(|repeat| repeat.latency_ms = Some(200.0));
    let report = weigh(&forty(30), &slower, &quick()).unwrap();
    assert_eq!(report.reasons, ["ticket_p95: worse by 100.0%, more than the margin of 10.0%"]);
    // Thirty milliseconds are below the floor of fifty, although they are 30 %.
    let hardly = changed(|repeat| repeat.latency_ms = Some(130.0));
    assert_eq!(weigh(&forty(30), &hardly, &quick()).unwrap().verdict, Verdict::Pass);
    let free = changed(|repeat| repeat.cost_nanousd = Some(NanoUsd::ZERO));
    assert_eq!(metric(&weigh(&free, &free, &quick()).unwrap(), "cost_per_success").outcome, Verdict::Pass);
}

#[test]
fn an_unknown_cost_is_no_cost_and_a_replayed_latency_is_not_judged() {
    let mut unknown = forty(30);
    unknown.cases.get_mut("c07").unwrap().repeats[0].cost_nanousd = None;
    let report = weigh(&forty(30), &unknown, &quick()).unwrap();
    let cost = metric(&report, "cost_per_success");
    assert_eq!((cost.candidate, cost.outcome), (None, Verdict::Inconclusive));
    assert_eq!(report.verdict, Verdict::Pass, "in the standard policy only a proven rise fails");
    let strict = GateSettings { resamples: 2_000, ..GateSettings::of(GatePolicy::Strict) };
    assert_eq!(weigh(&forty(30), &unknown, &strict).unwrap().verdict, Verdict::Inconclusive);
    let mut replayed = forty(30);
    replayed.conditions.replayed = true;
    let report = weigh(&replayed, &replayed, &quick()).unwrap();
    assert_eq!(metric(&report, "ticket_p95").outcome, Verdict::Inconclusive);
    assert_eq!(metric(&report, "ticket_p95").candidate, None);
}

#[test]
fn a_slice_that_falls_fails_though_the_whole_gains() {
    let (mut before, mut after) = (forty(14), forty(40));
    for side in [&mut before, &mut after] {
        for (index, case) in side.cases.values_mut().enumerate() {
            case.tags = vec![if index < 12 { "billing" } else { "other" }.to_owned()];
        }
    }
    for case in after.cases.values_mut().take(12) {
        case.repeats[0].score = Some(0.0);
    }
    let report = weigh(&before, &after, &quick()).unwrap();
    assert!(report.metrics[0].effect.unwrap() > 0.0);
    assert_eq!(report.reasons, ["tag:billing: worse by 1.000, more than the margin of 0.050"]);
    let mut advisory = quick();
    advisory.metrics.insert(GateMetric::Slices, MetricSettings { tier: Tier::Advisory, margin: 0.05 });
    assert_eq!(weigh(&before, &after, &advisory).unwrap().verdict, Verdict::Pass);
}

#[test]
fn evidence_that_was_bought_settles_what_was_open() {
    let settings = quick();
    let (before, after) = (forty(24), forty(20));
    let comparison = comparison(&before, &after, &settings);
    let mut report = decide(&comparison, VerdictId::from(uuid::Uuid::nil()), String::new()).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    let mut escalation = Escalation::of(&comparison).unwrap();
    // Four of forty cases differ, and the candidate is wrong on them each time; half of the draws are of these.
    let (mut bought, mut differing) = (0, 0);
    while escalation.look() == Verdict::Inconclusive && bought < 5_000 {
        for case in escalation.draw(32) {
            let differs = ["c20", "c21", "c22", "c23"].contains(&case.as_str());
            escalation.observe(&case, 1.0, if differs { 0.0 } else { 1.0 });
            escalation.spend(Some(NanoUsd(2_000)));
            (bought, differing) = (bought + 1, differing + u64::from(differs));
        }
    }
    assert!((0.3..0.7).contains(&(differing as f64 / bought as f64)), "{differing} of {bought}");
    report.settle(escalation.report("the evidence is decisive".to_owned()));
    let bill = report.escalation.as_ref().unwrap();
    assert_eq!((bill.outcome, bill.cases, bill.pairs), (Verdict::Fail, 4, bought));
    // A tenth of the set drawn half of the time: each counts a fifth.
    assert!((bill.effect.unwrap() + 0.2 * differing as f64 / bought as f64).abs() < 1e-12);
    assert_eq!(bill.cost_nanousd, Some(NanoUsd(2_000 * i64::try_from(bought).unwrap())));
    assert!(bill.e_worse >= bill.needed && (bill.needed - 40.0).abs() < 1e-9);
    assert_eq!(report.verdict, Verdict::Fail);
}

#[test]
fn differing_cases_that_turn_out_alike_pass() {
    let settings = quick();
    let (before, after) = (forty(24), forty(20));
    let comparison = comparison(&before, &after, &settings);
    let mut escalation = Escalation::of(&comparison).unwrap();
    let mut bought = 0;
    while escalation.look() == Verdict::Inconclusive && bought < 5_000 {
        for case in escalation.draw(32) {
            escalation.observe(&case, 1.0, 1.0);
            bought += 1;
        }
    }
    assert!(bought > 32, "nothing passes unasked");
    assert_eq!(escalation.report(String::new()).outcome, Verdict::Pass);
    assert!(Escalation::of(&super::tests::comparison(&before, &before, &settings)).is_none(), "nothing differs");
}

#[test]
fn losses_on_cases_that_agreed_by_chance_are_found_too() {
    // Two of forty cases differ; on fresh answers the candidate is wrong on eight others as well.
    let settings = quick();
    let (before, after) = (forty(22), forty(20));
    let mut escalation = Escalation::of(&comparison(&before, &after, &settings)).unwrap();
    let mut bought = 0;
    while escalation.look() == Verdict::Inconclusive && bought < 20_000 {
        for case in escalation.draw(32) {
            let wrong = case.as_str() >= "c14" && case.as_str() < "c24";
            escalation.observe(&case, 1.0, if wrong { 0.0 } else { 1.0 });
            bought += 1;
        }
    }
    let bill = escalation.report(String::new());
    assert_eq!(bill.outcome, Verdict::Fail, "{bill:?}");
    assert!((bill.effect.unwrap() + 0.25).abs() < 0.1, "{bill:?}");
}

#[test]
fn an_answer_that_is_missing_in_one_repeat_is_missing() {
    let before = evidence(&[[1.0; 3]; 30]);
    let mut after = evidence(&[[1.0; 3]; 30]);
    after.cases.get_mut("c04").unwrap().repeats[2].score = None;
    let report = weigh(&before, &after, &quick()).unwrap();
    assert_eq!((report.verdict, report.incomplete), (Verdict::Inconclusive, 1));
    assert_eq!(report.reasons, ["1 case lacks some of its answers"]);
    assert_eq!(metric(&report, "refusal").candidate, Some(1.0));
}

#[test]
fn what_was_free_and_is_paid_now_has_become_dearer() {
    let mut free = forty(30);
    free.cases.values_mut().flat_map(|case| &mut case.repeats).for_each(|one| one.cost_nanousd = Some(NanoUsd::ZERO));
    let report = weigh(&free, &forty(30), &quick()).unwrap();
    assert_eq!(report.reasons, ["cost_per_success: the baseline cost nothing, and the candidate does"]);
    assert_eq!(report.verdict, Verdict::Fail);
}

#[test]
fn a_limit_that_cannot_be_told_to_hold_is_open() {
    let mut unknown = forty(30);
    unknown.cases.get_mut("c07").unwrap().repeats[0].cost_nanousd = None;
    let dear = GateSettings { max_cost_per_success_nanousd: Some(NanoUsd(9_999)), ..quick() };
    let report = weigh(&forty(30), &unknown, &dear).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(report.reasons[0].starts_with("cost_per_success: too little is known"), "{:?}", report.reasons);
}

#[test]
fn what_could_never_fail_does_not_pass() {
    let (before, after) = (evidence(&[[1.0]; 5]), evidence(&[[1.0]; 5]));
    let report = weigh(&before, &after, &quick()).unwrap();
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert_eq!(report.reasons, ["5 independent cases cannot prove any loss; 6 are the fewest"]);
}

#[test]
fn a_release_compared_with_itself_hardly_ever_fails_and_never_when_it_is_deterministic() {
    let steady = evidence(&[&[1.0, 1.0, 1.0, 1.0]; 30]);
    let quiet = simulate(&steady, &quick(), &[], 20, 3).unwrap();
    assert_eq!((quiet.rounds, quiet.passes, quiet.score_sd), (20, 20, Some(0.0)));
    let wavering: Vec<&[f64]> =
        (0..30).map(|index| if index % 3 == 0 { &[1.0, 0.0, 1.0, 0.0][..] } else { &[1.0; 4][..] }).collect();
    let noisy = simulate(&evidence(&wavering), &quick(), &[], 60, 3).unwrap();
    assert!(noisy.score_sd.unwrap() > 0.0 && noisy.false_fails <= 4, "{noisy:?}");
    assert_eq!(simulate(&forty(3), &quick(), &[], 20, 3), None, "asked once, nothing can be split");
    let by_case = case_noise(&evidence(&wavering), &[]);
    assert!(by_case[0].flips && by_case[0].case == "c00" && (by_case[0].mean - 0.5).abs() < 1e-12, "{:?}", by_case[0]);
    // Standard deviation of 1, 0, 1, 0 with n - 1: the root of 1/3.
    assert!((by_case[0].sd - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12 && !by_case[29].flips);
}

#[test]
fn a_baseline_is_read_as_it_was_blessed_and_refused_once_it_was_changed() {
    let directory = tempfile::tempdir().unwrap();
    let baseline =
        Baseline::bless(evidence(&[&[0.1 + 0.2, 1.0 / 3.0]; 3]), "2026-11-01T00:00:00Z".into(), "agreed".into());
    let path = baseline.path(directory.path());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, baseline.to_json()).unwrap();
    assert_eq!(Baseline::read(&path).unwrap(), baseline);
    assert_eq!(Baseline::of_set(directory.path(), "set").unwrap(), [(path.clone(), baseline.clone())]);
    assert_eq!(Baseline::of_set(directory.path(), "other").unwrap(), []);
    let better = baseline.to_json().replacen("\"score\": 0.3", "\"score\": 0.9", 1);
    std::fs::write(&path, better).unwrap();
    assert!(matches!(Baseline::read(&path), Err(GateError::BaselineChanged { .. })));
    assert!(Baseline::of_set(directory.path(), "set").is_err(), "it is not passed over");
    std::fs::write(&path, baseline.to_json().replace("2026-11-01", "2027-11-01")).unwrap();
    assert!(matches!(Baseline::read(&path), Err(GateError::BaselineChanged { .. })));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(Baseline::read(&path), Err(GateError::UnreadableBaseline { .. })));
}
