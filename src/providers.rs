//! L1: models behind one trait. A provider makes ONE attempt; retry, deadline, money and telemetry are the proxy's.

mod anthropic;
mod chat;
#[cfg(test)]
mod contract;
mod echo;
mod error;
mod extractive;
mod gemini;
mod http;
mod local_embedding;
mod openai;
mod output_schema;
mod reading;
mod sse;
mod token_count;
mod wire;

pub use anthropic::anthropic;
pub use chat::{
    ChatEvent, ChatMessage, ChatProvider, ChatReply, ChatRequest, ChatStream, EmbeddingProvider, EmbeddingReply,
    EmbeddingRequest, FinishReason, Limits, Role, Tool, ToolCall, ToolChoice, whole_stream,
};
pub use echo::Echo;
pub use error::{Phase, ProviderError};
pub use extractive::{Extractive, MODELS as EXTRACTIVE_MODELS};
pub use gemini::gemini;
pub use http::{HttpProvider, HttpSettings, HttpSetupError};
pub use local_embedding::{LocalEmbedder, LocalEmbeddingError};
pub use openai::{OpenAi, openai};
pub use output_schema::{OutputProblem, OutputSchema, schema_validator, violations};
pub use token_count::{
    answer_tokens, embedding_token_bound, has_published_tokenizer, input_token_bound, quick_token_bound,
};
