use super::judge_metrics::{POWER, judge};
use super::measure::Measure;
use super::pair::{Pair, Pairs};
use super::{
    EscalationReport, Evidence, GateError, GateReport, JudgeStanding, MetricReport, MovedCase, NeededEvidence,
    QuarantinedCase, SideReport,
};
use crate::config::{GateSettings, Tier};
use crate::domain::{ContentHash, NanoUsd, Verdict, VerdictId};
use crate::eval::repro_command;
use crate::stats::{ClusterMean, NoiseSplit, clusters_needed, repeats_needed};

/// Two sides and what the candidate has to clear.
pub struct Comparison<'a> {
    /// What the candidate is compared with.
    pub baseline: Side<'a>,
    /// What is to be let through.
    pub candidate: Side<'a>,
    /// What it has to clear.
    pub settings: &'a GateSettings,
    /// Hash of all that the verdict depends on besides the releases and the gold set.
    pub terms: ContentHash,
    /// Makes resampling repeatable.
    pub seed: u64,
    /// How far the judge can be trusted, where a model judges.
    pub judge: Option<JudgeStanding>,
    /// Cases in quarantine: their flips alone fail nothing.
    pub quarantined: Vec<QuarantinedCase>,
}

/// One side: its evidence, and what it is called.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// As it was asked for.
    pub name: &'a str,
    /// What is known of it.
    pub evidence: &'a Evidence,
    /// Whether its answers were asked for now.
    pub fresh: bool,
    /// Whether its run is in the store.
    pub stored: bool,
}

/// Decides a gate.
///
/// # Errors
/// [`GateError::Incomparable`] when the sides were not measured alike.
pub fn decide(comparison: &Comparison<'_>, id: VerdictId, decided_at: String) -> Result<GateReport, GateError> {
    let Comparison { baseline, candidate, settings, seed, .. } = comparison;
    let (before, after) = (baseline.evidence, candidate.evidence);
    before.conditions.require_comparable(&after.conditions)?;
    let pairs = Pairs::of(before, after);
    let timed = !before.conditions.replayed && !after.conditions.replayed;
    let elsewhere = if !baseline.stored || !candidate.stored {
        Some("the baseline's latency comes from a file, so only the budget is judged")
    } else if before.conditions.concurrency != after.conditions.concurrency {
        Some("the two sides were asked at different concurrency, so only the budget is judged")
    } else {
        None
    };
    let measure = Measure { pairs: &pairs, settings, seed: *seed, timed, elsewhere };
    let (metrics, slices) = judge(measure.metrics(), measure.slices(), settings);
    let flips = critical_flips(&pairs, &comparison.quarantined);
    let Ruling { verdict, reasons } =
        Ruling::of(comparison.judge.as_ref(), &metrics, &slices, &flips, Missing::of(&pairs));
    let (fell, fell_unlisted) = moved(&pairs, candidate, |damage| damage < 0.0);
    let (rose, rose_unlisted) = moved(&pairs, candidate, |damage| damage > 0.0);
    let needed = if verdict == Verdict::Inconclusive { needed(comparison, &pairs, &metrics) } else { None };
    let gold = &after.conditions;
    Ok(GateReport {
        id,
        decided_at,
        verdict,
        reasons,
        gold_set: gold.gold_set.clone(),
        gold_path: gold.gold_path.clone(),
        gold_hash: gold.gold_hash.clone(),
        baseline: side(baseline, &pairs, |pair| pair.score.before),
        candidate: side(candidate, &pairs, |pair| pair.score.after),
        policy: (*settings).clone(),
        terms: comparison.terms.clone(),
        paired: pairs.count(),
        clusters: pairs.clusters.len() as u64,
        unpaired: pairs.unpaired,
        incomplete: pairs.incomplete,
        counts: pairs.counts(),
        metrics,
        slices,
        critical_flips: flips,
        fell,
        fell_unlisted,
        rose,
        rose_unlisted,
        needed,
        escalation: None,
        judge: comparison.judge.clone(),
        quarantined: comparison.quarantined.clone(),
        notes: notes(before, after, &pairs),
        next: Vec::new(),
        seed: *seed,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

impl GateReport {
    /// Takes in what asking again has shown of the primary metric, and rules anew.
    pub fn settle(&mut self, escalation: EscalationReport) {
        if let Some(primary) = self.metrics.first_mut().filter(|_| escalation.outcome != Verdict::Inconclusive) {
            primary.outcome = escalation.outcome;
            primary.why = match escalation.outcome {
                Verdict::Fail => "asking the differing cases again proved it worse".to_owned(),
                _ => "asking the differing cases again proved that it is not worse by more than the margin".to_owned(),
            };
            self.needed = None;
        }
        self.escalation = Some(escalation);
        let ruling = Ruling::of(self.judge.as_ref(), &self.metrics, &self.slices, &self.critical_flips, self.missing());
        (self.verdict, self.reasons) = (ruling.verdict, ruling.reasons);
    }

    fn missing(&self) -> Missing {
        Missing { unpaired: self.unpaired, incomplete: self.incomplete, clusters: self.clusters }
    }

    /// The verdict in one line.
    pub fn headline(&self) -> String {
        format!("gate {}: {}", self.verdict.as_str(), self.reasons.join("; "))
    }
}

pub(super) fn critical_flips(pairs: &Pairs<'_>, quarantined: &[QuarantinedCase]) -> Vec<String> {
    let is_quarantined = |id: &str| quarantined.iter().any(|case| case.case == id);
    let flipped = |pair: &&Pair<'_>| pair.after.critical && pair.flipped() && !is_quarantined(pair.id);
    pairs.iter().filter(flipped).map(|pair| pair.id.to_owned()).collect()
}

/// Fewest clusters in which a loss could be proven: all of six turn out worse by chance once in 64 times.
const FEWEST_CLUSTERS: u64 = 6;

/// What stands in the way of a pass.
#[derive(Clone, Copy)]
struct Missing {
    unpaired: u64,
    incomplete: u64,
    clusters: u64,
}

impl Missing {
    fn of(pairs: &Pairs<'_>) -> Self {
        let Pairs { unpaired, incomplete, .. } = *pairs;
        Self { unpaired, incomplete, clusters: pairs.clusters.len() as u64 }
    }
}

/// A verdict and why.
struct Ruling {
    verdict: Verdict,
    reasons: Vec<String>,
}

impl Ruling {
    fn of(
        judge: Option<&JudgeStanding>,
        metrics: &[MetricReport],
        slices: &[MetricReport],
        flips: &[String],
        missing: Missing,
    ) -> Self {
        if let Some(judge) = judge.filter(|judge| !judge.trusted) {
            let kappa = match judge.kappa {
                None if judge.labels == 0 => "was never calibrated against human labels".to_owned(),
                Some(kappa) if kappa < judge.min_kappa => {
                    format!("agrees with people only at a kappa of {kappa:.2}, below {:.2}", judge.min_kappa)
                }
                _ => format!("was calibrated on {} labels, which are too few or all of one kind", judge.labels),
            };
            let reason = format!("the judge is at fault, not the candidate: {} {kappa}", judge.model);
            return Self { verdict: Verdict::Inconclusive, reasons: vec![reason] };
        }
        let mut failed: Vec<String> = Vec::new();
        if !flips.is_empty() {
            let cases = if flips.len() == 1 { "critical case went" } else { "critical cases went" };
            failed.push(format!("{} {cases} from right to wrong: {}", flips.len(), flips.join(", ")));
        }
        let decides = |metric: &&MetricReport| metric.tier < Tier::Advisory;
        let said = |metric: &MetricReport| format!("{}: {}", metric.name, metric.why);
        let all = || metrics.iter().chain(slices).filter(decides);
        failed.extend(all().filter(|metric| metric.outcome == Verdict::Fail).map(said));
        if !failed.is_empty() {
            return Self { verdict: Verdict::Fail, reasons: failed };
        }
        let is_open = |metric: &&MetricReport| {
            metric.outcome == Verdict::Inconclusive && (metric.tier == Tier::Critical || metric.limit_open)
        };
        let mut open: Vec<String> = all().filter(is_open).map(said).collect();
        let Missing { unpaired, incomplete, clusters } = missing;
        if unpaired > 0 {
            let cases = if unpaired == 1 { "case is" } else { "cases are" };
            open.push(format!("{unpaired} {cases} not judged on both sides"));
        }
        if incomplete > 0 {
            let cases = if incomplete == 1 { "case lacks some of its" } else { "cases lack some of their" };
            open.push(format!("{incomplete} {cases} answers"));
        }
        if clusters < FEWEST_CLUSTERS {
            open.push(format!("{clusters} independent cases cannot prove any loss; {FEWEST_CLUSTERS} are the fewest"));
        }
        if !open.is_empty() {
            return Self { verdict: Verdict::Inconclusive, reasons: open };
        }
        Self {
            verdict: Verdict::Pass,
            reasons: vec!["nothing that is judged got worse by more than its margin".to_owned()],
        }
    }
}

fn side(side: &Side<'_>, pairs: &Pairs<'_>, score: impl Fn(&Pair<'_>) -> f64) -> SideReport {
    let Side { name, evidence, fresh, stored } = side;
    let mut mean = ClusterMean::default();
    for cases in pairs.clusters.values() {
        let weight: f64 = cases.iter().map(|pair| pair.before.weight).sum();
        let sum = cases.iter().map(|pair| pair.before.weight * score(pair)).sum();
        mean.add(sum, weight, cases.len() as u64);
    }
    let conditions = &evidence.conditions;
    SideReport {
        name: (*name).to_owned(),
        run: stored.then_some(conditions.run),
        release: conditions.release,
        release_hash: conditions.release_hash.clone(),
        repeats: conditions.repeats,
        score: mean.estimate(0.95),
        cost_nanousd: evidence.cost(),
        fresh: *fresh,
    }
}

/// The cases that moved one way, the greatest move of the set's score first.
fn moved(pairs: &Pairs<'_>, candidate: &Side<'_>, wanted: impl Fn(f64) -> bool) -> (Vec<MovedCase>, u64) {
    let after = candidate.evidence;
    // A run or a file is of a numbered release.
    let number = after.conditions.release.to_string();
    let is_release = candidate.name.starts_with("git:") || ["work", "live"].contains(&candidate.name);
    let release = if is_release { candidate.name } else { number.as_str() };
    let weight = pairs.weight();
    let damage = |pair: &Pair<'_>| pair.before.weight * pair.score.change() / weight;
    let mut found: Vec<(f64, &Pair<'_>)> =
        pairs.iter().map(|pair| (damage(pair), pair)).filter(|(damage, _)| wanted(*damage)).collect();
    let critical = |pair: &Pair<'_>| pair.after.critical;
    found.sort_by(|one, other| {
        let by_damage = other.0.abs().total_cmp(&one.0.abs());
        by_damage.then(critical(other.1).cmp(&critical(one.1))).then(one.1.id.cmp(other.1.id))
    });
    let unlisted = found.len().saturating_sub(GateReport::LISTED) as u64;
    let list = found.into_iter().take(GateReport::LISTED).map(|(damage, pair)| MovedCase {
        case: pair.id.to_owned(),
        tags: pair.after.tags.clone(),
        critical: pair.after.critical,
        before: pair.score.before,
        after: pair.score.after,
        damage,
        passed_before: pair.passed_before(pairs.pass_score),
        passes_now: pair.passes_now(pairs.pass_score),
        question: pair.after.question.clone(),
        expected: pair.after.expected.clone(),
        then: pair.before.answer.clone(),
        now: pair.after.answer.clone(),
        error: pair.after.error.clone(),
        repro: repro_command(&after.conditions.gold_path, pair.id, after.conditions.seed, release),
    });
    (list.collect(), unlisted)
}

fn notes(before: &Evidence, after: &Evidence, pairs: &Pairs<'_>) -> Vec<String> {
    let (before, after) = (&before.conditions, &after.conditions);
    let mut notes = Vec::new();
    if before.release_hash == after.release_hash {
        notes.push("both sides are the same release".to_owned());
    }
    if before.knowledge != after.knowledge {
        notes.push("the documents changed between the two runs: what moved may come from them".to_owned());
    }
    if before.program != after.program {
        notes.push(format!("the runs were made by tollgate {} and {}", before.program, after.program));
    }
    let is_changed = before.release_hash != after.release_hash;
    if is_changed
        && pairs.clusters.len() as u64 >= FEWEST_CLUSTERS
        && pairs.iter().all(|pair| pair.score.change() >= 0.0)
    {
        // The share p at which no loss among n cases is seen with a probability of 2.5 %: (1 - p)^n = 0.025.
        let unseen = 1.0 - 0.025_f64.powf(1.0 / pairs.clusters.len() as f64);
        notes.push(format!(
            "no case lost score; losses on less than {:.1}% of such questions may go unseen",
            unseen * 100.0
        ));
    }
    if before.replayed || after.replayed {
        notes.push("answers were replayed from a recording, so latency is not judged".to_owned());
    }
    notes
}

/// What would settle the primary metric.
fn needed(comparison: &Comparison<'_>, pairs: &Pairs<'_>, metrics: &[MetricReport]) -> Option<NeededEvidence> {
    let primary = metrics.first().filter(|metric| metric.outcome == Verdict::Inconclusive)?;
    let (effect, confidence) = (primary.effect?, comparison.settings.confidence);
    let changes = pairs.totals(|pair| Some([pair.before.weight * pair.score.change(), pair.before.weight]));
    let weight: f64 = changes.clusters.iter().map(|[_, weight]| weight).sum();
    let mut mean = ClusterMean::default();
    for [change, weight] in &changes.clusters {
        mean.add(*change, *weight, 1);
    }
    let standard_error = mean.estimate(confidence)?.standard_error.filter(|_| weight > 0.0)?;
    // Towards a pass the bound is the margin, towards a failure it is "no change".
    let distance = if effect > -primary.margin { effect + primary.margin } else { -effect };
    let clusters = pairs.clusters.len() as u64;
    let per_cluster = pairs.count() as f64 / clusters as f64;
    let cases = clusters_needed(clusters, distance, standard_error, confidence, POWER)
        .map(|needed| (needed as f64 * per_cluster).ceil() as u64);
    let noise = NoiseSplit::estimate(&repeat_changes(pairs));
    let repeats = noise.and_then(|noise| repeats_needed(noise, pairs.count(), distance, confidence, POWER));
    let cost = repeats.and_then(|repeats| {
        let more = |side: &Evidence| {
            let asked = side.answers();
            let wanted = side.cases.len() as u64 * u64::from(repeats);
            let each = side.cost()?.0 as f64 / asked.max(1) as f64;
            Some(NanoUsd((each * wanted.saturating_sub(asked) as f64).round() as i64))
        };
        more(comparison.baseline.evidence)?.checked_add(more(comparison.candidate.evidence)?)
    });
    Some(NeededEvidence { metric: primary.name.clone(), cases, repeats, repeats_cost_nanousd: cost })
}

/// For each case the change of its score, repeat by repeat.
fn repeat_changes(pairs: &Pairs<'_>) -> Vec<Vec<f64>> {
    let changes = |pair: &Pair<'_>| {
        let both = pair.before.repeats.iter().zip(&pair.after.repeats);
        both.filter_map(|(before, after)| Some(after.score? - before.score?)).collect()
    };
    pairs.iter().map(changes).collect()
}
