use serde::Deserialize;
use serde_json::Value;

use crate::mock_provider::call::{Call, Form};
use crate::mock_provider::failure::Failure;
use crate::mock_provider::reading::{arguments, bad_request, json};
use crate::mock_provider::vendor::Endpoint;
use crate::providers::{ChatMessage, ChatRequest, Role, Tool, ToolCall, ToolChoice};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    contents: Vec<Content>,
    #[serde(alias = "system_instruction")]
    system_instruction: Option<Content>,
    #[serde(default)]
    tools: Vec<ToolItem>,
    #[serde(alias = "tool_config")]
    tool_config: Option<ToolConfig>,
    #[serde(default, alias = "generation_config")]
    generation_config: GenerationConfig,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    role: Speaker,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum Speaker {
    #[default]
    User,
    Model,
    Function,
    System,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    text: String,
    function_call: Option<FunctionCall>,
    function_response: Option<FunctionResponse>,
}

#[derive(Deserialize)]
struct FunctionCall {
    name: String,
    #[serde(default)]
    args: Value,
}

#[derive(Deserialize)]
struct FunctionResponse {
    name: String,
    #[serde(default)]
    response: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolItem {
    #[serde(default, alias = "function_declarations")]
    function_declarations: Vec<Declaration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Declaration {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default, alias = "parametersJsonSchema")]
    parameters: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig {
    #[serde(alias = "function_calling_config")]
    function_calling_config: Option<CallingConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig {
    mode: Option<String>,
    #[serde(default)]
    allowed_function_names: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct GenerationConfig {
    temperature: Option<f64>,
    max_output_tokens: Option<u64>,
    stop_sequences: Vec<String>,
    response_mime_type: Option<String>,
    #[serde(alias = "responseJsonSchema")]
    response_schema: Option<Value>,
}

/// Reads a request for content.
pub(super) fn read(endpoint: Endpoint<'_>, body: &[u8]) -> Result<Call, Failure> {
    let Endpoint::ChatAt { model, streamed } = endpoint else {
        return Err(bad_request("the path names no model"));
    };
    let body: Body = json(body)?;
    if body.contents.is_empty() {
        return Err(bad_request("* GenerateContentRequest.contents: contents is not specified"));
    }
    let system = body.system_instruction.into_iter().flat_map(|content| messages(content, Some(Role::System)));
    let messages = system.chain(body.contents.into_iter().flat_map(|content| messages(content, None))).collect();
    let declarations = body.tools.into_iter().flat_map(|item| item.function_declarations);
    let tools = declarations
        .map(|Declaration { name, description, parameters }| Tool { name, description, parameters })
        .collect();
    let config = body.generation_config;
    let request = ChatRequest {
        model: model.to_owned(),
        messages,
        temperature: config.temperature,
        max_output_tokens: config.max_output_tokens,
        stop: config.stop_sequences,
        tools,
        tool_choice: body.tool_config.and_then(|config| config.function_calling_config).and_then(choice),
        ..ChatRequest::default()
    };
    let is_json = config.response_mime_type.as_deref() == Some("application/json");
    let form = match config.response_schema {
        Some(schema) => Form::Schema(schema),
        None if is_json => Form::Json,
        None => Form::Text,
    };
    Ok(Call { request, streamed, form, stream_usage: true })
}

fn choice(config: CallingConfig) -> Option<ToolChoice> {
    match (config.mode.as_deref()?, config.allowed_function_names.into_iter().next()) {
        ("NONE", _) => Some(ToolChoice::None),
        ("ANY" | "VALIDATED", Some(name)) => Some(ToolChoice::Named(name)),
        ("ANY", None) => Some(ToolChoice::Required),
        _ => Some(ToolChoice::Auto),
    }
}

/// One content as messages: each function's result is one of its own.
fn messages(content: Content, role: Option<Role>) -> Vec<ChatMessage> {
    let role = role.unwrap_or(match content.role {
        Speaker::User | Speaker::Function => Role::User,
        Speaker::Model => Role::Assistant,
        Speaker::System => Role::System,
    });
    let mut said = ChatMessage::new(role, "");
    let mut results = Vec::new();
    for part in content.parts {
        said.content.push_str(&part.text);
        if let Some(FunctionCall { name, args }) = part.function_call {
            said.tool_calls.push(ToolCall { id: String::new(), name, arguments: arguments(&args) });
        }
        if let Some(FunctionResponse { name, response }) = part.function_response {
            let result = ChatMessage::new(Role::Tool, response.to_string());
            results.push(ChatMessage { tool_call_id: Some(name), ..result });
        }
    }
    if results.is_empty() || !said.content.is_empty() {
        results.push(said);
    }
    results
}
