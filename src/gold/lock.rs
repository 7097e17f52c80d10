use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{GoldError, GoldSet};
use crate::domain::{ContentHash, rfc3339};

/// What a gold set was when it was frozen; the content of its lock file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// SHA-256 of the set's content.
    pub sha256: ContentHash,
    /// Number of its cases.
    pub cases: usize,
    /// When it was frozen, RFC 3339 UTC.
    pub locked_at: String,
}

/// How a gold set stands to its lock.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum LockState {
    /// It was never frozen.
    Unlocked,
    /// It is what was frozen.
    Locked(Lock),
    /// It is not what was frozen.
    Changed(Lock),
}

/// Where a set's lock is: beside the set, with `.lock` after its whole name.
pub fn lock_path(set: &Path) -> PathBuf {
    let mut path = set.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

/// Compares the set with its lock.
///
/// # Errors
/// [`GoldError::LockUnreadable`] when there is a lock file that is not one, [`GoldError::Unreadable`] when it cannot be read.
pub fn verify(set: &GoldSet) -> Result<LockState, GoldError> {
    let path = lock_path(&set.path);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockState::Unlocked),
        Err(source) => return Err(GoldError::Unreadable { path, source }),
    };
    let lock: Lock = toml::from_str(&text).map_err(|error| {
        let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        GoldError::LockUnreadable { path, line, column, message: error.message().to_owned() }
    })?;
    Ok(if lock.sha256 == set.hash { LockState::Locked(lock) } else { LockState::Changed(lock) })
}

/// Refuses a set that is not what was frozen.
///
/// # Errors
/// [`GoldError::ChangedSinceLock`], or what [`verify`] says.
pub fn require_unchanged(set: &GoldSet) -> Result<(), GoldError> {
    match verify(set)? {
        LockState::Unlocked | LockState::Locked(_) => Ok(()),
        LockState::Changed(lock) => Err(GoldError::ChangedSinceLock {
            path: set.path.clone(),
            locked_at: lock.locked_at,
            cases: set.case_count,
            actual: set.hash.short().to_owned(),
            locked_cases: lock.cases,
            locked: lock.sha256.short().to_owned(),
        }),
    }
}

/// Freezes the set as it is `now`. A set that is frozen and unchanged keeps its lock; one that has changed is frozen
/// anew only if `update` says so.
///
/// # Errors
/// [`GoldError::ChangedSinceLock`] for a changed set without `update`; otherwise as [`verify`], or when the lock cannot
/// be written.
pub fn lock(set: &GoldSet, now: Timestamp, update: bool) -> Result<Lock, GoldError> {
    match verify(set) {
        Ok(LockState::Locked(lock)) => return Ok(lock),
        Ok(LockState::Changed(_)) if !update => require_unchanged(set)?,
        Err(error) if !(update && matches!(error, GoldError::LockUnreadable { .. })) => return Err(error),
        Ok(_) | Err(_) => {}
    }
    let lock = Lock { sha256: set.hash.clone(), cases: set.case_count, locked_at: rfc3339(now) };
    let path = lock_path(&set.path);
    let text = format!(
        "# Freezes the gold set {} beside it; `tollgate gold lock SET --update` freezes a changed one.\n\
         sha256 = \"{}\"\ncases = {}\nlocked_at = \"{}\"\n",
        set.path.file_name().unwrap_or_default().to_string_lossy().replace(char::is_control, "?"),
        lock.sha256,
        lock.cases,
        lock.locked_at
    );
    crate::report::replace_file(&path, |file| file.write_all(text.as_bytes()))
        .map_err(|source| GoldError::Unwritable { path, source })?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "{\"id\":\"a\",\"question\":\"q\"}\n";

    fn open(path: &Path) -> GoldSet {
        GoldSet::open(path, |_| Ok(())).unwrap()
    }

    #[test]
    fn a_changed_set_is_refused_until_it_is_locked_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        fs::write(&path, CASE).unwrap();
        let set = open(&path);
        assert_eq!(verify(&set).unwrap(), LockState::Unlocked);
        let now: Timestamp = "2026-02-03T04:05:06Z".parse().unwrap();
        let locked = lock(&set, now, false).unwrap();
        assert_eq!(locked.locked_at, "2026-02-03T04:05:06.000Z");
        assert!(directory.path().join("set.jsonl.lock").exists());
        assert_eq!(verify(&set).unwrap(), LockState::Locked(locked.clone()));
        let later: Timestamp = "2026-05-03T04:05:06Z".parse().unwrap();
        assert_eq!(lock(&set, later, true).unwrap(), locked, "an unchanged set keeps its lock");

        fs::write(&path, format!("{CASE}{}", CASE.replace("\"a\"", "\"b\""))).unwrap();
        let changed = open(&path);
        assert_eq!(verify(&changed).unwrap(), LockState::Changed(locked));
        let error = lock(&changed, later, false).unwrap_err();
        assert!(error.to_string().contains("it has 2 cases"), "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains("set.jsonl --update") && hint.contains("restore the file"), "{hint}");
        assert!(matches!(require_unchanged(&changed), Err(GoldError::ChangedSinceLock { .. })));
        lock(&changed, later, true).unwrap();
        require_unchanged(&changed).unwrap();
    }

    #[test]
    fn a_lock_file_that_is_none_is_located() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        fs::write(&path, CASE).unwrap();
        fs::write(lock_path(&path), "cases = 1\nsha = 2\n").unwrap();
        let error = verify(&open(&path)).unwrap_err();
        assert!(error.to_string().contains("set.jsonl.lock:2:1: not a lock file: unknown field `sha`"), "{error}");
        assert!(error.hint().unwrap().contains("set.jsonl --update"));
    }
}
