use bytes::Bytes;
use serde_json::Value;

use crate::domain::Usage;
use crate::providers::{ChatRequest, FinishReason, Role, Tool, ToolCall, ToolChoice};
use crate::text;

/// A request for a chat, whatever the vendor's shape.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) request: ChatRequest,
    pub(super) streamed: bool,
    pub(super) form: Form,
    /// Whether a stream ends with usage.
    pub(super) stream_usage: bool,
}

/// The form that an answer must have.
#[derive(Debug, Default)]
pub(super) enum Form {
    #[default]
    Text,
    /// Any JSON object.
    Json,
    /// JSON by this schema.
    Schema(Value),
}

impl Call {
    /// The last thing that the user said.
    pub(super) fn asked(&self) -> &str {
        let last = self.request.messages.iter().rev().find(|message| message.role == Role::User);
        last.map_or("", |message| message.content.as_str())
    }

    /// All system messages.
    pub(super) fn system(&self) -> impl Iterator<Item = &str> {
        let system = self.request.messages.iter().filter(|message| message.role == Role::System);
        system.map(|message| message.content.as_str())
    }

    pub(super) fn input_tokens(&self) -> u64 {
        self.request.messages.iter().map(|message| words(&message.content)).sum()
    }

    /// The tool that the answer calls: the one that is forced, or the one that the user says to call.
    pub(super) fn called_tool(&self) -> Option<&Tool> {
        let tools = &self.request.tools;
        match &self.request.tool_choice {
            Some(ToolChoice::None) => None,
            Some(ToolChoice::Named(name)) => tools.iter().find(|tool| tool.name == *name),
            Some(ToolChoice::Required) => self.named_tool().or(tools.first()),
            Some(ToolChoice::Auto) | None => self.named_tool(),
        }
    }

    /// The tool that the user says to call, unless a result of a tool came after that.
    fn named_tool(&self) -> Option<&Tool> {
        if self.request.messages.last().is_some_and(|message| message.role == Role::Tool) {
            return None;
        }
        let asked = self.asked();
        self.request.tools.iter().find(|tool| {
            asked
                .split("call the tool ")
                .skip(1)
                .filter_map(|rest| rest.trim_start_matches(['`', '"']).strip_prefix(tool.name.as_str()))
                .any(|after| !after.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '-')))
        })
    }
}

/// How many tokens a text counts: its words.
pub(super) fn words(text: &str) -> u64 {
    text::word_count(text) as u64
}

/// What the mock vendor answers, whatever its shape.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content: Content,
    pub(super) finish: FinishReason,
    /// The stop sequence that ended it.
    pub(super) stopped_at: Option<String>,
    /// `None` when the vendor does not say.
    pub(super) usage: Option<Usage>,
}

#[derive(Debug)]
pub(super) enum Content {
    Text(String),
    Tool(ToolCall),
    /// Not even a choice.
    Nothing,
}

/// All that a vendor's shape needs to write an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply<'a> {
    /// Hexadecimal digits that are the request's own.
    pub(super) id: &'a str,
    /// Seconds since 1970.
    pub(super) created: i64,
    pub(super) call: &'a Call,
    pub(super) answer: &'a Answer,
}

/// A part of an answer as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) bytes: Bytes,
    /// Whether it carries a token, for which the model needs time.
    pub(super) is_token: bool,
}

impl Event {
    pub(super) fn token(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), is_token: true }
    }

    pub(super) fn frame(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), is_token: false }
    }
}

/// A text in the parts in which a stream brings it: words with the white space after them.
pub(super) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::ChatMessage;

    fn tool(name: &str) -> Tool {
        Tool { name: name.into(), description: String::new(), parameters: Value::Null }
    }

    fn called(asked: &str, choice: Option<ToolChoice>) -> Option<String> {
        let request = ChatRequest {
            messages: vec![ChatMessage::new(Role::User, asked)],
            tools: vec![tool("get"), tool("get_order")],
            tool_choice: choice,
            ..ChatRequest::default()
        };
        Call { request, ..Call::default() }.called_tool().map(|tool| tool.name.clone())
    }

    #[test]
    fn a_tool_is_called_when_it_is_forced_or_named() {
        assert_eq!(called("hello", None), None);
        assert_eq!(called("please call the tool `get_order`.", None).as_deref(), Some("get_order"));
        assert_eq!(called("please call the tool get", None).as_deref(), Some("get"));
        assert_eq!(called("call the tool get_all", None), None);
        assert_eq!(called("call the tool get", Some(ToolChoice::None)), None);
        assert_eq!(called("hello", Some(ToolChoice::Required)).as_deref(), Some("get"));
        assert_eq!(called("hello", Some(ToolChoice::Named("get_order".into()))).as_deref(), Some("get_order"));
    }

    #[test]
    fn a_tool_that_has_answered_is_not_called_again() {
        let messages =
            vec![ChatMessage::new(Role::User, "call the tool get"), ChatMessage::new(Role::Tool, "{\"n\": 1}")];
        let request = ChatRequest { messages, tools: vec![tool("get")], ..ChatRequest::default() };
        assert!(Call { request, ..Call::default() }.called_tool().is_none());
    }

    #[test]
    fn parts_are_the_whole_text() {
        let text = " one  two\nthree";
        assert_eq!(parts(text).collect::<String>(), text);
        assert_eq!(parts("one two").collect::<Vec<_>>(), ["one ", "two"]);
    }
}
