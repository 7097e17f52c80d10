//! L2: the knowledge base: reading documents, cutting them into chunks, and finding chunks again.
//!
//! The store holds documents and chunks; the search index is derived from them and can be deleted at any time. Both
//! are brought up to date by [`KnowledgeBase::sync`], which reads only what has changed.

mod chunk;
mod embed;
mod extract;
mod fuse;
mod index;
mod passages;
mod scan;
mod sync;
mod vector;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use chunk::{ChunkDraft, chunk};
pub use embed::{EmbedError, TextEmbedder, VectorReport};
pub use extract::{DocumentKind, ExtractError, ExtractedDocument, Section, extract};
pub use fuse::Components;
pub use index::{Hit, IndexChunk, IndexError, SearchIndex, SearchMode, SearchRequest};
pub use sync::{Skipped, SyncReport};
pub use vector::{DenseError, DenseVectors, Origin};

use crate::config::KbSettings;
use crate::domain::{Clock, TENANT_SHARED};
use crate::store::{Store, StoreError};

/// Why the knowledge base could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KbError {
    /// No source of this name is configured.
    #[error("no source `{name}` is configured{}", nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownSource {
        /// The name.
        name: String,
        /// The configured name nearest to it.
        nearest: Option<String>,
    },
    /// A source's file or directory is not there; nothing was removed because of it.
    #[error("source `{name}`: {} does not exist", path.display())]
    SourceMissing {
        /// The source.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// A source's directory cannot be listed.
    #[error("source `{name}`: cannot list {}: {reason}", path.display())]
    Unlistable {
        /// The source.
        name: String,
        /// What could not be listed.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Two sources hold the same document.
    #[error("{document} belongs to two sources, `{first}` and `{second}`")]
    TwoSources {
        /// The document.
        document: String,
        /// One source.
        first: String,
        /// The other.
        second: String,
    },
    /// No document of this id is in the knowledge base.
    #[error("no document `{id}` is in the knowledge base")]
    UnknownDocument {
        /// The id.
        id: String,
    },
    /// Another process is updating the knowledge base and does not finish.
    #[error("another tollgate process is updating the knowledge base")]
    Locked,
    /// A file beside the index, such as the lock, cannot be used.
    #[error("cannot write {}: {source}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// What the file system said.
        source: std::io::Error,
    },
    /// No vectors could be had from the embedder.
    #[error("no vectors from `{embedder}`: {source}")]
    Embed {
        /// The embedder's id.
        embedder: String,
        /// Why.
        source: EmbedError,
    },
    /// The search index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The documents that answers may draw on, and the way to find passages in them.
pub struct KnowledgeBase {
    settings: KbSettings,
    root: PathBuf,
    store: Arc<Store>,
    index: SearchIndex,
    clock: Arc<dyn Clock>,
    embedder: Option<Arc<dyn TextEmbedder>>,
}

impl KnowledgeBase {
    /// Opens the knowledge base of the project in `root`. A damaged or outdated index is made anew, empty: the next
    /// [`KnowledgeBase::sync`] fills it from the store.
    pub fn open(
        settings: KbSettings,
        root: PathBuf,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KbError> {
        let directory = store.directory().join("index");
        let index = match open_existing(&directory) {
            Some(Ok(index)) => index,
            Some(Err(error)) if !error.needs_rebuild() => return Err(error.into()),
            Some(Err(_)) | None => Self::make_index(&store, &directory)?,
        };
        Ok(Self { settings, root, store, index, clock, embedder: None })
    }

    /// Makes the index, one process at a time: to another that looks on, a half-made one is a damaged one.
    fn make_index(store: &Store, directory: &Path) -> Result<SearchIndex, KbError> {
        let path = store.directory().join(sync::LOCK_FILE);
        let locked = File::create(&path).and_then(|file| file.lock().map(|()| file));
        let _lock = locked.map_err(|source| KbError::Lock { path, source })?;
        match open_existing(directory) {
            Some(Err(error)) if error.needs_rebuild() => tracing::warn!(%error, "the search index is made anew"),
            Some(opened) => return Ok(opened?),
            None => {}
        }
        Ok(SearchIndex::recreate(directory)?)
    }

    /// The search index.
    pub fn index(&self) -> &SearchIndex {
        &self.index
    }

    /// The scopes that `tenant` may read: its own and the shared one.
    pub fn scopes(tenant: &str) -> Vec<&str> {
        if tenant == TENANT_SHARED { vec![TENANT_SHARED] } else { vec![TENANT_SHARED, tenant] }
    }
}

fn open_existing(directory: &Path) -> Option<Result<SearchIndex, IndexError>> {
    directory.join("meta.json").exists().then(|| SearchIndex::open(directory))
}
