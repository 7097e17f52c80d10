//! Sentence embeddings by a BERT model of the MiniLM class that runs in this process, from a directory of its files.
//!
//! The directory is laid out as `sentence-transformers` publishes models: `config.json`, `tokenizer.json` and
//! `model.safetensors`, and, where present, `modules.json`, `1_Pooling/config.json` and `sentence_bert_config.json`. It is
//! compiled in with the Cargo feature `local-embeddings`, which the ordinary build goes without.

mod error;

#[cfg(feature = "local-embeddings")]
mod built;
#[cfg(feature = "local-embeddings")]
mod files;
#[cfg(feature = "local-embeddings")]
mod model;
#[cfg(not(feature = "local-embeddings"))]
mod not_built;

pub use error::LocalEmbeddingError;

#[cfg(feature = "local-embeddings")]
pub use built::LocalEmbedder;
#[cfg(not(feature = "local-embeddings"))]
pub use not_built::LocalEmbedder;
