//! L3: the ONE seam to models. Every model call of the product goes through [`Proxy::call`]: it finds the provider,
//! keeps the deadline, prices what was consumed, and records the telemetry of every attempt.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ProviderKind, ProviderSettings};
use crate::domain::{CallId, Clock, IdSource, NanoUsd, Price, PriceTooLarge, TicketId, Usage, nearest, rfc3339};
use crate::providers::{ChatProvider, ChatReply, ChatRequest, Deadline, Echo, Extractive, FinishReason, ProviderError};
use crate::store::{CallRecord, CallStatus, Store, StoreError};

/// How long one call may take.
const CALL_DEADLINE: Duration = Duration::from_secs(30);

/// The way to every model.
pub struct Proxy {
    providers: BTreeMap<String, Provider>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
}

struct Provider {
    chat: Box<dyn ChatProvider>,
    prices: BTreeMap<String, Price>,
}

/// On whose behalf a call is made; goes into its telemetry.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The ticket it belongs to.
    pub ticket: TicketId,
    /// The tenant who asked.
    pub tenant: String,
    /// Which command or route asked.
    pub endpoint: &'static str,
    /// The prompt's task.
    pub task: String,
    /// Prompt name and version, `answer@v2`.
    pub prompt: String,
    /// The release's content hash.
    pub release: String,
}

/// What a call brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// What the model said.
    pub text: String,
    /// Why it stopped.
    pub finish_reason: FinishReason,
    /// What it consumed; `None` when the vendor did not say.
    pub usage: Option<Usage>,
    /// What it cost; `None` when what it consumed is unknown.
    pub cost_nanousd: Option<NanoUsd>,
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A model's name is not `provider/model`.
    #[error("`{model}` does not name a model: write `provider/model`")]
    Unqualified {
        /// The name.
        model: String,
    },
    /// No provider has this name.
    #[error("no provider `{provider}` is configured{}", did_you_mean(.nearest.as_deref()))]
    UnknownProvider {
        /// The name.
        provider: String,
        /// The configured name nearest to it.
        nearest: Option<String>,
    },
    /// The provider has no such model, or its price is unknown.
    #[error("provider `{provider}` has no priced model `{model}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownModel {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// The configured name nearest to it.
        nearest: Option<String>,
    },
    /// The provider gave no answer.
    #[error("{model} gave no answer: {source}")]
    Provider {
        /// `provider/model`.
        model: String,
        /// Why.
        source: ProviderError,
    },
    /// The provider was too slow.
    #[error("{model} gave no answer within {} ms", deadline.as_millis())]
    TimedOut {
        /// `provider/model`.
        model: String,
        /// The time it had.
        deadline: Duration,
    },
    /// The cost does not fit into money.
    #[error(transparent)]
    Price(#[from] PriceTooLarge),
    /// The telemetry could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

impl Proxy {
    /// A proxy to the configured providers.
    pub fn new(
        settings: &BTreeMap<String, ProviderSettings>,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
    ) -> Self {
        let provider = |settings: &ProviderSettings| Provider {
            chat: match &settings.kind {
                ProviderKind::Extractive => Box::new(Extractive),
                ProviderKind::Echo { latency_ms, reply } => {
                    Box::new(Echo::new(Duration::from_millis(*latency_ms), reply.clone()))
                }
            },
            prices: settings.models.clone(),
        };
        let providers = settings.iter().map(|(name, settings)| (name.clone(), provider(settings))).collect();
        Self { providers, store, clock, ids }
    }

    /// Checks that `model` (`provider/model`) can be called and is priced, without calling it.
    ///
    /// # Errors
    /// [`ProxyError::Unqualified`], [`ProxyError::UnknownProvider`] or [`ProxyError::UnknownModel`].
    pub fn check(&self, model: &str) -> Result<(), ProxyError> {
        self.find(model).map(|_| ())
    }

    /// Whether calling `model` spends no money and uses no network.
    ///
    /// # Errors
    /// As [`Proxy::check`].
    pub fn is_offline(&self, model: &str) -> Result<bool, ProxyError> {
        self.find(model).map(|(provider, ..)| provider.chat.is_offline())
    }

    /// The price of `model`'s tokens.
    ///
    /// # Errors
    /// As [`Proxy::check`].
    pub fn price(&self, model: &str) -> Result<Price, ProxyError> {
        self.find(model).map(|(.., price)| price)
    }

    /// Makes one call to `model` (`provider/model`) and records it; `request.model` is set from it.
    ///
    /// # Errors
    /// Why there is no answer. The attempt is recorded in any case.
    pub async fn call(
        &self,
        context: &CallContext,
        model: &str,
        mut request: ChatRequest,
    ) -> Result<Completion, ProxyError> {
        let (provider, name, price) = self.find(model)?;
        name.clone_into(&mut request.model);
        let started_at = rfc3339(self.clock.now());
        let started = self.clock.monotonic();
        let attempt = provider.chat.chat(&request, Deadline(CALL_DEADLINE));
        let outcome = tokio::time::timeout(CALL_DEADLINE, attempt).await;
        let latency_ms = self.clock.monotonic().saturating_sub(started).as_secs_f64() * 1_000.0;
        let (status, reply) = match outcome {
            Ok(Ok(reply)) => (CallStatus::Ok, Ok(reply)),
            Ok(Err(source)) => (CallStatus::Failed, Err(ProxyError::Provider { model: model.to_owned(), source })),
            Err(_) => {
                (CallStatus::TimedOut, Err(ProxyError::TimedOut { model: model.to_owned(), deadline: CALL_DEADLINE }))
            }
        };
        let completion = reply.and_then(|reply| priced(reply, price));
        let done = completion.as_ref().ok();
        let record = CallRecord {
            id: self.ids.next::<CallId>(&*self.clock),
            ticket: context.ticket,
            tenant: context.tenant.clone(),
            endpoint: context.endpoint.to_owned(),
            task: context.task.clone(),
            prompt: context.prompt.clone(),
            release: context.release.clone(),
            model: model.to_owned(),
            started_at,
            latency_ms,
            status,
            error: completion.as_ref().err().map(ToString::to_string),
            finish_reason: done.map(|completion| completion.finish_reason.as_str().to_owned()),
            usage: done.and_then(|completion| completion.usage),
            cost_nanousd: done.and_then(|completion| completion.cost_nanousd),
        };
        tracing::debug!(model, latency_ms, error = record.error, ticket = %record.ticket, "call");
        self.store.record_call(record);
        completion
    }

    fn find<'a>(&'a self, model: &'a str) -> Result<(&'a Provider, &'a str, Price), ProxyError> {
        let (provider, name) =
            model.split_once('/').ok_or_else(|| ProxyError::Unqualified { model: model.to_owned() })?;
        let found = self.providers.get(provider).ok_or_else(|| ProxyError::UnknownProvider {
            provider: provider.to_owned(),
            nearest: nearest(provider, self.providers.keys().map(String::as_str)).map(str::to_owned),
        })?;
        let price = found.prices.get(name).ok_or_else(|| ProxyError::UnknownModel {
            provider: provider.to_owned(),
            model: name.to_owned(),
            nearest: nearest(name, found.prices.keys().map(String::as_str)).map(str::to_owned),
        })?;
        Ok((found, name, *price))
    }
}

fn priced(reply: ChatReply, price: Price) -> Result<Completion, ProxyError> {
    let cost_nanousd = reply.usage.map(|usage| price.cost(usage)).transpose()?;
    Ok(Completion { text: reply.text, finish_reason: reply.finish_reason, usage: reply.usage, cost_nanousd })
}
