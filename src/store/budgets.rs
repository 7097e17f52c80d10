use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::settle::time;
use super::{Store, StoreError};
use crate::domain::{NanoUsd, Period, Scope};

/// A cap that was set by hand, in place of the one in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetOverride {
    /// Whose.
    pub scope: Scope,
    /// For which period.
    pub period: Period,
    /// The cap; `None` when there shall be none.
    pub cap: Option<NanoUsd>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub set_at: Timestamp,
}

/// The overrides of these scopes.
pub(super) fn overrides_of(connection: &Connection, scopes: &[Scope; 6]) -> Result<Vec<BudgetOverride>, StoreError> {
    let mut found = Vec::new();
    if connection.prepare_cached("SELECT 1 FROM budget_overrides LIMIT 1")?.exists([])? {
        let mut statement = connection
            .prepare_cached("SELECT scope, period, cap, reason, set_at_ms FROM budget_overrides WHERE scope = ?1")?;
        for scope in scopes {
            for set in statement.query_map([scope.to_string()], read)? {
                found.push(set?);
            }
        }
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> rusqlite::Result<BudgetOverride> {
    let (scope, period): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(BudgetOverride {
        scope: scope.parse().unwrap_or(Scope::TOTAL),
        period: Period::ALL.into_iter().find(|known| known.as_str() == period).unwrap_or(Period::Lifetime),
        cap: row.get::<_, Option<i64>>(2)?.map(NanoUsd),
        reason: row.get(3)?,
        set_at: time(row.get(4)?),
    })
}

impl Store {
    /// Whether any cap was set by hand.
    pub fn has_budget_overrides(&self) -> Result<bool, StoreError> {
        self.main
            .read(|connection| Ok(connection.prepare_cached("SELECT 1 FROM budget_overrides LIMIT 1")?.exists([])?))
    }

    /// Every cap that was set by hand, by scope and period.
    pub fn budget_overrides(&self) -> Result<Vec<BudgetOverride>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT scope, period, cap, reason, set_at_ms FROM budget_overrides ORDER BY scope, period",
            )?;
            let found = statement.query_map([], read)?;
            Ok(found.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Sets caps by hand, and keeps a note of it. Reservations from now on keep to them, in every process.
    pub async fn set_budgets(&self, overrides: Vec<BudgetOverride>) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                for set in &overrides {
                    let (scope, period, at) = (set.scope.to_string(), set.period.as_str(), set.set_at.as_millisecond());
                    let cap = set.cap.map(|cap| cap.0);
                    connection.execute(
                        "INSERT INTO budget_overrides (scope, period, cap, reason, set_at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                         ON CONFLICT DO UPDATE SET cap = excluded.cap, reason = excluded.reason, set_at_ms = excluded.set_at_ms",
                        params![scope, period, cap, set.reason, at],
                    )?;
                    note(connection, at, &scope, period, "set", cap, &set.reason)?;
                }
                Ok(())
            })
            .await
    }

    /// Takes back the caps that were set by hand for a scope: those of the settings hold again. Returns how many there
    /// were.
    pub async fn reset_budgets(&self, scope: Scope, reason: String, at: Timestamp) -> Result<u64, StoreError> {
        self.main
            .write(move |connection| {
                let scope = scope.to_string();
                let mut statement =
                    connection.prepare("DELETE FROM budget_overrides WHERE scope = ?1 RETURNING period, cap")?;
                let gone = statement.query_map([&scope], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let gone: Vec<(String, Option<i64>)> = gone.collect::<rusqlite::Result<_>>()?;
                for (period, cap) in &gone {
                    note(connection, at.as_millisecond(), &scope, period, "reset", *cap, &reason)?;
                }
                Ok(gone.len() as u64)
            })
            .await
    }
}

/// Budgets are money: every change by hand stays on record.
fn note(
    connection: &Connection,
    at: i64,
    scope: &str,
    period: &str,
    change: &str,
    cap: Option<i64>,
    reason: &str,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO budget_changes (at_ms, scope, period, change, cap, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![at, scope, period, change, cap, reason],
    )?;
    Ok(())
}
