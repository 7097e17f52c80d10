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

impl Verdict {
    /// Its name in reports and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// The verdict of this name; what is none proves nothing.
    pub fn from_stored(name: &str) -> Self {
        match name {
            "pass" => Self::Pass,
            "fail" => Self::Fail,
            _ => Self::Inconclusive,
        }
    }
}
