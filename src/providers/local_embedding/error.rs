use std::path::PathBuf;

/// Why a local embedding model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LocalEmbeddingError {
    /// The program was built without the feature.
    #[error("this tollgate was built without local embeddings: cargo build --features local-embeddings")]
    NotBuilt,
    /// A file that every model has is not there.
    #[error("the embedding model in {} has no `{file}`", directory.display())]
    Missing {
        /// The model's directory.
        directory: PathBuf,
        /// The file's name.
        file: &'static str,
    },
    /// A file is there but is not what it should be.
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The model needs something that is not built in; its vectors would be wrong.
    #[error("{}: {what} is not supported", path.display())]
    Unsupported {
        /// The file that asks for it.
        path: PathBuf,
        /// What it asks for.
        what: String,
    },
}
