use serde::{Deserialize, Serialize};

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every condition held.
    Pass,
    /// A condition was broken.
    Fail,
    /// There was not enough evidence to say either.
    Inconclusive,
}
