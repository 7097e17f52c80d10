use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::settle::{first_key, time};
use super::{Store, StoreError};
use crate::domain::{NanoUsd, Period, Scope, ScopeKind, Window};

/// What is booked and held in one window of one scope. It is derived from the ledger's rows, and rebuilt from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counter {
    /// The scope, as it is written.
    pub scope: String,
    /// The kind of window.
    pub period: Period,
    /// The window.
    pub window: Window,
    /// The sum of what is held.
    pub reserved: NanoUsd,
    /// The sum of what is booked.
    pub spent: NanoUsd,
}

/// The counter of a window; made from the rows when there is none yet, or when it cannot be right.
pub(super) fn of(
    connection: &Connection,
    scope: &Scope,
    period: Period,
    window: Window,
) -> Result<Counter, StoreError> {
    let name = scope.to_string();
    let (starts, ends) = (window.starts.as_millisecond(), window.ends.as_millisecond());
    let stored = connection
        .prepare_cached("SELECT reserved, spent FROM counters WHERE scope = ?1 AND ends_ms = ?2 AND starts_ms = ?3")?
        .query_row(params![name, ends, starts], |row| Ok((NanoUsd(row.get(0)?), NanoUsd(row.get(1)?))))
        .optional()?;
    if let Some((reserved, spent)) = stored {
        if reserved >= NanoUsd::ZERO && spent >= NanoUsd::ZERO {
            return Ok(Counter { scope: name, period, window, reserved, spent });
        }
        tracing::error!(
            scope = name,
            period = period.as_str(),
            "a counter was corrupt; it is rebuilt from the ledger's rows"
        );
    }
    let (reserved, spent) = from_rows(connection, scope, window)?;
    let counter = Counter { scope: name, period, window, reserved, spent };
    put(connection, &counter)?;
    Ok(counter)
}

/// Adds to every counter of these scopes whose window holds `at`. Returns them as they are now.
pub(super) fn add(
    connection: &Connection,
    scopes: &[Scope; 6],
    at: Timestamp,
    reserved: NanoUsd,
    spent: NanoUsd,
) -> Result<Vec<Counter>, StoreError> {
    let at = at.as_millisecond();
    let mut changed: Vec<Counter> = Vec::new();
    // One by one: a list, and RETURNING, would each make SQLite build a table of its own.
    let mut find = connection.prepare_cached(
        "SELECT scope, period, starts_ms, ends_ms, reserved, spent FROM counters
         WHERE scope = ?1 AND ends_ms > ?2 AND starts_ms <= ?2",
    )?;
    for scope in scopes {
        for counter in find.query_map(params![scope.to_string(), at], read)? {
            let counter = counter?;
            // A sum that cannot be is marked, and rebuilt from the rows when it is needed next.
            let sum = |one: NanoUsd, other| one.checked_add(other).unwrap_or(NanoUsd(-1));
            let (reserved, spent) = (sum(counter.reserved, reserved), sum(counter.spent, spent));
            changed.push(Counter { reserved, spent, ..counter });
        }
    }
    let mut update = connection.prepare_cached(
        "UPDATE counters SET reserved = ?4, spent = ?5 WHERE scope = ?1 AND ends_ms = ?2 AND starts_ms = ?3",
    )?;
    for counter in &changed {
        let (starts, ends) = (counter.window.starts.as_millisecond(), counter.window.ends.as_millisecond());
        update.execute(params![counter.scope, ends, starts, counter.reserved.0, counter.spent.0])?;
    }
    Ok(changed)
}

fn put(connection: &Connection, counter: &Counter) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO counters (scope, ends_ms, starts_ms, period, reserved, spent) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET reserved = excluded.reserved, spent = excluded.spent",
        )?
        .execute(params![
            counter.scope,
            counter.window.ends.as_millisecond(),
            counter.window.starts.as_millisecond(),
            counter.period.as_str(),
            counter.reserved.0,
            counter.spent.0,
        ])?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Counter> {
    let period: String = row.get(1)?;
    Ok(Counter {
        scope: row.get(0)?,
        period: Period::ALL.into_iter().find(|known| known.as_str() == period).unwrap_or(Period::Lifetime),
        window: Window { starts: time(row.get(2)?), ends: time(row.get(3)?) },
        reserved: NanoUsd(row.get(4)?),
        spent: NanoUsd(row.get(5)?),
    })
}

/// What the rows say is held and booked in a window.
fn from_rows(connection: &Connection, scope: &Scope, window: Window) -> Result<(NanoUsd, NanoUsd), StoreError> {
    let of_scope = of_scope(scope.kind);
    let sql = format!(
        "SELECT coalesce(sum(CASE WHEN s.reservation IS NULL THEN r.reserved END), 0), coalesce(sum(s.charged), 0)
         FROM reservations r LEFT JOIN settlements s ON s.reservation = r.key
         WHERE r.key >= ?1 AND r.key < ?2 AND {of_scope}"
    );
    let (starts, ends) = (first_key(window.starts), first_key(window.ends));
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement
        .query_row(params![starts, ends, scope.name], |row| Ok((NanoUsd(row.get(0)?), NanoUsd(row.get(1)?))))?)
}

/// What was booked for a scope by reservations since then.
pub(super) fn spent_since(connection: &Connection, scope: &Scope, since: Timestamp) -> Result<NanoUsd, StoreError> {
    let sql = format!(
        "SELECT coalesce(sum(s.charged), 0) FROM reservations r JOIN settlements s ON s.reservation = r.key
         WHERE r.key >= ?1 AND r.key < ?2 AND {}",
        of_scope(scope.kind)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![first_key(since), i64::MAX, scope.name], |row| row.get(0).map(NanoUsd))?)
}

/// What selects the rows of a scope whose name is the third parameter.
fn of_scope(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Total => "?3 = ''",
        ScopeKind::Tenant => "r.tenant = ?3",
        ScopeKind::Endpoint => "r.endpoint = ?3",
        ScopeKind::Model => "r.model = ?3",
        ScopeKind::Provider => "r.provider = ?3",
        ScopeKind::Task => "r.task = ?3",
    }
}

/// What does not agree in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LedgerCheck {
    /// Reservations.
    pub reservations: u64,
    /// Of these, not ended.
    pub open: u64,
    /// Settlements.
    pub settlements: u64,
    /// All that is booked.
    pub booked: NanoUsd,
    /// Of this, what is not by the vendor's own word.
    pub uncertain: NanoUsd,
    /// Bookings above what was held.
    pub overruns: u64,
    /// Calls whose stored cost is not what the ledger booked for them.
    pub calls_that_differ: u64,
    /// Settled reservations without a stored call.
    pub calls_missing: u64,
    /// Settlements without a reservation, and reservations wrongly listed, or not listed, as open.
    pub astray: u64,
    /// Counters that do not agree with the rows: as stored, then as the rows have them.
    pub counters: Vec<(Counter, Counter)>,
    /// Counters that were compared.
    pub counters_checked: u64,
    /// The last entry's time.
    pub last: Option<Timestamp>,
}

impl Store {
    /// The counter of a window, as it is now.
    pub async fn counter(&self, scope: Scope, period: Period, window: Window) -> Result<Counter, StoreError> {
        self.main.write(move |connection| of(connection, &scope, period, window)).await
    }

    /// Compares the ledger's rows, its counters and the stored calls. With `repair`, counters that do not agree are set to
    /// what the rows say; the rows themselves are never touched.
    pub async fn check_ledger(&self, repair: bool) -> Result<LedgerCheck, StoreError> {
        self.flush().await?;
        // A snapshot: others may go on meanwhile.
        let found = self.main.read(|connection| {
            connection.execute_batch("BEGIN")?;
            let found = check(connection);
            connection.execute_batch("COMMIT")?;
            found
        })?;
        if repair {
            let wrong: Vec<Counter> = found.counters.iter().map(|(counter, _)| counter.clone()).collect();
            self.main
                .write(move |connection| wrong.iter().try_for_each(|counter| rebuild(connection, counter)))
                .await?;
        }
        Ok(found)
    }
}

/// Sets a counter to what the rows say.
fn rebuild(connection: &Connection, counter: &Counter) -> Result<(), StoreError> {
    let (reserved, spent) = match counter.scope.parse::<Scope>() {
        Ok(scope) => from_rows(connection, &scope, counter.window)?,
        Err(_) => (NanoUsd::ZERO, NanoUsd::ZERO),
    };
    put(connection, &Counter { reserved, spent, ..counter.clone() })
}

fn check(connection: &Connection) -> Result<LedgerCheck, StoreError> {
    let mut found = LedgerCheck::default();
    connection.query_row("SELECT count(*), max(at_ms) FROM reservations", [], |row| {
        found.reservations = row.get(0)?;
        found.last = row.get::<_, Option<i64>>(1)?.map(time);
        Ok(())
    })?;
    connection.query_row(
        "SELECT count(*), coalesce(sum(s.charged), 0),
         coalesce(sum(s.charged) FILTER (WHERE s.state IN ('estimated', 'worst_case')), 0),
         coalesce(sum(s.charged > r.reserved), 0), coalesce(sum(r.key IS NULL), 0)
         FROM settlements s LEFT JOIN reservations r ON r.key = s.reservation",
        [],
        |row| {
            found.settlements = row.get(0)?;
            found.booked = NanoUsd(row.get(1)?);
            found.uncertain = NanoUsd(row.get(2)?);
            found.overruns = row.get(3)?;
            found.astray = row.get(4)?;
            Ok(())
        },
    )?;
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
    found.open = count("SELECT count(*) FROM open_reservations")?;
    found.astray += count(
        "SELECT count(*) FROM reservations r LEFT JOIN settlements s ON s.reservation = r.key
         LEFT JOIN open_reservations o ON o.reservation = r.key
         WHERE (s.reservation IS NULL) <> (o.reservation IS NOT NULL)",
    )?;
    found.astray += count(
        "SELECT count(*) FROM open_reservations o LEFT JOIN reservations r ON r.key = o.reservation WHERE r.key IS NULL",
    )?;
    found.calls_that_differ = count(
        "SELECT count(*) FROM settlements s JOIN reservations r ON r.key = s.reservation JOIN calls c ON c.id = r.call
         WHERE s.state = 'settled' AND c.cost_nanousd IS NOT s.charged",
    )?;
    found.calls_missing = count(
        "SELECT count(*) FROM settlements s JOIN reservations r ON r.key = s.reservation LEFT JOIN calls c ON c.id = r.call
         WHERE s.state = 'settled' AND c.id IS NULL",
    )?;
    let mut statement = connection
        .prepare("SELECT scope, period, starts_ms, ends_ms, reserved, spent FROM counters ORDER BY scope, ends_ms")?;
    let stored = statement.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for counter in stored {
        found.counters_checked += 1;
        let right = match counter.scope.parse::<Scope>() {
            Ok(scope) => from_rows(connection, &scope, counter.window)?,
            Err(_) => (NanoUsd::ZERO, NanoUsd::ZERO),
        };
        if right != (counter.reserved, counter.spent) {
            let right = Counter { reserved: right.0, spent: right.1, ..counter.clone() };
            found.counters.push((counter, right));
        }
    }
    Ok(found)
}
