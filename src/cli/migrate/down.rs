use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::super::app::App;
use super::super::failure::{Code, Failure};
use super::super::output::Output;
use super::State;
use super::change::{ChangedMigration, LiveRelease, MigrationsChanged};
use crate::prompts::{Applied, PromptError, verify};
use crate::report::Format;
use crate::store::{MigrationChange, MigrationDirection};

/// Take back the last applied migration: what was live before it is live again
///
/// It needs no gate and holds at once; the migration's file stays and can be applied again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate migrate down --reason \"answers lost their citations\"
  tollgate migrate down --to 2")]
pub(in crate::cli) struct DownArgs {
    /// Take back all migrations after this number; 0 for all of them [default: only the last]
    #[arg(long, value_name = "N")]
    to: Option<u32>,
    /// Why; it is kept with the change
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
}

pub(super) async fn run(args: &DownArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    // It does not wait for an `up` whose gate is running: of the two, the one that writes later is refused.
    let state = State::read(app)?;
    let live = state.applied.number();
    if live == 0 {
        return Err(Failure::usage("no migration is applied", "`tollgate migrate up` applies those that are pending"));
    }
    let target = args.to.unwrap_or(live.saturating_sub(1));
    if target > live {
        let hint = format!("`tollgate migrate up --to {target}` applies the migrations up to it");
        return Err(Failure::usage(format!("release {target} is not before the live release {live}"), hint));
    }
    let (stay, go): (Vec<_>, Vec<_>) = state.applied.list.iter().cloned().partition(|one| one.number <= target);
    // What is taken back may have been changed since; what is to be live again must not.
    let stay = Applied { list: stay, ever: true };
    let problems = verify(&stay, &state.on_disk, &state.library);
    if !problems.is_empty() {
        return Err(PromptError::Invalid { problems }.into());
    }
    let first = if target == 0 {
        let release = state.release(0)?;
        Some((release.hash.clone(), state.prompts(&release)?))
    } else {
        None
    };
    let at_ms = app.clock.now().as_millisecond();
    let changes: Vec<MigrationChange> = go
        .iter()
        .rev()
        .filter_map(|gone| {
            let before = state.applied.list.iter().rfind(|one| one.number < gone.number);
            let before = before.map(|before| (before.release_hash.clone(), before.prompts.clone()));
            let (release_hash, prompts) = before.or_else(|| first.clone())?;
            Some(MigrationChange {
                at_ms,
                direction: MigrationDirection::Down,
                number: gone.number,
                slug: gone.slug.clone(),
                checksum: gone.checksum.clone(),
                release_hash,
                prompts,
                verdict: None,
                forced_by: None,
                reason: args.reason.clone(),
            })
        })
        .collect();
    let seen = state.changes.len();
    let mut outcome = MigrationsChanged::new(MigrationDirection::Down, &state)
        .leaving(state.on_disk.iter().filter(|migration| migration.number > target));
    for change in &changes {
        let on_disk = state.on_disk.iter().find(|migration| migration.number == change.number);
        outcome.changed.push(ChangedMigration {
            number: change.number,
            slug: change.slug.clone(),
            clearance: None,
            verdict: None,
            verdict_was_stored: None,
            forced_by: None,
            reason: change.reason.clone(),
            breaking: on_disk.and_then(|migration| migration.breaking.clone()),
            release_hash: change.release_hash.clone(),
        });
        outcome.live = Some(LiveRelease { number: change.number.saturating_sub(1), hash: change.release_hash.clone() });
    }
    if !changes.is_empty() {
        app.store.change_migrations(changes, seen).await?;
    }
    outcome.next = String::from("tollgate migrate status");
    output.write(&outcome)?;
    Ok(Code::Pass)
}
