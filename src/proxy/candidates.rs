use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::civil::Date;

use super::breaker::Breaker;
use super::latency::RecentLatency;
use super::limiter::Limiter;
use super::retry_budget::RetryBudget;
use super::{Health, ProxyError, vendors};
use crate::config::{Api, ProviderKind, ProviderSettings, ProxySettings, RouteSettings};
use crate::domain::{Clock, NanoUsd, Price, is_loopback, nearest};
use crate::prices::PriceBook;
use crate::providers::{ChatProvider, EmbeddingProvider};

/// A provider with what all its models share.
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) settings: ProviderSettings,
    pub(super) chat: Option<Arc<dyn ChatProvider>>,
    pub(super) embedding: Option<Arc<dyn EmbeddingProvider>>,
    pub(super) limiter: Arc<Limiter>,
    pub(super) retries: RetryBudget,
    /// Host and port, when it is reached over a network.
    pub(super) server: Option<(String, Option<u16>)>,
}

impl Provider {
    /// The vendor as OpenTelemetry's `gen_ai.provider.name` has it, where it has one.
    pub(super) fn system(&self) -> &str {
        match &self.settings.kind {
            ProviderKind::Http(http) if http.api == Api::Gemini => "gcp.gemini",
            ProviderKind::Http(_) => match self.settings.vendor.as_deref() {
                Some("mistral") => "mistral_ai",
                vendor => vendor.unwrap_or(&self.name),
            },
            _ => &self.name,
        }
    }

    pub(super) fn is_offline(&self) -> bool {
        !matches!(self.settings.kind, ProviderKind::Http(_))
    }
}

/// One model at one provider, with how it fares.
pub(super) struct Candidate {
    /// `provider/model`.
    pub(super) name: String,
    /// Its name at the provider.
    pub(super) model: String,
    pub(super) provider: Arc<Provider>,
    /// The price, and the day that it was looked up for.
    price: Mutex<(Date, Price)>,
    pub(super) ceiling: NanoUsd,
    pub(super) breaker: Breaker,
    pub(super) latency: RecentLatency,
    /// Until when the vendor asked not to be called.
    pub(super) resting_until: Mutex<Duration>,
}

/// Host and port of a base URL.
fn server(kind: &ProviderKind) -> Option<(String, Option<u16>)> {
    let ProviderKind::Http(http) = kind else { return None };
    let url = reqwest::Url::parse(&http.base_url).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()))
}

impl Candidate {
    pub(super) fn price(&self) -> Price {
        self.price.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    pub(super) fn health(&self, now: Duration) -> Health {
        Health { model: self.name.clone(), breaker: self.breaker.state(), p95: self.latency.p95(now) }
    }

    pub(super) fn resting(&self, now: Duration) -> Option<Duration> {
        let until = *self.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        (until > now).then(|| until.saturating_sub(now))
    }

    pub(super) fn rest_until(&self, until: Duration) {
        let mut resting = self.resting_until.lock().unwrap_or_else(PoisonError::into_inner);
        *resting = (*resting).max(until);
    }
}

/// A model that can be called, as far as its settings tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateInfo {
    /// `provider/model`.
    pub model: String,
    /// Whether its provider answers chat requests.
    pub answers: bool,
    /// Whether its provider makes vectors.
    pub embeds: bool,
    /// Where its key should come from, when there is none.
    pub missing_key: Option<String>,
    /// Whether its key crosses a network without TLS.
    pub key_in_the_clear: bool,
}

/// All providers and routes, and the models asked for so far. Can look models up, and call none.
pub struct Candidates {
    providers: BTreeMap<String, ProviderSettings>,
    /// Those that were asked for: one that nobody uses may be out of order.
    built: Mutex<BTreeMap<String, Arc<Provider>>>,
    routes: BTreeMap<String, RouteSettings>,
    prices: Arc<PriceBook>,
    settings: ProxySettings,
    clock: Arc<dyn Clock>,
    known: RwLock<HashMap<String, Arc<Candidate>>>,
}

impl Candidates {
    /// The configured providers and routes. A provider is set up when it is first asked for.
    pub fn new(
        providers: BTreeMap<String, ProviderSettings>,
        routes: BTreeMap<String, RouteSettings>,
        prices: Arc<PriceBook>,
        settings: ProxySettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { providers, built: Mutex::default(), routes, prices, settings, clock, known: RwLock::default() }
    }

    fn provider(&self, name: &str) -> Result<Arc<Provider>, ProxyError> {
        let settings = self.providers.get(name).ok_or_else(|| ProxyError::UnknownProvider {
            provider: name.to_owned(),
            nearest: nearest(name, self.providers.keys().map(String::as_str)).map(str::to_owned),
        })?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = built.get(name) {
            return Ok(Arc::clone(provider));
        }
        let (chat, embedding) = vendors::build(name, settings, &self.clock)?;
        let now = self.clock.monotonic();
        let provider = Arc::new(Provider {
            name: name.to_owned(),
            settings: settings.clone(),
            chat,
            embedding,
            limiter: Limiter::new(settings.max_concurrency),
            retries: RetryBudget::new(self.settings.retry_share, self.settings.retry_floor, now),
            server: server(&settings.kind),
        });
        built.insert(name.to_owned(), Arc::clone(&provider));
        Ok(provider)
    }

    /// The route and candidates that `target` stands for in calls of `task`.
    pub(super) fn find(
        &self,
        target: &str,
        task: &str,
    ) -> Result<(Option<&RouteSettings>, Vec<Arc<Candidate>>), ProxyError> {
        if let Some(route) = self.routes.get(target) {
            let names = route.tasks.get(task).unwrap_or(&route.candidates);
            let candidates = names.iter().map(|name| self.candidate(name)).collect::<Result<_, _>>()?;
            return Ok((Some(route), candidates));
        }
        Ok((None, vec![self.candidate(target)?]))
    }

    /// Every candidate that `target` can stand for.
    pub(super) fn all(&self, target: &str) -> Result<Vec<Arc<Candidate>>, ProxyError> {
        match self.routes.get(target) {
            Some(route) => {
                let names = route.candidates.iter().chain(route.tasks.values().flatten());
                names.map(|name| self.candidate(name)).collect()
            }
            None => Ok(vec![self.candidate(target)?]),
        }
    }

    /// What `target` (a route or `provider/model`) stands for.
    ///
    /// # Errors
    /// As [`Proxy::check`](super::Proxy::check).
    pub fn describe(&self, target: &str) -> Result<Vec<CandidateInfo>, ProxyError> {
        let info = |candidate: Arc<Candidate>| {
            let provider = &candidate.provider;
            let http = match &provider.settings.kind {
                ProviderKind::Http(http) => Some(http),
                _ => None,
            };
            let key = http.and_then(|http| http.key.as_ref());
            CandidateInfo {
                model: candidate.name.clone(),
                answers: provider.chat.is_some(),
                embeds: provider.embedding.is_some(),
                missing_key: key.filter(|key| key.secret.is_none()).map(|key| key.source.clone()),
                key_in_the_clear: key.is_some_and(|key| key.secret.is_some())
                    && http.is_some_and(|http| http.base_url.starts_with("http://"))
                    && !provider.server.as_ref().is_some_and(|(host, _)| is_loopback(host)),
            }
        };
        Ok(self.all(target)?.into_iter().map(info).collect())
    }

    /// The candidates that have been asked for so far.
    pub(super) fn known(&self) -> Vec<Arc<Candidate>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn candidate(&self, name: &str) -> Result<Arc<Candidate>, ProxyError> {
        if let Some(known) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            let mut price = known.price.lock().unwrap_or_else(PoisonError::into_inner);
            let today = self.today();
            // A price may begin while this process lives.
            if price.0 != today {
                *price = (today, self.price(&known.provider, &known.model)?);
            }
            drop(price);
            return Ok(Arc::clone(known));
        }
        let candidate = Arc::new(self.resolve(name)?);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(name.to_owned()).or_insert(candidate)))
    }

    fn resolve(&self, name: &str) -> Result<Candidate, ProxyError> {
        let (provider, model) = name.split_once('/').ok_or_else(|| ProxyError::UnknownTarget {
            target: name.to_owned(),
            nearest: nearest(name, self.routes.keys().map(String::as_str)).map(str::to_owned),
        })?;
        let provider = self.provider(provider)?;
        let own = provider.settings.models.get(model);
        Ok(Candidate {
            name: name.to_owned(),
            model: model.to_owned(),
            price: Mutex::new((self.today(), self.price(&provider, model)?)),
            ceiling: own.and_then(|own| own.ceiling).unwrap_or(self.settings.ceiling),
            provider: Arc::clone(&provider),
            breaker: Breaker::new(self.settings.breaker),
            latency: RecentLatency::default(),
            resting_until: Mutex::default(),
        })
    }

    fn today(&self) -> Date {
        self.clock.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
    }

    /// The vendor and the model that `provider/model` goes by in a price book; a provider without a vendor by its own name.
    pub fn book_name(&self, name: &str) -> Option<(String, String)> {
        let (provider, model) = name.split_once('/')?;
        let settings = self.providers.get(provider)?;
        let priced_as = settings.models.get(model).and_then(|own| own.priced_as.as_deref());
        let named = priced_as.map(|name| name.split_once('/').unwrap_or((name, model)));
        let (vendor, model) = named.unwrap_or((settings.vendor.as_deref().unwrap_or(provider), model));
        Some((vendor.to_owned(), model.to_owned()))
    }

    fn price(&self, provider: &Provider, model: &str) -> Result<Price, ProxyError> {
        self.priced(&provider.name, &provider.settings, model, self.today())
    }

    /// The configured price, else that of the price book; never a guess.
    fn priced(&self, provider: &str, settings: &ProviderSettings, model: &str, day: Date) -> Result<Price, ProxyError> {
        let own = settings.models.get(model);
        if let Some(price) = own.and_then(|own| own.price) {
            return Ok(price);
        }
        let unknown = |nearest: Option<String>| ProxyError::UnknownModel {
            provider: provider.to_owned(),
            model: model.to_owned(),
            nearest,
        };
        let priced_as = own.and_then(|own| own.priced_as.as_deref());
        let named = priced_as.map(|name| name.split_once('/').unwrap_or((name, model)));
        let usual = || settings.vendor.as_deref().map(|vendor| (vendor, model));
        let Some((vendor, book_name)) = named.or_else(usual) else {
            let known = settings.models.keys().map(String::as_str);
            return Err(unknown(nearest(model, known).map(str::to_owned)));
        };
        let found = self.prices.find(vendor, book_name, day);
        found.map(|entry| entry.price).map_err(|source| ProxyError::NoPrice { provider: provider.to_owned(), source })
    }
}
