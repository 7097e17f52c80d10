use super::{sample, shown};
use crate::gate::{AaReport, BlessedBaseline, CaseNoise, FlakyCase, NoiseList};
use crate::report::Format;
use crate::stats::Interval;

/// One gate in eighty fails without a change, and two cases are noisy.
fn noisy() -> AaReport {
    let case = |case: &str, mean, sd, flips, until: Option<&str>| CaseNoise {
        case: case.to_owned(),
        repeats: 10,
        mean,
        sd,
        flips,
        quarantined_until: until.map(str::to_owned),
    };
    AaReport {
        gold_set: "manual".to_owned(),
        release: 4,
        release_hash: sample::hash("work"),
        run: sample::run(4),
        repeats: 10,
        rounds: 1_000,
        cases: 100,
        false_fails: 12,
        false_fail_rate: Some(0.012),
        interval: Some(Interval { lower: 0.006, upper: 0.021 }),
        inconclusive: 31,
        passes: 957,
        score_sd: Some(0.004_2),
        noise: vec![
            case("gold-lock", 0.42, 0.31, true, Some("2026-03-16T02:00:00Z")),
            case("exit-codes", 0.71, 0.08, false, None),
            case("greeting", 0.9, 0.0, false, None),
        ],
        deterministic: false,
        seed: 42,
        notes: Vec::new(),
    }
}

/// The same without any noise, and before any round.
fn silent() -> AaReport {
    AaReport {
        rounds: 0,
        false_fails: 0,
        false_fail_rate: None,
        interval: None,
        inconclusive: 0,
        passes: 0,
        score_sd: None,
        noise: Vec::new(),
        deterministic: true,
        ..noisy()
    }
}

fn blessed() -> BlessedBaseline {
    BlessedBaseline {
        path: "reports/baselines/manual.json".to_owned(),
        gold_set: "manual".to_owned(),
        gold_hash: sample::hash("gold"),
        release: 4,
        release_hash: sample::hash("work"),
        cases: 100,
        score: Some(0.433),
        reason: "shorter answers are wanted".to_owned(),
        blessed_at: "2026-03-02T09:30:00Z".to_owned(),
        replaced: Some("release 3 247610f4dedd".to_owned()),
    }
}

fn flaky() -> NoiseList {
    let case = |case: &str, until: Option<&str>, expired, reason: Option<&str>| FlakyCase {
        case: case.to_owned(),
        first_seen: "2026-01-30T02:00:00Z".to_owned(),
        last_seen: "2026-03-01T02:00:00Z".to_owned(),
        runs: 8,
        flipped_runs: 3,
        quarantined_until: until.map(str::to_owned),
        expired,
        reason: reason.map(str::to_owned),
    };
    let reason = Some("two documents are equally good");
    NoiseList {
        gold_set: "manual".to_owned(),
        cases: vec![
            case("gold-lock", Some("2026-03-16T02:00:00Z"), false, reason),
            case("exit-codes", Some("2026-02-14T02:00:00Z"), true, reason),
            case("resume-run", None, false, None),
        ],
    }
}

#[test]
fn the_share_of_false_alarms_comes_first_and_then_the_noise() {
    insta::assert_snapshot!(shown(&noisy(), Format::Human, 80), @r"
    gate aa manual: release 4

    ✓ the gate would fail a release that changed nothing 1.2% of the time (95%
      interval 0.6% to 2.1%)

    1000 gates without a change
      passed  inconclusive  failed  score varies by (sd)
      ──────────────────────────────────────────────────
         957            31      12                0.0042

    ── Noise ───────────────────────────────────────────────────────────────────────

    2 cases vary from repeat to repeat; 1 between pass and fail.

      case        repeats   mean     sd            quarantine
      ─────────────────────────────────────────────────────────────
      gold-lock        10  0.420  0.310  ! flips   until 2026-03-16
      exit-codes       10  0.710  0.080  · varies  –

    ── To repeat it ────────────────────────────────────────────────────────────────

      release  4 00e13ed7af55, 100 cases
      run      run_0193f2c47b3a7c22a1b2c3d4e5f60704
      repeats  10 of each case, divided into halves
      seed     42
    ");
}

#[test]
fn without_noise_there_is_nothing_to_list() {
    insta::assert_snapshot!(shown(&silent(), Format::Human, 80), @r"
    gate aa manual: release 4

    ✓ every repeat of every case was the same: nothing is noisy here, and what moves
      has changed

    ── To repeat it ────────────────────────────────────────────────────────────────

      release  4 00e13ed7af55, 100 cases
      run      run_0193f2c47b3a7c22a1b2c3d4e5f60704
      repeats  10 of each case, divided into halves
      seed     42
    ");
}

#[test]
fn a_rate_that_is_unknown_is_null_and_no_praise() {
    let report = AaReport { deterministic: false, ..silent() };
    assert!(shown(&report, Format::Human, 80).contains("! no round was simulated"));
    assert!(shown(&report, Format::Json, 80).contains("\"false_fail_rate\": null"));
    let alarming = AaReport { false_fail_rate: Some(0.08), ..noisy() };
    assert!(shown(&alarming, Format::Human, 80).contains("! the gate would fail"));
}

#[test]
fn an_accepted_baseline_says_what_it_replaces() {
    insta::assert_snapshot!(shown(&blessed(), Format::Human, 80), @r"
    gate bless manual

    ✓ release 4 is the baseline: score 0.433 over 100 cases

      file             reports/baselines/manual.json
      gold set         manual 24d7f03d8dc3
      release          4 00e13ed7af55
      reason           shorter answers are wanted
      accepted         2026-03-02T09:30:00Z
      in the place of  release 3 247610f4dedd

    note: commit the file: others compare with it only then.
    ");
}

#[test]
fn the_registry_tells_whose_quarantine_is_over() {
    insta::assert_snapshot!(shown(&flaky(), Format::Human, 80), @r"
    flaky cases of manual

    3 cases are known to be flaky, 1 in quarantine now.

      case        disagreed in  last        quarantine         why
      ──────────────────────────────────────────────────────────────────────────
      gold-lock   3 of 8 runs   2026-03-01  until 2026-03-16   two documents are
                                                               equally good
      exit-codes  3 of 8 runs   2026-03-01  over (2026-02-14)  two documents are
                                                               equally good
      resume-run  3 of 8 runs   2026-03-01  –                  –
    ");
    let none = NoiseList { cases: Vec::new(), ..flaky() };
    assert!(shown(&none, Format::Human, 80).contains("No case is known to be flaky."));
}
