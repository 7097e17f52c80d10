use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::GateError;
use crate::domain::{ContentHash, NanoUsd, RunId};
use crate::eval::RunDetails;
use crate::store::{CaseKind, CaseResult, RunRow, RunStatus, Store};

/// The grader whose mean is a gate's groundedness.
const GROUNDED: &str = "grounded";

/// What is known of one side of a gate: each case with each of its repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// How it was measured.
    pub conditions: Conditions,
    /// The cases by id.
    pub cases: BTreeMap<String, CaseEvidence>,
}

/// Under which conditions a side was measured. Those that decide whether two sides can be compared are
/// in [`Conditions::require_comparable`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The gold set's name.
    pub gold_set: String,
    /// Where it was read from.
    pub gold_path: String,
    /// Hash of its content.
    pub gold_hash: ContentHash,
    /// Score from which a case is passed.
    pub pass_score: f64,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: ContentHash,
    /// The run, in the store of whoever made it.
    pub run: RunId,
    /// When it was started, RFC 3339.
    pub started_at: String,
    /// How often each case was asked.
    pub repeats: u32,
    /// Conditions that a case had to meet.
    pub filters: Vec<String>,
    /// Most cases.
    pub limit: Option<usize>,
    /// Cases that were under way at a time.
    pub concurrency: usize,
    /// The seed.
    pub seed: u64,
    /// Whether answer caches were used.
    pub use_cache: bool,
    /// Whether models' answers were replayed from a recording.
    pub replayed: bool,
    /// Version of the knowledge that answers drew on.
    pub knowledge: ContentHash,
    /// How answers were judged.
    pub graders: u32,
    /// The model that judged answers, its prompt and its votes.
    pub judge: Option<ContentHash>,
    /// The prices in force.
    pub prices: Option<ContentHash>,
    /// How models were reached.
    #[serde(default)]
    pub setup: Option<ContentHash>,
    /// Version of the program.
    pub program: String,
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseEvidence {
    /// Cases of one cluster are resampled together.
    pub cluster: String,
    /// How much it counts.
    pub weight: f64,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether it fails the gate alone.
    pub critical: bool,
    /// Whether an answer was expected.
    pub answerable: bool,
    /// What was asked.
    pub question: String,
    /// The acceptable answers.
    pub expected: Vec<String>,
    /// The worst answer of its repeats.
    pub answer: String,
    /// Why there is no full answer, when one is missing.
    pub error: Option<String>,
    /// Its repeats, in order.
    pub repeats: Vec<Repeat>,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Its score; `None` when it could not be judged or did not come.
    pub score: Option<f64>,
    /// Whether it was a refusal.
    pub refused: bool,
    /// What the `grounded` grader said, where it judged.
    pub grounded: Option<f64>,
    /// Time from question to answer.
    pub latency_ms: Option<f64>,
    /// Time to find passages.
    pub retrieve_ms: Option<f64>,
    /// Whether the large model was asked.
    pub escalated: bool,
    /// What it cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
}

impl Evidence {
    /// What a stored run says.
    ///
    /// # Errors
    /// [`GateError::Unfinished`] when it is not complete.
    pub fn of_run(store: &Store, run: &RunRow) -> Result<Self, GateError> {
        if run.status != RunStatus::Complete {
            let (run, status, release) = (run.id.to_string(), run.status.as_str(), run.release_number);
            return Err(GateError::Unfinished { run, status, release });
        }
        let details = RunDetails::of(run)?;
        let mut cases: BTreeMap<String, CaseEvidence> = BTreeMap::new();
        let mut worst: BTreeMap<String, f64> = BTreeMap::new();
        store.for_each_result::<GateError>(run.id, CaseKind::Case, |result| {
            let scored = result.score.unwrap_or(-1.0);
            let lowest = worst.entry(result.case_id.clone()).or_insert(f64::INFINITY);
            let is_worst = scored < *lowest;
            *lowest = lowest.min(scored);
            let (id, repeat) = (result.case_id.clone(), Repeat::of(&result));
            let case = cases.entry(id).or_insert_with(|| CaseEvidence::without_answers(&result));
            case.repeats.push(repeat);
            if is_worst {
                case.answer = result.answer;
            }
            if case.error.is_none() {
                case.error = result.error;
            }
            Ok(())
        })?;
        Ok(Self { conditions: Conditions::of(run, details), cases })
    }

    /// What all answers cost; `None` when some of it is unknown.
    pub fn cost(&self) -> Option<NanoUsd> {
        self.cases.values().flat_map(|case| &case.repeats).map(|repeat| repeat.cost_nanousd).sum()
    }

    /// The weighted mean score of the judged cases; `None` without any.
    pub fn score(&self) -> Option<f64> {
        let judged = self.cases.values().filter_map(|case| Some((case.weight, case.score()?)));
        let (sum, weight) = judged.fold((0.0, 0.0), |(sum, all), (weight, score)| (sum + weight * score, all + weight));
        (weight > 0.0).then(|| sum / weight)
    }

    /// Number of answers asked for.
    pub fn answers(&self) -> u64 {
        self.cases.values().map(|case| case.repeats.len() as u64).sum()
    }
}

impl Conditions {
    fn of(run: &RunRow, details: RunDetails) -> Self {
        Self {
            gold_set: run.gold_set.clone(),
            gold_path: run.gold_path.clone(),
            gold_hash: run.gold_hash.clone(),
            pass_score: details.pass_score,
            release: run.release_number,
            release_hash: run.release_hash.clone(),
            run: run.id,
            started_at: run.started_at.clone(),
            repeats: details.repeats,
            filters: details.filters,
            limit: details.limit,
            concurrency: details.concurrency,
            seed: details.seed,
            use_cache: details.use_cache,
            replayed: details.replayed,
            knowledge: details.knowledge,
            graders: details.graders,
            judge: details.judge,
            prices: details.prices,
            setup: details.setup,
            program: details.program,
        }
    }

    /// Refuses to compare what was not measured alike.
    ///
    /// Release, repeats, seed, knowledge and program may differ: they are what is compared, are averaged out, or are
    /// named in the report.
    ///
    /// # Errors
    /// [`GateError::Incomparable`] names the first field that differs.
    pub fn require_comparable(&self, candidate: &Self) -> Result<(), GateError> {
        let hash = |hash: &ContentHash| hash.short().to_owned();
        let maybe = |value: &Option<ContentHash>| value.as_ref().map_or_else(|| "none".to_owned(), hash);
        let limit = |limit: Option<usize>| limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string());
        let filters = |side: &Self| if side.filters.is_empty() { "none".to_owned() } else { side.filters.join(" ") };
        let fields = [
            ("gold set", self.gold_hash == candidate.gold_hash, self.set(), candidate.set()),
            (
                "pass score",
                (self.pass_score - candidate.pass_score).abs() < f64::EPSILON,
                self.pass_score.to_string(),
                candidate.pass_score.to_string(),
            ),
            (
                "graders",
                self.graders == candidate.graders,
                format!("v{}", self.graders),
                format!("v{}", candidate.graders),
            ),
            ("judge", self.judge == candidate.judge, maybe(&self.judge), maybe(&candidate.judge)),
            ("price book", self.prices == candidate.prices, maybe(&self.prices), maybe(&candidate.prices)),
            ("filters", self.filters == candidate.filters, filters(self), filters(candidate)),
            ("limit", self.limit == candidate.limit, limit(self.limit), limit(candidate.limit)),
            (
                "answer cache",
                self.use_cache == candidate.use_cache,
                self.use_cache.to_string(),
                candidate.use_cache.to_string(),
            ),
        ];
        for (field, same, baseline, other) in fields {
            if !same {
                return Err(GateError::Incomparable { field, baseline, candidate: other });
            }
        }
        Ok(())
    }

    fn set(&self) -> String {
        format!("{} {}", self.gold_set, self.gold_hash.short())
    }
}

impl CaseEvidence {
    fn without_answers(result: &CaseResult) -> Self {
        Self {
            cluster: result.cluster.clone(),
            weight: result.weight,
            tags: result.tags.clone(),
            critical: result.critical,
            answerable: result.answerable,
            question: result.question.clone(),
            expected: result.expected.clone(),
            answer: String::new(),
            error: None,
            repeats: Vec::new(),
        }
    }

    /// The mean score of the judged repeats; `None` without any.
    pub fn score(&self) -> Option<f64> {
        self.mean(|repeat| repeat.score)
    }

    /// Whether every repeat has a score.
    pub(super) fn is_whole(&self) -> bool {
        self.repeats.iter().all(|repeat| repeat.score.is_some())
    }

    /// Share of the judged repeats at or above `pass_score`.
    pub fn pass_share(&self, pass_score: f64) -> Option<f64> {
        self.mean(|repeat| repeat.score.map(|score| f64::from(u8::from(score >= pass_score))))
    }

    /// The mean over those repeats of which `value` is known.
    pub fn mean(&self, value: impl Fn(&Repeat) -> Option<f64>) -> Option<f64> {
        let known: Vec<f64> = self.repeats.iter().filter_map(value).collect();
        crate::stats::mean(&known)
    }
}

impl Repeat {
    fn of(result: &CaseResult) -> Self {
        Self {
            score: result.score,
            refused: result.refused,
            grounded: result.grades.iter().find(|grade| grade.grader == GROUNDED).and_then(|grade| grade.score),
            latency_ms: result.latency_ms,
            retrieve_ms: result.retrieve_ms,
            escalated: result.escalated,
            cost_nanousd: result.cost_nanousd,
        }
    }
}
