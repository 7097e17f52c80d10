use std::collections::HashSet;

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha12Rng;

use super::{Hit, KbError, KnowledgeBase, SearchRequest};
use crate::domain::Passage;
use crate::store::ChunkRow;
use crate::text;

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

    /// The `count` chunks of `documents` that share most words with question and answer: what perfect retrieval finds.
    pub fn oracle_passages(
        &self,
        tenant: &str,
        documents: &[String],
        question: &str,
        answer: &str,
        count: usize,
    ) -> Result<Vec<Passage>, KbError> {
        let both = format!("{question}\n{answer}");
        let folded = text::fold(&both);
        let wanted: HashSet<&str> = text::content_words(&folded).collect();
        let mut chunks = Vec::new();
        for document in documents {
            chunks.extend(self.store.chunks_of(tenant, document)?);
        }
        let shared = |chunk: &ChunkRow| {
            let both = format!("{}\n{}", chunk.heading, chunk.body);
            let folded = text::fold(&both);
            text::content_words(&folded).collect::<HashSet<_>>().intersection(&wanted).count()
        };
        chunks.sort_by_cached_key(|chunk| std::cmp::Reverse(shared(chunk)));
        chunks.truncate(count);
        Ok(chunks.into_iter().map(|chunk| passage(chunk, None)).collect())
    }
}

fn passage(chunk: ChunkRow, score: Option<f64>) -> Passage {
    Passage { chunk: chunk.id, document: chunk.document, heading: chunk.heading, text: chunk.body, score }
}
