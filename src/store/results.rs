use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};
use crate::domain::{AnswerPath, NanoUsd, RunId, TicketId, Usage};

/// One answered (or failed) repeat of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseResult {
    /// The case itself, or a bound it is shown against.
    pub kind: CaseKind,
    /// The cluster the case is resampled with.
    pub cluster: String,
    /// The case's id.
    pub case_id: String,
    /// Which repeat, from 0.
    pub repeat: u32,
    /// Whether an answer came.
    pub status: CaseStatus,
    /// The weighted mean of its grades, 0..=1; `None` when it could not be judged.
    pub score: Option<f64>,
    /// How much the case counts.
    pub weight: f64,
    /// Whether an answer was expected.
    pub answerable: bool,
    /// Whether the case is critical.
    pub critical: bool,
    /// The case's tags.
    pub tags: Vec<String>,
    /// What was asked.
    pub question: String,
    /// The acceptable answers.
    pub expected: Vec<String>,
    /// What was answered; empty when nothing was.
    pub answer: String,
    /// The chunks the answer cites.
    pub citations: Vec<String>,
    /// Whether the assistant declined.
    pub refused: bool,
    /// The stated confidence.
    pub confidence: Option<f64>,
    /// Which stage answered.
    pub path: Option<AnswerPath>,
    /// The answering model.
    pub model: Option<String>,
    /// Time from question to answer.
    pub latency_ms: Option<f64>,
    /// Cost of all its calls; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Tokens of all its calls.
    pub usage: Usage,
    /// Number of its calls.
    pub calls: u32,
    /// What each grader said.
    pub grades: Vec<GradeRow>,
    /// Why it failed, when it did.
    pub error: Option<String>,
    /// The ticket that was answered; its calls have the same.
    pub ticket: Option<TicketId>,
    /// Whether a model's answer was replayed: its latency is of another day.
    pub replayed: bool,
    /// Time to find passages; `None` when none were looked for.
    pub retrieve_ms: Option<f64>,
    /// Whether the large model was asked.
    pub escalated: bool,
    /// What judging the answer cost, which is no part of the answer's own cost; `None` when unknown.
    pub grading_nanousd: Option<NanoUsd>,
}

/// What one grader said of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GradeRow {
    /// The grader's name, such as `token_f1`.
    pub grader: String,
    /// How much it counts in the case's score.
    pub weight: f64,
    /// 0..=1; `None` when it could not judge.
    pub score: Option<f64>,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Whether a result is the case's own, or one of the bounds its score is shown between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaseKind {
    /// The case, through the release's own pipeline.
    Case,
    /// The floor: the same question over random passages.
    Floor,
    /// The ceiling: the same question over the passages known to hold the answer.
    Ceiling,
}

impl CaseKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Floor => "floor",
            Self::Ceiling => "ceiling",
        }
    }
}

/// Whether an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseStatus {
    /// An answer (or a refusal) came and was graded.
    Answered,
    /// No answer came, or a grader that counts could not judge it.
    Errored,
}

/// Sums over a run's own cases, straight from its rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RunTotals {
    /// Results so far.
    pub results: u64,
    /// Of these, without an answer.
    pub errored: u64,
    /// Mean score of the judged ones; `None` without any. Weighted.
    pub score: Option<f64>,
    /// Sum of the known costs, bounds included.
    pub cost: NanoUsd,
    /// Whether the cost of some result is unknown.
    pub cost_incomplete: bool,
}

/// What a run's own cases took.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSpend {
    /// Repeats of cases.
    pub tickets: u64,
    /// Of these, answered, not refused, and with a score that counts as resolved.
    pub resolved: u64,
    /// Each model with its calls, what they consumed, and what that cost (`None` when unknown).
    pub models: Vec<(String, u64, Usage, Option<NanoUsd>)>,
    /// What all of it cost; `None` when something is unknown.
    pub cost: Option<NanoUsd>,
}

const COLUMNS: &str = "kind, cluster, case_id, repeat, status, score, weight, answerable, critical, tags, question, expected, \
     answer, citations, refused, confidence, path, model, latency_ms, cost_nanousd, input_tokens, output_tokens, calls, \
     grades, error, ticket, replayed, retrieve_ms, escalated, grading_nanousd";

impl Store {
    /// Stores one result; returns after it is durable.
    ///
    /// A repeat that errored before is replaced by its new result, which takes over what the earlier attempt cost.
    /// Returns what it cost: of a failed one what the ledger has booked for it.
    pub async fn record_result(&self, run: RunId, result: CaseResult) -> Result<Option<NanoUsd>, StoreError> {
        let json = |list: &[String]| serde_json::to_string(list).unwrap_or_default();
        let (tags, expected) = (json(&result.tags), json(&result.expected));
        let (citations, grades) = (json(&result.citations), serde_json::to_string(&result.grades).unwrap_or_default());
        let (run, ticket) = (run.to_string(), result.ticket.map(|ticket| ticket.to_string()));
        self.main
            .write(move |connection| {
                // Statement by statement: SQLite would prepare one with subqueries anew for each result.
                let run: i64 =
                    connection.prepare_cached("SELECT key FROM runs WHERE id = ?1")?.query_row([run], |row| row.get(0))?;
                let place = params![run, result.kind.as_str(), result.cluster, result.case_id, result.repeat];
                let earlier: Option<(i64, i64)> = connection
                    .prepare_cached(
                        "SELECT coalesce(cost_nanousd, 0), coalesce(grading_nanousd, 0) FROM results
                         WHERE run = ?1 AND kind = ?2 AND cluster = ?3 AND case_id = ?4 AND repeat = ?5",
                    )?
                    .query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                let (earlier, earlier_grading) = earlier.unwrap_or_default();
                let cost = match (result.status, result.cost_nanousd) {
                    (CaseStatus::Errored, Some(NanoUsd::ZERO)) => Some(booked(connection, ticket.as_deref())?),
                    (_, cost) => cost,
                };
                let with_earlier = cost.map(|cost| cost.0 + earlier);
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO results (run, kind, cluster, case_id, repeat, status, score, weight, answerable,
                         critical, tags, question, expected, answer, citations, refused, confidence, path, model, latency_ms,
                         cost_nanousd, input_tokens, output_tokens, calls, grades, error, ticket, replayed, retrieve_ms, escalated, grading_nanousd)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,
                         ?15, ?16, ?17, ?18, ?19, ?20,
                         ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)",
                    )?
                    .execute(params![
                        run,
                        result.kind.as_str(),
                        result.cluster,
                        result.case_id,
                        result.repeat,
                        match result.status {
                            CaseStatus::Answered => "answered",
                            CaseStatus::Errored => "errored",
                        },
                        result.score,
                        result.weight,
                        result.answerable,
                        result.critical,
                        tags,
                        result.question,
                        expected,
                        result.answer,
                        citations,
                        result.refused,
                        result.confidence,
                        result.path.map(AnswerPath::as_str),
                        result.model,
                        result.latency_ms,
                        with_earlier,
                        result.usage.input.0,
                        result.usage.output.0,
                        result.calls,
                        grades,
                        result.error,
                        ticket,
                        result.replayed,
                        result.retrieve_ms,
                        result.escalated,
                        result.grading_nanousd.map(|cost| cost.0 + earlier_grading),
                    ])?;
                if let (Some(ticket), Some(score)) = (&ticket, result.score) {
                    connection
                        .prepare_cached("UPDATE outcomes SET score = ?2 WHERE ticket = ?1")?
                        .execute(params![ticket, score])?;
                }
                Ok(cost)
            })
            .await
    }

    /// Whether this repeat of this case already has an answer in the run.
    pub fn is_answered(
        &self,
        run: RunId,
        kind: CaseKind,
        cluster: &str,
        case: &str,
        repeat: u32,
    ) -> Result<bool, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM results WHERE run = (SELECT key FROM runs WHERE id = ?1) AND kind = ?2 AND cluster = ?3
                 AND case_id = ?4 AND repeat = ?5 AND status = 'answered'",
            )?;
            Ok(statement.exists(params![run.to_string(), kind.as_str(), cluster, case, repeat])?)
        })
    }

    /// Visits a run's results of one kind, ordered by cluster, case and repeat, one at a time.
    pub fn for_each_result<E: From<StoreError>>(
        &self,
        run: RunId,
        kind: CaseKind,
        mut visit: impl FnMut(CaseResult) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut stopped = None;
        self.main.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM results WHERE run = (SELECT key FROM runs WHERE id = ?1) AND kind = ?2
                 ORDER BY cluster, case_id, repeat"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([run.to_string().as_str(), kind.as_str()])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = visit(read_result(row)?) {
                    stopped = Some(error);
                    break;
                }
            }
            Ok(())
        })?;
        stopped.map_or(Ok(()), Err)
    }

    /// One result, when there is one.
    pub fn result(&self, run: RunId, case: &str, repeat: u32) -> Result<Option<CaseResult>, StoreError> {
        self.main.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM results WHERE run = (SELECT key FROM runs WHERE id = ?1) AND kind = 'case'
                 AND case_id = ?2 AND repeat = ?3"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row(params![run.to_string(), case, repeat], read_result).optional()?)
        })
    }

    /// Sums over a run's rows.
    pub fn run_totals(&self, run: RunId) -> Result<RunTotals, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT coalesce(sum(kind = 'case'), 0), coalesce(sum(kind = 'case' AND status = 'errored'), 0),
                 sum(score * weight) FILTER (WHERE kind = 'case'),
                 sum(weight) FILTER (WHERE kind = 'case' AND score IS NOT NULL),
                 coalesce(sum(coalesce(cost_nanousd, 0) + coalesce(grading_nanousd, 0)), 0),
                 coalesce(sum(cost_nanousd IS NULL OR grading_nanousd IS NULL), 0) > 0
                 FROM results WHERE run = (SELECT key FROM runs WHERE id = ?1)",
            )?;
            Ok(statement.query_row([run.to_string()], |row| {
                let (score, weight): (Option<f64>, Option<f64>) = (row.get(2)?, row.get(3)?);
                Ok(RunTotals {
                    results: row.get(0)?,
                    errored: row.get(1)?,
                    score: score.zip(weight).filter(|(_, weight)| *weight > 0.0).map(|(score, weight)| score / weight),
                    cost: NanoUsd(row.get(4)?),
                    cost_incomplete: row.get(5)?,
                })
            })?)
        })
    }
}

impl Store {
    /// What a run's own cases took: by the ledger, or by the stored results where nothing was booked, as in a replay.
    pub fn run_spend(&self, run: RunId, resolved_score: f64) -> Result<RunSpend, StoreError> {
        let of_run = "run = (SELECT key FROM runs WHERE id = ?1) AND kind = 'case'";
        self.main.read(|connection| {
            let (tickets, resolved, cost) = connection.query_row(
                &format!(
                    "SELECT count(*), coalesce(sum(status = 'answered' AND NOT refused AND error IS NULL
                     AND coalesce(score, 1.0) >= ?2), 0),
                     CASE WHEN sum(cost_nanousd IS NULL) = 0 THEN sum(cost_nanousd) END FROM results WHERE {of_run}"
                ),
                params![run.to_string(), resolved_score],
                |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?.map(NanoUsd))),
            )?;
            let read = |sql: &str| {
                let mut statement = connection.prepare(sql)?;
                let rows = statement.query_map([run.to_string()], |row| {
                    let usage = Usage::new(row.get(2)?, row.get(3)?);
                    Ok((row.get::<_, String>(0)?, row.get(1)?, usage, row.get::<_, Option<i64>>(4)?.map(NanoUsd)))
                })?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            };
            let booked = read(&format!(
                "SELECT r.model, count(*), coalesce(sum(s.input_tokens), 0), coalesce(sum(s.output_tokens), 0), sum(s.charged)
                 FROM results JOIN reservations r ON r.ticket = results.ticket
                 JOIN settlements s ON s.reservation = r.key WHERE {of_run} AND s.state <> 'voided'
                 GROUP BY r.model ORDER BY r.model"
            ))?;
            if booked.is_empty() {
                let models = read(&format!(
                    "SELECT coalesce(model, 'unknown'), sum(calls), sum(input_tokens), sum(output_tokens),
                     CASE WHEN sum(cost_nanousd IS NULL) = 0 THEN sum(cost_nanousd) END
                     FROM results WHERE {of_run} AND calls > 0 GROUP BY model ORDER BY model"
                ))?;
                return Ok(RunSpend { tickets, resolved, models, cost });
            }
            let cost = booked.iter().map(|(.., cost)| *cost).sum::<Option<NanoUsd>>();
            Ok(RunSpend { tickets, resolved, models: booked, cost })
        })
    }
}

/// What the ledger has booked for a ticket.
fn booked(connection: &Connection, ticket: Option<&str>) -> Result<NanoUsd, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(s.charged), 0) FROM reservations r JOIN settlements s ON s.reservation = r.key
         WHERE r.ticket = ?1",
    )?;
    Ok(statement.query_row([ticket], |row| row.get(0).map(NanoUsd))?)
}

fn read_result(row: &Row<'_>) -> rusqlite::Result<CaseResult> {
    Ok(CaseResult {
        kind: match row.get_ref(0)?.as_str().unwrap_or_default() {
            "floor" => CaseKind::Floor,
            "ceiling" => CaseKind::Ceiling,
            _ => CaseKind::Case,
        },
        cluster: row.get(1)?,
        case_id: row.get(2)?,
        repeat: row.get(3)?,
        status: match row.get_ref(4)?.as_str().unwrap_or_default() {
            "answered" => CaseStatus::Answered,
            _ => CaseStatus::Errored,
        },
        score: row.get(5)?,
        weight: row.get(6)?,
        answerable: row.get(7)?,
        critical: row.get(8)?,
        tags: json(row, 9)?,
        question: row.get(10)?,
        expected: json(row, 11)?,
        answer: row.get(12)?,
        citations: json(row, 13)?,
        refused: row.get(14)?,
        confidence: row.get(15)?,
        path: row
            .get::<_, Option<String>>(16)?
            .and_then(|stored| AnswerPath::ALL.into_iter().find(|path| path.as_str() == stored)),
        model: row.get(17)?,
        latency_ms: row.get(18)?,
        cost_nanousd: row.get::<_, Option<i64>>(19)?.map(NanoUsd),
        usage: Usage::new(row.get(20)?, row.get(21)?),
        calls: row.get(22)?,
        grades: json(row, 23)?,
        error: row.get(24)?,
        ticket: row.get::<_, Option<String>>(25)?.and_then(|ticket| ticket.parse().ok()),
        replayed: row.get(26)?,
        retrieve_ms: row.get(27)?,
        escalated: row.get(28)?,
        grading_nanousd: row.get::<_, Option<i64>>(29)?.map(NanoUsd),
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str().unwrap_or_default();
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}
