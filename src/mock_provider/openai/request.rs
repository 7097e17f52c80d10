use serde::Deserialize;
use serde_json::Value;

use crate::mock_provider::call::{Call, Form};
use crate::mock_provider::failure::Failure;
use crate::mock_provider::reading::{OneOrMany, TextOrParts, TextPart, bad_request, json};
use crate::providers::{ChatMessage, ChatRequest, Role, Tool, ToolCall, ToolChoice};

#[derive(Deserialize)]
struct Body {
    model: String,
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    temperature: Option<f64>,
    stop: Option<OneOrMany>,
    #[serde(default)]
    tools: Vec<ToolItem>,
    tool_choice: Option<Choice>,
    response_format: Option<Format>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: Speaker,
    content: Option<TextOrParts<TextPart>>,
    #[serde(default)]
    tool_calls: Vec<CallItem>,
    tool_call_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    #[serde(alias = "developer")]
    System,
    User,
    Assistant,
    #[serde(alias = "function")]
    Tool,
}

#[derive(Deserialize)]
struct CallItem {
    id: String,
    function: CalledFunction,
}

#[derive(Deserialize)]
struct CalledFunction {
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct ToolItem {
    function: ToolFunction,
}

/// [`Tool`], whose parameters may be left out.
#[derive(Deserialize)]
struct ToolFunction {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Choice {
    Word(ChoiceWord),
    Function { function: Named },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChoiceWord {
    None,
    Auto,
    Required,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    Text,
    JsonObject,
    JsonSchema { json_schema: NamedSchema },
}

#[derive(Deserialize)]
struct NamedSchema {
    #[serde(default)]
    schema: Value,
}

/// Reads a request for a chat completion.
pub(super) fn read(body: &[u8]) -> Result<Call, Failure> {
    let body: Body = json(body)?;
    if body.messages.is_empty() {
        return Err(bad_request("Invalid 'messages': empty array. Expected an array with minimum length 1."));
    }
    let tools: Vec<Tool> = body
        .tools
        .into_iter()
        .map(|ToolItem { function: ToolFunction { name, description, parameters } }| Tool {
            name,
            description,
            parameters,
        })
        .collect();
    let tool_choice = body.tool_choice.map(|choice| match choice {
        Choice::Word(ChoiceWord::None) => ToolChoice::None,
        Choice::Word(ChoiceWord::Auto) => ToolChoice::Auto,
        Choice::Word(ChoiceWord::Required) => ToolChoice::Required,
        Choice::Function { function } => ToolChoice::Named(function.name),
    });
    if let Some(ToolChoice::Named(name)) = &tool_choice
        && !tools.iter().any(|tool| tool.name == *name)
    {
        return Err(bad_request(format!("Tool choice '{name}' not found in 'tools' parameter.")));
    }
    let request = ChatRequest {
        model: body.model,
        messages: body.messages.into_iter().map(message).collect(),
        temperature: body.temperature,
        max_output_tokens: body.max_completion_tokens.or(body.max_tokens),
        stop: body.stop.map(OneOrMany::many).unwrap_or_default(),
        tools,
        tool_choice,
        ..ChatRequest::default()
    };
    let form = match body.response_format {
        None | Some(Format::Text) => Form::Text,
        Some(Format::JsonObject) => Form::Json,
        Some(Format::JsonSchema { json_schema }) => Form::Schema(json_schema.schema),
    };
    let stream_usage = body.stream_options.is_some_and(|options| options.include_usage);
    Ok(Call { request, streamed: body.stream, form, stream_usage })
}

fn message(message: Message) -> ChatMessage {
    let call = |call: CallItem| ToolCall { id: call.id, name: call.function.name, arguments: call.function.arguments };
    ChatMessage {
        role: match message.role {
            Speaker::System => Role::System,
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::Tool => Role::Tool,
        },
        content: message.content.map(TextOrParts::text).unwrap_or_default(),
        tool_calls: message.tool_calls.into_iter().map(call).collect(),
        tool_call_id: message.tool_call_id,
    }
}
