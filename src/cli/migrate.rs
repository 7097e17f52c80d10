mod change;
mod down;
mod new;
mod status;
mod up;

use std::fs::{File, TryLockError};

use clap::Subcommand;

use super::app::{App, prompts_directory};
use super::failure::{Code, Failure};
use super::output::Output;
use crate::domain::{ContentHash, VerdictId};
use crate::prompts::{
    self, Applied, Library, MIGRATIONS_DIRECTORY, Migration, NewMigrationError, Problem, PromptError, Release,
};
use crate::store::{MigrationChange, MigrationChangeError};

pub(super) use change::MigrationsChanged;
pub(super) use new::WrittenMigration;
pub(super) use status::MigrationStatus;

/// Migrations: ordered changes of what the assistant does, applied behind a gate
#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    Status(status::StatusArgs),
    New(new::NewArgs),
    Up(up::UpArgs),
    Down(down::DownArgs),
}

pub(super) async fn run(command: MigrateCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    match command {
        MigrateCommand::Status(_) => status::run(app, output),
        MigrateCommand::New(args) => new::run(&args, app, output),
        MigrateCommand::Up(args) => up::run(&args, app, output).await,
        MigrateCommand::Down(args) => down::run(&args, app, output).await,
    }
}

/// Migrations on disk, and what the store says of them.
struct State {
    library: Library,
    on_disk: Vec<Migration>,
    /// What is wrong with the files themselves.
    broken: Vec<Problem>,
    changes: Vec<MigrationChange>,
    applied: Applied,
}

impl State {
    fn read(app: &App) -> Result<Self, Failure> {
        let directory = prompts_directory(&app.config);
        let library = Library::open(&directory)?;
        let (on_disk, broken) = prompts::survey_migrations(&directory.join(MIGRATIONS_DIRECTORY))?;
        let changes = app.store.migration_changes()?;
        let applied = prompts::applied(&changes);
        Ok(Self { library, on_disk, broken, changes, applied })
    }

    /// Refuses files that are broken, or were changed after they were applied.
    fn check(&self) -> Result<(), Failure> {
        let changed = prompts::verify(&self.applied, &self.on_disk, &self.library);
        // A file that was changed is likely broken too; which of the two matters more is clear.
        let problems = if changed.is_empty() { self.broken.clone() } else { changed };
        if problems.is_empty() { Ok(()) } else { Err(PromptError::Invalid { problems }.into()) }
    }

    /// Migrations that are not applied.
    fn pending(&self) -> impl Iterator<Item = &Migration> {
        let live = self.applied.number();
        self.on_disk.iter().filter(move |migration| migration.number > live)
    }

    /// The release of the migrations up to `number`.
    fn release(&self, number: u32) -> Result<Release, Failure> {
        let upto: Vec<Migration> =
            self.on_disk.iter().filter(|migration| migration.number <= number).cloned().collect();
        Ok(Release::fold(&upto, &self.library)?)
    }

    /// The SHA-256 of each prompt of a release, by label.
    fn prompts(&self, release: &Release) -> Result<std::collections::BTreeMap<String, ContentHash>, Failure> {
        let hashed = release.prompts.iter().map(|(name, version)| {
            let prompt = self.library.get(name, *version)?;
            Ok((prompt.label(), prompt.hash))
        });
        hashed.collect()
    }
}

/// Held by the one process that migrates; released when it is dropped or its process dies.
struct MigrateLock(#[expect(dead_code, reason = "the file is locked while it is open")] File);

impl MigrateLock {
    fn take(app: &App) -> Result<Self, Failure> {
        let path = app.store.directory().join("migrate.lock");
        let failed = |error| Failure::could_not_run(format!("cannot lock {}: {error}", path.display()));
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Failure {
                code: Code::CouldNotRun,
                message: "another process is migrating".to_owned(),
                hint: Some("wait for it to end; `tollgate migrate status` shows what is applied".to_owned()),
            }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

/// A migration's name as its file has it: `0003_shorter_answers`.
fn file_name(number: u32, slug: &str) -> String {
    format!("{number:04}_{slug}")
}

/// A verdict's id, long enough to tell it from others.
fn short(verdict: VerdictId) -> String {
    let id = verdict.to_string();
    id.get(..VerdictId::PREFIX.len() + 12).unwrap_or(&id).to_owned()
}

/// What let a migration through, in words.
fn cleared_by(verdict: Option<VerdictId>, forced_by: Option<&str>, reason: Option<&str>) -> String {
    match (verdict, forced_by, reason) {
        (Some(verdict), _, _) => short(verdict),
        (None, Some(who), reason) => format!("FORCED by {who}: {}", reason.unwrap_or("no reason given")),
        (None, None, reason) => reason.unwrap_or_default().to_owned(),
    }
}

/// `1 migration is`, `2 migrations are`.
fn counted(count: usize, verb: [&str; 2]) -> String {
    let [one, several] = verb;
    if count == 1 { format!("1 migration {one}") } else { format!("{count} migrations {several}") }
}

impl From<MigrationChangeError> for Failure {
    fn from(error: MigrationChangeError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { code: Code::CouldNotRun, message: error.to_string(), hint }
    }
}

impl From<NewMigrationError> for Failure {
    fn from(error: NewMigrationError) -> Self {
        let code = if matches!(error, NewMigrationError::Unwritable { .. }) { Code::CouldNotRun } else { Code::Usage };
        Self { code, message: error.to_string(), hint: error.hint() }
    }
}
