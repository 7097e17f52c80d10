use std::time::Duration;

use clap::{Args, Subcommand};

use crate::cli::app::App;
use crate::cli::failure::{Code, Failure};
use crate::cli::output::Output;
use crate::domain::rfc3339;
use crate::gate::{FlakyCase, NoiseList};
use crate::gold::GoldSet;

/// Longest quarantine, in days: nothing is set aside for good.
const MOST_DAYS: u64 = 90;

/// The registry of flaky cases: what is known of them, and their quarantine
///
/// Every evaluation with repeats notes which cases' repeats disagreed. A case in quarantine still counts in the score; only
/// its flip from right to wrong fails no gate. Every quarantine has an end.
#[derive(Debug, Subcommand)]
pub(super) enum FlakyCommand {
    List(ListArgs),
    Quarantine(QuarantineArgs),
    Release(ReleaseArgs),
}

/// List the cases whose repeats ever disagreed, and those in quarantine
#[derive(Debug, Args)]
pub(super) struct ListArgs {}

/// Put a case into quarantine for some days
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate gate flaky quarantine refund-window --days 14 --reason \"the vendor rounds differently each time\"")]
pub(super) struct QuarantineArgs {
    /// The case
    case: String,
    /// For how many days, at most 90
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u64).range(1..=MOST_DAYS))]
    days: u64,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// End a case's quarantine now
#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// The case
    case: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(command: FlakyCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    let path = app.config.eval.gold_set.clone().ok_or_else(crate::cli::gold::no_gold_set)?;
    let set = GoldSet::open(&path, crate::cli::eval::validate_check)?;
    let now = app.clock.now();
    let (case, days, reason) = match command {
        FlakyCommand::List(_) => return list(app, output, &set),
        FlakyCommand::Quarantine(args) => (args.case, Some(args.days), args.reason),
        FlakyCommand::Release(args) => (args.case, None, args.reason),
    };
    let mut known = false;
    for found in set.cases()? {
        known |= found?.id == case;
    }
    if !known {
        let hint = format!("`tollgate gold check {}` checks the set; ids are case-sensitive", set.path.display());
        return Err(Failure::usage(format!("{} has no case `{case}`", set.name), hint));
    }
    let until_ms = days.map(|days| (now + Duration::from_secs(days * 86_400)).as_millisecond());
    app.store.quarantine(set.name.clone(), case, now.as_millisecond(), until_ms, reason).await?;
    list(app, output, &set)
}

fn list(app: &App, output: &Output, set: &GoldSet) -> Result<Code, Failure> {
    let now = app.clock.now();
    let time = |ms: i64| jiff::Timestamp::from_millisecond(ms).map(rfc3339).unwrap_or_default();
    let cases = app.store.noise(&set.name)?.into_iter().map(|row| FlakyCase {
        case: row.case_id,
        first_seen: time(row.first_seen_ms),
        last_seen: time(row.last_seen_ms),
        runs: row.runs,
        flipped_runs: row.flipped_runs,
        expired: row.quarantined_until_ms.is_some_and(|until| until <= now.as_millisecond()),
        quarantined_until: row.quarantined_until_ms.map(time),
        reason: row.reason,
    });
    output.write(&NoiseList { gold_set: set.name.clone(), cases: cases.collect() })?;
    Ok(Code::Pass)
}
