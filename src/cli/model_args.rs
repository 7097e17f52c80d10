use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::domain::NanoUsd;
use crate::proxy::Recording;

/// How models are called; the same for every command that calls them.
#[derive(Debug, Args, Default)]
pub(super) struct ModelArgs {
    /// Write each exchange with a model into DIR, redacted
    #[arg(long, value_name = "DIR", conflicts_with = "replay", help_heading = "Models")]
    record: Option<PathBuf>,
    /// Answer from the exchanges in DIR; no model is called and no network used
    #[arg(long, value_name = "DIR", help_heading = "Models")]
    replay: Option<PathBuf>,
    /// Approve requests whose worst case costs up to this many dollars, in place of `proxy.ceiling_usd`
    #[arg(long, value_name = "USD", value_parser = parse_dollars, help_heading = "Models")]
    pub(super) max_request_cost: Option<NanoUsd>,
}

impl ModelArgs {
    pub(super) fn recording(&self) -> Result<Recording, Failure> {
        let recording = match (&self.record, &self.replay) {
            (Some(directory), _) => Recording::to(directory),
            (None, Some(directory)) => Recording::from(directory),
            (None, None) => Ok(Recording::off()),
        };
        recording.map_err(|error| Failure::usage(error.to_string(), "name a directory of recorded exchanges"))
    }
}

/// Reads a positive amount of dollars.
pub(super) fn parse_dollars(text: &str) -> Result<NanoUsd, String> {
    NanoUsd::parse_dollars(text)
        .filter(|amount| *amount > NanoUsd::ZERO)
        .ok_or_else(|| "write dollars, such as 2.50".to_owned())
}
