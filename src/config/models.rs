use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Reader;
use super::secrets::SecretSource;
use crate::domain::{ApiKey, NanoUsd, Price, Rate};

/// `[providers.NAME]`
#[derive(Debug, Clone)]
pub struct ProviderSettings {
    /// What kind of provider it is.
    pub kind: ProviderKind,
    /// Its models that need settings of their own.
    pub models: BTreeMap<String, ModelSettings>,
    /// Whose prices of the price book its models have; `None` when every model must name its own.
    pub vendor: Option<String>,
    /// How long its attempts may take.
    pub timeouts: TimeoutSettings,
    /// Most attempts under way at a time; the proxy lowers it by itself while the provider pushes back.
    pub max_concurrency: usize,
}

/// The kinds of provider.
#[derive(Debug, Clone)]
pub enum ProviderKind {
    /// The built-in offline answerer.
    Extractive,
    /// Answers with the question, or always the same; to measure tollgate itself.
    Echo {
        /// How long an answer takes.
        latency_ms: u64,
        /// The answer, when it is not the question.
        reply: Option<String>,
    },
    /// Sentence embeddings computed on this machine.
    Local {
        /// The directory of the model.
        directory: PathBuf,
    },
    /// A vendor's HTTP API.
    Http(HttpProviderSettings),
}

/// A provider that is reached over HTTP.
#[derive(Debug, Clone)]
pub struct HttpProviderSettings {
    /// Whose shapes it speaks.
    pub api: Api,
    /// Where its API begins.
    pub base_url: String,
    /// The key, when it needs one.
    pub key: Option<ApiKey>,
    /// The header that carries the key, when it is not the API's usual one.
    pub key_header: Option<String>,
    /// Headers that every request carries.
    pub headers: Vec<(String, String)>,
    /// Whether it takes a JSON Schema for its answer.
    pub structured_output: bool,
    /// A larger answer is refused.
    pub max_reply_bytes: u64,
}

/// The APIs that tollgate speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// `OpenAI`'s chat completions and embeddings, and every compatible server.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Google's generateContent.
    Gemini,
}

/// `[providers.NAME.timeouts]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeoutSettings {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the first piece of a streamed answer.
    pub first_token: Duration,
    /// Between two pieces of a streamed answer.
    pub between_tokens: Duration,
    /// Until the end of an answer.
    pub total: Duration,
}

impl Default for TimeoutSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(3), first_token: seconds(15), between_tokens: seconds(15), total: seconds(60) }
    }
}

/// `[providers.NAME.models.MODEL]`
#[derive(Debug, Clone, Default)]
pub struct ModelSettings {
    /// Its own price; `None` takes it from the price book.
    pub price: Option<Price>,
    /// Its name in the price book, `vendor/model`, when that is not `vendor` and its own name.
    pub priced_as: Option<String>,
    /// The most that one request may cost in the worst case; `None` for the default.
    pub ceiling: Option<NanoUsd>,
}

/// `[routes.NAME]`
#[derive(Debug, Clone, Default)]
pub struct RouteSettings {
    /// Models, `provider/model`, in order of preference.
    pub candidates: Vec<String>,
    /// Other candidates for single tasks.
    pub tasks: BTreeMap<String, Vec<String>>,
    /// Candidates whose worst case is dearer are skipped.
    pub max_request: Option<NanoUsd>,
    /// Candidates whose recent p95 latency is longer are skipped.
    pub p95: Option<Duration>,
    /// A second candidate is asked as well when there is no answer by then.
    pub hedge_after: Option<Duration>,
}

impl Api {
    const CHOICES: &[(&'static str, Kind)] = &[
        ("openai", Kind::Http(Self::OpenAi)),
        ("anthropic", Kind::Http(Self::Anthropic)),
        ("gemini", Kind::Http(Self::Gemini)),
        ("extractive", Kind::Extractive),
        ("local", Kind::Local),
        ("echo", Kind::Echo),
    ];

    /// Base URL, variable of the key, and vendor in the price book.
    fn defaults(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::OpenAi => ("https://api.openai.com/v1", "OPENAI_API_KEY", "openai"),
            Self::Anthropic => ("https://api.anthropic.com", "ANTHROPIC_API_KEY", "anthropic"),
            Self::Gemini => ("https://generativelanguage.googleapis.com", "GEMINI_API_KEY", "google"),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Extractive,
    Echo,
    Local,
    Http(Api),
}

/// Reads `[providers.NAME]`.
pub(super) fn read_provider(
    root: &Path,
    environment: &[(String, String)],
    provider: Reader<'_>,
) -> Option<ProviderSettings> {
    provider.require("kind", "say kind = \"openai\", \"anthropic\", \"gemini\", \"extractive\", \"local\" or \"echo\"");
    let kind = provider.choice("kind", Api::CHOICES);
    let mut vendor = provider.text("vendor");
    let kind = kind.and_then(|kind| match kind {
        Kind::Extractive => Some(ProviderKind::Extractive),
        Kind::Echo => Some(ProviderKind::Echo {
            latency_ms: provider.integer("latency_ms", 0..=600_000).unwrap_or(0) as u64,
            reply: provider.text("reply"),
        }),
        Kind::Local => {
            provider.require("directory", "name the directory with config.json, tokenizer.json and model.safetensors");
            provider.text("directory").map(|directory| ProviderKind::Local { directory: root.join(directory) })
        }
        Kind::Http(api) => {
            if !provider.has("base_url") {
                // Elsewhere the same name may be another model, at another price.
                vendor = vendor.take().or_else(|| Some(api.defaults().2.to_owned()));
            }
            Some(ProviderKind::Http(read_http(api, root, environment, &provider)))
        }
    });
    let models = provider.tables("models").into_iter().map(|(name, model)| (name, read_model(model)));
    let models = models.collect();
    let timeouts = provider.table("timeouts").map(read_timeouts).unwrap_or_default();
    let max_concurrency = provider.integer("max_concurrency", 1..=10_000).map_or(256, |number| number as usize);
    if kind.is_some() {
        provider.finish();
    }
    Some(ProviderSettings { kind: kind?, models, vendor, timeouts, max_concurrency })
}

fn read_http(api: Api, root: &Path, environment: &[(String, String)], provider: &Reader<'_>) -> HttpProviderSettings {
    let (usual_url, usual_variable, _) = api.defaults();
    let base_url = provider.text("base_url");
    if let Some(url) = &base_url
        && !(url.starts_with("https://") || url.starts_with("http://"))
    {
        provider.reject("base_url", "must start with https:// or http://", Some(format!("the usual one: {usual_url}")));
    }
    if base_url.as_ref().is_some_and(|url| url.contains('?')) {
        provider.reject("base_url", "must not hold a query", Some("a key goes with api_key_env".into()));
    }
    let key = SecretSource::read(root, provider, "api_key_env", "api_key_file");
    // A server of one's own needs no key unless it is told so.
    let usual = base_url.is_none().then(|| SecretSource::Variable(usual_variable.to_owned()));
    let key = key.or(usual).map(|source| source.look_up(environment));
    let headers = provider.table("headers").map(Reader::free_texts).unwrap_or_default();
    for (name, _) in &headers {
        let lower = name.to_lowercase();
        if ["auth", "key", "token", "secret", "cookie"].iter().any(|part| lower.contains(part)) {
            let hint = "name the variable with api_key_env, and the header with api_key_header";
            provider.reject(
                "headers",
                format!("`{name}` carries a key, and keys do not stand in this file"),
                Some(hint.into()),
            );
        }
    }
    for name in ["api_key", "key", "token"] {
        if provider.has(name) {
            let hint = "put it into the environment, and name the variable with api_key_env";
            provider.reject(name, "keys do not stand in this file", Some(hint.into()));
        }
    }
    HttpProviderSettings {
        api,
        base_url: base_url.unwrap_or_else(|| usual_url.to_owned()).trim_end_matches('/').to_owned(),
        key,
        key_header: provider.text("api_key_header"),
        headers,
        structured_output: provider.flag("structured_output").unwrap_or(true),
        max_reply_bytes: provider.integer("max_reply_bytes", 1_024..=1_000_000_000).unwrap_or(16_777_216) as u64,
    }
}

fn read_timeouts(timeouts: Reader<'_>) -> TimeoutSettings {
    let defaults = TimeoutSettings::default();
    let read = |key, default| timeouts.millis(key).unwrap_or(default);
    let settings = TimeoutSettings {
        connect: read("connect_ms", defaults.connect),
        first_token: read("first_token_ms", defaults.first_token),
        between_tokens: read("between_tokens_ms", defaults.between_tokens),
        total: read("total_ms", defaults.total),
    };
    timeouts.finish();
    settings
}

fn read_model(model: Reader<'_>) -> ModelSettings {
    let rate = |key| {
        let dollars = model.amount(key)?;
        let rate = Rate::from_usd_per_million(dollars);
        if rate.is_none() {
            let problem = format!("${dollars} per million tokens is not a whole number of nano-dollars");
            model.reject(key, problem, None);
        }
        rate
    };
    let (input, output) = (rate("input_usd_per_million"), rate("output_usd_per_million"));
    let (cached_input, cache_write) = (rate("cached_input_usd_per_million"), rate("cache_write_usd_per_million"));
    let priced_as = model.text("priced_as");
    let has = |key| model.has(key);
    if has("input_usd_per_million") != has("output_usd_per_million") {
        let missing = if has("input_usd_per_million") { "output_usd_per_million" } else { "input_usd_per_million" };
        model.require(missing, "a price is never assumed: write 0 for a model that costs nothing");
    }
    for cached in ["cached_input_usd_per_million", "cache_write_usd_per_million"] {
        if model.has(cached) && !model.has("input_usd_per_million") {
            model.reject(cached, "stands without input_usd_per_million and output_usd_per_million", None);
        }
    }
    let ceiling = model.dollars("ceiling_usd");
    model.finish();
    let price = input.zip(output).map(|(input, output)| {
        let mut price = Price::new(input, output);
        price.rates.cached_input = cached_input;
        price.rates.cache_write = cache_write;
        price
    });
    ModelSettings { price, priced_as, ceiling }
}

/// Reads `[routes.NAME]`.
pub(super) fn read_route(route: Reader<'_>) -> Option<RouteSettings> {
    route.require("candidates", "list the models, provider/model, in order of preference");
    let candidates = route.texts("candidates");
    let tasks: BTreeMap<_, _> = route.table("tasks").map(Reader::free_lists).unwrap_or_default();
    for model in candidates.iter().flatten().chain(tasks.values().flatten()) {
        if !model.contains('/') {
            route.reject("candidates", format!("`{model}` does not name a model: write provider/model"), None);
        }
    }
    if candidates.as_ref().is_some_and(Vec::is_empty) {
        route.reject("candidates", "names no model", None);
    }
    if let Some((task, _)) = tasks.iter().find(|(_, models)| models.is_empty()) {
        route.reject("tasks", format!("`{task}` names no model"), None);
    }
    let (max_request, p95, hedge_after) =
        (route.dollars("max_request_usd"), route.millis("p95_ms"), route.millis("hedge_after_ms"));
    route.finish();
    Some(RouteSettings { candidates: candidates?, tasks, max_request, p95, hedge_after })
}
