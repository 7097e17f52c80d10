use std::fs::{File, TryLockError};
use std::path::PathBuf;

use super::{Store, StoreError};

/// What says that a process with open reservations lives: a file that it has locked. The system releases the lock when
/// the process ends, however it ends.
pub(super) struct Owner {
    id: String,
    path: PathBuf,
    // Locked while it is open.
    _file: File,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // All that it held has ended by now; a file that stays does no harm.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Store {
    fn owner_path(&self, id: &str) -> PathBuf {
        self.directory().join("owners").join(format!("{id}.lock"))
    }

    /// The name under which this process holds money; `new` makes one when it has none yet.
    ///
    /// # Errors
    /// [`StoreError::Directory`] when its lock cannot be made.
    pub fn owner(&self, new: impl FnOnce() -> String) -> Result<String, StoreError> {
        let mut owner = self.owner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(owner) = &*owner {
            return Ok(owner.id.clone());
        }
        let id = new();
        let path = self.owner_path(&id);
        let failed = |source: std::io::Error| StoreError::Directory { path: path.clone(), source: source.into() };
        std::fs::create_dir_all(self.directory().join("owners")).map_err(failed)?;
        let file = File::create_new(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        *owner = Some(Owner { id: id.clone(), path, _file: file });
        Ok(id)
    }

    /// The processes that have open reservations.
    fn owners_of_open_reservations(&self) -> Result<Vec<String>, StoreError> {
        self.main.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT DISTINCT owner FROM open_reservations")?;
            let owners = statement.query_map([], |row| row.get(0))?;
            Ok(owners.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Of the processes that have open reservations, those that are gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dead_owners(&self) -> Result<Vec<String>, StoreError> {
        let mine =
            self.owner.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().map(|own| own.id.clone());
        let mut owners = self.owners_of_open_reservations()?;
        owners.retain(|owner| mine.as_ref() != Some(owner) && !self.lives(owner));
        Ok(owners)
    }

    /// Whether a process of this name holds its lock. Where that cannot be told it lives: nothing is taken from it.
    fn lives(&self, owner: &str) -> bool {
        match File::open(self.owner_path(owner)) {
            Ok(file) => match file.try_lock() {
                Ok(()) => false,
                Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
            },
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Removes the lock file of a process that is gone and has nothing left open.
    pub fn forget_owner(&self, owner: &str) {
        let _ = std::fs::remove_file(self.owner_path(owner));
    }
}
