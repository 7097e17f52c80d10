use serde::Deserialize;
use serde_json::Value;

use super::error;
use crate::domain::{Tokens, Usage};
use crate::providers::reading::{bad_request, believable, checked, json, malformed};
use crate::providers::{ChatEvent, ChatReply, FinishReason, ProviderError, ToolCall};

/// A whole answer, or a piece of a streamed one.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Piece {
    candidates: Vec<Candidate>,
    prompt_feedback: Option<PromptFeedback>,
    usage_metadata: Option<Value>,
    model_version: Option<String>,
    response_id: Option<String>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PromptFeedback {
    block_reason: Option<String>,
    block_reason_message: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Candidate {
    content: Option<Content>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Content {
    parts: Vec<Part>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Part {
    text: Option<String>,
    thought: bool,
    function_call: Option<FunctionCall>,
}

#[derive(Debug, Deserialize)]
struct FunctionCall {
    id: Option<String>,
    name: String,
    #[serde(default)]
    args: Value,
}

/// The vendor's counts: those of zero are left out, and thoughts are counted beside the candidates.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the vendor's names")]
struct Counts {
    prompt_token_count: u64,
    tool_use_prompt_token_count: u64,
    cached_content_token_count: u64,
    candidates_token_count: u64,
    thoughts_token_count: u64,
}

impl Counts {
    /// Counts that cannot be read are as good as none: the answer is worth more.
    fn read(usage: Value) -> Option<Usage> {
        let counts: Self = serde_json::from_value(usage).ok()?;
        Some(Usage {
            input: Tokens(counts.prompt_token_count.saturating_add(counts.tool_use_prompt_token_count)),
            output: Tokens(counts.candidates_token_count.saturating_add(counts.thoughts_token_count)),
            cached_input: Tokens(counts.cached_content_token_count),
            cache_write: Tokens(0),
            reasoning: Tokens(counts.thoughts_token_count),
        })
    }
}

/// Reads a whole answer of the `model`.
///
/// # Errors
/// [`ProviderError::Malformed`] when it is none, [`ProviderError::BadRequest`] when the vendor blocked the prompt.
pub(super) fn read(model: &str, body: &[u8]) -> Result<ChatReply, ProviderError> {
    let piece: Piece = json("an answer", body)?;
    let empty = piece.candidates.is_empty();
    let mut draft = Draft::default();
    draft.add(model, piece)?;
    if empty {
        return Err(malformed("it has no candidates"));
    }
    draft.finish()
}

/// The id of a call to which the vendor gave none.
fn made_up_id(index: usize) -> String {
    format!("call_{index}")
}

/// Whether the vendor knows nothing of this id.
pub(super) fn is_made_up(id: &str) -> bool {
    id.strip_prefix("call_").and_then(|index| index.parse().ok()).is_some_and(|index| made_up_id(index) == id)
}

/// An answer as far as it is read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) text: String,
    calls: Vec<ToolCall>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    model: Option<String>,
    id: Option<String>,
}

impl Draft {
    /// Adds a piece; returns what it brings.
    ///
    /// # Errors
    /// The error that it carries, or [`ProviderError::BadRequest`] when the vendor blocked the prompt.
    pub(super) fn add(&mut self, model: &str, piece: Piece) -> Result<Vec<ChatEvent>, ProviderError> {
        if let Some(error) = piece.error {
            return Err(error::in_stream(model, &error));
        }
        let candidate = piece.candidates.into_iter().next();
        if let (None, Some(feedback)) = (&candidate, piece.prompt_feedback)
            && let Some(reason) = feedback.block_reason
        {
            let message = feedback.block_reason_message.map(|message| format!(": {message}")).unwrap_or_default();
            return Err(bad_request(format!("the vendor blocked the prompt ({reason}){message}")));
        }
        let Candidate { content, finish_reason } = candidate.unwrap_or_default();
        let parts = content.unwrap_or_default().parts;
        let events = parts.into_iter().filter_map(|part| self.add_part(part)).collect();
        self.model = piece.model_version.or(self.model.take());
        self.id = piece.response_id.or(self.id.take());
        self.finish_reason = finish_reason.or(self.finish_reason.take());
        // Counts of an earlier piece leave out what came after it.
        if self.is_finished() {
            self.usage = piece.usage_metadata.and_then(Counts::read).or(self.usage);
        }
        Ok(events)
    }

    fn add_part(&mut self, part: Part) -> Option<ChatEvent> {
        if let Some(FunctionCall { id, name, args }) = part.function_call {
            let index = self.calls.len();
            let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| made_up_id(index));
            let arguments = if args.is_null() { "{}".to_owned() } else { args.to_string() };
            self.calls.push(ToolCall { id: id.clone(), name: name.clone(), arguments: arguments.clone() });
            return Some(ChatEvent::ToolCall { index, id: Some(id), name: Some(name), arguments });
        }
        let text = part.text.filter(|text| !part.thought && !text.is_empty())?;
        self.text.push_str(&text);
        Some(ChatEvent::Text(text))
    }

    /// Whether the model has said why it stopped.
    pub(super) fn is_finished(&self) -> bool {
        self.finish_reason.is_some()
    }

    /// The answer, now that all of it is read.
    pub(super) fn finish(self) -> Result<ChatReply, ProviderError> {
        let Some(reason) = self.finish_reason else {
            return Err(malformed("it does not say why the model stopped"));
        };
        let finish_reason = match reason.as_str() {
            "STOP" if !self.calls.is_empty() => FinishReason::ToolCalls,
            "STOP" => FinishReason::Stop,
            "MAX_TOKENS" => FinishReason::Length,
            "SAFETY" | "RECITATION" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII" | "IMAGE_SAFETY" => {
                FinishReason::ContentFilter
            }
            _ => FinishReason::Other,
        };
        let said_something = !self.text.is_empty() || !self.calls.is_empty();
        checked(ChatReply {
            text: self.text,
            tool_calls: self.calls,
            usage: self.usage.and_then(|usage| believable(usage, said_something)),
            finish_reason,
            response_model: self.model,
            request_id: self.id,
        })
    }
}
