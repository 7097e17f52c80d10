use std::time::Duration;

/// Why the mock vendor refuses a request. Each vendor's shape has its own words for it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// No key, or a wrong one.
    Unauthorized { given: Option<String> },
    /// The request cannot be read.
    BadRequest { reason: String },
    /// There is no such model.
    NoSuchModel { model: String },
    /// There is no such endpoint.
    NoSuchPath { method: String, path: String },
    /// The request's body is too long.
    TooLarge { limit_bytes: usize },
    /// Too many requests or tokens.
    RateLimited { what: Limited, limit: u64, retry_after: Duration },
    /// The account's quota is spent.
    QuotaSpent,
    /// It broke.
    Internal,
    /// It is not available.
    Unavailable { retry_after: Option<Duration> },
    /// It has too much to do; only Anthropic has a status of its own for it.
    Overloaded { retry_after: Option<Duration> },
}

/// What a rate limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limited {
    Requests,
    Tokens,
}

impl Failure {
    /// How long the client should wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::Unavailable { retry_after } | Self::Overloaded { retry_after } => *retry_after,
            _ => None,
        }
    }
}
