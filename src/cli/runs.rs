use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::app::App;
use super::failure::{Code, Failure};
use super::output::Output;
use super::run_lock::RunLock;
use crate::domain::{RunId, rfc3339};
use crate::eval;
use crate::report::{Document, Render};

/// Stored evaluation runs
#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    List(ListArgs),
    Show(ShowArgs),
    Prune(PruneArgs),
}

/// List the stored runs, latest first
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate runs list --limit 5")]
pub(super) struct ListArgs {
    /// Most runs shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

/// Show the report of a stored run
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate runs show latest
  tollgate runs show run_0193f1 --format html -o report.html")]
pub(super) struct ShowArgs {
    /// The run: an id, the beginning or end of one, or `latest`
    run: String,
    /// Cases with the lowest scores shown in full
    #[arg(long, value_name = "N", default_value_t = 5)]
    worst: usize,
}

/// Delete old runs with their results
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true), after_help = "Examples:
  tollgate runs prune --keep 50
  tollgate runs prune --older-than 30d --dry-run")]
pub(super) struct PruneArgs {
    /// Keep this many of the latest runs
    #[arg(long, value_name = "N", group = "which")]
    keep: Option<usize>,
    /// Delete runs that were started longer ago, such as 12h, 30d or 8w
    #[arg(long, value_name = "AGE", group = "which", value_parser = parse_age)]
    older_than: Option<jiff::SignedDuration>,
    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn parse_age(text: &str) -> Result<jiff::SignedDuration, String> {
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let hours = match text.get(digits.len()..) {
        Some("h") => 1,
        Some("d") => 24,
        Some("w") => 24 * 7,
        _ => return Err("write a number with h, d or w, such as 30d".to_owned()),
    };
    let number: i64 = digits.parse().map_err(|_| "write a number with h, d or w, such as 30d".to_owned())?;
    number
        .checked_mul(hours)
        .and_then(|hours| hours.checked_mul(3_600))
        .map(jiff::SignedDuration::from_secs)
        .filter(|age| !age.is_negative())
        .ok_or_else(|| "that is too long".to_owned())
}

pub(super) async fn run(command: RunsCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    match command {
        RunsCommand::List(args) => output.write(&eval::list_runs(&app.store, args.limit)?)?,
        RunsCommand::Show(args) => {
            let run = app.store.find_run(&args.run)?;
            let detail = super::eval::detail(output, args.worst);
            output.write(&eval::summarize(&app.store, &run, detail)?)?;
        }
        RunsCommand::Prune(args) => output.write(&prune(&args, app).await?)?,
    }
    Ok(Code::Pass)
}

/// What was, or would be, deleted.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Pruned {
    runs: Vec<RunId>,
    dry_run: bool,
}

async fn prune(args: &PruneArgs, app: &App) -> Result<Pruned, Failure> {
    let runs = app.store.runs(u64::from(u32::MAX))?;
    let too_old =
        args.older_than.map(|age| rfc3339(app.clock.now().saturating_sub(age).unwrap_or(jiff::Timestamp::MIN)));
    let doomed = |(index, started_at): (usize, &str)| match (args.keep, &too_old) {
        (Some(keep), _) => index >= keep,
        (None, Some(limit)) => started_at < limit.as_str(),
        (None, None) => false,
    };
    let mut ids = Vec::new();
    let mut locks = Vec::new();
    for (_, run) in runs.iter().enumerate().filter(|(index, run)| doomed((*index, &run.started_at))) {
        // A run that another process is working on stays.
        if let Some(lock) = RunLock::take(&app.store, run.id)? {
            ids.push(run.id);
            locks.push(lock);
        }
    }
    if !args.dry_run {
        app.store.delete_runs(ids.clone()).await?;
    }
    Ok(Pruned { runs: ids, dry_run: args.dry_run })
}

impl Render for Pruned {
    fn schema_name(&self) -> &'static str {
        "pruned_runs"
    }

    fn document(&self) -> Document {
        let verb = if self.dry_run { "would be deleted" } else { "deleted" };
        let ids: Vec<String> = self.runs.iter().map(ToString::to_string).collect();
        let document = Document::new("runs prune").text(format!(
            "{} {} {verb}",
            ids.len(),
            if ids.len() == 1 { "run" } else { "runs" }
        ));
        if ids.is_empty() { document } else { document.code("", ids.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_age;

    #[test]
    fn ages_need_a_unit() {
        assert_eq!(parse_age("2d").map(|age| age.as_hours()), Ok(48));
        for bad in ["", "2", "d", "-2d", "2m", "99999999999999999d"] {
            assert!(parse_age(bad).is_err(), "{bad}");
        }
    }
}
