use std::time::Duration;

/// Why an attempt gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The provider has no such model.
    #[error("the provider has no model `{model}`")]
    NoSuchModel {
        /// The model asked for.
        model: String,
    },
    /// The request cannot be answered as it is.
    #[error("the provider refused the request: {reason}")]
    BadRequest {
        /// Why.
        reason: String,
    },
    /// The provider cannot do this at all.
    #[error("the provider does not support {what}")]
    Unsupported {
        /// What was asked of it.
        what: &'static str,
    },
    /// There is no key to send.
    #[error("there is no key in {source_of_key}")]
    KeyMissing {
        /// Where the key was looked for: an environment variable or a file, by name.
        source_of_key: String,
    },
    /// The vendor did not accept the key.
    #[error("the vendor did not accept the key from {source_of_key} (status {status}): {reason}")]
    Unauthorized {
        /// Where the key came from: an environment variable or a file, by name.
        source_of_key: String,
        /// The HTTP status.
        status: u16,
        /// What the vendor said.
        reason: String,
    },
    /// Too many requests for now.
    #[error("the vendor limits the rate: {reason}")]
    RateLimited {
        /// How long the vendor asks to wait.
        retry_after: Option<Duration>,
        /// What the vendor said.
        reason: String,
    },
    /// The account's quota or credit is spent: waiting does not help.
    #[error("the vendor's quota is spent: {reason}")]
    QuotaSpent {
        /// What the vendor said.
        reason: String,
    },
    /// The vendor is overloaded or failing (5xx, Anthropic's 529).
    #[error("the vendor is failing (status {status}): {reason}")]
    Unavailable {
        /// The HTTP status; 0 when the error came inside a stream.
        status: u16,
        /// How long the vendor asks to wait.
        retry_after: Option<Duration>,
        /// What the vendor said.
        reason: String,
    },
    /// No connection could be made, or it broke.
    #[error("no connection: {reason}")]
    Connection {
        /// Whether the request may have reached the vendor.
        sent: bool,
        /// What went wrong, and what to check.
        reason: String,
    },
    /// The attempt took too long.
    #[error("nothing within {} ms ({phase})", limit.as_millis())]
    TimedOut {
        /// What was waited for.
        phase: Phase,
        /// The limit.
        limit: Duration,
    },
    /// The stream ended before the answer did.
    #[error("the stream ended early, after {received_chars} characters")]
    Truncated {
        /// Characters of the answer that had arrived.
        received_chars: usize,
    },
    /// What the vendor sent is not an answer.
    #[error("the vendor's answer is not usable: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

/// What an attempt was waiting for when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The connection.
    Connect,
    /// The first piece of a streamed answer.
    FirstToken,
    /// The next piece of a streamed answer.
    BetweenTokens,
    /// The end of the answer.
    Total,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::FirstToken => "waiting for the first token",
            Self::BetweenTokens => "waiting for the next token",
            Self::Total => "waiting for the end of the answer",
        })
    }
}

impl ProviderError {
    /// Whether the same request may succeed later or elsewhere; otherwise it fails the same way again.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::QuotaSpent { .. }
            | Self::Unavailable { .. }
            | Self::Connection { .. }
            | Self::TimedOut { .. }
            | Self::Truncated { .. }
            | Self::Malformed { .. } => true,
            Self::NoSuchModel { .. }
            | Self::BadRequest { .. }
            | Self::Unsupported { .. }
            | Self::KeyMissing { .. }
            | Self::Unauthorized { .. } => false,
        }
    }

    /// Whether the vendor may bill the attempt all the same: it may have worked on it.
    pub fn may_be_billed(&self) -> bool {
        match self {
            Self::TimedOut { phase, .. } => *phase != Phase::Connect,
            Self::Connection { sent, .. } => *sent,
            // An error within a stream, after a part of the answer.
            Self::Unavailable { status, .. } => *status == 0,
            Self::Truncated { .. } | Self::Malformed { .. } => true,
            _ => false,
        }
    }

    /// How long the vendor asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Its class, as OpenTelemetry's `error.type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoSuchModel { .. } => "no_such_model",
            Self::BadRequest { .. } => "bad_request",
            Self::Unsupported { .. } => "unsupported",
            Self::KeyMissing { .. } => "key_missing",
            Self::Unauthorized { .. } => "unauthorized",
            Self::RateLimited { .. } => "rate_limited",
            Self::QuotaSpent { .. } => "quota_spent",
            Self::Unavailable { .. } => "unavailable",
            Self::Connection { .. } => "connection",
            Self::TimedOut { .. } => "timed_out",
            Self::Truncated { .. } => "truncated",
            Self::Malformed { .. } => "malformed",
        }
    }
}
