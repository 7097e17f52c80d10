use serde::{Deserialize, Serialize};

use crate::config::{GateSettings, Tier};
use crate::domain::{ContentHash, NanoUsd, RunId, Verdict, VerdictId};
use crate::stats::{Interval, MeanEstimate};

/// What a gate came to, with the numbers that led there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GateReport {
    /// The decision's id; `migrate` names it.
    pub id: VerdictId,
    /// When it was made, RFC 3339.
    pub decided_at: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, in a sentence each, the weightiest first.
    pub reasons: Vec<String>,
    /// The gold set's name.
    pub gold_set: String,
    /// Where it was read from.
    pub gold_path: String,
    /// Hash of its content.
    pub gold_hash: ContentHash,
    /// What the candidate is compared with.
    pub baseline: SideReport,
    /// What is to be let through.
    pub candidate: SideReport,
    /// What had to be cleared.
    pub policy: GateSettings,
    /// Hash of all that a verdict depends on besides the two releases and the gold set: policy, filters, limit, seed, prices
    /// and the settings of the judge.
    pub terms: ContentHash,
    /// Cases that both sides judged.
    pub paired: u64,
    /// Clusters of these.
    pub clusters: u64,
    /// Cases that only one side judged, or none: they make the gate inconclusive.
    pub unpaired: u64,
    /// Paired cases of which some answer is missing or could not be judged: they make the gate inconclusive too.
    #[serde(default)]
    pub incomplete: u64,
    /// Cases by pass or fail, before and after.
    pub counts: MoveCounts,
    /// Each metric, the primary one first.
    pub metrics: Vec<MetricReport>,
    /// The score by tag.
    pub slices: Vec<MetricReport>,
    /// Critical cases that went from right to wrong in the majority of their repeats.
    pub critical_flips: Vec<String>,
    /// Cases that lost score, the greatest loss of the set's score first; at most [`GateReport::LISTED`].
    pub fell: Vec<MovedCase>,
    /// Cases that lost score beyond those listed.
    pub fell_unlisted: u64,
    /// Cases that gained score, the greatest gain first; at most [`GateReport::LISTED`].
    pub rose: Vec<MovedCase>,
    /// Cases that gained score beyond those listed.
    pub rose_unlisted: u64,
    /// When it is inconclusive: what would settle it.
    pub needed: Option<NeededEvidence>,
    /// What `--escalate` did.
    pub escalation: Option<EscalationReport>,
    /// The judge, where a model judges answers.
    pub judge: Option<JudgeStanding>,
    /// Cases of the registry of flaky cases that are in quarantine: their flips do not fail the gate.
    pub quarantined: Vec<QuarantinedCase>,
    /// What else a reader should know.
    pub notes: Vec<String>,
    /// Commands to type next.
    pub next: Vec<String>,
    /// Makes bootstrap, permutation and repeats repeatable.
    pub seed: u64,
    /// Version of the program.
    pub program: String,
}

impl GateReport {
    /// Moved cases that a report lists on each side.
    pub const LISTED: usize = 50;
}

/// One side of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SideReport {
    /// What was asked for: `live`, `3`, `git:origin/main`, `work`, a run, a baseline file.
    pub name: String,
    /// The stored run that its numbers come from; `None` from a baseline file.
    pub run: Option<RunId>,
    /// Number of its release.
    pub release: u32,
    /// Hash of its release.
    pub release_hash: ContentHash,
    /// How often each case was asked.
    pub repeats: u32,
    /// Mean score over the paired cases, with its cluster-robust interval.
    pub score: Option<MeanEstimate>,
    /// Cost of all its results; `None` when some of it is unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Whether its answers were asked for now, and not taken from a stored run or file.
    pub fresh: bool,
}

/// Paired cases by pass or fail on the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MoveCounts {
    /// Passed on both sides.
    pub still_right: u64,
    /// Failed on both sides.
    pub still_wrong: u64,
    /// Passed before, fails now.
    pub regressed: u64,
    /// Failed before, passes now.
    pub improved: u64,
}

/// What one metric says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetricReport {
    /// `score`, `pass_rate`, `cost_per_success`, …; of a slice `tag:NAME`.
    pub name: String,
    /// How much it has to say.
    pub tier: Tier,
    /// What its values are.
    pub unit: MetricUnit,
    /// Its value on the baseline.
    pub baseline: Option<f64>,
    /// Its value on the candidate.
    pub candidate: Option<f64>,
    /// Candidate minus baseline for points and shares; for cost and latency that, as a share of the baseline's value.
    pub effect: Option<f64>,
    /// Interval of the effect at `confidence`.
    pub interval: Option<Interval>,
    /// Confidence of the interval: higher than the policy's where several metrics are judged at once (Holm).
    pub confidence: f64,
    /// One-sided p-value against "not worse than before" (bootstrap).
    pub p: Option<f64>,
    /// The same by a second test that assumes less: sign flips of clusters for scores, exact McNemar (mid-p) for rates.
    pub p_exact: Option<f64>,
    /// `p` after Holm's correction for all that is judged with it; equal to `p` for the primary metric.
    pub p_adjusted: Option<f64>,
    /// How much worse is accepted, in the effect's unit.
    pub margin: f64,
    /// Smallest worsening that would be noticed four times in five.
    pub minimum_detectable: Option<f64>,
    /// A hard limit of the candidate's value.
    pub limit: Option<f64>,
    /// Whether it cannot be told if the limit holds; that makes the gate inconclusive whatever the tier.
    #[serde(default)]
    pub limit_open: bool,
    /// Cases, or for latency answers, it is measured on.
    pub cases: u64,
    /// What it came to.
    pub outcome: Verdict,
    /// Why, in a few words.
    pub why: String,
}

/// What a metric's values are, and which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnit {
    /// A score in 0..=1; more is better.
    Score,
    /// A share in 0..=1; more is better.
    Share,
    /// Milliseconds; less is better.
    Ms,
    /// Nano-dollars; less is better.
    Nanousd,
}

impl MetricUnit {
    /// Whether a greater value is better.
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::Score | Self::Share)
    }
}

/// A case whose score moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MovedCase {
    /// The case.
    pub case: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it is critical.
    pub critical: bool,
    /// Its mean score on the baseline.
    pub before: f64,
    /// Its mean score on the candidate.
    pub after: f64,
    /// What its move does to the set's score: change times weight over the sum of weights.
    pub damage: f64,
    /// Whether it passed on the baseline.
    pub passed_before: bool,
    /// Whether it passes on the candidate.
    pub passes_now: bool,
    /// What was asked.
    pub question: String,
    /// The acceptable answers.
    pub expected: Vec<String>,
    /// The baseline's answer (the worst of its repeats).
    pub then: String,
    /// The candidate's answer (the worst of its repeats).
    pub now: String,
    /// Why there is no full answer on the candidate, when there is none.
    pub error: Option<String>,
    /// The command that repeats it.
    pub repro: String,
}

/// What would settle an inconclusive gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NeededEvidence {
    /// The metric that is open.
    pub metric: String,
    /// Cases in all, asked as often as now, if the effect stays as it is; `None` when no number would do.
    pub cases: Option<u64>,
    /// Repeats of each of the present cases on each side; `None` when no number would do, or it cannot be told from one
    /// repeat.
    pub repeats: Option<u32>,
    /// What these repeats would cost beyond what is stored; `None` when unknown.
    pub repeats_cost_nanousd: Option<NanoUsd>,
}

/// What `--escalate` did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EscalationReport {
    /// Cases that differed between the sides; they are asked again more often than the others.
    pub cases: u64,
    /// Times that the evidence was looked at.
    pub looks: u64,
    /// Pairs of answers that were bought.
    pub pairs: u64,
    /// Evidence (an e-value) that the candidate is worse; from `needed` on it is taken as proven.
    pub e_worse: f64,
    /// Evidence (an e-value) that the candidate is not worse by more than the margin.
    pub e_not_worse: f64,
    /// The e-value that decides.
    pub needed: f64,
    /// Mean difference of the bought pairs, as the set's score; `None` before the first.
    pub effect: Option<f64>,
    /// What they cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// What it came to.
    pub outcome: Verdict,
    /// Why it ended, in a few words.
    pub ended: String,
}

/// How far a judge can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct JudgeStanding {
    /// Hash of prompt, model and votes.
    pub judge: ContentHash,
    /// Its model.
    pub model: String,
    /// Cohen's kappa with human labels; `None` when it was never calibrated.
    pub kappa: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<Interval>,
    /// Labels it was calibrated on.
    pub labels: u64,
    /// The lowest kappa that may decide.
    pub min_kappa: f64,
    /// Whether it may decide.
    pub trusted: bool,
}

/// A case that is known to be flaky.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct QuarantinedCase {
    /// The case.
    pub case: String,
    /// Until when, RFC 3339.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Runs in which its repeats disagreed, of those that asked it more than once.
    pub flipped_runs: u64,
    /// Runs that asked it more than once.
    pub runs: u64,
}
