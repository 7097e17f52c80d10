use std::path::PathBuf;

use crate::eval::EvalError;
use crate::store::StoreError;

/// Why no verdict could be reached.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The two sides were not measured under the same conditions.
    #[error("the two sides cannot be compared: {field} differs (baseline {baseline}, candidate {candidate})")]
    Incomparable {
        /// What differs: `gold set`, `graders`, `judge`, `price book`, `filters`, `limit`, `pass score`, `answer cache`.
        field: &'static str,
        /// As it was for the baseline.
        baseline: String,
        /// As it was for the candidate.
        candidate: String,
    },
    /// The run did not ask all of its cases.
    #[error("{run} is {status}: only a complete run can be compared")]
    Unfinished {
        /// The run.
        run: String,
        /// How far it got.
        status: &'static str,
        /// Number of its release.
        release: u32,
    },
    /// The baseline file cannot be read.
    #[error("cannot read the baseline `{}`: {reason}", .path.display())]
    UnreadableBaseline {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The baseline file is not what was blessed.
    #[error("the baseline `{}` was changed after it was blessed: its content has the hash {found} and says {stated}", .path.display())]
    BaselineChanged {
        /// The file.
        path: PathBuf,
        /// The hash that the file says it has, shortened.
        stated: String,
        /// The hash that it has, shortened.
        found: String,
    },
    /// The stored results of a run cannot be used.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl GateError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Incomparable { field: "gold set", .. } => Some(
                "evaluate the baseline on the present gold set, or bless a new baseline with `tollgate gate bless`"
                    .to_owned(),
            ),
            Self::Incomparable { .. } => Some(
                "evaluate both sides under the same conditions, or bless a new baseline with `tollgate gate bless`"
                    .to_owned(),
            ),
            Self::Unfinished { run, release, .. } => {
                Some(format!("continue it with `tollgate eval --resume {run} --release {release}`"))
            }
            Self::UnreadableBaseline { .. } => Some("`tollgate gate bless` writes one".to_owned()),
            Self::BaselineChanged { .. } => {
                Some("restore it from version control, or bless a new one with `tollgate gate bless`".to_owned())
            }
            Self::Eval(error) => error.hint(),
            Self::Store(error) => error.hint().map(str::to_owned),
        }
    }
}
