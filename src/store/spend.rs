use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::settle::{first_key, time};
use super::{Store, StoreError};
use crate::domain::{AnswerPath, CallId, NanoUsd, TicketId, Tokens, UnreadableId, Usage};

/// What is looked at: times from `from` on and before `until`, and only what these name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendFilter {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Only of this tenant.
    pub tenant: Option<String>,
    /// Only by this command or route.
    pub endpoint: Option<String>,
    /// Not by this command or route.
    pub without: Option<&'static str>,
}

/// One reservation of the ledger, with how it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Charge {
    /// The call that it was made for.
    pub call: CallId,
    /// The ticket that the call was made for.
    pub ticket: TicketId,
    /// Who asked.
    pub tenant: String,
    /// Which command or route asked.
    pub endpoint: String,
    /// The prompt's task.
    pub task: String,
    /// The provider's name in the project.
    pub provider: String,
    /// `provider/model`.
    pub model: String,
    /// The release's content hash.
    pub release: String,
    /// When it was reserved: the time that its period is chosen by.
    pub at: Timestamp,
    /// When it ended; `None` while it is open.
    pub ended_at: Option<Timestamp>,
    /// What was held: the worst case.
    pub reserved: NanoUsd,
    /// How it ended.
    pub state: ChargeState,
    /// What was booked; zero while it is open, and when it was voided.
    pub charged: NanoUsd,
    /// The part of `charged` that is the prompt's; `None` where the kinds of tokens are not known.
    pub charged_input: Option<NanoUsd>,
    /// What was consumed; `None` where nobody told.
    pub usage: Option<Usage>,
}

/// How a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChargeState {
    /// Not yet.
    Open,
    /// Booked by what the vendor says was consumed.
    Settled,
    /// Booked by what was received, since the vendor did not say what was consumed.
    Estimated,
    /// Booked at the worst case, since nobody knows what was consumed.
    WorstCase,
    /// Released: nothing was consumed.
    Voided,
}

impl ChargeState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Open, Self::Settled, Self::Estimated, Self::WorstCase, Self::Voided];

    /// Its name in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Estimated => "estimated",
            Self::WorstCase => "worst_case",
            Self::Voided => "voided",
        }
    }
}

/// What became of a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct OutcomeRow {
    /// The ticket.
    pub ticket: TicketId,
    /// Who asked.
    pub tenant: String,
    /// Which command or route asked.
    pub endpoint: String,
    /// The release's content hash.
    pub release: String,
    /// When it was asked.
    pub at: Timestamp,
    /// Which stage answered; `None` when there was no answer at all.
    pub path: Option<AnswerPath>,
    /// Whether it was answered and not refused. What is not resolved is handed over to a person.
    pub resolved: bool,
    /// The score that an evaluation gave the answer, 0..=1.
    pub score: Option<f64>,
    /// Time from question to answer.
    pub latency_ms: f64,
    /// What its prompt was made of; `None` when no model was asked.
    pub prompt: Option<PromptParts>,
}

/// Sizes of the parts of a prompt, in bytes of text; a part's share of the bytes stands for its share of the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PromptParts {
    /// Instructions, and whatever is neither of the others.
    pub system: u64,
    /// Worked examples.
    pub few_shot: u64,
    /// Passages of the knowledge base.
    pub passages: u64,
    /// The question.
    pub question: u64,
}

/// A ticket with all that was booked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct TicketSpend {
    /// The ticket.
    pub ticket: TicketId,
    /// Who asked.
    pub tenant: String,
    /// Which command or route asked.
    pub endpoint: String,
    /// When it was asked, or its first call was reserved.
    pub at: Timestamp,
    /// What became of it; `None` for work that is no ticket of a customer, such as embedding the knowledge base.
    pub outcome: Option<OutcomeRow>,
    /// The sum of all charges of its calls.
    pub charged: NanoUsd,
    /// Of these, those that are not what the vendor says was consumed.
    pub uncertain: NanoUsd,
    /// Prompt tokens of all its calls, where known.
    pub input_tokens: u64,
    /// Answer tokens of all its calls, where known.
    pub output_tokens: u64,
    /// The part of `charged` that is the prompts', where known.
    pub charged_input: NanoUsd,
    /// Number of its calls that were booked.
    pub calls: u32,
}

const IN_FILTER: &str = "(?3 IS NULL OR tenant = ?3) AND (?4 IS NULL OR endpoint = ?4) AND endpoint IS NOT ?5";

impl SpendFilter {
    /// Everything from `from` on, before `until`.
    pub fn between(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until, tenant: None, endpoint: None, without: None }
    }
}

impl Store {
    /// Keeps what became of a ticket, with the next write that somebody waits for.
    pub fn record_outcome(&self, outcome: OutcomeRow) {
        self.main.defer(move |connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO outcomes (ticket, tenant, endpoint, release, at_ms, path, resolved, latency_ms,
                     system_bytes, few_shot_bytes, passage_bytes, question_bytes)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                )?
                .execute(params![
                    outcome.ticket.to_string(),
                    outcome.tenant,
                    outcome.endpoint,
                    outcome.release,
                    outcome.at.as_millisecond(),
                    outcome.path.map(AnswerPath::as_str),
                    outcome.resolved,
                    outcome.latency_ms,
                    outcome.prompt.map(|parts| parts.system),
                    outcome.prompt.map(|parts| parts.few_shot),
                    outcome.prompt.map(|parts| parts.passages),
                    outcome.prompt.map(|parts| parts.question),
                ])?;
            Ok(())
        });
    }

    /// Visits the reservations that `filter` selects in the order in which they were made, one at a time.
    pub fn for_each_charge<E: From<StoreError>>(
        &self,
        filter: &SpendFilter,
        mut visit: impl FnMut(Charge) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut stopped = None;
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT r.call, r.ticket, r.tenant, r.endpoint, r.task, r.provider, r.model, r.release, r.at_ms, s.at_ms,
                 r.reserved, coalesce(s.state, 'open'), coalesce(s.charged, 0), s.charged_input, s.input_tokens,
                 s.output_tokens, s.cached_input_tokens, s.cache_write_tokens, s.reasoning_tokens
                 FROM reservations r LEFT JOIN settlements s ON s.reservation = r.key
                 WHERE r.key >= ?1 AND r.key < ?2 AND {IN_FILTER} ORDER BY r.key"
            ))?;
            let SpendFilter { from, until, tenant, endpoint, without } = filter;
            let mut rows =
                statement.query(params![first_key(*from), first_key(*until), tenant, endpoint, without])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = visit(read_charge(row)?) {
                    stopped = Some(error);
                    break;
                }
            }
            Ok(())
        })?;
        stopped.map_or(Ok(()), Err)
    }

    /// Visits the tickets that `filter` selects, each with all that was booked for it, those with an outcome first. A ticket belongs to the time when it was asked, its charges whenever they were booked.
    pub fn for_each_ticket<E: From<StoreError>>(
        &self,
        filter: &SpendFilter,
        mut visit: impl FnMut(TicketSpend) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut stopped = None;
        self.main.read(|connection| {
            // Tickets with an outcome, then the tickets of calls without one.
            let sums = "coalesce(sum(s.charged), 0), coalesce(sum(s.charged) FILTER (WHERE s.state <> 'settled'), 0),
                 coalesce(sum(s.input_tokens), 0), coalesce(sum(s.output_tokens), 0), coalesce(sum(s.charged_input), 0),
                 coalesce(sum(s.state <> 'voided'), 0)";
            let sql = format!(
                "SELECT o.ticket, o.tenant, o.endpoint, o.at_ms, {sums}, 1, o.release, o.path, o.resolved, o.score, o.latency_ms,
                 o.system_bytes, o.few_shot_bytes, o.passage_bytes, o.question_bytes
                 FROM outcomes o LEFT JOIN reservations r ON r.ticket = o.ticket
                 LEFT JOIN settlements s ON s.reservation = r.key
                 WHERE o.at_ms >= ?1 AND o.at_ms < ?2 AND (?3 IS NULL OR o.tenant = ?3) AND (?4 IS NULL OR o.endpoint = ?4)
                 AND o.endpoint IS NOT ?7
                 GROUP BY o.ticket
                 UNION ALL
                 SELECT r.ticket, r.tenant, r.endpoint, min(r.at_ms), {sums}, 0, '', NULL, 0, NULL, 0, NULL, NULL, NULL, NULL
                 FROM reservations r LEFT JOIN settlements s ON s.reservation = r.key
                 WHERE r.key >= ?5 AND r.key < ?6 AND (?3 IS NULL OR r.tenant = ?3) AND (?4 IS NULL OR r.endpoint = ?4)
                 AND r.endpoint IS NOT ?7 AND NOT EXISTS (SELECT 1 FROM outcomes o WHERE o.ticket = r.ticket)
                 GROUP BY r.ticket"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let SpendFilter { from, until, tenant, endpoint, without } = filter;
            let times = (from.as_millisecond(), until.as_millisecond());
            let keys = (first_key(*from), first_key(*until));
            let mut rows = statement.query(params![times.0, times.1, tenant, endpoint, keys.0, keys.1, without])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = visit(read_ticket(row)?) {
                    stopped = Some(error);
                    break;
                }
            }
            Ok(())
        })?;
        stopped.map_or(Ok(()), Err)
    }

    /// What embedding the questions of tickets came to: how many, and what was booked for them.
    pub fn embedded_questions(&self, filter: &SpendFilter) -> Result<(u64, NanoUsd), StoreError> {
        let SpendFilter { from, until, tenant, endpoint, without } = filter;
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT count(*), coalesce(sum(s.charged), 0) FROM reservations r
                 JOIN settlements s ON s.reservation = r.key JOIN outcomes o ON o.ticket = r.ticket
                 WHERE r.key >= ?1 AND r.key < ?2 AND (?3 IS NULL OR r.tenant = ?3) AND (?4 IS NULL OR r.endpoint = ?4)
                 AND r.endpoint IS NOT ?5 AND r.task = 'embed' AND s.state <> 'voided'",
            )?;
            let parameters = params![first_key(*from), first_key(*until), tenant, endpoint, without];
            Ok(statement.query_row(parameters, |row| Ok((row.get(0)?, NanoUsd(row.get(1)?))))?)
        })
    }

    /// Sums of what was booked since each of these times, by one scope's column: for burn rates.
    pub fn spent_since(&self, scope: &crate::domain::Scope, since: &[Timestamp]) -> Result<Vec<NanoUsd>, StoreError> {
        self.main.read(|connection| {
            since.iter().map(|since| super::counters::spent_since(connection, scope, *since)).collect()
        })
    }

    /// The tenants for whom something was reserved since then.
    pub fn tenants_since(&self, since: Timestamp) -> Result<Vec<String>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT DISTINCT tenant FROM reservations WHERE key >= ?1 ORDER BY tenant")?;
            let tenants = statement.query_map([first_key(since)], |row| row.get(0))?;
            Ok(tenants.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The questions asked since then, in order of time: tenant, time, ticket, fingerprint.
    pub fn fingerprints_since(&self, since: Timestamp) -> Result<Vec<(String, Timestamp, TicketId, u64)>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT tenant, at_ms, ticket, fingerprint FROM reservations
                 WHERE key >= ?1 AND fingerprint IS NOT NULL ORDER BY key",
            )?;
            let rows = statement.query_map([first_key(since)], |row| {
                Ok((row.get(0)?, time(row.get(1)?), id(row, 2)?, row.get::<_, i64>(3)?.cast_unsigned()))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// An id in a column.
pub(super) fn id<T: std::str::FromStr<Err = UnreadableId>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    text.parse()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::<UnreadableId>::new(error)))
}

/// Tokens in columns: of the prompt, of the answer, read from and written to the vendor's cache, of reasoning. `None`
/// unless the first two are known.
pub(super) fn usage(row: &Row<'_>, columns: [usize; 5]) -> rusqlite::Result<Option<Usage>> {
    let [input, output, cached_input, cache_write, reasoning] = columns;
    let tokens = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<u64>>(column)?.map(Tokens));
    let Some((input, output)) = tokens(input)?.zip(tokens(output)?) else { return Ok(None) };
    let kind = |column| Ok::<_, rusqlite::Error>(tokens(column)?.unwrap_or_default());
    let (cached_input, cache_write, reasoning) = (kind(cached_input)?, kind(cache_write)?, kind(reasoning)?);
    Ok(Some(Usage { input, output, cached_input, cache_write, reasoning }))
}

fn read_charge(row: &Row<'_>) -> rusqlite::Result<Charge> {
    let state: String = row.get(11)?;
    Ok(Charge {
        call: id(row, 0)?,
        ticket: id(row, 1)?,
        tenant: row.get(2)?,
        endpoint: row.get(3)?,
        task: row.get(4)?,
        provider: row.get(5)?,
        model: row.get(6)?,
        release: row.get(7)?,
        at: time(row.get(8)?),
        ended_at: row.get::<_, Option<i64>>(9)?.map(time),
        reserved: NanoUsd(row.get(10)?),
        state: ChargeState::ALL.into_iter().find(|known| known.as_str() == state).unwrap_or(ChargeState::WorstCase),
        charged: NanoUsd(row.get(12)?),
        charged_input: row.get::<_, Option<i64>>(13)?.map(NanoUsd),
        usage: usage(row, [14, 15, 16, 17, 18])?,
    })
}

fn read_ticket(row: &Row<'_>) -> rusqlite::Result<TicketSpend> {
    let ticket: TicketId = id(row, 0)?;
    let (tenant, endpoint): (String, String) = (row.get(1)?, row.get(2)?);
    let at = time(row.get(3)?);
    let outcome = if row.get::<_, bool>(10)? {
        let parts = (row.get(16)?, row.get(17)?, row.get(18)?, row.get(19)?);
        let path: Option<String> = row.get(12)?;
        Some(OutcomeRow {
            ticket,
            tenant: tenant.clone(),
            endpoint: endpoint.clone(),
            release: row.get(11)?,
            at,
            path: path.and_then(|stored| AnswerPath::ALL.into_iter().find(|path| path.as_str() == stored)),
            resolved: row.get(13)?,
            score: row.get(14)?,
            latency_ms: row.get(15)?,
            prompt: match parts {
                (Some(system), Some(few_shot), Some(passages), Some(question)) => {
                    Some(PromptParts { system, few_shot, passages, question })
                }
                _ => None,
            },
        })
    } else {
        None
    };
    Ok(TicketSpend {
        ticket,
        tenant,
        endpoint,
        at,
        outcome,
        charged: NanoUsd(row.get(4)?),
        uncertain: NanoUsd(row.get(5)?),
        input_tokens: row.get(6)?,
        output_tokens: row.get(7)?,
        charged_input: NanoUsd(row.get(8)?),
        calls: row.get(9)?,
    })
}
