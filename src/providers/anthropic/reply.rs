use serde::Deserialize;
use serde_json::Value;

use super::request::ANSWER;
use crate::domain::{Tokens, Usage};
use crate::providers::reading::{believable, checked, json, malformed};
use crate::providers::{ChatReply, FinishReason, ProviderError, ToolCall};

/// Part of an answer's content.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    /// Thoughts, the vendor's own tools, and what it may add.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Vec<Block>,
    model: Option<String>,
    stop_reason: Option<String>,
    usage: Option<Value>,
}

/// Reads a whole answer.
///
/// # Errors
/// [`ProviderError::Malformed`] when it is none.
pub(super) fn read(body: &[u8], forces_answer: bool) -> Result<ChatReply, ProviderError> {
    let message: Message = json("an answer", body)?;
    let mut draft = Draft::new(forces_answer);
    draft.model = message.model;
    draft.stop_reason = message.stop_reason;
    draft.counts = Counts::read(message.usage);
    for block in message.content {
        match block {
            Block::Text { text } => draft.text.push_str(&text),
            Block::ToolUse { name, input, .. } if draft.is_answer(&name) => {
                draft.answer.get_or_insert_with(|| input_text(&input));
            }
            Block::ToolUse { id, name, input } => {
                draft.calls.push(ToolCall { id, name, arguments: input_text(&input) });
            }
            Block::Other => {}
        }
    }
    draft.finish()
}

/// A tool's input as text.
pub(super) fn input_text(input: &Value) -> String {
    if input.is_null() { "{}".to_owned() } else { input.to_string() }
}

/// An answer as far as it is read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    forces_answer: bool,
    pub(super) text: String,
    /// The input of the forced tool.
    pub(super) answer: Option<String>,
    pub(super) calls: Vec<ToolCall>,
    pub(super) model: Option<String>,
    pub(super) stop_reason: Option<String>,
    pub(super) counts: Counts,
}

impl Draft {
    pub(super) fn new(forces_answer: bool) -> Self {
        Self { forces_answer, ..Self::default() }
    }

    /// Whether a call of this tool gives the answer.
    pub(super) fn is_answer(&self, name: &str) -> bool {
        self.forces_answer && name == ANSWER
    }

    pub(super) fn forces_answer(&self) -> bool {
        self.forces_answer
    }

    /// The answer, now that all of it is read.
    pub(super) fn finish(self) -> Result<ChatReply, ProviderError> {
        let Some(reason) = self.stop_reason else {
            return Err(malformed("it does not say why the model stopped"));
        };
        let finish_reason = match reason.as_str() {
            "tool_use" if self.answer.is_some() && self.calls.is_empty() => FinishReason::Stop,
            "end_turn" | "stop_sequence" => FinishReason::Stop,
            "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
            "tool_use" => FinishReason::ToolCalls,
            "refusal" => FinishReason::ContentFilter,
            _ => FinishReason::Other,
        };
        let text = self.answer.unwrap_or(self.text);
        let said_something = !text.is_empty() || !self.calls.is_empty();
        checked(ChatReply {
            usage: self.counts.usage().and_then(|usage| believable(usage, said_something)),
            text,
            tool_calls: self.calls,
            finish_reason,
            response_model: self.model,
            request_id: None,
        })
    }
}

/// The vendor's counts: `input_tokens` are those that the prompt cache had no part in.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
pub(super) struct Counts {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Counts {
    /// Counts that cannot be read are as good as none: the answer is worth more.
    pub(super) fn read(usage: Option<Value>) -> Self {
        usage.and_then(|usage| serde_json::from_value(usage).ok()).unwrap_or_default()
    }

    /// These, without the output that was counted before it was written.
    pub(super) fn of_start(self) -> Self {
        Self { output_tokens: None, ..self }
    }

    /// These, where `newer` ones do not replace them: the vendor's are running totals.
    pub(super) fn updated(self, newer: Self) -> Self {
        Self {
            input_tokens: newer.input_tokens.or(self.input_tokens),
            cache_creation_input_tokens: newer.cache_creation_input_tokens.or(self.cache_creation_input_tokens),
            cache_read_input_tokens: newer.cache_read_input_tokens.or(self.cache_read_input_tokens),
            output_tokens: newer.output_tokens.or(self.output_tokens),
        }
    }

    fn usage(self) -> Option<Usage> {
        let cached = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_creation_input_tokens.unwrap_or(0);
        Some(Usage {
            input: Tokens(self.input_tokens?.saturating_add(cached).saturating_add(written)),
            output: Tokens(self.output_tokens?),
            cached_input: Tokens(cached),
            cache_write: Tokens(written),
            reasoning: Tokens(0),
        })
    }
}
