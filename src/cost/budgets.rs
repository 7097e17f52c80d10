use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::rules::Rules;
use crate::domain::{NanoUsd, Period, Scope, ScopeKind, rfc3339};
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};
use crate::store::{Limit, Store, StoreError};

/// Every budget with what is spent of it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BudgetReport {
    /// When it was made, RFC 3339.
    pub at: String,
    /// The only scope that was asked for.
    pub scope: Option<Scope>,
    /// One entry for each scope and period.
    pub budgets: Vec<BudgetLine>,
}

/// One scope's spending in one period.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct BudgetLine {
    /// Whose.
    pub scope: Scope,
    /// For which period.
    pub period: Period,
    /// The cap; `null` when spending is only watched.
    pub cap_nanousd: Option<NanoUsd>,
    /// What is booked.
    pub spent_nanousd: NanoUsd,
    /// What is held by calls that have not ended.
    pub reserved_nanousd: NanoUsd,
    /// What may still be reserved; negative when more was booked than the cap.
    pub left_nanousd: Option<NanoUsd>,
    /// What is booked, as a share of the cap.
    pub used: Option<f64>,
    /// When the period began, RFC 3339; `null` for a lifetime.
    pub starts_at: Option<String>,
    /// When the next one begins, RFC 3339; `null` for a lifetime.
    pub resets_at: Option<String>,
    /// Why the cap is another than in the settings, when it was set by hand.
    pub set_by_hand: Option<String>,
}

/// The budgets as they stand; only those of `only` when it is given.
///
/// # Errors
/// When the store fails.
pub async fn budget_report(
    store: &Store,
    rules: &Rules,
    now: Timestamp,
    only: Option<&Scope>,
) -> Result<BudgetReport, StoreError> {
    let overrides = store.budget_overrides()?;
    let mut scopes: BTreeSet<Scope> = rules.scopes().cloned().collect();
    scopes.extend(overrides.iter().map(|set| set.scope.clone()));
    if rules.has_tenant_default() {
        let month = rules.window(Period::Month, now, jiff::tz::TimeZone::UTC);
        let active = store.tenants_since(month.starts)?;
        scopes.extend(active.into_iter().map(|tenant| Scope::new(ScopeKind::Tenant, tenant)));
    }
    scopes.extend(only.cloned());
    let mut budgets = Vec::new();
    for scope in scopes.into_iter().filter(|scope| only.is_none_or(|only| only == scope)) {
        let mut limits = rules.limits_of(&scope, now, &overrides);
        // A cap that was taken away by hand is worth seeing.
        let lifted = overrides.iter().filter(|set| set.scope == scope && set.cap.is_none());
        let lifted: Vec<Limit> = lifted
            .filter(|set| limits.iter().all(|limit| limit.period != set.period))
            .map(|set| Limit {
                scope: scope.clone(),
                period: set.period,
                window: rules.window_of(&scope, set.period, now),
                cap: None,
            })
            .collect();
        limits.extend(lifted);
        for limit in limits {
            let counter = store.counter(scope.clone(), limit.period, limit.window).await?;
            let set = overrides.iter().find(|set| set.scope == scope && set.period == limit.period);
            let ends = (limit.period != Period::Lifetime).then_some(limit.window);
            let (spent, reserved) = (counter.spent, counter.reserved);
            budgets.push(BudgetLine {
                scope: scope.clone(),
                period: limit.period,
                cap_nanousd: limit.cap,
                spent_nanousd: spent,
                reserved_nanousd: reserved,
                left_nanousd: limit.cap.map(|cap| NanoUsd(cap.0.saturating_sub(spent.0).saturating_sub(reserved.0))),
                used: limit.cap.filter(|cap| cap.0 > 0).map(|cap| spent.0 as f64 / cap.0 as f64),
                starts_at: ends.map(|window| rfc3339(window.starts)),
                resets_at: ends.map(|window| rfc3339(window.ends)),
                set_by_hand: set.map(|set| set.reason.clone()),
            });
        }
    }
    Ok(BudgetReport { at: rfc3339(now), scope: only.cloned(), budgets })
}

impl BudgetLine {
    fn status(&self) -> Cell {
        match (self.cap_nanousd, self.left_nanousd, self.used) {
            (None, ..) if self.set_by_hand.is_some() => Cell::Status(Status::Neutral, "no cap".to_owned()),
            (None, ..) => Cell::Status(Status::Neutral, "watched".to_owned()),
            (_, Some(left), _) if left.0 <= 0 => Cell::Status(Status::Bad, "used up".to_owned()),
            (.., Some(used)) if used >= 0.8 => Cell::Status(Status::Warn, "nearly used up".to_owned()),
            _ => Cell::Status(Status::Good, "open".to_owned()),
        }
    }
}

impl Render for BudgetReport {
    fn schema_name(&self) -> &'static str {
        "budgets"
    }

    fn document(&self) -> Document {
        let document = Document::new("Budgets");
        if self.budgets.is_empty() {
            let nothing = match &self.scope {
                Some(scope) => format!("No budget of {scope} is set."),
                None => "No budget is set.".to_owned(),
            };
            return document.text(nothing).note(
                "Set one with `tollgate budget set tenant:NAME --month 50 --reason …`, or in `[budgets]` of tollgate.toml.",
            );
        }
        let columns = [
            Column::text("scope"),
            Column::text("period"),
            Column::number("cap"),
            Column::number("spent"),
            Column::number("reserved"),
            Column::number("left"),
            Column::number("used"),
            Column::text("state"),
            Column::text("resets"),
        ];
        let table = self.budgets.iter().fold(Table::new("", columns), |table, line| {
            let resets = line
                .resets_at
                .as_deref()
                .map_or_else(|| "never".to_owned(), |time| time.get(..16).unwrap_or(time).replace('T', " "));
            table.row([
                Cell::Code(line.scope.to_string()),
                Cell::Text(line.period.as_str().to_owned()),
                Cell::Money(line.cap_nanousd),
                Cell::Money(Some(line.spent_nanousd)),
                Cell::Money(Some(line.reserved_nanousd)),
                Cell::Money(line.left_nanousd),
                Cell::Percent(line.used),
                line.status(),
                Cell::Text(resets),
            ])
        });
        let mut document = document.table(table);
        for line in &self.budgets {
            if let Some(reason) = &line.set_by_hand {
                document =
                    document.note(format!("{} by {} was set by hand: {reason}", line.scope, line.period.as_str()));
            }
        }
        document.note("Times are UTC.")
    }

    fn records(&self) -> Option<Records> {
        let header =
            ["scope", "period", "cap_nanousd", "spent_nanousd", "reserved_nanousd", "left_nanousd", "resets_at"];
        Some(self.budgets.iter().fold(Records::new(header), |records, line| {
            records.row([
                Cell::Code(line.scope.to_string()),
                Cell::Text(line.period.as_str().to_owned()),
                Cell::Money(line.cap_nanousd),
                Cell::Money(Some(line.spent_nanousd)),
                Cell::Money(Some(line.reserved_nanousd)),
                Cell::Money(line.left_nanousd),
                Cell::Text(line.resets_at.clone().unwrap_or_default()),
            ])
        }))
    }
}
