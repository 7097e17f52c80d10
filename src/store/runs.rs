use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::domain::{ContentHash, RunId};

/// One replay of a gold set, as stored. Its scores are not here: they are derived from its results.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// The run's id.
    pub id: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// When it was first started, RFC 3339.
    pub started_at: String,
    /// When it ended; `None` while it runs or after a crash.
    pub finished_at: Option<String>,
    /// The gold set's name.
    pub gold_set: String,
    /// Where the gold set was read from, as given.
    pub gold_path: String,
    /// Hash of the gold set's content.
    pub gold_hash: ContentHash,
    /// Number of the release it was replayed against.
    pub release_number: u32,
    /// Hash of that release.
    pub release_hash: ContentHash,
    /// Case repeats that were to be issued.
    pub planned: u64,
    /// Everything else that is needed to repeat it, as JSON.
    pub details: String,
}

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Under way, or its process died.
    Running,
    /// Every planned case has a result.
    Complete,
    /// Stopped by a person; can be resumed.
    Interrupted,
    /// Stopped at its spend limit; can be resumed with a higher one.
    Stopped,
}

impl RunStatus {
    /// The name used in reports and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
            Self::Stopped => "stopped",
        }
    }

    fn from_stored(text: &str) -> Self {
        match text {
            "complete" => Self::Complete,
            "interrupted" => Self::Interrupted,
            "stopped" => Self::Stopped,
            _ => Self::Running,
        }
    }
}

const COLUMNS: &str = "id, status, started_at, finished_at, gold_set, gold_path, gold_hash, release_number, \
                       release_hash, planned, details";

impl Store {
    /// Stores a new run.
    pub async fn start_run(&self, run: RunRow) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                let sql = format!("INSERT INTO runs ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
                connection.prepare_cached(&sql)?.execute(params![
                    run.id.to_string(),
                    run.status.as_str(),
                    run.started_at,
                    run.finished_at,
                    run.gold_set,
                    run.gold_path,
                    run.gold_hash.as_str(),
                    run.release_number,
                    run.release_hash.as_str(),
                    run.planned,
                    run.details,
                ])?;
                Ok(())
            })
            .await
    }

    /// Records how far a run got.
    pub async fn end_run(&self, id: RunId, status: RunStatus, finished_at: Option<String>) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                connection
                    .prepare_cached("UPDATE runs SET status = ?2, finished_at = ?3 WHERE id = ?1")?
                    .execute(params![id.to_string(), status.as_str(), finished_at])?;
                Ok(())
            })
            .await
    }

    /// The stored runs, latest first.
    pub fn runs(&self, limit: u64) -> Result<Vec<RunRow>, StoreError> {
        self.main.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM runs ORDER BY started_at DESC, key DESC LIMIT ?1");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([limit], run)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The run that `wanted` names: an id, the beginning or end of one (with or without `run_`), or `latest`.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`] when none or several match.
    pub fn find_run(&self, wanted: &str) -> Result<RunRow, StoreError> {
        self.main.read(|connection| {
            if wanted == "latest" {
                let sql = format!("SELECT {COLUMNS} FROM runs ORDER BY started_at DESC, key DESC LIMIT 1");
                let latest = connection.prepare_cached(&sql)?.query_row([], run).optional()?;
                return latest.ok_or_else(|| StoreError::NoSuchRun { wanted: wanted.to_owned(), matches: 0 });
            }
            let digits = wanted.strip_prefix(RunId::PREFIX).unwrap_or(wanted);
            let plain = !wanted.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let mut found = Vec::new();
            if plain {
                let sql = format!("SELECT {COLUMNS} FROM runs WHERE id LIKE ?1 OR id LIKE ?2 LIMIT 3");
                let mut statement = connection.prepare_cached(&sql)?;
                let patterns = [format!("{}{digits}%", RunId::PREFIX), format!("%{digits}")];
                found = statement.query_map(patterns, run)?.collect::<Result<Vec<_>, _>>()?;
            }
            match (found.pop(), found.len()) {
                (Some(only), 0) => Ok(only),
                (other, rest) => Err(StoreError::NoSuchRun {
                    wanted: wanted.to_owned(),
                    matches: rest + usize::from(other.is_some()),
                }),
            }
        })
    }

    /// Deletes runs and their results.
    pub async fn delete_runs(&self, ids: Vec<RunId>) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                for id in &ids {
                    connection.prepare_cached("DELETE FROM runs WHERE id = ?1")?.execute([id.to_string()])?;
                }
                Ok(())
            })
            .await
    }
}

fn run(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: row.get::<_, String>(0)?.parse().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
        })?,
        status: RunStatus::from_stored(row.get_ref(1)?.as_str().unwrap_or_default()),
        started_at: row.get(2)?,
        finished_at: row.get(3)?,
        gold_set: row.get(4)?,
        gold_path: row.get(5)?,
        gold_hash: ContentHash::from_stored(row.get(6)?),
        release_number: row.get(7)?,
        release_hash: ContentHash::from_stored(row.get(8)?),
        planned: row.get(9)?,
        details: row.get(10)?,
    })
}
