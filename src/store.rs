//! L1: everything that is kept. All SQL of the product lives here, behind methods that speak the domain.
//!
//! One writer thread a database takes commands from a channel and commits them in groups; a caller hears back
//! only after COMMIT. Readers are a pool of read-only connections. The main database is `synchronous=FULL`;
//! caches live in a database of their own with `NORMAL`, because losing one costs a cache miss, not an answer.

mod alerts;
mod answers;
mod budgets;
mod calibrations;
mod calls;
mod counters;
mod database;
mod documents;
mod embeddings;
mod error;
mod ledger;
mod migrations;
mod noise;
mod owner;
mod results;
mod runs;
mod schema;
mod settle;
mod spend;
mod verdicts;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub use alerts::{DeliveryOutcome, DueDelivery, NewAlert, StoredAlert};
pub use answers::CachedAnswer;
pub use budgets::BudgetOverride;
pub use calls::{CallRecord, CallStatus};
pub use counters::{Counter, LedgerCheck};
pub use documents::{ChunkRow, DocumentChange, DocumentRow, SourceSummary};
pub use error::StoreError;
pub use ledger::{Booked, Breach, CallScopes, Hold, Limit, ReserveRequest, Reserved, Settlement, SpendRules};
pub use migrations::{MigrationChange, MigrationChangeError, MigrationDirection};
pub use noise::CaseNoiseRow;
pub use results::{CaseKind, CaseResult, CaseStatus, GradeRow, RunSpend, RunTotals};
pub use runs::{RunRow, RunStatus};
pub use spend::{Charge, ChargeState, OutcomeRow, PromptParts, SpendFilter, TicketSpend};
pub use verdicts::VerdictRow;

use database::{Database, Durability};

/// The product's store: a directory with the main database and the caches derived from it.
pub struct Store {
    main: Database,
    cache: Database,
    // After the databases: what they still had to write ends this process's reservations.
    owner: Mutex<Option<owner::Owner>>,
    path: PathBuf,
}

impl Store {
    /// Opens the store whose main database is `path`, creating what is missing and bringing an older schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a later version of the program wrote it; [`StoreError::Unusable`] when it cannot be
    /// opened or is not a database.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let directory = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)
            .map_err(|source| StoreError::Directory { path: directory.to_owned(), source: source.into() })?;
        let main = Database::open(path, schema::MAIN, Durability::Full)?;
        let cache = Database::open(&directory.join("cache.db"), schema::CACHE, Durability::Normal)?;
        Ok(Self { main, cache, owner: Mutex::default(), path: path.to_owned() })
    }

    /// The directory of the store; search indexes and other derived files sit here.
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Waits until everything that was handed to the writers is committed.
    ///
    /// # Errors
    /// What the commit failed with.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.main.write(|_| Ok(())).await?;
        self.cache.write(|_| Ok(())).await
    }
}
