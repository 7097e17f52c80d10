//! The span of one model call. Where nobody listens it costs a few nanoseconds, and nothing in it is formatted.

use std::fmt::Display;

use tracing::Span;
use tracing::field::{self, Empty};

use super::names;

/// The target of everything here: what a log's filter leaves out, because it is telemetry and no log line.
pub const TARGET: &str = "tollgate::call";

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// An answer to messages.
    Chat,
    /// The vectors of texts.
    Embeddings,
}

impl Operation {
    /// Its name in the conventions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

/// What is known of a call before it is made. The attributes are explained at their [`names`].
#[derive(Clone, Copy)]
pub struct CallStart<'a> {
    /// What is asked.
    pub operation: Operation,
    /// The vendor, as the conventions name it.
    pub provider: &'a str,
    /// The model, without its provider.
    pub model: &'a str,
    /// The host; `None` when the model runs in this process.
    pub server_address: Option<&'a str>,
    /// The port.
    pub server_port: Option<u16>,
    /// The most tokens it may produce.
    pub max_tokens: Option<u64>,
    /// The sampling temperature.
    pub temperature: Option<f64>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// The ticket's id.
    pub ticket: Option<&'a dyn Display>,
    /// The tenant who asks.
    pub tenant: &'a str,
    /// Which command or route asks.
    pub endpoint: &'a str,
    /// The prompt's task.
    pub task: Option<&'a str>,
    /// Prompt name and version.
    pub prompt: Option<&'a str>,
    /// The release's content hash.
    pub release: Option<&'a str>,
    /// Which attempt of its request this is, from 1.
    pub attempt: u32,
    /// How many attempts of the same request went before it.
    pub retries: u32,
    /// The breaker's state.
    pub breaker: &'a str,
    /// How the question came past the caches.
    pub cache_path: Option<&'a str>,
}

/// How a call ended; `None` is unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallEnd<'a> {
    /// The model that says it answered.
    pub response_model: Option<&'a str>,
    /// The vendor's id of the answer.
    pub response_id: Option<&'a str>,
    /// Why the model stopped.
    pub finish_reason: Option<&'a str>,
    /// All tokens of the prompt.
    pub input_tokens: Option<u64>,
    /// All tokens produced.
    pub output_tokens: Option<u64>,
    /// Of the input: read from the vendor's cache.
    pub cached_input_tokens: Option<u64>,
    /// Of the input: written to the vendor's cache.
    pub cache_write_tokens: Option<u64>,
    /// Of the output: reasoning.
    pub reasoning_tokens: Option<u64>,
    /// The cost.
    pub cost_nanousd: Option<i64>,
    /// Time until the first token.
    pub time_to_first_token_ms: Option<f64>,
    /// The class of the failure, one of few words and no message; `None` when there was none.
    pub error_type: Option<&'a str>,
}

/// A grader's judgement of an answer.
#[derive(Clone, Copy)]
pub struct Evaluation<'a> {
    /// The grader.
    pub name: &'a str,
    /// Its score, in 0..=1.
    pub score: f64,
    /// The vendor's id of the judged answer.
    pub response_id: Option<&'a str>,
    /// The ticket that was answered.
    pub ticket: Option<&'a dyn Display>,
}

/// Opens the span of a call, a child of the current span; it ends when its last clone is dropped, or when it was last
/// left if it was ever entered.
pub fn call_span(start: &CallStart<'_>) -> Span {
    tracing::info_span!(
        target: TARGET,
        "call",
        otel.name = %format_args!("{} {}", start.operation.as_str(), start.model),
        otel.kind = "client",
        otel.status_code = Empty,
        { names::OPERATION_NAME } = start.operation.as_str(),
        { names::PROVIDER_NAME } = start.provider,
        { names::REQUEST_MODEL } = start.model,
        { names::REQUEST_MAX_TOKENS } = start.max_tokens.map(integer),
        { names::REQUEST_TEMPERATURE } = start.temperature,
        { names::REQUEST_STREAM } = start.stream,
        { names::SERVER_ADDRESS } = start.server_address,
        { names::SERVER_PORT } = start.server_port.map(i64::from),
        { names::TICKET } = start.ticket.map(field::display),
        { names::TENANT } = start.tenant,
        { names::ENDPOINT } = start.endpoint,
        { names::TASK } = start.task,
        { names::PROMPT } = start.prompt,
        { names::RELEASE } = start.release,
        { names::ATTEMPT } = i64::from(start.attempt),
        { names::RETRIES } = i64::from(start.retries),
        { names::BREAKER } = start.breaker,
        { names::CACHE_PATH } = start.cache_path,
        { names::RESPONSE_MODEL } = Empty,
        { names::RESPONSE_ID } = Empty,
        { names::RESPONSE_FINISH_REASONS } = Empty,
        { names::RESPONSE_TIME_TO_FIRST_CHUNK } = Empty,
        { names::USAGE_INPUT_TOKENS } = Empty,
        { names::USAGE_OUTPUT_TOKENS } = Empty,
        { names::USAGE_CACHE_READ_INPUT_TOKENS } = Empty,
        { names::USAGE_CACHE_CREATION_INPUT_TOKENS } = Empty,
        { names::USAGE_REASONING_OUTPUT_TOKENS } = Empty,
        { names::COST_NANOUSD } = Empty,
        { names::TIME_TO_FIRST_TOKEN_MS } = Empty,
        { names::ERROR_TYPE } = Empty,
    )
}

/// Records on the span how its call ended.
pub fn record_call(span: &Span, end: &CallEnd<'_>) {
    if span.is_disabled() {
        return;
    }
    tracing::record_all!(
        span,
        { names::RESPONSE_MODEL } = end.response_model,
        { names::RESPONSE_ID } = end.response_id,
        { names::RESPONSE_FINISH_REASONS } = end.finish_reason,
        { names::RESPONSE_TIME_TO_FIRST_CHUNK } = end.time_to_first_token_ms.map(|time_ms| time_ms / 1_000.0),
        { names::USAGE_INPUT_TOKENS } = end.input_tokens.map(integer),
        { names::USAGE_OUTPUT_TOKENS } = end.output_tokens.map(integer),
        { names::USAGE_CACHE_READ_INPUT_TOKENS } = end.cached_input_tokens.map(integer),
        { names::USAGE_CACHE_CREATION_INPUT_TOKENS } = end.cache_write_tokens.map(integer),
        { names::USAGE_REASONING_OUTPUT_TOKENS } = end.reasoning_tokens.map(integer),
        { names::COST_NANOUSD } = end.cost_nanousd,
        { names::TIME_TO_FIRST_TOKEN_MS } = end.time_to_first_token_ms,
        { names::ERROR_TYPE } = end.error_type,
        otel.status_code = end.error_type.map(|_| "error"),
    );
}

/// Records a score: as an event on the call's span while that is open, else ([`Span::none`]) as a span of no length that
/// names the answer and the ticket.
pub fn record_evaluation(call: &Span, evaluation: &Evaluation<'_>) {
    if call.is_none() {
        tracing::info_span!(
            target: TARGET,
            names::EVALUATION_EVENT,
            { names::EVALUATION_NAME } = evaluation.name,
            { names::EVALUATION_SCORE_VALUE } = evaluation.score,
            { names::RESPONSE_ID } = evaluation.response_id,
            { names::TICKET } = evaluation.ticket.map(field::display),
        );
    } else {
        tracing::event!(
            name: names::EVALUATION_EVENT,
            target: TARGET,
            parent: call,
            tracing::Level::INFO,
            {
                { names::EVALUATION_NAME } = evaluation.name,
                { names::EVALUATION_SCORE_VALUE } = evaluation.score,
                { names::RESPONSE_ID } = evaluation.response_id,
                { names::TICKET } = evaluation.ticket.map(field::display),
            }
        );
    }
}

/// Attributes know no unsigned integers: one would be exported as a text.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
