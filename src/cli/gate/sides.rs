use std::path::{Path, PathBuf};

use super::{Buying, Terms};
use crate::cli::app::{App, Pinned};
use crate::cli::evaluate::{Evaluation, evaluate};
use crate::cli::failure::Failure;
use crate::cli::output::Output;
use crate::domain::NanoUsd;
use crate::gate::{BASELINES, Baseline, Evidence, GateError, Side};
use crate::prompts::MigrationGate;
use crate::store::RunRow;

/// The revision that a pull request is compared with.
const MAIN: &str = "origin/main";

/// One side of a gate, as it was asked for.
pub(super) enum Choice {
    /// A release, to be evaluated or found evaluated.
    Release { pinned: Box<Pinned>, number: u32 },
    /// A stored run.
    Run(Box<RunRow>),
    /// A committed baseline.
    File { path: PathBuf, baseline: Box<Baseline> },
}

impl Choice {
    pub(super) fn release(pinned: Pinned) -> Self {
        Self::Release { number: pinned.release.number, pinned: Box::new(pinned) }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Release { pinned, .. } => pinned.name.clone(),
            Self::Run(run) => run.id.to_string(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    /// Its stored run, where it is one.
    pub(super) fn run(&self) -> Option<&RunRow> {
        match self {
            Self::Run(run) => Some(run),
            Self::Release { .. } | Self::File { .. } => None,
        }
    }

    /// What the last migration of its release wants cleared.
    pub(super) fn migration_gate(&self, app: &App) -> Result<MigrationGate, Failure> {
        let Self::Release { pinned, number } = self else { return Ok(MigrationGate::default()) };
        if pinned.name.starts_with("git:") {
            return Ok(MigrationGate::default());
        }
        let migrations = app.migrations()?;
        let last = migrations.into_iter().find(|migration| migration.number == *number);
        Ok(last.map(|migration| migration.gate).unwrap_or_default())
    }
}

/// The two sides that the flags name, or that nobody has to name, and then which these are.
pub(super) fn choose(
    app: &App,
    baseline: Option<&str>,
    candidate: Option<&str>,
    gold_set: Option<&Path>,
) -> Result<(Choice, Choice, Option<&'static str>), Failure> {
    let after = read(app, candidate.unwrap_or("work"), gold_set)?;
    if let Some(baseline) = baseline {
        return Ok((read(app, baseline, gold_set)?, after, None));
    }
    let Choice::Release { pinned, number } = &after else {
        return Err(Failure::usage("a run needs something to be compared with", "name it with --baseline"));
    };
    if candidate.is_some() {
        let before = match app.pinned("live") {
            Ok(live) if live.release.hash != pinned.release.hash => live,
            _ => app.pinned(&before(*number)?)?,
        };
        return Ok((Choice::release(before), after, None));
    }
    let note = match app.pinned_if_known(MAIN)? {
        Some(main) if main.release.hash != pinned.release.hash => return Ok((Choice::release(main), after, None)),
        Some(_) => {
            "prompts and migrations are those of origin/main: the latest migration is compared with the one before"
        }
        None => "there is no origin/main: the latest migration is compared with the one before",
    };
    let before = app.pinned(&before(*number)?)?;
    Ok((Choice::release(before), Choice::release(app.pinned(&number.to_string())?), Some(note)))
}

/// The release before that of `number`.
fn before(number: u32) -> Result<String, Failure> {
    if let Some(before) = number.checked_sub(1) {
        return Ok(before.to_string());
    }
    let hint = "make a migration with `tollgate migrate new`, or name both sides with --baseline and --candidate";
    Err(Failure::usage("there is no migration to gate", hint))
}

/// Reads the name of a side.
pub(super) fn read(app: &App, name: &str, gold_set: Option<&Path>) -> Result<Choice, Failure> {
    if name == "blessed" {
        let set =
            gold_set.or(app.config.eval.gold_set.as_deref()).and_then(Path::file_stem).and_then(|stem| stem.to_str());
        let newest = Baseline::of_set(&app.config.root, set.unwrap_or_default())?.into_iter().next();
        let (path, baseline) = newest.ok_or_else(|| {
            let message = format!("no baseline of {} is in {BASELINES}", set.unwrap_or("any gold set"));
            Failure::usage(message, "`tollgate gate bless --reason …` writes one")
        })?;
        let path = path.strip_prefix(&app.config.root).map(Path::to_owned).unwrap_or(path);
        return Ok(Choice::File { path, baseline: Box::new(baseline) });
    }
    if Path::new(name).extension().is_some_and(|extension| extension == "json") {
        let path = PathBuf::from(name);
        return Ok(Choice::File { baseline: Box::new(Baseline::read(&path)?), path });
    }
    if name == "latest" || name.starts_with("run_") {
        return Ok(Choice::Run(Box::new(app.store.find_run(name)?)));
    }
    app.pinned(name).map(Choice::release)
}

/// Refuses sides that are known to be of another gold set before anything is asked.
pub(super) fn require_comparable(baseline: &Choice, candidate: &Choice, terms: &Terms) -> Result<(), Failure> {
    let of = |choice: &Choice| {
        let (name, hash) = match choice {
            Choice::Release { .. } => (&terms.set.name, &terms.set.hash),
            Choice::Run(run) => (&run.gold_set, &run.gold_hash),
            Choice::File { baseline, .. } => {
                let conditions = &baseline.evidence.conditions;
                (&conditions.gold_set, &conditions.gold_hash)
            }
        };
        (hash.clone(), format!("{name} {}", hash.short()))
    };
    let (before, after) = (of(baseline), of(candidate));
    if before.0 == after.0 {
        return Ok(());
    }
    Err(GateError::Incomparable { field: "gold set", baseline: before.1, candidate: after.1 }.into())
}

/// A side with all that is known of it.
pub(super) struct Known {
    pub(super) name: String,
    pub(super) evidence: Evidence,
    pub(super) fresh: bool,
    pub(super) stored: bool,
}

impl Known {
    pub(super) fn side(&self) -> Side<'_> {
        Side { name: &self.name, evidence: &self.evidence, fresh: self.fresh, stored: self.stored }
    }
}

/// What is known of a side; a release is evaluated unless a stored run will do. What that costs comes off `left`.
pub(super) async fn evidence(
    app: &App,
    output: &Output,
    choice: &Choice,
    terms: &Terms,
    buying: &Buying<'_>,
    left: &mut Option<NanoUsd>,
) -> Result<Known, Failure> {
    let name = choice.name();
    match choice {
        Choice::Release { pinned, .. } => {
            let what = Evaluation {
                set: &terms.set,
                filters: &terms.filters,
                limit: terms.limit,
                repeats: terms.settings.repeats,
                seed: terms.seed,
                concurrency: terms.concurrency,
                max_cost: *left,
                models: buying.models,
                reuse: !buying.fresh,
            };
            let (run, fresh) = evaluate(app, output, pinned, &what).await?;
            let mut evidence = Evidence::of_run(&app.store, &run)?;
            // The run may have been made when a release of another number behaved the same.
            evidence.conditions.release = pinned.release.number;
            if fresh {
                let totals = app.store.run_totals(run.id)?;
                if totals.cost_incomplete && left.is_some() {
                    let why = "what some answer cost is unknown, so the spend limit cannot be kept";
                    return Err(Failure::could_not_run(why));
                }
                *left = left.map(|left| NanoUsd((left.0 - totals.cost.0).max(0)));
                super::note_noise(app, &run).await?;
            }
            Ok(Known { name, evidence, fresh, stored: true })
        }
        Choice::Run(run) => {
            let evidence = Evidence::of_run(&app.store, run)?;
            Ok(Known { name, evidence, fresh: false, stored: true })
        }
        Choice::File { baseline, .. } => {
            Ok(Known { name, evidence: baseline.evidence.clone(), fresh: false, stored: false })
        }
    }
}
