use clap::Args;

use super::app::App;
use super::failure::{Code, Failure};
use super::output::Output;
use crate::eval;

/// Compare two stored runs over the same gold set, case by case
///
/// It gives no verdict; it shows what moved.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate compare 0193f1c2 latest
  tollgate compare run_0193 run_0194 --format html -o compare.html")]
pub(super) struct CompareArgs {
    /// The run to compare with: an id, the beginning or end of one, or `latest`
    #[arg(value_name = "RUN_A")]
    left: String,
    /// The run to compare
    #[arg(value_name = "RUN_B")]
    right: String,
}

pub(super) fn run(args: &CompareArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let (left, right) = (app.store.find_run(&args.left)?, app.store.find_run(&args.right)?);
    output.write(&eval::compare(&app.store, &left, &right)?)?;
    Ok(Code::Pass)
}
