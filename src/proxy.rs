//! L3: the ONE seam to models. Every model call of the product goes through [`Proxy`]: it finds the candidates of a
//! route, keeps ceilings, deadlines and retry budgets, asks the next candidate when one fails, keeps away from those
//! that keep failing, prices what was consumed, and records the telemetry of every attempt.

mod breaker;
mod call;
mod candidates;
mod complete;
mod embed;
mod error;
mod latency;
mod limiter;
mod plan;
mod received;
mod recording;
mod retry_budget;
mod route;
mod safety;
mod stream;
mod vendors;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::candidates::Provider;
use crate::config::{ProviderSettings, ProxySettings, RouteSettings, SafetySettings};
use crate::cost::Ledger;
use crate::domain::{Clock, IdSource, NanoUsd, Price, TicketId, Usage};
use crate::prices::PriceBook;
use crate::providers::{FinishReason, ToolCall};
use crate::text::Redactor;

pub use candidates::{CandidateInfo, Candidates};
pub use embed::{Embedded, Embeddings, RoutedEmbedder};
pub use error::ProxyError;
pub use recording::{Recording, RecordingError};
pub use stream::{CompletionEvent, CompletionStream};

/// The way to every model.
pub struct Proxy {
    inner: Arc<Inner>,
}

/// What a proxy is made of.
pub struct Parts {
    /// `[providers]`
    pub providers: BTreeMap<String, ProviderSettings>,
    /// `[routes]`
    pub routes: BTreeMap<String, RouteSettings>,
    /// `[proxy]`
    pub settings: ProxySettings,
    /// `[safety]`
    pub safety: SafetySettings,
    /// Whether prompts and answers are kept with the calls, redacted.
    pub payloads: bool,
    /// What models cost.
    pub prices: Arc<PriceBook>,
    /// Whether exchanges are recorded or replayed.
    pub recording: Recording,
    /// Where money is held before a call, and booked with its record after it.
    pub ledger: Arc<Ledger>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids and jitter come from.
    pub ids: Arc<IdSource>,
}

struct Inner {
    candidates: Candidates,
    settings: ProxySettings,
    safety: SafetySettings,
    redactor: Arc<Redactor>,
    payloads: bool,
    recording: Recording,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
}

impl Inner {
    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// On whose behalf a request is made; goes into its telemetry.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The ticket it belongs to.
    pub ticket: TicketId,
    /// The tenant who asked.
    pub tenant: String,
    /// Which command or route asked.
    pub endpoint: &'static str,
    /// The prompt's task; a route may have other candidates for it.
    pub task: String,
    /// Prompt name and version, `answer@v2`.
    pub prompt: String,
    /// The release's content hash.
    pub release: String,
    /// How the caches were passed before the call: `miss`, `bypassed`.
    pub cache: &'static str,
    /// The time that the request has; the configured deadline when `None`, and never longer.
    pub deadline: Option<Duration>,
    /// Whether an evaluation asks: it waits for room in a budget, and a tenant's policy for refusals is not for it.
    pub evaluates: bool,
    /// What the customer's question is like ([`crate::text::fingerprint`]), where loops of the same one are watched for.
    pub fingerprint: Option<u64>,
    /// An explicit approval: the most that this request may cost, in place of its model's ceiling.
    pub approved_cost: Option<NanoUsd>,
}

/// What a request brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// What the model said.
    pub text: String,
    /// The same, read and checked against the schema that was asked for.
    pub value: Option<Value>,
    /// Functions that the model asks the caller to run.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub finish_reason: FinishReason,
    /// Who answered, `provider/model`.
    pub model: String,
    /// What was consumed, with a repair; `None` when the vendor did not say.
    pub usage: Option<Usage>,
    /// What it cost; `None` when something that was or may have been consumed is unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Answered calls.
    pub calls: u32,
    /// The time that the answer took when it was recorded, when it is a replay.
    pub replayed: Option<Duration>,
}

/// How one candidate fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `provider/model`.
    pub model: String,
    /// `closed` or `open`.
    pub breaker: &'static str,
    /// The recent p95 latency; `None` when there were too few calls.
    pub p95: Option<Duration>,
}

impl Proxy {
    /// A proxy to the configured providers.
    pub fn new(parts: Parts) -> Self {
        let Parts { providers, routes, settings, safety, payloads, prices, recording, ledger, clock, ids } = parts;
        let candidates = Candidates::new(providers, routes, prices, settings.clone(), Arc::clone(&clock));
        let redactor = Arc::new(Redactor::new(&safety.allow));
        let inner = Inner { candidates, settings, safety, redactor, payloads, recording, ledger, clock, ids };
        Self { inner: Arc::new(inner) }
    }

    /// Checks that `target` (a route or `provider/model`) can be called and is priced, without calling it.
    ///
    /// # Errors
    /// [`ProxyError::UnknownTarget`], [`ProxyError::UnknownProvider`], [`ProxyError::UnknownModel`],
    /// [`ProxyError::NoPrice`], or [`ProxyError::Setup`].
    pub fn check(&self, target: &str) -> Result<(), ProxyError> {
        self.require(target, "chat", |provider| provider.chat.is_some())
    }

    fn require(&self, target: &str, what: &'static str, does: fn(&Provider) -> bool) -> Result<(), ProxyError> {
        let candidates = self.inner.candidates.all(target)?;
        match candidates.iter().find(|candidate| !does(&candidate.provider)) {
            Some(other) => Err(ProxyError::Unsupported { provider: other.provider.name.clone(), what }),
            None => Ok(()),
        }
    }

    /// Whether asking `target` spends no money and uses no network, whoever answers.
    ///
    /// # Errors
    /// As [`Proxy::check`].
    pub fn is_offline(&self, target: &str) -> Result<bool, ProxyError> {
        Ok(self.inner.candidates.all(target)?.iter().all(|candidate| candidate.provider.is_offline()))
    }

    /// The price of the tokens of `target`: of its first candidate.
    ///
    /// # Errors
    /// As [`Proxy::check`].
    pub fn price(&self, target: &str) -> Result<Price, ProxyError> {
        let first = self.inner.candidates.all(target)?.into_iter().next();
        first
            .map(|candidate| candidate.price())
            .ok_or_else(|| ProxyError::UnknownTarget { target: target.to_owned(), nearest: None })
    }

    /// Whether another model is asked where a budget has no room for this tenant's request.
    pub fn has_fallback(&self, context: &CallContext) -> bool {
        self.inner.fallback(context, "").is_some()
    }

    /// What keeps personal data out of everything that is stored.
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.inner.redactor
    }

    /// Whether answers are replayed, so that their latency is not of this run.
    pub fn replays(&self) -> bool {
        self.inner.recording.replays()
    }

    /// How every candidate fares that was asked so far.
    pub fn health(&self) -> Vec<Health> {
        let now = self.inner.clock.monotonic();
        let mut health: Vec<Health> =
            self.inner.candidates.known().iter().map(|candidate| candidate.health(now)).collect();
        health.sort_by(|one, other| one.model.cmp(&other.model));
        health
    }
}
