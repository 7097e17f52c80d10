use std::collections::HashMap;

use tantivy::DocAddress;

use super::{Hit, IndexError, QueryWords, SearchMode, SearchRequest, Snapshot, TermScores};
use crate::kb::fuse::{Components, fuse};
use crate::kb::vector::{DenseSide, LexicalVectors, LocatedVectors, VectorSide};

/// Proposes candidates from both sides, scores their union on both sides, and fuses.
pub(super) fn search(
    snapshot: &Snapshot,
    dense: Option<&LocatedVectors>,
    request: &SearchRequest<'_>,
) -> Result<Vec<Hit>, IndexError> {
    let words = QueryWords::of(request.query);
    if words.0.is_empty() || request.limit == 0 {
        return Ok(Vec::new());
    }
    let count = request.candidates.max(request.limit);
    let terms = TermScores::new(snapshot, request.scopes, &words.0)?;
    let mut union = terms.top(count)?;
    let mut matches = Matches::default();
    let (bm25, vector) = if request.mode == SearchMode::Keyword {
        union.sort_unstable();
        (Some(terms.scores(&union)?), None)
    } else {
        let vectors: Box<dyn VectorSide> = match dense.zip(request.query_vector) {
            Some((dense, vector)) => Box::new(DenseSide::new(dense, vector, request.scopes)?),
            None => Box::new(LexicalVectors::new(snapshot, request.query, request.scopes, &words, &terms)?),
        };
        union.extend(vectors.candidates(count)?);
        union.sort_unstable();
        union.dedup();
        let similarities = vectors.similarities(&union)?;
        let bm25 = if request.mode == SearchMode::Hybrid { Some(terms.scores(&union)?) } else { None };
        matches.similar = vectors.similar_words();
        (bm25, Some(similarities))
    };
    let fused = fuse(bm25.as_deref(), vector.as_deref(), request.vector_weight);
    let best = best(snapshot, union.into_iter().zip(fused).collect(), request.limit)?;
    let addresses: Vec<DocAddress> = best.iter().map(|(address, ..)| *address).collect();
    matches.find(snapshot, request.scopes, &words, &addresses)?;
    best.into_iter()
        .map(|(address, score, explain)| {
            let stored = snapshot.stored(address)?;
            Ok(Hit {
                chunk: stored.chunk,
                document: stored.document,
                heading: stored.heading,
                score,
                explain,
                matched_terms: matches.of_chunk.remove(&address).unwrap_or_default(),
            })
        })
        .collect()
}

type Scored = (DocAddress, f64, Components);

/// The `limit` best, best first; equal scores in the order of their ids.
fn best(
    snapshot: &Snapshot,
    scored: Vec<(DocAddress, (f64, Components))>,
    limit: usize,
) -> Result<Vec<Scored>, IndexError> {
    let mut scored: Vec<Scored> = scored.into_iter().map(|(address, (score, parts))| (address, score, parts)).collect();
    scored.sort_by(|(_, one, _), (_, other, _)| other.total_cmp(one));
    if let Some((_, last, _)) = scored.get(limit.saturating_sub(1)) {
        let last = *last;
        scored.retain(|(_, score, _)| *score >= last);
    }
    let mut with_ids = Vec::with_capacity(scored.len());
    for entry in scored {
        with_ids.push((snapshot.chunk_id(entry.0)?, entry));
    }
    with_ids.sort_by(|(one_id, one), (other_id, other)| other.1.total_cmp(&one.1).then_with(|| one_id.cmp(other_id)));
    Ok(with_ids.into_iter().map(|(_, entry)| entry).take(limit).collect())
}

/// Which words the hits have in common with the query.
#[derive(Default)]
struct Matches {
    similar: QueryWords,
    of_chunk: HashMap<DocAddress, Vec<String>>,
}

impl Matches {
    fn find(
        &mut self,
        snapshot: &Snapshot,
        scopes: &[&str],
        words: &QueryWords,
        chunks: &[DocAddress],
    ) -> Result<(), IndexError> {
        let all: Vec<_> = words.0.iter().chain(&self.similar.0).cloned().collect();
        let found = TermScores::new(snapshot, scopes, &all)?.matches(chunks)?;
        for (chunk, places) in chunks.iter().zip(found) {
            let terms = places.into_iter().filter_map(|place| all.get(place)).map(|word| word.text.clone()).collect();
            self.of_chunk.insert(*chunk, terms);
        }
        Ok(())
    }
}
