use rusqlite::{Connection, Row, params};

use super::spend::{id, usage};
use super::{Store, StoreError};
use crate::domain::{CallId, NanoUsd, TicketId, Usage};

/// One attempt at one provider, as telemetry keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The call's id.
    pub id: CallId,
    /// The ticket it was made for.
    pub ticket: TicketId,
    /// The tenant who asked.
    pub tenant: String,
    /// Which command or route asked: `ask`, `eval`, …
    pub endpoint: String,
    /// The prompt's task.
    pub task: String,
    /// Prompt name and version, `answer@v2`.
    pub prompt: String,
    /// The release's content hash.
    pub release: String,
    /// `provider/model`.
    pub model: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// How long it took.
    pub latency_ms: f64,
    /// How it ended.
    pub status: CallStatus,
    /// Why it failed, when it did.
    pub error: Option<String>,
    /// Why the model stopped.
    pub finish_reason: Option<String>,
    /// What it consumed; `None` when unknown.
    pub usage: Option<Usage>,
    /// What it cost; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// `chat` or `embeddings`.
    pub operation: String,
    /// Attempts of the same request before this one.
    pub retries: u32,
    /// The circuit breaker's state when it was made.
    pub breaker: String,
    /// How the caches were passed before it.
    pub cache_path: String,
    /// Time to the first piece of a streamed answer.
    pub first_token_ms: Option<f64>,
    /// The exact model that answered, as the vendor names it.
    pub response_model: Option<String>,
    /// The vendor's id of the request.
    pub request_id: Option<String>,
    /// What the safety filters marked, comma-separated.
    pub marks: Option<String>,
    /// The prompt, redacted; only when payloads are kept.
    pub prompt_text: Option<String>,
    /// The answer, redacted; only when payloads are kept.
    pub answer_text: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStatus {
    /// With an answer.
    Ok,
    /// With an error of the provider.
    Failed,
    /// At its deadline.
    TimedOut,
    /// Nobody waited for it any more.
    Cancelled,
}

impl CallStatus {
    const ALL: [Self; 4] = [Self::Ok, Self::Failed, Self::TimedOut, Self::Cancelled];

    /// Its name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Store {
    /// All calls made for a ticket that are written, in the order in which they began, each with the score that an
    /// evaluation gave the ticket's answer.
    pub fn calls_of(&self, ticket: TicketId) -> Result<Vec<(CallRecord, Option<f64>)>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, ticket, tenant, endpoint, task, prompt, release, model, started_at, latency_ms, status, error,
                 finish_reason, input_tokens, output_tokens, cost_nanousd, cached_input_tokens, cache_write_tokens,
                 reasoning_tokens, operation, retries, breaker, cache_path, first_token_ms, response_model, request_id, marks,
                 prompt_text, answer_text, coalesce((SELECT score FROM outcomes WHERE outcomes.ticket = calls.ticket),
                 evaluation_score) FROM calls WHERE ticket = ?1 ORDER BY started_at, id",
            )?;
            let rows = statement.query_map([ticket.to_string()], |row| Ok((read_call(row)?, row.get(29)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Keeps a call's record.
pub(super) fn insert(connection: &Connection, call: &CallRecord) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO calls (id, ticket, tenant, endpoint, task, prompt, release, model, started_at, latency_ms,
             status, error, finish_reason, input_tokens, output_tokens, cost_nanousd, cached_input_tokens,
             cache_write_tokens, reasoning_tokens, operation, retries, breaker, cache_path, first_token_ms,
             response_model, request_id, marks, prompt_text, answer_text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
             ?23, ?24, ?25, ?26, ?27, ?28, ?29)",
        )?
        .execute(params![
            call.id.to_string(),
            call.ticket.to_string(),
            call.tenant,
            call.endpoint,
            call.task,
            call.prompt,
            call.release,
            call.model,
            call.started_at,
            call.latency_ms,
            call.status.as_str(),
            call.error,
            call.finish_reason,
            call.usage.map(|usage| usage.input.0),
            call.usage.map(|usage| usage.output.0),
            call.cost_nanousd.map(|cost| cost.0),
            call.usage.map(|usage| usage.cached_input.0),
            call.usage.map(|usage| usage.cache_write.0),
            call.usage.map(|usage| usage.reasoning.0),
            call.operation,
            call.retries,
            call.breaker,
            call.cache_path,
            call.first_token_ms,
            call.response_model,
            call.request_id,
            call.marks,
            call.prompt_text,
            call.answer_text,
        ])?;
    Ok(())
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<CallRecord> {
    let status: String = row.get(10)?;
    Ok(CallRecord {
        id: id(row, 0)?,
        ticket: id(row, 1)?,
        tenant: row.get(2)?,
        endpoint: row.get(3)?,
        task: row.get(4)?,
        prompt: row.get(5)?,
        release: row.get(6)?,
        model: row.get(7)?,
        started_at: row.get(8)?,
        latency_ms: row.get(9)?,
        status: CallStatus::ALL.into_iter().find(|known| known.as_str() == status).unwrap_or(CallStatus::Failed),
        error: row.get(11)?,
        finish_reason: row.get(12)?,
        usage: usage(row, [13, 14, 16, 17, 18])?,
        cost_nanousd: row.get::<_, Option<i64>>(15)?.map(NanoUsd),
        operation: row.get(19)?,
        retries: row.get(20)?,
        breaker: row.get(21)?,
        cache_path: row.get(22)?,
        first_token_ms: row.get(23)?,
        response_model: row.get(24)?,
        request_id: row.get(25)?,
        marks: row.get(26)?,
        prompt_text: row.get(27)?,
        answer_text: row.get(28)?,
    })
}
