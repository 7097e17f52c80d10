use rusqlite::{OptionalExtension, Row, params};

use super::{Store, StoreError};
use crate::domain::{ContentHash, Verdict, VerdictId};

/// A decision of a gate, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictRow {
    /// Its id.
    pub id: VerdictId,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: i64,
    /// What it came to.
    pub verdict: Verdict,
    /// Hash of the release that was compared with.
    pub baseline: ContentHash,
    /// Hash of the release that was to be let through.
    pub candidate: ContentHash,
    /// Hash of the gold set.
    pub gold: ContentHash,
    /// Hash of the policy and of whatever else it depends on.
    pub terms: ContentHash,
    /// The whole report, as JSON.
    pub body: String,
}

impl Store {
    /// Keeps a decision.
    pub async fn record_verdict(&self, row: VerdictRow) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO verdicts (id, at_ms, verdict, baseline_hash, candidate_hash, gold_hash, terms, body)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![
                        row.id.to_string(),
                        row.at_ms,
                        row.verdict.as_str(),
                        row.baseline.as_str(),
                        row.candidate.as_str(),
                        row.gold.as_str(),
                        row.terms.as_str(),
                        row.body,
                    ])?;
                Ok(())
            })
            .await
    }

    /// The latest decision whose id begins like this, with or without `verdict_`; of all decisions for an empty text.
    pub fn verdict(&self, beginning: &str) -> Result<Option<VerdictRow>, StoreError> {
        let digits = beginning.strip_prefix(VerdictId::PREFIX).unwrap_or(beginning);
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(None);
        }
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at_ms, verdict, baseline_hash, candidate_hash, gold_hash, terms, body FROM verdicts
                 WHERE id LIKE ?1 ORDER BY key DESC LIMIT 1",
            )?;
            Ok(statement.query_row([format!("{}{digits}%", VerdictId::PREFIX)], read).optional()?)
        })
    }

    /// The latest decision about exactly this pair of releases on this gold set under these terms.
    pub fn latest_verdict(
        &self,
        baseline: &ContentHash,
        candidate: &ContentHash,
        gold: &ContentHash,
        terms: &ContentHash,
    ) -> Result<Option<VerdictRow>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, at_ms, verdict, baseline_hash, candidate_hash, gold_hash, terms, body FROM verdicts
                 WHERE baseline_hash = ?1 AND candidate_hash = ?2 AND gold_hash = ?3 AND terms = ?4
                 ORDER BY key DESC LIMIT 1",
            )?;
            let key = params![baseline.as_str(), candidate.as_str(), gold.as_str(), terms.as_str()];
            Ok(statement.query_row(key, read).optional()?)
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<VerdictRow> {
    let hash = |column| row.get::<_, String>(column).map(ContentHash::from_stored);
    Ok(VerdictRow {
        id: row.get::<_, String>(0)?.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
        })?,
        at_ms: row.get(1)?,
        verdict: Verdict::from_stored(row.get_ref(2)?.as_str().unwrap_or_default()),
        baseline: hash(3)?,
        candidate: hash(4)?,
        gold: hash(5)?,
        terms: hash(6)?,
        body: row.get(7)?,
    })
}
