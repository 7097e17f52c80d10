use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::failure::{Code, Failure};
use super::output::Output;

/// Print a shell's completion script
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate completions bash > /etc/bash_completion.d/tollgate
  tollgate completions zsh > ~/.zfunc/_tollgate")]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, output: &Output) -> Result<Code, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tollgate", &mut script);
    output.write_raw(&script)?;
    Ok(Code::Pass)
}
