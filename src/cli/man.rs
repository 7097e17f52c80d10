use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::Cli;
use super::failure::{Code, Failure};
use super::output::Output;

/// Print the manual page, or write the pages of all commands to a directory
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate man | man -l -
  tollgate man /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Where to write one page a command
    directory: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, output: &Output) -> Result<Code, Failure> {
    if let Some(directory) = &args.directory {
        let failed = |error| Failure::could_not_run(format!("cannot write to {}: {error}", directory.display()));
        std::fs::create_dir_all(directory).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), directory).map_err(failed)?;
        output.note(&format!("manual pages written to {}", directory.display()));
        return Ok(Code::Pass);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|error| Failure::could_not_run(format!("cannot render the manual page: {error}")))?;
    output.write_raw(&page)?;
    Ok(Code::Pass)
}
