//! Gates of every kind, as a project would see them.

use uuid::Uuid;

use crate::config::{GateSettings, Tier};
use crate::domain::{ContentHash, NanoUsd, RunId, Verdict};
use crate::gate::outcome::{
    EscalationReport, GateReport, JudgeStanding, MetricReport, MetricUnit, MoveCounts, MovedCase, NeededEvidence,
    QuarantinedCase, SideReport,
};
use crate::stats::{Interval, MeanEstimate};

pub(super) fn hash(of: &str) -> ContentHash {
    ContentHash::of(of.as_bytes())
}

pub(super) fn run(at: u128) -> RunId {
    RunId::from(Uuid::from_u128(0x0193_f2c4_7b3a_7c22_a1b2_c3d4_e5f6_0700 + at))
}

fn side(name: &str, release: u32, score: f64) -> SideReport {
    let interval = Some(Interval { lower: score - 0.052, upper: score + 0.052 });
    let score = MeanEstimate { estimate: score, standard_error: Some(0.026), interval, clusters: 50, cases: 100 };
    SideReport {
        name: name.to_owned(),
        run: Some(run(u128::from(release))),
        release,
        release_hash: hash(name),
        repeats: 3,
        score: Some(score),
        cost_nanousd: Some(NanoUsd(43_300_000)),
        fresh: release == 4,
    }
}

fn metric(
    name: &str,
    tier: Tier,
    unit: MetricUnit,
    values: [f64; 2],
    change: [f64; 3],
    outcome: (Verdict, &str),
) -> MetricReport {
    let [effect, lower, upper] = change;
    MetricReport {
        name: name.to_owned(),
        tier,
        unit,
        baseline: Some(values[0]),
        candidate: Some(values[1]),
        effect: Some(effect),
        interval: Some(Interval { lower, upper }),
        confidence: if name == "score" { 0.95 } else { 0.983 },
        p: Some(if outcome.0 == Verdict::Fail { 0.000_4 } else { 0.912 }),
        p_exact: Some(if outcome.0 == Verdict::Fail { 0.003 } else { 0.899 }),
        p_adjusted: Some(if outcome.0 == Verdict::Fail { 0.002 } else { 1.0 }),
        margin: if name == "score" { 0.02 } else { 0.05 },
        minimum_detectable: Some(0.031),
        limit: (unit == MetricUnit::Ms).then_some(1_500.0),
        limit_open: false,
        cases: if name.starts_with("tag:") { 12 } else { 100 },
        outcome: outcome.0,
        why: outcome.1.to_owned(),
    }
}

fn moved(case: &str, before: f64, after: f64, critical: bool) -> MovedCase {
    MovedCase {
        case: case.to_owned(),
        tags: vec!["answerable".to_owned(), "budgets".to_owned()],
        critical,
        before,
        after,
        damage: (after - before) / 100.0,
        passed_before: before >= 0.3,
        passes_now: after >= 0.3,
        question: "What exit code do I get if the score drops below --fail-under?".to_owned(),
        expected: vec![
            "tollgate eval returns 1 when the score ends up lower than the number given to --fail-under.".to_owned(),
        ],
        then: "`tollgate eval` exits with 1 when the score is lower than the number given to `--fail-under`."
            .to_owned(),
        now: "`tollgate eval` exits with 0 when every question was answered, whatever the number given to `--fail-under`."
            .to_owned(),
        error: None,
        repro: format!("tollgate ask --case {case} --release work --trace"),
    }
}

const OK: (Verdict, &str) = (Verdict::Pass, "");

/// Better in score, everything else as it was.
pub(super) fn pass() -> GateReport {
    let score = [0.021, -0.004, 0.047];
    GateReport {
        id: Uuid::from_u128(0x0193_f2c4_7b3a_7c22_a1b2_c3d4_e5f6_0001).into(),
        decided_at: "2026-03-02T09:30:00Z".to_owned(),
        verdict: Verdict::Pass,
        reasons: vec!["nothing that is judged got worse by more than its margin".to_owned()],
        gold_set: "manual".to_owned(),
        gold_path: "gold_sets/manual.jsonl".to_owned(),
        gold_hash: hash("gold"),
        baseline: side("live", 3, 0.412),
        candidate: side("work", 4, 0.433),
        policy: GateSettings::default(),
        terms: hash("terms"),
        paired: 100,
        clusters: 50,
        unpaired: 0,
        incomplete: 0,
        counts: MoveCounts { still_right: 61, still_wrong: 33, regressed: 1, improved: 1 },
        metrics: vec![
            metric("score", Tier::Critical, MetricUnit::Score, [0.412, 0.433], score, OK),
            metric("pass_rate", Tier::Supporting, MetricUnit::Share, [0.62, 0.66], [0.04, -0.01, 0.09], OK),
            metric("refusal", Tier::Supporting, MetricUnit::Share, [0.93, 0.93], [0.0, -0.02, 0.02], OK),
            metric(
                "cost_per_success",
                Tier::Supporting,
                MetricUnit::Nanousd,
                [433_000.0, 419_000.0],
                [-0.032_3, -0.081, 0.012],
                OK,
            ),
            metric("retrieve_p95", Tier::Supporting, MetricUnit::Ms, [4.21, 4.4], [0.045, -0.11, 0.2], OK),
            metric("ticket_p95", Tier::Supporting, MetricUnit::Ms, [14.2, 14.9], [0.049, -0.06, 0.15], OK),
            metric("generate_p95", Tier::Advisory, MetricUnit::Ms, [1240.0, 1310.0], [0.056, -0.02, 0.13], OK),
        ],
        slices: vec![
            metric("tag:answerable", Tier::Supporting, MetricUnit::Score, [0.52, 0.525], [0.005, -0.01, 0.03], OK),
            metric("tag:budgets", Tier::Supporting, MetricUnit::Score, [0.40, 0.462], [0.062, 0.01, 0.12], OK),
            metric("tag:hostile", Tier::Supporting, MetricUnit::Score, [0.9, 0.9], [0.0, 0.0, 0.0], OK),
        ],
        critical_flips: Vec::new(),
        fell: vec![moved("prices-import", 0.41, 0.22, false)],
        fell_unlisted: 0,
        rose: vec![moved("pipeline-red", 0.12, 0.71, false), moved("resume-run", 0.31, 0.44, false)],
        rose_unlisted: 0,
        needed: None,
        escalation: None,
        judge: None,
        quarantined: Vec::new(),
        notes: Vec::new(),
        next: vec!["tollgate migrate up --to 4".to_owned()],
        seed: 42,
        program: "0.1.0".to_owned(),
    }
}

/// Worse in score, dearer, a critical case lost and a flaky one in quarantine.
pub(super) fn fail() -> GateReport {
    let worse = "worse by 0.051, more than the margin of 0.020";
    let dearer = "worse by 12.2 %, more than the margin of 5.0 %";
    let cases = ["set-a-budget", "resume-run", "kb-remove-a-source", "prices-import", "exit-codes", "gold-lock"];
    let mut fell = vec![moved("fail-under-exit", 0.82, 0.10, true)];
    fell.extend(cases.iter().zip(1_u8..).map(|(case, at)| moved(case, 0.7 - f64::from(at) * 0.05, 0.15, false)));
    fell.push(moved("greeting", 0.9, 0.8, false));
    fell[1].error = Some("the model did not answer within 30 s".to_owned());
    fell[2].expected = Vec::new();
    GateReport {
        verdict: Verdict::Fail,
        reasons: vec![
            "1 critical case went from right to wrong: fail-under-exit".to_owned(),
            format!("score: {worse}"),
            format!("cost_per_success: {dearer}"),
            "tag:budgets: worse by 0.190, more than the margin of 0.050".to_owned(),
        ],
        candidate: side("work", 4, 0.361),
        counts: MoveCounts { still_right: 56, still_wrong: 35, regressed: 7, improved: 2 },
        metrics: vec![
            metric(
                "score",
                Tier::Critical,
                MetricUnit::Score,
                [0.412, 0.361],
                [-0.051, -0.08, -0.022],
                (Verdict::Fail, worse),
            ),
            metric("pass_rate", Tier::Supporting, MetricUnit::Share, [0.62, 0.58], [-0.04, -0.09, 0.01], OK),
            metric(
                "cost_per_success",
                Tier::Supporting,
                MetricUnit::Nanousd,
                [433_000.0, 486_000.0],
                [0.122, 0.031, 0.204],
                (Verdict::Fail, dearer),
            ),
            metric(
                "generate_p95",
                Tier::Advisory,
                MetricUnit::Ms,
                [1240.0, 1410.0],
                [0.137, 0.02, 0.26],
                (Verdict::Fail, "worse by 13.7 %, more than the margin of 5.0 %"),
            ),
            MetricReport {
                baseline: None,
                candidate: None,
                effect: None,
                interval: None,
                p: None,
                p_exact: None,
                p_adjusted: None,
                minimum_detectable: None,
                ..metric(
                    "ticket_p95",
                    Tier::Supporting,
                    MetricUnit::Ms,
                    [0.0, 0.0],
                    [0.0; 3],
                    (Verdict::Inconclusive, "answers were replayed: their latency is of another day"),
                )
            },
        ],
        slices: vec![
            metric("tag:hostile", Tier::Supporting, MetricUnit::Score, [0.9, 0.9], [0.0, 0.0, 0.0], OK),
            metric(
                "tag:budgets",
                Tier::Supporting,
                MetricUnit::Score,
                [0.5, 0.31],
                [-0.19, -0.28, -0.1],
                (Verdict::Fail, "worse by 0.190, more than the margin of 0.050"),
            ),
            metric("tag:eval", Tier::Supporting, MetricUnit::Score, [0.4, 0.37], [-0.03, -0.09, 0.04], OK),
            metric("tag:cli", Tier::Supporting, MetricUnit::Score, [0.4, 0.4], [0.0, -0.02, 0.02], OK),
        ],
        critical_flips: vec!["fail-under-exit".to_owned()],
        fell,
        fell_unlisted: 4,
        quarantined: vec![QuarantinedCase {
            case: "gold-lock".to_owned(),
            until: "2026-03-16T02:00:00Z".to_owned(),
            reason: "two documents are equally good".to_owned(),
            flipped_runs: 3,
            runs: 8,
        }],
        notes: vec!["the candidate's knowledge base has 3 documents that the baseline's had not".to_owned()],
        next: vec![
            "tollgate compare ..e5f60703 ..e5f60704".to_owned(),
            "tollgate gate --format html -o gate.html".to_owned(),
        ],
        ..pass()
    }
}

/// Too little evidence, and what would be enough.
pub(super) fn inconclusive() -> GateReport {
    let open = "may be worse by up to 0.031, the margin is 0.020";
    let score = [-0.007, -0.031, 0.018];
    let mut metrics = pass().metrics;
    metrics[0] =
        metric("score", Tier::Critical, MetricUnit::Score, [0.412, 0.405], score, (Verdict::Inconclusive, open));
    GateReport {
        verdict: Verdict::Inconclusive,
        reasons: vec![format!("score: {open}")],
        candidate: side("work", 4, 0.405),
        metrics,
        needed: Some(NeededEvidence {
            metric: "score".to_owned(),
            cases: Some(340),
            repeats: Some(9),
            repeats_cost_nanousd: Some(NanoUsd(173_200_000)),
        }),
        next: vec![
            "tollgate gate --escalate --max-cost 0.20".to_owned(),
            "tollgate gate --format html -o gate.html".to_owned(),
        ],
        ..pass()
    }
}

/// The same after the evidence was bought.
pub(super) fn escalated() -> GateReport {
    let mut metrics = inconclusive().metrics;
    metrics[0].outcome = Verdict::Pass;
    metrics[0].why = "asking the differing cases again proved that it is not worse by more than the margin".to_owned();
    GateReport {
        verdict: Verdict::Pass,
        reasons: pass().reasons,
        metrics,
        escalation: Some(EscalationReport {
            cases: 14,
            looks: 9,
            pairs: 126,
            e_worse: 0.043,
            e_not_worse: 23.6,
            needed: 20.0,
            effect: Some(-0.002),
            cost_nanousd: Some(NanoUsd(61_200_000)),
            outcome: Verdict::Pass,
            ended: "the evidence reached 20".to_owned(),
        }),
        needed: None,
        next: vec!["tollgate migrate up --to 4".to_owned()],
        ..inconclusive()
    }
}

/// A model judges answers, and nobody can rely on it; a case is judged on one side only, a critical one is lost.
pub(super) fn judge_at_fault() -> GateReport {
    let fault = "the judge is at fault, not the candidate: openai/gpt-4o-mini agrees with people only at a kappa of \
                 0.41, below 0.60";
    GateReport {
        verdict: Verdict::Inconclusive,
        reasons: vec![fault.to_owned()],
        critical_flips: vec!["prices-import".to_owned()],
        unpaired: 1,
        judge: Some(JudgeStanding {
            judge: hash("judge"),
            model: "openai/gpt-4o-mini".to_owned(),
            kappa: Some(0.41),
            interval: Some(Interval { lower: 0.22, upper: 0.58 }),
            labels: 80,
            min_kappa: 0.6,
            trusted: false,
        }),
        next: vec!["tollgate judge calibrate LABELS.csv".to_owned()],
        ..pass()
    }
}
