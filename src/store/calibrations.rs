use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::domain::ContentHash;

impl Store {
    /// Keeps how a judge compared with people's labels, as JSON. Earlier calibrations stay.
    pub async fn record_calibration(&self, judge: ContentHash, at_ms: i64, body: String) -> Result<(), StoreError> {
        self.main
            .write(move |connection| {
                connection
                    .prepare_cached("INSERT INTO calibrations (judge, at_ms, body) VALUES (?1, ?2, ?3)")?
                    .execute(params![judge.as_str(), at_ms, body])?;
                Ok(())
            })
            .await
    }

    /// The latest calibration of this very judge, as JSON; `None` when there was none.
    pub fn latest_calibration(&self, judge: &ContentHash) -> Result<Option<String>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT body FROM calibrations WHERE judge = ?1 ORDER BY at_ms DESC, key DESC LIMIT 1",
            )?;
            Ok(statement.query_row([judge.as_str()], |row| row.get(0)).optional()?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_latest_calibration_of_the_very_judge_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("t.db")).unwrap();
        let (one, other) = (ContentHash::of(b"one"), ContentHash::of(b"other"));
        assert_eq!(store.latest_calibration(&one).unwrap(), None);
        for (judge, at_ms, body) in [(&one, 2, "new"), (&one, 1, "old"), (&other, 3, "of another")] {
            store.record_calibration(judge.clone(), at_ms, body.to_owned()).await.unwrap();
        }
        assert_eq!(store.latest_calibration(&one).unwrap().as_deref(), Some("new"));
    }
}
