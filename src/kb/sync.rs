use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::scan::{SourceFile, scan};
use super::{DocumentKind, ExtractError, IndexChunk, KbError, KnowledgeBase, chunk, extract};
use crate::domain::{ContentHash, nearest};
use crate::store::{ChunkRow, DocumentChange, DocumentRow};

/// Version of the way documents are read; a change reads all of them again.
const READER: u32 = 3;
/// Chunks that one transaction carries, about.
const BATCH: usize = 5_000;
/// A file modified less than this before it was read may have changed again within the clock's grain: read it anew.
const GRAIN_MS: i64 = 2_000;
/// Whose lock a process holds while it changes documents or index.
pub(super) const LOCK_FILE: &str = "kb.lock";
/// How long to wait for another process that is updating the knowledge base.
const LOCK_WAIT: Duration = Duration::from_mins(1);

/// What bringing the knowledge base up to date came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SyncReport {
    /// Documents that are new.
    pub added: Vec<String>,
    /// Documents whose content, or the way it is read, has changed.
    pub changed: Vec<String>,
    /// Documents that are gone from their source.
    pub removed: Vec<String>,
    /// Number of documents that are as they were.
    pub unchanged: u64,
    /// Documents that could not be read; those known from before keep their old content.
    pub skipped: Vec<Skipped>,
    /// Parts of documents that could not be read, while the rest was.
    pub warnings: Vec<Skipped>,
    /// Chunks written.
    pub chunks_written: u64,
    /// Chunks in the index now.
    pub chunks: u64,
    /// Whether the index was built from scratch.
    pub rebuilt: bool,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Skipped {
    /// The document.
    pub document: String,
    /// Why.
    pub reason: String,
}

impl SyncReport {
    /// Whether anything is different from before.
    pub fn is_change(&self) -> bool {
        self.rebuilt || !(self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty())
    }
}

impl KnowledgeBase {
    /// Brings store and index up to date with the sources (all of them, or those named in `only`).
    ///
    /// Files are compared by content hash; a file whose size and time of modification are as they were is not read. A
    /// document that cannot be read is reported and keeps its old content. `progress` hears how many of how many files are done.
    ///
    /// # Errors
    /// A missing source is an error and removes nothing.
    pub async fn sync(
        &self,
        only: &[String],
        rebuild: bool,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<SyncReport, KbError> {
        let _lock = self.lock().await?;
        let files = scan(&self.root, self.chosen(only)?.into_iter())?;
        let known: HashMap<String, DocumentRow> =
            self.store.documents()?.into_iter().map(|document| (document.id.clone(), document)).collect();
        let before = self.store.knowledge_version(None)?;
        let mut report = SyncReport::default();
        let mut touched: Vec<String> = Vec::new();
        let mut batch = Batch::default();
        for (done, (id, file)) in files.iter().enumerate() {
            progress(done as u64, files.len() as u64);
            match self.read(id, file, known.get(id), rebuild) {
                Ok(Reading::Unchanged) => report.unchanged += 1,
                Ok(Reading::New(document, chunks, warnings)) => {
                    let list = if known.contains_key(id) { &mut report.changed } else { &mut report.added };
                    list.push(id.clone());
                    report.warnings.extend(warnings.into_iter().map(|reason| Skipped { document: id.clone(), reason }));
                    report.chunks_written += chunks.len() as u64;
                    touched.push(id.clone());
                    if let Some(old) = known.get(id).filter(|old| old.scope != document.scope) {
                        batch.push(DocumentChange::Delete { scope: old.scope.clone(), id: id.clone() });
                    }
                    batch.push(DocumentChange::Put(*document, chunks));
                }
                Err(reason) => report.skipped.push(Skipped { document: id.clone(), reason }),
            }
            if batch.chunks >= BATCH {
                self.store.change_documents(std::mem::take(&mut batch).changes).await?;
            }
        }
        for document in known.values().filter(|document| only.is_empty() || only.contains(&document.source)) {
            if !files.contains_key(&document.id) {
                batch.push(DocumentChange::Delete { scope: document.scope.clone(), id: document.id.clone() });
                touched.push(document.id.clone());
                report.removed.push(document.id.clone());
            }
        }
        report.removed.sort();
        if !batch.changes.is_empty() {
            self.store.change_documents(batch.changes).await?;
        }
        report.rebuilt = self.bring_index_up_to_date(&before, &touched, rebuild)?;
        report.chunks = self.index.chunk_count();
        progress(files.len() as u64, files.len() as u64);
        Ok(report)
    }

    /// Takes documents out of the knowledge base until their content changes.
    ///
    /// # Errors
    /// [`KbError::UnknownDocument`] names the first that is not there; then none was removed.
    pub async fn remove(&self, ids: &[String]) -> Result<(), KbError> {
        let _lock = self.lock().await?;
        let known: BTreeMap<String, DocumentRow> = self
            .store
            .documents()?
            .into_iter()
            .filter(|document| !document.removed)
            .map(|document| (document.id.clone(), document))
            .collect();
        let mut changes = Vec::new();
        for id in ids {
            let document = known.get(id).ok_or_else(|| KbError::UnknownDocument { id: id.clone() })?;
            changes.push(DocumentChange::Remove { scope: document.scope.clone(), id: id.clone() });
        }
        let before = self.store.knowledge_version(None)?;
        self.store.change_documents(changes).await?;
        self.bring_index_up_to_date(&before, ids, false)?;
        Ok(())
    }

    /// Whether the index holds exactly what the store holds.
    pub fn is_index_current(&self) -> Result<bool, KbError> {
        let indexed = std::fs::read_to_string(self.index_marker()).unwrap_or_default();
        Ok(indexed == self.store.knowledge_version(None)?.as_str())
    }

    /// The file that names the knowledge version which the index holds; it goes away with the index.
    pub(super) fn index_marker(&self) -> PathBuf {
        self.store.directory().join("index/knowledge.version")
    }

    fn chosen(&self, only: &[String]) -> Result<Vec<(&String, &crate::config::SourceSettings)>, KbError> {
        let sources = &self.settings.sources;
        if only.is_empty() {
            return Ok(sources.iter().collect());
        }
        only.iter()
            .map(|name| {
                sources.get_key_value(name).ok_or_else(|| KbError::UnknownSource {
                    name: name.clone(),
                    nearest: nearest(name, sources.keys().map(String::as_str)).map(str::to_owned),
                })
            })
            .collect()
    }

    fn read(&self, id: &str, file: &SourceFile, known: Option<&DocumentRow>, rebuild: bool) -> Result<Reading, String> {
        if file.bytes > self.settings.max_document_bytes {
            let limit = self.settings.max_document_bytes;
            return Err(format!("{} bytes are more than `kb.max_document_bytes` = {limit}", file.bytes));
        }
        let reading = format!("v{READER}/{}/{}", self.settings.chunk_words, file.source);
        let same_reading = known.is_some_and(|known| known.reading == reading && known.scope == file.scope) && !rebuild;
        let untouched = |known: &DocumentRow| {
            known.bytes == file.bytes
                && known.modified_ms == file.modified_ms
                && known.ingested_ms.saturating_sub(known.modified_ms) > GRAIN_MS
        };
        if same_reading && known.is_some_and(untouched) {
            return Ok(Reading::Unchanged);
        }
        let bytes = std::fs::read(&file.path).map_err(|error| format!("cannot be read: {error}"))?;
        let content_hash = ContentHash::of(&bytes);
        let same_content = known.is_some_and(|known| known.content_hash == content_hash);
        if same_content && (same_reading || known.is_some_and(|known| known.removed)) {
            return Ok(Reading::Unchanged);
        }
        let extracted =
            extract(&bytes, DocumentKind::of(&file.path), id).map_err(|error: ExtractError| error.to_string())?;
        let row = |draft: super::ChunkDraft| ChunkRow {
            scope: file.scope.clone(),
            id: draft.id,
            document: id.to_owned(),
            heading: draft.heading,
            body: draft.text,
            content_hash: draft.hash,
            words: draft.words as u64,
        };
        let chunks: Vec<ChunkRow> = chunk(id, &extracted, self.settings.chunk_words).into_iter().map(row).collect();
        let document = DocumentRow {
            scope: file.scope.clone(),
            id: id.to_owned(),
            source: file.source.clone(),
            title: extracted.title,
            content_hash,
            reading,
            bytes: file.bytes,
            modified_ms: file.modified_ms,
            words: chunks.iter().map(|chunk| chunk.words).sum(),
            ingested_ms: self.clock.now().as_millisecond(),
            removed: false,
        };
        Ok(Reading::New(Box::new(document), chunks, extracted.warnings))
    }

    /// Returns whether the index was built from scratch: it is when it does not hold exactly what the store held before.
    fn bring_index_up_to_date(&self, before: &ContentHash, touched: &[String], rebuild: bool) -> Result<bool, KbError> {
        self.index.refresh()?;
        let marker = self.index_marker();
        let indexed = std::fs::read_to_string(&marker).ok();
        let now = self.store.knowledge_version(None)?;
        let in_step = indexed.as_deref() == Some(before.as_str()) && !rebuild;
        if in_step && touched.is_empty() {
            return Ok(false);
        }
        let write_marker = |version: &str| {
            std::fs::write(&marker, version).map_err(|source| KbError::Lock { path: marker.clone(), source })
        };
        // While the marker names no version, a crash leads to a rebuild.
        write_marker("")?;
        if in_step {
            let mut added = Vec::new();
            for id in touched {
                added.extend(self.store.document_chunks(id)?.into_iter().map(index_chunk));
            }
            self.index.update(added, touched)?;
        } else {
            let mut failed = Ok(());
            std::thread::scope(|scope| {
                // The store reads ahead while the index writes; the channel bounds what waits in between.
                let (sender, receiver) = std::sync::mpsc::sync_channel(256);
                let store = &self.store;
                let reader = scope.spawn(move || {
                    store.for_each_chunk(|chunk| {
                        // The other side hangs up only when it failed, and reports that.
                        let _ = sender.send(index_chunk(chunk));
                    })
                });
                failed = self.index.rebuild(receiver).map_err(KbError::from);
                match reader.join() {
                    Ok(read) => failed = std::mem::replace(&mut failed, Ok(())).and(read.map_err(KbError::from)),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            });
            failed?;
        }
        write_marker(now.as_str())?;
        Ok(!in_step)
    }

    /// The lock that only one process holds while it changes documents and index; released when dropped.
    async fn lock(&self) -> Result<File, KbError> {
        let path = self.store.directory().join(LOCK_FILE);
        let failed = |source| KbError::Lock { path: path.clone(), source };
        let file = File::create(&path).map_err(failed)?;
        let started = self.clock.monotonic();
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if self.clock.monotonic().saturating_sub(started) > LOCK_WAIT => {
                    return Err(KbError::Locked);
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        tracing::info!("waiting for another tollgate process that is updating the knowledge base");
                        told = true;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

enum Reading {
    Unchanged,
    New(Box<DocumentRow>, Vec<ChunkRow>, Vec<String>),
}

#[derive(Default)]
struct Batch {
    changes: Vec<DocumentChange>,
    chunks: usize,
}

impl Batch {
    fn push(&mut self, change: DocumentChange) {
        if let DocumentChange::Put(_, chunks) = &change {
            self.chunks += chunks.len();
        }
        self.changes.push(change);
    }
}

fn index_chunk(chunk: ChunkRow) -> IndexChunk {
    IndexChunk { id: chunk.id, document: chunk.document, scope: chunk.scope, heading: chunk.heading, text: chunk.body }
}
