use std::path::PathBuf;
use std::sync::Arc;

/// Why the store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The directory of the store cannot be made.
    #[error("cannot create the store's directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A later version of the program wrote the store.
    #[error("the store {} has schema {found}, but this tollgate knows only up to {known}", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema's number.
        found: usize,
        /// The latest number this program knows.
        known: usize,
    },
    /// The database cannot be opened, or is not a database.
    #[error("cannot open the store {}: {reason}", path.display())]
    Unusable {
        /// The database.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The disk is full; what was acknowledged before is safe.
    #[error("the disk that holds the store is full")]
    DiskFull,
    /// Another process held the database's write lock for too long.
    #[error("another process is writing to the store")]
    Busy,
    /// A statement failed.
    #[error("the store failed: {reason}")]
    Failed {
        /// What SQLite said.
        reason: String,
    },
    /// A reservation that has ended was to be ended again; nothing was booked twice.
    #[error("a reservation for {model} has been settled already")]
    SettledTwice {
        /// The model of its call.
        model: String,
    },
    /// A reservation is not there any more: another process has taken this one for dead and ended it.
    #[error("the money held for a call is gone: another process has ended the reservation")]
    NotHeld,
    /// The writer thread is gone: the store was closed.
    #[error("the store is closed")]
    Closed,
    /// No stored run has this id, or several do.
    #[error("{matches} stored runs match `{wanted}`")]
    NoSuchRun {
        /// What was asked for.
        wanted: String,
        /// How many runs it matches.
        matches: usize,
    },
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Failed { reason: error.to_string() },
        }
    }
}

impl StoreError {
    /// The next step to suggest to the user.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("use the tollgate that wrote it, or set `store.path` to another file"),
            Self::Unusable { .. } => {
                Some("check `store.path` and its permissions; move a damaged file away to start anew")
            }
            Self::DiskFull => {
                Some("free some space and run again; an interrupted eval continues with `--resume latest`")
            }
            Self::Busy => Some("wait for the other tollgate to finish, or give this one its own `store.path`"),
            Self::NoSuchRun { matches: 0, .. } => Some("`tollgate runs list` shows the stored runs"),
            Self::NoSuchRun { .. } => Some("give more digits of the run's id"),
            Self::Directory { .. } | Self::Failed { .. } | Self::SettledTwice { .. } | Self::Closed => None,
            Self::NotHeld => Some("keep the directory `owners` beside the store, and the store on a local disk"),
        }
    }
}
