use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::budgets::overrides_of;
use super::counters::{self, Counter};
use super::{Booked, CallScopes, ReserveRequest, Settlement, SpendRules, StoreError, alerts};
use crate::domain::{CallId, NanoUsd, Scope};

/// The facts of a reservation that its end needs.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) key: i64,
    pub(super) call: CallId,
    pub(super) at: Timestamp,
    pub(super) amount: NanoUsd,
    pub(super) scopes: CallScopes,
}

/// A reservation that has not ended.
#[derive(Clone)]
pub(super) enum Held {
    /// It has its row.
    Written(Facts),
    /// Its row is written with its end.
    Unwritten(Box<ReserveRequest>, NanoUsd),
}

impl Held {
    /// Writes its end.
    pub(super) fn end(
        &self,
        connection: &Connection,
        settlement: &Settlement,
        rules: &dyn SpendRules,
    ) -> Result<(), StoreError> {
        let (request, amount) = match self {
            Self::Written(facts) => {
                // A key may be given again when the commit that gave it failed.
                let mut same = connection.prepare_cached("SELECT 1 FROM reservations WHERE key = ?1 AND call = ?2")?;
                if !same.exists(params![facts.key, facts.call.to_string()])? {
                    return Err(StoreError::NotHeld);
                }
                return settle(connection, facts, facts.amount, settlement, rules);
            }
            Self::Unwritten(request, amount) => (request, *amount),
        };
        let (key, at) = next_key(connection, request.now)?;
        let overrides = overrides_of(connection, &request.scopes.all())?;
        for limit in rules.limits(&request.scopes, at, &overrides) {
            counters::of(connection, &limit.scope, limit.period, limit.window)?;
        }
        let facts = insert(connection, request, (key, at), amount)?;
        settle(connection, &facts, NanoUsd::ZERO, settlement, rules)
    }
}

/// Keys that fit into a millisecond.
const KEYS_PER_MS: i64 = 1 << 20;

/// The first key of a time: what is reserved from then on has it or a higher one.
pub(super) fn first_key(time: Timestamp) -> i64 {
    time.as_millisecond().saturating_mul(KEYS_PER_MS)
}

/// The next key, and the ledger's time. It never goes back, whatever the clock does: a window that is over stays over.
pub(super) fn next_key(connection: &Connection, now: Timestamp) -> Result<(i64, Timestamp), StoreError> {
    let last: Option<i64> =
        connection.prepare_cached("SELECT max(key) FROM reservations")?.query_row([], |row| row.get(0))?;
    let key = last.map_or(0, |last| last + 1).max(first_key(now));
    let (at, now) = (key / KEYS_PER_MS, now.as_millisecond());
    if at - now > 60_000 {
        tracing::warn!(behind_ms = at - now, "the clock is behind the ledger: it counts on from its last entry");
    }
    Ok((key, time(at)))
}

/// Writes a reservation that is open.
pub(super) fn hold(
    connection: &Connection,
    request: &ReserveRequest,
    place: (i64, Timestamp),
    amount: NanoUsd,
    scopes: &[Scope; 6],
) -> Result<Facts, StoreError> {
    let facts = insert(connection, request, place, amount)?;
    connection
        .prepare_cached("INSERT INTO open_reservations (reservation, owner, sent) VALUES (?1, ?2, 0)")?
        .execute(params![facts.key, request.owner])?;
    counters::add(connection, scopes, facts.at, amount, NanoUsd::ZERO)?;
    Ok(facts)
}

fn insert(
    connection: &Connection,
    request: &ReserveRequest,
    (key, at): (i64, Timestamp),
    amount: NanoUsd,
) -> Result<Facts, StoreError> {
    let ReserveRequest { call, ticket, scopes, release, fingerprint, .. } = request;
    connection
        .prepare_cached(
            "INSERT INTO reservations (key, call, ticket, tenant, endpoint, task, provider, model, release, at_ms, reserved,
             fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            key,
            call.to_string(),
            ticket.to_string(),
            scopes.tenant,
            scopes.endpoint,
            scopes.task,
            scopes.provider,
            scopes.model,
            release,
            at.as_millisecond(),
            amount.0,
            fingerprint.map(u64::cast_signed),
        ])?;
    Ok(Facts { key, call: *call, at, amount, scopes: scopes.clone() })
}

/// Ends a reservation, of which `release` is held by the counters.
pub(super) fn settle(
    connection: &Connection,
    facts: &Facts,
    release: NanoUsd,
    settlement: &Settlement,
    rules: &dyn SpendRules,
) -> Result<(), StoreError> {
    let Settlement { state, charged, charged_input, usage, at } = settlement;
    let written = connection
        .prepare_cached(
            "INSERT INTO settlements (reservation, at_ms, state, charged, charged_input, input_tokens, output_tokens,
             cached_input_tokens, cache_write_tokens, reasoning_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (reservation) DO NOTHING",
        )?
        .execute(params![
            facts.key,
            at.as_millisecond(),
            state.as_str(),
            charged.0,
            charged_input.map(|part| part.0),
            usage.map(|usage| usage.input.0),
            usage.map(|usage| usage.output.0),
            usage.map(|usage| usage.cached_input.0),
            usage.map(|usage| usage.cache_write.0),
            usage.map(|usage| usage.reasoning.0),
        ])?;
    if written == 0 {
        return Err(StoreError::SettledTwice { model: facts.scopes.model.clone() });
    }
    connection.prepare_cached("DELETE FROM open_reservations WHERE reservation = ?1")?.execute([facts.key])?;
    let scopes = facts.scopes.all();
    let changed = counters::add(connection, &scopes, facts.at, NanoUsd(-release.0), *charged)?;
    if *charged == NanoUsd::ZERO {
        return Ok(());
    }
    let mut fired = Vec::new();
    if *charged > facts.amount {
        tracing::warn!(model = facts.scopes.model, reserved = %facts.amount, %charged, "a call cost more than was held for it");
        fired.extend(rules.overrun(facts.call, &facts.scopes, facts.at, facts.amount, *charged));
    }
    if !changed.is_empty() {
        let overrides = overrides_of(connection, &scopes)?;
        for limit in rules.limits(&facts.scopes, facts.at, &overrides) {
            let scope = limit.scope.to_string();
            let ends = limit.window.ends.as_millisecond();
            let same = |counter: &&Counter| {
                let window = counter.window;
                counter.scope == scope && window.starts == limit.window.starts && window.ends.as_millisecond() == ends
            };
            if let Some(counter) = changed.iter().find(same) {
                let (spent, reserved) = (counter.spent, counter.reserved);
                fired.extend(rules.alerts(&Booked { limit, at: *at, charged: *charged, spent, reserved }));
            }
        }
    }
    fired.iter().try_for_each(|alert| alerts::insert(connection, alert).map(drop))
}

/// A stored time.
pub(super) fn time(millis: i64) -> Timestamp {
    let end = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(end)
}
