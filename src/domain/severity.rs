use serde::Serialize;

/// How bad something is that a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot be used like this, or what comes of it would mislead.
    Error,
    /// Worth a look.
    Warning,
}
