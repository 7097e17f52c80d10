//! L2: gold sets: read, check, lock, import; cases and graders' settings.

mod case;
mod check;
mod error;
mod grader;
mod import;
mod lines;
mod lock;
mod parse;
mod parse_grader;
mod read;
mod select;
mod write;

pub use case::Case;
pub use check::{Finding, check};
pub use error::{GoldError, Problem};
pub use grader::{Check, Grader, RetrievalMetric};
pub use import::{Format, ImportError, Imported, Unmapped, detect, import};
pub use lock::{Lock, LockState, lock, lock_path, require_unchanged, verify};
pub use parse::Header;
pub use parse_grader::grader_names;
pub use read::GoldSet;
pub use select::{Filter, FilterError, filter_for_id};
pub use write::write;
