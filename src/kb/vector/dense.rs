//! Dense vectors: what an embedding model made of each chunk, and the chunks whose vectors are nearest to a query's.
//!
//! - A flat scan over vectors of bytes proposes candidates; the exact vectors, which stay on disk, score them. Over
//!   100,000 × 384 the bytes take 38 MB of memory, the floats 154 MB of disk.
//! - **Tenancy.** The vectors of a scope lie together, and a scan walks only through those of the scopes that the query
//!   may see. Which chunk a vector belongs to is looked up within its scope of the index, too.
//! - The file is derived from the store's cache of vectors, and can be deleted at any time. It names the embedder and the
//!   version of the knowledge that it was made of; vectors of another embedder are never compared with.

mod error;
mod file;
mod located;
mod quantize;
mod query;
mod rows;

use std::ops::Range;
use std::path::Path;

pub use error::DenseError;
pub(in crate::kb) use file::{Writer, checksum};
pub(in crate::kb) use located::{DenseSide, LocatedVectors};

use query::Query;
use rows::RowFile;

use crate::domain::ContentHash;
use crate::report;

/// Candidates of a scan that are scored exactly, at least.
const RERANK: usize = 40;

/// What the vectors were made of and by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Origin {
    /// The embedder's id.
    pub embedder: String,
    /// The version of all knowledge.
    pub knowledge: ContentHash,
}

/// The vectors of one scope.
struct Group {
    scope: String,
    rows: Range<usize>,
}

/// The dense vectors of all chunks of a project: bytes in memory, floats on disk.
pub struct DenseVectors {
    origin: Origin,
    dimensions: usize,
    groups: Vec<Group>,
    /// The chunks' ids, by row.
    chunks: Vec<String>,
    bytes: Vec<i8>,
    scales: Vec<f32>,
    exact: RowFile,
    checksum: ContentHash,
}

/// One scan, which is compiled for each kind of processor.
struct Scan<'a> {
    vectors: &'a DenseVectors,
    query: &'a Query,
    scopes: &'a [&'a str],
    limit: usize,
}

impl pulp::WithSimd for Scan<'_> {
    type Output = Vec<usize>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what is dispatched must be compiled into its caller")]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Vec<usize> {
        self.vectors.scan_here(self.query, self.scopes, self.limit)
    }
}

impl DenseVectors {
    /// Writes the vectors of `(scope, chunk, vector)`, all of one length, to `path`; the file is as before or complete.
    ///
    /// # Errors
    /// When a vector is of another length than the first, is all zeros, or holds something that is not a number.
    pub fn write<'a>(
        path: &Path,
        origin: &Origin,
        vectors: impl IntoIterator<Item = (&'a str, &'a str, &'a [f32])>,
    ) -> std::io::Result<()> {
        report::replace_file(path, |out| {
            let mut writer = Writer::new(out)?;
            for (scope, chunk, vector) in vectors {
                writer.push(scope, chunk, vector)?;
            }
            writer.finish(origin)
        })
    }

    /// Reads the vectors in `path`, if `is_wanted`.
    ///
    /// # Errors
    /// [`DenseError::Missing`] when there is no file, [`DenseError::Damaged`] when it is not whole.
    pub fn open(path: &Path, is_wanted: impl FnOnce(&Origin) -> bool) -> Result<Option<Self>, DenseError> {
        file::read(path, is_wanted)
    }

    /// The checksum that their file ends with.
    pub(in crate::kb) fn checksum(&self) -> &ContentHash {
        &self.checksum
    }

    /// What the vectors were made of and by.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Number of vectors.
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there is no vector.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Length of each vector; 0 when there is none.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The `limit` chunks of `scopes` that are nearest to `query`, with their cosines (−1..=1), best first.
    ///
    /// # Errors
    /// [`DenseError::QueryLength`] when the query is not as long as the vectors.
    pub fn nearest(&self, query: &[f32], scopes: &[&str], limit: usize) -> Result<Vec<(&str, f32)>, DenseError> {
        let query = Query::new(query, self.dimensions)?;
        let mut found = Vec::new();
        let mut row_bytes = Vec::new();
        for row in self.scan(&query, scopes, limit.max(RERANK)) {
            found.push((row, self.cosine(&query, row, &mut row_bytes)?));
        }
        found.sort_by(|(one_row, one), (other_row, other)| other.total_cmp(one).then(one_row.cmp(other_row)));
        let named = |(row, cosine): (usize, f32)| Some((self.chunks.get(row)?.as_str(), cosine));
        Ok(found.into_iter().take(limit).filter_map(named).collect())
    }

    /// The `limit` rows of `scopes` that are nearest to the query by their bytes, in no particular order; of equal ones
    /// the first.
    fn scan(&self, query: &Query, scopes: &[&str], limit: usize) -> Vec<usize> {
        // Compiled for the processor's widest vectors too, and chosen at run time: a third of the time.
        pulp::Arch::new().dispatch(Scan { vectors: self, query, scopes, limit })
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "what is dispatched must be compiled into its caller")]
    fn scan_here(&self, query: &Query, scopes: &[&str], limit: usize) -> Vec<usize> {
        let mut top = Top::new(limit);
        for group in self.groups.iter().filter(|group| scopes.contains(&group.scope.as_str())) {
            let bytes = group.rows.start * self.dimensions..group.rows.end * self.dimensions;
            let (Some(bytes), Some(scales)) = (self.bytes.get(bytes), self.scales.get(group.rows.clone())) else {
                continue;
            };
            let vectors = bytes.chunks_exact(self.dimensions.max(1));
            for ((row, vector), scale) in group.rows.clone().zip(vectors).zip(scales) {
                // The query's own scale is the same for every row.
                top.offer(quantize::product(vector, &query.bytes) as f32 * scale, row);
            }
        }
        top.rows()
    }

    /// The exact cosine of the query and a row, −1..=1.
    fn cosine(&self, query: &Query, row: usize, row_bytes: &mut Vec<u8>) -> std::io::Result<f32> {
        self.exact.read(row, row_bytes)?;
        let values = row_bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Ok(values.zip(&query.unit).map(|(one, other)| one * other).sum::<f32>().clamp(-1.0, 1.0))
    }
}

/// The best so far.
struct Top {
    limit: usize,
    /// No more than twice the limit; what lies beyond the limit is cut off when it is full.
    found: Vec<(f32, usize)>,
    /// The lowest score among the best; a row must be better.
    floor: f32,
}

impl Top {
    fn new(limit: usize) -> Self {
        Self { limit, found: Vec::with_capacity(limit * 2), floor: f32::NEG_INFINITY }
    }

    fn offer(&mut self, score: f32, row: usize) {
        if score > self.floor {
            self.found.push((score, row));
            if self.found.len() >= self.limit * 2 {
                self.cut();
            }
        }
    }

    fn cut(&mut self) {
        let Some(last) = self.limit.checked_sub(1) else { return self.found.clear() };
        if last < self.found.len() {
            let order = |one: &(f32, usize), other: &(f32, usize)| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1));
            let (_, (lowest, _), _) = self.found.select_nth_unstable_by(last, order);
            self.floor = *lowest;
            self.found.truncate(self.limit);
        }
    }

    fn rows(mut self) -> Vec<usize> {
        self.cut();
        self.found.into_iter().map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod tests;
