use std::collections::{HashMap, HashSet};

use crate::text;

/// The content words of a text, each reduced to what its inflections share, in order.
pub(super) fn terms(text: &str) -> Vec<String> {
    let folded = text::fold(text);
    text::content_words(&folded).map(|word| text::stem(word).to_owned()).collect()
}

/// How telling each term is among these sentences: high where few of them contain it.
pub(super) struct Weights {
    containing: HashMap<String, usize>,
    sentences: usize,
}

impl Weights {
    pub(super) fn of<'a>(sentences: impl Iterator<Item = &'a [String]>) -> Self {
        let mut weights = Self { containing: HashMap::new(), sentences: 0 };
        for terms in sentences {
            weights.sentences += 1;
            for term in terms.iter().collect::<HashSet<_>>() {
                *weights.containing.entry(term.clone()).or_insert(0) += 1;
            }
        }
        weights
    }

    /// Inverse document frequency as in BM25 (Robertson & Zaragoza 2009, §3.1), with sentences for documents.
    pub(super) fn of_term(&self, term: &str) -> f64 {
        let containing = self.containing.get(term).copied().unwrap_or(0) as f64;
        (1.0 + (self.sentences as f64 - containing + 0.5) / (containing + 0.5)).ln()
    }

    /// Share of the weight of `wanted` that `have` holds, 0..=1; 0 when nothing is wanted.
    pub(super) fn coverage(&self, wanted: &HashSet<&str>, have: &HashSet<&str>) -> f64 {
        let total: f64 = wanted.iter().map(|term| self.of_term(term)).sum();
        let held: f64 = wanted.intersection(have).map(|term| self.of_term(term)).sum();
        if total > 0.0 { held / total } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflections_of_a_word_are_one_term() {
        for pair in [("capping", "capped"), ("retries", "retry"), ("migration", "migrations"), ("resume", "resumed")] {
            let (left, right) = (terms(pair.0), terms(pair.1));
            assert!(left[0].starts_with(&right[0]) || right[0].starts_with(&left[0]), "{pair:?}: {left:?} {right:?}");
        }
    }

    #[test]
    fn a_rare_term_weighs_more() {
        let sentences = [terms("the cap holds"), terms("the cap resets monthly"), terms("alerts and the cap")];
        let weights = Weights::of(sentences.iter().map(Vec::as_slice));
        assert!(weights.of_term("monthl") > weights.of_term("cap"));
    }
}
