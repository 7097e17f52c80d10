use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::app::{App, Ready};
use super::evaluate::{self, Limits};
use super::failure::{Code, Failure};
use super::model_args::{ModelArgs, parse_dollars};
use super::output::Output;
use super::run_lock::RunLock;
use crate::config::Bounds;
use crate::domain::{ContentHash, NanoUsd, rfc3339};
use crate::eval::grade::validate;
use crate::eval::{self, Detail, DryRun, EvalError, EvalOptions, EvalReport, Plan, RunDetails};
use crate::gold::{self, Check, GoldSet};
use crate::report::Format;
use crate::store::{RunRow, RunStatus};

/// Replay a gold set and grade the answers
///
/// Every finished case is durable at once. After Ctrl-C, a crash or a kill, `--resume` continues where it stopped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate eval
  tollgate eval gold_sets/manual.jsonl --filter tag:cost --repeats 5
  tollgate eval --fail-under 0.45 --format junit -o results.xml
  tollgate eval --resume latest")]
pub(super) struct EvalArgs {
    /// The gold set [default: `eval.gold_set` of tollgate.toml]
    gold_set: Option<PathBuf>,
    /// Which release is evaluated: work (all migrations on disk), live (the applied ones), a migration's number, or git:REF
    #[arg(long, value_name = "RELEASE", default_value = "work")]
    release: String,
    /// Only cases that meet all of these: tag:T, tag:A,B (one of them), -tag:T, id:GLOB, -id:GLOB
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    filter: Vec<String>,
    /// Only the first N of the selected cases
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Ask each case K times
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: u32,
    /// Cases under way at a time [default: `eval.concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_024))]
    concurrency: Option<u64>,
    /// Makes whatever is random repeatable
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Let the answer caches answer (they are bypassed otherwise)
    #[arg(long)]
    cache: bool,
    /// Continue this run: an id, the beginning or end of one, or `latest` (the latest that is not complete)
    #[arg(long, value_name = "RUN", conflicts_with_all = ["filter", "limit", "repeats", "seed", "cache", "bounds", "dry_run"])]
    resume: Option<String>,
    /// Only say how many cases, calls, tokens and dollars it would take
    #[arg(long)]
    dry_run: bool,
    /// Begin no further case once this much is spent, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    /// Exit 1 when the score is below this
    #[arg(long, value_name = "SCORE", value_parser = parse_score)]
    fail_under: Option<f64>,
    /// Measure floor and ceiling: random passages, and passages of the right documents [default: `eval.bounds`]
    #[arg(long, value_enum)]
    bounds: Option<BoundsArg>,
    /// Cases with the lowest scores shown in full
    #[arg(long, value_name = "N", default_value_t = 5)]
    worst: usize,
    #[command(flatten)]
    models: ModelArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BoundsArg {
    /// When every model is offline, so that it costs nothing
    Auto,
    Always,
    Never,
}

impl From<BoundsArg> for Bounds {
    fn from(bounds: BoundsArg) -> Self {
        match bounds {
            BoundsArg::Auto => Self::Auto,
            BoundsArg::Always => Self::Always,
            BoundsArg::Never => Self::Never,
        }
    }
}

pub(super) fn parse_score(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|score| (0.0..=1.0).contains(score)).ok_or_else(|| "write a score from 0 to 1".to_owned())
}

/// What a report must hold for this format.
pub(super) fn detail(output: &Output, worst: usize) -> Detail {
    Detail { worst, every_case: matches!(output.format(), Format::Csv | Format::Junit) }
}

pub(super) async fn run(args: &EvalArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let found = args.resume.as_deref().map(|wanted| find_resumable(app, wanted)).transpose()?;
    let (stored, resumed_lock) = found.map_or((None, None), |(run, lock)| (Some(run), lock));
    if let Some(run) = stored.as_ref().filter(|run| run.status == RunStatus::Complete) {
        output.note(&format!("{} is complete; nothing is left to ask", run.id));
        return report(args, app, output, run);
    }
    let set = open_set(args, app, stored.as_ref())?;
    let pinned = app.pinned(&args.release)?;
    let ready = super::judge::ready(app, &pinned, &set, &args.models, output).await?;
    let knowledge = app.store.knowledge_version(None)?;
    let mut plan = match &stored {
        Some(run) => Plan::resume(set, run, &ready.release, &knowledge)?,
        None => Plan::new(set, &options(args, app, &ready)?, &ready.release, knowledge)?,
    };
    if plan.details.replayed != ready.proxy.replays() {
        let (what, hint) = if plan.details.replayed {
            ("replays a recording", "give --replay DIR again")
        } else {
            ("asks models", "leave --replay out")
        };
        return Err(Failure::usage(format!("the run that is to be resumed {what}"), hint));
    }
    let judge = ready.judge.as_ref().map(|judge| judge.hash());
    if plan.details.judge.as_ref() != judge {
        let short = |judge: Option<&ContentHash>| judge.map_or("none", ContentHash::short).to_owned();
        let (stored, now) = (short(plan.details.judge.as_ref()), short(judge));
        return Err(EvalError::CannotResume { what: "judge (model, prompt, votes)", stored, now }.into());
    }
    if let Some(concurrency) = args.concurrency {
        plan.details.concurrency = concurrency as usize;
    }
    if args.dry_run {
        output.write(&estimate(&plan, &ready)?)?;
        return Ok(Code::Pass);
    }
    let (run, lock) = match stored {
        Some(run) => (run, resumed_lock),
        None => evaluate::start(app, &plan, &ready).await?,
    };
    let resumed = args.resume.is_some();
    let limits = Limits { max_cost: args.max_cost, give_up_after: None };
    let ended = evaluate::replay(app, output, ready, &plan, run.id, resumed, limits).await?;
    let status = ended.status;
    let finished_at = (status == RunStatus::Complete).then(|| rfc3339(app.clock.now()));
    app.store.end_run(run.id, status, finished_at.clone()).await?;
    drop(lock);
    let run = RunRow { status, finished_at, ..run };
    if status == RunStatus::Complete {
        super::gate::note_noise(app, &run).await?;
    }
    let code = report(args, app, output, &run)?;
    Ok(match ended.breach {
        // A cap that holds is an outcome.
        Some(breach) => {
            output.note(&breach.to_string());
            Code::Failed
        }
        None => code,
    })
}

/// The run to continue, locked for this process.
fn find_resumable(app: &App, wanted: &str) -> Result<(RunRow, Option<RunLock>), Failure> {
    if wanted != "latest" {
        let run = app.store.find_run(wanted)?;
        let lock = RunLock::take(&app.store, run.id)?.ok_or_else(|| {
            Failure::usage(format!("another tollgate process is working on {}", run.id), "wait until it ends")
        })?;
        return Ok((run, Some(lock)));
    }
    for run in app.store.runs(u64::from(u32::MAX))?.into_iter().filter(|run| run.status != RunStatus::Complete) {
        if let Some(lock) = RunLock::take(&app.store, run.id)? {
            return Ok((run, Some(lock)));
        }
    }
    Err(Failure::usage("no stored run is incomplete", "`tollgate runs list` shows the stored runs"))
}

/// Opens the gold set that is to be replayed, and refuses one that has changed since it was frozen.
fn open_set(args: &EvalArgs, app: &App, stored: Option<&RunRow>) -> Result<GoldSet, Failure> {
    let path = match (&args.gold_set, stored, &app.config.eval.gold_set) {
        (None, Some(run), _) => app.config.root.join(&run.gold_path),
        (Some(path), ..) | (None, None, Some(path)) => path.clone(),
        (None, None, None) => {
            return Err(super::gold::no_gold_set());
        }
    };
    let set = GoldSet::open(&path, validate_check)?;
    gold::require_unchanged(&set)?;
    Ok(set)
}

/// Judges a grader's settings while a gold set is read.
pub(super) fn validate_check(check: &Check) -> Result<(), String> {
    validate(check).map_err(|error| error.to_string())
}

fn options(args: &EvalArgs, app: &App, ready: &Ready) -> Result<EvalOptions, Failure> {
    let settings = &app.config.eval;
    let bounds = args.bounds.map_or(settings.bounds, Bounds::from);
    let retrieves = ready.release.retrieval.mode != crate::prompts::RetrievalMode::Off;
    let mut offline = true;
    for model in [&ready.release.stages.small, &ready.release.stages.large].into_iter().flatten() {
        offline &= ready.proxy.is_offline(model)?;
    }
    Ok(EvalOptions {
        judge: ready.judge.as_ref().map(|judge| judge.hash().clone()),
        prices: Some(app.prices_hash()?),
        setup: Some(app.setup_hash()),
        filters: args.filter.clone(),
        limit: args.limit,
        repeats: args.repeats,
        concurrency: args.concurrency.map_or(settings.concurrency, |number| number as usize),
        seed: args.seed,
        use_cache: args.cache,
        replayed: ready.proxy.replays(),
        bounds: retrieves
            && match bounds {
                Bounds::Auto => offline,
                Bounds::Always => true,
                Bounds::Never => false,
            },
    })
}

fn report(args: &EvalArgs, app: &App, output: &Output, run: &RunRow) -> Result<Code, Failure> {
    let report = eval::summarize(&app.store, run, detail(output, args.worst))?;
    output.write(&report)?;
    Ok(exit_code(args, output, &report))
}

fn exit_code(args: &EvalArgs, output: &Output, report: &EvalReport) -> Code {
    if report.status != RunStatus::Complete {
        output.note(&format!("{}; continue with `tollgate eval --resume {}`", report.status.as_str(), report.run));
        return Code::CouldNotRun;
    }
    let Some(score) = &report.score else {
        output.note("no case has a score");
        return Code::CouldNotRun;
    };
    if let Some(limit) = args.fail_under.filter(|limit| score.estimate < *limit) {
        output.note(&format!("score {:.4} is below {limit}", score.estimate));
        return Code::Failed;
    }
    // What is missing could have been anything: only a score that holds with nothing in its place is a pass.
    let judged = report.results.saturating_sub(report.errored) as f64 / report.results.max(1) as f64;
    if let Some(limit) = args.fail_under.filter(|limit| score.estimate * judged < *limit) {
        output.note(&format!(
            "{} of {} answers are missing, so that nothing is proved about a score of {limit}; continue with `tollgate eval --resume {}`",
            report.errored, report.results, report.run
        ));
        return Code::Inconclusive;
    }
    if report.errored + report.broken == report.results {
        output.note("every answer was missing or broken");
        return Code::CouldNotRun;
    }
    Code::Pass
}

/// Cases whose prompts are measured for an estimate.
const SAMPLE: usize = 20;

fn estimate(plan: &Plan, ready: &Ready) -> Result<DryRun, Failure> {
    let mut sizes: Vec<u64> = Vec::new();
    let mut bounded = 0;
    for case in plan.cases().map_err(eval::EvalError::from)? {
        let case = case.map_err(eval::EvalError::from)?;
        bounded += 2 * u64::from(plan.has_bounds(&case));
        if sizes.len() < SAMPLE {
            sizes.push(ready.assistant.prompt_words(&case.question)?);
        }
    }
    sizes.sort_unstable();
    let input = sizes.get(sizes.len() / 2).copied().unwrap_or(0);
    let stages = &ready.release.stages;
    let models: Vec<&String> = [&stages.small, &stages.large].into_iter().flatten().collect();
    let questions = plan.planned() + bounded;
    let output_tokens = ready.assistant.max_output_tokens();
    let usage = crate::domain::Usage::new(input, output_tokens);
    let mut costs = Vec::new();
    for model in &models {
        let each = ready.proxy.price(model)?.cost(usage).map_err(crate::proxy::ProxyError::from)?;
        costs.push(NanoUsd(each.0.saturating_mul(i64::try_from(questions).unwrap_or(i64::MAX))));
    }
    let RunDetails { selected, repeats, .. } = plan.details;
    Ok(DryRun {
        gold_set: plan.set.name.clone(),
        gold_hash: plan.set.hash.clone(),
        release: ready.release.number,
        cases: selected,
        repeats,
        bound_questions: bounded,
        calls_at_least: questions,
        calls_at_most: questions * models.len() as u64,
        input_tokens_per_call: usage.input,
        output_tokens_per_call: usage.output,
        cost_at_least_nanousd: costs.first().copied().unwrap_or_default(),
        cost_at_most_nanousd: costs.into_iter().sum(),
    })
}
