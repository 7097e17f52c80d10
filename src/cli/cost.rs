use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::app::App;
use super::failure::{Code, Failure};
use super::model_args::parse_dollars;
use super::output::Output;
use super::spend_args::{SpendArgs, WhoArgs, before, just_after, midnight, parse_date};
use crate::cost::alerts::{self, Drifted, Occasion};
use crate::cost::{
    DriftReport, ExportFacts, ExportFormat, Exporter, ForecastReport, ReportBuilder, cost_diff, curves, drift,
    forecast, gather,
};
use crate::domain::{NanoUsd, Period, Scope, ScopeKind, Verdict, Window};
use crate::report::Format;
use crate::store::{RunStatus, SpendFilter, StoreError};

/// What answers cost, and where the money goes
#[derive(Debug, Subcommand)]
pub(super) enum CostCommand {
    Report(ReportArgs),
    Drift(DriftArgs),
    Forecast(ForecastArgs),
    Export(ExportArgs),
    Diff(DiffArgs),
}

/// Cost per resolved ticket, by model and tenant, and where tokens go
///
/// All calls of a ticket are charged to its one outcome; what unresolved tickets cost is carried by the resolved ones.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate cost report
  tollgate cost report --last 7d --endpoint ask
  tollgate cost report --from 2026-11-01 --until 2026-12-01 --format csv")]
pub(super) struct ReportArgs {
    #[command(flatten)]
    spend: SpendArgs,
}

/// Compare the last seven days with the seven before, and name the cause of a rise
///
/// Exits 1 when cost per request or the spend of a tenant or model rose by more than the threshold. Each rise is an alert,
/// told once a week.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate cost drift
  tollgate cost drift --endpoint ask --threshold 10
  tollgate cost drift --until 2026-11-23 --format junit -o drift.xml")]
pub(super) struct DriftArgs {
    /// The rise in percent above which it is an alert [default: `cost.drift_percent`]
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent)]
    threshold: Option<f64>,
    /// The two weeks before this day (UTC) [default: up to now]
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    until: Option<Date>,
    #[command(flatten)]
    who: WhoArgs,
}

/// What the month will have cost, and what a higher cache hit rate would save
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate cost forecast
  tollgate cost forecast --cap 500
  tollgate cost forecast --small-share 0.8 --format html -o forecast.html")]
pub(super) struct ForecastArgs {
    /// The budget to forecast against, in dollars [default: the month's cap of the whole project, or of --tenant]
    #[arg(long, value_name = "USD", value_parser = parse_dollars)]
    cap: Option<NanoUsd>,
    /// How sure the interval is to hold the month's end, 0..1
    #[arg(long, value_name = "SHARE", default_value_t = 0.9, value_parser = parse_open_share)]
    confidence: f64,
    /// Draw the curves for this share of tickets that the small model answers alone [default: as observed]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    small_share: Option<f64>,
    #[command(flatten)]
    who: WhoArgs,
}

/// Write every booked call: as CSV (the default), JSON, or FOCUS 1.2 for FinOps tools
///
/// The sum of the rows equals the ledger's to the nano-dollar.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate cost export --from 2026-11-01 --until 2026-12-01 -o november.csv
  tollgate cost export --focus -o focus.csv
  tollgate cost export --last 24h --format json")]
pub(super) struct ExportArgs {
    /// Columns of the FinOps Open Cost and Usage Specification 1.2
    #[arg(long)]
    focus: bool,
    /// Also what was released: calls that were never made, or failed without a bill
    #[arg(long)]
    voided: bool,
    #[command(flatten)]
    spend: SpendArgs,
}

/// What a change does to the cost of a resolved ticket: two stored runs over the same gold set
///
/// Exits 1 when the candidate costs more than the limit allows, 4 when a cost is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate cost diff --baseline run_0193f1 --candidate latest
  tollgate cost diff --baseline 0193f1 --candidate latest --max-increase 10 --format markdown -o comment.md")]
pub(super) struct DiffArgs {
    /// The run to compare with: an id, the beginning or end of one, or `latest`
    #[arg(long, value_name = "RUN")]
    baseline: String,
    /// The run of the change
    #[arg(long, value_name = "RUN")]
    candidate: String,
    /// Fail when a resolved ticket costs this many percent more
    #[arg(long, value_name = "PERCENT", value_parser = parse_percent_or_zero)]
    max_increase: Option<f64>,
}

/// A week.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Days that a forecast looks back.
const DAYS_BACK: i64 = 28;

fn parse_percent_or_zero(text: &str) -> Result<f64, String> {
    let percent = text.trim().trim_end_matches('%').parse().ok();
    percent
        .filter(|percent| (0.0..=1_000.0).contains(percent))
        .map(|percent: f64| percent / 100.0)
        .ok_or_else(|| "write percent, such as 15".to_owned())
}

fn parse_percent(text: &str) -> Result<f64, String> {
    parse_percent_or_zero(text)
        .and_then(|share| if share > 0.0 { Ok(share) } else { Err("write more than 0".to_owned()) })
}

fn parse_share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "write a share from 0 to 1".to_owned())
}

fn parse_open_share(text: &str) -> Result<f64, String> {
    parse_share(text).and_then(|share| match share {
        0.0 | 1.0 => Err("write a share between 0 and 1".to_owned()),
        share => Ok(share),
    })
}

pub(super) async fn run(command: CostCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    match command {
        CostCommand::Report(args) => report(&args, app, output),
        CostCommand::Drift(args) => drifted(&args, app, output).await,
        CostCommand::Forecast(args) => forecasted(&args, app, output),
        CostCommand::Export(args) => export(&args, app, output),
        CostCommand::Diff(args) => diff(&args, app, output),
    }
}

fn report(args: &ReportArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    let filter = args.spend.filter(app)?;
    let mut report = ReportBuilder::new(filter.clone(), app.config.cost.resolved_score);
    app.store.for_each_charge(&filter, |charge| {
        report.add_charge(&charge);
        Ok::<_, StoreError>(())
    })?;
    app.store.for_each_ticket(&filter, |ticket| {
        report.add_ticket(&ticket);
        Ok::<_, StoreError>(())
    })?;
    output.write(&report.finish())?;
    Ok(Code::Pass)
}

async fn drifted(args: &DriftArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let until = args.until.map_or(Ok(just_after(app.clock.now())), midnight)?;
    let (middle, start) = (before(until, WEEK)?, before(until, WEEK + WEEK)?);
    let (last, now) = (args.who.customers(start, middle), args.who.customers(middle, until));
    let threshold = args.threshold.unwrap_or(app.config.cost.drift);
    let report = drift(&gather::week(&app.store, &last)?, &gather::week(&app.store, &now)?, threshold);
    // Another threshold, or a part only, is a question and no alarm.
    if args.threshold.is_none() && args.who.endpoint.is_none() {
        tell(&report, args, app, until).await?;
    }
    output.write(&report)?;
    Ok(if report.has_alerts() { Code::Failed } else { Code::Pass })
}

/// Keeps the alerts of a drift report: each is told once in a calendar week.
async fn tell(report: &DriftReport, args: &DriftArgs, app: &App, until: Timestamp) -> Result<(), Failure> {
    let allowed = app.config.cost.drift;
    let last_day = until.to_zoned_datetime(TimeZone::UTC).date();
    let monday = last_day - i64::from(last_day.weekday().to_monday_zero_offset()).days();
    let period = Window { starts: midnight(monday)?, ends: until };
    let alerts = report.alerts.iter().map(|found| {
        let scope = found.scope.clone().unwrap_or_else(|| whole(&args.who));
        let cause = found.cause.as_ref().map(|cause| cause.factor.label());
        let drifted = Drifted {
            measure: found.metric.as_str(),
            label: found.metric.label(),
            before: found.before_nanousd,
            after: found.now_nanousd,
            change: Some(found.change),
            allowed,
            cause,
        };
        alerts::drift(&Occasion { scope: &scope, period, now: app.clock.now() }, &drifted)
    });
    let alerts: Vec<_> = alerts.map(|alert| app.rules.stored(&alert)).collect();
    if !alerts.is_empty() {
        app.store.add_alerts(alerts).await?;
    }
    Ok(())
}

/// What all that is looked at belongs to.
fn whole(who: &WhoArgs) -> Scope {
    who.tenant.as_ref().map_or(Scope::TOTAL, |tenant| Scope::new(ScopeKind::Tenant, tenant.as_str()))
}

fn forecasted(args: &ForecastArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    let now = app.clock.now();
    let zoned = now.to_zoned_datetime(TimeZone::UTC);
    let today = zoned.date();
    let month = Period::Month.window(now, &TimeZone::UTC);
    let back = midnight(today - DAYS_BACK.days())?.min(month.starts);
    let days = gather::daily(&app.store, &args.who.filter(back, just_after(now)))?;
    let spent = days.iter().filter(|(day, _)| **day >= today.first_of_month()).map(|(_, spent)| *spent).sum();
    let daily: Vec<(Date, NanoUsd)> = days.into_iter().filter(|(day, _)| *day < today).collect();
    let gone = now.duration_since(midnight(today)?).as_secs_f64() / 86_400.0;
    let scope = whole(&args.who);
    let limits = app.rules.limits_of(&scope, now, &app.store.budget_overrides()?);
    let month_cap = limits.into_iter().find(|limit| limit.period == Period::Month).and_then(|limit| limit.cap);
    let forecast = forecast(&daily, spent, today, gone, args.confidence).with_cap(args.cap.or(month_cap));
    let inputs = gather::curve_inputs(
        &app.store,
        &args.who.customers(before(now, SignedDuration::from_hours(30 * 24))?, just_after(now)),
    )?;
    let curves = (inputs.tickets > 0).then(|| curves(&inputs, args.small_share));
    output.write(&ForecastReport { forecast, curves })?;
    Ok(Code::Pass)
}

fn export(args: &ExportArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let format = match (args.focus, output.format()) {
        (true, Format::Human | Format::Csv) => ExportFormat::Focus,
        (false, Format::Human | Format::Csv) => ExportFormat::Csv,
        (false, Format::Json) => ExportFormat::Json,
        (true, _) => return Err(Failure::usage("FOCUS is written as CSV", "leave --format out")),
        _ => return Err(Failure::usage("an export is CSV or JSON", "give --format csv or --format json")),
    };
    let filter = args.spend.filter(app)?;
    let vendors = app.config.providers.iter();
    let vendors: BTreeMap<String, String> =
        vendors.filter_map(|(name, provider)| Some((name.clone(), provider.vendor.clone()?))).collect();
    let SpendFilter { from, until, .. } = filter;
    let facts = ExportFacts { project: app.config.name.clone(), from, until, vendors, voided: args.voided };
    let summary = output.stream(|out| {
        let mut exporter = Exporter::new(out, format, facts)?;
        app.store.for_each_charge(&filter, |charge| exporter.charge(&charge).map_err(Failure::from))?;
        Ok(exporter.finish()?)
    })?;
    output.note(&format!("{} calls, {} in all", summary.rows, summary.sum));
    if summary.open > 0 {
        output
            .note(&format!("{} calls are under way and not in it; they hold {}", summary.open, summary.open_reserved));
    }
    Ok(Code::Pass)
}

fn diff(args: &DiffArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    let resolved = app.config.cost.resolved_score;
    let run = |wanted: &str| -> Result<_, Failure> {
        let run = app.store.find_run(wanted)?;
        if run.status == RunStatus::Complete {
            return Ok(run);
        }
        let (id, status) = (run.id, run.status.as_str());
        let hint = format!("continue it with `tollgate eval --resume {id}`");
        Err(Failure::usage(format!("{id} is not complete but {status}, so what it cost says nothing"), hint))
    };
    let (baseline, candidate) = (run(&args.baseline)?, run(&args.candidate)?);
    if baseline.planned != candidate.planned {
        return Err(Failure::usage(
            format!("the runs ask different questions: {} and {} of them", baseline.planned, candidate.planned),
            "evaluate both releases with the same --filter, --limit and --repeats",
        ));
    }
    let side = |run| gather::diff_side(&app.store, run, resolved);
    let diff = cost_diff(side(&baseline)?, side(&candidate)?, args.max_increase)
        .map_err(|error| Failure::usage(error.to_string(), error.hint()))?;
    let verdict = diff.verdict();
    output.write(&diff)?;
    Ok(verdict.into())
}

impl From<Verdict> for Code {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Fail => Self::Failed,
            Verdict::Inconclusive => Self::Inconclusive,
        }
    }
}
