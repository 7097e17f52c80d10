//! L1: telemetry out of the program: spans of `tracing` go to an OpenTelemetry collector over OTLP/HTTP (protobuf).
//!
//! [`call_span`] opens the span of a model call and [`record_call`] says how it ended; both are plain `tracing` and cost
//! next to nothing while nobody listens. [`OtlpExport`] is who listens when the project names a collector. What leaves
//! the program is listed in [`names`]; no text of a question, a prompt, an answer or an error is among it.

mod exporter;
pub mod names;
mod span;
mod tally;
#[cfg(test)]
mod tests;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

pub use names::{SCHEMA_URL, SEMCONV_VERSION};
pub use span::{CallEnd, CallStart, Evaluation, Operation, TARGET, call_span, record_call, record_evaluation};
pub use tally::SpanCounts;

use crate::domain::Secret;
use exporter::{Counted, Exporter};
use tally::Tally;
use transport::Transport;

/// Spans that wait for the collector; more are dropped, so that a dead collector costs no more memory than this.
const QUEUE_SPANS: usize = 4_096;
/// Spans in one request.
const BATCH_SPANS: usize = 512;
/// How long a span waits for others.
const BATCH_DELAY: Duration = Duration::from_secs(2);
/// Where a collector takes traces, below its endpoint.
const TRACES_PATH: &str = "v1/traces";

/// Where telemetry goes.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    /// The collector, `http://localhost:4318`; `/v1/traces` is added unless it ends in it.
    pub endpoint: String,
    /// Headers of every request, such as a key.
    pub headers: Vec<(String, Secret)>,
    /// The resource's `service.name`.
    pub service_name: String,
    /// How long one request may take, and how long the last one is waited for at the end.
    pub timeout: Duration,
}

/// Why nothing can be exported. That a collector does not answer is no error: it is told in the log.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// The endpoint is no address of a collector.
    #[error("`{endpoint}` is not a collector's endpoint: {reason}")]
    Endpoint {
        /// The endpoint, without what may be a password.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A header's name or value cannot be sent.
    #[error(
        "the header `{name}` of the telemetry endpoint cannot be sent: its {part} has characters that no header may have"
    )]
    Header {
        /// Its name.
        name: String,
        /// `name` or `value`.
        part: &'static str,
    },
    /// The HTTP client or its runtime could not be made.
    #[error("cannot make the telemetry client: {reason}")]
    Client {
        /// Why.
        reason: String,
    },
}

/// A running export; dropping it sends what waits, as [`OtlpExport::shutdown`] does.
#[derive(Debug)]
pub struct OtlpExport {
    provider: SdkTracerProvider,
    tally: Arc<Tally>,
    timeout: Duration,
}

impl OtlpExport {
    /// Starts the thread that exports, and returns the layer that feeds it: spans of this program from level info on,
    /// whatever the log shows. Needs no runtime and sends nothing yet.
    ///
    /// The OpenTelemetry SDK itself reads `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS`.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn start<S>(settings: OtlpSettings) -> Result<(Self, impl Layer<S> + Send + Sync + 'static), OtlpError>
    where
        S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    {
        let endpoint = traces_endpoint(&settings.endpoint)?;
        let tally = Arc::new(Tally::new(endpoint.to_string()));
        let transport =
            Transport::new(&endpoint, header_map(&settings.headers)?, settings.timeout, Arc::clone(&tally))?;
        let inner = SpanExporter::builder()
            .with_http()
            .with_http_client(transport)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint)
            .with_timeout(settings.timeout)
            .build()
            .map_err(|error| OtlpError::Client { reason: error.to_string() })?;
        let exporter = Exporter { inner, tally: Arc::clone(&tally) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE_SPANS)
            .with_max_export_batch_size(BATCH_SPANS)
            .with_scheduled_delay(BATCH_DELAY)
            .build();
        let inner = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Counted { inner, tally: Arc::clone(&tally) })
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource(settings.service_name))
            .build();
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer_with_scope(scope))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter_fn(is_telemetry).with_max_level_hint(LevelFilter::INFO));
        Ok((Self { provider, tally, timeout: settings.timeout }, layer))
    }

    /// Sends what waits and stops. Blocks for the settings' `timeout` at most; spans that a collector did not take by
    /// then are lost, which the log tells in one warning.
    pub fn shutdown(self) -> SpanCounts {
        self.close()
    }

    fn close(&self) -> SpanCounts {
        self.tally.closing();
        if let Err(error @ OTelSdkError::Timeout(_)) = self.provider.shutdown_with_timeout(self.timeout) {
            self.tally.failed_because(&error);
        }
        self.tally.close()
    }
}

impl Drop for OtlpExport {
    fn drop(&mut self) {
        self.close();
    }
}

/// Spans of this program, and the events that belong to a call's span. Log lines are none, as they may quote anything.
fn is_telemetry(metadata: &Metadata<'_>) -> bool {
    let of_program = || metadata.target().split("::").next() == Some(env!("CARGO_PKG_NAME"));
    metadata.target() == TARGET || (metadata.is_span() && *metadata.level() <= tracing::Level::INFO && of_program())
}

fn resource(service_name: String) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    Resource::builder().with_service_name(service_name).with_schema_url([version], SCHEMA_URL).build()
}

fn traces_endpoint(endpoint: &str) -> Result<Url, OtlpError> {
    let refused = |reason: &str| {
        let endpoint = endpoint.rsplit('@').next().unwrap_or_default().to_owned();
        OtlpError::Endpoint { endpoint, reason: reason.to_owned() }
    };
    let mut url = Url::parse(endpoint).map_err(|error| refused(&error.to_string()))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("a user name or password belongs in a header"));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it is neither http nor https"));
    }
    let path = url.path().trim_end_matches('/');
    if !path.ends_with(TRACES_PATH) {
        let path = format!("{path}/{TRACES_PATH}");
        url.set_path(&path);
    }
    Ok(url)
}

fn header_map(headers: &[(String, Secret)]) -> Result<HeaderMap, OtlpError> {
    let refused = |name: &str, part| OtlpError::Header { name: name.to_owned(), part };
    headers
        .iter()
        .map(|(name, secret)| {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused(name, "name"))?;
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| refused(name, "value"))?;
            value.set_sensitive(true);
            Ok((header, value))
        })
        .collect()
}
