//! The vector side of search. What is built in is *lexical*: no model, no weights, no network.
//!
//! A chunk's vector counts its words, its pairs of adjacent words and the character 3-grams inside its words, hashed into
//! 2^20 features, weighted by the square root of the count and by IDF, and compared by cosine. Against exact words it
//! adds word forms, misspellings and phrases; it knows nothing of synonyms or paraphrase.
//!
//! - 3-grams with marked word ends do as well as 3- to 5-grams (on product documentation, hybrid nDCG@10 .831 to .838 and
//!   recall@5 .840 to .850 for every choice of lengths) and make the vectors less than half as long.
//! - Vectors are kept encoded in a column of the index, so that deletes, merges and commits come for free. Norms are not
//!   stored: IDF changes with every commit, and summing a vector of 400 features is as fast as reading it.
//! - IDF comes from [`Frequencies`], counted over the live chunks at each commit and cached beside the index.
//! - Nothing scans all vectors. They rerank the keyword candidates and those of one more keyword search, in which each
//!   word of the query also stands for the similar words that the index knows ([`LexicalVectors`]). Over 100,000 chunks,
//!   50 candidates a side hold 96 to 99 % of the best five that fusing every chunk would give.
//!
//! Dense vectors of an embedding model, where one is configured, take the place of the lexical ones as another
//! [`VectorSide`] ([`dense`]); the union and the fusion stay as they are.

mod dense;
mod features;
mod frequencies;
mod lexical;
mod similar_words;

use tantivy::DocAddress;

use super::index::{IndexError, QueryWords};

pub use dense::{DenseError, DenseVectors, Origin};
pub(super) use dense::{DenseSide, LocatedVectors, Writer, checksum};
pub(super) use features::features_of_chunk;
pub(super) use frequencies::Frequencies;
pub(super) use lexical::LexicalVectors;

/// Something that compares one query with chunks by their vectors.
pub(super) trait VectorSide {
    /// At most about `limit` chunks, besides the keyword candidates, that may be near the query.
    fn candidates(&self, limit: usize) -> Result<Vec<DocAddress>, IndexError>;
    /// The words of the index that are similar to the query's words, and not among them.
    fn similar_words(&self) -> QueryWords {
        QueryWords::default()
    }
    /// The similarity (0..=1) of each of `chunks` to the query, in their order.
    fn similarities(&self, chunks: &[DocAddress]) -> Result<Vec<f64>, IndexError>;
}
