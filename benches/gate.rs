//! What a gate decides when the truth is known: `cargo bench --bench gate [-- GATES]`.
//!
//! Simulates whole gates through `gate::decide`: answers whose noise is that of a paired test which catches a five-point
//! drop at 200 cases in 54 % of the gates with one repeat. Rates stand beside their 95 % Wilson interval; everything is
//! seeded, so that a run repeats.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tollgate::config::{GateMetric, GateSettings};
use tollgate::domain::{ContentHash, NanoUsd, RunId, Verdict, VerdictId};
use tollgate::gate::{CaseEvidence, Comparison, Conditions, Evidence, GateReport, Repeat, Side, decide};
use tollgate::stats::wilson_interval;

/// Gates by scenario when nobody says otherwise.
const GATES: u64 = 1_000;
/// Drawings of each test: enough for rates.
const RESAMPLES: u32 = 2_000;
const PASS_SCORE: f64 = 0.5;

/// What is simulated.
#[derive(Clone, Copy)]
struct World {
    cases: usize,
    clusters: usize,
    repeats: u32,
    /// How far the candidate's mean score is below the baseline's.
    drop: f64,
    /// Tags that share the cases among them.
    slices: usize,
    /// How alike the cases of a cluster are: 0 not at all, 1 the same.
    likeness: f64,
}

fn main() {
    let gates = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(GATES);
    let plain = World { cases: 200, clusters: 200, repeats: 1, drop: 0.0, slices: 0, likeness: 0.0 };
    let failed = |report: &GateReport| report.verdict == Verdict::Fail;
    let alarm = |report: &GateReport| {
        let primary = report.metrics.first();
        primary
            .and_then(|primary| primary.interval)
            .is_some_and(|interval| interval.upper < 0.0 || interval.lower > 0.0)
    };
    let slice_failed = |report: &GateReport| report.slices.iter().any(|slice| slice.outcome == Verdict::Fail);
    println!("{:<64} {:>8} {:>17}   target", "", "share", "95 % interval");
    let small = World { cases: 100, clusters: 100, ..plain };
    line("A/A, 100 cases: the gate fails", gates, small, failed, Bar::AtMost(0.03));
    line("A/A, 200 cases: the gate fails", gates, plain, failed, Bar::AtMost(0.03));
    let five = World { repeats: 5, ..plain };
    line("A/A, 200 cases x 5 repeats: the gate fails", gates, five, failed, Bar::AtMost(0.03));
    line("-5 points, 200 cases x 5 repeats: caught", gates, World { drop: 0.05, ..five }, failed, Bar::AtLeast(0.95));
    line("-5 points, 200 cases x 1 repeat: caught", gates, World { drop: 0.05, ..plain }, failed, Bar::None);
    let clustered = World { cases: 500, clusters: 50, likeness: 0.5, ..plain };
    line("A/A, 500 cases in 50 clusters: interval leaves out 0", gates, clustered, alarm, Bar::AtMost(0.06));
    line("A/A, 500 cases in 50 clusters: the gate fails", gates, clustered, failed, Bar::AtMost(0.06));
    let sliced = World { slices: 10, cases: 400, clusters: 400, ..plain };
    line("A/A, 10 slices of 40 cases: any slice fails", gates, sliced, slice_failed, Bar::AtMost(0.06));
    line("A/A, 10 slices of 40 cases: the gate fails", gates, sliced, failed, Bar::AtMost(0.06));
}

#[derive(Clone, Copy)]
enum Bar {
    AtMost(f64),
    AtLeast(f64),
    None,
}

fn line(name: &str, gates: u64, world: World, counts: impl Fn(&GateReport) -> bool, bar: Bar) {
    let mut hits = 0;
    for seed in 0..gates {
        hits += u64::from(counts(&gate(world, seed)));
    }
    let share = hits as f64 / gates as f64;
    let interval = wilson_interval(hits, gates, 0.95)
        .map_or_else(String::new, |interval| format!("{:.3} to {:.3}", interval.lower, interval.upper));
    let (target, met) = match bar {
        Bar::AtMost(most) => (format!("<= {most}"), Some(share <= most)),
        Bar::AtLeast(least) => (format!(">= {least}"), Some(share >= least)),
        Bar::None => ("(shown)".to_owned(), None),
    };
    let met = met.map_or("", |met| if met { "met" } else { "MISSED" });
    println!("{name:<64} {share:>8.3} {interval:>17}   {target} {met}");
}

/// One gate between two sides of this world.
fn gate(world: World, seed: u64) -> GateReport {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let chances = chances(world, &mut random);
    let mean: f64 = chances.iter().sum::<f64>() / chances.len() as f64;
    let worse = 1.0 - world.drop / mean;
    // A/A of clusters: what a cluster's cases have in common moves from one side to the other.
    let baseline = side(world, &chances, 1.0, &mut random);
    let candidate = side(world, &chances, worse, &mut random);
    let mut settings = GateSettings { resamples: RESAMPLES, ..GateSettings::default() };
    for metric in [GateMetric::RetrieveP95, GateMetric::TicketP95, GateMetric::GenerateP95] {
        settings.skip(metric);
    }
    let comparison = Comparison {
        baseline: Side { name: "baseline", evidence: &baseline, fresh: true, stored: false },
        candidate: Side { name: "candidate", evidence: &candidate, fresh: true, stored: false },
        settings: &settings,
        terms: ContentHash::of(b""),
        seed,
        judge: None,
        quarantined: Vec::new(),
    };
    let id = VerdictId::from(uuid::Uuid::nil());
    decide(&comparison, id, String::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// The chance of each case to be answered right: most are nearly certain, some are a toss-up, so that one answer's
/// variance is 0.06 on average.
fn chances(world: World, random: &mut ChaCha8Rng) -> Vec<f64> {
    let chance = |random: &mut ChaCha8Rng| match random.random::<f64>() {
        toss if toss < 0.06 => 0.5,
        low if low < 0.35 => 0.05,
        _ => 0.95,
    };
    (0..world.cases).map(|_| chance(random)).collect()
}

fn side(world: World, chances: &[f64], worse: f64, random: &mut ChaCha8Rng) -> Evidence {
    // One draw for each cluster and repeat, which some of its cases follow: answers of one intent stand and fall together.
    let shared: Vec<Vec<f64>> =
        (0..world.clusters).map(|_| (0..world.repeats).map(|_| random.random()).collect()).collect();
    let mut cases = BTreeMap::new();
    for (index, chance) in chances.iter().enumerate() {
        let cluster = index % world.clusters;
        let follows = random.random::<f64>() < world.likeness;
        let repeats = (0..world.repeats as usize).map(|repeat| {
            let draw = match shared.get(cluster).and_then(|draws| draws.get(repeat)) {
                Some(draw) if follows => *draw,
                _ => random.random(),
            };
            let score = if draw < chance * worse { 1.0 } else { 0.0 };
            Repeat {
                score: Some(score),
                refused: false,
                grounded: None,
                latency_ms: None,
                retrieve_ms: None,
                escalated: false,
                cost_nanousd: Some(NanoUsd(1_000_000 + (random.random::<f64>() * 200_000.0) as i64)),
            }
        });
        let repeats = repeats.collect();
        let tags = if world.slices > 0 { vec![format!("t{}", index % world.slices)] } else { Vec::new() };
        let case = CaseEvidence {
            cluster: format!("c{cluster:04}"),
            weight: 1.0,
            tags,
            critical: false,
            answerable: true,
            question: String::new(),
            expected: Vec::new(),
            answer: String::new(),
            error: None,
            repeats,
        };
        cases.insert(format!("{index:05}"), case);
    }
    Evidence { conditions: conditions(world), cases }
}

fn conditions(world: World) -> Conditions {
    Conditions {
        gold_set: "simulated".to_owned(),
        gold_path: String::new(),
        gold_hash: ContentHash::of(b""),
        pass_score: PASS_SCORE,
        release: 1,
        release_hash: ContentHash::of(b""),
        run: RunId::from(uuid::Uuid::nil()),
        started_at: String::new(),
        repeats: world.repeats,
        filters: Vec::new(),
        limit: None,
        concurrency: 8,
        seed: 0,
        use_cache: false,
        replayed: false,
        knowledge: ContentHash::of(b""),
        graders: 1,
        judge: None,
        prices: None,
        setup: None,
        program: String::new(),
    }
}
