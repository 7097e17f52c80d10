use clap::Args;

use super::terms::{TermArgs, Terms};
use super::{Buying, sides};
use crate::cli::app::App;
use crate::cli::failure::{Code, Failure};
use crate::cli::model_args::{ModelArgs, parse_dollars};
use crate::cli::output::Output;
use crate::domain::{NanoUsd, rfc3339};
use crate::gate::{Baseline, BlessedBaseline};
use crate::report::replace_file;

/// Accept a state of the assistant as the new baseline, in a file to commit
///
/// Writes reports/baselines/<gold set>-<hash>.json: every case with its answers' scores, latency and cost, and the
/// conditions they were measured under. `tollgate gate --baseline blessed` compares with the one blessed last.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate gate bless --reason \"new prices agreed with finance\"
  tollgate gate bless run_0194 --reason \"release 4 is what we want\"")]
pub(super) struct BlessArgs {
    /// What is accepted: a stored run, or a release to evaluate: live, work, a migration's number, git:REF
    #[arg(value_name = "SIDE", default_value = "work")]
    side: String,
    /// Why it is acceptable; kept in the file
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    terms: TermArgs,
    /// Spend no more than this, in dollars
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    max_cost: Option<NanoUsd>,
    #[command(flatten)]
    models: ModelArgs,
}

pub(super) async fn run(args: &BlessArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    if args.reason.trim().is_empty() {
        return Err(Failure::usage("no reason is given", "say why this state is acceptable: --reason TEXT"));
    }
    let choice = sides::read(app, &args.side, args.terms.gold_set.as_deref())?;
    let terms = Terms::of(app, &choice.migration_gate(app)?, &args.terms, choice.run())?;
    let buying = Buying { fresh: false, max_cost: args.max_cost, models: &args.models };
    let known = sides::evidence(app, output, &choice, &terms, &buying, &mut args.max_cost.clone()).await?;
    let name = known.evidence.conditions.gold_set.clone();
    let replaced =
        Baseline::of_set(&app.config.root, &name).unwrap_or_default().into_iter().next().map(|(path, _)| path);
    let baseline = Baseline::bless(known.evidence, rfc3339(app.clock.now()), args.reason.trim().to_owned());
    let path = baseline.path(&app.config.root);
    let failed = |error: std::io::Error| Failure::could_not_run(format!("cannot write {}: {error}", path.display()));
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    replace_file(&path, |file| std::io::Write::write_all(file, baseline.to_json().as_bytes())).map_err(failed)?;
    let conditions = &baseline.evidence.conditions;
    let shown = |path: &std::path::Path| path.strip_prefix(&app.config.root).unwrap_or(path).display().to_string();
    output.write(&BlessedBaseline {
        path: shown(&path),
        gold_set: name,
        gold_hash: conditions.gold_hash.clone(),
        release: conditions.release,
        release_hash: conditions.release_hash.clone(),
        cases: baseline.evidence.cases.len() as u64,
        score: baseline.evidence.score(),
        reason: baseline.reason.clone(),
        blessed_at: baseline.blessed_at.clone(),
        replaced: replaced.filter(|replaced| *replaced != path).map(|replaced| shown(&replaced)),
    })?;
    Ok(Code::Pass)
}
