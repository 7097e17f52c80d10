use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{OutputSchema, ProviderError};
use crate::domain::Usage;

/// A model that answers chat requests.
pub trait ChatProvider: Send + Sync {
    /// Makes one attempt, which ends within `limits`.
    ///
    /// # Errors
    /// Why this attempt gave no answer; whether to try again is the caller's decision.
    fn chat<'a>(&'a self, request: &'a ChatRequest, limits: Limits) -> BoxFuture<'a, Result<ChatReply, ProviderError>>;

    /// Makes one attempt that is answered piece by piece. The stream ends with exactly one [`ChatEvent::Done`], or
    /// with an error; it never just ends.
    ///
    /// # Errors
    /// Why this attempt gave no answer at all.
    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<ChatStream, ProviderError>>;

    /// Whether it answers on this machine, without a network and without spending money.
    fn is_offline(&self) -> bool;
}

/// The pieces of an answer as they arrive.
pub type ChatStream = BoxStream<'static, Result<ChatEvent, ProviderError>>;

/// The stream of an answer that is already there as a whole.
pub fn whole_stream(reply: ChatReply) -> ChatStream {
    let text = ChatEvent::Text(reply.text.clone());
    futures::stream::iter([Ok(text), Ok(ChatEvent::Done(Box::new(reply)))]).boxed()
}

/// A model that turns texts into vectors.
pub trait EmbeddingProvider: Send + Sync {
    /// Makes one attempt: one vector for each text, in order, all of the same length.
    ///
    /// # Errors
    /// Why this attempt gave no vectors.
    fn embed<'a>(
        &'a self,
        request: &'a EmbeddingRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<EmbeddingReply, ProviderError>>;
}

/// The time that an attempt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the end of the answer.
    pub total: Duration,
    /// Until the first piece of a streamed answer.
    pub first_token: Duration,
    /// Between two pieces of a streamed answer.
    pub between_tokens: Duration,
}

impl Limits {
    /// One limit for everything.
    pub fn total(total: Duration) -> Self {
        Self { total, first_token: total, between_tokens: total }
    }
}

/// One request to a model.
#[derive(Debug, Clone, Default)]
pub struct ChatRequest {
    /// The model's name at its provider.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<ChatMessage>,
    /// Sampling temperature; the vendor's default when `None`.
    pub temperature: Option<f64>,
    /// Most tokens of the answer; the proxy sets a limit when the caller gives none.
    pub max_output_tokens: Option<u64>,
    /// Texts at which the model stops.
    pub stop: Vec<String>,
    /// Makes sampling repeatable where the vendor supports it.
    pub seed: u64,
    /// What the answer must satisfy.
    pub output_schema: Option<Arc<OutputSchema>>,
    /// Functions that the model may ask the caller to run.
    pub tools: Vec<Tool>,
    /// Which of them it may or must ask for; the vendor's default when `None`.
    pub tool_choice: Option<ToolChoice>,
    /// Parameters that only this provider knows (`[params.NAME]` of the prompt).
    pub extensions: serde_json::Map<String, Value>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
    /// What the model asked to run, in a message of the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Which call this is the result of, in a message of a tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl ChatMessage {
    /// A message that is only text.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), tool_call_id: None }
    }
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
    /// The result of a function that the model asked for.
    Tool,
}

/// A function that the model may ask the caller to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// Which functions the model may or must ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// A function that the model asks the caller to run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolCall {
    /// The vendor's id of this call; the result refers to it.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// The arguments, as the JSON text that the model wrote.
    pub arguments: String,
}

/// What a model answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChatReply {
    /// The answer.
    pub text: String,
    /// What the model asks the caller to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// What it consumed; `None` when the vendor did not say.
    pub usage: Option<Usage>,
    /// Why it stopped.
    pub finish_reason: FinishReason,
    /// The exact model that answered, as the vendor names it.
    pub response_model: Option<String>,
    /// The vendor's id of the request, for its support.
    pub request_id: Option<String>,
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChatEvent {
    /// The next part of the text.
    Text(String),
    /// The next part of a function call.
    ToolCall {
        /// Which call of this answer it belongs to, from 0.
        index: usize,
        /// The call's id, in its first part.
        id: Option<String>,
        /// The function's name, in its first part.
        name: Option<String>,
        /// The next part of the arguments.
        arguments: String,
    },
    /// The end: the whole answer again, with what it consumed.
    Done(Box<ChatReply>),
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done.
    #[default]
    Stop,
    /// It reached its output limit.
    Length,
    /// It waits for the results of its function calls.
    ToolCalls,
    /// The vendor's filter stopped it.
    ContentFilter,
    /// The vendor gave a reason that is none of these.
    Other,
}

impl FinishReason {
    /// The name used in telemetry, as OpenTelemetry's `gen_ai.response.finish_reasons`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Other => "other",
        }
    }
}

/// Texts to be turned into vectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// The model's name at its provider.
    pub model: String,
    /// The texts.
    pub texts: Vec<String>,
    /// Length of the vectors where the vendor lets the caller choose.
    pub dimensions: Option<u32>,
}

/// Vectors for texts.
#[derive(Debug, Clone, PartialEq)]
pub struct EmbeddingReply {
    /// One vector for each text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// What it consumed; `None` when the vendor did not say.
    pub usage: Option<Usage>,
    /// The vendor's id of the request.
    pub request_id: Option<String>,
}
