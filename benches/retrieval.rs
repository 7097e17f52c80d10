//! How good and how fast retrieval is: `cargo bench --bench retrieval [-- --quick]`.
//!
//! Quality: nDCG@10 and recall@5 on the product documentation in `TOLLGATE_DATA` (default `../shared/data`); skipped when
//! it is not there. Speed: CPU time (other work on the machine does not count) over 100,000 chunks of real text, 10,000
//! with `--quick`, made from the sources of the crates in Cargo's registry; also as a ratio to a floor measured in the
//! same run.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]
#![expect(clippy::disallowed_methods, reason = "a benchmark has no configuration to take its directories from")]

#[path = "retrieval/corpus.rs"]
mod corpus;
#[path = "retrieval/dense.rs"]
mod dense;
#[path = "retrieval/quality.rs"]
mod quality;
#[path = "retrieval/speed.rs"]
mod speed;

use std::path::PathBuf;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let data = PathBuf::from(std::env::var("TOLLGATE_DATA").unwrap_or_else(|_| "../shared/data".to_owned()));
    let questions = quality::run(&data)?;
    dense::run(if quick { 10_000 } else { 100_000 })?;
    speed::run(if quick { 10_000 } else { 100_000 }, &questions)
}
