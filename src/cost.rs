//! L2: money: the ledger that holds the worst case before a call and books the actual after it, budgets, alerts and
//! their delivery, and what reports say of it: cost per outcome, margin, drift, forecasts, exports.

pub mod alerts;
mod breach;
mod budgets;
mod curves;
mod diff;
mod drift;
mod export;
mod forecast;
pub mod gather;
mod ledger;
mod margin;
mod quote;
mod report;
mod reprice;
mod rounded;
mod rules;
mod tokens;
mod verify;
mod watch;

pub use alerts::{
    Alert, AlertFigures, AlertRule, AlertSeverity, DeliverySetupError, Drifted, Occasion, drift as drift_alert,
};
pub use breach::{BudgetBreach, BudgetProblem};
pub use budgets::{BudgetLine, BudgetReport, budget_report};
pub use curves::{CurveInputs, Curves, curves};
pub use diff::{CostDiff, DiffError, DiffModel, DiffSide, cost_diff};
pub use drift::{DriftAlert, DriftReport, ModelUse, Requests, Week, drift};
pub use export::{ExportError, ExportFacts, ExportFormat, ExportSummary, Exporter};
pub use forecast::{Forecast, ForecastReport, forecast};
pub use ledger::{Consumed, Ledger, Recovered, Reservation, ReserveError, Wanted};
pub use margin::{
    Basis, CustomerProblem, CustomersError, Figures, LEAST_TICKETS, Levers, MarginInputs, MarginReport, NoPayback,
    PlanMargin, PriceLever, ShareLever, TenantMargin, TenantUsage, Unknown, WholeMargin, WithoutPlan, margin_report,
    read_customers,
};
pub use quote::{Grant, OutputCap, Quote};
pub use report::{CostReport, ReportBuilder};
pub use reprice::{LeftOut, LeftOutReason, RepriceReport, Repriced, RepricedGroup, Repricer};
pub use rules::Rules;
pub use verify::{LedgerProblem, LedgerReport};
pub use watch::Watch;
