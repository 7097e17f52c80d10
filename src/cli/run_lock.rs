use std::fs::{File, TryLockError};
use std::path::PathBuf;

use super::failure::Failure;
use crate::domain::RunId;
use crate::store::Store;

/// Held by the one process that works on a run; released when it is dropped or its process dies.
pub(super) struct RunLock {
    path: PathBuf,
    // Locked while it is open.
    _file: File,
}

impl RunLock {
    /// Takes the lock of `run`; `None` when another process holds it.
    pub(super) fn take(store: &Store, run: RunId) -> Result<Option<Self>, Failure> {
        let path = store.directory().join(format!("{run}.lock"));
        let failed = |error| Failure::could_not_run(format!("cannot lock {}: {error}", path.display()));
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // A lock file left behind by a killed process does no harm: it is no longer locked.
        let _ = std::fs::remove_file(&self.path);
    }
}
