//! L9: the command line: one file a command, exit codes, progress, log set-up; the only writer to stdout.
//!
//! A command is a thin shell around an operation: it reads its arguments, calls the operation, writes the outcome in
//! the wanted format, and turns the outcome into an exit code.

mod app;
mod ask;
mod budget;
mod compare;
mod completions;
mod cost;
mod doctor;
mod eval;
mod evaluate;
mod failure;
mod gate;
mod gold;
mod init;
mod judge;
mod kb;
mod ledger;
mod lift;
mod logging;
mod man;
mod margin;
mod migrate;
mod mock_provider;
mod model_args;
mod output;
mod prices;
mod progress;
mod prompts;
mod reprice;
mod run_lock;
mod runs;
mod schema;
mod signals;
mod spend_args;
mod tune;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::report::Format;
use failure::{Code, Failure};
use output::Output;

/// Evaluate AI support assistants and govern what they cost.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, max_term_width = 100, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, and every check passed
  1  a check failed
  2  wrong usage or configuration
  3  could not run (store, network, provider, interrupted)
  4  inconclusive: not enough evidence for a verdict";

/// Options of every command.
#[derive(Debug, Args)]
struct Global {
    /// The project: a directory with tollgate.toml [default: the nearest one at or above the current directory]
    #[arg(
        long,
        short = 'C',
        global = true,
        value_name = "DIR",
        env = "TOLLGATE_PROJECT",
        help_heading = "Global options"
    )]
    project: Option<PathBuf>,
    /// How the result is written
    #[arg(long, global = true, value_parser = formats(), default_value = "human", help_heading = "Global options")]
    format: Format,
    /// Write the result to FILE instead of stdout; on failure the file is left as it was
    #[arg(long, short, global = true, value_name = "FILE", help_heading = "Global options")]
    output: Option<PathBuf>,
    /// No progress and no notes on stderr, only errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    quiet: bool,
    /// More log lines on stderr; twice for all of them
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    verbose: u8,
    /// How log lines look [default: `log.format` of tollgate.toml]
    #[arg(long, global = true, value_enum, help_heading = "Global options")]
    log_format: Option<LogFormatArg>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormatArg {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Ask(ask::AskArgs),
    #[command(subcommand)]
    Kb(kb::KbCommand),
    #[command(subcommand)]
    Prompts(prompts::PromptsCommand),
    Eval(eval::EvalArgs),
    #[command(subcommand)]
    Runs(runs::RunsCommand),
    Compare(compare::CompareArgs),
    Gate(Box<gate::GateArgs>),
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    #[command(subcommand)]
    Lift(lift::LiftCommand),
    #[command(subcommand)]
    Tune(tune::TuneCommand),
    #[command(subcommand)]
    Cost(cost::CostCommand),
    #[command(subcommand)]
    Budget(budget::BudgetCommand),
    Margin(margin::MarginArgs),
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    Reprice(reprice::RepriceArgs),
    #[command(subcommand)]
    Gold(gold::GoldCommand),
    #[command(subcommand)]
    Judge(judge::JudgeCommand),
    #[command(subcommand)]
    Prices(prices::PricesCommand),
    MockProvider(mock_provider::MockProviderArgs),
    Doctor(doctor::DoctorArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Reads the name of a tenant, as the configuration would accept it.
fn tenant_name(text: &str) -> Result<String, String> {
    if crate::config::is_tenant_name(text) {
        Ok(text.to_owned())
    } else {
        Err("use letters, digits, `-` and `_`".to_owned())
    }
}

/// Reads the name of an output format.
fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|name| Format::ALL.into_iter().find(|format| format.as_str() == name).ok_or("it is not a format"))
}

/// Parses the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that went away is no reason to complain.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let output = Output::new(&cli.global);
    match run(cli, &output) {
        Ok(code) => code.into(),
        Err(failure) => {
            output.fail(&failure);
            failure.code.into()
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<Code, Failure> {
    let global = &cli.global;
    if !matches!(cli.command, Command::Gold(gold::GoldCommand::Import(_))) {
        output.check_target()?;
    }
    match cli.command {
        Command::Init(args) => init::run(&args, output),
        Command::Schema(args) => schema::run(&args, output),
        Command::Completions(args) => completions::run(&args, output),
        Command::Man(args) => man::run(&args, output),
        Command::Doctor(args) => doctor::run(&args, global, output),
        Command::Gold(command) => gold::run(command, global, output),
        Command::Prices(command) => prices::run(command, global, output),
        Command::MockProvider(args) => mock_provider::run(&args, output),
        Command::Prompts(command) => prompts::run(command, global, output),
        Command::Ask(args) => app::with(global, output, async |app| ask::run(&args, app, output).await),
        Command::Kb(command) => app::with(global, output, async |app| kb::run(command, app, output).await),
        Command::Eval(args) => app::with(global, output, async |app| eval::run(&args, app, output).await),
        Command::Runs(command) => app::with(global, output, async |app| runs::run(command, app, output).await),
        Command::Compare(args) => app::with(global, output, async |app| compare::run(&args, app, output)),
        Command::Gate(args) => app::with(global, output, async |app| gate::run(*args, app, output).await),
        Command::Migrate(command) => app::with(global, output, async |app| migrate::run(command, app, output).await),
        Command::Judge(command) => app::with(global, output, async |app| judge::run(command, app, output).await),
        Command::Lift(command) => app::with(global, output, async |app| lift::run(command, app, output).await),
        Command::Tune(command) => app::with(global, output, async |app| tune::run(command, app, output).await),
        Command::Cost(command) => app::with(global, output, async |app| cost::run(command, app, output).await),
        Command::Budget(command) => app::with(global, output, async |app| budget::run(command, app, output).await),
        Command::Margin(args) => app::with(global, output, async |app| margin::run(&args, app, output)),
        Command::Ledger(command) => app::with(global, output, async |app| ledger::run(command, app, output).await),
        Command::Reprice(args) => app::with(global, output, async |app| reprice::run(&args, app, output)),
    }
}
