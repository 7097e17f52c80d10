use std::path::Path;

use clap::Args;

use super::code;
use crate::cli::app::App;
use crate::cli::failure::{Code, Failure};
use crate::cli::output::Output;
use crate::gate::GateReport;

/// Show a decision again, in any format; nothing is asked
///
/// Exits as the gate did: 0, 1 or 4.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate gate show
  tollgate gate show gate.json --format markdown -o gate.md
  tollgate gate show verdict_0193f1c2a4 --format html -o gate.html")]
pub(super) struct ShowArgs {
    /// A verdict's id or the beginning of one, `latest`, or a file that `tollgate gate --format json` has written
    #[arg(value_name = "VERDICT", default_value = "latest")]
    verdict: String,
}

pub(super) fn run(args: &ShowArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let report = read(&args.verdict, app)?;
    output.write(&report)?;
    Ok(code(report.verdict))
}

fn read(wanted: &str, app: &App) -> Result<GateReport, Failure> {
    let hint = "name a verdict of `tollgate migrate status`, `latest`, or a file of `tollgate gate --format json`";
    let is_file = Path::new(wanted).extension().is_some_and(|extension| extension == "json");
    let text = if is_file {
        std::fs::read_to_string(wanted)
            .map_err(|error| Failure::usage(format!("cannot read {wanted}: {error}"), hint))?
    } else {
        let row = app.store.verdict(if wanted == "latest" { "" } else { wanted })?;
        row.ok_or_else(|| Failure::usage(format!("the store has no verdict `{wanted}`"), hint))?.body
    };
    serde_json::from_str(&text).map_err(|error| Failure::usage(format!("{wanted} is no verdict: {error}"), hint))
}
