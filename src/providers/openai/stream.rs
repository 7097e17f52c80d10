use serde::Deserialize;
use serde_json::Value;

use super::failure;
use super::reply::{Content, NO_ARGUMENTS, call_id, call_name, finish, usage};
use crate::providers::reading::{believable, checked, json};
use crate::providers::wire::StreamReader;
use crate::providers::{ChatEvent, ChatReply, FinishReason, ProviderError, ToolCall};

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<Content>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

/// Puts the chunks of one answer together.
#[derive(Default)]
pub(super) struct Reader {
    reply: ChatReply,
    /// The server's number of each call: it may leave some out.
    call_numbers: Vec<Option<u64>>,
    finished: Option<FinishReason>,
    refused: bool,
}

impl StreamReader for Reader {
    fn event(&mut self, name: &str, data: &str) -> Result<Vec<ChatEvent>, ProviderError> {
        if data.trim() == "[DONE]" {
            return self.end().map(|done| done.into_iter().collect());
        }
        let suspicious = data.contains("\"error\"");
        if let Some(error) = suspicious.then(|| failure::inside(data.as_bytes())).flatten() {
            return Err(error);
        }
        if name == "error" {
            return Err(ProviderError::Unavailable { status: 0, retry_after: None, reason: data.to_owned() });
        }
        let chunk: Chunk = json("a stream of chat completion chunks", data.as_bytes())?;
        if let Some(model) = chunk.model.filter(|model| !model.is_empty()) {
            self.reply.response_model = Some(model);
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(usage) {
            self.reply.usage = Some(usage);
        }
        let mut events = Vec::new();
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(|choice| choice.index == 0) {
            self.choice(choice, &mut events)?;
        }
        Ok(events)
    }

    fn end(&mut self) -> Result<Option<ChatEvent>, ProviderError> {
        let mut reply = std::mem::take(&mut self.reply);
        let Some(finish_reason) = self.finished else {
            return Err(ProviderError::Truncated { received_chars: reply.text.chars().count() });
        };
        reply.finish_reason = if self.refused { FinishReason::ContentFilter } else { finish_reason };
        let said_something = !reply.text.is_empty() || !reply.tool_calls.is_empty();
        reply.usage = reply.usage.and_then(|usage| believable(usage, said_something));
        checked(reply).map(|reply| Some(ChatEvent::Done(Box::new(reply))))
    }
}

impl Reader {
    fn choice(&mut self, choice: Choice, events: &mut Vec<ChatEvent>) -> Result<(), ProviderError> {
        if let Some(delta) = choice.delta {
            let refusal = delta.refusal.filter(|refusal| !refusal.is_empty());
            self.refused |= refusal.is_some();
            for text in [delta.content.map(Content::text), refusal].into_iter().flatten().filter(|it| !it.is_empty()) {
                self.reply.text.push_str(&text);
                events.push(ChatEvent::Text(text));
            }
            for part in delta.tool_calls.unwrap_or_default() {
                events.push(self.call(part)?);
            }
        }
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finished = Some(finish(&reason));
            let calls = self.reply.tool_calls.iter_mut().enumerate();
            for (index, call) in calls.filter(|(_, call)| call.arguments.trim().is_empty()) {
                call.arguments.push_str(NO_ARGUMENTS);
                let arguments = NO_ARGUMENTS.to_owned();
                events.push(ChatEvent::ToolCall { index, id: None, name: None, arguments });
            }
        }
        Ok(())
    }

    fn call(&mut self, part: CallDelta) -> Result<ChatEvent, ProviderError> {
        let id = part.id.filter(|id| !id.is_empty());
        let (name, arguments) = part.function.map_or((None, None), |function| (function.name, function.arguments));
        let arguments = arguments.unwrap_or_default();
        if let Some((index, call)) = self.known_call(part.index, id.as_deref()) {
            call.arguments.push_str(&arguments);
            return Ok(ChatEvent::ToolCall { index, id: None, name: None, arguments });
        }
        let index = self.reply.tool_calls.len();
        let id = call_id(id, index);
        let name = call_name(name)?;
        self.call_numbers.push(part.index);
        self.reply.tool_calls.push(ToolCall { id: id.clone(), name: name.clone(), arguments: arguments.clone() });
        Ok(ChatEvent::ToolCall { index, id: Some(id), name: Some(name), arguments })
    }

    /// The call that a part continues: the last with its number, or without one the last of all. A part with an id of its
    /// own begins a new call: some servers number every call 0, or none.
    fn known_call(&mut self, number: Option<u64>, id: Option<&str>) -> Option<(usize, &mut ToolCall)> {
        let known = self.call_numbers.iter().rposition(|known| number.is_none() || *known == number)?;
        let call = self.reply.tool_calls.get_mut(known)?;
        id.is_none_or(|id| id == call.id).then_some((known, call))
    }
}
