use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// Most commands that one commit carries.
const GROUP: usize = 256;
/// Commands that may wait for the writer before callers wait too.
const QUEUE: usize = 1024;
/// What is deferred waits so long for another write.
const LINGER: Duration = Duration::from_millis(250);
/// How long to wait for another process's write lock.
const BUSY: Duration = Duration::from_secs(10);

/// What survives a power loss.
#[derive(Clone, Copy)]
pub(super) enum Durability {
    /// Everything acknowledged.
    Full,
    /// Everything up to some recent moment; never a damaged database.
    Normal,
}

/// Tells the caller of one command how the group's commit went.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
/// Is handed the open transaction, or why there is none.
type Command = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Reply + Send>;

/// Commands that go with the next one that somebody waits for, or soon alone.
///
/// Whoever holds a copy can add to them for as long as the database is open; later ones come to nothing.
#[derive(Clone, Default)]
pub(super) struct Deferred(Arc<Mutex<Vec<Command>>>);

impl Deferred {
    /// Leaves `command` for the next write to take along, so that it costs no commit of its own: it is carried out before
    /// any command that is written later. Without another write that is [`LINGER`] later.
    ///
    /// It is lost when the process is killed before that; a failure is logged.
    pub(super) fn push(&self, command: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static) {
        let command = boxed(command, |outcome| {
            if let Err(error) = outcome {
                tracing::error!(%error, "a deferred write failed");
            }
        });
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(command);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn take(&self) -> Vec<Command> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One SQLite file with its writer thread and its readers.
pub(super) struct Database {
    commands: Option<mpsc::Sender<Command>>,
    deferred: Deferred,
    writer: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    path: PathBuf,
}

impl Database {
    pub(super) fn open(path: &Path, schema: &[&str], durability: Durability) -> Result<Self, StoreError> {
        let unusable = |error: rusqlite::Error| match StoreError::from(error) {
            StoreError::Failed { reason } => StoreError::Unusable { path: path.to_owned(), reason },
            other => other,
        };
        let mut connection = Connection::open(path).map_err(unusable)?;
        connection.busy_timeout(BUSY).map_err(unusable)?;
        let synchronous = match durability {
            Durability::Full => "FULL",
            Durability::Normal => "NORMAL",
        };
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA foreign_keys=ON;
                 PRAGMA cache_size=-8192; PRAGMA journal_size_limit=67108864;"
            ))
            .map_err(unusable)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrate(&mut connection, schema, path)?;
        let (commands, queue) = mpsc::channel(QUEUE);
        let deferred = Deferred::default();
        let failed = |error: std::io::Error| StoreError::Unusable { path: path.to_owned(), reason: error.to_string() };
        let timer = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let left = deferred.clone();
        let writer = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || timer.block_on(write_groups(&connection, &left, queue)))
            .map_err(failed)?;
        Ok(Self {
            commands: Some(commands),
            deferred,
            writer: Some(writer),
            readers: Mutex::default(),
            path: path.to_owned(),
        })
    }

    /// Runs `command` in the next group and returns what it returned, after COMMIT.
    ///
    /// A command that fails is rolled back alone; the others of its group are not touched.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let command = boxed(command, move |outcome| {
            // A caller that went away does not need the answer.
            let _ = sender.send(outcome);
        });
        let commands = self.commands.as_ref().ok_or(StoreError::Closed)?;
        commands.send(command).await.map_err(|_| StoreError::Closed)?;
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Deferred::push`].
    pub(super) fn defer(&self, command: impl FnOnce(&Connection) -> Result<(), StoreError> + Send + 'static) {
        self.deferred.push(command);
    }

    /// The commands that wait for the next write.
    pub(super) fn deferred(&self) -> &Deferred {
        &self.deferred
    }

    /// Runs `query` on a read-only connection that sees everything committed before.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => self.reader()?,
        };
        let outcome = query(&connection);
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        outcome
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }
}

/// A command whose outcome goes to `answer` once its group is committed.
fn boxed<T: Send + 'static>(
    command: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    answer: impl FnOnce(Result<T, StoreError>) + Send + 'static,
) -> Command {
    Box::new(move |connection| {
        let outcome = connection.and_then(|connection| in_savepoint(connection, command));
        Box::new(move |commit| answer(commit.and(outcome)))
    })
}

impl Drop for Database {
    fn drop(&mut self) {
        // The writer ends when it has carried out what is left.
        drop(self.commands.take());
        if let Some(writer) = self.writer.take() {
            // A panic of the writer was reported when it happened.
            let _ = writer.join();
        }
    }
}

fn in_savepoint<T>(
    connection: &Connection,
    command: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("SAVEPOINT command")?.execute([])?;
    let outcome = command(connection);
    if outcome.is_err() {
        connection.prepare_cached("ROLLBACK TO command")?.execute([])?;
    }
    connection.prepare_cached("RELEASE command")?.execute([])?;
    outcome
}

async fn write_groups(connection: &Connection, deferred: &Deferred, mut queue: mpsc::Receiver<Command>) {
    loop {
        let first = match tokio::time::timeout(LINGER, queue.recv()).await {
            Ok(Some(first)) => Some(first),
            Ok(None) if deferred.is_empty() => return,
            Err(_) if deferred.is_empty() => continue,
            Ok(None) | Err(_) => None,
        };
        write_group(connection, deferred, first, &mut queue);
    }
}

fn write_group(
    connection: &Connection,
    deferred: &Deferred,
    first: Option<Command>,
    queue: &mut mpsc::Receiver<Command>,
) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from) {
        tracing::error!(%error, "no write transaction could be begun");
        if let Some(first) = first {
            first(Err(error.clone()))(Err(error));
        } else if queue.is_closed() {
            // Nobody is left who could try again.
            for command in deferred.take() {
                command(Err(error.clone()))(Err(error.clone()));
            }
        }
        return;
    }
    let mut replies = Vec::new();
    let mut next = first;
    loop {
        // What was left before this command was written comes before it.
        replies.extend(deferred.take().into_iter().map(|left| left(Ok(connection))));
        match next.take() {
            Some(command) => replies.push(command(Ok(connection))),
            None => break,
        }
        if replies.len() < GROUP {
            next = queue.try_recv().ok();
        }
    }
    let committed = connection.execute_batch("COMMIT").map_err(StoreError::from);
    if let Err(error) = &committed {
        tracing::error!(%error, commands = replies.len(), "a group of writes was not committed");
        if !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
    }
    for reply in replies {
        reply(committed.clone());
    }
}

fn migrate(connection: &mut Connection, schema: &[&str], path: &Path) -> Result<(), StoreError> {
    let version = |connection: &Connection| -> Result<usize, rusqlite::Error> {
        connection.pragma_query_value(None, "user_version", |row| row.get(0))
    };
    let found = version(connection)?;
    if found > schema.len() {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema.len() });
    }
    if found == schema.len() {
        return Ok(());
    }
    // Another process may migrate at the same moment: look again under the write lock.
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    for step in schema.iter().skip(found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", schema.len().max(found))?;
    Ok(transaction.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[&str] = &["CREATE TABLE things (name TEXT PRIMARY KEY) STRICT;"];

    fn open(directory: &tempfile::TempDir) -> Database {
        Database::open(&directory.path().join("test.db"), SCHEMA, Durability::Full).unwrap()
    }

    async fn insert(database: &Database, name: &'static str) -> Result<(), StoreError> {
        database
            .write(move |connection| {
                connection.execute("INSERT INTO things VALUES (?1)", [name])?;
                Ok(())
            })
            .await
    }

    fn count(database: &Database) -> i64 {
        database
            .read(|connection| Ok(connection.query_row("SELECT count(*) FROM things", [], |row| row.get(0))?))
            .unwrap()
    }

    #[tokio::test]
    async fn a_failing_command_does_not_take_its_group_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let database = open(&directory);
        let (first, twice, other) =
            tokio::join!(insert(&database, "a"), insert(&database, "a"), insert(&database, "b"));
        assert!(first.is_ok() && other.is_ok());
        assert!(matches!(twice, Err(StoreError::Failed { .. })));
        assert_eq!(count(&database), 2);
    }

    #[tokio::test]
    async fn a_deferred_command_goes_with_the_next_write_or_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let database = open(&directory);
        let defer = |name: &'static str| {
            database.defer(move |connection| {
                connection.execute("INSERT INTO things VALUES (?1)", [name])?;
                Ok(())
            });
        };
        defer("a");
        assert_eq!(count(&database), 0);
        insert(&database, "b").await.unwrap();
        assert_eq!(count(&database), 2);
        defer("c");
        drop(database);
        assert_eq!(count(&open(&directory)), 3);
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        insert(&open(&directory), "a").await.unwrap();
        assert_eq!(count(&open(&directory)), 1);
    }

    #[test]
    fn a_store_from_a_newer_version_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        drop(open(&directory));
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
        let refused = Database::open(&path, SCHEMA, Durability::Full);
        assert!(matches!(refused, Err(StoreError::Newer { found: 9, known: 1, .. })));
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("test.db");
        std::fs::write(&path, "this is a text file, and a long enough one to have a header of its own").unwrap();
        assert!(matches!(Database::open(&path, SCHEMA, Durability::Full), Err(StoreError::Unusable { .. })));
    }
}
