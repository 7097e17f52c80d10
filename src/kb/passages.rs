use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha12Rng;

use super::{Hit, KbError, KnowledgeBase, SearchRequest};
use crate::domain::Passage;
use crate::store::ChunkRow;

/// Chunks that are looked through for those of the right documents.
const WIDE: usize = 500;

impl KnowledgeBase {
    /// The passages for `request`, with their text, best first.
    pub fn search(&self, request: &SearchRequest<'_>) -> Result<Vec<(Hit, Passage)>, KbError> {
        let hits = self.index.search(request)?;
        let ids: Vec<&str> = hits.iter().map(|hit| hit.chunk.as_str()).collect();
        let tenant = request.scopes.last().copied().unwrap_or_default();
        let mut chunks = self.store.chunks(tenant, &ids)?.into_iter().peekable();
        // A chunk that the store has dropped since the index was read is no longer there to be shown.
        let mut found = Vec::with_capacity(hits.len());
        for hit in hits {
            if let Some(chunk) = chunks.next_if(|chunk| chunk.id == hit.chunk) {
                let score = Some(hit.score);
                found.push((hit, passage(chunk, score)));
            }
        }
        Ok(found)
    }

    /// `count` passages drawn at random for `seed`: what an answer is worth without retrieval.
    pub fn random_passages(&self, tenant: &str, count: usize, seed: u64) -> Result<Vec<Passage>, KbError> {
        let ids = self.store.chunk_ids(tenant)?;
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let drawn: Vec<&str> = ids.sample(&mut random, count).map(String::as_str).collect();
        Ok(self.store.chunks(tenant, &drawn)?.into_iter().map(|chunk| passage(chunk, None)).collect())
    }

    /// The `request.limit` best passages of `documents` (or single chunks) for a query that holds question and answer:
    /// what perfect retrieval would find.
    pub fn oracle_passages(
        &self,
        request: &SearchRequest<'_>,
        documents: &[String],
        answer: &str,
    ) -> Result<Vec<Passage>, KbError> {
        let query = format!("{} {answer}", request.query);
        let wide = SearchRequest { query: &query, limit: WIDE, candidates: WIDE, query_vector: None, ..*request };
        let right = |passage: &Passage| documents.iter().any(|id| *id == passage.document || *id == passage.chunk);
        let found = self.search(&wide)?.into_iter().map(|(_, passage)| passage);
        Ok(found.filter(right).take(request.limit).collect())
    }
}

fn passage(chunk: ChunkRow, score: Option<f64>) -> Passage {
    Passage { chunk: chunk.id, document: chunk.document, heading: chunk.heading, text: chunk.body, score }
}
