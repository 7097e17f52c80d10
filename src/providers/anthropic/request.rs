use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::providers::reading::{arguments, bad_request};
use crate::providers::{ChatMessage, ChatRequest, ProviderError, Role, Tool, ToolChoice};

/// The tool whose input is the answer, where a schema's form is forced.
pub(super) const ANSWER: &str = "answer";

/// The API wants a limit for every answer: this one when there is none.
const REQUIRED_LIMIT: u64 = 1024;

/// Parameters that belong to the request itself: the caller's conversation, and what its worst cost is reckoned from.
const NOT_EXTENSIONS: [&str; 5] = ["model", "messages", "stream", "system", "max_tokens"];

/// The body of a request.
///
/// # Errors
/// When the API cannot say it.
pub(super) fn body(request: &ChatRequest, streamed: bool, forces_answer: bool) -> Result<Value, ProviderError> {
    let mut extensions = request.extensions.clone();
    let caches_system = match extensions.shift_remove("cache_system") {
        None => false,
        Some(Value::Bool(caches)) => caches,
        Some(_) => return Err(bad_request("the parameter `cache_system` is not true or false")),
    };
    if let Some(name) = NOT_EXTENSIONS.iter().find(|name| extensions.contains_key(**name)) {
        return Err(bad_request(format!("the parameter `{name}` belongs to the request and cannot be set")));
    }
    if let Some(temperature) = request.temperature.filter(|temperature| !(0.0..=1.0).contains(temperature)) {
        return Err(bad_request(format!("Anthropic takes temperatures from 0 to 1, not {temperature}")));
    }
    let messages = turns(&request.messages)?;
    if messages.is_empty() {
        return Err(bad_request("the conversation has no message besides the system's"));
    }
    let (tools, tool_choice) = tools(request, forces_answer);
    let optional = [
        ("system", system(&request.messages, caches_system)),
        ("temperature", request.temperature.map(Value::from)),
        ("stop_sequences", (!request.stop.is_empty()).then(|| json!(request.stop))),
        ("tools", tools),
        ("tool_choice", tool_choice),
        ("stream", streamed.then_some(Value::Bool(true))),
    ];
    let mut body = Map::new();
    body.insert("model".into(), json!(request.model));
    body.insert("max_tokens".into(), json!(request.max_output_tokens.unwrap_or(REQUIRED_LIMIT)));
    body.insert("messages".into(), json!(messages));
    body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body.extend(extensions);
    Ok(Value::Object(body))
}

fn system(messages: &[ChatMessage], cached: bool) -> Option<Value> {
    let said: Vec<&str> = messages
        .iter()
        .filter(|message| message.role == Role::System && !message.content.trim().is_empty())
        .map(|message| message.content.as_str())
        .collect();
    let text = (!said.is_empty()).then(|| said.join("\n\n"))?;
    if !cached {
        return Some(json!(text));
    }
    Some(json!([{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]))
}

#[derive(Serialize)]
struct Turn {
    role: &'static str,
    content: Vec<Value>,
}

/// The conversation in turns: messages of one side after each other are one, and a tool's results are the user's.
fn turns(messages: &[ChatMessage]) -> Result<Vec<Turn>, ProviderError> {
    let mut turns: Vec<Turn> = Vec::new();
    for message in messages {
        let (role, content) = match message.role {
            Role::System => continue,
            Role::User => ("user", text_block(message).into_iter().collect()),
            Role::Assistant => ("assistant", assistant_blocks(message)?),
            Role::Tool => ("user", vec![tool_result(message)?]),
        };
        match turns.last_mut() {
            _ if content.is_empty() => {}
            Some(turn) if turn.role == role => turn.content.extend(content),
            _ => turns.push(Turn { role, content }),
        }
    }
    Ok(turns)
}

/// The vendor refuses blocks of nothing but white space.
fn text_block(message: &ChatMessage) -> Option<Value> {
    (!message.content.trim().is_empty()).then(|| json!({"type": "text", "text": message.content}))
}

fn assistant_blocks(message: &ChatMessage) -> Result<Vec<Value>, ProviderError> {
    let mut blocks: Vec<Value> = text_block(message).into_iter().collect();
    for call in &message.tool_calls {
        let input = arguments(&call.name, &call.arguments)?;
        blocks.push(json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input}));
    }
    Ok(blocks)
}

fn tool_result(message: &ChatMessage) -> Result<Value, ProviderError> {
    let Some(id) = &message.tool_call_id else {
        return Err(bad_request("a message of a tool does not say which call it is the result of"));
    };
    Ok(json!({"type": "tool_result", "tool_use_id": id, "content": message.content}))
}

fn tools(request: &ChatRequest, forces_answer: bool) -> (Option<Value>, Option<Value>) {
    if let Some(schema) = request.output_schema.as_ref().filter(|_| forces_answer) {
        let tool = json!({"name": ANSWER, "description": "Gives the answer.", "input_schema": schema.schema()});
        return (Some(json!([tool])), Some(json!({"type": "tool", "name": ANSWER})));
    }
    if request.tools.is_empty() {
        return (None, None);
    }
    let choice = request.tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!({"type": "auto"}),
        ToolChoice::None => json!({"type": "none"}),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) => json!({"type": "tool", "name": name}),
    });
    (Some(request.tools.iter().map(tool).collect()), choice)
}

fn tool(tool: &Tool) -> Value {
    let schema = if tool.parameters.is_null() { json!({"type": "object"}) } else { tool.parameters.clone() };
    match tool.description.as_str() {
        "" => json!({"name": tool.name, "input_schema": schema}),
        description => json!({"name": tool.name, "description": description, "input_schema": schema}),
    }
}
