//! tollgate evaluates AI support assistants: quality, latency and cost, before a change ships.
//!
//! Nothing ships until it pays its toll: in quality, in latency and in money.
//! The modules form a house of levels; a module imports only modules of a lower level
//! (see `ARCHITECTURE.md`, enforced by `tests/house.rs`).

pub mod cli;
pub mod config;
pub mod cost;
pub mod domain;
pub mod eval;
pub mod gate;
pub mod gold;
pub mod kb;
pub mod mock_provider;
pub mod otlp;
pub mod pipeline;
pub mod prices;
pub mod prompts;
pub mod providers;
pub mod proxy;
pub mod report;
pub mod stats;
pub mod store;
pub mod text;
pub mod tune;
