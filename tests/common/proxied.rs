//! What the tests of the proxy share: mock vendors in this process, and proxies to them over scratch stores.

#![allow(dead_code, reason = "every test binary uses its own part of this")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::config::{
    AlertSettings, Api, BreakerSettings, Budget, BudgetSettings, EndpointSettings, HttpProviderSettings, ModelSettings,
    ProviderKind, ProviderSettings, ProxySettings, RouteSettings, SafetySettings, TimeoutSettings,
};
use tollgate::cost::{Ledger, Rules};
use tollgate::domain::{Clock, IdSource, ManualClock, NanoUsd, Price, Rate, Scope, SystemClock, TicketId};
use tollgate::mock_provider::{self, AnswerMode, MockServer, MockSettings};
use tollgate::prices::PriceBook;
use tollgate::providers::{ChatMessage, ChatRequest, Role};
use tollgate::proxy::{CallContext, Completion, Parts, Proxy, ProxyError, Recording};
use tollgate::store::{Charge, SpendFilter, Store, StoreError};

/// When the tests' clocks begin.
pub(crate) const START: &str = "2026-11-01T12:00:00Z";

/// A mock vendor, and what changes it.
pub(crate) struct Vendor {
    server: MockServer,
    client: reqwest::Client,
}

/// While this lives, the vendor answers nobody.
pub(crate) struct Held(#[expect(dead_code, reason = "it is only held")] reqwest::Response);

impl Vendor {
    pub(crate) async fn start(settings: Value) -> Self {
        let mut settings: MockSettings = serde_json::from_value(settings).unwrap();
        if settings.answers.reply.is_some() {
            settings.answers.mode = AnswerMode::Echo;
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = mock_provider::start(settings, listener, Arc::new(SystemClock::new()), 7).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { server, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.addr())
    }

    pub(crate) async fn change(&self, settings: Value) {
        let request = self.client.patch(self.url("/admin/settings")).body(settings.to_string());
        let reply = request.header("content-type", "application/json").send().await.unwrap();
        assert!(reply.status().is_success(), "{}", reply.text().await.unwrap());
    }

    /// The sum of the samples whose series begins so.
    async fn metric(&self, series: &str) -> u64 {
        let metrics = self.client.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let counted = metrics.lines().filter(|line| line.starts_with(&format!("mock_provider_{series}")));
        counted.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// How many requests for models it has answered, or given up, so far.
    pub(crate) async fn requests(&self) -> u64 {
        self.metric("requests_total{").await
    }

    /// How many requests it is working on.
    pub(crate) async fn in_flight(&self) -> u64 {
        self.metric("in_flight").await
    }

    /// The bodies of the requests that it has had, the oldest first.
    pub(crate) async fn bodies(&self) -> Vec<Value> {
        let text = self.client.get(self.url("/admin/requests")).send().await.unwrap().text().await.unwrap();
        let captured: Value = serde_json::from_str(&text).unwrap();
        captured["requests"].as_array().unwrap().iter().map(|request| request["body"].clone()).collect()
    }

    /// Makes everybody wait for the one slot that `capacity` has to have: a stream of several words has taken it.
    pub(crate) async fn hold(&self) -> Held {
        let wait = |ms: u32| json!({"latency": {"between_tokens": {"kind": "constant", "ms": ms}}});
        self.change(wait(3_600_000)).await;
        let body = json!({"model": "large", "stream": true, "messages": [{"role": "user", "content": "hold"}]});
        let request = self.client.post(self.url("/v1/chat/completions")).body(body.to_string());
        let mut reply = request.header("content-type", "application/json").send().await.unwrap();
        reply.chunk().await.unwrap().unwrap();
        self.change(wait(0)).await;
        Held(reply)
    }

    pub(crate) fn provider(&self, api: Api) -> ProviderSettings {
        let base = self.url(if api == Api::OpenAi { "/v1" } else { "" });
        provider_at(base, api)
    }
}

/// A provider whose model `large` costs 100 nano-dollars a prompt token and 400 a token of the answer.
pub(crate) fn provider_at(base_url: String, api: Api) -> ProviderSettings {
    let model =
        ModelSettings { price: Some(Price::new(Rate(100_000_000), Rate(400_000_000))), ..ModelSettings::default() };
    ProviderSettings {
        kind: ProviderKind::Http(HttpProviderSettings {
            api,
            base_url,
            key: None,
            key_header: None,
            headers: Vec::new(),
            structured_output: true,
            max_reply_bytes: 1 << 20,
        }),
        models: BTreeMap::from([("large".to_owned(), model)]),
        vendor: None,
        timeouts: TimeoutSettings { total: Duration::from_secs(2), ..TimeoutSettings::default() },
        max_concurrency: 64,
    }
}

pub(crate) fn settings() -> ProxySettings {
    ProxySettings {
        deadline: Duration::from_secs(3),
        backoff: Duration::from_millis(2),
        breaker: BreakerSettings {
            failures: 5,
            window: Duration::from_secs(10),
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_millis(100),
        },
        ..ProxySettings::default()
    }
}

pub(crate) fn route(candidates: &[&str]) -> RouteSettings {
    RouteSettings { candidates: candidates.iter().map(|name| (*name).to_owned()).collect(), ..RouteSettings::default() }
}

/// What a [`Bench`] is made of.
pub(crate) struct Setup {
    pub(crate) providers: BTreeMap<String, ProviderSettings>,
    /// `main`
    pub(crate) route: RouteSettings,
    pub(crate) settings: ProxySettings,
    pub(crate) budgets: BudgetSettings,
    pub(crate) alerts: AlertSettings,
    pub(crate) endpoints: BTreeMap<String, EndpointSettings>,
    pub(crate) clock: Arc<dyn Clock>,
    /// A new one when `None`.
    pub(crate) directory: Option<Arc<TempDir>>,
}

impl Setup {
    /// The route `main` leads to these, in this order.
    pub(crate) fn new(vendors: &[(&str, ProviderSettings)]) -> Self {
        let models: Vec<String> = vendors
            .iter()
            .map(|(name, settings)| format!("{name}/{}", settings.models.keys().next().unwrap()))
            .collect();
        Self {
            providers: vendors.iter().map(|(name, settings)| ((*name).to_owned(), settings.clone())).collect(),
            route: route(&models.iter().map(String::as_str).collect::<Vec<_>>()),
            settings: settings(),
            budgets: BudgetSettings::default(),
            alerts: AlertSettings::default(),
            endpoints: BTreeMap::new(),
            clock: Arc::new(ManualClock::new(START.parse().unwrap())),
            directory: None,
        }
    }

    pub(crate) fn route(self, route: RouteSettings) -> Self {
        Self { route, ..self }
    }

    pub(crate) fn settings(self, settings: ProxySettings) -> Self {
        Self { settings, ..self }
    }

    pub(crate) fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// A budget for the scope of this name.
    pub(crate) fn budget(mut self, scope: &str, budget: Budget) -> Self {
        self.budgets.by_scope.insert(scope.parse().unwrap(), budget);
        self
    }

    /// Over the store in this directory, as another process would.
    pub(crate) fn beside(self, other: &Bench) -> Self {
        Self { directory: Some(Arc::clone(&other.directory)), ..self }
    }

    pub(crate) fn build(self) -> Bench {
        // Two that share a store must not make the same ids.
        static SEED: AtomicU64 = AtomicU64::new(3);
        let directory = self.directory.unwrap_or_else(|| Arc::new(tempfile::tempdir().unwrap()));
        let store = Arc::new(Store::open(&directory.path().join("tollgate.db")).unwrap());
        let ids = Arc::new(IdSource::seeded(SEED.fetch_add(1, Ordering::Relaxed)));
        let rules = Arc::new(Rules::new(self.budgets, self.alerts));
        let (clock, books) = (self.clock, Arc::clone(&store));
        let ledger = Ledger::new(books, Arc::clone(&clock), Arc::clone(&ids), Arc::clone(&rules), self.endpoints);
        let ledger = Arc::new(ledger);
        let proxy = Proxy::new(Parts {
            providers: self.providers,
            routes: BTreeMap::from([("main".to_owned(), self.route)]),
            settings: self.settings,
            safety: SafetySettings::default(),
            payloads: false,
            prices: Arc::new(PriceBook::shipped().clone()),
            recording: Recording::off(),
            ledger: Arc::clone(&ledger),
            clock: Arc::clone(&clock),
            ids,
        });
        Bench { proxy: Arc::new(proxy), ledger, rules, clock, store, directory }
    }
}

/// A proxy over a scratch store.
pub(crate) struct Bench {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) rules: Arc<Rules>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<Store>,
    directory: Arc<TempDir>,
}

pub(crate) fn context() -> CallContext {
    CallContext {
        ticket: TicketId::from(uuid::Uuid::nil()),
        tenant: "shared".into(),
        endpoint: "test",
        task: "answer".into(),
        prompt: "answer@v1".into(),
        release: "0".into(),
        cache: "bypassed",
        deadline: None,
        fingerprint: None,
        evaluates: false,
        approved_cost: None,
    }
}

/// A request with an answer of at most 50 tokens.
pub(crate) fn request(question: &str) -> ChatRequest {
    ChatRequest { max_output_tokens: Some(50), ..unlimited(question) }
}

/// A request that says nothing about the length of the answer.
pub(crate) fn unlimited(question: &str) -> ChatRequest {
    ChatRequest {
        messages: vec![ChatMessage::new(Role::User, format!("<question>{question}</question>"))],
        ..ChatRequest::default()
    }
}

/// A cap for a day.
pub(crate) fn daily(cap: i64) -> Budget {
    Budget { day: Some(NanoUsd(cap)), ..Budget::default() }
}

impl Bench {
    pub(crate) async fn ask(&self, question: &str) -> Result<Completion, ProxyError> {
        self.proxy.complete(&context(), "main", request(question)).await
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The main database, beside the program.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path().join("tollgate.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection
    }

    /// Every reservation, in order.
    pub(crate) async fn charges(&self) -> Vec<Charge> {
        self.store.flush().await.unwrap();
        let all =
            SpendFilter::between("0001-01-01T00:00:00Z".parse().unwrap(), "9000-01-01T00:00:00Z".parse().unwrap());
        let mut charges = Vec::new();
        let keep = |charge| {
            charges.push(charge);
            Ok::<_, StoreError>(())
        };
        self.store.for_each_charge(&all, keep).unwrap();
        charges
    }

    /// What is booked and held in the window of `scope` that holds now.
    pub(crate) async fn standing(&self, scope: &str) -> (i64, i64) {
        let scope: Scope = scope.parse().unwrap();
        let overrides = self.store.budget_overrides().unwrap();
        let limits = self.rules.limits_of(&scope, self.clock.now(), &overrides);
        let limit = limits.into_iter().next().unwrap();
        let counter = self.store.counter(scope, limit.period, limit.window).await.unwrap();
        (counter.spent.0, counter.reserved.0)
    }

    /// Fails unless rows, counters and calls agree and nothing is open.
    pub(crate) async fn balances(&self) {
        let check = self.store.check_ledger(false).await.unwrap();
        assert_eq!((check.open, check.astray, check.calls_that_differ, check.calls_missing), (0, 0, 0, 0), "{check:?}");
        assert_eq!((check.reservations, &check.counters), (check.settlements, &Vec::new()), "{check:?}");
    }
}
