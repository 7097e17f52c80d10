use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// One thing that is wrong in a gold set's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The field it is about, such as `graders[1].weight`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Why a gold set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GoldError {
    /// The file cannot be read.
    #[error("cannot read gold set `{}`: {source}", .path.display())]
    Unreadable {
        /// The gold set's file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is not a gold set; every problem is listed.
    #[error("{}", list_problems(.path, .problems, *.more))]
    Invalid {
        /// The gold set's file.
        path: PathBuf,
        /// The problems, in the order of the file, at most 100.
        problems: Vec<Problem>,
        /// How many more there are.
        more: usize,
    },
    /// The file changed between the check and the replay, or while it was replayed.
    #[error("gold set `{}` changed while it was in use", .path.display())]
    ChangedUnderneath {
        /// The gold set's file.
        path: PathBuf,
    },
    /// The file is not the one that was locked.
    #[error("gold set `{}` has changed since it was locked at {locked_at}: it has {cases} cases with SHA-256 {actual}, locked were {locked_cases} with {locked}", .path.display())]
    ChangedSinceLock {
        /// The gold set's file.
        path: PathBuf,
        /// When it was locked.
        locked_at: String,
        /// Cases now.
        cases: usize,
        /// Its hash now, abbreviated.
        actual: String,
        /// Cases when it was locked.
        locked_cases: usize,
        /// The locked hash, abbreviated.
        locked: String,
    },
    /// The lock file is not one.
    #[error("{}:{line}:{column}: not a lock file: {message}", .path.display())]
    LockUnreadable {
        /// The lock file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The character in the line, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl GoldError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("name an existing JSONL file, or make one with `tollgate gold import`".to_owned())
            }
            Self::ChangedUnderneath { .. } => Some("run again once nothing else writes to the file".to_owned()),
            Self::ChangedSinceLock { path, .. } => Some(format!(
                "accept the change with `tollgate gold lock {} --update`, or restore the file",
                path.display()
            )),
            Self::LockUnreadable { path, .. } => Some(format!(
                "restore it, or freeze the set anew with `tollgate gold lock {} --update`",
                path.with_extension("").display()
            )),
            Self::Unreadable { .. } | Self::Invalid { .. } | Self::Unwritable { .. } => None,
        }
    }
}

fn list_problems(path: &std::path::Path, problems: &[Problem], more: usize) -> String {
    let count = problems.len() + more;
    let mut list = format!("gold set `{}` has {count} problem{}", path.display(), if count == 1 { "" } else { "s" });
    for problem in problems {
        let _ = write!(list, "\n{}:{problem}", path.display());
    }
    if more > 0 {
        let _ = write!(list, "\nand {more} more");
    }
    list
}
