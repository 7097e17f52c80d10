use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use crate::domain::{ContentHash, Hasher, TENANT_SHARED};

/// A document as it stands in the knowledge base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// Who may read it: a tenant, or `shared`.
    pub scope: String,
    /// Its path relative to the project.
    pub id: String,
    /// The name of the source it came from.
    pub source: String,
    /// Its title.
    pub title: String,
    /// Hash of the bytes it was read from.
    pub content_hash: ContentHash,
    /// How those bytes were read: version of the reader and its settings.
    pub reading: String,
    /// Size of the file.
    pub bytes: u64,
    /// When the file was last modified, milliseconds since 1970; 0 when unknown.
    pub modified_ms: i64,
    /// Number of words in its chunks.
    pub words: u64,
    /// When it was ingested, milliseconds since 1970.
    pub ingested_ms: i64,
    /// Whether a person removed it: it stays out until its content changes.
    pub removed: bool,
}

/// One chunk of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRow {
    /// Who may read it.
    pub scope: String,
    /// `<document>#<anchor>`.
    pub id: String,
    /// The document's id.
    pub document: String,
    /// The headings above it, joined by ` > `.
    pub heading: String,
    /// What it says.
    pub body: String,
    /// Hash of heading and body.
    pub content_hash: ContentHash,
    /// Number of words in the body.
    pub words: u64,
}

/// One step of bringing the knowledge base up to date.
#[derive(Debug, Clone)]
pub enum DocumentChange {
    /// A new document, or new content of a known one; replaces all its chunks.
    Put(DocumentRow, Vec<ChunkRow>),
    /// The document is gone from its source.
    Delete {
        /// Its scope.
        scope: String,
        /// Its id.
        id: String,
    },
    /// A person took it out; remembered so that it does not come back by itself.
    Remove {
        /// Its scope.
        scope: String,
        /// Its id.
        id: String,
    },
}

/// What the knowledge base holds of one source in one scope.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct SourceSummary {
    /// The source's name.
    pub source: String,
    /// The scope its documents belong to.
    pub tenant: String,
    /// Number of documents.
    pub documents: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Number of words.
    pub words: u64,
    /// When the latest of them was ingested, milliseconds since 1970.
    pub last_ingest_ms: i64,
}

impl Store {
    /// Applies `changes` in one transaction and returns the new version of all knowledge.
    ///
    /// # Errors
    /// Whatever the commit failed with; then nothing was changed.
    pub async fn change_documents(&self, changes: Vec<DocumentChange>) -> Result<ContentHash, StoreError> {
        self.main
            .write(move |connection| {
                for change in &changes {
                    apply(connection, change)?;
                }
                renew_versions(connection)?;
                version_of(connection, None)
            })
            .await
    }

    /// Every known document, removed ones too, ordered by scope and id.
    pub fn documents(&self) -> Result<Vec<DocumentRow>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT scope, id, source, title, content_hash, reading, bytes, modified_ms, words, ingested_ms, removed
                 FROM documents ORDER BY scope, id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(DocumentRow {
                    scope: row.get(0)?,
                    id: row.get(1)?,
                    source: row.get(2)?,
                    title: row.get(3)?,
                    content_hash: ContentHash::from_stored(row.get(4)?),
                    reading: row.get(5)?,
                    bytes: row.get(6)?,
                    modified_ms: row.get(7)?,
                    words: row.get(8)?,
                    ingested_ms: row.get(9)?,
                    removed: row.get(10)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Visits every chunk, document by document.
    pub fn for_each_chunk(&self, mut visit: impl FnMut(ChunkRow)) -> Result<(), StoreError> {
        self.main.read(|connection| {
            let sql = format!("SELECT {CHUNK_COLUMNS} FROM chunks ORDER BY scope, document, position");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                visit(chunk(row)?);
            }
            Ok(())
        })
    }

    /// The chunks with these ids that `tenant` may read, in the order asked for; unknown ones are left out.
    pub fn chunks(&self, tenant: &str, ids: &[&str]) -> Result<Vec<ChunkRow>, StoreError> {
        self.main.read(|connection| {
            let sql = format!(
                "SELECT {CHUNK_COLUMNS} FROM chunks WHERE id = ?1 AND scope IN (?2, ?3) ORDER BY scope = ?3 DESC LIMIT 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                found.extend(statement.query_row([id, TENANT_SHARED, tenant], chunk).optional()?);
            }
            Ok(found)
        })
    }

    /// The chunks of a document (`docs/x.md`), or the one chunk (`docs/x.md#anchor`), that `tenant` may read.
    pub fn chunks_of(&self, tenant: &str, document_or_chunk: &str) -> Result<Vec<ChunkRow>, StoreError> {
        self.main.read(|connection| {
            let sql = format!(
                "SELECT {CHUNK_COLUMNS} FROM chunks WHERE (document = ?1 OR id = ?1) AND scope IN (?2, ?3)
                 ORDER BY scope, document, position"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([document_or_chunk, TENANT_SHARED, tenant], chunk)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The chunks of a document in whatever scope it is, in order.
    pub fn document_chunks(&self, document: &str) -> Result<Vec<ChunkRow>, StoreError> {
        self.main.read(|connection| {
            let sql = format!("SELECT {CHUNK_COLUMNS} FROM chunks WHERE document = ?1 ORDER BY scope, position");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map([document], chunk)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Ids of all chunks that `tenant` may read, sorted.
    pub fn chunk_ids(&self, tenant: &str) -> Result<Vec<String>, StoreError> {
        self.main.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT DISTINCT id FROM chunks WHERE scope IN (?1, ?2) ORDER BY id")?;
            let rows = statement.query_map([TENANT_SHARED, tenant], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The version of the knowledge that `tenant` may read (of all knowledge when `None`): it changes exactly when a chunk does.
    pub fn knowledge_version(&self, tenant: Option<&str>) -> Result<ContentHash, StoreError> {
        self.main.read(|connection| version_of(connection, tenant))
    }

    /// What the knowledge base holds, by source and scope.
    pub fn knowledge_summary(&self) -> Result<Vec<SourceSummary>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT source, scope, count(*), sum(chunks), sum(words), max(ingested_ms)
                 FROM documents WHERE removed = 0 GROUP BY source, scope ORDER BY source, scope",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(SourceSummary {
                    source: row.get(0)?,
                    tenant: row.get(1)?,
                    documents: row.get(2)?,
                    chunks: row.get(3)?,
                    words: row.get(4)?,
                    last_ingest_ms: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

const CHUNK_COLUMNS: &str = "scope, id, document, heading, body, content_hash, words";

fn chunk(row: &rusqlite::Row<'_>) -> rusqlite::Result<ChunkRow> {
    Ok(ChunkRow {
        scope: row.get(0)?,
        id: row.get(1)?,
        document: row.get(2)?,
        heading: row.get(3)?,
        body: row.get(4)?,
        content_hash: ContentHash::from_stored(row.get(5)?),
        words: row.get(6)?,
    })
}

fn apply(connection: &Connection, change: &DocumentChange) -> Result<(), StoreError> {
    let (scope, id) = match change {
        DocumentChange::Put(document, _) => (&document.scope, &document.id),
        DocumentChange::Delete { scope, id } | DocumentChange::Remove { scope, id } => (scope, id),
    };
    connection.prepare_cached("DELETE FROM chunks WHERE scope = ?1 AND document = ?2")?.execute([scope, id])?;
    match change {
        DocumentChange::Put(document, chunks) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO documents
                     (scope, id, source, title, content_hash, reading, bytes, modified_ms, chunks, words, ingested_ms, removed)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                )?
                .execute(params![
                    document.scope,
                    document.id,
                    document.source,
                    document.title,
                    document.content_hash.as_str(),
                    document.reading,
                    document.bytes,
                    document.modified_ms,
                    chunks.len(),
                    document.words,
                    document.ingested_ms,
                    document.removed,
                ])?;
            let mut insert = connection.prepare_cached(
                "INSERT INTO chunks (scope, id, document, position, heading, body, content_hash, words)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            for (position, chunk) in chunks.iter().enumerate() {
                insert.execute(params![
                    chunk.scope,
                    chunk.id,
                    chunk.document,
                    position,
                    chunk.heading,
                    chunk.body,
                    chunk.content_hash.as_str(),
                    chunk.words,
                ])?;
            }
        }
        DocumentChange::Delete { .. } => {
            connection.prepare_cached("DELETE FROM documents WHERE scope = ?1 AND id = ?2")?.execute([scope, id])?;
        }
        DocumentChange::Remove { .. } => {
            connection
                .prepare_cached("UPDATE documents SET removed = 1, chunks = 0, words = 0 WHERE scope = ?1 AND id = ?2")?
                .execute([scope, id])?;
        }
    }
    Ok(())
}

fn renew_versions(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM knowledge", [])?;
    let mut statement = connection.prepare("SELECT scope, id, content_hash FROM chunks ORDER BY scope, id")?;
    let mut rows = statement.query([])?;
    let mut scopes: Vec<(String, Hasher)> = Vec::new();
    while let Some(row) = rows.next()? {
        let scope = row.get_ref(0)?.as_str().unwrap_or_default();
        if scopes.last().is_none_or(|(last, _)| last != scope) {
            scopes.push((scope.to_owned(), Hasher::default()));
        }
        if let Some((_, hasher)) = scopes.last_mut() {
            hasher.field(row.get_ref(1)?.as_str().unwrap_or_default());
            hasher.field(row.get_ref(2)?.as_str().unwrap_or_default());
        }
    }
    for (scope, hasher) in scopes {
        connection
            .prepare_cached("INSERT INTO knowledge (scope, version) VALUES (?1, ?2)")?
            .execute([scope.as_str(), hasher.finish().as_str()])?;
    }
    Ok(())
}

fn version_of(connection: &Connection, tenant: Option<&str>) -> Result<ContentHash, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT scope, version FROM knowledge WHERE ?1 IS NULL OR scope IN (?1, ?2) ORDER BY scope")?;
    let mut rows = statement.query(params![tenant, TENANT_SHARED])?;
    let mut hasher = Hasher::default();
    while let Some(row) = rows.next()? {
        hasher.field(row.get_ref(0)?.as_str().unwrap_or_default());
        hasher.field(row.get_ref(1)?.as_str().unwrap_or_default());
    }
    Ok(hasher.finish())
}
