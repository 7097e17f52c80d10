//! L1: what models cost. A price book is versioned, dated and hashed; a model that it does not know has no price.

mod book;
mod check;
mod entry;
mod file;
mod litellm;
mod object;
mod rate;

pub use book::{PriceBook, UnknownPrice};
pub use check::{PriceProblem, PriceProblemKind};
pub use entry::{Entry, Mode};
pub use file::PriceBookError;
pub use litellm::{Import, Imported, SkipReason, Skipped, import_litellm};
pub use object::FieldProblem;
pub use rate::RateProblem;
