use std::collections::HashSet;
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;

use super::vector::{DenseError, DenseVectors, Origin, Writer, checksum};
use super::{KbError, KnowledgeBase};
use crate::domain::ContentHash;
use crate::report;
use crate::store::ChunkRow;

/// Texts that one request to the embedder carries.
const BATCH: usize = 64;
/// Vectors that one read from the store brings.
const READ: usize = 512;
/// Whose lock a process holds while it has chunks embedded, so that nobody pays for them twice.
const LOCK_FILE: &str = "vectors.lock";

/// Turns texts into vectors. Retries, money and telemetry are the implementation's.
pub trait TextEmbedder: Send + Sync {
    /// Names model and settings: vectors made under one id are compared with one another, and kept for good.
    fn id(&self) -> &str;

    /// One vector for each text, in order, all of the same length.
    ///
    /// # Errors
    /// Why there are none.
    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>>;
}

/// Why an embedder's answer could not be had or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmbedError {
    /// The embedder gave none.
    #[error("{reason}")]
    Failed {
        /// Why.
        reason: String,
    },
    /// There are more or fewer vectors than texts.
    #[error("{found} vectors came for {expected} texts")]
    Count {
        /// Number of texts.
        expected: usize,
        /// Number of vectors.
        found: usize,
    },
    /// A vector is of another length than those made before under the same id.
    #[error("a vector has {found} dimensions, those made before have {expected}")]
    Length {
        /// Dimensions of the vectors made before.
        expected: usize,
        /// Dimensions of this one.
        found: usize,
    },
    /// A vector is all zeros, or holds something that is not a number.
    #[error("a vector has no direction")]
    NoDirection,
}

/// What bringing the dense vectors up to date came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct VectorReport {
    /// The embedder's id.
    pub embedder: String,
    /// Chunks that have a vector now.
    pub chunks: u64,
    /// Texts that the embedder was asked for; the vectors of the others were known.
    pub embedded: u64,
}

impl KnowledgeBase {
    /// Searches use dense vectors made by `embedder`, as far as [`KnowledgeBase::sync_vectors`] has made them.
    pub fn with_embedder(mut self, embedder: Arc<dyn TextEmbedder>) -> Result<Self, KbError> {
        self.embedder = Some(embedder);
        self.load_vectors()?;
        Ok(self)
    }

    /// Makes what another process has written visible to searches; cheap when nothing has changed.
    pub fn refresh(&self) -> Result<(), KbError> {
        self.index.refresh()?;
        self.load_vectors()
    }

    /// Whether a search would make use of a query's vector: there is an embedder, and it has made vectors.
    pub fn has_vectors(&self) -> bool {
        self.embedder.is_some() && self.index.dense().is_some_and(|vectors| !vectors.is_empty())
    }

    /// What `embedder` makes of a query; `None`, without asking it, when a search would not make use of that, or its
    /// vectors are not those of this knowledge base.
    ///
    /// # Errors
    /// [`KbError::Embed`] when it fails.
    pub async fn embed_query(&self, embedder: &dyn TextEmbedder, query: &str) -> Result<Option<Vec<f32>>, KbError> {
        let Some(vectors) = self.index.dense().filter(|vectors| !vectors.is_empty()) else { return Ok(None) };
        if vectors.origin().embedder != embedder.id() {
            return Ok(None);
        }
        let made = ask(embedder, vec![query.to_owned()], vectors.dimensions()).await?;
        Ok(made.into_iter().next())
    }

    /// Has the embedder make the vectors that chunks do not have yet, and makes all of them searchable. To be called
    /// after every [`KnowledgeBase::sync`]: until then, searches use the lexical vectors.
    ///
    /// `None` without an embedder, or while another process does the same. Vectors are kept by text: what was embedded
    /// before is not embedded again, and what was embedded before a failure is searchable. `progress` hears how many of
    /// how many texts are done.
    ///
    /// # Errors
    /// [`KbError::Embed`] when the embedder fails; the knowledge base stays usable.
    pub async fn sync_vectors(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Option<VectorReport>, KbError> {
        let Some(embedder) = &self.embedder else { return Ok(None) };
        let Some(_lock) = self.vectors_lock()? else {
            tracing::info!("another tollgate process is embedding the knowledge base");
            return Ok(None);
        };
        let mut asked = 0;
        loop {
            let origin = Origin { embedder: embedder.id().to_owned(), knowledge: self.store.knowledge_version(None)? };
            let chunks = self.listed()?;
            self.refresh()?;
            let current = self.index.dense().filter(|vectors| *vectors.origin() == origin);
            if current.is_none_or(|vectors| vectors.len() < chunks.len()) {
                let missing = self.write_vectors(&origin, &chunks)?;
                self.load_vectors()?;
                if !missing.is_empty() {
                    let before = asked;
                    let outcome = self.embed_missing(&**embedder, &missing, &mut asked, progress).await;
                    if asked > before {
                        self.write_vectors(&origin, &chunks)?;
                        self.load_vectors()?;
                    }
                    outcome?;
                }
            }
            let used: Vec<&ContentHash> = chunks.iter().map(|chunk| &chunk.content_hash).collect();
            self.store.forget_unused_embeddings(embedder.id(), &used).await?;
            // Meanwhile another process may have changed documents, and left their vectors to this one.
            if self.store.knowledge_version(None)? == origin.knowledge {
                let chunks = self.index.dense().map_or(0, |vectors| vectors.len() as u64);
                return Ok(Some(VectorReport { embedder: origin.embedder, chunks, embedded: asked }));
            }
        }
    }

    /// Has the vectors of these chunks made and kept, batch by batch.
    async fn embed_missing(
        &self,
        embedder: &dyn TextEmbedder,
        missing: &[&Listed],
        asked: &mut u64,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(), KbError> {
        let mut dimensions = self.index.dense().map_or(0, |vectors| vectors.dimensions());
        let mut seen = HashSet::new();
        let wanted: Vec<&Listed> =
            missing.iter().copied().filter(|chunk| seen.insert(chunk.content_hash.as_str())).collect();
        for (done, batch) in wanted.chunks(BATCH).enumerate() {
            progress((done * BATCH) as u64, wanted.len() as u64);
            let (mut hashes, mut texts) = (Vec::new(), Vec::new());
            for of_scope in batch.chunk_by(|one, other| one.scope == other.scope) {
                let Some(first) = of_scope.first() else { continue };
                let ids: Vec<&str> = of_scope.iter().map(|chunk| chunk.id.as_str()).collect();
                for chunk in self.store.chunks(&first.scope, &ids)? {
                    texts.push(text_of(&chunk));
                    hashes.push(chunk.content_hash);
                }
            }
            if texts.is_empty() {
                continue;
            }
            let count = texts.len() as u64;
            let vectors = ask(embedder, texts, dimensions).await?;
            dimensions = vectors.first().map_or(dimensions, Vec::len);
            self.store.put_embeddings(embedder.id(), hashes.into_iter().zip(vectors).collect()).await?;
            *asked += count;
            // The records of these calls must not wait for the end of all: they say what was paid.
            self.store.flush().await?;
        }
        progress(wanted.len() as u64, wanted.len() as u64);
        Ok(())
    }

    /// Writes the file of vectors, and returns the chunks whose vectors are not known yet.
    fn write_vectors<'a>(&self, origin: &Origin, chunks: &'a [Listed]) -> Result<Vec<&'a Listed>, KbError> {
        let path = self.vectors_path();
        let mut missing = Vec::new();
        report::replace_file(&path, |out| {
            let mut writer = Writer::new(out)?;
            for chunks in chunks.chunks(READ) {
                let hashes: Vec<&ContentHash> = chunks.iter().map(|chunk| &chunk.content_hash).collect();
                let known = self.store.embeddings(&origin.embedder, &hashes).map_err(std::io::Error::other)?;
                for (chunk, vector) in chunks.iter().zip(known) {
                    match vector {
                        Some(vector) if [0, vector.len()].contains(&writer.dimensions()) => {
                            writer.push(&chunk.scope, &chunk.id, &vector)?;
                        }
                        _ => missing.push(chunk),
                    }
                }
            }
            writer.finish(origin)
        })
        .map_err(|source| KbError::Lock { path, source })?;
        Ok(missing)
    }

    /// Attaches the vectors in the file if they are of this embedder and of the knowledge that the index holds.
    fn load_vectors(&self) -> Result<(), KbError> {
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let path = self.vectors_path();
        let attached = self.index.dense();
        let indexed = std::fs::read_to_string(self.index_marker()).unwrap_or_default();
        let is_wanted = |origin: &Origin| origin.embedder == embedder.id() && origin.knowledge.as_str() == indexed;
        if attached.is_some_and(|vectors| {
            is_wanted(vectors.origin()) && checksum(&path).is_some_and(|checksum| checksum == *vectors.checksum())
        }) {
            return Ok(());
        }
        let found = match DenseVectors::open(&path, is_wanted) {
            Ok(found) => found,
            Err(DenseError::Missing) => None,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "dense vectors are left out until they are made anew");
                None
            }
        };
        Ok(self.index.attach(found.map(Arc::new))?)
    }

    /// Beside the index, and deleted with it.
    fn vectors_path(&self) -> PathBuf {
        self.store.directory().join("index/dense.vectors")
    }

    /// `None` while another process holds it.
    fn vectors_lock(&self) -> Result<Option<File>, KbError> {
        let path = self.store.directory().join(LOCK_FILE);
        let locked = File::create(&path).map_err(TryLockError::Error).and_then(|file| file.try_lock().map(|()| file));
        match locked {
            Ok(file) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(KbError::Lock { path, source }),
        }
    }

    fn listed(&self) -> Result<Vec<Listed>, KbError> {
        let mut listed = Vec::new();
        self.store.for_each_chunk(|ChunkRow { scope, id, content_hash, .. }| {
            listed.push(Listed { scope, id, content_hash });
        })?;
        Ok(listed)
    }
}

/// A chunk without its text.
struct Listed {
    scope: String,
    id: String,
    content_hash: ContentHash,
}

/// Asks for vectors and checks them; `dimensions` is 0 when any length will do.
async fn ask(embedder: &dyn TextEmbedder, texts: Vec<String>, dimensions: usize) -> Result<Vec<Vec<f32>>, KbError> {
    let expected = texts.len();
    let outcome = embedder.embed(texts).await.and_then(|vectors| match check(&vectors, expected, dimensions) {
        Some(problem) => Err(problem),
        None => Ok(vectors),
    });
    outcome.map_err(|source| KbError::Embed { embedder: embedder.id().to_owned(), source })
}

fn check(vectors: &[Vec<f32>], expected: usize, dimensions: usize) -> Option<EmbedError> {
    if vectors.len() != expected {
        return Some(EmbedError::Count { expected, found: vectors.len() });
    }
    let length = if dimensions == 0 { vectors.first().map_or(0, Vec::len) } else { dimensions };
    if let Some(vector) = vectors.iter().find(|vector| vector.len() != length) {
        return Some(EmbedError::Length { expected: length, found: vector.len() });
    }
    let directed =
        |vector: &Vec<f32>| vector.iter().all(|value| value.is_finite()) && vector.iter().any(|value| *value != 0.0);
    (!vectors.iter().all(directed)).then_some(EmbedError::NoDirection)
}

/// What is embedded of a chunk; its content hash covers both parts.
fn text_of(chunk: &ChunkRow) -> String {
    if chunk.heading.is_empty() { chunk.body.clone() } else { format!("{}\n{}", chunk.heading, chunk.body) }
}

#[cfg(test)]
mod tests;
