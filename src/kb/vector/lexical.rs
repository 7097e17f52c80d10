use tantivy::DocAddress;

use super::VectorSide;
use super::features::{Features, decode};
use super::frequencies::Frequencies;
use super::similar_words::similar_words;
use crate::kb::index::{IndexError, QueryWord, QueryWords, Snapshot, TermScores};

/// One query against the lexical vectors of the visible chunks.
pub(in crate::kb) struct LexicalVectors<'a> {
    snapshot: &'a Snapshot,
    scopes: &'a [&'a str],
    frequencies: &'a Frequencies,
    words: QueryWords,
    similar: QueryWords,
    /// Ascending features with their value times squared IDF, divided by the query's norm.
    query: Vec<(u32, f32)>,
}

impl<'a> LexicalVectors<'a> {
    /// `words` are those of `query`, `terms` what the visible scopes know of them.
    pub(in crate::kb) fn new(
        snapshot: &'a Snapshot,
        query: &str,
        scopes: &'a [&'a str],
        words: &QueryWords,
        terms: &TermScores<'_>,
    ) -> Result<Self, IndexError> {
        let mut similar: Vec<QueryWord> = Vec::new();
        for (place, word) in words.0.iter().enumerate() {
            for (text, similarity) in similar_words(snapshot, scopes, &word.text, terms.knows(place))? {
                let known = words.0.iter().chain(&similar).any(|known| known.text == text);
                if !known {
                    similar.push(QueryWord { text, weight: word.weight * similarity });
                }
            }
        }
        let frequencies = snapshot.frequencies()?;
        let features = Features::of_query(query).0;
        let norm = features.iter().map(|(id, count)| *count as f32 * frequencies.squared_idf(*id)).sum::<f32>().sqrt();
        let query = features
            .into_iter()
            .map(|(id, count)| (id, (count as f32).sqrt() * frequencies.squared_idf(id) / norm.max(f32::MIN_POSITIVE)))
            .collect();
        Ok(Self { snapshot, scopes, frequencies, words: words.clone(), similar: QueryWords(similar), query })
    }

    /// The cosine of the query and one encoded vector.
    fn cosine(&self, vector: &[u8]) -> f64 {
        let (mut product, mut squares) = (0.0_f32, 0.0_f32);
        let mut query = self.query.iter().peekable();
        for (feature, count) in decode(vector) {
            squares += count as f32 * self.frequencies.squared_idf(feature);
            while query.next_if(|(wanted, _)| *wanted < feature).is_some() {}
            if let Some((_, value)) = query.next_if(|(wanted, _)| *wanted == feature) {
                product += value * (count as f32).sqrt();
            }
        }
        if squares > 0.0 { f64::from((product / squares.sqrt()).clamp(0.0, 1.0)) } else { 0.0 }
    }
}

impl VectorSide for LexicalVectors<'_> {
    fn similar_words(&self) -> QueryWords {
        self.similar.clone()
    }

    /// A keyword search for the query's words and their similar words, each weighing as much as it is similar.
    fn candidates(&self, limit: usize) -> Result<Vec<DocAddress>, IndexError> {
        if self.similar.0.is_empty() {
            // The same search as the keyword side's.
            return Ok(Vec::new());
        }
        let words: Vec<QueryWord> = self.words.0.iter().chain(&self.similar.0).cloned().collect();
        TermScores::new(self.snapshot, self.scopes, &words)?.top(limit)
    }

    fn similarities(&self, chunks: &[DocAddress]) -> Result<Vec<f64>, IndexError> {
        let mut bytes = Vec::new();
        let similarity = |chunk: &DocAddress| {
            self.snapshot.vector(*chunk, &mut bytes)?;
            Ok(self.cosine(&bytes))
        };
        chunks.iter().map(similarity).collect()
    }
}
