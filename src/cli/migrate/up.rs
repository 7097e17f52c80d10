use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::super::app::{App, Pinned};
use super::super::failure::{Code, Failure};
use super::super::gate::{self, ClearArgs};
use super::super::model_args::{ModelArgs, parse_dollars};
use super::super::output::Output;
use super::change::{ChangedMigration, Clearance, LiveRelease, MigrationsChanged, StoppedMigration};
use super::{MigrateLock, State, cleared_by, file_name};
use crate::config;
use crate::domain::{NanoUsd, Severity, Verdict, VerdictId};
use crate::prompts::{Migration, PromptError, Release, check_compatibility, live_release};
use crate::report::Format;
use crate::store::{MigrationChange, MigrationDirection};

/// Apply pending migrations, one after the other, each behind its gate
///
/// A migration needs a passing verdict for exactly this pair of releases on its gold set: a stored one is used, otherwise
/// the gate runs now. The first one ever, and those that change no behaviour, need none. Exits 1 when a gate fails and 4
/// when it is inconclusive; what was applied before stays.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate migrate up
  tollgate migrate up --to 3 --repeats 5 --max-cost 2
  tollgate migrate up --force --reason \"the vendor switches the old model off tonight\"")]
pub(in crate::cli) struct UpArgs {
    /// Apply no migration after this number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    to: Option<u32>,
    /// Apply without a gate; it is shown ever after who did, and why
    #[arg(long, requires = "reason", conflicts_with_all = ["repeats", "max_cost"])]
    force: bool,
    /// Why it is forced
    #[arg(long, value_name = "TEXT", requires = "force", value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// Who forces it [default: the user that the environment names]
    #[arg(long, value_name = "NAME", requires = "force", value_parser = NonEmptyStringValueParser::new())]
    by: Option<String>,
    /// Ask each case this often on each side
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: Option<u32>,
    /// Spend at most this many dollars on each gate
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    /// Only say what would be applied, and what each would have to clear
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    models: ModelArgs,
}

pub(super) async fn run(args: &UpArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    let _lock = if args.dry_run { None } else { Some(MigrateLock::take(app)?) };
    let state = State::read(app)?;
    state.check()?;
    let wanted = wanted(args.to, &state)?;
    refuse_undeclared(&wanted, &state)?;
    let mut live = live_release(&state.applied, &state.on_disk, &state.library)?;
    let mut seen = state.changes.len();
    let mut outcome = MigrationsChanged::new(MigrationDirection::Up, &state);
    outcome.dry_run = args.dry_run;
    for migration in &wanted {
        let candidate = state.release(migration.number)?;
        let mut step = step(args, migration, live.as_ref(), &candidate);
        if let (Some(Clearance::Verdict), Some(before), false) = (step.clearance, &live, args.dry_run) {
            let pinned = |name: String, release: &Release| Pinned {
                name,
                release: release.clone(),
                library: state.library.clone(),
            };
            let sides = (pinned("live".to_owned(), before), pinned(migration.number.to_string(), &candidate));
            let clear = ClearArgs { repeats: args.repeats, max_cost: args.max_cost, models: &args.models };
            let cleared = gate::clear(app, output, sides.0, sides.1, &migration.gate, &clear).await?;
            if cleared.outcome != Verdict::Pass {
                outcome.stopped = Some(stopped(migration, cleared.verdict, cleared.outcome));
                break;
            }
            (step.verdict, step.verdict_was_stored) = (Some(cleared.verdict), Some(cleared.stored));
        }
        if !args.dry_run {
            unchanged(app, migration, &candidate)?;
            let change = recorded(&step, migration, &candidate, &state, app.clock.now().as_millisecond())?;
            app.store.change_migrations(vec![change], seen).await?;
            seen += 1;
            outcome.live = Some(LiveRelease { number: candidate.number, hash: candidate.hash.clone() });
            let how = cleared_by(step.verdict, step.forced_by.as_deref(), step.reason.as_deref());
            output.note(&format!("applied {} ({how})", file_name(migration.number, &migration.slug)));
        }
        outcome.changed.push(step);
        live = Some(candidate);
    }
    let done = outcome.changed.len();
    outcome = outcome.leaving(state.pending().skip(done));
    outcome.next = next(&outcome, args.repeats);
    output.write(&outcome)?;
    Ok(match outcome.stopped.map(|stopped| stopped.outcome) {
        None | Some(Verdict::Pass) => Code::Pass,
        Some(Verdict::Fail) => Code::Failed,
        Some(Verdict::Inconclusive) => Code::Inconclusive,
    })
}

/// The pending migrations that are to be applied.
fn wanted(to: Option<u32>, state: &State) -> Result<Vec<Migration>, Failure> {
    let last = state.on_disk.last().map_or(0, |last| last.number);
    match to {
        Some(to) if to > last => {
            let message = format!("there is no migration {to:04}");
            Err(Failure::usage(message, "`tollgate migrate status` lists them"))
        }
        Some(to) if to < state.applied.number() => {
            let message = format!("migration {to:04} and later ones are applied");
            Err(Failure::usage(message, format!("`tollgate migrate down --to {to}` takes the later ones back")))
        }
        _ => Ok(state.pending().filter(|migration| to.is_none_or(|to| migration.number <= to)).cloned().collect()),
    }
}

/// Breaking changes must be declared, whatever a gate says.
fn refuse_undeclared(wanted: &[Migration], state: &State) -> Result<(), Failure> {
    let mut problems = check_compatibility(&state.on_disk, &state.library)?;
    problems.retain(|problem| {
        problem.severity == Severity::Error && wanted.iter().any(|migration| migration.path == problem.path)
    });
    if problems.is_empty() { Ok(()) } else { Err(PromptError::Invalid { problems }.into()) }
}

/// What a migration has to clear.
fn step(args: &UpArgs, migration: &Migration, live: Option<&Release>, candidate: &Release) -> ChangedMigration {
    let (clearance, reason) = match live {
        None => (Clearance::StartingPoint, Some("starting point: nothing was live before".to_owned())),
        Some(live) if live.hash == candidate.hash => {
            (Clearance::SameBehaviour, Some(format!("behaves as release {}", live.number)))
        }
        Some(_) if args.force => (Clearance::Forced, args.reason.clone()),
        Some(_) => (Clearance::Verdict, None),
    };
    ChangedMigration {
        number: migration.number,
        slug: migration.slug.clone(),
        clearance: Some(clearance),
        verdict: None,
        verdict_was_stored: None,
        forced_by: (clearance == Clearance::Forced).then(|| args.by.clone().unwrap_or_else(who)),
        reason,
        breaking: migration.breaking.clone(),
        release_hash: candidate.hash.clone(),
    }
}

/// The name of the person who runs this, as far as the system says.
fn who() -> String {
    let environment = config::process_environment();
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|wanted| {
        environment.iter().find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value.clone())
    });
    named.unwrap_or_else(|| "unknown".to_owned())
}

fn stopped(migration: &Migration, verdict: VerdictId, outcome: Verdict) -> StoppedMigration {
    StoppedMigration { number: migration.number, slug: migration.slug.clone(), verdict, outcome }
}

/// Refuses what was edited while its gate ran: the verdict is about something else.
fn unchanged(app: &App, migration: &Migration, candidate: &Release) -> Result<(), Failure> {
    let now = State::read(app)?;
    let is_same = now.on_disk.iter().any(|found| found.number == migration.number && found.hash == migration.hash);
    if is_same && now.release(migration.number)?.hash == candidate.hash {
        return Ok(());
    }
    let name = file_name(migration.number, &migration.slug);
    Err(Failure {
        code: Code::CouldNotRun,
        message: format!("{name}, or what it builds on, was edited while it was being applied"),
        hint: Some("run `tollgate migrate up` again".to_owned()),
    })
}

fn recorded(
    step: &ChangedMigration,
    migration: &Migration,
    candidate: &Release,
    state: &State,
    at_ms: i64,
) -> Result<MigrationChange, Failure> {
    Ok(MigrationChange {
        at_ms,
        direction: MigrationDirection::Up,
        number: migration.number,
        slug: migration.slug.clone(),
        checksum: migration.hash.clone(),
        release_hash: candidate.hash.clone(),
        prompts: state.prompts(candidate)?,
        verdict: step.verdict,
        forced_by: step.forced_by.clone(),
        reason: step.reason.clone(),
    })
}

fn next(outcome: &MigrationsChanged, repeats: Option<u32>) -> String {
    let Some(stopped) = &outcome.stopped else {
        let is_more = outcome.dry_run || !outcome.left.is_empty();
        return if is_more { "tollgate migrate up" } else { "tollgate migrate status" }.to_owned();
    };
    if stopped.outcome != Verdict::Inconclusive {
        return format!("tollgate gate show {}", stopped.verdict);
    }
    let repeats = repeats.map_or_else(String::new, |repeats| format!(" --repeats {repeats}"));
    format!("tollgate gate --baseline live --candidate {}{repeats} --escalate --max-cost 1", stopped.number)
}
