use std::collections::BTreeSet;

use clap::Args;
use serde::Serialize;

use super::super::app::App;
use super::super::failure::{Code, Failure};
use super::super::output::Output;
use super::change::{LiveRelease, live};
use super::{State, cleared_by, counted, file_name};
use crate::domain::{Severity, VerdictId, rfc3339};
use crate::prompts::{self, AppliedMigration, Migration, Problem, PromptError};
use crate::report::{Cell, Column, Document, Format, Records, Render, Status, Table};
use crate::store::{MigrationChange, MigrationDirection};

/// Entries of the history that a reader is shown.
const LISTED: usize = 20;

/// Show what is applied, what is pending, and which release is live
///
/// Exits 2 when a file behind an applied migration was changed or is missing.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate migrate status")]
pub(in crate::cli) struct StatusArgs {}

pub(super) fn run(app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    let status = status(&State::read(app)?)?;
    output.write(&status)?;
    Ok(if status.has_errors() { Code::Usage } else { Code::Pass })
}

/// Migrations, and how far they are applied.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct MigrationStatus {
    /// The release that is live; `None` when no migration was ever applied.
    live: Option<LiveRelease>,
    /// In the order of their numbers.
    migrations: Vec<ListedMigration>,
    /// Everything that was ever applied or taken back, oldest first.
    history: Vec<HistoryEntry>,
    /// What is wrong with files behind applied migrations, and with pending ones.
    problems: Vec<Problem>,
    /// The command to type next.
    next: String,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ListedMigration {
    number: u32,
    slug: String,
    /// What it changes; `None` when its file cannot be read.
    description: Option<String>,
    state: MigrationState,
    /// When it was applied, RFC 3339.
    applied_at: Option<String>,
    /// The verdict that let it through; `None` where none was needed, or it was forced.
    verdict: Option<VerdictId>,
    /// Who applied it without a verdict that it needed.
    forced_by: Option<String>,
    /// Why it was forced, or needed no verdict.
    reason: Option<String>,
    /// What it breaks, and what callers must change.
    breaking: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MigrationState {
    /// It is part of the live release.
    Applied,
    /// It is not applied.
    Pending,
    /// It is applied, and its file or a prompt's is not what it was then.
    Changed,
    /// It is applied, and its file or a prompt's is gone.
    Missing,
}

impl MigrationState {
    fn shown(self, is_forced: bool) -> Cell {
        let (status, word) = match self {
            Self::Applied if is_forced => (Status::Warn, "applied"),
            Self::Applied => (Status::Good, "applied"),
            Self::Pending => (Status::Neutral, "pending"),
            Self::Changed => (Status::Bad, "changed on disk"),
            Self::Missing => (Status::Bad, "missing"),
        };
        Cell::Status(status, word.to_owned())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Changed => "changed",
            Self::Missing => "missing",
        }
    }
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct HistoryEntry {
    /// RFC 3339.
    at: String,
    /// Whether it was applied (`up`) or taken back (`down`).
    direction: MigrationDirection,
    number: u32,
    slug: String,
    verdict: Option<VerdictId>,
    forced_by: Option<String>,
    reason: Option<String>,
}

fn status(state: &State) -> Result<MigrationStatus, Failure> {
    let changed = prompts::verify(&state.applied, &state.on_disk, &state.library);
    let applied = state.applied.list.iter().map(|applied| listed_applied(applied, state));
    let pending = state.pending().map(|migration| ListedMigration {
        number: migration.number,
        slug: migration.slug.clone(),
        description: Some(migration.description.clone()),
        state: MigrationState::Pending,
        applied_at: None,
        verdict: None,
        forced_by: None,
        reason: None,
        breaking: migration.breaking.clone(),
    });
    let migrations: Vec<ListedMigration> = applied.chain(pending).collect();
    let changed_file = changed.first().map(|problem| problem.path.clone());
    let mut problems = changed;
    if problems.is_empty() {
        problems.clone_from(&state.broken);
        problems.extend(pending_problems(state)?);
    }
    let next = match changed_file {
        Some(path) => format!("git log -- {}", path.display()),
        None => next(state, &problems),
    };
    Ok(MigrationStatus {
        live: live(state),
        migrations,
        history: state.changes.iter().map(history).collect(),
        problems,
        next,
    })
}

fn listed_applied(applied: &AppliedMigration, state: &State) -> ListedMigration {
    let own = prompts::Applied { list: vec![applied.clone()], ever: true };
    let found = prompts::verify(&own, &state.on_disk, &state.library);
    let is_missing = found.iter().any(|problem| !problem.path.exists());
    let on_disk = state.on_disk.iter().find(|migration| migration.number == applied.number);
    ListedMigration {
        number: applied.number,
        slug: applied.slug.clone(),
        description: on_disk.map(|migration| migration.description.clone()),
        state: match (found.is_empty(), is_missing) {
            (true, _) => MigrationState::Applied,
            (false, true) => MigrationState::Missing,
            (false, false) => MigrationState::Changed,
        },
        applied_at: Some(time(applied.applied_at_ms)),
        verdict: applied.verdict,
        forced_by: applied.forced_by.clone(),
        reason: applied.reason.clone(),
        breaking: on_disk.and_then(|migration| migration.breaking.clone()),
    }
}

/// What keeps pending migrations from being applied: breaking changes that are not declared, settings that do not fold.
fn pending_problems(state: &State) -> Result<Vec<Problem>, Failure> {
    let pending: BTreeSet<_> = state.pending().map(|migration: &Migration| &migration.path).collect();
    let mut problems = prompts::check_compatibility(&state.on_disk, &state.library)?;
    problems.retain(|problem| pending.contains(&problem.path));
    match prompts::Release::fold(&state.on_disk, &state.library).map_err(PromptError::into_problems) {
        Ok(_) => {}
        Err(Ok(more)) => problems.extend(more),
        Err(Err(error)) => return Err(error.into()),
    }
    Ok(problems)
}

fn next(state: &State, problems: &[Problem]) -> String {
    let is_stuck = problems.iter().any(|problem| problem.severity == Severity::Error);
    if is_stuck {
        "tollgate prompts check".to_owned()
    } else if state.pending().next().is_some() {
        "tollgate migrate up".to_owned()
    } else {
        "tollgate migrate new NAME --set KEY=VALUE".to_owned()
    }
}

fn history(change: &MigrationChange) -> HistoryEntry {
    HistoryEntry {
        at: time(change.at_ms),
        direction: change.direction,
        number: change.number,
        slug: change.slug.clone(),
        verdict: change.verdict,
        forced_by: change.forced_by.clone(),
        reason: change.reason.clone(),
    }
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map(rfc3339).unwrap_or_default()
}

/// `2026-01-02 03:04`, UTC.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or_default().replace('T', " ")
}

impl MigrationStatus {
    fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    fn headline(&self) -> (Status, String) {
        let count = |state| self.migrations.iter().filter(|migration| migration.state == state).count();
        let (pending, changed) = (count(MigrationState::Pending), count(MigrationState::Changed));
        let broken = changed + count(MigrationState::Missing);
        if broken > 0 {
            let verb = ["is not what it was when it was applied", "are not what they were when they were applied"];
            return (Status::Bad, counted(broken, verb));
        }
        let live = match &self.live {
            Some(live) => format!("release {} (`{}`) is live", live.number, live.hash.short()),
            None => "no migration was ever applied".to_owned(),
        };
        let waiting = if pending == 0 {
            "nothing is pending".to_owned()
        } else {
            counted(pending, ["is pending", "are pending"])
        };
        let status = match (self.has_errors(), pending) {
            (true, _) => Status::Bad,
            (false, 0) => Status::Good,
            (false, _) => Status::Neutral,
        };
        (status, format!("{live}; {waiting}"))
    }
}

impl Render for MigrationStatus {
    fn schema_name(&self) -> &'static str {
        "migration_status"
    }

    fn document(&self) -> Document {
        let (status, headline) = self.headline();
        let mut document = Document::new("migrate status").verdict(status, headline);
        if !self.migrations.is_empty() {
            let columns = ["migration", "state", "applied (UTC)", "cleared by"].map(Column::text);
            document = document.table(self.migrations.iter().fold(Table::new("", columns), |table, migration| {
                table.row([
                    Cell::Code(file_name(migration.number, &migration.slug)),
                    migration.state.shown(migration.forced_by.is_some()),
                    migration.applied_at.as_deref().map_or(Cell::Missing, |time| Cell::Text(minute(time))),
                    Cell::Text(cleared_by(
                        migration.verdict,
                        migration.forced_by.as_deref(),
                        migration.reason.as_deref(),
                    )),
                ])
            }));
        }
        for migration in &self.migrations {
            if let Some(breaking) = &migration.breaking {
                let name = file_name(migration.number, &migration.slug);
                document = document.note(format!("`{name}` is a breaking change: {breaking}"));
            }
        }
        for problem in &self.problems {
            document = document.text(problem.to_string());
        }
        if self.history.iter().any(|entry| entry.direction == MigrationDirection::Down) {
            let columns = ["when (UTC)", "what", "migration", "by"].map(Column::text);
            let unlisted = self.history.len().saturating_sub(LISTED);
            // Whatever was forced is shown ever after.
            let listed = self.history.iter().enumerate();
            let listed = listed.filter(|(index, entry)| *index >= unlisted || entry.forced_by.is_some());
            let table = listed.fold(Table::new("", columns), |table, (_, entry)| {
                let verb = if entry.direction == MigrationDirection::Up { "applied" } else { "taken back" };
                table.row([
                    Cell::Text(minute(&entry.at)),
                    Cell::Text(verb.to_owned()),
                    Cell::Code(file_name(entry.number, &entry.slug)),
                    Cell::Text(cleared_by(entry.verdict, entry.forced_by.as_deref(), entry.reason.as_deref())),
                ])
            });
            document = document.heading(2, "History").table(table);
            if unlisted > 0 {
                document =
                    document.note(format!("the latest {LISTED}, and all that was forced; `--format json` has all"));
            }
        }
        document.note(format!("next: `{}`", self.next))
    }

    fn records(&self) -> Option<Records> {
        let header = ["number", "slug", "state", "applied_at", "verdict", "forced_by", "reason", "breaking"];
        let text = |text: &Option<String>| text.clone().map_or(Cell::Missing, Cell::Text);
        Some(self.migrations.iter().fold(Records::new(header), |records, migration| {
            records.row([
                Cell::count(migration.number as usize),
                Cell::Code(migration.slug.clone()),
                Cell::Text(migration.state.as_str().to_owned()),
                text(&migration.applied_at),
                migration.verdict.map_or(Cell::Missing, |verdict| Cell::Code(verdict.to_string())),
                text(&migration.forced_by),
                text(&migration.reason),
                text(&migration.breaking),
            ])
        }))
    }
}
