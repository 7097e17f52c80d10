use std::time::Duration;

use serde_json::{Value, json};

use super::call::{Answer, Call, Content, Form, words};
use super::failure::Failure;
use super::reading::bad_request;
use super::sample::shaped;
use super::script::Script;
use super::settings::{AnswerMode, MockSettings};
use crate::domain::{Tokens, Usage};
use crate::providers::{
    ChatMessage, ChatProvider, ChatReply, ChatRequest, Echo, Extractive, FinishReason, Limits, ProviderError, Role,
    ToolCall,
};

/// What is said, before it takes the form that was asked for.
struct Said {
    text: String,
    /// The same with its details, as fields that a schema may ask for.
    fields: Value,
    /// Whether the text already is an object, right or wrong, that must not be touched.
    is_object: bool,
    /// How long it takes, when that is not left to the latency settings.
    latency: Option<Duration>,
}

/// Answers a request, and says how long that takes when its line of the file does.
///
/// `id` is the request's own; `cached` are the tokens that count as cached and as written to the cache.
pub(super) async fn answer(
    settings: &MockSettings,
    script: &Script,
    call: &Call,
    id: &str,
    cached: (u64, u64),
) -> Result<(Answer, Option<Duration>), Failure> {
    let said = match settings.answers.mode {
        AnswerMode::Extractive => extract(settings, call).await?,
        AnswerMode::Echo => {
            let echo = Echo::new(Duration::ZERO, settings.answers.reply.clone());
            let reply = ask(&echo, &call.request).await?;
            with_fields(reply.text, None)
        }
        AnswerMode::File => {
            let line = script.line_for(call.asked()).ok_or_else(|| bad_request("no line of the file answers this"))?;
            let said = with_fields(line.reply.clone(), line.latency_ms.map(Duration::from_millis));
            Said { is_object: line.reply.starts_with('{'), ..said }
        }
    };
    let latency = said.latency;
    let (content, finish, stopped_at) = formed(call, said, id);
    let output = match &content {
        Content::Text(text) => words(text),
        Content::Tool(call) => words(&call.arguments),
        Content::Nothing => 0,
    };
    let usage = Usage {
        cached_input: Tokens(cached.0),
        cache_write: Tokens(cached.1),
        reasoning: Tokens(settings.reasoning_tokens),
        ..Usage::new(call.input_tokens(), output.saturating_add(settings.reasoning_tokens))
    };
    Ok((Answer { content, finish, stopped_at, usage: Some(usage) }, latency))
}

/// The form that was asked for: a tool's arguments, JSON, or plain text within its limits.
fn formed(call: &Call, said: Said, id: &str) -> (Content, FinishReason, Option<String>) {
    if let Some(tool) = call.called_tool() {
        let arguments = if said.is_object { said.text } else { shaped(&tool.parameters, &said.fields).to_string() };
        let call = ToolCall { id: format!("call_{id}"), name: tool.name.clone(), arguments };
        return (Content::Tool(call), FinishReason::ToolCalls, None);
    }
    // JSON is not cut: what a limit does to it is the fault `malformed_json`.
    match &call.form {
        Form::Schema(_) | Form::Json if said.is_object => (Content::Text(said.text), FinishReason::Stop, None),
        Form::Schema(schema) => (Content::Text(shaped(schema, &said.fields).to_string()), FinishReason::Stop, None),
        Form::Json => (Content::Text(said.fields.to_string()), FinishReason::Stop, None),
        Form::Text => {
            let (text, finish, stopped_at) = cut(said.text, &call.request);
            (Content::Text(text), finish, stopped_at)
        }
    }
}

/// What a provider of this program says to a request.
async fn ask(provider: &dyn ChatProvider, request: &ChatRequest) -> Result<ChatReply, Failure> {
    let reply = provider.chat(request, Limits::total(Duration::MAX)).await;
    reply.map_err(|error| match error {
        ProviderError::BadRequest { reason } => bad_request(reason),
        ProviderError::NoSuchModel { model } => Failure::NoSuchModel { model },
        other => bad_request(other.to_string()),
    })
}

/// The extractive model's answer. A prompt without a `<question>` element is a question as it is.
async fn extract(settings: &MockSettings, call: &Call) -> Result<Said, Failure> {
    let mut request = ChatRequest {
        model: settings.size_of(&call.request.model).extractive_model().to_owned(),
        messages: call.request.messages.clone(),
        max_output_tokens: call.request.max_output_tokens,
        extensions: settings.answers.extractive.clone(),
        ..ChatRequest::default()
    };
    if !request.messages.iter().any(|message| message.content.contains("<question>")) {
        let question = call.asked().replace('&', "&amp;").replace('<', "&lt;");
        request.messages.push(ChatMessage::new(Role::User, format!("<question>{question}</question>")));
    }
    let reply = ask(&Extractive, &request).await?;
    let fields = serde_json::from_str(&reply.text).ok().filter(Value::is_object);
    let text = fields.as_ref().and_then(|fields: &Value| fields.get("answer")?.as_str().map(str::to_owned));
    Ok(match (text, fields) {
        (Some(text), Some(fields)) => Said { text, fields, is_object: false, latency: None },
        _ => with_fields(reply.text, None),
    })
}

/// A text as an answer.
fn with_fields(text: String, latency: Option<Duration>) -> Said {
    let fields = json!({"answer": text, "citations": [], "confidence": 1.0, "refused": false});
    Said { text, fields, is_object: false, latency }
}

/// A text up to its first stop sequence and its output limit.
fn cut(mut text: String, request: &ChatRequest) -> (String, FinishReason, Option<String>) {
    let stops = request.stop.iter().filter(|stop| !stop.is_empty());
    let first_stop = stops.filter_map(|stop| Some((text.find(stop.as_str())?, stop))).min();
    if let Some((at, _)) = first_stop {
        text.truncate(at);
    }
    let stopped_at = first_stop.map(|(_, stop)| stop.clone());
    let limit = request.max_output_tokens.unwrap_or(u64::MAX);
    if words(&text) <= limit {
        return (text, FinishReason::Stop, stopped_at);
    }
    let mut tokens = 0;
    let fits = |part: &&str| {
        tokens += words(part);
        tokens <= limit
    };
    let kept: String = super::call::parts(&text).take_while(fits).collect();
    (kept.trim_end().to_owned(), FinishReason::Length, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(text: &str, max_output_tokens: u64, stop: &[&str]) -> (String, FinishReason, Option<String>) {
        let stop = stop.iter().map(ToString::to_string).collect();
        cut(text.into(), &ChatRequest { max_output_tokens: Some(max_output_tokens), stop, ..ChatRequest::default() })
    }

    #[test]
    fn an_answer_ends_at_its_limit_or_at_the_first_stop_sequence() {
        let text = "one two three, four";
        assert_eq!(limited(text, 4, &[]), (text.into(), FinishReason::Stop, None));
        assert_eq!(limited(text, 2, &[]), ("one two".into(), FinishReason::Length, None));
        assert_eq!(limited(text, 9, &["four", " th"]), ("one two".into(), FinishReason::Stop, Some(" th".into())));
        assert_eq!(limited(text, 1, &[" th"]), ("one".into(), FinishReason::Length, None));
    }
}
