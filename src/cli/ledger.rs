use clap::{Args, Subcommand};

use super::app::App;
use super::failure::{Code, Failure};
use super::output::Output;
use crate::cost::LedgerReport;

/// The books behind every budget and report
#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    Verify(VerifyArgs),
}

/// Prove that the ledger's rows, its counters and the stored calls agree
///
/// What a process that is gone left open is ended first: calls that were never sent are released, those that were sent are
/// booked at their worst case. Exits 1 when something does not agree.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate ledger verify
  tollgate ledger verify --repair")]
pub(super) struct VerifyArgs {
    /// Set counters that do not agree to what the rows say; the rows are never changed
    #[arg(long)]
    repair: bool,
}

pub(super) async fn run(command: LedgerCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    let LedgerCommand::Verify(args) = command;
    let recovered = app.ledger().recover().await?;
    let check = app.store.check_ledger(args.repair).await?;
    let report = LedgerReport::new(&check, recovered, args.repair, app.clock.now());
    let verdict = report.verdict;
    output.write(&report)?;
    Ok(verdict.into())
}
