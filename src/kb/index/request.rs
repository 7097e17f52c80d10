use serde::{Deserialize, Serialize};

use crate::kb::fuse::Components;

/// One chunk to be made searchable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexChunk {
    /// The chunk's stable id; unique in the index.
    pub id: String,
    /// The document that it belongs to; documents are replaced and removed whole.
    pub document: String,
    /// The tenant that may read it, or the shared scope. Holds no NUL.
    pub scope: String,
    /// The headings above it; they weigh like a second body.
    pub heading: String,
    /// What it says.
    pub text: String,
}

/// Which scores rank the chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    /// BM25 alone.
    Keyword,
    /// The vectors alone.
    Vector,
    /// Both, fused.
    #[default]
    Hybrid,
}

/// One search.
#[derive(Debug, Clone, Copy)]
pub struct SearchRequest<'a> {
    /// What is asked, as the user wrote it: no syntax, every character is text.
    pub query: &'a str,
    /// The scopes whose chunks may be seen.
    pub scopes: &'a [&'a str],
    /// Which scores rank.
    pub mode: SearchMode,
    /// How many hits at most.
    pub limit: usize,
    /// How many chunks each side proposes before they are fused; at least `limit` are taken.
    pub candidates: usize,
    /// The vectors' share of a hybrid score, 0..=1.
    pub vector_weight: f64,
    /// What the embedder of the dense vectors made of `query`. With it, and once there are dense vectors, these are the
    /// vectors that count; without it the lexical ones.
    pub query_vector: Option<&'a [f32]>,
}

/// A chunk that was found.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Hit {
    /// The chunk's id.
    pub chunk: String,
    /// The document's id.
    pub document: String,
    /// The headings above it.
    pub heading: String,
    /// The fused score, 0..=1, comparable within one search only.
    pub score: f64,
    /// How the score came about.
    pub explain: Components,
    /// The chunk's words that met the query, in the query's order: its own words, and (for the vectors) similar ones.
    pub matched_terms: Vec<String>,
}
