use unicode_width::UnicodeWidthStr;

use super::{all, sample, shown};
use crate::domain::Verdict;
use crate::gate::{GateReport, MetricReport};
use crate::report::Format;

/// What stands before the tables.
fn top(report: &GateReport) -> String {
    let text = shown(report, Format::Human, 80);
    text.split("── Then and now").next().unwrap().trim_end().to_owned()
}

fn section(report: &GateReport, title: &str) -> String {
    let text = shown(report, Format::Human, 80);
    let (_, rest) = text.split_once(&format!("── {title} ─")).unwrap();
    rest.split_once('\n').unwrap().1.split("\n──").next().unwrap().to_owned()
}

#[test]
fn an_inconclusive_gate_says_what_is_missing_and_what_it_costs() {
    insta::assert_snapshot!(top(&sample::inconclusive()), @r"
    gate manual: release 4 (work) against 3 (live)

    ! INCONCLUSIVE: score 0.412 → 0.405 (-0.007, 95% interval -0.031 to +0.018): may
      be worse by up to 0.031, the margin is 0.020; 9 repeats of each case would
      settle `score`, for $0.1732 more

    ── What would settle it ────────────────────────────────────────────────────────

      what is open    score
      either repeats  9 of each case on each side (now 3), for $0.1732 more
      or more cases   about 340 in all (now 100)

    `--escalate` asks the cases that differ again, and stops as soon as it is
    settled or the money is spent:

      tollgate gate --escalate --max-cost 0.20
    ");
}

#[test]
fn without_a_command_to_escalate_the_switch_is_named_with_its_price() {
    let mut report = sample::inconclusive();
    report.next.clear();
    assert!(top(&report).contains("`--escalate --max-cost 0.18` asks the cases"), "{}", top(&report));
    report.needed.as_mut().unwrap().repeats = None;
    assert!(top(&report).contains("about 340 cases would settle\n  `score`"), "{}", top(&report));
}

#[test]
fn bought_evidence_is_accounted_for() {
    insta::assert_snapshot!(top(&sample::escalated()), @r"
    gate manual: release 4 (work) against 3 (live)

    ✓ PASS: score 0.412 → 0.405 (-0.007, 95% interval -0.031 to +0.018): asking the
      differing cases again proved that it is not worse by more than the margin

    ── Escalation ──────────────────────────────────────────────────────────────────

      outcome                    ✓ settled: not worse; the evidence reached 20
      bought                     126 pairs of answers for 14 cases that differed,
                                 looked at 9 times
      cost                       $0.0612
      change of the score        -0.002
      evidence that it is worse  0.04 of 20 needed
      evidence that it is not    23.60 of 20 needed
    ");
}

#[test]
fn an_untrusted_judge_is_named_as_the_fault() {
    insta::assert_snapshot!(top(&sample::judge_at_fault()), @r"
    gate manual: release 4 (work) against 3 (live)

    ! INCONCLUSIVE: the judge is at fault, not the candidate: openai/gpt-4o-mini
      agrees with people only at a kappa of 0.41, below 0.60; score 0.412 → 0.433
      (+0.021, 95% interval -0.004 to +0.047), margin 0.020

    ✗ 1 CRITICAL CASE went from right to wrong: `prices-import` (0.410 → 0.220)

    ── Judge ───────────────────────────────────────────────────────────────────────

      model              openai/gpt-4o-mini 10e86c6514d4
      kappa with people  0.41 (95% 0.22 to 0.58, 80 labels), 0.60 needed
      standing           ! not trusted

    The judge is at fault: mend its prompt or take another model, then hold it
    against people's labels with `tollgate judge calibrate LABELS.csv`.
    ");
    let mut never = sample::judge_at_fault();
    never.judge.as_mut().unwrap().kappa = None;
    assert!(top(&never).contains("never calibrated, 0.60 needed"), "{}", top(&never));
}

#[test]
fn the_first_line_names_the_weightiest_reason_once() {
    let mut report = sample::fail();
    report.reasons.remove(0);
    let first = "\
        FAIL: score 0.412 → 0.361 (-0.051, 95% interval -0.080 to -0.022): worse by 0.051, more than the margin of 0.020";
    assert_eq!(report.first_line(), first);
    // What was lost is shouted where the first line does not say it.
    assert!(top(&report).contains("✗ 1 CRITICAL CASE went from right to wrong: `fail-under-exit` (0.820 → 0.100)"));
    assert!(!top(&sample::fail()).contains("CRITICAL"));
}

#[test]
fn every_line_keeps_to_the_width() {
    for width in [80, 100] {
        for report in all() {
            for line in shown(&report, Format::Human, width).lines() {
                assert!(line.width() <= width, "{} > {width}: {line}", line.width());
            }
        }
    }
}

#[test]
fn five_regressions_and_three_improvements_are_shown_in_full_and_the_others_in_a_line_each() {
    let mut report = sample::fail();
    report.rose = report.fell.iter().rev().cloned().collect();
    let text = shown(&report, Format::Human, 80);
    assert_eq!(text.matches("\n  question  ").count(), 5 + 3);
    let others: Vec<&str> = text.split("The others").skip(1).collect();
    let rows = |text: &str| text.lines().skip(3).take_while(|line| !line.is_empty()).count();
    assert_eq!([rows(others[0]), rows(others[1])], [3, 5]);
}

#[test]
fn slices_are_sorted_by_how_far_they_moved_and_the_still_ones_are_counted() {
    let mut report = sample::fail();
    let slice = |report: &GateReport, name: &str, effect: Option<f64>, outcome| MetricReport {
        name: format!("tag:{name}"),
        effect,
        outcome,
        ..report.slices[2].clone()
    };
    report.slices.push(slice(&report, "rose", Some(0.1), Verdict::Pass));
    report.slices.push(slice(&report, "unknown", None, Verdict::Inconclusive));
    let text = section(&report, "Score by tag (supporting)");
    let places = ["budgets", "rose", "eval", "unknown"].map(|tag| text.find(&format!("\n  {tag} ")).unwrap());
    assert!(places.is_sorted(), "{text}");
    assert!(text.contains("2 other tags moved less"), "{text}");
    // More slices than there is room for: those that failed are shown all the same.
    for at in 0..20 {
        report.slices.push(slice(&report, &format!("far-{at}"), Some(0.5), Verdict::Pass));
    }
    let text = section(&report, "Score by tag (supporting)");
    assert!(text.contains("\n  budgets ") && !text.contains("\n  eval "), "{text}");
    assert!(text.contains("15 other tags"), "{text}");
}

#[test]
fn when_no_slice_moved_that_is_said() {
    let mut report = sample::pass();
    report.slices.retain(|slice| slice.name == "tag:hostile");
    assert!(section(&report, "Metrics").contains("1 tag's score stayed as it was."));
}

#[test]
fn what_is_unknown_is_never_shown_as_zero() {
    let mut report = sample::pass();
    report.metrics.truncate(1);
    let metric = &mut report.metrics[0];
    (metric.baseline, metric.candidate, metric.effect, metric.interval) = (None, None, None, None);
    (metric.p, metric.p_exact, metric.p_adjusted, metric.minimum_detectable) = (None, None, None, None);
    (report.baseline.score, report.candidate.score, report.baseline.cost_nanousd) = (None, None, None);
    let text = shown(&report, Format::Human, 80);
    assert!(text.contains("PASS: score cannot be compared") && text.contains("cost unknown"), "{text}");
    assert!(section(&report, "Metrics").contains("score   critical       –      –  –       –"), "{text}");
    report.metrics.clear();
    assert!(top(&report).contains("PASS: nothing was measured"));
}
