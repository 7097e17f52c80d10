use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::app::{App, Pinned, prompts_directory};
use super::evaluate::{Evaluation, evaluate};
use super::failure::{Code, Failure};
use super::model_args::{ModelArgs, parse_dollars};
use super::output::Output;
use super::progress;
use crate::config::GateMetric;
use crate::domain::{NanoUsd, Passage, TENANT_SHARED};
use crate::eval::EvalError;
use crate::eval::grade::ranking_score;
use crate::gold::{self, Case, Filter, GoldSet, RetrievalMetric};
use crate::kb::{KnowledgeBase, SearchMode, SearchRequest};
use crate::prompts::{PromptError, Release, RetrievalMode};
use crate::proxy::RoutedEmbedder;
use crate::report::Format;
use crate::store::RunRow;
use crate::tune::{
    Advice, Cascade, FusionReport, FusionSettings, GateTable, Measured, Proposal, RankedCase, ThresholdReport,
    ThresholdSettings, TuneError, propose, tune_fusion, tune_threshold, weights,
};

/// Find the best value of a setting on a gold set, and propose it as a migration
#[derive(Debug, Subcommand)]
pub(super) enum TuneCommand {
    Threshold(ThresholdArgs),
    Fusion(FusionArgs),
}

/// At what confidence to keep the small model's answer: score against cost
///
/// Both models answer every case; from that the whole curve is computed. The cheapest threshold is proposed that is as good
/// as always asking the large model, to within the margin.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate tune threshold
  tollgate tune threshold --margin 0.01 --no-write
  tollgate tune threshold --format csv -o curve.csv")]
pub(super) struct ThresholdArgs {
    #[command(flatten)]
    set: SetArgs,
    #[command(flatten)]
    ask: AskArgs,
    /// How much worse than always asking the large model the score may be, in score points
    #[arg(long, value_name = "POINTS", default_value_t = 0.02, value_parser = share)]
    margin: f64,
    /// Parts of the cases that the choice is validated on
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=100))]
    folds: u32,
}

/// How much vectors count beside words when documents are found
///
/// Only searches, and asks no model but the release's embedder for the vectors of the questions. Cases need
/// `expected_docs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate tune fusion
  tollgate tune fusion gold_sets/manual.jsonl --folds 10")]
pub(super) struct FusionArgs {
    #[command(flatten)]
    set: SetArgs,
    /// Parts of the cases that the choice is validated on
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=100))]
    folds: u32,
    #[command(flatten)]
    models: ModelArgs,
}

/// What an experiment is made on; the same for all.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The gold set [default: `eval.gold_set` of tollgate.toml]
    gold_set: Option<PathBuf>,
    /// Only cases that meet all of these: tag:T, tag:A,B (one of them), -tag:T, id:GLOB, -id:GLOB
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    filter: Vec<String>,
    /// Only the first N of the selected cases
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Makes whatever is random repeatable
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(super) seed: u64,
    /// The release to start from: work, live, a migration's number, git:REF
    #[arg(long, value_name = "RELEASE", default_value = "work")]
    release: String,
    /// Only show the proposed migration, and write no file
    #[arg(long)]
    no_write: bool,
}

/// How an experiment asks its questions; the same for all that do.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// Ask each case K times
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: u32,
    /// Cases under way at a time [default: `eval.concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_024))]
    concurrency: Option<u64>,
    /// Begin no further case once this much is spent in all, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    #[command(flatten)]
    models: ModelArgs,
}

/// Reads a share.
pub(super) fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "write a number from 0 to 1".to_owned())
}

/// Formats that an experiment's outcome has.
pub(super) const FORMATS: [Format; 5] = [Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv];

/// An experiment on one release and one gold set.
pub(super) struct Experiment<'a> {
    app: &'a App,
    output: &'a Output,
    args: &'a SetArgs,
    pub(super) set: GoldSet,
    pub(super) pinned: Pinned,
}

impl<'a> Experiment<'a> {
    pub(super) fn open(args: &'a SetArgs, app: &'a App, output: &'a Output) -> Result<Self, Failure> {
        output.accepts(&FORMATS)?;
        let path = args.gold_set.clone().or_else(|| app.config.eval.gold_set.clone());
        let path = path.ok_or_else(super::gold::no_gold_set)?;
        let set = GoldSet::open(&path, super::eval::validate_check)?;
        gold::require_unchanged(&set)?;
        let pinned = app.pinned(&args.release)?;
        Ok(Self { app, output, args, set, pinned })
    }

    /// The release with other settings.
    pub(super) fn vary(&self, name: &str, settings: &[(&str, Value)]) -> Result<Pinned, PromptError> {
        let Pinned { release, library, .. } = &self.pinned;
        let release = release.vary(settings, library)?;
        Ok(Pinned { name: format!("{} with {name}", self.pinned.name), release, library: library.clone() })
    }

    /// A complete run of each release, in order; `max_cost` is for all of them together.
    pub(super) async fn runs(&self, releases: &[&Pinned], ask: &AskArgs) -> Result<Vec<RunRow>, Failure> {
        let mut left = ask.max_cost;
        let mut runs = Vec::with_capacity(releases.len());
        for release in releases {
            let what = Evaluation {
                set: &self.set,
                filters: &self.args.filter,
                limit: self.args.limit,
                repeats: ask.repeats,
                seed: self.args.seed,
                concurrency: ask.concurrency,
                max_cost: left,
                models: &ask.models,
                reuse: true,
            };
            let (run, is_fresh) = evaluate(self.app, self.output, release, &what).await?;
            if is_fresh {
                let spent = self.app.store.run_totals(run.id)?.cost;
                left = left.map(|left| NanoUsd((left.0 - spent.0).max(0)));
            } else {
                self.output.note(&format!("{} has answered the cases of {} already", run.id, release.name));
            }
            runs.push(run);
        }
        // The calls that runs were made of are read again.
        self.app.store.flush().await?;
        Ok(runs)
    }

    /// The proposed migration, written unless that is not wanted. Its gate accepts a loss of `margin`, or of as much as the
    /// project's gates do.
    pub(super) fn propose(
        &self,
        slug: &str,
        description: &str,
        set: &[(&str, Value)],
        margin: Option<f64>,
    ) -> Result<Proposal, Failure> {
        let full = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let (path, root) = (full(&self.set.path), full(&self.app.config.root));
        let within = path.strip_prefix(&root).unwrap_or(&path);
        let gold_set = if within == Path::new("gold_sets").join(&self.set.name).with_extension("jsonl") {
            self.set.name.clone()
        } else {
            within.display().to_string()
        };
        let gate = GateTable {
            gold_set,
            margin: margin.unwrap_or_else(|| self.app.config.gate.metric(GateMetric::Score).margin),
        };
        Ok(propose(&prompts_directory(&self.app.config), slug, description, set, &gate, !self.args.no_write)?)
    }
}

pub(super) async fn run(command: TuneCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    match command {
        TuneCommand::Threshold(args) => output.write(&threshold(&args, app, output).await?)?,
        TuneCommand::Fusion(args) => output.write(&fusion(&args, app, output).await?)?,
    }
    Ok(Code::Pass)
}

async fn threshold(args: &ThresholdArgs, app: &App, output: &Output) -> Result<ThresholdReport, Failure> {
    let experiment = Experiment::open(&args.set, app, output)?;
    let release = &experiment.pinned.release;
    let stages = &release.stages;
    let Some((small, large)) = stages.small.clone().zip(stages.large.clone()) else {
        return Err(Failure::usage(
            "the release has one model, so no threshold decides between two",
            "name both in a migration: `stages.small` and `stages.large`",
        ));
    };
    // The threshold decides nothing where one model answers: set to the same, runs serve releases that differ by it only.
    let only = |name: &str, other: &str| {
        experiment.vary(name, &[(other, json!("")), ("stages.confidence_threshold", json!(0))])
    };
    let (small_only, large_only) =
        (only("the small model alone", "stages.large")?, only("the large model alone", "stages.small")?);
    let runs = experiment.runs(&[&small_only, &large_only], &args.ask).await?;
    let [small_run, large_run] = &runs[..] else {
        return Err(Failure::could_not_run("a run is missing"));
    };
    let pass_score = experiment.set.header.pass_score;
    let cascade = Cascade::read(&app.store, small_run, large_run, pass_score, stages.refuse_below)?;
    let settings = ThresholdSettings {
        present: stages.confidence_threshold,
        margin: args.margin,
        folds: args.folds,
        seed: args.set.seed,
    };
    let measured = Measured {
        gold_set: experiment.set.name.clone(),
        gold_hash: experiment.set.hash.to_string(),
        release: release.number,
        release_hash: release.hash.to_string(),
        small,
        large,
        small_run: small_run.id,
        large_run: large_run.id,
    };
    let mut report = tune_threshold(&cascade, settings, measured);
    if report.advice == Advice::Change
        && let Some(chosen) = report.chosen
    {
        let set = [("stages.confidence_threshold", json!(chosen.threshold))];
        report.proposal =
            Some(experiment.propose("confidence_threshold", &report.description(), &set, Some(args.margin))?);
    }
    Ok(report)
}

/// Where rankings are cut off for nDCG and for recall.
const NDCG_AT: usize = 10;
const RECALL_AT: usize = 5;

async fn fusion(args: &FusionArgs, app: &App, output: &Output) -> Result<FusionReport, Failure> {
    let experiment = Experiment::open(&args.set, app, output)?;
    let release = &experiment.pinned.release;
    if release.retrieval.mode != RetrievalMode::Hybrid {
        return Err(Failure::usage(
            format!("the release retrieves by {}, where no weight counts", release.retrieval.mode.as_str()),
            "set \"retrieval.mode\" = \"hybrid\" in a migration; `tollgate lift retrieval-mode` says whether it pays",
        ));
    }
    let settings = FusionSettings { present: release.retrieval.vector_weight, folds: args.folds, seed: args.set.seed };
    let searcher = Searcher::open(app, release, &args.models, output).await?;
    let filter = Filter::parse(&args.set.filter).map_err(EvalError::from)?;
    let mut ranked = Vec::new();
    let mut selected = 0;
    for case in experiment.set.cases()? {
        let case = case?;
        if !filter.matches(&case) {
            continue;
        }
        if args.set.limit.is_some_and(|limit| selected >= limit) {
            break;
        }
        selected += 1;
        if !case.expected_docs.is_empty() {
            ranked.push(searcher.rank(&case, &weights(settings.present)).await?);
        }
    }
    app.store.flush().await?;
    let report = tune_fusion(&experiment.set.name, ranked, settings)?;
    let mut report = FusionReport {
        gold_hash: experiment.set.hash.to_string(),
        release: release.number,
        release_hash: release.hash.to_string(),
        embedder: release.retrieval.embedder.clone(),
        ..report
    };
    if report.advice == Advice::Change {
        let set = [("retrieval.vector_weight", json!(report.chosen))];
        report.proposal = Some(experiment.propose("vector_weight", &report.description(), &set, None)?);
    }
    Ok(report)
}

/// Finds documents as the pipeline does, at any weight.
struct Searcher<'a> {
    kb: KnowledgeBase,
    embedder: Option<RoutedEmbedder>,
    release: &'a Release,
}

impl<'a> Searcher<'a> {
    async fn open(app: &App, release: &'a Release, models: &ModelArgs, output: &Output) -> Result<Self, Failure> {
        let proxy = app.shared_proxy(models)?;
        let kb = app.embedding(app.knowledge_base()?, release, &proxy, "eval")?;
        progress::sync(&kb, &[], false, output).await?;
        progress::sync_vectors(&kb, output).await?;
        let embedder = release.retrieval.embedder.clone().map(|model| {
            let context = crate::proxy::CallContext { evaluates: true, ..app.embedding_context(release, "eval") };
            RoutedEmbedder::new(Arc::clone(&proxy), model, context)
        });
        Ok(Self { kb, embedder, release })
    }

    /// How well each weight ranks the documents of a case. The question's vector is the same for all of them.
    async fn rank(&self, case: &Case, weights: &[f64]) -> Result<RankedCase, Failure> {
        let vector = match &self.embedder {
            Some(embedder) => self.kb.embed_query(embedder, &case.question).await?,
            None => None,
        };
        let mut ranked = RankedCase {
            cluster: case.cluster().to_owned(),
            weight: case.weight,
            ndcg: Vec::with_capacity(weights.len()),
            recall: Vec::with_capacity(weights.len()),
        };
        for weight in weights {
            let request = SearchRequest {
                query: &case.question,
                scopes: &KnowledgeBase::scopes(TENANT_SHARED),
                mode: SearchMode::Hybrid,
                limit: NDCG_AT,
                candidates: self.release.retrieval.candidates,
                vector_weight: *weight,
                query_vector: vector.as_deref(),
            };
            let found: Vec<Passage> = self.kb.search(&request)?.into_iter().map(|(_, passage)| passage).collect();
            let score = |metric, at| ranking_score(metric, &found, &case.expected_docs, at).unwrap_or_default();
            ranked.ndcg.push(score(RetrievalMetric::Ndcg, NDCG_AT));
            ranked.recall.push(score(RetrievalMetric::Recall, RECALL_AT));
        }
        Ok(ranked)
    }
}

impl From<TuneError> for Failure {
    fn from(error: TuneError) -> Self {
        match error {
            TuneError::Store(store) => store.into(),
            TuneError::Prompt(prompt) => prompt.into(),
            TuneError::Eval(eval) => eval.into(),
            other => {
                let code =
                    if matches!(other, TuneError::NothingExpected { .. }) { Code::Usage } else { Code::CouldNotRun };
                Self { code, hint: other.hint(), message: other.to_string() }
            }
        }
    }
}
