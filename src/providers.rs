//! L1: models behind one trait. A provider makes ONE attempt; retry, deadline, money and telemetry are the proxy's.

mod chat;
mod echo;
mod extractive;

pub use chat::{ChatMessage, ChatProvider, ChatReply, ChatRequest, Deadline, FinishReason, ProviderError, Role};
pub use echo::Echo;
pub use extractive::{Extractive, MODELS as EXTRACTIVE_MODELS};
