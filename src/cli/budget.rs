use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::app::App;
use super::failure::{Code, Failure};
use super::output::Output;
use crate::cost::{Alert, budget_report};
use crate::domain::{NanoUsd, Period, Scope, ScopeKind};
use crate::report::{Cell, Column, Document, Format, Records, Render, Status, Table};
use crate::store::{Booked, BudgetOverride, SpendRules};

/// What may be spent, and what is spent of it
#[derive(Debug, Subcommand)]
pub(super) enum BudgetCommand {
    Show(ShowArgs),
    Set(SetArgs),
    Reset(ResetArgs),
    Alerts(AlertsArgs),
}

/// Show every budget with what is spent and reserved
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate budget show
  tollgate budget show tenant:acme --format json")]
pub(super) struct ShowArgs {
    /// Only this one: total, tenant:NAME, endpoint:NAME, model:PROVIDER/MODEL, provider:NAME or task:NAME
    #[arg(value_name = "SCOPE")]
    scope: Option<Scope>,
}

/// Set caps by hand, in place of those in tollgate.toml
///
/// They hold at once, in every process that uses the store, until `budget reset`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("caps").required(true).multiple(true), after_help = "Examples:
  tollgate budget set tenant:acme --month 80 --reason \"upgraded to pro\"
  tollgate budget set total --day 25 --reason \"launch week\"
  tollgate budget set model:openai/gpt-4.1 --month none --reason \"the total holds it\"")]
pub(super) struct SetArgs {
    /// Whose: total, tenant:NAME, endpoint:NAME, model:PROVIDER/MODEL, provider:NAME or task:NAME
    #[arg(value_name = "SCOPE")]
    scope: Scope,
    /// The most that may be spent in a day, in dollars, or `none`
    #[arg(long, value_name = "USD", value_parser = parse_cap, group = "caps", allow_negative_numbers = true)]
    day: Option<Cap>,
    /// The most that may be spent in a month, in dollars, or `none`
    #[arg(long, value_name = "USD", value_parser = parse_cap, group = "caps", allow_negative_numbers = true)]
    month: Option<Cap>,
    /// The most that may ever be spent, in dollars, or `none`
    #[arg(long, value_name = "USD", value_parser = parse_cap, group = "caps", allow_negative_numbers = true)]
    lifetime: Option<Cap>,
    /// Why; it is kept with the change
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

/// Take back the caps that were set by hand: those of tollgate.toml hold again
///
/// What is spent stays spent. To let a tenant go on that has reached its cap, set a higher one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate budget reset tenant:acme --reason \"the launch is over\"")]
pub(super) struct ResetArgs {
    /// Whose: total, tenant:NAME, endpoint:NAME, model:PROVIDER/MODEL, provider:NAME or task:NAME
    #[arg(value_name = "SCOPE")]
    scope: Scope,
    /// Why; it is kept with the change
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

/// List the alerts that have fired, newest first, with where they were told
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate budget alerts --limit 5")]
pub(super) struct AlertsArgs {
    /// Most alerts shown
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    limit: u64,
}

/// A cap, or that there shall be none.
#[derive(Debug, Clone, Copy)]
struct Cap(Option<NanoUsd>);

/// No budget is larger: a cap beyond it is a slip of the hand.
const MOST: NanoUsd = NanoUsd(1_000_000_000 * 1_000_000_000);

fn parse_cap(text: &str) -> Result<Cap, String> {
    if text == "none" {
        return Ok(Cap(None));
    }
    NanoUsd::parse_dollars(text)
        .filter(|amount| (NanoUsd::ZERO..=MOST).contains(amount))
        .map(|amount| Cap(Some(amount)))
        .ok_or_else(|| "write dollars from 0 to a billion, such as 50, or `none`".to_owned())
}

pub(super) async fn run(command: BudgetCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    match command {
        BudgetCommand::Show(args) => show(args.scope.as_ref(), app, output).await,
        BudgetCommand::Set(args) => {
            check_scope(&args.scope, app)?;
            let periods = [(Period::Day, args.day), (Period::Month, args.month), (Period::Lifetime, args.lifetime)];
            let set = periods.into_iter().filter_map(|(period, cap)| {
                let (scope, reason) = (args.scope.clone(), args.reason.clone());
                cap.map(|Cap(cap)| BudgetOverride { scope, period, cap, reason, set_at: app.clock.now() })
            });
            app.store.set_budgets(set.collect()).await?;
            warn_of_spent(&args.scope, app).await?;
            show(Some(&args.scope), app, output).await
        }
        BudgetCommand::Reset(args) => {
            if app.store.reset_budgets(args.scope.clone(), args.reason.clone(), app.clock.now()).await? == 0 {
                output.note(&format!("no cap of {} was set by hand", args.scope));
            }
            show(Some(&args.scope), app, output).await
        }
        BudgetCommand::Alerts(args) => {
            let stored = app.store.alerts(args.limit)?;
            let alerts = stored.into_iter().filter_map(|stored| {
                let told = stored.deliveries.into_iter();
                let told = told.map(|(channel, state, error)| Told { channel, state, error }).collect();
                Some(FiredAlert { alert: serde_json::from_str(&stored.body).ok()?, told })
            });
            output.write(&AlertList { alerts: alerts.collect() })?;
            Ok(Code::Pass)
        }
    }
}

/// A cap below what is spent already is crossed by no booking any more: its alerts are due now.
async fn warn_of_spent(scope: &Scope, app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let mut fired = Vec::new();
    for limit in app.rules.limits_of(scope, now, &app.store.budget_overrides()?) {
        let counter = app.store.counter(scope.clone(), limit.period, limit.window).await?;
        let (spent, reserved) = (counter.spent, counter.reserved);
        fired.extend(app.rules.alerts(&Booked { limit, at: now, charged: spent, spent, reserved }));
    }
    Ok(app.store.add_alerts(fired).await?)
}

/// Refuses a scope that no call can ever be in: a cap on it would hold nothing.
fn check_scope(scope: &Scope, app: &App) -> Result<(), Failure> {
    let provider = match scope.kind {
        ScopeKind::Tenant if !crate::config::is_tenant_name(&scope.name) => {
            return Err(Failure::usage(
                format!("`{}` cannot be a tenant", scope.name),
                "tenants are named with letters, digits, `-` and `_`",
            ));
        }
        ScopeKind::Provider => &*scope.name,
        ScopeKind::Model => match scope.name.split_once('/') {
            Some((provider, _)) => provider,
            None => {
                return Err(Failure::usage(
                    format!("`{}` cannot be a model", scope.name),
                    "write model:PROVIDER/MODEL",
                ));
            }
        },
        _ => return Ok(()),
    };
    if app.config.providers.contains_key(provider) {
        return Ok(());
    }
    let known: Vec<&str> = app.config.providers.keys().map(String::as_str).collect();
    Err(Failure::usage(
        format!("no provider `{provider}` is configured, so the cap would hold nothing"),
        format!("the providers are {}; a model is written model:PROVIDER/MODEL", known.join(", ")),
    ))
}

async fn show(only: Option<&Scope>, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    app.ledger().recover().await?;
    output.write(&budget_report(&app.store, &app.rules, app.clock.now(), only).await?)?;
    Ok(Code::Pass)
}

/// Alerts that have fired.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct AlertList {
    alerts: Vec<FiredAlert>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct FiredAlert {
    #[serde(flatten)]
    alert: Alert,
    /// Where it was told, or is to be.
    told: Vec<Told>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Told {
    /// `stderr`, `webhook` or `slack`.
    channel: String,
    /// `waiting`, `delivered` or `failed`.
    state: String,
    /// Why it failed last.
    error: Option<String>,
}

impl Render for AlertList {
    fn schema_name(&self) -> &'static str {
        "alerts"
    }

    fn document(&self) -> Document {
        let document = Document::new("Alerts");
        if self.alerts.is_empty() {
            return document.text("No alert has fired.");
        }
        let columns = [Column::text("fired"), Column::text("alert"), Column::text("told")];
        let errors = self.alerts.iter().flat_map(|fired| &fired.told);
        let errors = errors.filter_map(|told| Some(format!("{}: {}", told.channel, told.error.as_ref()?)));
        let errors: std::collections::BTreeSet<String> = errors.collect();
        let document = document.table(self.alerts.iter().fold(Table::new("", columns), |table, fired| {
            let time = crate::domain::rfc3339(fired.alert.fired_at);
            let any = |state: &str| fired.told.iter().any(|told| told.state == state);
            let status = match (any("failed"), any("waiting")) {
                (true, _) => Status::Bad,
                (_, true) => Status::Warn,
                _ => Status::Good,
            };
            let told: Vec<String> = fired.told.iter().map(|told| format!("{} {}", told.channel, told.state)).collect();
            table.row([
                Cell::Text(time.get(..16).unwrap_or_default().replace('T', " ")),
                Cell::Text(fired.alert.text.clone()),
                Cell::Status(status, told.join(", ")),
            ])
        }));
        errors.into_iter().fold(document, Document::note)
    }

    fn records(&self) -> Option<Records> {
        let header = ["fired_at", "id", "scope", "text"];
        Some(self.alerts.iter().fold(Records::new(header), |records, fired| {
            records.row([
                Cell::Text(crate::domain::rfc3339(fired.alert.fired_at)),
                Cell::Code(fired.alert.id.clone()),
                Cell::Code(fired.alert.scope.to_string()),
                Cell::Text(fired.alert.text.clone()),
            ])
        }))
    }
}
