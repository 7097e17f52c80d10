use clap::Args;
use schemars::{Schema, SchemaGenerator};
use serde::Serialize;

use super::failure::{Code, Failure};
use super::output::Output;
use crate::domain::nearest;
use crate::report::{Cell, Column, Document, Render, Table};

/// List or print the JSON Schemas of outputs and files
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate schema
  tollgate schema eval_report > eval_report.schema.json")]
pub(super) struct SchemaArgs {
    /// The schema to print [default: list them]
    name: Option<String>,
}

struct Published {
    name: &'static str,
    about: &'static str,
    schema: fn(&mut SchemaGenerator) -> Schema,
    /// Version, where it is an output: those carry `"schema": "name/vN"`.
    version: Option<u32>,
}

macro_rules! published {
    ($($name:literal $(v $version:literal)?, $kind:ty, $about:literal;)*) => {
        &[$(Published {
            name: $name,
            about: $about,
            schema: |generator| generator.root_schema_for::<$kind>(),
            version: published!(@version $($version)?),
        }),*]
    };
    (@version) => { None };
    (@version $version:literal) => { Some($version) };
}

const PUBLISHED: &[Published] = published![
    "alerts" v 1, super::budget::AlertList, "tollgate budget alerts";
    "answer" v 1, super::ask::AskOutcome, "tollgate ask";
    "baseline" v 1, crate::gate::BlessedBaseline, "tollgate gate bless";
    "budget_problem", crate::cost::BudgetProblem, "what a caller gets whom a budget refuses";
    "budgets" v 1, crate::cost::BudgetReport, "tollgate budget show, set, reset";
    "comparison" v 1, crate::eval::Comparison, "tollgate compare";
    "cost_diff" v 1, crate::cost::CostDiff, "tollgate cost diff";
    "cost_report" v 1, crate::cost::CostReport, "tollgate cost report";
    "doctor" v 1, super::doctor::Diagnosis, "tollgate doctor";
    "drift_report" v 1, crate::cost::DriftReport, "tollgate cost drift";
    "eval_dry_run" v 1, crate::eval::DryRun, "tollgate eval --dry-run";
    "eval_report" v 1, crate::eval::EvalReport, "tollgate eval, runs show";
    "flaky_cases" v 1, crate::gate::NoiseList, "tollgate gate flaky";
    "forecast_report" v 1, crate::cost::ForecastReport, "tollgate cost forecast";
    "fusion_report" v 1, crate::tune::FusionReport, "tollgate tune fusion";
    "gate_aa" v 1, crate::gate::AaReport, "tollgate gate aa";
    "gate_report" v 1, crate::gate::GateReport, "tollgate gate, gate show";
    "gold_check" v 1, super::gold::CheckOutcome, "tollgate gold check";
    "gold_import" v 1, super::gold::ImportOutcome, "tollgate gold import";
    "gold_lock" v 1, super::gold::Locked, "tollgate gold lock";
    "init" v 1, super::init::Scaffolded, "tollgate init";
    "judge_calibration" v 1, crate::eval::judge::CalibrationReport, "tollgate judge calibrate";
    "kb_ingest" v 1, crate::kb::SyncReport, "tollgate kb ingest";
    "kb_removed" v 1, super::kb::Removed, "tollgate kb remove";
    "kb_search" v 1, super::kb::SearchOutcome, "tollgate kb search";
    "kb_status" v 1, super::kb::KbStatus, "tollgate kb status";
    "ledger_check" v 1, crate::cost::LedgerReport, "tollgate ledger verify";
    "lift_report" v 1, crate::tune::LiftReport, "tollgate lift";
    "margin_report" v 1, crate::cost::MarginReport, "tollgate margin";
    "migration_change" v 1, super::migrate::MigrationsChanged, "tollgate migrate up, down";
    "migration_new" v 1, super::migrate::WrittenMigration, "tollgate migrate new";
    "migration_status" v 1, super::migrate::MigrationStatus, "tollgate migrate status";
    "mock_provider" v 1, super::mock_provider::Listening, "tollgate mock-provider";
    "price_check" v 1, super::prices::PriceCheck, "tollgate prices check";
    "price_import" v 1, super::prices::PriceImport, "tollgate prices import";
    "price_list" v 1, super::prices::PriceList, "tollgate prices list";
    "prompt_check" v 1, super::prompts::CheckOutcome, "tollgate prompts check";
    "prompt_diff" v 1, crate::prompts::PromptDiff, "tollgate prompts diff";
    "prompt_list" v 1, super::prompts::PromptList, "tollgate prompts list";
    "prompt_new" v 1, super::prompts::NewPrompt, "tollgate prompts new";
    "prompt_show" v 1, super::prompts::ShownPrompt, "tollgate prompts show";
    "pruned_runs" v 1, super::runs::Pruned, "tollgate runs prune";
    "reprice_report" v 1, crate::cost::RepriceReport, "tollgate reprice";
    "run_list" v 1, crate::eval::RunList, "tollgate runs list";
    "schema_list" v 1, SchemaList, "tollgate schema";
    "threshold_report" v 1, crate::tune::ThresholdReport, "tollgate tune threshold";
    "gold_case", crate::gold::Case, "one line of a gold set";
    "gold_header", crate::gold::Header, "the `gold_set` object of a gold set's first line";
];

pub(super) fn run(args: &SchemaArgs, output: &Output) -> Result<Code, Failure> {
    let Some(name) = &args.name else {
        let schemas =
            PUBLISHED.iter().map(|published| Listed { name: published.name, about: published.about }).collect();
        output.write(&SchemaList { schemas })?;
        return Ok(Code::Pass);
    };
    let published = PUBLISHED.iter().find(|published| published.name == name).ok_or_else(|| {
        let hint = nearest(name, PUBLISHED.iter().map(|published| published.name));
        Failure::usage(
            format!("no schema is called `{name}`"),
            hint.map_or_else(|| "`tollgate schema` lists them".to_owned(), |near| format!("did you mean `{near}`?")),
        )
    })?;
    let mut text = serde_json::to_string_pretty(&published.schema())
        .map_err(|error| Failure::could_not_run(format!("the schema cannot be printed: {error}")))?;
    text.push('\n');
    output.write_raw(text.as_bytes())?;
    Ok(Code::Pass)
}

impl Published {
    /// The schema of what is really written: outputs carry their schema's name and version first.
    fn schema(&self) -> Schema {
        let mut schema = (self.schema)(&mut SchemaGenerator::default());
        if let Some(version) = self.version {
            let tag = serde_json::json!({"const": format!("{}/v{version}", self.name)});
            if let Some(properties) =
                schema.ensure_object().get_mut("properties").and_then(|value| value.as_object_mut())
            {
                properties.insert("schema".to_owned(), tag);
            }
            if let Some(required) = schema.ensure_object().get_mut("required").and_then(|value| value.as_array_mut()) {
                required.insert(0, "schema".into());
            }
        }
        schema
    }
}

/// The published schemas.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct SchemaList {
    schemas: Vec<Listed>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Listed {
    name: &'static str,
    about: &'static str,
}

impl Render for SchemaList {
    fn schema_name(&self) -> &'static str {
        "schema_list"
    }

    fn document(&self) -> Document {
        let table = Table::new("", [Column::text("schema"), Column::text("describes")]);
        let table = self.schemas.iter().fold(table, |table, listed| {
            table.row([Cell::Code(listed.name.to_owned()), Cell::Text(listed.about.to_owned())])
        });
        Document::new("schema").table(table)
    }
}
