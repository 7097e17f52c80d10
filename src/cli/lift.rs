use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::app::{App, Pinned};
use super::failure::{Code, Failure};
use super::output::Output;
use super::tune::{AskArgs, Experiment, SetArgs};
use crate::domain::Verdict;
use crate::eval::RunDetails;
use crate::prompts::RetrievalMode;
use crate::tune::{Feature, LiftReport, LiftRules, compare_feature};

/// The artifact that holds the worked examples of the prompt that answers tickets.
const EXAMPLES: &str = "answer_examples";

/// Is a feature worth what it costs?
#[derive(Debug, Subcommand)]
pub(super) enum LiftCommand {
    /// Passages from the knowledge base against none
    #[command(after_help = "Examples:
  tollgate lift rag
  tollgate lift rag --max-cost-increase 1 --repeats 3")]
    Rag(LiftArgs),
    /// Worked examples in the prompt against none
    #[command(after_help = "Example:
  tollgate lift few-shot")]
    FewShot(LiftArgs),
    /// Other ways to find passages against the one in use
    #[command(after_help = "Example:
  tollgate lift retrieval-mode")]
    RetrievalMode(LiftArgs),
}

#[derive(Debug, Args)]
pub(super) struct LiftArgs {
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    ask: AskArgs,
    /// Least relative lift in score or passed cases
    #[arg(long, value_name = "SHARE", default_value_t = 0.10, value_parser = share_of_any_size, help_heading = "Rule")]
    min_lift: f64,
    /// Most relative increase of the cost of a successful outcome
    #[arg(long, value_name = "SHARE", default_value_t = 0.10, value_parser = share_of_any_size, help_heading = "Rule")]
    max_cost_increase: f64,
    /// Most relative increase of the 95th percentile of latency
    #[arg(long, value_name = "SHARE", default_value_t = 0.10, value_parser = share_of_any_size, help_heading = "Rule")]
    max_latency_increase: f64,
}

fn share_of_any_size(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1_000.0).contains(share))
        .ok_or_else(|| "write a share, such as 0.10".to_owned())
}

/// One side of a comparison.
struct Side {
    name: String,
    key: &'static str,
    value: Value,
    pinned: Pinned,
}

pub(super) async fn run(command: LiftCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    let (feature, args) = match command {
        LiftCommand::Rag(args) => (Feature::Rag, args),
        LiftCommand::FewShot(args) => (Feature::FewShot, args),
        LiftCommand::RetrievalMode(args) => (Feature::RetrievalMode, args),
    };
    let report = lift(feature, &args, app, output).await?;
    output.write(&report)?;
    Ok(match report.verdict {
        Verdict::Pass => Code::Pass,
        Verdict::Fail => Code::Failed,
        Verdict::Inconclusive => Code::Inconclusive,
    })
}

async fn lift(feature: Feature, args: &LiftArgs, app: &App, output: &Output) -> Result<LiftReport, Failure> {
    let experiment = Experiment::open(&args.set, app, output)?;
    let (without, with, in_use) = match feature {
        Feature::Rag => rag(&experiment)?,
        Feature::FewShot => few_shot(&experiment)?,
        Feature::RetrievalMode => retrieval_modes(&experiment)?,
    };
    let releases: Vec<&Pinned> = std::iter::once(&without).chain(&with).map(|side| &side.pinned).collect();
    let runs = experiment.runs(&releases, &args.ask).await?;
    let rules = LiftRules {
        min_lift: args.min_lift,
        max_cost_increase: args.max_cost_increase,
        max_latency_increase: args.max_latency_increase,
        latency_floor_ms: app.config.gate.latency_floor_ms,
        resamples: app.config.gate.resamples,
        seed: args.set.seed,
    };
    let Some((without_run, with_runs)) = runs.split_first() else {
        return Err(Failure::could_not_run("a run is missing"));
    };
    let pass_score = experiment.set.header.pass_score;
    let mut comparisons = Vec::new();
    for (side, run) in with.iter().zip(with_runs) {
        let named = ((side.name.as_str(), run), (without.name.as_str(), without_run));
        comparisons.push(compare_feature(&app.store, named.0, named.1, pass_score, rules, with.len())?);
    }
    let release = &experiment.pinned.release;
    let mut report = LiftReport {
        feature,
        verdict: Verdict::Inconclusive,
        reason: String::new(),
        in_use,
        gold_set: experiment.set.name.clone(),
        gold_hash: experiment.set.hash.to_string(),
        release: release.number,
        release_hash: release.hash.to_string(),
        rules,
        comparisons,
        proposal: None,
        notes: Vec::new(),
    };
    report.decide();
    if RunDetails::of(without_run)?.replayed {
        report
            .notes
            .push("The answers are replayed: their latency is of the day on which they were recorded.".to_owned());
    }
    let gains = report.decisive().is_some_and(|one| one.lift.benefit() == Verdict::Pass);
    if gains && report.verdict != Verdict::Pass {
        report.notes.push(
            "It gains enough. If it may cost more or take longer, say by how much with `--max-cost-increase` and \
             `--max-latency-increase`."
                .to_owned(),
        );
    }
    let name = report.decisive().map(|one| one.with_name.clone());
    let side = if in_use { Some(&without) } else { with.iter().find(|side| Some(&side.name) == name.as_ref()) };
    if let Some(side) = side.filter(|_| report.switches()) {
        let slug = format!("{}_{}", feature.as_str().replace('-', "_"), slug(&side.name));
        report.proposal =
            Some(experiment.propose(&slug, &report.description(), &[(side.key, side.value.clone())], None)?);
    }
    Ok(report)
}

fn slug(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

fn mode(experiment: &Experiment<'_>, mode: RetrievalMode) -> Result<Side, Failure> {
    let value = json!(mode.as_str());
    let pinned = experiment.vary(&format!("retrieval {}", mode.as_str()), &[("retrieval.mode", value.clone())])?;
    Ok(Side { name: mode.as_str().to_owned(), key: "retrieval.mode", value, pinned })
}

/// Without, with, and whether the release has it.
type Sides = (Side, Vec<Side>, bool);

fn rag(experiment: &Experiment<'_>) -> Result<Sides, Failure> {
    let present = experiment.pinned.release.retrieval.mode;
    let is_on = present != RetrievalMode::Off;
    let with = mode(experiment, if is_on { present } else { RetrievalMode::Hybrid })?;
    Ok((mode(experiment, RetrievalMode::Off)?, vec![with], is_on))
}

fn few_shot(experiment: &Experiment<'_>) -> Result<Sides, Failure> {
    let Pinned { release, library, .. } = &experiment.pinned;
    let present = release.prompts.get(EXAMPLES).copied();
    let Some(version) = present.or_else(|| library.latest(EXAMPLES)) else {
        return Err(Failure::usage(
            "the project has no worked examples",
            format!("write them into prompts/{EXAMPLES}/v1.toml: pairs of [[messages]], a user's and the assistant's"),
        ));
    };
    let side = |name: String, version: u32| -> Result<Side, Failure> {
        let (key, value) = ("prompts.answer_examples", json!(version));
        Ok(Side { pinned: experiment.vary(&name, &[(key, value.clone())])?, name, key, value })
    };
    Ok((side("no examples".to_owned(), 0)?, vec![side(format!("examples v{version}"), version)?], present.is_some()))
}

fn retrieval_modes(experiment: &Experiment<'_>) -> Result<Sides, Failure> {
    let present = experiment.pinned.release.retrieval.mode;
    let others = [RetrievalMode::Keyword, RetrievalMode::Vector, RetrievalMode::Hybrid];
    let others = others.into_iter().filter(|other| *other != present).map(|other| mode(experiment, other));
    Ok((mode(experiment, present)?, others.collect::<Result<_, _>>()?, false))
}
