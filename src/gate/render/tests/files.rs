use super::{all, brief, sample, shown};
use crate::domain::Verdict;
use crate::gate::GateReport;
use crate::report::{CaseResult, Format, Render};

#[test]
fn a_pull_request_comment_can_be_found_again_and_reads_well() {
    insta::assert_snapshot!(shown(&brief(), Format::Markdown, 80), @r"
    <!-- tollgate:gate:manual -->
    # gate manual: release 4 (work) against 3 (live)

    **✗** FAIL: 1 critical case went from right to wrong: fail-under-exit; score 0.412 → 0.361 (-0.051, 95% interval -0.080 to -0.022), margin 0.020

    Also:<br>
    · score: worse by 0.051, more than the margin of 0.020<br>
    · cost\_per\_success: worse by 12.2 %, more than the margin of 5.0 %<br>
    · tag:budgets: worse by 0.190, more than the margin of 0.050

    ## Then and now

    **Score of each side, with 95% intervals**

    |  | score | low | high |
    | --- | ---: | ---: | ---: |
    | then (release 3) | 0.412 | 0.360 | 0.464 |
    | now (release 4) | 0.361 | 0.309 | 0.413 |

    **100 cases judged on both sides**

    | still right | still wrong | regressed | improved |
    | ---: | ---: | ---: | ---: |
    | 56 | 35 | 7 | 2 |

    ## Metrics

    | metric | tier | before | after | change | interval | outcome |
    | --- | --- | ---: | ---: | --- | --- | --- |
    | `score` | critical | 0.412 | 0.361 | -0.051 | \[-0.080, -0.022\] | ✗ fail |
    | `pass_rate` | supporting | 62.0% | 58.0% | -4.0 pp | \[-9.0, +1.0 pp\] | ✓ pass |
    | `cost_per_success` | supporting | \$0.000433 | \$0.000486 | +12.2% worse | \[+3.1%, +20.4%\] | ✗ fail |
    | `generate_p95` | advisory | 1.24 s | 1.41 s | +13.7% worse | \[+2.0%, +26.0%\] | ! fail |
    | `ticket_p95` | supporting | – | – | – | – | · open |

    `generate_p95` fail (advisory: it decides nothing): worse by 13.7 %, more than the margin of 5.0 %<br>
    `ticket_p95` open: answers were replayed: their latency is of another day

    ## Score by tag (supporting)

    | tag | cases | before | after | change | 98.3% interval | outcome |
    | --- | ---: | ---: | ---: | --- | --- | --- |
    | `budgets` | 12 | 0.500 | 0.310 | -0.190 | \[-0.280, -0.100\] | ✗ fail |
    | `eval` | 12 | 0.400 | 0.370 | -0.030 | \[-0.090, +0.040\] | ✓ pass |

    2 other tags moved less or not at all.

    ## Regressions

    7 cases lost score; 7 went from right to wrong. What costs the gold set's score most comes first. Of the repeats, the worst answer is shown.

    ### fail-under-exit · 0.820 → 0.100 · right → wrong, critical

    |  |  |
    | --- | --- |
    | question | What exit code do I get if the score drops below --fail-under? |
    | expected | tollgate eval returns 1 when the score ends up lower than the number given to --fail-under. |
    | damage | 0.0072 of the gold set's score |

    ```diff
    - `tollgate eval` exits with [-1-] when [-the score is lower than-] the number given to `--fail-under`.
    + `tollgate eval` exits with {+0+} when {+every question was answered, whatever+} the number given to `--fail-under`.
    ```

    ```sh
    tollgate ask --case fail-under-exit --release work --trace
    ```

    ### set-a-budget · 0.650 → 0.150 · right → wrong

    |  |  |
    | --- | --- |
    | question | What exit code do I get if the score drops below --fail-under? |
    | expected | tollgate eval returns 1 when the score ends up lower than the number given to --fail-under. |
    | damage | 0.0050 of the gold set's score |

    ```diff
    - `tollgate eval` exits with 1 when the score is lower than the number given to `--fail-under`.
    + (no answer: the model did not answer within 30 s)
    ```

    ```sh
    tollgate ask --case set-a-budget --release work --trace
    ```

    ### gold-lock · 0.400 → 0.150 · right → wrong

    |  |  |
    | --- | --- |
    | question | What exit code do I get if the score drops below --fail-under? |
    | expected | tollgate eval returns 1 when the score ends up lower than the number given to --fail-under. |
    | damage | 0.0025 of the gold set's score |

    ```diff
    - `tollgate eval` exits with [-1-] when [-the score is lower than-] the number given to `--fail-under`.
    + `tollgate eval` exits with {+0+} when {+every question was answered, whatever+} the number given to `--fail-under`.
    ```

    ```sh
    tollgate ask --case gold-lock --release work --trace
    ```

    4 more cases that moved less are not listed.

    ## Quarantine

    Known to be flaky: these cases count in the score, but their flips do not fail the gate.

    | case | until | its repeats | why |
    | --- | --- | --- | --- |
    | `gold-lock` | 2026-03-16 | disagreed in 3 of 8 runs | two documents are equally good |

    ## How sure this is

    | metric | cases | margin | limit | notices | level | p | 2nd p | Holm p |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | `score` | 100 | 0.020 | – | 0.031 | 95.0% | \<0.001 | 0.003 | 0.002 |
    | `pass_rate` | 100 | 5.0 pp | – | 3.1 pp | 98.3% | 0.912 | 0.899 | 1.000 |
    | `cost_per_success` | 100 | 5.0% | – | 3.1% | 98.3% | \<0.001 | 0.003 | 0.002 |
    | `generate_p95` | 100 | 5.0% | 1.50 s | 3.1% | 98.3% | \<0.001 | 0.003 | 0.002 |
    | `ticket_p95` | 100 | 5.0% | 1.50 s | – | 98.3% | – | – | – |

    notices: the smallest worsening that would be noticed four times in five. level: confidence of the interval. p: how often chance alone would look this bad if nothing were worse (bootstrap); 2nd: by a test that assumes less; Holm: corrected for all that is judged at once.

    ## To repeat it

    |  |  |
    | --- | --- |
    | gold set | gold\_sets/manual.jsonl 24d7f03d8dc3 (100 cases in 50 clusters) |
    | baseline | live: release 3 247610f4dedd, from a stored run, asked 3 times each, cost \$0.0433 |
    | baseline run | `run_0193f2c47b3a7c22a1b2c3d4e5f60703` |
    | candidate | work: release 4 00e13ed7af55, asked now 3 times each, cost \$0.0433 |
    | candidate run | `run_0193f2c47b3a7c22a1b2c3d4e5f60704` |
    | policy | standard, 95% confidence, 10,000 resamples, terms 51d2361f4fae |
    | seed | 42 |
    | verdict | `verdict_0193f2c47b3a7c22a1b2c3d4e5f60001` |
    | decided | 2026-03-02T09:30:00Z, tollgate 0.1.0 |

    > the candidate's knowledge base has 3 documents that the baseline's had not

    ## Next

    ```sh
    tollgate compare ..e5f60703 ..e5f60704
    tollgate gate --format html -o gate.html
    ```
    ");
}

#[test]
fn a_comment_has_room_even_for_long_answers() {
    let mut report = sample::fail();
    for case in &mut report.fell {
        (case.then, case.now) = ("before ".repeat(5_000), "after ".repeat(5_000));
    }
    report.fell = report.fell.iter().cycle().take(GateReport::LISTED).cloned().collect();
    report.rose = report.fell.clone();
    let length = shown(&report, Format::Markdown, 80).len();
    // GitHub takes comments of 65,536 letters.
    assert!(length < 40_000, "{length}");
}

#[test]
fn test_views_show_what_was_expected_and_what_came() {
    insta::assert_snapshot!(shown(&brief(), Format::Junit, 80), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites tests="13" failures="6" errors="0" skipped="3" time="0.000000">
      <testsuite name="gate" tests="10" failures="4" errors="0" skipped="2" time="0.000000">
        <properties>
          <property name="verdict" value="verdict_0193f2c47b3a7c22a1b2c3d4e5f60001"/>
          <property name="gold_hash" value="24d7f03d8dc3c3666969e6fa5bb1fac4736d3f1353c28307ed51b320f9dc42d3"/>
          <property name="baseline_release" value="3"/>
          <property name="baseline_hash" value="247610f4dedd4ab7247d07dbda19c81ca9817f85820742cad49d407ffae9e4ed"/>
          <property name="candidate_release" value="4"/>
          <property name="candidate_hash" value="00e13ed7af55b27622f1d6eab5bec0147e68efe28dc2b12461117afa1a5ed40e"/>
          <property name="terms" value="51d2361f4faea3bc8f9facdbc7d99abb555596a2e51f7b25fd3b41c93587e616"/>
          <property name="seed" value="42"/>
        </properties>
        <testcase name="verdict" classname="gate.manual">
          <failure message="FAIL: 1 critical case went from right to wrong: fail-under-exit; score 0.412 → 0.361 (-0.051, 95% interval -0.080 to -0.022), margin 0.020">1 critical case went from right to wrong: fail-under-exit
    score: worse by 0.051, more than the margin of 0.020
    cost_per_success: worse by 12.2 %, more than the margin of 5.0 %
    tag:budgets: worse by 0.190, more than the margin of 0.050</failure>
        </testcase>
        <testcase name="score" classname="gate.manual">
          <failure message="worse by 0.051, more than the margin of 0.020">score 0.412 → 0.361 (-0.051, 95% interval -0.080 to -0.022)</failure>
        </testcase>
        <testcase name="pass_rate" classname="gate.manual"/>
        <testcase name="cost_per_success" classname="gate.manual">
          <failure message="worse by 12.2 %, more than the margin of 5.0 %">cost_per_success $0.000433 → $0.000486 (+12.2% worse, 98.3% interval +3.1% to +20.4%)</failure>
        </testcase>
        <testcase name="generate_p95" classname="gate.manual">
          <skipped message="worse, but decides nothing: worse by 13.7 %, more than the margin of 5.0 %"/>
        </testcase>
        <testcase name="ticket_p95" classname="gate.manual">
          <skipped message="inconclusive: answers were replayed: their latency is of another day"/>
        </testcase>
        <testcase name="tag:hostile" classname="gate.manual"/>
        <testcase name="tag:budgets" classname="gate.manual">
          <failure message="worse by 0.190, more than the margin of 0.050">tag:budgets 0.500 → 0.310 (-0.190, 98.3% interval -0.280 to -0.100)</failure>
        </testcase>
        <testcase name="tag:eval" classname="gate.manual"/>
        <testcase name="tag:cli" classname="gate.manual"/>
      </testsuite>
      <testsuite name="regressions" tests="3" failures="2" errors="0" skipped="1" time="0.000000">
        <properties>
          <property name="not_listed" value="4"/>
        </properties>
        <testcase name="fail-under-exit" classname="regressions.manual">
          <failure message="0.820 → 0.100, right → wrong, critical">question: What exit code do I get if the score drops below --fail-under?
    expected: tollgate eval returns 1 when the score ends up lower than the number given to --fail-under.
    then: `tollgate eval` exits with 1 when the score is lower than the number given to `--fail-under`.
    got: `tollgate eval` exits with 0 when every question was answered, whatever the number given to `--fail-under`.
    repeat: tollgate ask --case fail-under-exit --release work --trace</failure>
        </testcase>
        <testcase name="set-a-budget" classname="regressions.manual">
          <failure message="0.650 → 0.150, right → wrong">question: What exit code do I get if the score drops below --fail-under?
    expected: tollgate eval returns 1 when the score ends up lower than the number given to --fail-under.
    then: `tollgate eval` exits with 1 when the score is lower than the number given to `--fail-under`.
    got: (no answer: the model did not answer within 30 s)
    repeat: tollgate ask --case set-a-budget --release work --trace</failure>
        </testcase>
        <testcase name="gold-lock" classname="regressions.manual">
          <skipped message="0.400 → 0.150, right → wrong; in quarantine until 2026-03-16T02:00:00Z"/>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn a_test_view_is_red_exactly_when_the_gate_did_not_pass() {
    for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive] {
        for report in all() {
            let report = GateReport { verdict, ..report };
            let suites = report.junit().unwrap();
            let results: Vec<&CaseResult> =
                suites.iter().flat_map(|suite| &suite.cases).map(|case| &case.result).collect();
            let red = |result: &&CaseResult| matches!(result, CaseResult::Failed { .. } | CaseResult::Errored { .. });
            assert_eq!(results.iter().any(red), verdict != Verdict::Pass, "{verdict:?}");
        }
    }
}

#[test]
fn what_is_not_settled_is_an_error_and_not_a_failure() {
    let suites = sample::inconclusive().junit().unwrap();
    let score = suites[0].cases.iter().find(|case| case.name == "score").unwrap();
    let CaseResult::Errored { message, .. } = &score.result else { panic!("{:?}", score.result) };
    assert_eq!(message, "inconclusive: may be worse by up to 0.031, the margin is 0.020");
}

#[test]
fn a_spreadsheet_has_a_row_for_each_case_that_moved() {
    let text = shown(&sample::fail(), Format::Csv, 80);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 8 + 2);
    let first: Vec<&str> = rows[0].iter().take(8).collect();
    assert_eq!(first, ["fail-under-exit", "answerable budgets", "yes", "0.82", "0.1", "-0.0072", "yes", "no"]);
    assert_eq!(&rows[1][12], "the model did not answer within 30 s");
}
