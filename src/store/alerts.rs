use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::settle::time;
use super::{Store, StoreError};
use crate::domain::Scope;

/// An alert that is to be kept and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Stands for its rule, scope and period: a second one with the same id is not kept.
    pub id: String,
    /// When it fired.
    pub fired_at: Timestamp,
    /// What it is about.
    pub scope: Scope,
    /// All of it, as JSON.
    pub body: String,
    /// Where it is to be told.
    pub channels: Vec<&'static str>,
}

/// A telling that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueDelivery {
    /// The alert's id.
    pub alert: String,
    /// The alert, as JSON.
    pub body: String,
    /// Where.
    pub channel: String,
    /// How often it was tried, this time included.
    pub attempts: u32,
}

/// How a telling went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// It is told.
    Delivered,
    /// It is to be tried again then.
    Retry {
        /// When.
        at: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It will never be told.
    Failed {
        /// Why.
        error: String,
    },
}

/// An alert as it is kept, with where it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAlert {
    /// When it fired.
    pub fired_at: Timestamp,
    /// All of it, as JSON.
    pub body: String,
    /// Channels, each with its state (`waiting`, `delivered`, `failed`) and the last error.
    pub deliveries: Vec<(String, String, Option<String>)>,
}

/// Keeps an alert, unless it is kept already. Says whether it is new.
pub(super) fn insert(connection: &Connection, alert: &NewAlert) -> Result<bool, StoreError> {
    let at = alert.fired_at.as_millisecond();
    let new = connection
        .prepare_cached(
            "INSERT INTO alerts (id, fired_at_ms, scope, body) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![alert.id, at, alert.scope.to_string(), alert.body])?;
    if new > 0 {
        let mut statement = connection.prepare_cached(
            "INSERT INTO deliveries (alert, channel, state, attempts, next_at_ms) VALUES (?1, ?2, 'waiting', 0, ?3)",
        )?;
        for channel in &alert.channels {
            statement.execute(params![alert.id, channel, at])?;
        }
    }
    Ok(new > 0)
}

impl Store {
    /// Keeps alerts; those that are kept already are not told again.
    pub async fn add_alerts(&self, fired: Vec<NewAlert>) -> Result<(), StoreError> {
        self.main.write(move |connection| fired.iter().try_for_each(|alert| insert(connection, alert).map(drop))).await
    }

    /// Whether a telling is due, in this process or any other, but for one channel.
    pub fn has_due_deliveries(&self, now: Timestamp, except: Option<&str>) -> Result<bool, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM deliveries WHERE state = 'waiting' AND next_at_ms <= ?1 AND channel IS NOT ?2",
            )?;
            Ok(statement.exists(params![now.as_millisecond(), except])?)
        })
    }

    /// Takes one telling that is due, but for one channel, and `first` before others: nobody else is given the same until
    /// `again`.
    pub async fn take_due_delivery(
        &self,
        now: Timestamp,
        again: Timestamp,
        except: Option<&'static str>,
        first: &'static str,
    ) -> Result<Option<DueDelivery>, StoreError> {
        self.main
            .write(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT d.alert, d.channel, d.attempts + 1, a.body FROM deliveries d JOIN alerts a ON a.id = d.alert
                     WHERE d.state = 'waiting' AND d.next_at_ms <= ?1 AND d.channel IS NOT ?2
                     ORDER BY d.channel <> ?3, a.fired_at_ms, d.alert, d.channel LIMIT 1",
                )?;
                let due = statement
                    .query_row(params![now.as_millisecond(), except, first], |row| {
                        let (alert, channel) = (row.get(0)?, row.get(1)?);
                        Ok(DueDelivery { alert, channel, attempts: row.get(2)?, body: row.get(3)? })
                    })
                    .optional()?;
                if let Some(due) = &due {
                    connection
                        .prepare_cached(
                            "UPDATE deliveries SET attempts = ?3, next_at_ms = ?4 WHERE alert = ?1 AND channel = ?2",
                        )?
                        .execute(params![due.alert, due.channel, due.attempts, again.as_millisecond()])?;
                }
                Ok(due)
            })
            .await
    }

    /// Notes how a telling went.
    pub async fn end_delivery(
        &self,
        alert: String,
        channel: String,
        outcome: DeliveryOutcome,
    ) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                let (state, next, error) = match outcome {
                    DeliveryOutcome::Delivered => ("delivered", None, None),
                    DeliveryOutcome::Retry { at, error } => ("waiting", Some(at.as_millisecond()), Some(error)),
                    DeliveryOutcome::Failed { error } => ("failed", None, Some(error)),
                };
                connection
                    .prepare_cached(
                        "UPDATE deliveries SET state = ?3, next_at_ms = coalesce(?4, next_at_ms), error = ?5
                         WHERE alert = ?1 AND channel = ?2",
                    )?
                    .execute(params![alert, channel, state, next, error])?;
                Ok(())
            })
            .await
    }

    /// The latest alerts, newest first.
    pub fn alerts(&self, most: u64) -> Result<Vec<StoredAlert>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT id, fired_at_ms, body FROM alerts ORDER BY fired_at_ms DESC, id LIMIT ?1")?;
            let rows = statement.query_map([most], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?;
            let mut told = connection
                .prepare_cached("SELECT channel, state, error FROM deliveries WHERE alert = ?1 ORDER BY channel")?;
            rows.map(|row| {
                let (id, fired_at, body) = row?;
                let deliveries = told.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                let deliveries = deliveries.collect::<rusqlite::Result<_>>()?;
                Ok(StoredAlert { fired_at: time(fired_at), body, deliveries })
            })
            .collect()
        })
    }
}
