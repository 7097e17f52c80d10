use clap::Args;

use super::app::App;
use super::failure::{Code, Failure};
use super::output::Output;
use super::spend_args::SpendArgs;
use crate::cost::{MarginInputs, gather, margin_report, read_customers};

/// Gross margin by plan and tenant, and what would bring it to the target
///
/// (revenue − (cloud + AI inference + support)) ÷ revenue, from `[plans]`, `[tenants]`, `[margin]` and the ledger. Exits 1
/// when it is below `margin.target`, 4 when something that it needs is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate margin
  tollgate margin --last 7d --endpoint ask
  tollgate margin --format html -o margin.html")]
pub(super) struct MarginArgs {
    #[command(flatten)]
    spend: SpendArgs,
}

pub(super) fn run(args: &MarginArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let config = &app.config;
    if config.plans.is_empty() {
        return Err(Failure::usage(
            "there is no plan, so there is no revenue to compare costs with",
            "write a table [plans.NAME] with price_usd_per_month, and [tenants.NAME] with its plan, into tollgate.toml",
        ));
    }
    let filter = args.spend.customers(app)?;
    let tenants = match &config.margin.customers {
        Some(path) => read_customers(path, &config.plans).map_err(|error| {
            let hint = error.hint();
            Failure { code: Code::Usage, message: error.to_string(), hint }
        })?,
        None => config.tenants.clone(),
    };
    let days = filter.until.duration_since(filter.from).as_secs_f64() / 86_400.0;
    let inputs = MarginInputs {
        plans: config.plans.clone(),
        tenants,
        settings: config.margin.clone(),
        usage: gather::tenant_usage(&app.store, &filter)?,
        days,
    };
    let report = margin_report(&inputs);
    let verdict = report.verdict();
    output.write(&report)?;
    Ok(verdict.into())
}
