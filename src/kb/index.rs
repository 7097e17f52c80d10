//! The search index: a directory of `tantivy` segments derived from the store, which can be deleted and rebuilt.
//!
//! **Tenancy.** Every word is indexed as `scope`, NUL, `word`, and a query asks for the words of the scopes it may see.
//! So a chunk of another scope matches no clause of the query: there is nothing to filter afterwards, and nothing to
//! forget. BM25's document counts are summed over the visible scopes, so another tenant's documents do not move a score;
//! only the mean field length and the vectors' IDF are taken over the whole index.
//!
//! **Words** are those of [`crate::text`]: folded runs of letters and digits without function words. There is no stemmer:
//! on product documentation it did not help keyword search (nDCG@10 .793 with, .796 without), and the vectors'
//! character n-grams join word forms in every language.
//!
//! **Order.** Equal scores are ordered by chunk id, and a score is summed in the order of the query's words, so that the
//! same chunks give the same answer however the segments have been merged.

mod bm25;
mod error;
mod query_words;
mod request;
mod schema;
mod search;
mod snapshot;
mod tokenizer;
mod top_chunks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tantivy::directory::error::LockError;
use tantivy::directory::{Directory, MmapDirectory, RamDirectory};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyError, Term};

use super::vector::{DenseVectors, LocatedVectors};
use schema::Fields;

pub use error::IndexError;
pub use request::{Hit, IndexChunk, SearchMode, SearchRequest};

pub(super) use bm25::TermScores;
pub(super) use query_words::{QueryWord, QueryWords};
pub(super) use schema::SEPARATOR;
pub(super) use snapshot::Snapshot;
pub(super) use top_chunks::top_chunks;

/// Memory that may fill up before a segment is written.
const WRITER_BYTES: usize = 100_000_000;

/// The search index over all chunks of a project.
pub struct SearchIndex {
    index: Index,
    fields: Fields,
    /// Where it is; `None` in memory.
    directory: Option<PathBuf>,
    reader: IndexReader,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Dense vectors, located in one commit; not used with another.
    dense: RwLock<Option<Arc<LocatedVectors>>>,
    writing: Mutex<()>,
}

impl SearchIndex {
    /// Opens the index in `directory`, or makes an empty one.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] and [`IndexError::OtherVersion`] ask for a rebuild: see [`SearchIndex::recreate`].
    pub fn open(directory: &Path) -> Result<Self, IndexError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| IndexError::Directory { directory: directory.to_owned(), source })?;
        let damaged = |reason: String| IndexError::Damaged { directory: directory.to_owned(), reason };
        let files = MmapDirectory::open(directory).map_err(|error| damaged(error.to_string()))?;
        let made = Index::exists(&files).map_err(|error| damaged(error.to_string()))?;
        let index = if made {
            let index = Index::open(files).map_err(|error| damaged(error.to_string()))?;
            let payload = index.load_metas().map_err(|error| damaged(error.to_string()))?.payload.unwrap_or_default();
            if payload != schema::FORMAT || index.schema() != schema::schema() {
                return Err(IndexError::OtherVersion {
                    directory: directory.to_owned(),
                    found: payload,
                    expected: schema::FORMAT,
                });
            }
            index
        } else {
            Self::create(files)?
        };
        Self::with_index(index, Some(directory.to_owned())).map_err(|error| match error {
            IndexError::Engine(source) => damaged(source.to_string()),
            IndexError::Read(source) => damaged(source.to_string()),
            other => other,
        })
    }

    /// Deletes whatever is in `directory` and makes an empty index there.
    pub fn recreate(directory: &Path) -> Result<Self, IndexError> {
        match std::fs::remove_dir_all(directory) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(IndexError::Directory { directory: directory.to_owned(), source });
            }
            _ => {}
        }
        Self::open(directory)
    }

    /// An empty index in memory, for tests.
    pub fn in_memory() -> Result<Self, IndexError> {
        Self::with_index(Self::create(RamDirectory::create())?, None)
    }

    fn create(files: impl Directory) -> Result<Index, IndexError> {
        let index = Index::create(files, schema::schema(), tantivy::IndexSettings::default())?;
        let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(schema::FORMAT);
        commit.commit()?;
        writer.wait_merging_threads()?;
        Ok(index)
    }

    fn with_index(index: Index, directory: Option<PathBuf>) -> Result<Self, IndexError> {
        index.tokenizers().register(tokenizer::NAME, TextAnalyzer::from(tokenizer::ScopedWords));
        let fields = Fields::of(&index.schema())?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let snapshot = Snapshot::take(&index, &reader, fields, directory.as_deref())?;
        let snapshot = RwLock::new(Arc::new(snapshot));
        Ok(Self { index, fields, directory, reader, snapshot, dense: RwLock::default(), writing: Mutex::new(()) })
    }

    /// Adds chunks and removes documents, in one commit; when it returns, searches see all of it or (on error) none.
    ///
    /// The first chunk of a document removes the chunks which that document had before, so a changed document is
    /// replaced by adding it. Memory stays bounded however many chunks there are.
    pub fn update(
        &self,
        add: impl IntoIterator<Item = IndexChunk>,
        remove_documents: &[String],
    ) -> Result<(), IndexError> {
        self.change(add, |writer| {
            for document in remove_documents {
                writer.delete_term(Term::from_field_text(self.fields.document, document));
            }
            Ok(())
        })
    }

    /// Replaces everything by these chunks, in one commit.
    pub fn rebuild(&self, chunks: impl IntoIterator<Item = IndexChunk>) -> Result<(), IndexError> {
        self.change(chunks, |writer| writer.delete_all_documents().map(drop))
    }

    fn change(
        &self,
        add: impl IntoIterator<Item = IndexChunk>,
        remove: impl FnOnce(&IndexWriter) -> tantivy::Result<()>,
    ) -> Result<(), IndexError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer: IndexWriter =
            self.index.writer_with_num_threads(1, WRITER_BYTES).map_err(|error| match (error, &self.directory) {
                (TantivyError::LockFailure(LockError::LockBusy, _), Some(directory)) => {
                    IndexError::Busy { directory: directory.clone() }
                }
                (other, _) => IndexError::Engine(other),
            })?;
        remove(&writer)?;
        let mut replaced = HashSet::new();
        for chunk in add {
            if chunk.scope.contains(SEPARATOR) {
                return Err(IndexError::InvalidScope { scope: chunk.scope });
            }
            if !replaced.contains(&chunk.document) {
                writer.delete_term(Term::from_field_text(self.fields.document, &chunk.document));
                replaced.insert(chunk.document.clone());
            }
            writer.add_document(self.fields.document_of(&chunk))?;
        }
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(schema::FORMAT);
        commit.commit()?;
        writer.wait_merging_threads()?;
        self.refresh()
    }

    /// Makes what another process has committed visible to searches; cheap when nothing has changed.
    pub fn refresh(&self) -> Result<(), IndexError> {
        if self.index.load_metas()?.opstamp == self.snapshot().opstamp {
            return Ok(());
        }
        self.reader.reload()?;
        let snapshot = Snapshot::take(&self.index, &self.reader, self.fields, self.directory.as_deref())?;
        // Before anybody searches it: counting takes 0.3 s for 100,000 chunks.
        snapshot.frequencies()?;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
        Ok(())
    }

    /// Sets the dense vectors that searches with a query's vector use until the next commit; `None` for none.
    ///
    /// A vector counts for the chunk that has its id under its scope; one without such a chunk is passed over.
    pub fn attach(&self, vectors: Option<Arc<DenseVectors>>) -> Result<(), IndexError> {
        let located = vectors.map(|vectors| LocatedVectors::new(vectors, &self.snapshot())).transpose()?;
        *self.dense.write().unwrap_or_else(PoisonError::into_inner) = located.map(Arc::new);
        Ok(())
    }

    /// The dense vectors that a search with a query's vector would use now.
    pub fn dense(&self) -> Option<Arc<DenseVectors>> {
        self.located(&self.snapshot()).map(|located| Arc::clone(located.vectors()))
    }

    fn located(&self, snapshot: &Snapshot) -> Option<Arc<LocatedVectors>> {
        let located = self.dense.read().unwrap_or_else(PoisonError::into_inner).clone();
        located.filter(|located| located.opstamp() == snapshot.opstamp)
    }

    /// How many chunks can be found.
    pub fn chunk_count(&self) -> u64 {
        self.snapshot().searcher.num_docs()
    }

    /// The ids of all documents that have chunks, and perhaps of some that had.
    pub fn documents(&self) -> Result<Vec<String>, IndexError> {
        let mut documents = BTreeSet::new();
        for segment in self.snapshot().searcher.segment_readers() {
            let index = segment.inverted_index(self.fields.document)?;
            let mut terms = index.terms().stream()?;
            while terms.advance() {
                documents.insert(String::from_utf8_lossy(terms.key()).into_owned());
            }
        }
        Ok(documents.into_iter().collect())
    }

    /// The best chunks for `request`, best first; empty when no visible chunk shares a word with it.
    pub fn search(&self, request: &SearchRequest<'_>) -> Result<Vec<Hit>, IndexError> {
        let snapshot = self.snapshot();
        let dense = self.located(&snapshot);
        search::search(&snapshot, dense.as_deref(), request)
    }

    /// Reads every file and compares checksums, for `doctor`.
    ///
    /// # Errors
    /// [`IndexError::Damaged`] names the damaged files.
    pub fn verify(&self) -> Result<(), IndexError> {
        let damaged = self.index.validate_checksum()?;
        if damaged.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> = damaged.iter().map(|path| path.display().to_string()).collect();
        names.sort();
        let directory = self.directory.clone().unwrap_or_default();
        Err(IndexError::Damaged { directory, reason: format!("checksums differ: {}", names.join(", ")) })
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
}
