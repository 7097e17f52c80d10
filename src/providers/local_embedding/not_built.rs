use std::convert::Infallible;
use std::path::Path;

use futures::future::BoxFuture;

use super::LocalEmbeddingError;
use crate::providers::{EmbeddingProvider, EmbeddingReply, EmbeddingRequest, Limits, ProviderError};

/// A local embedding model; there is none in a program that was built without the feature.
#[derive(Debug)]
pub struct LocalEmbedder(Infallible);

impl LocalEmbedder {
    /// Opens the model in `directory`.
    ///
    /// # Errors
    /// Always [`LocalEmbeddingError::NotBuilt`] in this build.
    pub fn open(_directory: &Path) -> Result<Self, LocalEmbeddingError> {
        Err(LocalEmbeddingError::NotBuilt)
    }

    /// Length of its vectors.
    pub fn dimensions(&self) -> usize {
        match self.0 {}
    }
}

impl EmbeddingProvider for LocalEmbedder {
    fn embed<'a>(
        &'a self,
        _request: &'a EmbeddingRequest,
        _limits: Limits,
    ) -> BoxFuture<'a, Result<EmbeddingReply, ProviderError>> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_the_feature_says_how_to_get_it() {
        let error = LocalEmbedder::open(Path::new("model")).unwrap_err();
        assert!(error.to_string().ends_with("cargo build --features local-embeddings"), "{error}");
    }
}
