use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::LocalEmbeddingError;
use super::model::SentenceModel;
use crate::domain::Usage;
use crate::providers::{EmbeddingProvider, EmbeddingReply, EmbeddingRequest, Limits, Phase, ProviderError};

/// A local embedding model. The name of the model in a request means nothing to it: there is only one.
pub struct LocalEmbedder {
    model: Arc<SentenceModel>,
}

impl LocalEmbedder {
    /// Opens the model in `directory`, and reads all of its weights.
    ///
    /// # Errors
    /// Names the file that is missing, unreadable, or asks for something that is not built in.
    pub fn open(directory: &Path) -> Result<Self, LocalEmbeddingError> {
        Ok(Self { model: Arc::new(SentenceModel::open(directory)?) })
    }

    /// Length of its vectors.
    pub fn dimensions(&self) -> usize {
        self.model.dimensions()
    }

    async fn run(&self, request: &EmbeddingRequest, limits: Limits) -> Result<EmbeddingReply, ProviderError> {
        let own = self.dimensions();
        if let Some(wanted) = request.dimensions.filter(|wanted| *wanted as usize != own) {
            let reason = format!("the model's vectors have {own} dimensions, not {wanted}");
            return Err(ProviderError::BadRequest { reason });
        }
        let (model, texts) = (Arc::clone(&self.model), request.texts.clone());
        let abandoned = Abandoned::default();
        let flag = Arc::clone(&abandoned.0);
        let work = tokio::task::spawn_blocking(move || model.embed(&texts, &|| flag.load(Ordering::Relaxed)));
        let limit = limits.total;
        let finished = tokio::time::timeout(limit, work)
            .await
            .map_err(|_| ProviderError::TimedOut { phase: Phase::Total, limit })?;
        let embedded = match finished {
            Ok(Ok(embedded)) => embedded,
            Ok(Err(error)) => return Err(ProviderError::Malformed { reason: error.to_string() }),
            Err(error) => return Err(ProviderError::Malformed { reason: error.to_string() }),
        };
        let usage = Some(Usage::new(embedded.tokens, 0));
        Ok(EmbeddingReply { vectors: embedded.vectors, usage, request_id: None })
    }
}

impl EmbeddingProvider for LocalEmbedder {
    fn embed<'a>(
        &'a self,
        request: &'a EmbeddingRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<EmbeddingReply, ProviderError>> {
        self.run(request, limits).boxed()
    }
}

/// Tells the thread that works for a caller that the caller has gone away: a thread cannot be cancelled from outside.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
