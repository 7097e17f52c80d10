use serde_json::{Map, Value, json};

use super::dialect::Dialect;
use crate::providers::reading::bad_request;
use crate::providers::{ChatMessage, ChatRequest, ProviderError, Role, Tool, ToolCall, ToolChoice};

/// Parameters that tollgate itself decides. A second choice (`n`) would cost what nobody reserved.
const NOT_EXTENSIONS: &[&str] = &["model", "messages", "stream", "n"];
/// The names of the limit of an answer: an extension may choose the other name, and a lower limit.
const LIMIT_NAMES: &[&str] = &["max_tokens", "max_completion_tokens"];

/// The body of a chat request.
pub(super) fn body(
    request: &ChatRequest,
    streamed: bool,
    dialect: &Dialect,
    structured_output: bool,
) -> Result<Value, ProviderError> {
    let messages = request.messages.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("model", json!(request.model));
    set("messages", Value::Array(messages));
    if let Some(limit) = request.max_output_tokens {
        set(dialect.max_tokens, json!(limit));
    }
    if let Some(temperature) = request.temperature.filter(|_| dialect.takes_temperature(&request.model)) {
        set("temperature", json!(temperature));
    }
    // The parameter is a signed number.
    set(dialect.seed, json!(request.seed & i64::MAX.unsigned_abs()));
    if !request.stop.is_empty() {
        set("stop", json!(request.stop));
    }
    if !request.tools.is_empty() {
        set("tools", request.tools.iter().map(tool).collect());
        if let Some(choice) = &request.tool_choice {
            set("tool_choice", tool_choice(choice));
        }
    } else if let Some(schema) = request.output_schema.as_ref().filter(|_| structured_output) {
        let schema = json!({"name": "answer", "schema": schema.schema(), "strict": false});
        set("response_format", json!({"type": "json_schema", "json_schema": schema}));
    }
    if streamed {
        set("stream", json!(true));
        if dialect.stream_options {
            set("stream_options", json!({"include_usage": true}));
        }
    }
    extend(&mut body, request)?;
    Ok(Value::Object(body))
}

fn extend(body: &mut Map<String, Value>, request: &ChatRequest) -> Result<(), ProviderError> {
    for (name, value) in &request.extensions {
        if NOT_EXTENSIONS.contains(&name.as_str()) {
            return Err(bad_request(format!(
                "`{name}` cannot be set as a parameter of the provider: tollgate sets it"
            )));
        }
        if LIMIT_NAMES.contains(&name.as_str()) {
            let limit = request.max_output_tokens.unwrap_or(u64::MAX);
            if value.as_u64().is_none_or(|wanted| wanted > limit) {
                return Err(bad_request(format!(
                    "`{name}` cannot be above max_output_tokens ({limit}), which is what is paid for"
                )));
            }
            body.retain(|name, _| !LIMIT_NAMES.contains(&name.as_str()));
        }
        body.insert(name.clone(), value.clone());
    }
    Ok(())
}

fn message(message: &ChatMessage) -> Result<Value, ProviderError> {
    let content = &message.content;
    Ok(match message.role {
        Role::System => json!({"role": "system", "content": content}),
        Role::User => json!({"role": "user", "content": content}),
        Role::Assistant if message.tool_calls.is_empty() => json!({"role": "assistant", "content": content}),
        Role::Assistant => {
            let content = (!content.is_empty()).then_some(content);
            let calls: Vec<Value> = message.tool_calls.iter().map(tool_call).collect();
            json!({"role": "assistant", "content": content, "tool_calls": calls})
        }
        Role::Tool => {
            let Some(id) = &message.tool_call_id else {
                return Err(bad_request("a message of a tool does not say which call it answers (tool_call_id)"));
            };
            json!({"role": "tool", "tool_call_id": id, "content": content})
        }
    })
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
}

fn tool(tool: &Tool) -> Value {
    json!({
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    })
}

fn tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({"type": "function", "function": {"name": name}}),
    }
}
