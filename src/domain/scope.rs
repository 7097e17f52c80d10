use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// By what spending is held apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// Everything the project spends.
    Total,
    /// Who asked.
    Tenant,
    /// Which command or route asked: `ask`, `eval`, …
    Endpoint,
    /// `provider/model`.
    Model,
    /// The provider of the model.
    Provider,
    /// The prompt's task.
    Task,
}

impl ScopeKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Total, Self::Tenant, Self::Endpoint, Self::Model, Self::Provider, Self::Task];

    /// Its name in settings, in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Tenant => "tenant",
            Self::Endpoint => "endpoint",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Task => "task",
        }
    }
}

/// What a budget is about: one tenant, one model, …; written `tenant:acme`, and `total` for everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Scope {
    /// By what.
    pub kind: ScopeKind,
    /// Which one; empty for [`ScopeKind::Total`].
    pub name: String,
}

/// Text that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a scope: write total, tenant:NAME, endpoint:NAME, model:PROVIDER/MODEL, provider:NAME or task:NAME"
)]
pub struct UnreadableScope {
    /// What was read.
    pub text: String,
}

impl Scope {
    /// Everything.
    pub const TOTAL: Self = Self { kind: ScopeKind::Total, name: String::new() };

    /// One of a kind.
    pub fn new(kind: ScopeKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ScopeKind::Total => f.write_str("total"),
            kind => write!(f, "{}:{}", kind.as_str(), self.name),
        }
    }
}

impl FromStr for Scope {
    type Err = UnreadableScope;

    fn from_str(text: &str) -> Result<Self, UnreadableScope> {
        if text == "total" {
            return Ok(Self::TOTAL);
        }
        let named = text.split_once(':').filter(|(_, name)| !name.is_empty());
        let kind = |word: &str| ScopeKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        named
            .and_then(|(word, name)| Some(Self::new(kind(word).filter(|kind| *kind != ScopeKind::Total)?, name)))
            .ok_or_else(|| UnreadableScope { text: text.to_owned() })
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = UnreadableScope;

    fn try_from(text: String) -> Result<Self, UnreadableScope> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_written() {
        for text in ["total", "tenant:acme", "model:openai/gpt-4.1-mini", "task:answer", "provider:x", "endpoint:ask"] {
            assert_eq!(text.parse::<Scope>().map(|scope| scope.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "tenant", "tenant:", "total:x", "plan:pro", "acme"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }
}
