use std::path::{Path, PathBuf};
use std::time::Duration;

use super::reader::Reader;
use crate::domain::{NanoUsd, Secret};

/// `[proxy]`: how patient the proxy is.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// The time that a whole request has, over all its attempts.
    pub deadline: Duration,
    /// Most further rounds over the candidates after the first.
    pub max_retries: u32,
    /// Retries allowed for each request, as a share (0..=1), beside the floor.
    pub retry_share: f64,
    /// Retries allowed in a minute however little traffic there is.
    pub retry_floor: u32,
    /// Longest wait before the first retry; it doubles with each.
    pub backoff: Duration,
    /// When a candidate's breaker opens, and how it closes again.
    pub breaker: BreakerSettings,
    /// The most that one request may cost in the worst case, unless its model says otherwise.
    pub ceiling: NanoUsd,
}

/// `[proxy.breaker]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// It opens after so many failures in a row,
    pub failures: u32,
    /// or when half of at least twice as many calls within this time failed.
    pub window: Duration,
    /// While it is open, one probe is let through in each interval.
    pub probe_interval: Duration,
    /// The time that a probe has.
    pub probe_timeout: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            max_retries: 2,
            retry_share: 0.2,
            retry_floor: 10,
            backoff: Duration::from_millis(500),
            breaker: BreakerSettings::default(),
            ceiling: NanoUsd(50_000_000),
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { failures: 5, window: seconds(10), probe_interval: seconds(5), probe_timeout: seconds(10) }
    }
}

/// `[safety]`
#[derive(Debug, Clone, Default)]
pub struct SafetySettings {
    /// Whether personal data is replaced in prompts too, before they reach the vendor. It always is before anything is
    /// stored or logged.
    pub redact_prompts: bool,
    /// Values that are not personal data here: the shop's own address, say.
    pub allow: Vec<String>,
}

/// `[telemetry]`
#[derive(Debug, Clone)]
pub struct TelemetrySettings {
    /// Where spans are exported to; `None` exports none.
    pub otlp_endpoint: Option<String>,
    /// The headers of the export, from the environment.
    pub otlp_headers: Vec<(String, Secret)>,
    /// `service.name` of the exported spans.
    pub service_name: String,
    /// Whether prompts and answers are kept with the calls, redacted.
    pub payloads: bool,
}

pub(super) fn read_proxy(proxy: Reader<'_>) -> ProxySettings {
    let defaults = ProxySettings::default();
    let breaker = proxy.table("breaker").map(|breaker| {
        let defaults = defaults.breaker;
        let settings = BreakerSettings {
            failures: breaker.integer("failures", 1..=1_000).map_or(defaults.failures, |number| number as u32),
            window: breaker.millis("window_ms").unwrap_or(defaults.window),
            probe_interval: breaker.millis("probe_interval_ms").unwrap_or(defaults.probe_interval),
            probe_timeout: breaker.millis("probe_timeout_ms").unwrap_or(defaults.probe_timeout),
        };
        breaker.finish();
        settings
    });
    let settings = ProxySettings {
        deadline: proxy.millis("deadline_ms").unwrap_or(defaults.deadline),
        max_retries: proxy.integer("max_retries", 0..=10).map_or(defaults.max_retries, |number| number as u32),
        retry_share: proxy
            .integer("retry_budget_percent", 0..=100)
            .map_or(defaults.retry_share, |percent| percent as f64 / 100.0),
        retry_floor: proxy
            .integer("retry_floor_per_minute", 0..=10_000)
            .map_or(defaults.retry_floor, |number| number as u32),
        backoff: proxy.millis("backoff_ms").unwrap_or(defaults.backoff),
        breaker: breaker.unwrap_or_default(),
        ceiling: proxy.dollars("ceiling_usd").unwrap_or(defaults.ceiling),
    };
    proxy.finish();
    settings
}

pub(super) fn read_safety(safety: Reader<'_>) -> SafetySettings {
    let settings = SafetySettings {
        redact_prompts: safety.flag("redact_prompts").unwrap_or(false),
        allow: safety.texts("allow").unwrap_or_default(),
    };
    safety.finish();
    settings
}

pub(super) fn default_telemetry() -> TelemetrySettings {
    TelemetrySettings {
        otlp_endpoint: None,
        otlp_headers: Vec::new(),
        service_name: "tollgate".to_owned(),
        payloads: false,
    }
}

pub(super) fn read_telemetry(environment: &[(String, String)], telemetry: Reader<'_>) -> TelemetrySettings {
    let defaults = default_telemetry();
    let endpoint = telemetry.text("otlp_endpoint");
    if let Some(url) = &endpoint
        && !(url.starts_with("http://") || url.starts_with("https://"))
    {
        telemetry.reject("otlp_endpoint", "must start with http:// or https://", None);
    }
    // `name=value` pairs, comma-separated, as OTEL_EXPORTER_OTLP_HEADERS has them.
    let headers = telemetry.text("otlp_headers_env").and_then(|variable| {
        let found = environment.iter().find(|(name, _)| *name == variable);
        if found.is_none() {
            telemetry.reject("otlp_headers_env", format!("the environment variable `{variable}` is not set"), None);
        }
        found.map(|(_, value)| {
            let pairs = value.split(',').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.trim().to_owned(), Secret::new(value.trim().to_owned()))).collect()
        })
    });
    let settings = TelemetrySettings {
        otlp_endpoint: endpoint,
        otlp_headers: headers.unwrap_or_default(),
        service_name: telemetry.text("service_name").unwrap_or(defaults.service_name),
        payloads: telemetry.flag("payloads").unwrap_or(false),
    };
    telemetry.finish();
    settings
}

/// Reads `[prices]`: the project's own price book.
pub(super) fn read_price_book(root: &Path, prices: Reader<'_>) -> Option<PathBuf> {
    let book = prices.text("book").map(|path| root.join(path));
    prices.finish();
    book
}
