use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};

use super::app::{App, Pinned, Ready, prompts_directory};
use super::failure::{Code, Failure};
use super::model_args::{ModelArgs, parse_dollars};
use super::output::Output;
use crate::domain::{ContentHash, NanoUsd, Verdict, rfc3339};
use crate::eval::RunDetails;
use crate::eval::grade::{Judge, JudgeError, JudgeModel, JudgeParts, judge_prompt};
use crate::eval::judge::{Calibrating, LabelsError, RunVerdicts, calibrate, read_labels};
use crate::gold::GoldSet;
use crate::prompts::{CompiledPrompt, Library};
use crate::proxy::Proxy;
use crate::report::Format;

/// Compare the model that judges answers with people
#[derive(Debug, Subcommand)]
pub(super) enum JudgeCommand {
    Calibrate(CalibrateArgs),
}

/// Let the judge judge answers that people have labelled, and report how far it agrees
///
/// The file has the columns question, expected, answer and label (pass or fail), and optionally rubric.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate judge calibrate labels.csv
  tollgate judge calibrate labels.csv --run latest --max-cost 2")]
pub(super) struct CalibrateArgs {
    /// The labelled answers, a CSV file
    labels: PathBuf,
    /// The prompt that asks the judge, with its version
    #[arg(long, value_name = "NAME@vN", default_value = "judge@v1")]
    prompt: String,
    /// Also correct the pass rate that this judge gave to a stored run: an id, a part of one, or `latest`
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Begin no further answer once this much is spent, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    /// Answers under way at a time [default: `eval.concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_024))]
    concurrency: Option<u64>,
    #[command(flatten)]
    models: ModelArgs,
}

pub(super) async fn run(command: JudgeCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    match command {
        JudgeCommand::Calibrate(args) => run_calibrate(&args, app, output).await,
    }
}

async fn run_calibrate(args: &CalibrateArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    let labels = read_labels(&args.labels).map_err(|error| bad_labels(&error))?;
    let missing = || Failure::usage("tollgate.toml names no model that judges", NAME_A_MODEL);
    let wanted = Wanted::new(app, &args.prompt)?.ok_or_else(missing)?;
    let proxy = Arc::new(app.proxy(args.models.recording()?)?);
    let judge = wanted.judge(app, &proxy, &args.models)?;
    let run = args.run.as_deref().map(|wanted| run_verdicts(app, wanted, judge.hash())).transpose()?;

    let total = labels.len() as u64;
    let (calls, model) = (total * 2 * u64::from(judge.votes()), judge.model());
    output.note(&format!("judging {total} labelled answers by {model}: {calls} questions"));
    let bar = super::progress::bar(output, "judging {bar:30} {pos}/{len} {eta} left");
    bar.set_length(total);
    let now = app.clock.now();
    let (report, breach) = calibrate(Calibrating {
        judge: &judge,
        labels: &labels,
        min_kappa: app.config.judge.min_kappa,
        concurrency: args.concurrency.map_or(app.config.eval.concurrency, |number| number as usize),
        max_cost: args.max_cost,
        run,
        now: rfc3339(now),
        progress: &|done| bar.set_position(done),
    })
    .await;
    bar.finish_and_clear();

    let judged = report.calibration.labels;
    if report.not_asked == 0 && judged > 0 && breach.is_none() {
        let body = serde_json::to_string(&report.calibration)
            .map_err(|error| Failure::could_not_run(format!("the calibration cannot be stored: {error}")))?;
        app.store.record_calibration(judge.hash().clone(), now.as_millisecond(), body).await?;
    }
    output.write(&report)?;
    if let Some(breach) = breach {
        // A cap that holds is an outcome.
        output.note(&breach.to_string());
        return Ok(Code::Failed);
    }
    if report.not_asked > 0 {
        output.note("stopped at the spend limit; nothing is stored");
        return Ok(Code::CouldNotRun);
    }
    if judged == 0 {
        output.note("no answer could be judged; nothing is stored");
        return Ok(Code::CouldNotRun);
    }
    Ok(match report.verdict {
        Verdict::Pass => Code::Pass,
        Verdict::Fail => Code::Failed,
        Verdict::Inconclusive => Code::Inconclusive,
    })
}

fn bad_labels(error: &LabelsError) -> Failure {
    Failure::usage(error.to_string(), error.hint())
}

/// What the judge with this hash said of a stored run's answers.
fn run_verdicts(app: &App, wanted: &str, judge: &ContentHash) -> Result<RunVerdicts, Failure> {
    let run = app.store.find_run(wanted)?;
    let hint = "`--run` takes a run whose gold set has a `judge` grader, judged by the same model, prompt and votes";
    match RunDetails::of(&run)?.judge {
        Some(other) if other == *judge => Ok(RunVerdicts::of(&app.store, run.id)?),
        Some(_) => Err(Failure::usage(format!("{} was judged by another judge", run.id), hint)),
        None => Err(Failure::usage(format!("{} was not judged by a model", run.id), hint)),
    }
}

const NAME_A_MODEL: &str =
    "write `model = \"provider/model\"` into the table `[judge]`; it need not be one of the release's";

/// The assistant of `pinned`, ready to be evaluated on `set`: with a judge where a grader of the set asks for one.
///
/// A judge that is missing or cannot be asked is refused before anything is.
pub(super) async fn ready(
    app: &App,
    pinned: &Pinned,
    set: &GoldSet,
    models: &ModelArgs,
    output: &Output,
) -> Result<Ready, Failure> {
    let wanted = wanted(app, set)?;
    let judge = wanted.map(|wanted| wanted.judge(app, &app.shared_proxy(models)?, models)).transpose()?;
    Ok(Ready { judge, ..app.ready(pinned, "eval", models, output).await? })
}

/// A judge whose prompt is read and whose model is not looked up yet.
struct Wanted {
    prompt: CompiledPrompt,
    model: String,
}

/// The judge that the `judge` graders of `set` ask for; `None` when it has none. Nothing is asked for it.
fn wanted(app: &App, set: &GoldSet) -> Result<Option<Wanted>, Failure> {
    let Some(prompt) = judge_prompt(set).map_err(failure)? else { return Ok(None) };
    let missing = || {
        let message =
            format!("gold set {} has `judge` graders, and tollgate.toml names no model that judges", set.name);
        Failure::usage(message, NAME_A_MODEL)
    };
    Wanted::new(app, &prompt)?.map_or_else(|| Err(missing()), |wanted| Ok(Some(wanted)))
}

impl Wanted {
    /// The judge of `[judge]` with this prompt, `NAME@vN`; `None` without a model.
    fn new(app: &App, prompt: &str) -> Result<Option<Self>, Failure> {
        let Some(model) = app.config.judge.model.clone() else { return Ok(None) };
        let parts = prompt.rsplit_once("@v").and_then(|(name, version)| Some((name, version.parse().ok()?)));
        let (name, version) = parts.ok_or_else(|| {
            Failure::usage(format!("`{prompt}` is not a prompt with its version"), "write it as `judge@v1`")
        })?;
        let prompt = Library::open(&prompts_directory(&app.config))?.get(name, version)?.compile()?;
        Ok(Some(Self { prompt, model }))
    }

    /// The judge itself, which asks through `proxy`.
    fn judge(self, app: &App, proxy: &Arc<Proxy>, models: &ModelArgs) -> Result<Arc<Judge>, Failure> {
        let Self { prompt, model } = self;
        proxy.check(&model).map_err(|error| match Failure::from(error) {
            // It is the configuration that names it, not a release.
            Failure { code: Code::Usage, message, .. } => {
                let hint = "`[judge] model` names a model of a `[providers.NAME]` table with a known price, or a route";
                Failure::usage(message, hint)
            }
            other => other,
        })?;
        let judge = Judge::new(JudgeParts {
            models: Arc::clone(proxy) as Arc<dyn JudgeModel>,
            prompt,
            model,
            votes: app.config.judge.votes,
            approved_cost: models.max_request_cost,
            ids: Arc::clone(&app.ids),
            clock: Arc::clone(&app.clock),
        });
        Ok(Arc::new(judge.map_err(failure)?))
    }
}

fn failure(error: JudgeError) -> Failure {
    match error {
        JudgeError::Gold(gold) => gold.into(),
        other => Failure { code: Code::Usage, message: other.to_string(), hint: other.hint() },
    }
}
