use serde::{Deserialize, Serialize};

/// The registry of flaky cases of one gold set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NoiseList {
    /// The gold set's name.
    pub gold_set: String,
    /// The cases whose repeats ever disagreed about pass and fail.
    pub cases: Vec<FlakyCase>,
}

/// A case whose repeats disagreed about pass and fail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FlakyCase {
    /// The case.
    pub case: String,
    /// When its repeats first disagreed, RFC 3339.
    pub first_seen: String,
    /// When they last disagreed, RFC 3339.
    pub last_seen: String,
    /// Runs that asked it more than once.
    pub runs: u64,
    /// Those of them in which its repeats disagreed.
    pub flipped_runs: u64,
    /// Until when its flips do not fail a gate, RFC 3339; `None` when it never was in quarantine.
    pub quarantined_until: Option<String>,
    /// Whether its quarantine is over: its flips count again.
    pub expired: bool,
    /// Why it is in quarantine.
    pub reason: Option<String>,
}
