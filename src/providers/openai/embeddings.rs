use serde::Deserialize;
use serde_json::{Value, json};

use super::failure;
use super::reply::usage;
use crate::providers::reading::{believable, json, malformed};
use crate::providers::wire::WireRequest;
use crate::providers::{EmbeddingReply, EmbeddingRequest, ProviderError};

#[derive(Deserialize)]
struct Embeddings {
    data: Vec<Embedding>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vec<f64>,
}

/// The request for vectors.
pub(super) fn request(request: &EmbeddingRequest) -> WireRequest {
    let mut body = json!({"model": request.model, "input": request.texts, "encoding_format": "float"});
    if let (Some(dimensions), Value::Object(body)) = (request.dimensions, &mut body) {
        body.insert("dimensions".into(), json!(dimensions));
    }
    WireRequest { path: "/embeddings".into(), body }
}

/// Reads the vectors: one for each text, in the order of the texts, all of the same length, all numbers finite.
pub(super) fn reply(request: &EmbeddingRequest, body: &[u8]) -> Result<EmbeddingReply, ProviderError> {
    let read: Embeddings =
        json("a list of embeddings", body).map_err(|problem| failure::inside(body).unwrap_or(problem))?;
    let wanted = request.texts.len();
    if read.data.len() != wanted {
        return Err(malformed(format!("{} vectors for {wanted} texts", read.data.len())));
    }
    let mut vectors = vec![None; wanted];
    for (at, item) in read.data.into_iter().enumerate() {
        let index = item.index.unwrap_or(at);
        let slot = vectors.get_mut(index).filter(|slot| slot.is_none());
        let slot = slot.ok_or_else(|| malformed(format!("vector {index} is there twice, or for no text")))?;
        *slot = Some(item.embedding.into_iter().map(|number| number as f32).collect());
    }
    // As many vectors as places, none twice: every place is filled.
    let vectors: Vec<Vec<f32>> = vectors.into_iter().flatten().collect();
    let length = vectors.first().map(Vec::len).unwrap_or_default();
    if length == 0 || vectors.iter().any(|vector| vector.len() != length) {
        return Err(malformed("the vectors are empty or of different lengths"));
    }
    if let Some(asked) = request.dimensions.filter(|asked| *asked as usize != length) {
        return Err(malformed(format!("vectors of length {length}, but {asked} was asked for")));
    }
    if !vectors.iter().flatten().all(|number| number.is_finite()) {
        return Err(malformed("a vector holds a number that is not finite"));
    }
    let usage = read.usage.as_ref().and_then(usage).and_then(|usage| believable(usage, false));
    Ok(EmbeddingReply { vectors, usage, request_id: None })
}
