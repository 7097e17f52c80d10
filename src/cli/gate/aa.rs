use clap::Args;

use super::terms::{TermArgs, Terms};
use super::{Buying, quarantined, sides};
use crate::cli::app::App;
use crate::cli::failure::{Code, Failure};
use crate::cli::model_args::{ModelArgs, parse_dollars};
use crate::cli::output::Output;
use crate::domain::NanoUsd;
use crate::gate::{self, AaReport};
use crate::stats::wilson_interval;

/// Repeats of each case when nobody says otherwise: five on each side of a simulated gate.
const REPEATS: u32 = 10;

/// Compare a release with itself: how often would the gate fail a change that changes nothing?
///
/// Each case is asked several times, ten unless --repeats says otherwise; the repeats are split at random into two halves, the gate decides between them, and
/// so on. Also shows the noise of every case.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate gate aa
  tollgate gate aa --repeats 20 --rounds 1000")]
pub(super) struct AaArgs {
    /// The release: live, work, a migration's number, git:REF, or a stored run with repeats
    #[arg(long, value_name = "SIDE", default_value = "work")]
    release: String,
    /// Gates to simulate
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    rounds: u64,
    #[command(flatten)]
    terms: TermArgs,
    /// Ask anew, also where a stored run would do
    #[arg(long)]
    fresh: bool,
    /// Spend no more than this, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    #[command(flatten)]
    models: ModelArgs,
}

pub(super) async fn run(args: &AaArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let choice = sides::read(app, &args.release, args.terms.gold_set.as_deref())?;
    let mut terms = Terms::of(app, &choice.migration_gate(app)?, &args.terms, choice.run())?;
    if args.terms.repeats.is_none() {
        terms.settings.repeats = terms.settings.repeats.max(REPEATS);
    }
    if matches!(choice, sides::Choice::Release { .. }) && terms.settings.repeats < 2 {
        return Err(Failure::usage(
            "a case that is asked once shows no noise",
            "ask each at least twice: --repeats 10",
        ));
    }
    let buying = Buying { fresh: args.fresh, max_cost: args.max_cost, models: &args.models };
    let known = sides::evidence(app, output, &choice, &terms, &buying, &mut args.max_cost.clone()).await?;
    let evidence = &known.evidence;
    let quarantined = quarantined(app, &evidence.conditions.gold_set)?;
    let simulation =
        gate::simulate(evidence, &terms.settings, &quarantined, args.rounds, terms.seed).ok_or_else(|| {
            Failure::usage("the cases were asked only once", "ask them more often: --repeats 10, or name another run")
        })?;
    let noise = gate::case_noise(evidence, &quarantined);
    let conditions = &evidence.conditions;
    let report = AaReport {
        gold_set: conditions.gold_set.clone(),
        release: conditions.release,
        release_hash: conditions.release_hash.clone(),
        run: conditions.run,
        repeats: conditions.repeats,
        rounds: simulation.rounds,
        cases: evidence.cases.len() as u64,
        false_fails: simulation.false_fails,
        false_fail_rate: Some(simulation.false_fails as f64 / simulation.rounds as f64),
        interval: wilson_interval(simulation.false_fails, simulation.rounds, 0.95),
        inconclusive: simulation.inconclusive,
        passes: simulation.passes,
        score_sd: simulation.score_sd,
        deterministic: noise.iter().all(|case| case.sd <= 0.0),
        noise,
        seed: terms.seed,
        notes: Vec::new(),
    };
    output.write(&report)?;
    Ok(Code::Pass)
}
