use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tantivy::query::Weight;
use tantivy::{DocAddress, DocId, SegmentOrdinal};

use super::{IndexError, Snapshot};

/// Scores that agree to this many parts of a point are equal: they may have been summed in another order.
const PARTS: f32 = 10_000.0;

/// A chunk with its score in whole parts; the greater is the better one.
type Ranked = (i64, Reverse<u64>, DocId);

/// The `limit` chunks with the highest scores, in no particular order; the smaller ids among equal scores at the end.
///
/// Unlike `tantivy`'s own collector, which breaks ties by position in the segments, this does not depend on how the
/// segments have been merged; and each segment starts from the score that the ones before it have set.
pub(in crate::kb) fn top_chunks(
    snapshot: &Snapshot,
    weight: &dyn Weight,
    limit: usize,
) -> Result<Vec<DocAddress>, IndexError> {
    let mut found: Vec<(i64, DocAddress)> = Vec::new();
    if limit == 0 {
        return Ok(Vec::new());
    }
    for (segment, reader) in (0..).zip(snapshot.searcher.segment_readers()) {
        let floor = last_of(&mut found, limit);
        let alive = reader.alive_bitset();
        let mut best: BinaryHeap<Reverse<Ranked>> = BinaryHeap::with_capacity(limit + 1);
        let mut threshold = floor.map_or(f32::MIN, below);
        weight.for_each_pruning(threshold, reader, &mut |doc, score| {
            if alive.is_none_or(|alive| alive.is_alive(doc)) {
                keep(&mut best, limit, snapshot, segment, doc, score);
                if let (true, Some(Reverse((worst, ..)))) = (best.len() == limit, best.peek()) {
                    threshold = threshold.max(below(*worst));
                }
            }
            threshold
        })?;
        found.extend(best.into_iter().map(|Reverse((score, _, doc))| (score, DocAddress::new(segment, doc))));
    }
    let Some(last) = last_of(&mut found, limit) else {
        return Ok(found.into_iter().map(|(_, address)| address).collect());
    };
    let mut top: Vec<DocAddress> =
        found.iter().filter(|(score, _)| *score > last).map(|(_, address)| *address).collect();
    let mut ties = Vec::new();
    for (_, address) in found.iter().filter(|(score, _)| *score == last) {
        ties.push((snapshot.chunk_id(*address)?, *address));
    }
    ties.sort_unstable();
    top.extend(ties.into_iter().map(|(_, address)| address).take(limit - top.len()));
    Ok(top)
}

fn keep(
    best: &mut BinaryHeap<Reverse<Ranked>>,
    limit: usize,
    snapshot: &Snapshot,
    segment: SegmentOrdinal,
    doc: DocId,
    score: f32,
) {
    let score = (score * PARTS).round() as i64;
    let full = best.len() == limit;
    if full && best.peek().is_some_and(|Reverse((worst, ..))| score < *worst) {
        return;
    }
    best.push(Reverse((score, Reverse(snapshot.id_rank(segment, doc)), doc)));
    if full {
        best.pop();
    }
}

/// A threshold under all scores that count as `parts`.
fn below(parts: i64) -> f32 {
    (parts as f32 - 0.75) / PARTS
}

/// The `limit`th highest score, once there are as many; forgets what lies under it.
fn last_of(found: &mut Vec<(i64, DocAddress)>, limit: usize) -> Option<i64> {
    if found.len() < limit {
        return None;
    }
    found.sort_unstable_by_key(|(score, address)| (Reverse(*score), *address));
    let last = found.get(limit - 1)?.0;
    found.retain(|(score, _)| *score >= last);
    Some(last)
}
