use std::io;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::failure::Failure;
use super::output::Output;
use crate::config::{LogFormat, TelemetrySettings};
use crate::otlp::{self, OtlpExport, OtlpSettings};

/// The longest that a command waits at its end for a collector that does not answer.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends log lines to stderr: warnings; with `verbose` also every failure, twice every call and case.
///
/// `configured` is the project's format; the command line overrides it.
pub(super) fn start(output: &Output, configured: LogFormat) {
    // A second subscriber in one process (tests) is refused; the first stays.
    let _ = tracing_subscriber::registry().with(lines(output, configured)).try_init();
}

/// As [`start`], and exports the spans of model calls where the project names a collector. Dropping what it returns
/// sends what waits.
pub(super) fn start_exporting(
    output: &Output,
    configured: LogFormat,
    telemetry: &TelemetrySettings,
) -> Result<Option<OtlpExport>, Failure> {
    let Some(endpoint) = &telemetry.otlp_endpoint else {
        start(output, configured);
        return Ok(None);
    };
    let settings = OtlpSettings {
        endpoint: endpoint.clone(),
        headers: telemetry.otlp_headers.clone(),
        service_name: telemetry.service_name.clone(),
        timeout: EXPORT_TIMEOUT,
    };
    let (export, layer) = OtlpExport::start(settings)
        .map_err(|error| Failure::usage(error.to_string(), "correct [telemetry] in tollgate.toml"))?;
    let _ = tracing_subscriber::registry().with(layer).with(lines(output, configured)).try_init();
    Ok(Some(export))
}

/// The log lines; the spans of model calls are telemetry and no lines.
fn lines<S>(output: &Output, configured: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let (format, verbose) = (output.log_format.unwrap_or(configured), output.verbose);
    let level = match verbose {
        _ if output.quiet => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Of other crates only warnings: at their finest, they tell every byte of an export.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_PKG_NAME"), level)
        .with_target(otlp::TARGET, LevelFilter::OFF);
    let lines = fmt::layer().with_writer(io::stderr).with_target(verbose > 1);
    match format {
        LogFormat::Text => {
            let colored = io::IsTerminal::is_terminal(&io::stderr());
            lines.with_ansi(colored).without_time().with_filter(filter).boxed()
        }
        LogFormat::Json => lines.json().with_filter(filter).boxed(),
    }
}
