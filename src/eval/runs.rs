use serde::Serialize;

use crate::domain::{NanoUsd, RunId};
use crate::store::{RunStatus, Store, StoreError};

/// The stored runs, latest first.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunSummary>,
}

/// One stored run in a line.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// How far it got.
    pub status: RunStatus,
    /// When it was first started, RFC 3339.
    pub started_at: String,
    /// The gold set's name.
    pub gold_set: String,
    /// Number of the release.
    pub release: u32,
    /// Hash of the release.
    pub release_hash: String,
    /// Repeats of cases to be asked.
    pub planned: u64,
    /// Of these, asked.
    pub results: u64,
    /// Of the asked, without an answer or a score.
    pub errored: u64,
    /// Mean score so far.
    pub score: Option<f64>,
    /// Cost, bounds included; `None` when some of it is unknown.
    pub cost_nanousd: Option<NanoUsd>,
}

/// The latest `limit` runs with their totals, straight from their results.
pub fn list_runs(store: &Store, limit: u64) -> Result<RunList, StoreError> {
    let mut runs = Vec::new();
    for run in store.runs(limit)? {
        let totals = store.run_totals(run.id)?;
        runs.push(RunSummary {
            run: run.id,
            status: run.status,
            started_at: run.started_at,
            gold_set: run.gold_set,
            release: run.release_number,
            release_hash: run.release_hash.to_string(),
            planned: run.planned,
            results: totals.results,
            errored: totals.errored,
            score: totals.score,
            cost_nanousd: (!totals.cost_incomplete).then_some(totals.cost),
        });
    }
    Ok(RunList { runs })
}
