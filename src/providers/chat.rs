use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::Usage;

/// A model that answers chat requests.
pub trait ChatProvider: Send + Sync {
    /// Makes one attempt, which should end before `deadline`.
    ///
    /// # Errors
    /// Why this attempt gave no answer; whether to try again is the caller's decision.
    fn chat<'a>(
        &'a self,
        request: &'a ChatRequest,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<ChatReply, ProviderError>>;

    /// Whether it answers on this machine, without a network and without spending money.
    fn is_offline(&self) -> bool;
}

/// The time that is left for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(pub Duration);

/// One request to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// The model's name at its provider.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<ChatMessage>,
    /// Sampling temperature; the vendor's default when `None`.
    pub temperature: Option<f64>,
    /// Most tokens of the answer.
    pub max_output_tokens: u64,
    /// Texts at which the model stops.
    pub stop: Vec<String>,
    /// Makes sampling repeatable where the vendor supports it.
    pub seed: u64,
    /// JSON Schema that the answer must satisfy.
    pub output_schema: Option<Arc<serde_json::Value>>,
    /// Parameters that only this provider knows (`[params.NAME]` of the prompt).
    pub extensions: serde_json::Map<String, serde_json::Value>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The customer.
    User,
    /// The model.
    Assistant,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatReply {
    /// The answer.
    pub text: String,
    /// What it consumed; `None` when the vendor did not say.
    pub usage: Option<Usage>,
    /// Why it stopped.
    pub finish_reason: FinishReason,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It reached its output limit.
    Length,
}

impl FinishReason {
    /// The name used in telemetry, as OpenTelemetry's `gen_ai.response.finish_reasons`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
        }
    }
}

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
}
