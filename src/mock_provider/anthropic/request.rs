use serde::Deserialize;
use serde_json::Value;

use crate::mock_provider::call::{Call, Form};
use crate::mock_provider::failure::Failure;
use crate::mock_provider::reading::{TextOrParts, TextPart, arguments, bad_request, json};
use crate::providers::{ChatMessage, ChatRequest, Role, Tool, ToolCall, ToolChoice};

#[derive(Deserialize)]
struct Body {
    model: String,
    messages: Vec<Message>,
    max_tokens: Option<u64>,
    system: Option<TextOrParts<TextPart>>,
    temperature: Option<f64>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stop_sequences: Vec<String>,
    #[serde(default)]
    tools: Vec<ToolItem>,
    tool_choice: Option<Choice>,
    output_format: Option<Format>,
    output_config: Option<OutputConfig>,
}

#[derive(Deserialize)]
struct Message {
    role: Speaker,
    content: TextOrParts<Block>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    User,
    Assistant,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text {
        text: String,
    },
    ToolUse {
        id: String,
        name: String,
        #[serde(default)]
        input: Value,
    },
    ToolResult {
        tool_use_id: String,
        content: Option<TextOrParts<TextPart>>,
    },
    /// Images, documents, thoughts: the mock vendor has no use for them.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct ToolItem {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    input_schema: Value,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Choice {
    Auto,
    Any,
    None,
    Tool { name: String },
}

#[derive(Deserialize)]
struct OutputConfig {
    format: Option<Format>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Format {
    JsonSchema { schema: Value },
}

/// Reads a request for a message.
pub(super) fn read(body: &[u8]) -> Result<Call, Failure> {
    let body: Body = json(body)?;
    let max_output_tokens = match body.max_tokens {
        None => return Err(bad_request("max_tokens: Field required")),
        Some(0) => return Err(bad_request("max_tokens: Input should be greater than or equal to 1")),
        Some(max_tokens) => max_tokens,
    };
    if body.messages.is_empty() {
        return Err(bad_request("messages: at least one message is required"));
    }
    let system = body.system.map(|system| ChatMessage::new(Role::System, system.text()));
    let messages = system.into_iter().chain(body.messages.into_iter().flat_map(messages)).collect();
    let tools: Vec<Tool> = body
        .tools
        .into_iter()
        .map(|ToolItem { name, description, input_schema }| Tool { name, description, parameters: input_schema })
        .collect();
    let tool_choice = body.tool_choice.map(|choice| match choice {
        Choice::Auto => ToolChoice::Auto,
        Choice::Any => ToolChoice::Required,
        Choice::None => ToolChoice::None,
        Choice::Tool { name } => ToolChoice::Named(name),
    });
    if let Some(ToolChoice::Named(name)) = &tool_choice
        && !tools.iter().any(|tool| tool.name == *name)
    {
        return Err(bad_request(format!("tool_choice: Tool '{name}' not found in provided tools")));
    }
    let format = body.output_format.or(body.output_config.and_then(|config| config.format));
    let request = ChatRequest {
        model: body.model,
        messages,
        temperature: body.temperature,
        max_output_tokens: Some(max_output_tokens),
        stop: body.stop_sequences,
        tools,
        tool_choice,
        ..ChatRequest::default()
    };
    let form = format.map_or(Form::Text, |Format::JsonSchema { schema }| Form::Schema(schema));
    Ok(Call { request, streamed: body.stream, form, stream_usage: true })
}

/// One turn as messages: each tool's result is one of its own.
fn messages(turn: Message) -> Vec<ChatMessage> {
    let role = match turn.role {
        Speaker::User => Role::User,
        Speaker::Assistant => Role::Assistant,
    };
    let blocks = match turn.content {
        TextOrParts::Text(text) => return vec![ChatMessage::new(role, text)],
        TextOrParts::Parts(blocks) => blocks,
    };
    let mut said = ChatMessage::new(role, "");
    let mut results = Vec::new();
    for block in blocks {
        match block {
            Block::Text { text } => said.content.push_str(&text),
            Block::ToolUse { id, name, input } => {
                said.tool_calls.push(ToolCall { id, name, arguments: arguments(&input) });
            }
            Block::ToolResult { tool_use_id, content } => results.push(ChatMessage {
                tool_call_id: Some(tool_use_id),
                ..ChatMessage::new(Role::Tool, content.map(TextOrParts::text).unwrap_or_default())
            }),
            Block::Other => {}
        }
    }
    if results.is_empty() || !said.content.is_empty() {
        results.push(said);
    }
    results
}
