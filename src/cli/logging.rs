use std::io;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use super::output::Output;
use crate::config::LogFormat;

/// Sends log lines to stderr: warnings; with `verbose` also every failure, twice every call and case.
///
/// `configured` is the project's format; the command line overrides it.
pub(super) fn start(output: &Output, configured: LogFormat) {
    let (format, verbose) = (output.log_format.unwrap_or(configured), output.verbose);
    let level = match verbose {
        _ if output.quiet => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let builder = fmt().with_writer(io::stderr).with_max_level(level).with_target(verbose > 1);
    // A second subscriber in one process (tests) is refused; the first stays.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).without_time().try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
