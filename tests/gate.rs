//! `tollgate gate`: each exit code by a real scenario. What else it does is in the modules.

#![cfg(test)]

mod common;
#[path = "common/gate.rs"]
mod scenes;

#[path = "gate/baselines.rs"]
mod baselines;
#[path = "gate/endpoints.rs"]
mod endpoints;
#[path = "gate/formats.rs"]
mod formats;
#[path = "gate/noise.rs"]
mod noise;
#[path = "gate/repository.rs"]
mod repository;
#[path = "gate/sides.rs"]
mod sides;

use scenes::{NOW, THEN, WITHOUT_LATENCY, add_critical_case, gated, gold_set, ids, texts, transcript, two_answers};
use serde_json::Value;

#[test]
fn an_improvement_passes() {
    let project = two_answers();
    gold_set(&project, [10, 0, 6, 0]);
    let report = gated(&project, &["--baseline", "2", "--candidate", "3"], 0);
    assert_eq!((&report["verdict"], &report["counts"]["improved"]), (&"pass".into(), &6.into()), "{report:#}");
    let score = &report["metrics"][0];
    assert_eq!(
        (&score["name"], &score["baseline"], &score["candidate"]),
        (&"score".into(), &0.625.into(), &1.0.into())
    );
    assert_eq!(ids(&report["rose"]).len(), 6);
    assert_eq!(ids(&report["fell"]), [""; 0]);
    assert!(texts(&report["next"]).contains(&"tollgate migrate up"));
}

#[test]
fn a_worse_release_exits_1_and_names_the_cases_that_it_broke() {
    let project = two_answers();
    gold_set(&project, [6, 8, 0, 1]);
    let report = gated(&project, &["--baseline", "2", "--candidate", "3"], 1);
    assert_eq!(report["verdict"], "fail");
    assert!(texts(&report["reasons"]).iter().any(|reason| reason.starts_with("score: worse by 0.533")), "{report:#}");
    let mut fell = ids(&report["fell"]);
    fell.sort();
    assert_eq!(fell, (0..8).map(|number| format!("then-{number}")).collect::<Vec<_>>());
    let first = &report["fell"][0];
    assert_eq!((&first["then"], &first["now"], &first["expected"][0]), (&THEN.into(), &NOW.into(), &THEN.into()));
    let repro = texts(&report["next"])[0].to_owned();
    assert_eq!(
        repro,
        format!("tollgate eval gold_sets/starter.jsonl --filter id:{} --seed 0 --release 3", ids(&report["fell"])[0])
    );
    project.shell(&repro.replacen("tollgate", "\"$1\"", 1)).exits(0).says("score 0.000").says("of 1 cases passed");
}

#[test]
fn the_whole_report_of_a_failed_gate() {
    let project = two_answers();
    gold_set(&project, [2, 6, 0, 0]);
    add_critical_case(&project, "vital");
    project.run(&["kb", "ingest"]).exits(0);
    let sides = ["gate", "--baseline", "2", "--candidate", "3"];
    let run = project.run(&[&sides, &WITHOUT_LATENCY[..], &["--quiet"]].concat());
    insta::assert_snapshot!(transcript(&run), @r#"
    exit 1
    --- stdout
    gate starter: release 3 against 2

    ✗ FAIL: 1 critical case went from right to wrong: vital; score 1.000 → 0.222 (-0.778, 95% interval
      -1.000 to -0.444), margin 0.020

    Also:
    · score: worse by 0.778, more than the margin of 0.020
    · pass_rate: worse by 0.778, more than the margin of 0.050

    ── Then and now ────────────────────────────────────────────────────────────────────────────────────

    Score of each side, with 95% intervals · score
      then (release 2)  ████████████████████████████████████████████████  1.000 [1.000, 1.000]
      now (release 3)   ██████████▋                                       0.222 [0.000, 0.561]

    9 cases judged on both sides
      still right  still wrong  regressed  improved
      ─────────────────────────────────────────────
                2            0          7         0

    ── Metrics ─────────────────────────────────────────────────────────────────────────────────────────

      metric            tier            before       after  change    interval            outcome
      ───────────────────────────────────────────────────────────────────────────────────────────
      score             critical         1.000       0.222  -0.778    [-1.000, -0.444]    ✗ fail
      pass_rate         supporting      100.0%       22.2%  -77.8 pp  [-100.0, -33.3 pp]  ✗ fail
      refusal           supporting      100.0%      100.0%  0.0 pp    [0.0, 0.0 pp]       ✓ pass
      cost_per_success  supporting  $0.0000149  $0.0000670  –         –                   · open

    `cost_per_success` open: too few cases pass to tell what one of them costs

    ── Regressions ─────────────────────────────────────────────────────────────────────────────────────

    7 cases lost score; 7 went from right to wrong. What costs the gold set's score most comes first.

    vital · 1.000 → 0.000 · right → wrong, critical
      question  What is vital?
      expected  alpha
      damage    0.1111 of the gold set's score

      then      alpha
      now       beta

      tollgate eval gold_sets/starter.jsonl --filter id:vital --seed 0 --release 3

    then-0 · 1.000 → 0.000 · right → wrong
      question  What is then 0?
      expected  alpha
      damage    0.1111 of the gold set's score

      then      alpha
      now       beta

      tollgate eval gold_sets/starter.jsonl --filter id:then-0 --seed 0 --release 3

    then-1 · 1.000 → 0.000 · right → wrong
      question  What is then 1?
      expected  alpha
      damage    0.1111 of the gold set's score

      then      alpha
      now       beta

      tollgate eval gold_sets/starter.jsonl --filter id:then-1 --seed 0 --release 3

    then-2 · 1.000 → 0.000 · right → wrong
      question  What is then 2?
      expected  alpha
      damage    0.1111 of the gold set's score

      then      alpha
      now       beta

      tollgate eval gold_sets/starter.jsonl --filter id:then-2 --seed 0 --release 3

    then-3 · 1.000 → 0.000 · right → wrong
      question  What is then 3?
      expected  alpha
      damage    0.1111 of the gold set's score

      then      alpha
      now       beta

      tollgate eval gold_sets/starter.jsonl --filter id:then-3 --seed 0 --release 3

    The others
      case     then    now  set's score
      ────────────────────────────────────────────────
      then-4  1.000  0.000      -0.1111  right → wrong
      then-5  1.000  0.000      -0.1111  right → wrong

    ── How sure this is ────────────────────────────────────────────────────────────────────────────────

      metric            cases  margin  limit  notices  level       p  2nd p  Holm p
      ─────────────────────────────────────────────────────────────────────────────
      score                 9   0.020      –    0.387  95.0%  <0.001  0.008   0.008
      pass_rate             9  5.0 pp      –  43.2 pp  97.5%  <0.001  0.004   0.016
      refusal               9  5.0 pp      –   0.0 pp  95.0%   1.000  1.000   1.000
      cost_per_success      9    5.0%      –        –  95.0%       –      –       –

    notices: the smallest worsening that would be noticed four times in five. level: confidence of the
    interval. p: how often chance alone would look this bad if nothing were worse (bootstrap); 2nd: by a
    test that assumes less; Holm: corrected for all that is judged at once.

    ── To repeat it ────────────────────────────────────────────────────────────────────────────────────

      gold set       gold_sets/starter.jsonl HASH (9 cases in 9 clusters)
      baseline       2: release 2 HASH, asked now once each, cost $0.000134
      baseline run   run_ID
      candidate      3: release 3 HASH, asked now once each, cost $0.000134
      candidate run  run_ID
      policy         standard, 95% confidence, 10,000 resamples, terms HASH
      seed           0
      verdict        verdict_ID
      decided        TIME, tollgate 0.1.0

    note: what changed: stages.small: "echo/any" → "beta/any"

    ── Next ────────────────────────────────────────────────────────────────────────────────────────────

      tollgate eval gold_sets/starter.jsonl --filter id:vital --seed 0 --release 3
      tollgate compare run_ID run_ID
    --- stderr
    "#);
}

#[test]
fn a_critical_case_fails_the_gate_alone() {
    let project = two_answers();
    gold_set(&project, [30, 0, 2, 0]);
    let sides = ["--baseline", "2", "--candidate", "3"];
    gated(&project, &sides, 0);
    add_critical_case(&project, "vital");
    let report = gated(&project, &sides, 1);
    assert_eq!(report["metrics"][0]["outcome"], "inconclusive", "the score has not failed");
    assert_eq!(texts(&report["critical_flips"]), ["vital"]);
    assert_eq!(texts(&report["reasons"])[0], "1 critical case went from right to wrong: vital");
}

#[test]
fn a_hard_limit_fails_the_gate() {
    let project = two_answers();
    gold_set(&project, [6, 0, 2, 2]);
    project.edit("tollgate.toml", "[gate]\n", "[gate]\nmin_score = 0.9\n");
    let report = gated(&project, &["--baseline", "2", "--candidate", "3"], 1);
    assert_eq!(texts(&report["reasons"]), ["score: 0.800 is below the limit of 0.900"]);
    project.edit("tollgate.toml", "min_score = 0.9\n", "min_score = 0.8\n");
    gated(&project, &["--baseline", "2", "--candidate", "3"], 0);
}

#[test]
fn a_change_that_chance_explains_exits_4_and_says_what_would_settle_it() {
    let project = two_answers();
    gold_set(&project, [20, 4, 2, 0]);
    let sides = ["gate", "--baseline", "2", "--candidate", "3"];
    let run = project.run(&sides).exits(4).says("INCONCLUSIVE: score").says("What would settle it");
    run.says("--escalate --max-cost");
    let report = gated(&project, &sides[1..], 4);
    let needed = &report["needed"];
    assert_eq!((&needed["metric"], &needed["repeats"]), (&"score".into(), &Value::Null), "one repeat shows no noise");
    assert!(needed["cases"].as_u64().unwrap() > 26, "{needed}");
    assert_eq!((&report["fresh"], &report["baseline"]["fresh"]), (&Value::Null, &false.into()));
    let score = &report["metrics"][0];
    assert!(
        score["minimum_detectable"].as_f64().unwrap() > 0.02 && score["interval"]["lower"].as_f64().unwrap() < -0.02
    );
}

#[test]
fn the_margin_and_the_policy_decide() {
    let project = two_answers();
    gold_set(&project, [19, 1, 0, 0]);
    let sides = ["--baseline", "2", "--candidate", "3"];
    gated(&project, &[&sides[..], &["--skip", "cost_per_success"]].concat(), 4);
    let with = |more: &[&str], code| gated(&project, &[&sides[..], more].concat(), code);
    let wide = with(&["--margin", "0.3", "--skip", "cost_per_success"], 0);
    assert_eq!(wide["policy"]["metrics"]["score"]["margin"], 0.3);
    let strict = with(&["--policy", "strict"], 4);
    assert_eq!(
        (&strict["policy"]["policy"], &strict["policy"]["metrics"]["score"]["margin"]),
        (&"strict".into(), &0.0.into())
    );
    assert_ne!(wide["terms"], strict["terms"]);
    project.run(&["gate", "--policy", "lax"]).exits(2);
    project.run(&["gate", "--skip", "scor"]).exits(2).complains("did you mean `score`?");
}
