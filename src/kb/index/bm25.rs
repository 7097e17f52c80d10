use std::collections::HashMap;

use tantivy::query::{
    Bm25StatisticsProvider, BooleanWeight, BoostQuery, EnableScoring, Occur, Query, SumCombiner, TermQuery, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Term};

use super::tokenizer::scoped;
use super::{IndexError, QueryWord, Snapshot, top_chunks};

/// A question of any length costs no more than this many of its words, the rarest ones.
const MOST_WORDS: usize = 32;

/// BM25 of a disjunction of words over headings and bodies of the visible scopes.
///
/// Source: Robertson & Zaragoza (2009), The Probabilistic Relevance Framework: BM25 and Beyond, with k1 = 1.2,
/// b = 0.75, and the IDF ln(1 + (N − n + ½) / (n + ½)), which is never negative. Heading and body are two fields whose
/// scores add up, with equal weight.
pub(in crate::kb) struct TermScores<'a> {
    snapshot: &'a Snapshot,
    terms: Vec<VisibleTerm>,
    statistics: Statistics,
}

/// One word in one field of one scope.
struct VisibleTerm {
    /// Which of the words it is.
    word: usize,
    term: Term,
    weight: f32,
}

/// BM25's statistics over the visible scopes.
#[derive(Default)]
struct Statistics {
    chunks: u64,
    tokens: HashMap<Field, u64>,
    frequencies: HashMap<Term, u64>,
}

impl<'a> TermScores<'a> {
    pub(in crate::kb) fn new(snapshot: &'a Snapshot, scopes: &[&str], words: &[QueryWord]) -> Result<Self, IndexError> {
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        let fields = [snapshot.fields.heading, snapshot.fields.body];
        let mut statistics = Statistics { chunks: snapshot.chunks_in(&scopes)?, ..Statistics::default() };
        for field in fields {
            statistics.tokens.insert(field, visible_tokens(snapshot, field, statistics.chunks)?);
        }
        let mut found = Vec::new();
        for (at, word) in words.iter().enumerate() {
            let mut terms = Vec::new();
            let mut in_chunks = 0;
            for field in fields {
                let mut here = Vec::new();
                let mut frequency = 0;
                for scope in &scopes {
                    let term = Term::from_field_text(field, &scoped(scope, &word.text));
                    let in_scope = snapshot.searcher.doc_freq(&term)?;
                    if in_scope > 0 {
                        frequency += in_scope;
                        here.push(term);
                    }
                }
                for term in here {
                    statistics.frequencies.insert(term.clone(), frequency);
                    terms.push(VisibleTerm { word: at, term, weight: word.weight });
                }
                in_chunks = in_chunks.max(frequency);
            }
            if !terms.is_empty() {
                found.push((in_chunks, terms));
            }
        }
        if found.len() > MOST_WORDS {
            found.sort_by_key(|(in_chunks, _)| *in_chunks);
            found.truncate(MOST_WORDS);
        }
        let terms = found.into_iter().flat_map(|(_, terms)| terms).collect();
        Ok(Self { snapshot, terms, statistics })
    }

    /// Whether a visible chunk has this word (by its place in the list of words).
    pub(in crate::kb) fn knows(&self, word: usize) -> bool {
        self.terms.iter().any(|term| term.word == word)
    }

    /// The `limit` chunks with the highest scores, in no particular order.
    pub(in crate::kb) fn top(&self, limit: usize) -> Result<Vec<DocAddress>, IndexError> {
        let mut weights = self.weights()?;
        let weight: Box<dyn Weight> = match weights.len() {
            0 => return Ok(Vec::new()),
            1 => weights.swap_remove(0),
            _ => {
                let any = weights.into_iter().map(|weight| (Occur::Should, weight)).collect();
                let combine = Box::new(SumCombiner::default);
                Box::new(BooleanWeight::with_minimum_number_should_match(any, 1, true, combine))
            }
        };
        top_chunks(self.snapshot, weight.as_ref(), limit)
    }

    /// The score of each of `chunks` (in order of address); 0 for a chunk that has none of the words.
    pub(in crate::kb) fn scores(&self, chunks: &[DocAddress]) -> Result<Vec<f64>, IndexError> {
        let mut scores = vec![0.0_f32; chunks.len()];
        self.visit(chunks, |chunk, _, score| {
            if let Some(sum) = scores.get_mut(chunk) {
                *sum += score;
            }
        })?;
        Ok(scores.into_iter().map(f64::from).collect())
    }

    /// Which of the words each of `chunks` (in order of address) has.
    pub(in crate::kb) fn matches(&self, chunks: &[DocAddress]) -> Result<Vec<Vec<usize>>, IndexError> {
        let mut matches = vec![Vec::new(); chunks.len()];
        self.visit(chunks, |chunk, word, _| {
            if let Some(words) = matches.get_mut(chunk) {
                words.push(word);
            }
        })?;
        for words in &mut matches {
            words.sort_unstable();
            words.dedup();
        }
        Ok(matches)
    }

    /// Calls `found(place in chunks, word, score)` for each term of each chunk, term by term.
    fn visit(&self, chunks: &[DocAddress], mut found: impl FnMut(usize, usize, f32)) -> Result<(), IndexError> {
        let weights = self.weights()?;
        let mut places: Vec<(DocAddress, usize)> = chunks.iter().copied().zip(0..).collect();
        places.sort_unstable();
        for of_segment in places.chunk_by(|(one, _), (other, _)| one.segment_ord == other.segment_ord) {
            let Some((first, _)) = of_segment.first() else { continue };
            let segment = self.snapshot.searcher.segment_reader(first.segment_ord);
            for (weight, term) in weights.iter().zip(&self.terms) {
                let mut scorer = weight.scorer(segment, 1.0)?;
                for (address, place) in of_segment {
                    if scorer.doc() < address.doc_id {
                        scorer.seek(address.doc_id);
                    }
                    if scorer.doc() == address.doc_id {
                        found(*place, term.word, scorer.score());
                    }
                }
            }
        }
        Ok(())
    }

    fn weights(&self) -> Result<Vec<Box<dyn Weight>>, IndexError> {
        let scoring = EnableScoring::enabled_from_statistics_provider(&self.statistics, &self.snapshot.searcher);
        let weight = |visible: &VisibleTerm| {
            let query = TermQuery::new(visible.term.clone(), IndexRecordOption::WithFreqs);
            Ok(BoostQuery::new(Box::new(query), visible.weight).weight(scoring)?)
        };
        self.terms.iter().map(weight).collect()
    }
}

/// The visible chunks' share of a field's words, as if all chunks were of mean length.
fn visible_tokens(snapshot: &Snapshot, field: Field, visible: u64) -> Result<u64, IndexError> {
    let all = Bm25StatisticsProvider::total_num_docs(&snapshot.searcher)?.max(1);
    let tokens = Bm25StatisticsProvider::total_num_tokens(&snapshot.searcher, field)?;
    Ok((tokens as f64 * visible as f64 / all as f64).round().max(1.0) as u64)
}

impl Bm25StatisticsProvider for Statistics {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(self.tokens.get(&field).copied().unwrap_or(1))
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.chunks.max(1))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Ok(self.frequencies.get(term).copied().unwrap_or(0))
    }
}
