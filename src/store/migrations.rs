use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};

use super::{Store, StoreError};
use crate::domain::{ContentHash, UnreadableId, VerdictId};

/// A migration that was applied, or taken back: one entry of a log that only grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationChange {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it was applied or taken back.
    pub direction: MigrationDirection,
    /// The migration's number.
    pub number: u32,
    /// The rest of its file's name.
    pub slug: String,
    /// SHA-256 of its file when it was applied.
    pub checksum: ContentHash,
    /// Hash of the release that the change made live.
    pub release_hash: ContentHash,
    /// SHA-256 of the file of each prompt of that release, by label: `answer@v2`.
    pub prompts: BTreeMap<String, ContentHash>,
    /// The verdict that let it through; `None` where none was needed, or it was forced.
    pub verdict: Option<VerdictId>,
    /// Who applied it without a verdict that it needed.
    pub forced_by: Option<String>,
    /// Why it was forced, needed no verdict, or was taken back.
    pub reason: Option<String>,
}

/// Which way a change of the live release goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MigrationDirection {
    /// A migration was applied.
    Up,
    /// It was taken back.
    Down,
}

impl MigrationDirection {
    /// The name used in reports and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Why migrations were not recorded as applied or taken back.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MigrationChangeError {
    /// Another process was faster; nothing was written.
    #[error("another process has changed which migrations are applied")]
    Superseded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MigrationChangeError {
    /// The next step to suggest to the user.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Superseded => Some("`tollgate migrate status` shows what is applied now"),
            Self::Store(error) => error.hint(),
        }
    }
}

impl Store {
    /// Every migration that was applied or taken back, in the order in which that happened.
    pub fn migration_changes(&self) -> Result<Vec<MigrationChange>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT at_ms, direction, number, slug, checksum, release_hash, prompts, verdict, forced_by, reason
                 FROM migration_changes ORDER BY key",
            )?;
            let rows = statement.query_map([], read)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Adds changes to the log, all or none, unless it has grown beyond the `seen` ones that the caller knows of: so two
    /// processes that start from the same state cannot both change it.
    pub async fn change_migrations(
        &self,
        changes: Vec<MigrationChange>,
        seen: usize,
    ) -> Result<(), MigrationChangeError> {
        let is_added = self
            .main
            .write(move |connection| {
                // Nothing is ever deleted, so the count tells whether anything was added.
                let count: i64 =
                    connection.query_row("SELECT count(*) FROM migration_changes", [], |row| row.get(0))?;
                if usize::try_from(count) != Ok(seen) {
                    return Ok(false);
                }
                for change in &changes {
                    insert(connection, change)?;
                }
                Ok(true)
            })
            .await?;
        if is_added { Ok(()) } else { Err(MigrationChangeError::Superseded) }
    }
}

fn insert(connection: &Connection, change: &MigrationChange) -> Result<(), StoreError> {
    let prompts =
        serde_json::to_string(&change.prompts).map_err(|error| StoreError::Failed { reason: error.to_string() })?;
    connection.execute(
        "INSERT INTO migration_changes
         (at_ms, direction, number, slug, checksum, release_hash, prompts, verdict, forced_by, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            change.at_ms,
            change.direction.as_str(),
            change.number,
            change.slug,
            change.checksum.as_str(),
            change.release_hash.as_str(),
            prompts,
            change.verdict.map(|verdict| verdict.to_string()),
            change.forced_by,
            change.reason,
        ],
    )?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<MigrationChange> {
    let unreadable = |column: usize, error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
    };
    let prompts = serde_json::from_str(row.get_ref(6)?.as_str()?).map_err(|error| unreadable(6, error.into()))?;
    let verdict: Option<String> = row.get(7)?;
    Ok(MigrationChange {
        at_ms: row.get(0)?,
        direction: if row.get_ref(1)?.as_str()? == MigrationDirection::Up.as_str() {
            MigrationDirection::Up
        } else {
            MigrationDirection::Down
        },
        number: row.get(2)?,
        slug: row.get(3)?,
        checksum: ContentHash::from_stored(row.get(4)?),
        release_hash: ContentHash::from_stored(row.get(5)?),
        prompts,
        verdict: verdict.map(|id| id.parse().map_err(|error: UnreadableId| unreadable(7, error.into()))).transpose()?,
        forced_by: row.get(8)?,
        reason: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{IdSource, ManualClock};

    fn change(number: u32, direction: MigrationDirection) -> MigrationChange {
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        MigrationChange {
            at_ms: 1_000 + i64::from(number),
            direction,
            number,
            slug: "shorter".to_owned(),
            checksum: ContentHash::of(b"file"),
            release_hash: ContentHash::of(b"release"),
            prompts: BTreeMap::from([("answer@v2".to_owned(), ContentHash::of(b"prompt"))]),
            verdict: Some(IdSource::seeded(1).next(&clock)),
            forced_by: None,
            reason: Some("it is \"better\"".to_owned()),
        }
    }

    #[tokio::test]
    async fn changes_come_back_as_they_were_written_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("t.db")).unwrap();
        assert_eq!(store.migration_changes().unwrap(), []);
        let forced =
            MigrationChange { verdict: None, forced_by: Some("ann".into()), ..change(2, MigrationDirection::Up) };
        let written = vec![change(1, MigrationDirection::Up), forced, change(2, MigrationDirection::Down)];
        store.change_migrations(written.clone(), 0).await.unwrap();
        assert_eq!(store.migration_changes().unwrap(), written);
    }

    #[tokio::test]
    async fn of_two_writers_who_saw_the_same_only_one_migrates() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let (one, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
        let (first, second) = tokio::join!(
            one.change_migrations(vec![change(1, MigrationDirection::Up)], 0),
            other.change_migrations(vec![change(1, MigrationDirection::Up)], 0)
        );
        assert_eq!([&first, &second].iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!([first, second].iter().any(|outcome| matches!(outcome, Err(MigrationChangeError::Superseded))));
        assert_eq!(one.migration_changes().unwrap().len(), 1);
        // Whoever looks again may go on.
        other.change_migrations(vec![change(2, MigrationDirection::Up)], 1).await.unwrap();
        assert_eq!(
            one.migration_changes().unwrap(),
            [change(1, MigrationDirection::Up), change(2, MigrationDirection::Up)]
        );
    }

    #[tokio::test]
    async fn the_log_can_only_grow() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("t.db")).unwrap();
        store.change_migrations(vec![change(1, MigrationDirection::Up)], 0).await.unwrap();
        for statement in ["DELETE FROM migration_changes", "UPDATE migration_changes SET forced_by = NULL"] {
            let refused = store.main.write(move |connection| Ok(connection.execute(statement, [])?)).await;
            assert!(refused.unwrap_err().to_string().contains("append-only"));
        }
    }
}
