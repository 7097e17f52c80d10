//! What the requests of the vendors have in common.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;

/// Reads a body as JSON.
pub(super) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| bad_request(format!("the body cannot be read: {error}")))
}

pub(super) fn bad_request(reason: impl Into<String>) -> Failure {
    Failure::BadRequest { reason: reason.into() }
}

/// A text, or a list of parts some of which are text.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum TextOrParts<P> {
    Text(String),
    Parts(Vec<P>),
}

/// A part of a content that may be text.
#[derive(Debug, Deserialize)]
pub(super) struct TextPart {
    #[serde(default)]
    text: String,
}

impl TextOrParts<TextPart> {
    /// All text of it.
    pub(super) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.iter().map(|part| part.text.as_str()).collect(),
        }
    }
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn many(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

/// An object's arguments as the text in which a model would have written them.
pub(super) fn arguments(value: &Value) -> String {
    if value.is_null() { "{}".into() } else { value.to_string() }
}

/// Arguments as the object that they should be.
pub(super) fn object(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
}
