use std::collections::BTreeMap;

use super::TuneError;
use crate::domain::{NanoUsd, TicketId};
use crate::store::{CaseKind, CaseResult, CaseStatus, RunRow, Store};

/// Graders that judge what an answer took, and not what it says.
const OF_COST_AND_TIME: [&str; 2] = ["max_cost", "max_latency_ms"];

/// What experiments keep of one answer.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) cluster: String,
    pub(super) case: String,
    pub(super) weight: f64,
    pub(super) score: Option<f64>,
    pub(super) refused: bool,
    /// Whether the model answered and broke its output schema.
    pub(super) broken: bool,
    pub(super) confidence: Option<f64>,
    pub(super) cost: Option<NanoUsd>,
    pub(super) latency_ms: Option<f64>,
    pub(super) retrieve_ms: Option<f64>,
    pub(super) ticket: Option<TicketId>,
    /// Whether its score depends on its cost or latency.
    pub(super) judged_by_cost_or_time: bool,
}

/// The same repeats of the same cases in two runs, in the order of cluster, case and repeat.
pub(super) struct Paired {
    pub(super) pairs: Vec<[Answered; 2]>,
    /// Repeats without a score in one run or the other; they count nowhere.
    pub(super) unpaired: u64,
}

impl Paired {
    /// Reads two runs over the same gold set.
    ///
    /// # Errors
    /// [`TuneError::NothingPaired`] when no repeat has a score in both.
    pub(super) fn read(store: &Store, one: &RunRow, other: &RunRow) -> Result<Self, TuneError> {
        let mut others = read(store, other)?;
        let (mut pairs, mut unpaired) = (Vec::new(), 0);
        for (key, left) in read(store, one)? {
            match others.remove(&key) {
                Some(right) if left.score.is_some() && right.score.is_some() => pairs.push([left, right]),
                _ => unpaired += 1,
            }
        }
        if pairs.is_empty() {
            return Err(TuneError::NothingPaired { left: one.id, right: other.id });
        }
        Ok(Self { pairs, unpaired: unpaired + others.len() as u64 })
    }

    /// The number of each pair's cluster and case, from 0, in order.
    pub(super) fn places(&self) -> Vec<(usize, usize)> {
        let (mut cluster, mut case) = (0, 0);
        let mut places = Vec::with_capacity(self.pairs.len());
        let mut last: Option<&Answered> = None;
        for [one, _] in &self.pairs {
            if let Some(last) = last {
                let same_cluster = last.cluster == one.cluster;
                cluster += usize::from(!same_cluster);
                case += usize::from(!same_cluster || last.case != one.case);
            }
            places.push((cluster, case));
            last = Some(one);
        }
        places
    }
}

fn read(store: &Store, run: &RunRow) -> Result<BTreeMap<(String, String, u32), Answered>, TuneError> {
    let mut found = BTreeMap::new();
    store.for_each_result::<TuneError>(run.id, CaseKind::Case, |result| {
        found.insert((result.cluster.clone(), result.case_id.clone(), result.repeat), Answered::of(result));
        Ok(())
    })?;
    Ok(found)
}

impl Answered {
    fn of(result: CaseResult) -> Self {
        let by_cost_or_time =
            |grade: &crate::store::GradeRow| grade.weight > 0.0 && OF_COST_AND_TIME.contains(&grade.grader.as_str());
        Self {
            broken: result.status == CaseStatus::Answered && result.path.is_none(),
            judged_by_cost_or_time: result.grades.iter().any(by_cost_or_time),
            cluster: result.cluster,
            case: result.case_id,
            weight: result.weight,
            score: result.score,
            refused: result.refused,
            confidence: result.confidence,
            cost: result.cost_nanousd,
            latency_ms: result.latency_ms,
            retrieve_ms: result.retrieve_ms,
            ticket: result.ticket,
        }
    }
}
