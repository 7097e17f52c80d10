use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error;
use super::reply::{Block, Counts, Draft, input_text};
use crate::providers::reading::{json, malformed};
use crate::providers::wire::StreamReader;
use crate::providers::{ChatEvent, ProviderError, ToolCall};

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: Block,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: End,
        usage: Option<Value>,
    },
    MessageStop,
    Error {
        error: Value,
    },
    /// `ping`, and what the vendor may add.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Start {
    model: Option<String>,
    usage: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
    /// Thoughts, signatures, citations.
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct End {
    stop_reason: Option<String>,
}

/// A block whose end has not come yet.
#[derive(Debug)]
enum Open {
    Text,
    /// The forced tool, with the input that it started with.
    Answer(Value),
    /// A call: which one, and the input that it started with.
    Call(usize, Value),
    Ignored,
}

/// Reads one streamed answer.
#[derive(Debug)]
pub(super) struct Reader {
    model: String,
    draft: Draft,
    open: BTreeMap<u64, Open>,
}

impl Reader {
    pub(super) fn new(model: String, forces_answer: bool) -> Self {
        Self { model, draft: Draft::new(forces_answer), open: BTreeMap::new() }
    }

    fn start_block(&mut self, index: u64, block: Block) -> Result<Option<ChatEvent>, ProviderError> {
        let (open, event) = match block {
            Block::Text { text } => (Open::Text, self.add_text(text)),
            Block::ToolUse { name, input, .. } if self.draft.is_answer(&name) => {
                let first = self.draft.answer.is_none();
                self.draft.answer.get_or_insert_default();
                (if first { Open::Answer(input) } else { Open::Ignored }, None)
            }
            Block::ToolUse { id, name, input } => {
                let position = self.draft.calls.len();
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: String::new() };
                self.draft.calls.push(call);
                let (id, name) = (Some(id), Some(name));
                let event = ChatEvent::ToolCall { index: position, id, name, arguments: String::new() };
                (Open::Call(position, input), Some(event))
            }
            Block::Other => (Open::Ignored, None),
        };
        match self.open.insert(index, open) {
            Some(_) => Err(malformed("the stream starts a content block twice")),
            None => Ok(event),
        }
    }

    fn add(&mut self, index: u64, delta: Delta) -> Result<Option<ChatEvent>, ProviderError> {
        let Some(open) = self.open.get(&index) else {
            return Err(malformed("the stream goes on with a content block that it did not start"));
        };
        match (open, delta) {
            (Open::Ignored, _) | (_, Delta::Other) => Ok(None),
            (Open::Text, Delta::Text { text }) => Ok(self.add_text(text)),
            (Open::Answer(_), Delta::Input { partial_json }) => Ok(self.add_answer(partial_json)),
            (Open::Call(position, _), Delta::Input { partial_json }) => {
                let position = *position;
                Ok(self.add_arguments(position, partial_json))
            }
            _ => Err(malformed("the stream goes on with a content block of another kind than it started")),
        }
    }

    fn stop_block(&mut self, index: u64) -> Option<ChatEvent> {
        match self.open.remove(&index)? {
            // An input that came in no pieces is the one that the block started with.
            Open::Answer(input) if self.draft.answer.as_ref().is_some_and(String::is_empty) => {
                self.add_answer(input_text(&input))
            }
            Open::Call(position, input) if self.draft.calls.get(position)?.arguments.is_empty() => {
                self.add_arguments(position, input_text(&input))
            }
            _ => None,
        }
    }

    /// Where the answer is a forced tool's input, text beside it is kept for the case that none comes.
    fn add_text(&mut self, text: String) -> Option<ChatEvent> {
        self.draft.text.push_str(&text);
        (!text.is_empty() && !self.draft.forces_answer()).then_some(ChatEvent::Text(text))
    }

    fn add_answer(&mut self, part: String) -> Option<ChatEvent> {
        self.draft.answer.get_or_insert_default().push_str(&part);
        (!part.is_empty()).then_some(ChatEvent::Text(part))
    }

    fn add_arguments(&mut self, index: usize, part: String) -> Option<ChatEvent> {
        self.draft.calls.get_mut(index)?.arguments.push_str(&part);
        (!part.is_empty()).then_some(ChatEvent::ToolCall { index, id: None, name: None, arguments: part })
    }

    fn finish(&mut self) -> Result<Vec<ChatEvent>, ProviderError> {
        if !self.open.is_empty() {
            return Err(malformed("the stream ended inside a content block"));
        }
        let draft = std::mem::take(&mut self.draft);
        let late = draft.forces_answer() && draft.answer.is_none() && !draft.text.is_empty();
        let reply = draft.finish()?;
        let text = late.then(|| ChatEvent::Text(reply.text.clone()));
        Ok(text.into_iter().chain([ChatEvent::Done(Box::new(reply))]).collect())
    }
}

impl StreamReader for Reader {
    fn event(&mut self, _: &str, data: &str) -> Result<Vec<ChatEvent>, ProviderError> {
        let event = match json("an event of an answer", data.as_bytes())? {
            Event::MessageStart { message } => {
                self.draft.model = message.model;
                self.draft.counts = Counts::read(message.usage).of_start();
                None
            }
            Event::ContentBlockStart { index, content_block } => self.start_block(index, content_block)?,
            Event::ContentBlockDelta { index, delta } => self.add(index, delta)?,
            Event::ContentBlockStop { index } => self.stop_block(index),
            Event::MessageDelta { delta, usage } => {
                self.draft.stop_reason = delta.stop_reason.or(self.draft.stop_reason.take());
                self.draft.counts = self.draft.counts.updated(Counts::read(usage));
                None
            }
            Event::MessageStop => return self.finish(),
            Event::Error { error } => return Err(error::in_stream(&self.model, &error)),
            Event::Other => None,
        };
        Ok(event.into_iter().collect())
    }

    fn end(&mut self) -> Result<Option<ChatEvent>, ProviderError> {
        let received = self.draft.answer.as_ref().unwrap_or(&self.draft.text);
        Err(ProviderError::Truncated { received_chars: received.chars().count() })
    }
}
