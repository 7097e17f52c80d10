use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};
use crate::domain::ContentHash;

/// An answer kept for the next time the same question is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedAnswer {
    /// The exact key: question, tenant, release and knowledge version.
    pub key: ContentHash,
    /// The tenant it was answered for.
    pub scope: String,
    /// When it was kept, milliseconds since 1970.
    pub stored_at_ms: i64,
    /// From when on it is no longer served.
    pub expires_at_ms: i64,
    /// The answer, as JSON.
    pub answer: String,
}

/// Expired answers that one insertion clears away at most.
const SWEEP: u32 = 16;

impl Store {
    /// The answer kept under `key` for `scope`, unless it has expired at `now_ms`.
    pub fn cached_answer(&self, scope: &str, key: &ContentHash, now_ms: i64) -> Result<Option<String>, StoreError> {
        self.cache.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT answer FROM answers WHERE key = ?1 AND scope = ?2 AND stored_at_ms <= ?3 AND expires_at_ms > ?3",
            )?;
            Ok(statement.query_row(params![key.as_str(), scope, now_ms], |row| row.get(0)).optional()?)
        })
    }

    /// Keeps an answer, and clears away a few that have expired.
    pub async fn cache_answer(&self, entry: CachedAnswer) -> Result<(), StoreError> {
        self.cache
            .write(move |connection| {
                connection
                    .prepare_cached(
                        "DELETE FROM answers WHERE key IN
                         (SELECT key FROM answers WHERE expires_at_ms <= ?1 ORDER BY expires_at_ms LIMIT ?2)",
                    )?
                    .execute(params![entry.stored_at_ms, SWEEP])?;
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO answers (key, scope, stored_at_ms, expires_at_ms, answer)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                    )?
                    .execute(params![
                        entry.key.as_str(),
                        entry.scope,
                        entry.stored_at_ms,
                        entry.expires_at_ms,
                        entry.answer
                    ])?;
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_served_to_its_own_scope_until_it_expires() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("t.db")).unwrap();
        let key = ContentHash::of(b"question");
        let entry = CachedAnswer {
            key: key.clone(),
            scope: "acme".into(),
            stored_at_ms: 1_000,
            expires_at_ms: 2_000,
            answer: "{}".into(),
        };
        store.cache_answer(entry).await.unwrap();
        assert_eq!(store.cached_answer("acme", &key, 1_500).unwrap().as_deref(), Some("{}"));
        assert_eq!(store.cached_answer("acme", &key, 2_000).unwrap(), None);
        assert_eq!(store.cached_answer("globex", &key, 1_500).unwrap(), None);
    }
}
