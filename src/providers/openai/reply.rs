use serde::Deserialize;
use serde_json::Value;

use super::failure;
use crate::domain::{Tokens, Usage};
use crate::providers::reading::{believable, checked, json, malformed};
use crate::providers::{ChatReply, FinishReason, ProviderError, ToolCall};

/// What stands for the arguments of a function that has none.
pub(super) const NO_ARGUMENTS: &str = "{}";

#[derive(Deserialize)]
struct Completion {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    #[serde(default)]
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    arguments: Arguments,
}

/// Arguments are JSON in a string; some servers send the JSON itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Arguments {
    Text(String),
    Json(Value),
}

impl Default for Arguments {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

/// Text as OpenAI sends it, or in parts, as Mistral's reasoning models do.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<Value>),
}

impl Content {
    /// The text; parts that are not text, such as reasoning, are left out.
    pub(super) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        }
    }
}

/// Reads a whole answer.
pub(super) fn read(body: &[u8]) -> Result<ChatReply, ProviderError> {
    // Some servers report an error with a status of success.
    let or_error = |problem| failure::inside(body).unwrap_or(problem);
    let completion: Completion = json("a chat completion", body).map_err(or_error)?;
    let choice = completion.choices.into_iter().next();
    let choice = choice.ok_or_else(|| or_error(malformed("it has no choices")))?;
    let mut finish_reason = finish(choice.finish_reason.as_deref().unwrap_or_default());
    let mut text = choice.message.content.map(Content::text).unwrap_or_default();
    if let Some(refusal) = choice.message.refusal.filter(|refusal| !refusal.is_empty()) {
        text = refusal;
        finish_reason = FinishReason::ContentFilter;
    }
    let calls = choice.message.tool_calls.unwrap_or_default().into_iter().enumerate();
    let tool_calls = calls.map(|(at, call)| tool_call(at, call)).collect::<Result<Vec<_>, _>>()?;
    let usage = completion.usage.as_ref().and_then(usage);
    checked(ChatReply {
        usage: usage.and_then(|usage| believable(usage, !text.is_empty() || !tool_calls.is_empty())),
        text,
        tool_calls,
        finish_reason,
        response_model: completion.model.filter(|model| !model.is_empty()),
        request_id: None,
    })
}

fn tool_call(at: usize, call: Call) -> Result<ToolCall, ProviderError> {
    let arguments = match call.function.arguments {
        Arguments::Text(text) if text.trim().is_empty() => NO_ARGUMENTS.to_owned(),
        Arguments::Text(text) => text,
        Arguments::Json(Value::Null) => NO_ARGUMENTS.to_owned(),
        Arguments::Json(value) => value.to_string(),
    };
    Ok(ToolCall { id: call_id(call.id, at), name: call_name(Some(call.function.name))?, arguments })
}

/// The name of a function that is to be called.
pub(super) fn call_name(name: Option<String>) -> Result<String, ProviderError> {
    name.filter(|name| !name.is_empty()).ok_or_else(|| malformed("it calls a function without a name"))
}

/// The id of the call at this place. A server that gives none gets one: the result has to refer to it.
pub(super) fn call_id(id: Option<String>, at: usize) -> String {
    id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{at}"))
}

/// Why the model stopped.
pub(super) fn finish(reason: &str) -> FinishReason {
    match reason {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

/// Usage as far as it can be read; whether it can be true is another question.
///
/// Servers that do not count reasoning as completion still count it in the total, and bill it.
pub(super) fn usage(usage: &Value) -> Option<Usage> {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let input = count("/prompt_tokens")?;
    let beyond_input = count("/total_tokens").unwrap_or_default().saturating_sub(input);
    Some(Usage {
        input: Tokens(input),
        output: Tokens(count("/completion_tokens").unwrap_or_default().max(beyond_input)),
        cached_input: Tokens(count("/prompt_tokens_details/cached_tokens").unwrap_or_default()),
        cache_write: Tokens(0),
        reasoning: Tokens(count("/completion_tokens_details/reasoning_tokens").unwrap_or_default()),
    })
}
