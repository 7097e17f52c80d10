use std::sync::Arc;
use std::time::Duration;

use super::ProxyError;
use crate::config::{Api, HttpProviderSettings, ProviderKind, ProviderSettings};
use crate::domain::{Clock, Secret};
use crate::providers::{self, ChatProvider, Echo, EmbeddingProvider, Extractive, HttpSettings, LocalEmbedder};

type Built = (Option<Arc<dyn ChatProvider>>, Option<Arc<dyn EmbeddingProvider>>);

/// Builds the provider that `settings` describe.
pub(super) fn build(name: &str, settings: &ProviderSettings, clock: &Arc<dyn Clock>) -> Result<Built, ProxyError> {
    let failed = |reason: String| ProxyError::Setup { provider: name.to_owned(), reason };
    Ok(match &settings.kind {
        ProviderKind::Extractive => (Some(Arc::new(Extractive)), None),
        ProviderKind::Echo { latency_ms, reply } => {
            (Some(Arc::new(Echo::new(Duration::from_millis(*latency_ms), reply.clone()))), None)
        }
        ProviderKind::Local { directory } => {
            let embedder = LocalEmbedder::open(directory).map_err(|error| failed(error.to_string()))?;
            (None, Some(Arc::new(embedder)))
        }
        ProviderKind::Http(over_http) => {
            let http_settings = http_settings(over_http, settings.timeouts.connect);
            let clock = Arc::clone(clock);
            match over_http.api {
                Api::OpenAi => {
                    let openai = providers::openai(http_settings, clock).map_err(|error| failed(error.to_string()))?;
                    let openai = Arc::new(openai);
                    (Some(Arc::clone(&openai) as Arc<dyn ChatProvider>), Some(openai))
                }
                Api::Anthropic => {
                    let provider =
                        providers::anthropic(http_settings, clock).map_err(|error| failed(error.to_string()))?;
                    (Some(Arc::new(provider)), None)
                }
                Api::Gemini => {
                    let provider =
                        providers::gemini(http_settings, clock).map_err(|error| failed(error.to_string()))?;
                    (Some(Arc::new(provider)), None)
                }
            }
        }
    })
}

fn http_settings(settings: &HttpProviderSettings, connect_timeout: Duration) -> HttpSettings {
    let named = settings.headers.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone())));
    HttpSettings {
        base_url: settings.base_url.clone(),
        key: settings.key.clone(),
        key_header: settings.key_header.clone(),
        headers: named.collect(),
        connect_timeout,
        structured_output: settings.structured_output,
        max_reply_bytes: settings.max_reply_bytes,
    }
}
