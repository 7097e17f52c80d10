use rusqlite::params;

use super::{Store, StoreError};

/// What is known of a case that may be flaky: one row of the registry.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseNoiseRow {
    /// The case.
    pub case_id: String,
    /// When a run first asked it more than once, in milliseconds since 1970.
    pub first_seen_ms: i64,
    /// When a run last did.
    pub last_seen_ms: i64,
    /// Runs that asked it more than once.
    pub runs: u64,
    /// Of these, runs in which some repeats passed and some did not.
    pub flipped_runs: u64,
    /// Until when its flips fail no gate; `None` when it is not in quarantine.
    pub quarantined_until_ms: Option<i64>,
    /// Why it is, or was, in quarantine.
    pub reason: Option<String>,
}

impl Store {
    /// Notes for each case of a run whether its repeats disagreed.
    pub async fn note_noise(&self, gold_set: String, at_ms: i64, cases: Vec<(String, bool)>) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                let mut statement = connection.prepare_cached(
                    "INSERT INTO case_noise (gold_set, case_id, first_seen_ms, last_seen_ms, runs, flipped_runs)
                     VALUES (?1, ?2, ?3, ?3, 1, ?4) ON CONFLICT (gold_set, case_id) DO UPDATE SET
                     last_seen_ms = excluded.last_seen_ms, runs = runs + 1, flipped_runs = flipped_runs + excluded.flipped_runs",
                )?;
                for (case, flipped) in &cases {
                    statement.execute(params![gold_set, case, at_ms, flipped])?;
                }
                Ok(())
            })
            .await
    }

    /// Puts a case into quarantine until a time, or (without one) takes it out.
    pub async fn quarantine(
        &self,
        gold_set: String,
        case: String,
        at_ms: i64,
        until_ms: Option<i64>,
        reason: String,
    ) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "INSERT INTO case_noise (gold_set, case_id, first_seen_ms, last_seen_ms, runs, flipped_runs,
                         quarantined_until_ms, reason) VALUES (?1, ?2, ?3, ?3, 0, 0, ?4, ?5)
                         ON CONFLICT (gold_set, case_id) DO UPDATE SET
                         quarantined_until_ms = excluded.quarantined_until_ms, reason = excluded.reason",
                    )?
                    .execute(params![gold_set, case, at_ms, until_ms, reason])?;
                Ok(())
            })
            .await
    }

    /// The registry of a gold set: cases whose repeats ever disagreed, and cases that were ever in quarantine.
    pub fn noise(&self, gold_set: &str) -> Result<Vec<CaseNoiseRow>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT case_id, first_seen_ms, last_seen_ms, runs, flipped_runs, quarantined_until_ms, reason
                 FROM case_noise WHERE gold_set = ?1 AND (flipped_runs > 0 OR reason IS NOT NULL)
                 ORDER BY flipped_runs DESC, case_id",
            )?;
            let rows = statement.query_map([gold_set], |row| {
                Ok(CaseNoiseRow {
                    case_id: row.get(0)?,
                    first_seen_ms: row.get(1)?,
                    last_seen_ms: row.get(2)?,
                    runs: row.get(3)?,
                    flipped_runs: row.get(4)?,
                    quarantined_until_ms: row.get(5)?,
                    reason: row.get(6)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
