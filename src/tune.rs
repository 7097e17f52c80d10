//! L7: experiments on a release: whether a feature pays (`lift`), and where a setting should stand (`tune`).
//!
//! Everything is computed from runs that are stored, or from searches; what an experiment recommends is a proposed
//! migration, which nothing here applies.

mod advice;
mod answers;
mod candidates;
mod cascade;
mod change;
mod figures;
mod folds;
mod fusion;
mod fusion_render;
mod lift;
mod lift_render;
mod measure;
mod propose;
mod shown;
mod threshold;
mod threshold_render;
mod validate;

pub use advice::Advice;
pub use cascade::{BothAnswers, Cascade, Figure, Keep, Policy};
pub use change::{Change, Limit};
pub use figures::Figures;
pub use fusion::{FusionPoint, FusionReport, FusionSettings, RankedCase, tune_fusion, weights};
pub use lift::{Feature, Lift, LiftComparison, LiftReport, LiftRules, Named, compare_feature};
pub use propose::{GateTable, Proposal, migration_text, propose};
pub use threshold::{CascadePoint, KEPT_AIM, Measured, ThresholdReport, ThresholdSettings, tune_threshold};
pub use validate::{FoldChoice, HeldOut};

use crate::domain::RunId;
use crate::eval::EvalError;
use crate::prompts::PromptError;
use crate::store::StoreError;

/// Confidence of the intervals of a tuning report.
const CONFIDENCE: f64 = 0.95;

/// Why an experiment has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// Two runs have no case in common that both have judged.
    #[error("{left} and {right} have no case in common that both have judged")]
    NothingPaired {
        /// One run.
        left: RunId,
        /// The other.
        right: RunId,
    },
    /// The gold set says of no case which documents hold the answer.
    #[error("no case of {gold_set} says which documents hold its answer")]
    NothingExpected {
        /// The gold set's name.
        gold_set: String,
    },
    /// The proposed migration cannot be written.
    #[error("cannot write {path}: {source}")]
    Unwritable {
        /// Its file.
        path: String,
        /// What the file system said.
        source: std::io::Error,
    },
    /// The migrations or prompts are not as they should be.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A run cannot be read.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TuneError {
    /// The next step to suggest to the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NothingPaired { .. } => Some("`tollgate runs show RUN` says why cases have no score".to_owned()),
            Self::NothingExpected { .. } => {
                Some("write `expected_docs` into its cases: ids of documents or chunks".to_owned())
            }
            Self::Unwritable { .. } => Some("`--no-write` only shows the proposed migration".to_owned()),
            Self::Prompt(error) => error.hint(),
            Self::Eval(error) => error.hint(),
            Self::Store(error) => error.hint().map(str::to_owned),
        }
    }
}
