use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::call::{Brought, CallFacts};
use super::candidates::Candidate;
use super::recording::Exchange;
use super::route::Trip;
use super::{CallContext, Proxy, ProxyError};
use crate::cost::{OutputCap, Quote};
use crate::domain::{NanoUsd, Usage};
use crate::kb::{EmbedError, TextEmbedder};
use crate::otlp::Operation;
use crate::providers::{EmbeddingReply, EmbeddingRequest, ProviderError, embedding_token_bound};

/// Vectors for texts, with what they consumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One vector for each text, in order.
    pub vectors: Vec<Vec<f32>>,
    /// Who made them, `provider/model`.
    pub model: String,
    /// What was consumed; `None` when the vendor did not say.
    pub usage: Option<Usage>,
    /// What it cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// The time that they took when they were recorded, when they are a replay.
    pub replayed: Option<Duration>,
}

/// One model behind the proxy as the knowledge base's embedder; adds up what it consumed.
pub struct RoutedEmbedder {
    proxy: Arc<Proxy>,
    model: String,
    context: CallContext,
    spent: Mutex<Embeddings>,
    breach: Mutex<Option<ProxyError>>,
}

/// What an embedder was asked for so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embeddings {
    /// What was consumed.
    pub usage: Usage,
    /// What it cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Number of requests.
    pub calls: u32,
    /// The time that replayed ones took when they were recorded; `None` without any.
    pub replayed: Option<Duration>,
}

impl RoutedEmbedder {
    /// Embeds at `model` (`provider/model`) on behalf of `context`.
    pub fn new(proxy: Arc<Proxy>, model: String, context: CallContext) -> Self {
        let nothing = Embeddings { usage: Usage::ZERO, cost_nanousd: Some(NanoUsd::ZERO), calls: 0, replayed: None };
        Self { proxy, model, context, spent: Mutex::new(nothing), breach: Mutex::new(None) }
    }

    /// Why the last request was not made, if a budget refused it: a question then ends as it does when a budget refuses
    /// the answer itself.
    pub fn take_breach(&self) -> Option<ProxyError> {
        self.breach.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What it was asked for so far.
    pub fn spent(&self) -> Embeddings {
        *self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TextEmbedder for RoutedEmbedder {
    fn id(&self) -> &str {
        &self.model
    }

    fn embed(&self, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        async move {
            let embedded = match self.proxy.embed(&self.context, &self.model, texts).await {
                Ok(embedded) => embedded,
                Err(error) => {
                    let error = self.proxy.inner.degraded(&self.context, error);
                    let reason = error.to_string();
                    if matches!(error, ProxyError::Budget(_) | ProxyError::Degraded { .. }) {
                        *self.breach.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    }
                    return Err(EmbedError::Failed { reason });
                }
            };
            let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
            spent.usage += embedded.usage.unwrap_or_default();
            spent.cost_nanousd = super::route::plus(spent.cost_nanousd, embedded.cost_nanousd);
            spent.calls += 1;
            if let Some(latency) = embedded.replayed {
                spent.replayed = Some(spent.replayed.unwrap_or_default() + latency);
            }
            Ok(embedded.vectors)
        }
        .boxed()
    }
}

impl Proxy {
    /// Checks that `model` (`provider/model`) makes vectors and is priced, without calling it.
    ///
    /// # Errors
    /// As [`Proxy::check`].
    pub fn check_embedder(&self, model: &str) -> Result<(), ProxyError> {
        self.require(model, "embeddings", |provider| provider.embedding.is_some())
    }

    /// Turns texts into vectors at `target` (a route or `provider/model`).
    ///
    /// # Errors
    /// Why there are none.
    pub async fn embed(&self, context: &CallContext, target: &str, texts: Vec<String>) -> Result<Embedded, ProxyError> {
        let inner = &self.inner;
        if inner.recording.is_on() {
            let asked = inner.recording.describe_embedding(&inner.redactor, context, target, &texts);
            if inner.recording.replays() {
                return inner.recording.replay(&asked)?.into_embedded();
            }
            let started = inner.clock.monotonic();
            let outcome = self.embed_now(context, target, texts).await;
            if matches!(outcome, Err(ProxyError::Budget(_) | ProxyError::Ledger(_))) {
                // Nobody was asked.
                return outcome;
            }
            let latency = inner.clock.monotonic().saturating_sub(started);
            inner.recording.record(&asked, &Exchange::of_embedded(&outcome, latency, &inner.redactor))?;
            return outcome;
        }
        self.embed_now(context, target, texts).await
    }

    async fn embed_now(&self, context: &CallContext, target: &str, texts: Vec<String>) -> Result<Embedded, ProxyError> {
        let inner = &self.inner;
        let (route, found) = inner.candidates.find(target, &context.task)?;
        let bound = embedding_token_bound(texts.iter().map(String::as_str));
        let quoted = |candidate: &Candidate, ceiling| {
            let output = OutputCap::Given(0);
            (Quote { price: candidate.price(), input_tokens: bound, output, ceiling }, None)
        };
        let plan = inner.affordable(route, found, context.approved_cost, quoted)?;
        let facts = CallFacts {
            context: Arc::new(context.clone()),
            operation: Operation::Embeddings,
            stream: false,
            retries: 0,
            limit: Duration::ZERO,
            limits_output: false,
            temperature: None,
            marks: None,
            payload: None,
        };
        let trip = Trip::new(inner, target, facts, inner.allowed(context));
        let texts = &texts;
        let attempted = trip
            .run(&plan, |call, candidate, limits| async move {
                let request =
                    EmbeddingRequest { model: candidate.model.clone(), texts: texts.clone(), dimensions: None };
                let made = async {
                    let embedding = candidate.provider.embedding.as_ref();
                    embedding.ok_or(ProviderError::Unsupported { what: "embeddings" })?.embed(&request, limits).await
                };
                call.carry_out(limits.total, made, brought).await
            })
            .await?;
        let (reply, cost) = attempted.value;
        Ok(Embedded {
            vectors: reply.vectors,
            model: attempted.candidate.name.clone(),
            usage: reply.usage,
            cost_nanousd: if attempted.unknown_cost { None } else { cost },
            replayed: None,
        })
    }
}

/// A reply as telemetry sees it.
fn brought(reply: &EmbeddingReply) -> Brought<'_> {
    Brought { usage: reply.usage, request_id: reply.request_id.as_deref(), ..Brought::default() }
}
