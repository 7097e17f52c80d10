use std::path::PathBuf;

use tantivy::TantivyError;

use crate::kb::vector::DenseError;

/// Why the index could not be opened, changed or searched. All of it can be rebuilt from the store.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Files are missing, cut short or not an index: rebuild it.
    #[error("the search index in {} is damaged: {reason}", directory.display())]
    Damaged {
        /// Where it is.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by another version of tollgate: rebuild it.
    #[error("the search index in {} has format `{found}`, this version reads `{expected}`", directory.display())]
    OtherVersion {
        /// Where it is.
        directory: PathBuf,
        /// The format it has.
        found: String,
        /// The format this version reads and writes.
        expected: &'static str,
    },
    /// Another process is writing to it.
    #[error("the search index in {} is being written by another process", directory.display())]
    Busy {
        /// Where it is.
        directory: PathBuf,
    },
    /// A scope holds a NUL character, which separates scopes from words.
    #[error("`{}` cannot be a scope: it holds a NUL character", scope.escape_debug())]
    InvalidScope {
        /// The scope as given.
        scope: String,
    },
    /// A directory could not be made or cleared.
    #[error("cannot prepare {}: {source}", directory.display())]
    Directory {
        /// Which one.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The dense vectors failed.
    #[error(transparent)]
    Dense(#[from] DenseError),
    /// The search engine failed.
    #[error("the search index failed: {0}")]
    Engine(#[from] TantivyError),
    /// A read from the index failed.
    #[error("the search index cannot be read: {0}")]
    Read(#[from] std::io::Error),
}

impl IndexError {
    /// Whether deleting the index and building it anew is the cure.
    pub fn needs_rebuild(&self) -> bool {
        use TantivyError::{DataCorruption, IncompatibleIndex, OpenReadError};
        match self {
            Self::Damaged { .. } | Self::OtherVersion { .. } | Self::Read(_) => true,
            Self::Engine(error) => matches!(error, DataCorruption(_) | IncompatibleIndex(_) | OpenReadError(_)),
            // Dense vectors are made anew by themselves.
            Self::Busy { .. } | Self::InvalidScope { .. } | Self::Directory { .. } | Self::Dense(_) => false,
        }
    }
}
