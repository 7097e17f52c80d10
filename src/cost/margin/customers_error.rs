use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};

use super::customers::{COLUMNS, MAX_ROWS};

/// One thing that is wrong in a file of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerProblem {
    /// The line, from 1.
    pub line: u64,
    /// The column's name; `None` when it concerns the whole line.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for CustomerProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Why customers cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// The file cannot be read.
    #[error("cannot read customers from `{}`: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file has more lines than are read.
    #[error("`{}` has more than {MAX_ROWS} lines", .path.display())]
    TooManyRows {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold customers; every problem is listed.
    #[error("{}", list_problems(.path, .problems, *.more))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The problems, in the order of the file, at most 100.
        problems: Vec<CustomerProblem>,
        /// How many more there are.
        more: usize,
    },
}

impl CustomersError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        let header = format!("a customers file is a CSV file with the columns {}", COLUMNS.join(","));
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => Some(header),
            Self::Unreadable { .. } | Self::TooManyRows { .. } | Self::Invalid { .. } => None,
        }
    }
}

fn list_problems(path: &Path, problems: &[CustomerProblem], more: usize) -> String {
    let count = problems.len() + more;
    let mut list =
        format!("customers file `{}` has {count} problem{}", path.display(), if count == 1 { "" } else { "s" });
    for problem in problems {
        let _ = write!(list, "\n{}:{problem}", path.display());
    }
    if more > 0 {
        let _ = write!(list, "\nand {more} more");
    }
    list
}
