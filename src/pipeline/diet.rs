use std::collections::{HashMap, HashSet};

use crate::domain::Passage;
use crate::prompts::Limits;
use crate::text;

/// Bytes of text that count as one token, whichever model reads it.
///
/// Four characters a token is OpenAI's rule of thumb for English ("What are tokens and how to count them?"). Bytes are
/// counted instead of characters, since a letter beyond ASCII takes more of a token than one within it.
const BYTES_PER_TOKEN: usize = 4;
/// Words that a sentence must have to be dropped when it is said again: a shorter one is a label, or a line of code.
const WORDS_OF_A_STATEMENT: usize = 3;

/// Makes `passages` (best first) as small as the limits say: cuts each of them to its words, drops what a better one has
/// said, and keeps what fits into the budget of tokens. Those of which nothing is left are left out.
pub(super) fn put_on_diet(passages: &mut Vec<Passage>, question: &str, limits: &Limits) {
    for passage in passages.iter_mut() {
        cut_to_words(&mut passage.text, limits.passage_words);
    }
    if limits.drop_duplicate_sentences {
        drop_repeated(passages);
    }
    if let Some(tokens) = limits.passage_tokens {
        keep_within(passages, question, tokens);
    }
}

/// Bytes that a passage brings into a prompt: its text, and the heading and id that say what it is.
pub(super) fn size(passage: &Passage) -> usize {
    passage.text.len() + label_size(passage)
}

fn label_size(passage: &Passage) -> usize {
    passage.heading.len() + passage.chunk.len()
}

/// Cuts `text` after its first `most` words.
fn cut_to_words(text: &mut String, most: usize) {
    let mut words = 0;
    let mut within = false;
    let end = text.char_indices().find_map(|(at, character)| {
        let starts = !character.is_whitespace() && !within;
        within = !character.is_whitespace();
        words += usize::from(starts);
        (words > most).then_some(at)
    });
    if let Some(end) = end {
        text.truncate(end);
        text.truncate(text.trim_end().len());
    }
}

/// Drops every sentence that a passage before its own has said, but for letter case and spacing.
fn drop_repeated(passages: &mut Vec<Passage>) {
    let mut said: HashSet<String> = HashSet::new();
    passages.retain_mut(|passage| {
        let pieces = pieces(&passage.text);
        let statements: Vec<Option<String>> = pieces.iter().map(|piece| statement(piece.sentence)).collect();
        let is_new = |statement: &Option<String>| statement.as_ref().is_none_or(|words| !said.contains(words));
        if !statements.iter().all(is_new) {
            passage.text = joined(pieces.iter().zip(statements.iter().map(is_new)));
        }
        said.extend(statements.into_iter().flatten());
        !passage.text.is_empty()
    });
}

/// By what two sentences are the same; `None` for one that is too short to say something.
fn statement(sentence: &str) -> Option<String> {
    (text::word_count(sentence) >= WORDS_OF_A_STATEMENT).then(|| text::collapse_whitespace(&text::fold(sentence)))
}

/// Keeps the passages that fit into `tokens` together, the best first. One that does not fit whole is cut to those of its
/// sentences that have most to do with the question; when none of them fits either, it is left out. Of the very best
/// passage something is kept, unless its heading and id alone are too long.
fn keep_within(passages: &mut Vec<Passage>, question: &str, tokens: u64) {
    let wanted = Wanted::of(question, passages);
    let mut room = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(BYTES_PER_TOKEN);
    let mut is_best = true;
    passages.retain_mut(|passage| {
        let is_best = std::mem::take(&mut is_best);
        let Some(for_text) = room.checked_sub(label_size(passage)) else { return false };
        if passage.text.len() > for_text {
            let mut excerpt = wanted.excerpt(&passage.text, for_text);
            if excerpt.is_empty() && is_best {
                excerpt = wanted.beginning_of_best(&passage.text, for_text);
            }
            passage.text = excerpt;
        }
        let is_kept = !passage.text.is_empty();
        if is_kept {
            room = room.saturating_sub(size(passage));
        }
        is_kept
    });
}

/// What a question asks about: the stems of its content words, each with how telling it is.
struct Wanted {
    weights: HashMap<String, f64>,
}

impl Wanted {
    /// A stem tells the more, the fewer of the passages' sentences have it: its weight is the inverse document frequency
    /// of BM25 (Robertson & Zaragoza 2009, §3.1), with sentences for documents.
    fn of(question: &str, passages: &[Passage]) -> Self {
        let folded = text::fold(question);
        let mut containing: HashMap<String, f64> =
            text::content_words(&folded).map(|word| (text::stem(word).to_owned(), 0.0)).collect();
        let mut sentences = 0.0;
        for piece in passages.iter().flat_map(|passage| pieces(&passage.text)) {
            sentences += 1.0;
            let folded = text::fold(piece.sentence);
            for stem in text::content_words(&folded).map(text::stem).collect::<HashSet<_>>() {
                if let Some(count) = containing.get_mut(stem) {
                    *count += 1.0;
                }
            }
        }
        let weight = |count: f64| (1.0 + (sentences - count + 0.5) / (count + 0.5)).ln();
        Self { weights: containing.into_iter().map(|(stem, count)| (stem, weight(count))).collect() }
    }

    /// How much a sentence has to do with the question: the weight of the stems that both have.
    fn relevance(&self, sentence: &str) -> f64 {
        let folded = text::fold(sentence);
        let stems: HashSet<&str> = text::content_words(&folded).map(text::stem).collect();
        // Summed in a fixed order, so that equal sentences are equal to the last bit.
        let mut weights: Vec<f64> = stems.into_iter().filter_map(|stem| self.weights.get(stem).copied()).collect();
        weights.sort_by(f64::total_cmp);
        weights.into_iter().sum()
    }

    /// The pieces of a text, the most relevant first; of equals, the earlier.
    fn ranked<'a>(&self, pieces: &[Piece<'a>]) -> Vec<(usize, Piece<'a>)> {
        let mut ranked: Vec<(f64, usize, Piece<'a>)> = pieces
            .iter()
            .enumerate()
            .map(|(position, piece)| (self.relevance(piece.sentence), position, *piece))
            .collect();
        ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
        ranked.into_iter().map(|(_, position, piece)| (position, piece)).collect()
    }

    /// As many of the sentences as `room` bytes hold, chosen by relevance, in their order.
    fn excerpt(&self, text: &str, mut room: usize) -> String {
        let pieces = pieces(text);
        let mut is_kept = vec![false; pieces.len()];
        for (position, piece) in self.ranked(&pieces) {
            if let (Some(left), Some(is_kept)) = (room.checked_sub(piece.whole.len()), is_kept.get_mut(position)) {
                (room, *is_kept) = (left, true);
            }
        }
        joined(pieces.iter().zip(is_kept))
    }

    /// The most relevant sentence as far as `room` bytes hold it, cut between words where it has any.
    fn beginning_of_best(&self, text: &str, room: usize) -> String {
        let best = self.ranked(&pieces(text)).first().map_or(text, |(_, piece)| piece.sentence);
        let whole_characters = best.get(..best.floor_char_boundary(room)).unwrap_or_default();
        let whole_words = whole_characters.rsplit_once(char::is_whitespace).map(|(words, _)| words.trim_end());
        let is_cut_within_a_word = best.len() > whole_characters.len();
        let cut = whole_words.filter(|words| is_cut_within_a_word && !words.is_empty());
        cut.unwrap_or(whole_characters).to_owned()
    }
}

/// A sentence with whatever stands between it and the one before: line breaks, list markers, fences.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece<'a> {
    whole: &'a str,
    sentence: &'a str,
}

/// A text as pieces; joined, they are the text. None for a text without any sentence.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut sentences = text::sentences(text).into_iter().peekable();
    let mut pieces = Vec::new();
    let mut start = 0;
    while let Some(sentence) = sentences.next() {
        let rest = text.get(start..).unwrap_or_default();
        let end = match sentences.peek() {
            Some(_) => start + rest.find(sentence).map_or(0, |at| at + sentence.len()),
            None => text.len(),
        };
        pieces.extend(text.get(start..end).map(|whole| Piece { whole, sentence }));
        start = end;
    }
    pieces
}

/// The text without the pieces that are not kept; sentences of two lines stay on two lines.
fn joined<'a>(pieces: impl Iterator<Item = (&'a Piece<'a>, bool)>) -> String {
    let mut joined = String::new();
    let mut is_new_line = false;
    for (piece, is_kept) in pieces {
        let lead = piece.whole.split(piece.sentence).next().unwrap_or_default();
        let breaks = lead.contains('\n');
        match (is_kept, piece.whole.strip_prefix(char::is_whitespace)) {
            (false, _) => is_new_line |= breaks,
            (true, Some(rest)) if is_new_line && !breaks => joined.extend(["\n", rest]),
            (true, _) => joined.push_str(piece.whole),
        }
        is_new_line &= !is_kept;
    }
    joined.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passage(chunk: &str, text: &str) -> Passage {
        let document = chunk.split('#').next().unwrap_or_default().to_owned();
        Passage { chunk: chunk.to_owned(), document, heading: String::new(), text: text.to_owned(), score: None }
    }

    fn limits(passage_tokens: Option<u64>, drop_duplicate_sentences: bool) -> Limits {
        Limits {
            max_question_chars: 4000,
            max_output_tokens: 512,
            passage_words: 400,
            passage_tokens,
            drop_duplicate_sentences,
        }
    }

    /// Ids and texts of what is left.
    fn after(passages: &[Passage], question: &str, limits: &Limits) -> Vec<(String, String)> {
        let mut passages = passages.to_vec();
        put_on_diet(&mut passages, question, limits);
        passages.into_iter().map(|passage| (passage.chunk, passage.text)).collect()
    }

    fn kept(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(chunk, text)| ((*chunk).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn passages_are_cut_between_words() {
        for (most, expected) in [(2, "one  two"), (3, "one  two\nthree"), (9, "one  two\nthree")] {
            let mut text = String::from("one  two\nthree");
            cut_to_words(&mut text, most);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn what_a_better_passage_has_said_is_dropped_and_the_rest_keeps_its_form() {
        let passages = [
            passage("a", "Caps reset monthly. See:\n- Set a cap first.\n"),
            passage("b", "See:\n- Alerts are sent once.\n- caps  reset MONTHLY.\n- Not so in May."),
            passage("c", "Set a cap first. Set a cap first!"),
            passage("d", "Set a cap first."),
        ];
        let expected = [
            ("a", "Caps reset monthly. See:\n- Set a cap first.\n"),
            // `See:` is too short to be a statement.
            ("b", "See:\n- Alerts are sent once.\n- Not so in May."),
            // Another sign makes another sentence.
            ("c", "Set a cap first!"),
        ];
        assert_eq!(after(&passages, "cap?", &limits(None, true)), kept(&expected));
        assert_eq!(after(&passages, "cap?", &limits(None, false)).len(), 4);
    }

    #[test]
    fn a_line_stays_a_line_when_the_sentence_after_it_goes() {
        let passages = [passage("a", "Caps end soon."), passage("b", "Set a cap\nCaps end soon. They come back.")];
        assert_eq!(after(&passages, "", &limits(None, true))[1].1, "Set a cap\nThey come back.");
    }

    #[test]
    fn a_passage_may_repeat_itself() {
        let passages = [passage("a", "Caps reset monthly. Caps reset monthly.")];
        assert_eq!(after(&passages, "", &limits(None, true))[0].1, "Caps reset monthly. Caps reset monthly.");
    }

    #[test]
    fn the_most_relevant_sentences_fill_the_budget_in_their_order() {
        let text = "Birds sing in May. A budget has a cap. Rain falls on it. Caps reset each month.";
        // 1 byte of id and 38 of text: ` A budget has a cap.` has 20 bytes, ` Caps reset each month.` 23.
        let passages = [passage("a", text), passage("b", "No cap at all.")];
        let question = "When does the cap of a budget reset?";
        let of = |tokens| after(&passages, question, &limits(Some(tokens), false));
        assert_eq!(of(11), kept(&[("a", "A budget has a cap. Caps reset each month.")]));
        // 6 tokens are 24 bytes: one of them, and the better has `budget` and `cap`.
        assert_eq!(of(6), kept(&[("a", "A budget has a cap.")]));
        // All of both: 80 and 15 bytes with their ids.
        assert_eq!(text.len() + 1, 80);
        assert_eq!(of(24).len(), 2);
        assert_eq!(of(23), kept(&[("a", text)]));
    }

    #[test]
    fn headings_and_ids_count_and_a_later_passage_may_fill_the_room() {
        let mut wide = passage("b", "Short.");
        wide.heading = "x".repeat(100);
        let passages = [passage("a", "Caps reset monthly."), wide, passage("c", "Caps end.")];
        // 20 and 10 bytes.
        assert_eq!(
            after(&passages, "caps", &limits(Some(8), false)),
            kept(&[("a", "Caps reset monthly."), ("c", "Caps end.")])
        );
    }

    #[test]
    fn of_the_best_passage_something_is_kept() {
        let passages = [passage("a", "Supercalifragilistic birds sing"), passage("b", "Caps reset monthly.")];
        // 20 bytes, less the id: not the whole second word.
        assert_eq!(after(&passages, "caps", &limits(Some(6), false)), kept(&[("a", "Supercalifragilistic")]));
        assert_eq!(after(&passages, "caps", &limits(Some(2), false)), kept(&[("a", "Superca")]));
        // Three bytes a letter.
        let wide = [passage("a", "漢字漢字漢字")];
        assert_eq!(after(&wide, "漢字", &limits(Some(3), false)), kept(&[("a", "漢字漢")]));
        let long_id = [passage("docs/budgets.md#caps", "Caps reset monthly.")];
        assert_eq!(after(&long_id, "caps", &limits(Some(5), false)), []);
    }

    #[test]
    fn without_limits_nothing_changes() {
        let passages = [passage("a", " Caps reset.\n\n"), passage("b", "")];
        assert_eq!(after(&passages, "caps", &limits(None, false)), kept(&[("a", " Caps reset.\n\n"), ("b", "")]));
    }

    proptest! {
        #[test]
        fn pieces_are_the_text(text in "([-a-z0-9ä漢.!? \\n)`]|1\\. |- ){0,60}") {
            let pieces = pieces(&text);
            let whole: String = pieces.iter().map(|piece| piece.whole).collect();
            prop_assert!(pieces.is_empty() || whole == text);
            prop_assert_eq!(pieces.len(), text::sentences(&text).len());
            prop_assert!(pieces.iter().all(|piece| piece.whole.contains(piece.sentence)));
        }

        #[test]
        fn a_budget_is_never_exceeded_and_the_best_passage_is_never_lost(
            texts in proptest::collection::vec("[a-dä漢 .!?\\n]{1,80}x", 1..6),
            tokens in 1_u64..60,
            drops in any::<bool>(),
        ) {
            let chunks: Vec<String> = (0..texts.len()).map(|number| format!("p{number}")).collect();
            let passages: Vec<Passage> = chunks.iter().zip(&texts).map(|(chunk, text)| passage(chunk, text)).collect();
            let mut left = passages.clone();
            put_on_diet(&mut left, "a b c", &limits(Some(tokens), drops));
            let bytes: usize = left.iter().map(size).sum();
            prop_assert!(bytes as u64 <= tokens * 4, "{bytes} bytes");
            prop_assert!(left.iter().all(|passage| !passage.text.is_empty()));
            // Id and one letter of at most 3 bytes.
            prop_assert!(tokens < 2 || left.first().is_some_and(|first| first.chunk == "p0"));
            prop_assert!(left.is_sorted_by_key(|passage| &passage.chunk));
            // What is kept of a passage is in the order of the passage.
            for passage in &left {
                let original = &texts[chunks.iter().position(|chunk| *chunk == passage.chunk).unwrap()];
                let mut rest = original.chars();
                let mut kept = passage.text.chars().filter(|character| !character.is_whitespace());
                prop_assert!(kept.all(|character| rest.any(|other| other == character)), "{:?}", passage.text);
            }
        }
    }
}
