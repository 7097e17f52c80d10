//! The names on a model call's span: OpenTelemetry's where the pinned conventions have one, else under `tollgate.`.
//!
//! The span is called `{gen_ai.operation.name} {gen_ai.request.model}` and is of kind `CLIENT`. Nothing but what is named
//! here leaves the program ([`is_exported`]), so that no text of a question or an answer can.
//!
//! Source: OpenTelemetry semantic conventions 1.41.0, `docs/gen-ai/gen-ai-spans.md` and `gen-ai-events.md`. Later versions
//! have moved `gen_ai.*` into a repository of its own, with a version and a schema of its own.

/// The pinned version of OpenTelemetry's semantic conventions.
pub const SEMCONV_VERSION: &str = "1.41.0";
/// Where that version's schema is published; on the resource and the scope of every export.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.41.0";
/// The event (or the span of no length) that carries an evaluation's score.
pub const EVALUATION_EVENT: &str = "gen_ai.evaluation.result";

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: &str = $text;)*

        /// Whether an attribute of this name may leave the program.
        pub fn is_exported(name: &str) -> bool {
            matches!(name, $($text)|*)
        }
    };
}

attributes! {
    /// `chat` or `embeddings`.
    OPERATION_NAME = "gen_ai.operation.name";
    /// The vendor as the conventions name it: `openai`, `anthropic`, `gcp.gemini`, `mistral_ai`, …; else our own kind.
    PROVIDER_NAME = "gen_ai.provider.name";
    /// The model that was asked, without its provider.
    REQUEST_MODEL = "gen_ai.request.model";
    /// The most tokens it may produce.
    REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens";
    /// The sampling temperature.
    REQUEST_TEMPERATURE = "gen_ai.request.temperature";
    /// Whether the answer was asked for as a stream.
    REQUEST_STREAM = "gen_ai.request.stream";
    /// The model that says it answered.
    RESPONSE_MODEL = "gen_ai.response.model";
    /// The vendor's id of the answer.
    RESPONSE_ID = "gen_ai.response.id";
    /// Why the model stopped; an array with one text per answer.
    RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons";
    /// Seconds until the first piece of a streamed answer.
    RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk";
    /// All tokens of the prompt, cached ones included.
    USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens";
    /// All tokens that the model produced, reasoning included.
    USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens";
    /// Of the input: read from the vendor's prompt cache.
    USAGE_CACHE_READ_INPUT_TOKENS = "gen_ai.usage.cache_read.input_tokens";
    /// Of the input: written to the vendor's prompt cache.
    USAGE_CACHE_CREATION_INPUT_TOKENS = "gen_ai.usage.cache_creation.input_tokens";
    /// Of the output: spent on reasoning.
    USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens";
    /// What was measured, on an evaluation's event.
    EVALUATION_NAME = "gen_ai.evaluation.name";
    /// The score, on an evaluation's event.
    EVALUATION_SCORE_VALUE = "gen_ai.evaluation.score.value";
    /// The host that was called.
    SERVER_ADDRESS = "server.address";
    /// The port that was called.
    SERVER_PORT = "server.port";
    /// Of a failed call, its class in one word (`timeout`, `rate_limited`, `503`); never a message.
    ERROR_TYPE = "error.type";
    /// The ticket's id.
    TICKET = "tollgate.ticket";
    /// The tenant who asked.
    TENANT = "tollgate.tenant";
    /// Which command or route asked: `ask`, `eval`, …
    ENDPOINT = "tollgate.endpoint";
    /// The prompt's task.
    TASK = "tollgate.task";
    /// Prompt name and version, `answer@v2`.
    PROMPT = "tollgate.prompt";
    /// The release's content hash.
    RELEASE = "tollgate.release";
    /// What the call cost, in nano-dollars.
    COST_NANOUSD = "tollgate.cost_nanousd";
    /// Which attempt of its request this call is, over all providers; from 1.
    ATTEMPT = "tollgate.attempt";
    /// How many attempts of the same request went before it, over all providers.
    RETRIES = "tollgate.retries";
    /// The state in which the circuit breaker let the call through: `closed` or `half_open`.
    BREAKER = "tollgate.breaker";
    /// How the question came past the caches: `miss`, `bypassed`.
    CACHE_PATH = "tollgate.cache_path";
    /// Milliseconds until the first token.
    TIME_TO_FIRST_TOKEN_MS = "tollgate.time_to_first_token_ms";
}
