use std::collections::BTreeMap;

use super::features::grams;
use crate::kb::index::{IndexError, SEPARATOR, Snapshot};

/// Words are similar from this Dice coefficient of their character 3-grams on: a wrong, missing or extra letter in a word of
/// five or more, or another ending.
const LEAST_SIMILARITY: f32 = 0.4;

/// At most this many similar words stand for one word.
const MOST_SIMILAR: usize = 4;

/// A word that the index knows is compared with words of the same beginning, of this many letters.
const KNOWN_PREFIX_CHARS: usize = 4;

/// Words of the visible chunks that are spelt like `word`, with their similarity (0..1), best first.
///
/// A word that no visible chunk has is probably misspelt: it is compared with all words of the same first letter. Other
/// words have other forms of themselves, which begin alike.
pub(super) fn similar_words(
    snapshot: &Snapshot,
    scopes: &[&str],
    word: &str,
    known: bool,
) -> Result<Vec<(String, f32)>, IndexError> {
    let prefix_chars = if known { KNOWN_PREFIX_CHARS } else { 1 };
    let prefix: String = word.chars().take(prefix_chars).collect();
    let wanted: Vec<u64> = grams(word).collect();
    if wanted.len() < 3 {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<String, f32> = BTreeMap::new();
    for scope in scopes {
        let skip = scope.len() + SEPARATOR.len_utf8();
        let from = format!("{scope}{SEPARATOR}{prefix}");
        let mut to = from.clone().into_bytes();
        to.push(0xff);
        for segment in snapshot.searcher.segment_readers() {
            for field in [snapshot.fields.body, snapshot.fields.heading] {
                let index = segment.inverted_index(field)?;
                let mut terms = index.terms().range().ge(&from).lt(&to).into_stream()?;
                while terms.advance() {
                    let candidate = terms.key().get(skip..).and_then(|bytes| std::str::from_utf8(bytes).ok());
                    let Some(candidate) = candidate else { continue };
                    let similarity = dice(&wanted, candidate);
                    if similarity >= LEAST_SIMILARITY && candidate != word {
                        found.insert(candidate.to_owned(), similarity);
                    }
                }
            }
        }
    }
    let mut found: Vec<(String, f32)> = found.into_iter().collect();
    found.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    found.truncate(MOST_SIMILAR);
    Ok(found)
}

/// The Dice coefficient of the 3-grams of two words: twice the shared ones, divided by all. 0 when it must be too low.
fn dice(wanted: &[u64], candidate: &str) -> f32 {
    let (few, many) = (wanted.len().min(candidate.len()), wanted.len().max(candidate.chars().count()));
    if (2 * few) as f32 / (few + many) as f32 <= LEAST_SIMILARITY {
        return 0.0;
    }
    let (mut all, mut shared) = (wanted.len(), 0);
    for gram in grams(candidate) {
        all += 1;
        shared += usize::from(wanted.contains(&gram));
    }
    (2 * shared) as f32 / all as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(one: &str, other: &str) -> f32 {
        dice(&grams(one).collect::<Vec<_>>(), other)
    }

    #[test]
    fn misspellings_and_word_forms_are_similar_and_other_words_are_not() {
        assert!((similarity("idempotancy", "idempotency") - 16.0 / 22.0).abs() < 1e-6);
        for (one, other) in
            [("tenatn", "tenant"), ("configuring", "configuration"), ("budgets", "budget"), ("recieve", "receive")]
        {
            assert!(similarity(one, other) >= LEAST_SIMILARITY, "{one} {other} {}", similarity(one, other));
        }
        for (one, other) in [("tenant", "tension"), ("budget", "buffer"), ("cap", "capacity"), ("prompt", "provider")] {
            assert!(similarity(one, other) < LEAST_SIMILARITY, "{one} {other} {}", similarity(one, other));
        }
    }
}
