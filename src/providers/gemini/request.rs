use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::reply::is_made_up;
use crate::providers::reading::{arguments, bad_request};
use crate::providers::{ChatMessage, ChatRequest, ProviderError, Role, Tool, ToolChoice};

/// Parameters that belong to the request itself, without case and underscores: the API takes both spellings.
const NOT_EXTENSIONS: [&str; 3] = ["model", "contents", "systeminstruction"];
/// Of `generationConfig`: what the request's worst cost is reckoned from.
const NOT_GENERATION_CONFIG: [&str; 2] = ["maxoutputtokens", "candidatecount"];

/// Stands for the signature of a call that has none, which the API demands from the third generation on.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The path and query for this model: `NAME`, or the full name of a resource such as `tunedModels/NAME`.
///
/// # Errors
/// [`ProviderError::BadRequest`] when it cannot be the name of a model.
pub(super) fn path(model: &str, streamed: bool) -> Result<String, ProviderError> {
    let is_name = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && part.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '.' | '_' | '-'))
    };
    if !model.split('/').all(is_name) {
        return Err(bad_request(format!("`{model}` cannot be the name of a Gemini model")));
    }
    let collection = if model.contains('/') { "" } else { "models/" };
    let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
    Ok(format!("/v1beta/{collection}{model}:{method}"))
}

/// The body of a request.
///
/// # Errors
/// When the API cannot say it.
pub(super) fn body(request: &ChatRequest, structured_output: bool) -> Result<Value, ProviderError> {
    let contents = contents(request)?;
    if contents.is_empty() {
        return Err(bad_request("the conversation has no message besides the system's"));
    }
    let mut extensions = request.extensions.clone();
    refuse(&extensions, &NOT_EXTENSIONS)?;
    let mut generation_config = generation_config(request, structured_output);
    match extensions.shift_remove("generationConfig") {
        None => {}
        Some(Value::Object(more)) => {
            refuse(&more, &NOT_GENERATION_CONFIG)?;
            generation_config.extend(more);
        }
        Some(_) => return Err(bad_request("the parameter `generationConfig` is not a table")),
    }
    if let Some(name) = extensions.keys().find(|name| plain(name) == "generationconfig") {
        return Err(bad_request(format!("the parameter `{name}` is spelled `generationConfig`")));
    }
    let optional = [
        ("systemInstruction", system(&request.messages)),
        ("tools", tools(&request.tools)),
        ("toolConfig", request.tool_choice.as_ref().filter(|_| !request.tools.is_empty()).map(tool_config)),
    ];
    let mut body = Map::new();
    body.insert("contents".into(), json!(contents));
    body.insert("generationConfig".into(), Value::Object(generation_config));
    body.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body.extend(extensions);
    Ok(Value::Object(body))
}

fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

fn refuse(given: &Map<String, Value>, refused: &[&str]) -> Result<(), ProviderError> {
    match given.keys().find(|name| refused.contains(&plain(name).as_str())) {
        Some(name) => Err(bad_request(format!("the parameter `{name}` belongs to the request and cannot be set"))),
        None => Ok(()),
    }
}

fn generation_config(request: &ChatRequest, structured_output: bool) -> Map<String, Value> {
    // The API refuses functions together with a form of the answer.
    let schema = request.output_schema.as_ref().filter(|_| structured_output && request.tools.is_empty());
    let optional = [
        ("temperature", request.temperature.map(Value::from)),
        ("stopSequences", (!request.stop.is_empty()).then(|| json!(request.stop))),
        ("responseMimeType", schema.map(|_| json!("application/json"))),
        ("responseJsonSchema", schema.map(|schema| schema.schema().clone())),
    ];
    let mut config = Map::new();
    config.extend(request.max_output_tokens.map(|limit| ("maxOutputTokens".to_owned(), json!(limit))));
    // The API's seed has 32 bits with a sign.
    config.insert("seed".into(), json!(request.seed & 0x7FFF_FFFF));
    config.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    config
}

fn has_text(message: &ChatMessage) -> bool {
    !message.content.trim().is_empty()
}

fn system(messages: &[ChatMessage]) -> Option<Value> {
    let said = messages.iter().filter(|message| message.role == Role::System && has_text(message));
    let parts: Vec<Value> = said.map(|message| json!({"text": message.content})).collect();
    (!parts.is_empty()).then(|| json!({"parts": parts}))
}

#[derive(Serialize)]
struct Content {
    role: &'static str,
    parts: Vec<Value>,
}

/// The conversation in turns: messages of one side after each other are one, and functions' results are the user's.
fn contents(request: &ChatRequest) -> Result<Vec<Content>, ProviderError> {
    let mut contents: Vec<Content> = Vec::new();
    let mut called: HashMap<&str, &str> = HashMap::new();
    for message in &request.messages {
        let text = has_text(message).then(|| json!({"text": message.content}));
        let (role, parts) = match message.role {
            Role::System => continue,
            Role::User => ("user", text.into_iter().collect()),
            Role::Assistant => {
                called.extend(message.tool_calls.iter().map(|call| (call.id.as_str(), call.name.as_str())));
                let calls = function_calls(message, wants_signatures(&request.model))?;
                ("model", text.into_iter().chain(calls).collect())
            }
            Role::Tool => ("user", vec![function_response(message, &called)?]),
        };
        match contents.last_mut() {
            _ if parts.is_empty() => {}
            Some(content) if content.role == role => content.parts.extend(parts),
            _ => contents.push(Content { role, parts }),
        }
    }
    Ok(contents)
}

/// Whether the API refuses calls without the signature that it gave with them, which a conversation does not keep.
fn wants_signatures(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let version = name.strip_prefix("gemini-").and_then(|rest| rest.split(['-', '.']).next());
    version.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 3)
}

fn function_calls(message: &ChatMessage, signed: bool) -> Result<Vec<Value>, ProviderError> {
    let mut parts = Vec::new();
    for (index, call) in message.tool_calls.iter().enumerate() {
        let mut said = json!({"name": call.name, "args": arguments(&call.name, &call.arguments)?});
        add_id(&mut said, &call.id);
        let mut part = json!({"functionCall": said});
        // The first of several calls carries the signature of all.
        if let Some(part) = part.as_object_mut().filter(|_| signed && index == 0) {
            part.insert("thoughtSignature".into(), json!(NO_SIGNATURE));
        }
        parts.push(part);
    }
    Ok(parts)
}

fn function_response(message: &ChatMessage, called: &HashMap<&str, &str>) -> Result<Value, ProviderError> {
    let Some(id) = &message.tool_call_id else {
        return Err(bad_request("a message of a tool does not say which call it is the result of"));
    };
    let Some(name) = called.get(id.as_str()) else {
        return Err(bad_request(format!("a message of a tool is the result of `{id}`, which was not called before")));
    };
    let response = match serde_json::from_str(&message.content) {
        Ok(result @ Value::Object(_)) => result,
        _ => json!({"output": message.content}),
    };
    let mut said = json!({"name": name, "response": response});
    add_id(&mut said, id);
    Ok(json!({"functionResponse": said}))
}

fn add_id(said: &mut Value, id: &str) {
    if let Some(said) = said.as_object_mut().filter(|_| !is_made_up(id)) {
        said.insert("id".into(), json!(id));
    }
}

fn tools(tools: &[Tool]) -> Option<Value> {
    let declarations: Vec<Value> = tools.iter().map(declaration).collect();
    (!declarations.is_empty()).then(|| json!([{"functionDeclarations": declarations}]))
}

fn declaration(tool: &Tool) -> Value {
    let optional = [
        ("description", (!tool.description.is_empty()).then(|| json!(tool.description))),
        ("parametersJsonSchema", (!tool.parameters.is_null()).then(|| tool.parameters.clone())),
    ];
    let name = ("name".to_owned(), json!(tool.name));
    let rest = optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(std::iter::once(name).chain(rest).collect())
}

fn tool_config(choice: &ToolChoice) -> Value {
    let calling = match choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Named(name) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
    };
    json!({"functionCallingConfig": calling})
}
