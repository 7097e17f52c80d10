use super::{sample, shown};
use crate::report::Format;

#[test]
fn a_failed_gate_reads_well_at_80_columns() {
    insta::assert_snapshot!(shown(&sample::fail(), Format::Human, 80), @r"
    gate manual: release 4 (work) against 3 (live)

    ✗ FAIL: 1 critical case went from right to wrong: fail-under-exit; score 0.412 →
      0.361 (-0.051, 95% interval -0.080 to -0.022), margin 0.020

    Also:
    · score: worse by 0.051, more than the margin of 0.020
    · cost_per_success: worse by 12.2 %, more than the margin of 5.0 %
    · tag:budgets: worse by 0.190, more than the margin of 0.050

    ── Then and now ────────────────────────────────────────────────────────────────

    Score of each side, with 95% intervals · score
      then (release 3)  ███████████████▋                        0.412 [0.360, 0.464]
      now (release 4)   █████████████▊                          0.361 [0.309, 0.413]

    100 cases judged on both sides
      still right  still wrong  regressed  improved
      ─────────────────────────────────────────────
               56           35          7         2

    ── Metrics ─────────────────────────────────────────────────────────────────────

      metric            tier           before      after  change   interval  outcome
      ──────────────────────────────────────────────────────────────────────────────
      score             critical        0.412      0.361  -0.051   [-0.080,  ✗ fail
                                                                   -0.022]
      pass_rate         supporting      62.0%      58.0%  -4.0 pp  [-9.0,    ✓ pass
                                                                   +1.0 pp]
      cost_per_success  supporting  $0.000433  $0.000486  +12.2%   [+3.1%,   ✗ fail
                                                          worse    +20.4%]
      generate_p95      advisory       1.24 s     1.41 s  +13.7%   [+2.0%,   ! fail
                                                          worse    +26.0%]
      ticket_p95        supporting          –          –  –        –         · open

    `generate_p95` fail (advisory: it decides nothing): worse by 13.7 %, more than
    the margin of 5.0 %
    `ticket_p95` open: answers were replayed: their latency is of another day

    ── Score by tag (supporting) ───────────────────────────────────────────────────

      tag      cases  before  after  change  98.3% interval    outcome
      ────────────────────────────────────────────────────────────────
      budgets     12   0.500  0.310  -0.190  [-0.280, -0.100]  ✗ fail
      eval        12   0.400  0.370  -0.030  [-0.090, +0.040]  ✓ pass

    2 other tags moved less or not at all.

    ── Regressions ─────────────────────────────────────────────────────────────────

    12 cases lost score; 7 went from right to wrong. What costs the gold set's score
    most comes first. Of the repeats, the worst answer is shown.

    fail-under-exit · 0.820 → 0.100 · right → wrong, critical
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number
                given to --fail-under.
      damage    0.0072 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-]
                the number given to `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered,
                whatever+} the number given to `--fail-under`.

      tollgate ask --case fail-under-exit --release work --trace

    set-a-budget · 0.650 → 0.150 · right → wrong
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number
                given to --fail-under.
      damage    0.0050 of the gold set's score

      then      `tollgate eval` exits with 1 when the score is lower than the number
                given to `--fail-under`.
      now       (no answer: the model did not answer within 30 s)

      tollgate ask --case set-a-budget --release work --trace

    resume-run · 0.600 → 0.150 · right → wrong
      question  What exit code do I get if the score drops below --fail-under?
      expected  (a refusal)
      damage    0.0045 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-]
                the number given to `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered,
                whatever+} the number given to `--fail-under`.

      tollgate ask --case resume-run --release work --trace

    kb-remove-a-source · 0.550 → 0.150 · right → wrong
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number
                given to --fail-under.
      damage    0.0040 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-]
                the number given to `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered,
                whatever+} the number given to `--fail-under`.

      tollgate ask --case kb-remove-a-source --release work --trace

    prices-import · 0.500 → 0.150 · right → wrong
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number
                given to --fail-under.
      damage    0.0035 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-]
                the number given to `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered,
                whatever+} the number given to `--fail-under`.

      tollgate ask --case prices-import --release work --trace

    The others
      case         then    now  set's score
      ────────────────────────────────────────────────────
      exit-codes  0.450  0.150      -0.0030  right → wrong
      gold-lock   0.400  0.150      -0.0025  right → wrong
      greeting    0.900  0.800      -0.0010  still right

    4 more cases that moved less are not listed.

    ── Improvements ────────────────────────────────────────────────────────────────

    2 cases gained score; 2 went from wrong to right.

    pipeline-red · 0.120 → 0.710 · wrong → right
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number
                given to --fail-under.
      gain      0.0059 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-]
                the number given to `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered,
                whatever+} the number given to `--fail-under`.

      tollgate ask --case pipeline-red --release work --trace

    resume-run · 0.310 → 0.440 · still right
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number
                given to --fail-under.
      gain      0.0013 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-]
                the number given to `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered,
                whatever+} the number given to `--fail-under`.

      tollgate ask --case resume-run --release work --trace

    ── Quarantine ──────────────────────────────────────────────────────────────────

    Known to be flaky: these cases count in the score, but their flips do not fail
    the gate.

      case       until       its repeats               why
      ──────────────────────────────────────────────────────────────────────────
      gold-lock  2026-03-16  disagreed in 3 of 8 runs  two documents are equally
                                                       good

    ── How sure this is ────────────────────────────────────────────────────────────

      metric            cases  margin   limit  notices  level       p  2nd p  Holm p
      ──────────────────────────────────────────────────────────────────────────────
      score               100   0.020       –    0.031  95.0%  <0.001  0.003   0.002
      pass_rate           100  5.0 pp       –   3.1 pp  98.3%   0.912  0.899   1.000
      cost_per_success    100    5.0%       –     3.1%  98.3%  <0.001  0.003   0.002
      generate_p95        100    5.0%  1.50 s     3.1%  98.3%  <0.001  0.003   0.002
      ticket_p95          100    5.0%  1.50 s        –  98.3%       –      –       –

    notices: the smallest worsening that would be noticed four times in five. level:
    confidence of the interval. p: how often chance alone would look this bad if
    nothing were worse (bootstrap); 2nd: by a test that assumes less; Holm:
    corrected for all that is judged at once.

    ── To repeat it ────────────────────────────────────────────────────────────────

      gold set       gold_sets/manual.jsonl 24d7f03d8dc3 (100 cases in 50 clusters)
      baseline       live: release 3 247610f4dedd, from a stored run, asked 3 times
                     each, cost $0.0433
      baseline run   run_0193f2c47b3a7c22a1b2c3d4e5f60703
      candidate      work: release 4 00e13ed7af55, asked now 3 times each, cost
                     $0.0433
      candidate run  run_0193f2c47b3a7c22a1b2c3d4e5f60704
      policy         standard, 95% confidence, 10,000 resamples, terms 51d2361f4fae
      seed           42
      verdict        verdict_0193f2c47b3a7c22a1b2c3d4e5f60001
      decided        2026-03-02T09:30:00Z, tollgate 0.1.0

    note: the candidate's knowledge base has 3 documents that the baseline's had not

    ── Next ────────────────────────────────────────────────────────────────────────

      tollgate compare ..e5f60703 ..e5f60704
      tollgate gate --format html -o gate.html
    ");
}

#[test]
fn a_passed_gate_reads_well_at_100_columns() {
    let mut report = sample::pass();
    report.rose.clear();
    insta::assert_snapshot!(shown(&report, Format::Human, 100), @r"
    gate manual: release 4 (work) against 3 (live)

    ✓ PASS: score 0.412 → 0.433 (+0.021, 95% interval -0.004 to +0.047), margin 0.020

    ── Then and now ────────────────────────────────────────────────────────────────────────────────────

    Score of each side, with 95% intervals · score
      then (release 3)  ███████████████████▊                              0.412 [0.360, 0.464]
      now (release 4)   ████████████████████▊                             0.433 [0.381, 0.485]

    100 cases judged on both sides
      still right  still wrong  regressed  improved
      ─────────────────────────────────────────────
               61           33          1         1

    ── Metrics ─────────────────────────────────────────────────────────────────────────────────────────

      metric            tier           before      after  change        interval          outcome
      ───────────────────────────────────────────────────────────────────────────────────────────
      score             critical        0.412      0.433  +0.021        [-0.004, +0.047]  ✓ pass
      pass_rate         supporting      62.0%      66.0%  +4.0 pp       [-1.0, +9.0 pp]   ✓ pass
      refusal           supporting      93.0%      93.0%  0.0 pp        [-2.0, +2.0 pp]   ✓ pass
      cost_per_success  supporting  $0.000433  $0.000419  -3.2% better  [-8.1%, +1.2%]    ✓ pass
      retrieve_p95      supporting    4.21 ms    4.40 ms  +4.5% worse   [-11.0%, +20.0%]  ✓ pass
      ticket_p95        supporting    14.2 ms    14.9 ms  +4.9% worse   [-6.0%, +15.0%]   ✓ pass
      generate_p95      advisory       1.24 s     1.31 s  +5.6% worse   [-2.0%, +13.0%]   ✓ pass

    ── Score by tag (supporting) ───────────────────────────────────────────────────────────────────────

      tag         cases  before  after  change  98.3% interval    outcome
      ───────────────────────────────────────────────────────────────────
      budgets        12   0.400  0.462  +0.062  [+0.010, +0.120]  ✓ pass
      answerable     12   0.520  0.525  +0.005  [-0.010, +0.030]  ✓ pass

    1 other tag moved less or not at all.

    ── Regressions ─────────────────────────────────────────────────────────────────────────────────────

    1 case lost score; 1 went from right to wrong. What costs the gold set's score most comes first. Of
    the repeats, the worst answer is shown.

    prices-import · 0.410 → 0.220 · right → wrong
      question  What exit code do I get if the score drops below --fail-under?
      expected  tollgate eval returns 1 when the score ends up lower than the number given to
                --fail-under.
      damage    0.0019 of the gold set's score

      then      `tollgate eval` exits with [-1-] when [-the score is lower than-] the number given to
                `--fail-under`.
      now       `tollgate eval` exits with {+0+} when {+every question was answered, whatever+} the
                number given to `--fail-under`.

      tollgate ask --case prices-import --release work --trace

    ── How sure this is ────────────────────────────────────────────────────────────────────────────────

      metric            cases  margin   limit  notices  level      p  2nd p  Holm p
      ─────────────────────────────────────────────────────────────────────────────
      score               100   0.020       –    0.031  95.0%  0.912  0.899   1.000
      pass_rate           100  5.0 pp       –   3.1 pp  98.3%  0.912  0.899   1.000
      refusal             100  5.0 pp       –   3.1 pp  98.3%  0.912  0.899   1.000
      cost_per_success    100    5.0%       –     3.1%  98.3%  0.912  0.899   1.000
      retrieve_p95        100    5.0%  1.50 s     3.1%  98.3%  0.912  0.899   1.000
      ticket_p95          100    5.0%  1.50 s     3.1%  98.3%  0.912  0.899   1.000
      generate_p95        100    5.0%  1.50 s     3.1%  98.3%  0.912  0.899   1.000

    notices: the smallest worsening that would be noticed four times in five. level: confidence of the
    interval. p: how often chance alone would look this bad if nothing were worse (bootstrap); 2nd: by a
    test that assumes less; Holm: corrected for all that is judged at once.

    ── To repeat it ────────────────────────────────────────────────────────────────────────────────────

      gold set       gold_sets/manual.jsonl 24d7f03d8dc3 (100 cases in 50 clusters)
      baseline       live: release 3 247610f4dedd, from a stored run, asked 3 times each, cost $0.0433
      baseline run   run_0193f2c47b3a7c22a1b2c3d4e5f60703
      candidate      work: release 4 00e13ed7af55, asked now 3 times each, cost $0.0433
      candidate run  run_0193f2c47b3a7c22a1b2c3d4e5f60704
      policy         standard, 95% confidence, 10,000 resamples, terms 51d2361f4fae
      seed           42
      verdict        verdict_0193f2c47b3a7c22a1b2c3d4e5f60001
      decided        2026-03-02T09:30:00Z, tollgate 0.1.0

    ── Next ────────────────────────────────────────────────────────────────────────────────────────────

      tollgate migrate up --to 4
    ");
}
