use rusqlite::params;

use super::Store;
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
}

impl CallStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl Store {
    /// Keeps a call's record with the next write that somebody waits for, or when the store is flushed or closed.
    pub fn record_call(&self, call: CallRecord) {
        self.main.defer(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO calls (id, ticket, tenant, endpoint, task, prompt, release, model, started_at, latency_ms,
                     status, error, finish_reason, input_tokens, output_tokens, cost_nanousd)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
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
                ])?;
            Ok(())
        });
    }
}
