use std::collections::BTreeMap;

use serde::Serialize;

use super::accumulate::{CONFIDENCE, CaseSummary, Grouper};
use super::{EvalError, RunDetails};
use crate::domain::RunId;
use crate::stats::{ClusterMean, MeanEstimate};
use crate::store::{CaseKind, RunRow, Store};

/// Cases that a comparison shows on each side.
const MOVERS: usize = 10;

/// Two runs over the same gold set, case by case. It gives no verdict.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The run that is compared with.
    pub left: ComparedRun,
    /// The run that is compared.
    pub right: ComparedRun,
    /// The gold set's name.
    pub gold_set: String,
    /// Cases that both runs judged.
    pub paired: u64,
    /// Cases that only one of them judged; they count nowhere below.
    pub unpaired: u64,
    /// Mean of right minus left over the paired cases, with its cluster-robust 95 % interval.
    pub difference: Option<MeanEstimate>,
    /// Passed in both.
    pub still_right: u64,
    /// Failed in both.
    pub still_wrong: u64,
    /// Passed on the left, failed on the right.
    pub regressed: u64,
    /// Failed on the left, passed on the right.
    pub improved: u64,
    /// Cases whose score fell most.
    pub fell: Vec<Mover>,
    /// Cases whose score rose most.
    pub rose: Vec<Mover>,
    /// Mean difference by tag.
    pub by_tag: Vec<TagDifference>,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ComparedRun {
    /// The run.
    pub run: RunId,
    /// Number of its release.
    pub release: u32,
    /// Hash of its release.
    pub release_hash: String,
    /// Mean score over the paired cases.
    pub score: Option<f64>,
}

/// A case whose score moved.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Mover {
    /// The case.
    pub case: String,
    /// Its score on the left.
    pub left: f64,
    /// Its score on the right.
    pub right: f64,
    /// What was asked.
    pub question: String,
    /// The answer on the left.
    pub left_answer: String,
    /// The answer on the right.
    pub right_answer: String,
}

/// How the score of one tag moved.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct TagDifference {
    /// The tag.
    pub tag: String,
    /// Its paired cases.
    pub cases: u64,
    /// Mean of right minus left.
    pub difference: f64,
}

struct Scored {
    score: Option<f64>,
    weight: f64,
    tags: Vec<String>,
}

/// Compares two runs.
///
/// # Errors
/// [`EvalError::GoldSetDiffers`] when they replay different gold sets.
pub fn compare(store: &Store, left: &RunRow, right: &RunRow) -> Result<Comparison, EvalError> {
    if left.gold_hash != right.gold_hash {
        let short = |run: &RunRow| format!("{} ({})", run.gold_set, run.gold_hash.short());
        return Err(EvalError::GoldSetDiffers { left: short(left), right: short(right) });
    }
    let pass_score = RunDetails::of(left)?.pass_score;
    let left_cases = scores(store, left)?;
    let right_cases = scores(store, right)?;
    let mut comparison = Comparison {
        left: compared(left),
        right: compared(right),
        gold_set: left.gold_set.clone(),
        paired: 0,
        unpaired: 0,
        difference: None,
        still_right: 0,
        still_wrong: 0,
        regressed: 0,
        improved: 0,
        fell: Vec::new(),
        rose: Vec::new(),
        by_tag: Vec::new(),
    };
    let mut pairs = Pairs::default();
    let mut moved: Vec<(f64, &str)> = Vec::new();
    for (key, before) in &left_cases {
        let after = right_cases.get(key);
        let Some((was, is)) = before.score.zip(after.and_then(|after| after.score)) else {
            comparison.unpaired += 1;
            continue;
        };
        comparison.paired += 1;
        match (was >= pass_score, is >= pass_score) {
            (true, true) => comparison.still_right += 1,
            (false, false) => comparison.still_wrong += 1,
            (true, false) => comparison.regressed += 1,
            (false, true) => comparison.improved += 1,
        }
        pairs.add(&key.0, before, was, is);
        moved.push((is - was, &key.1));
    }
    comparison.unpaired += right_cases.keys().filter(|key| !left_cases.contains_key(*key)).count() as u64;
    pairs.end_cluster();
    comparison.difference = pairs.difference.estimate(CONFIDENCE);
    if pairs.weight > 0.0 {
        comparison.left.score = Some(pairs.left / pairs.weight);
        comparison.right.score = Some(pairs.right / pairs.weight);
    }
    comparison.by_tag = pairs
        .tags
        .into_iter()
        .map(|(tag, (sum, weight, cases))| TagDifference { tag, cases, difference: sum / weight })
        .collect();
    moved.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(other.1)));
    let fell = moved.iter().take_while(|(difference, _)| *difference < 0.0).take(MOVERS);
    comparison.fell = movers(store, left, right, fell)?;
    let rose = moved.iter().rev().take_while(|(difference, _)| *difference > 0.0).take(MOVERS);
    comparison.rose = movers(store, left, right, rose)?;
    Ok(comparison)
}

fn compared(run: &RunRow) -> ComparedRun {
    ComparedRun { run: run.id, release: run.release_number, release_hash: run.release_hash.to_string(), score: None }
}

/// Scores by cluster and case.
fn scores(store: &Store, run: &RunRow) -> Result<BTreeMap<(String, String), Scored>, EvalError> {
    let mut cases = BTreeMap::new();
    let mut grouper = Grouper::default();
    let mut keep = |case: CaseSummary| {
        let scored = Scored { score: case.score, weight: case.first.weight, tags: case.first.tags };
        cases.insert((case.first.cluster, case.first.case_id), scored);
    };
    store.for_each_result::<EvalError>(run.id, CaseKind::Case, |result| {
        grouper.add(result).into_iter().for_each(&mut keep);
        Ok(())
    })?;
    grouper.finish().into_iter().for_each(&mut keep);
    Ok(cases)
}

#[derive(Default)]
struct Pairs {
    difference: ClusterMean,
    cluster: Option<String>,
    open: (f64, f64, u64),
    left: f64,
    right: f64,
    weight: f64,
    tags: BTreeMap<String, (f64, f64, u64)>,
}

impl Pairs {
    fn add(&mut self, cluster: &str, case: &Scored, was: f64, is: f64) {
        if self.cluster.as_deref() != Some(cluster) {
            self.end_cluster();
            self.cluster = Some(cluster.to_owned());
        }
        let weight = case.weight;
        self.open = (self.open.0 + weight * (is - was), self.open.1 + weight, self.open.2 + 1);
        self.left += weight * was;
        self.right += weight * is;
        self.weight += weight;
        for tag in case.tags.iter().filter(|_| weight > 0.0) {
            let sums = self.tags.entry(tag.clone()).or_default();
            *sums = (sums.0 + weight * (is - was), sums.1 + weight, sums.2 + 1);
        }
    }

    fn end_cluster(&mut self) {
        let (sum, weight, cases) = std::mem::take(&mut self.open);
        if cases > 0 {
            self.difference.add(sum, weight, cases);
        }
    }
}

fn movers<'a>(
    store: &Store,
    left: &RunRow,
    right: &RunRow,
    moved: impl Iterator<Item = &'a (f64, &'a str)>,
) -> Result<Vec<Mover>, EvalError> {
    let mut movers = Vec::new();
    for (_, case) in moved {
        let (before, after) = (store.result(left.id, case, 0)?, store.result(right.id, case, 0)?);
        if let (Some(before), Some(after)) = (before, after) {
            movers.push(Mover {
                case: (*case).to_owned(),
                left: before.score.unwrap_or_default(),
                right: after.score.unwrap_or_default(),
                question: before.question,
                left_answer: before.answer,
                right_answer: after.answer,
            });
        }
    }
    Ok(movers)
}
