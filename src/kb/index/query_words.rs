use super::tokenizer::indexed_words;
use crate::text;

/// A word to look for, and how much it counts.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::kb) struct QueryWord {
    /// The word, folded.
    pub(in crate::kb) text: String,
    /// A factor of its BM25 score: how often the query has it, or how similar it is to one of the query's words.
    pub(in crate::kb) weight: f32,
}

/// The different words of a query, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::kb) struct QueryWords(pub(in crate::kb) Vec<QueryWord>);

impl QueryWords {
    /// Reads a query as plain text; function words are left out.
    pub(in crate::kb) fn of(query: &str) -> Self {
        let folded = text::fold(query);
        let mut words: Vec<QueryWord> = Vec::new();
        for word in indexed_words(&folded) {
            match words.iter_mut().find(|known| known.text == word) {
                Some(known) => known.weight += 1.0,
                None => words.push(QueryWord { text: word.to_owned(), weight: 1.0 }),
            }
        }
        Self(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_word_counts_as_often_as_it_is_said() {
        let words = QueryWords::of("How do I cap a Budget: budget AND \"cap*\"~2 budget?");
        let seen: Vec<_> = words.0.iter().map(|word| (word.text.as_str(), word.weight)).collect();
        assert_eq!(seen, [("cap", 2.0), ("budget", 3.0), ("2", 1.0)]);
    }
}
