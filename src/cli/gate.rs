mod aa;
mod bless;
mod escalate;
mod flaky;
mod show;
mod sides;
mod terms;

use clap::{Args, Subcommand};

use super::app::{App, Pinned};
use super::failure::{Code, Failure};
use super::model_args::{ModelArgs, parse_dollars};
use super::output::Output;
use crate::domain::{NanoUsd, Verdict, VerdictId, rfc3339};
use crate::eval::judge::Calibration;
use crate::eval::{RunDetails, shell_word};
use crate::gate::{self, Comparison, Evidence, GateReport, JudgeStanding, QuarantinedCase};
use crate::prompts::MigrationGate;
use crate::store::{RunRow, VerdictRow};

use sides::Choice;
use terms::{Taken, TermArgs, Terms};

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
    /// When inconclusive, ask cases again, the differing ones most often, until it is settled or --max-cost is spent
    #[arg(long, requires = "max_cost")]
    escalate: bool,
    /// Begin no further question once this much is spent on the whole gate, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    #[command(flatten)]
    models: ModelArgs,
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

async fn compare(args: &CompareArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let gold_set = args.terms.gold_set.as_deref();
    let (baseline, candidate, note) =
        sides::choose(app, args.baseline.as_deref(), args.candidate.as_deref(), gold_set)?;
    if let Some(note) = note {
        output.note(note);
    }
    let are_releases = matches!((&baseline, &candidate), (Choice::Release { .. }, Choice::Release { .. }));
    if args.escalate && !are_releases {
        let hint = "name both sides as releases: live, work, a number, or git:REF";
        return Err(Failure::usage("only releases can be asked again", hint));
    }
    let wanted = candidate.migration_gate(app)?;
    let terms = Terms::of(app, &wanted, &args.terms, candidate.run().or(baseline.run()))?;
    let buying = Buying { fresh: args.fresh, max_cost: args.max_cost, models: &args.models };
    let mut report = weigh(app, output, &baseline, &candidate, &terms, &buying, args.escalate).await?;
    let notes = what_changed(&baseline, &candidate).into_iter().chain(note.map(str::to_owned));
    report.notes.splice(0..0, notes);
    report.next = next_steps(&report, &args.terms, are_releases);
    keep(app, &report).await?;
    output.write(&report)?;
    Ok(code(report.verdict))
}

/// The settings in which two releases differ.
fn what_changed(baseline: &Choice, candidate: &Choice) -> Option<String> {
    let (Choice::Release { pinned: before, .. }, Choice::Release { pinned: after, .. }) = (baseline, candidate) else {
        return None;
    };
    let changes = before.release.changes_to(&after.release);
    Some(match changes.as_slice() {
        [] if before.release.hash == after.release.hash => "what changed: nothing".to_owned(),
        [] => "what changed: the files of prompts".to_owned(),
        changes => format!("what changed: {}", changes.join(", ")),
    })
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

/// Evaluates what has to be evaluated, and decides.
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
    let (baseline_side, candidate_side) = (before.side(), after.side());
    let about = terms.about(&Taken::of(&baseline_side, &candidate_side));
    let comparison = Comparison {
        baseline: baseline_side,
        candidate: candidate_side,
        settings: &terms.settings,
        terms: about,
        seed: terms.seed,
        judge: judge_standing(app, &after.evidence)?,
        quarantined: quarantined(app, &after.evidence.conditions.gold_set)?,
    };
    let mut report = gate::decide(&comparison, id, rfc3339(now))?;
    if escalates && report.verdict == Verdict::Inconclusive {
        let asked = escalate::Asked { app, output, terms, models: buying.models, left };
        escalate::run(&asked, baseline, candidate, &comparison, &mut report).await?;
    }
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

fn next_steps(report: &GateReport, args: &TermArgs, are_releases: bool) -> Vec<String> {
    let (before, after, flags) = (&report.baseline.name, &report.candidate.name, args.flags());
    let mut next = Vec::new();
    match report.verdict {
        Verdict::Pass if are_releases => {
            next.push("tollgate migrate status".to_owned());
            // A verdict on other terms is none that `up` would take.
            if flags.is_empty() {
                next.push(match args.repeats {
                    Some(repeats) => format!("tollgate migrate up --repeats {repeats}"),
                    None => "tollgate migrate up".to_owned(),
                });
            }
        }
        Verdict::Pass => {}
        Verdict::Fail => {
            next.extend(report.fell.first().map(|worst| worst.repro.clone()));
            if let (Some(before), Some(after)) = (report.baseline.run, report.candidate.run) {
                next.push(format!("tollgate compare {before} {after}"));
            }
        }
        Verdict::Inconclusive => {
            let both =
                format!("tollgate gate --baseline {} --candidate {}{flags}", shell_word(before), shell_word(after));
            if report.judge.as_ref().is_some_and(|judge| !judge.trusted) {
                next.push("tollgate judge calibrate LABELS.csv".to_owned());
                return next;
            }
            if let Some(repeats) = report.needed.as_ref().and_then(|needed| needed.repeats) {
                next.push(format!("{both} --repeats {repeats}"));
            }
            let is_open = report.metrics.first().is_some_and(|primary| primary.outcome == Verdict::Inconclusive);
            if report.escalation.is_none() && is_open && are_releases {
                let repeats = args.repeats.map_or_else(String::new, |repeats| format!(" --repeats {repeats}"));
                next.push(format!("{both}{repeats} --escalate --max-cost 1"));
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
    let flags = TermArgs { repeats: args.repeats, ..TermArgs::default() };
    let terms = Terms::of(app, wanted, &flags, None)?;
    // A verdict over other documents than those of now is none: they are brought up to date first.
    app.ready(&candidate, "eval", args.models, output).await?;
    let (before, after) = (&baseline.release.hash, &candidate.release.hash);
    let about = terms.about(&Taken::in_full(&terms, app)?);
    let found = app.store.latest_verdict(before, after, &terms.set.hash, &about)?;
    let quarantined = quarantined(app, &terms.set.name)?;
    // What was let through for a case in quarantine is judged anew when the quarantine is over.
    let still_holds = |row: &VerdictRow| {
        let Ok(report) = serde_json::from_str::<GateReport>(&row.body) else { return false };
        report.quarantined.iter().all(|case| quarantined.iter().any(|now| now.case == case.case))
    };
    if let Some(row) = found.filter(|row| row.verdict == Verdict::Pass && still_holds(row)) {
        return Ok(Cleared { verdict: row.id, outcome: row.verdict, stored: true });
    }
    let buying = Buying { fresh: false, max_cost: args.max_cost, models: args.models };
    let (baseline, candidate) = (Choice::release(baseline), Choice::release(candidate));
    let report = weigh(app, output, &baseline, &candidate, &terms, &buying, false).await?;
    keep(app, &report).await?;
    output.note(&report.headline());
    Ok(Cleared { verdict: report.id, outcome: report.verdict, stored: false })
}
