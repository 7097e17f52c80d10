use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::app::{App, Pinned, Ready};
use super::failure::{Code, Failure};
use super::model_args::ModelArgs;
use super::output::Output;
use super::progress::EvalBar;
use super::run_lock::RunLock;
use crate::domain::{NanoUsd, RunId, rfc3339};
use crate::eval::grade::Graders;
use crate::eval::{self, Engine, EvalError, EvalOptions, Plan, Replay, Replayed, RunDetails};
use crate::gold::GoldSet;
use crate::store::{RunRow, RunStatus};

/// Cases without an answer, before any with one, after which a comparison is given up: nobody is there to ask.
const GIVE_UP_AFTER: u64 = 3;

/// A run that another operation needs, whole or not at all.
pub(super) struct Evaluation<'a> {
    pub(super) set: &'a GoldSet,
    pub(super) filters: &'a [String],
    pub(super) limit: Option<usize>,
    pub(super) repeats: u32,
    pub(super) seed: u64,
    pub(super) concurrency: Option<u64>,
    pub(super) max_cost: Option<NanoUsd>,
    pub(super) models: &'a ModelArgs,
    /// Whether a stored run of the same release under the same conditions will do.
    pub(super) reuse: bool,
}

/// When a replay ends before its last case.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Spend at which no further case is begun.
    pub(super) max_cost: Option<NanoUsd>,
    /// Cases without an answer, before any with one, at which no further case is begun.
    pub(super) give_up_after: Option<u64>,
}

/// A complete run of `pinned`, and whether it was made now.
pub(super) async fn evaluate(
    app: &App,
    output: &Output,
    pinned: &Pinned,
    what: &Evaluation<'_>,
) -> Result<(RunRow, bool), Failure> {
    let ready = super::judge::ready(app, pinned, what.set, what.models, output).await?;
    let knowledge = app.store.knowledge_version(None)?;
    let options = EvalOptions {
        filters: what.filters.to_vec(),
        limit: what.limit,
        repeats: what.repeats,
        concurrency: what.concurrency.map_or(app.config.eval.concurrency, |number| number as usize),
        seed: what.seed,
        use_cache: false,
        replayed: ready.proxy.replays(),
        judge: ready.judge.as_ref().map(|judge| judge.hash().clone()),
        prices: Some(app.prices_hash()?),
        setup: Some(app.setup_hash()),
        bounds: false,
    };
    let plan = Plan::new(what.set.clone(), &options, &ready.release, knowledge)?;
    if what.reuse
        && let Some(run) = stored(app, &plan, &ready)?
    {
        return Ok((run, false));
    }
    output.note(&format!("evaluating {} (release {}) on {} cases", pinned.name, ready.release.number, plan.planned()));
    let (run, lock) = start(app, &plan, &ready).await?;
    let limits = Limits { max_cost: what.max_cost, give_up_after: Some(GIVE_UP_AFTER) };
    let ended = replay(app, output, ready, &plan, run.id, false, limits).await?;
    let finished_at = (ended.status == RunStatus::Complete).then(|| rfc3339(app.clock.now()));
    app.store.end_run(run.id, ended.status, finished_at.clone()).await?;
    drop(lock);
    let run = RunRow { status: ended.status, finished_at, ..run };
    match (run.status, ended.breach) {
        (RunStatus::Complete, _) => Ok((run, true)),
        // A cap that holds is an outcome.
        (_, Some(breach)) => Err(Failure { code: Code::Failed, message: breach.to_string(), hint: None }),
        _ => Err(incomplete(app, &run, &pinned.name)?),
    }
}

/// Why a run is not whole.
fn incomplete(app: &App, run: &RunRow, release: &str) -> Result<Failure, Failure> {
    let totals = app.store.run_totals(run.id)?;
    // The later ones may only say that nobody was asked any more.
    let mut first = None;
    app.store.for_each_result::<EvalError>(run.id, crate::store::CaseKind::Case, |result| {
        first = first.take().or(result.error);
        Ok(())
    })?;
    let why = match first {
        Some(error) if totals.errored == totals.results => format!("nobody answers: {error}"),
        _ if run.status == RunStatus::Interrupted => "it was interrupted".to_owned(),
        _ => "its spend limit is reached".to_owned(),
    };
    let resume = format!("tollgate eval --resume {} --release {release}", run.id);
    let hint = format!("`{resume}` continues it, and the next try takes what it has");
    Ok(Failure { hint: Some(hint), ..Failure::could_not_run(format!("the evaluation is not complete: {why}")) })
}

/// A stored run that says what this one would say.
fn stored(app: &App, plan: &Plan, ready: &Ready) -> Result<Option<RunRow>, Failure> {
    for run in app.store.runs(u64::from(u32::MAX))? {
        let same = run.status == RunStatus::Complete
            && run.gold_hash == plan.set.hash
            && run.release_hash == ready.release.hash;
        if !same {
            continue;
        }
        // Those of an earlier version of the program may have settings that this one does not know.
        let Ok(details) = RunDetails::of(&run) else { continue };
        let conditions = RunDetails { concurrency: 0, bounds: false, ..details };
        let wanted = RunDetails { concurrency: 0, bounds: false, ..plan.details.clone() };
        if conditions == wanted && app.store.run_totals(run.id)?.errored == 0 {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// Stores the run that `plan` is about to be.
pub(super) async fn start(app: &App, plan: &Plan, ready: &Ready) -> Result<(RunRow, Option<RunLock>), Failure> {
    // Inside the project by its place there, outside it by its full path: either way `--resume` finds it from anywhere.
    let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (path, root) = (full(&plan.set.path), full(&app.config.root));
    let path = path.strip_prefix(&root).unwrap_or(&path);
    let run = RunRow {
        id: app.ids.next::<RunId>(&*app.clock),
        status: RunStatus::Running,
        started_at: rfc3339(app.clock.now()),
        finished_at: None,
        gold_set: plan.set.name.clone(),
        gold_path: path.display().to_string(),
        gold_hash: plan.set.hash.clone(),
        release_number: ready.release.number,
        release_hash: ready.release.hash.clone(),
        planned: plan.planned(),
        details: serde_json::to_string(&plan.details)
            .map_err(|error| Failure::could_not_run(format!("the run's settings cannot be stored: {error}")))?,
    };
    let lock = RunLock::take(&app.store, run.id)?;
    app.store.start_run(run.clone()).await?;
    Ok((run, lock))
}

/// What asks, grades and keeps the answers of a release.
pub(super) fn engine(app: &App, ready: Ready) -> Arc<Engine> {
    Arc::new(Engine {
        redactor: Arc::clone(ready.proxy.redactor()),
        assistant: Arc::new(ready.assistant),
        graders: Arc::new(Graders::new(&app.config.root).with_judge(ready.judge)),
        store: Arc::clone(&app.store),
        clock: Arc::clone(&app.clock),
        ids: Arc::clone(&app.ids),
    })
}

/// Asks what `plan` has left to ask.
pub(super) async fn replay(
    app: &App,
    output: &Output,
    ready: Ready,
    plan: &Plan,
    run: RunId,
    resumed: bool,
    limits: Limits,
) -> Result<Replayed, Failure> {
    let engine = engine(app, ready);
    let (stopper, stop) = watch::channel(false);
    let mut watcher = JoinSet::new();
    watcher.spawn(async move {
        super::signals::stopped().await;
        let _ = stopper.send(true);
        // Kept alive so that nobody takes a dropped sender for a wish to stop.
        std::future::pending::<()>().await;
    });
    let bar = EvalBar::new(output);
    let progress = |progress: &eval::Progress| bar.show(progress);
    let Limits { max_cost, give_up_after } = limits;
    let replay = Replay { plan, run, resumed, max_cost, give_up_after, stop, progress: &progress };
    let status = engine.replay(replay).await;
    bar.finish();
    watcher.shutdown().await;
    if status.is_err() {
        output.note(&format!("what was finished is stored; continue with `tollgate eval --resume {run}`"));
    }
    Ok(status?)
}
