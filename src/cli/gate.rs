mod aa;
mod bless;
mod escalate;
mod flaky;
mod show;
mod sides;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::app::{App, Pinned};
use super::eval::validate_check;
use super::failure::{Code, Failure};
use super::model_args::{ModelArgs, parse_dollars};
use super::output::Output;
use crate::config::{GateMetric, GatePolicy, GateSettings};
use crate::domain::{ContentHash, Hasher, NanoUsd, Verdict, VerdictId, rfc3339};
use crate::eval::RunDetails;
use crate::eval::judge::Calibration;
use crate::gate::{self, Comparison, Conditions, Evidence, GateReport, JudgeStanding, QuarantinedCase, Side};
use crate::gold::{self, GoldSet};
use crate::prompts::MigrationGate;
use crate::store::{RunRow, VerdictRow};

use sides::Choice;

/// Compare a candidate with a baseline and give a verdict: pass, fail or inconclusive
///
/// Without arguments: the working tree's release against that of origin/main where the two differ, otherwise the latest
/// migration against the one before. Exits 0, 1 or 4 by the verdict, 2 when the two cannot be compared, 3 when one could
/// not be evaluated.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  tollgate gate
  tollgate gate --baseline live --repeats 5
  tollgate gate --baseline git:origin/main --format markdown -o gate.md
  tollgate gate --baseline blessed --policy strict
  tollgate gate --baseline run_0193 --candidate run_0194
  tollgate gate --escalate --max-cost 2.50"
)]
pub(super) struct GateArgs {
    #[command(subcommand)]
    command: Option<GateCommand>,
    #[command(flatten)]
    compare: CompareArgs,
}

#[derive(Debug, Subcommand)]
enum GateCommand {
    Aa(aa::AaArgs),
    Bless(bless::BlessArgs),
    Show(show::ShowArgs),
    #[command(subcommand)]
    Flaky(flaky::FlakyCommand),
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// What to compare with: live, work, a migration's number, git:REF, a run, a baseline file, or `blessed` for the
    /// baseline blessed last
    #[arg(long, value_name = "SIDE")]
    baseline: Option<String>,
    /// What is to be let through, named in the same ways [default: work]
    #[arg(long, value_name = "SIDE")]
    candidate: Option<String>,
    #[command(flatten)]
    terms: TermArgs,
    /// Ask anew, also where a stored run of the same release under the same conditions would do
    #[arg(long)]
    fresh: bool,
    /// When inconclusive, ask the differing cases again until it is settled or --max-cost is spent
    #[arg(long, requires = "max_cost")]
    escalate: bool,
    /// Spend no more than this, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    #[command(flatten)]
    models: ModelArgs,
}

/// What a verdict depends on besides its two sides.
#[derive(Debug, Args)]
pub(super) struct TermArgs {
    /// The gold set [default: that of the migration's [gate], or `eval.gold_set`]
    #[arg(long, value_name = "FILE")]
    gold_set: Option<PathBuf>,
    /// Where margins and tiers start from: standard or strict [default: `gate.policy`]
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    policy: Option<String>,
    /// How far the score may fall, in points of 0 to 1 [default: `gate.margin`]
    #[arg(long, value_name = "POINTS", value_parser = super::eval::parse_score)]
    margin: Option<f64>,
    /// Leave a metric out: score, pass_rate, refusal, groundedness, cost_per_success, retrieve_p95, ticket_p95,
    /// generate_p95, slices
    #[arg(long, value_name = "METRIC", value_parser = parse_metric)]
    skip: Vec<GateMetric>,
    /// Ask each case K times on each side [default: `gate.repeats`]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeats: Option<u32>,
    /// Only cases that meet all of these, as in `tollgate eval`
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    filter: Vec<String>,
    /// Only the first N of the selected cases
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Cases under way at a time [default: `eval.concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_024))]
    concurrency: Option<u64>,
    /// Makes whatever is random repeatable
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
}

fn policies() -> clap::builder::PossibleValuesParser {
    GatePolicy::CHOICES.iter().map(|(name, _)| *name).collect::<Vec<_>>().into()
}

fn parse_metric(text: &str) -> Result<GateMetric, String> {
    GateMetric::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or_else(|| {
        let known = GateMetric::ALL.map(GateMetric::as_str);
        match crate::domain::nearest(text, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name one of {}", known.join(", ")),
        }
    })
}

pub(super) async fn run(args: GateArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    match args.command {
        None => compare(&args.compare, app, output).await,
        Some(GateCommand::Aa(args)) => aa::run(&args, app, output).await,
        Some(GateCommand::Bless(args)) => bless::run(&args, app, output).await,
        Some(GateCommand::Show(args)) => show::run(&args, app, output),
        Some(GateCommand::Flaky(command)) => flaky::run(command, app, output).await,
    }
}

/// What a candidate has to clear, and on which cases: settled before anything is asked.
pub(super) struct Terms {
    pub(super) set: GoldSet,
    pub(super) settings: GateSettings,
    pub(super) filters: Vec<String>,
    pub(super) limit: Option<usize>,
    pub(super) concurrency: Option<u64>,
    pub(super) seed: u64,
    hash: ContentHash,
}

impl Terms {
    /// The project's settings, overridden by the migration's own, overridden by flags.
    pub(super) fn of(app: &App, wanted: &MigrationGate, args: &TermArgs) -> Result<Self, Failure> {
        let named = args.policy.as_deref();
        let flag = GatePolicy::CHOICES.iter().find(|(name, _)| Some(*name) == named).map(|(_, policy)| *policy);
        let mut settings = match flag.or(wanted.policy) {
            Some(policy) if policy != app.config.gate.policy => app.config.gate.under(policy),
            _ => app.config.gate.clone(),
        };
        if let Some(margin) = args.margin.or(wanted.margin) {
            settings.set_margin(margin);
        }
        if let Some(repeats) = args.repeats.or(wanted.repeats) {
            settings.repeats = repeats;
        }
        for metric in &args.skip {
            settings.skip(*metric);
        }
        let set = open_set(app, args.gold_set.as_deref(), wanted.gold_set.as_deref())?;
        let mut hasher = Hasher::default();
        hasher.field(serde_json::to_string(&settings).unwrap_or_default());
        hasher.field(args.seed.to_le_bytes());
        hasher.field(app.prices_hash()?.as_str()).field(format!("{:?}", app.config.judge));
        Ok(Self {
            set,
            settings,
            filters: args.filter.clone(),
            limit: args.limit,
            concurrency: args.concurrency,
            seed: args.seed,
            hash: hasher.finish(),
        })
    }

    /// Hash of all that a verdict depends on besides the releases and the gold set, when the sides were measured like this:
    /// a stored run or a baseline may have asked other cases than these terms would, or less often.
    fn about(&self, taken: &Taken<'_>) -> ContentHash {
        let Taken { filters, limit, use_cache, replayed, repeats, seeds } = taken;
        let mut hasher = Hasher::default();
        hasher.field(self.hash.as_str()).field(filters.join("\n")).field(format!("{limit:?}"));
        hasher.field([u8::from(*use_cache), u8::from(*replayed)]);
        hasher.field(repeats.min(&self.settings.repeats).to_le_bytes());
        for seed in seeds {
            hasher.field(seed.to_le_bytes());
        }
        hasher.finish()
    }
}

/// What the answers behind a verdict were taken under.
struct Taken<'a> {
    filters: &'a [String],
    limit: Option<usize>,
    use_cache: bool,
    replayed: bool,
    /// On the side that has fewer.
    repeats: u32,
    seeds: [u64; 2],
}

impl<'a> Taken<'a> {
    fn of(before: &Conditions, after: &'a Conditions) -> Self {
        Self {
            filters: &after.filters,
            limit: after.limit,
            use_cache: after.use_cache,
            replayed: before.replayed || after.replayed,
            repeats: before.repeats.min(after.repeats),
            seeds: [before.seed, after.seed],
        }
    }

    /// What `migrate up` asks for: every case, as often as the settings say.
    fn in_full(terms: &Terms) -> Self {
        let repeats = terms.settings.repeats;
        Self { filters: &[], limit: None, use_cache: false, replayed: false, repeats, seeds: [terms.seed; 2] }
    }
}

/// The gold set that a flag, a migration or the project names, unchanged since it was frozen.
fn open_set(app: &App, flag: Option<&std::path::Path>, wanted: Option<&str>) -> Result<GoldSet, Failure> {
    let named = |name: &str| {
        let is_path = name.contains('/') || std::path::Path::new(name).extension().is_some();
        let path = if is_path { name.to_owned() } else { format!("gold_sets/{name}.jsonl") };
        app.config.root.join(path)
    };
    let path = flag.map(std::path::Path::to_owned).or_else(|| wanted.map(named));
    let path = path.or_else(|| app.config.eval.gold_set.clone()).ok_or_else(super::gold::no_gold_set)?;
    let set = GoldSet::open(&path, validate_check)?;
    gold::require_unchanged(&set)?;
    Ok(set)
}

async fn compare(args: &CompareArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let (baseline, candidate) = sides::choose(app, args.baseline.as_deref(), args.candidate.as_deref(), output)?;
    let wanted = candidate.migration_gate(app)?;
    let terms = Terms::of(app, &wanted, &args.terms)?;
    let buying = Buying { fresh: args.fresh, max_cost: args.max_cost, models: &args.models };
    let report = weigh(app, output, &baseline, &candidate, &terms, &buying, args.escalate).await?;
    output.write(&report)?;
    Ok(code(report.verdict))
}

/// How evidence may be bought.
pub(super) struct Buying<'a> {
    /// Whether stored runs are passed over.
    pub(super) fresh: bool,
    /// The most that all of it may cost.
    pub(super) max_cost: Option<NanoUsd>,
    /// How models are called.
    pub(super) models: &'a ModelArgs,
}

/// A failed gate is an outcome.
fn code(verdict: Verdict) -> Code {
    match verdict {
        Verdict::Pass => Code::Pass,
        Verdict::Fail => Code::Failed,
        Verdict::Inconclusive => Code::Inconclusive,
    }
}

/// Evaluates what has to be evaluated, decides, and keeps the decision.
async fn weigh(
    app: &App,
    output: &Output,
    baseline: &Choice,
    candidate: &Choice,
    terms: &Terms,
    buying: &Buying<'_>,
    escalates: bool,
) -> Result<GateReport, Failure> {
    sides::require_comparable(baseline, candidate, terms)?;
    let mut left = buying.max_cost;
    let before = sides::evidence(app, output, baseline, terms, buying, &mut left).await?;
    let after = sides::evidence(app, output, candidate, terms, buying, &mut left).await?;
    let (now, id) = (app.clock.now(), app.ids.next::<VerdictId>(&*app.clock));
    let comparison = Comparison {
        baseline: Side { name: &before.name, evidence: &before.evidence, fresh: before.fresh, stored: before.stored },
        candidate: Side { name: &after.name, evidence: &after.evidence, fresh: after.fresh, stored: after.stored },
        settings: &terms.settings,
        terms: terms.about(&Taken::of(&before.evidence.conditions, &after.evidence.conditions)),
        seed: terms.seed,
        judge: judge_standing(app, &after.evidence)?,
        quarantined: quarantined(app, &after.evidence.conditions.gold_set)?,
    };
    let mut report = gate::decide(&comparison, id, rfc3339(now))?;
    if escalates && report.verdict == Verdict::Inconclusive {
        let asked = escalate::Asked { app, output, terms, models: buying.models, left };
        escalate::run(&asked, baseline, candidate, &comparison, &mut report).await?;
    }
    report.next = next_steps(&report, baseline, candidate);
    keep(app, &report).await?;
    Ok(report)
}

/// Keeps a decision, so that `migrate` finds it.
async fn keep(app: &App, report: &GateReport) -> Result<(), Failure> {
    let body = serde_json::to_string(report)
        .map_err(|error| Failure::could_not_run(format!("the verdict cannot be stored: {error}")))?;
    let row = VerdictRow {
        id: report.id,
        at_ms: app.clock.now().as_millisecond(),
        verdict: report.verdict,
        baseline: report.baseline.release_hash.clone(),
        candidate: report.candidate.release_hash.clone(),
        gold: report.gold_hash.clone(),
        terms: report.terms.clone(),
        body,
    };
    Ok(app.store.record_verdict(row).await?)
}

/// Tells the registry of flaky cases which cases' repeats agreed in a complete run.
pub(super) async fn note_noise(app: &App, run: &RunRow) -> Result<(), Failure> {
    if RunDetails::of(run)?.repeats < 2 {
        return Ok(());
    }
    let at_ms = app.clock.now().as_millisecond();
    Ok(app.store.note_noise(run.gold_set.clone(), at_ms, gate::flips(&app.store, run)?).await?)
}

/// Cases of the set that are in quarantine now.
fn quarantined(app: &App, gold_set: &str) -> Result<Vec<QuarantinedCase>, Failure> {
    let now = app.clock.now();
    let mut found = Vec::new();
    for row in app.store.noise(gold_set)? {
        let until = row.quarantined_until_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        if let Some(until) = until.filter(|until| *until > now) {
            found.push(QuarantinedCase {
                case: row.case_id,
                until: rfc3339(until),
                reason: row.reason.unwrap_or_default(),
                flipped_runs: row.flipped_runs,
                runs: row.runs,
            });
        }
    }
    Ok(found)
}

/// Whether the judge may decide, where a model judges.
fn judge_standing(app: &App, evidence: &Evidence) -> Result<Option<JudgeStanding>, Failure> {
    let Some(judge) = &evidence.conditions.judge else { return Ok(None) };
    let (calibration, min_kappa) = (Calibration::latest(&app.store, judge)?, app.config.judge.min_kappa);
    let known = calibration.as_ref();
    Ok(Some(JudgeStanding {
        judge: judge.clone(),
        model: known.map_or_else(|| app.config.judge.model.clone().unwrap_or_default(), |known| known.model.clone()),
        kappa: known.and_then(|known| known.kappa),
        interval: known.and_then(|known| known.interval),
        labels: known.map_or(0, |known| known.labels),
        min_kappa,
        trusted: known.is_some_and(|known| known.verdict(min_kappa) == Verdict::Pass),
    }))
}

fn next_steps(report: &GateReport, baseline: &Choice, candidate: &Choice) -> Vec<String> {
    let mut next = Vec::new();
    match report.verdict {
        Verdict::Pass if matches!(candidate, Choice::Release { .. }) => {
            next.push("tollgate migrate status".to_owned());
            next.push("tollgate migrate up".to_owned());
        }
        Verdict::Pass => {}
        Verdict::Fail => {
            next.extend(report.fell.first().map(|worst| worst.repro.clone()));
            if let (Some(before), Some(after)) = (report.baseline.run, report.candidate.run) {
                next.push(format!("tollgate compare {before} {after}"));
            }
        }
        Verdict::Inconclusive => {
            let both = format!("tollgate gate --baseline {} --candidate {}", baseline.name(), candidate.name());
            if let Some(repeats) = report.needed.as_ref().and_then(|needed| needed.repeats) {
                next.push(format!("{both} --repeats {repeats}"));
            }
            if report.escalation.is_none() && report.metrics.first().is_some_and(|m| m.outcome == Verdict::Inconclusive)
            {
                next.push(format!("{both} --escalate --max-cost 1"));
            }
        }
    }
    next
}

/// How `migrate up` buys a verdict.
pub(super) struct ClearArgs<'a> {
    pub(super) repeats: Option<u32>,
    pub(super) max_cost: Option<NanoUsd>,
    pub(super) models: &'a ModelArgs,
}

/// What the gate of a migration came to.
pub(super) struct Cleared {
    pub(super) verdict: VerdictId,
    pub(super) outcome: Verdict,
    /// Whether it was decided before.
    pub(super) stored: bool,
}

/// The verdict about exactly this pair of releases on the gold set of the migration: a stored pass, or the gate's own now.
pub(super) async fn clear(
    app: &App,
    output: &Output,
    baseline: Pinned,
    candidate: Pinned,
    wanted: &MigrationGate,
    args: &ClearArgs<'_>,
) -> Result<Cleared, Failure> {
    let flags = TermArgs {
        gold_set: None,
        policy: None,
        margin: None,
        skip: Vec::new(),
        repeats: args.repeats,
        filter: Vec::new(),
        limit: None,
        concurrency: None,
        seed: 0,
    };
    let terms = Terms::of(app, wanted, &flags)?;
    let (before, after) = (&baseline.release.hash, &candidate.release.hash);
    let about = terms.about(&Taken::in_full(&terms));
    let found = app.store.latest_verdict(before, after, &terms.set.hash, &about)?;
    let quarantined = quarantined(app, &terms.set.name)?;
    // What was let through for a case in quarantine is judged anew when the quarantine is over.
    let still_holds = |row: &VerdictRow| {
        let report: Option<GateReport> = serde_json::from_str(&row.body).ok();
        let cases = report.map(|report| report.quarantined).unwrap_or_default();
        cases.iter().all(|case| quarantined.iter().any(|now| now.case == case.case))
    };
    if let Some(row) = found.filter(|row| row.verdict == Verdict::Pass && still_holds(row)) {
        return Ok(Cleared { verdict: row.id, outcome: row.verdict, stored: true });
    }
    let buying = Buying { fresh: false, max_cost: args.max_cost, models: args.models };
    let (baseline, candidate) = (Choice::release(baseline), Choice::release(candidate));
    let report = weigh(app, output, &baseline, &candidate, &terms, &buying, false).await?;
    output.note(&report.headline());
    Ok(Cleared { verdict: report.id, outcome: report.verdict, stored: false })
}
