use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::decide::critical_flips;
use super::judge_metrics::judge;
use super::measure::Measure;
use super::pair::Pairs;
use super::{CaseEvidence, CaseNoise, Evidence, GateError, QuarantinedCase};
use crate::config::{GateSettings, Tier};
use crate::domain::Verdict;
use crate::eval::RunDetails;
use crate::store::{CaseKind, RunRow, Store};

/// Drawings of each test in a simulated gate: enough for the levels of fifty metrics under Holm's correction.
const RESAMPLES: u32 = 2_000;

/// What a gate makes of a release that is compared with itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Simulation {
    /// Gates that were simulated.
    pub rounds: u64,
    /// Of these, failed although nothing changed.
    pub false_fails: u64,
    /// Of these, inconclusive.
    pub inconclusive: u64,
    /// Of these, passed.
    pub passes: u64,
    /// Standard deviation of the difference between the two halves' scores; `None` below two rounds.
    pub score_sd: Option<f64>,
}

/// Splits the repeats of every case at random into two halves, lets the gate decide between them, and counts what it
/// says, `rounds` times. `None` when the cases were asked fewer than twice.
///
/// The cases are always the same, so that what varies is the noise of the answers on this gold set.
pub fn simulate(
    evidence: &Evidence,
    settings: &GateSettings,
    quarantined: &[QuarantinedCase],
    rounds: u64,
    seed: u64,
) -> Option<Simulation> {
    if evidence.conditions.repeats < 2 {
        return None;
    }
    let settings = GateSettings { resamples: settings.resamples.min(RESAMPLES), ..settings.clone() };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut simulation = Simulation { rounds, ..Simulation::default() };
    let (mut sum, mut squares) = (0.0, 0.0);
    for round in 0..rounds {
        let (one, other) = halves(evidence, &mut random);
        let pairs = Pairs::of(&one, &other);
        let measure = Measure {
            pairs: &pairs,
            settings: &settings,
            seed: seed ^ round,
            timed: !evidence.conditions.replayed,
            elsewhere: None,
        };
        let (metrics, slices) = judge(measure.metrics(), measure.slices(), &settings);
        let decides = |tier: Tier, outcome: Verdict| {
            metrics.iter().chain(&slices).any(|metric| metric.tier <= tier && metric.outcome == outcome)
        };
        let flips = !critical_flips(&pairs, quarantined).is_empty();
        if flips || decides(Tier::Supporting, Verdict::Fail) {
            simulation.false_fails += 1;
        } else if decides(Tier::Critical, Verdict::Inconclusive) {
            simulation.inconclusive += 1;
        } else {
            simulation.passes += 1;
        }
        let effect = metrics.first().and_then(|primary| primary.effect).unwrap_or_default();
        (sum, squares) = (sum + effect, squares + effect * effect);
    }
    let count = rounds as f64;
    simulation.score_sd = (rounds > 1).then(|| ((squares - sum * sum / count) / (count - 1.0)).max(0.0).sqrt());
    Some(simulation)
}

/// Two sides of the same size, each with half of every case's repeats.
fn halves(evidence: &Evidence, random: &mut ChaCha8Rng) -> (Evidence, Evidence) {
    let half = |cases| Evidence { conditions: evidence.conditions.clone(), cases };
    let (mut one, mut other) = (half(std::collections::BTreeMap::new()), half(std::collections::BTreeMap::new()));
    for (id, case) in &evidence.cases {
        let mut repeats = case.repeats.clone();
        for last in (1..repeats.len()).rev() {
            repeats.swap(last, random.random_range(0..=last));
        }
        let size = repeats.len() / 2;
        let of = |repeats: &[super::Repeat]| CaseEvidence { repeats: repeats.to_vec(), ..case.clone() };
        let (first, rest) = repeats.split_at(size);
        one.cases.insert(id.clone(), of(first));
        other.cases.insert(id.clone(), of(rest.get(..size).unwrap_or(rest)));
    }
    (one, other)
}

/// Each case of a run, and whether some of its repeats passed and others did not.
///
/// # Errors
/// When the store fails.
pub fn flips(store: &Store, run: &RunRow) -> Result<Vec<(String, bool)>, GateError> {
    let pass_score = RunDetails::of(run)?.pass_score;
    // The case at hand: how many of its repeats passed, of how many that were judged.
    let mut open: Option<(String, u64, u64)> = None;
    let mut found = Vec::new();
    let mut close = |case: Option<(String, u64, u64)>| {
        found.extend(case.map(|(id, passed, judged)| (id, passed > 0 && passed < judged)));
    };
    // Results come case by case.
    store.for_each_result::<GateError>(run.id, CaseKind::Case, |result| {
        let (id, passed, judged) = match open.take() {
            Some(case) if case.0 == result.case_id => case,
            other => {
                close(other);
                (result.case_id, 0, 0)
            }
        };
        let right = result.score.is_some_and(|score| score >= pass_score);
        open = Some((id, passed + u64::from(right), judged + u64::from(result.score.is_some())));
        Ok(())
    })?;
    close(open);
    Ok(found)
}

/// How much the repeats of each case vary, the most varying first.
pub fn case_noise(evidence: &Evidence, quarantined: &[QuarantinedCase]) -> Vec<CaseNoise> {
    let pass_score = evidence.conditions.pass_score;
    let noise = |(id, case): (&String, &CaseEvidence)| {
        let scores: Vec<f64> = case.repeats.iter().filter_map(|repeat| repeat.score).collect();
        let mean = crate::stats::mean(&scores)?;
        let count = scores.len();
        // Scores that are all the same have no deviation at all; their mean may be off by a rounding error.
        let alike = scores.iter().all(|score| (score - mean).abs() < 1e-12);
        let squares: f64 = if alike { 0.0 } else { scores.iter().map(|score| (score - mean).powi(2)).sum() };
        let passed = scores.iter().filter(|score| **score >= pass_score).count();
        let quarantine = quarantined.iter().find(|quarantined| quarantined.case == *id);
        Some(CaseNoise {
            case: id.clone(),
            repeats: count as u32,
            mean,
            sd: if count > 1 { (squares / (count as f64 - 1.0)).sqrt() } else { 0.0 },
            flips: passed > 0 && passed < count,
            quarantined_until: quarantine.map(|quarantine| quarantine.until.clone()),
        })
    };
    let mut found: Vec<CaseNoise> = evidence.cases.iter().filter_map(noise).collect();
    found.sort_by(|one, other| other.sd.total_cmp(&one.sd).then(one.case.cmp(&other.case)));
    found
}
