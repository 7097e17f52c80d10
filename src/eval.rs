//! L5: replaying a gold set: ask every case, grade every answer, keep every result, and say what it comes to.
//!
//! A result is durable before its case counts as finished, and every figure of a report is derived from the stored
//! results, so that a run which was killed and resumed reports what an undisturbed one would have.

mod accumulate;
mod compare;
mod compare_render;
mod engine;
pub mod grade;
pub mod judge;
mod outcome;
mod plan;
mod render;
mod runs;
mod summary;

pub use compare::{Comparison, compare};
pub use engine::{Engine, OneAnswer, Progress, Replay, Replayed};
pub use outcome::{CaseLine, Detail, EvalReport};
pub use plan::{DryRun, Plan, RunDetails};
pub use runs::{RunList, RunSummary, list_runs};
pub use summary::{repro_command, shell_word, summarize};

use crate::domain::ContentHash;
use crate::gold::{FilterError, GoldError};
use crate::store::StoreError;

/// What to replay, and how.
#[derive(Debug, Clone)]
pub struct EvalOptions {
    /// Conditions that a case must meet, as written.
    pub filters: Vec<String>,
    /// Most cases.
    pub limit: Option<usize>,
    /// How often each case is asked.
    pub repeats: u32,
    /// Cases under way at a time.
    pub concurrency: usize,
    /// Makes whatever is random repeatable.
    pub seed: u64,
    /// Whether answer caches are used.
    pub use_cache: bool,
    /// Whether models' answers are replayed from a recording.
    pub replayed: bool,
    /// Hash of the model that judges answers, its prompt and its votes.
    pub judge: Option<ContentHash>,
    /// Hash of the prices in force.
    pub prices: Option<ContentHash>,
    /// Hash of how models are reached: providers, routes, the proxy's settings.
    pub setup: Option<ContentHash>,
    /// Whether the floor and the ceiling are measured too.
    pub bounds: bool,
}

/// Why an evaluation could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The gold set cannot be used.
    #[error(transparent)]
    Gold(#[from] GoldError),
    /// A filter cannot be read.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// No case is left to replay.
    #[error("no case of {gold_set} meets the filters")]
    NothingSelected {
        /// The gold set's name.
        gold_set: String,
        /// Tags that no case has, with the known tag nearest to each.
        unknown_tags: Vec<(String, Option<String>)>,
    },
    /// A resumed run would continue under other conditions.
    #[error("the run cannot be resumed: its {what} was {stored}, and now it is {now}")]
    CannotResume {
        /// What differs.
        what: &'static str,
        /// As it was when the run began.
        stored: String,
        /// As it is.
        now: String,
    },
    /// The runs replay different gold sets.
    #[error("the runs replay different gold sets: {left} and {right}")]
    GoldSetDiffers {
        /// Hash of one.
        left: String,
        /// Hash of the other.
        right: String,
    },
    /// What was stored with a run is unreadable.
    #[error("the stored settings of {run} cannot be read: {reason}")]
    Details {
        /// The run.
        run: String,
        /// Why.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EvalError {
    /// The next step to suggest to the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Gold(error) => error.hint(),
            Self::Store(error) => error.hint().map(str::to_owned),
            Self::NothingSelected { unknown_tags, .. } => unknown_tags.first().map(|(tag, nearest)| match nearest {
                Some(known) => format!("no case has the tag `{tag}`; did you mean `{known}`?"),
                None => format!("no case has the tag `{tag}`; `tollgate gold check` lists them"),
            }),
            Self::CannotResume { .. } => Some("start a new run, or restore what has changed".to_owned()),
            Self::GoldSetDiffers { .. } => Some("replay one gold set in both runs".to_owned()),
            Self::Filter(_) | Self::Details { .. } => None,
        }
    }
}
