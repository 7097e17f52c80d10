use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::words;
use super::failure::Failure;
use super::reading::{bad_request, json};
use super::settings::check_dimensions;
use crate::text;

/// How much each kind of feature counts.
const WORD: f32 = 1.0;
const FUNCTION_WORD: f32 = 0.2;
const WORD_PAIR: f32 = 0.5;
const TRIGRAM: f32 = 0.3;

/// A request for embeddings, in OpenAI's shape.
#[derive(Deserialize)]
pub(super) struct EmbeddingCall {
    pub(super) model: String,
    input: Input,
    dimensions: Option<u32>,
    #[serde(default)]
    encoding_format: Encoding,
}

/// Texts, or texts that are already tokens.
#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Texts(Vec<String>),
    Tokens(Vec<u32>),
    TokenLists(Vec<Vec<u32>>),
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Encoding {
    #[default]
    Float,
    Base64,
}

impl EmbeddingCall {
    /// Reads a request.
    pub(super) fn read(body: &[u8]) -> Result<Self, Failure> {
        let mut call: Self = json(body)?;
        let as_text = |tokens: &Vec<u32>| tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
        call.input = Input::Texts(match call.input {
            Input::Text(text) => vec![text],
            Input::Texts(texts) => texts,
            Input::Tokens(tokens) => vec![as_text(&tokens)],
            Input::TokenLists(lists) => lists.iter().map(as_text).collect(),
        });
        if call.texts().is_empty() || call.texts().iter().any(String::is_empty) {
            return Err(bad_request("'$.input' is invalid. Please check the API reference."));
        }
        if let Some(Err(problem)) = call.dimensions.map(check_dimensions) {
            return Err(bad_request(format!("Invalid value for 'dimensions': {problem}.")));
        }
        Ok(call)
    }

    fn texts(&self) -> &[String] {
        match &self.input {
            Input::Texts(texts) => texts,
            Input::Text(text) => std::slice::from_ref(text),
            Input::Tokens(_) | Input::TokenLists(_) => &[],
        }
    }

    pub(super) fn input_tokens(&self) -> u64 {
        self.texts().iter().map(|text| words(text)).sum()
    }

    /// The answer, in OpenAI's shape; `tokens` is what it claims to have read, `None` when it does not say.
    pub(super) fn reply(&self, default_dimensions: u32, tokens: Option<u64>, is_empty: bool) -> Value {
        let dimensions = self.dimensions.unwrap_or(default_dimensions) as usize;
        let encoded = |text: &String| {
            let vector = embed(text, dimensions);
            match self.encoding_format {
                Encoding::Float => json!(vector),
                Encoding::Base64 => {
                    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                    base64::engine::general_purpose::STANDARD.encode(bytes).into()
                }
            }
        };
        let item = |(index, text)| json!({"object": "embedding", "index": index, "embedding": encoded(text)});
        let data: Vec<Value> = self.texts().iter().enumerate().filter(|_| !is_empty).map(item).collect();
        let mut reply = json!({"object": "list", "data": data, "model": self.model});
        if let (Value::Object(reply), Some(tokens)) = (&mut reply, tokens) {
            reply.insert("usage".into(), json!({"prompt_tokens": tokens, "total_tokens": tokens}));
        }
        reply
    }
}

/// A text as a vector of length 1: its words, pairs of words and the trigrams of its words, hashed. Texts that share
/// them are near each other; it knows nothing of meaning.
///
/// Source: Weinberger et al. (2009), Feature Hashing for Large Scale Multitask Learning (with a sign from the hash).
pub(super) fn embed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions.max(1)];
    let mut add = |kind: u8, feature: &[&str], weight: f32| {
        let hash = hash(kind, feature);
        let place = (hash >> 1) as usize % dimensions.max(1);
        if let Some(value) = vector.get_mut(place) {
            *value += if hash & 1 == 0 { weight } else { -weight };
        }
    };
    let folded = text::fold(text);
    let mut before = None;
    for word in text::words(&folded) {
        add(0, &[word], if text::is_stop_word(word) { FUNCTION_WORD } else { WORD });
        if let Some(before) = before.replace(word) {
            add(1, &[before, word], WORD_PAIR);
        }
        let starts: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
        for (from, to) in starts.iter().zip(starts.iter().skip(3)) {
            add(2, &[word.get(*from..*to).unwrap_or_default()], TRIGRAM);
        }
    }
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length > 0.0 {
        for value in &mut vector {
            *value /= length;
        }
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}

/// FNV-1a with 64 bits, and a last mixing, since its low bits are poor.
///
/// Source: draft-eastlake-fnv; the mixing is MurmurHash3's `fmix64`.
fn hash(kind: u8, parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xFF]));
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let mut hash = std::iter::once(kind).chain(bytes).fold(0xCBF2_9CE4_8422_2325, fnv);
    for factor in [0xFF51_AFD7_ED55_8CCD, 0xC4CE_B9FE_1A85_EC53] {
        hash = (hash ^ (hash >> 33)).wrapping_mul(factor);
    }
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(one: &str, other: &str) -> f32 {
        embed(one, 384).iter().zip(embed(other, 384)).map(|(one, other)| one * other).sum()
    }

    #[test]
    fn similar_texts_are_near_each_other() {
        let asked = "How do I cap the monthly spend of a tenant?";
        assert!((similarity(asked, asked) - 1.0).abs() < 1e-5);
        let near = similarity(asked, "How can I set a cap on a tenant's monthly spending?");
        let far = similarity(asked, "Which webhook receives the alert?");
        assert!(near > 0.5 && far < 0.2, "{near} {far}");
    }

    #[test]
    fn vectors_repeat_and_have_length_1_whatever_the_text() {
        for text in ["", "…", "a", "straße 東京"] {
            let vector = embed(text, 64);
            assert_eq!(vector, embed(text, 64));
            assert!((vector.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5, "{text}");
        }
    }
}
