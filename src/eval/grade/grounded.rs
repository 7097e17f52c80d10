use std::collections::HashSet;

use crate::domain::{Answer, Passage};
use crate::gold::Case;
use crate::text::{content_words, fold, sentences, words};

use super::judgement::Judgement;
use super::retrieval::distinct;

/// The share of the sentences of `text` that `passages` support, 0..=1; `None` when no sentence has a content word.
///
/// A sentence is supported when one passage (its heading and text) holds at least the share `support` of the sentence's
/// content words. Sentences without content words claim nothing and are left out.
pub fn grounded(text: &str, passages: &[Passage], support: f64) -> Option<f64> {
    let checked = check_sentences(text, passages, support);
    let supported = checked.iter().filter(|(_, supported)| *supported).count();
    (!checked.is_empty()).then(|| supported as f64 / checked.len() as f64)
}

/// The share of the `expected` documents or chunks that `answer` cites; 1 when none is expected and none is cited.
///
/// A citation is a chunk's id; it cites the chunk and its document.
pub fn cites(expected: &[String], answer: &Answer) -> f64 {
    let entries = distinct(expected);
    if entries.is_empty() {
        return if answer.citations.is_empty() { 1.0 } else { 0.0 };
    }
    entries.iter().filter(|entry| is_cited(entry, answer)).count() as f64 / entries.len() as f64
}

pub(super) fn judge(case: &Case, answer: &Answer, support: f64) -> Judgement {
    if answer.refused {
        return Judgement::yes_or_no(!case.is_answerable(), || "refused".to_owned());
    }
    let checked = check_sentences(&answer.text, &answer.passages, support);
    if checked.is_empty() {
        return Judgement::because(0.0, "the answer says nothing");
    }
    let unsupported: Vec<&str> = checked.iter().filter(|(_, supported)| !supported).map(|(text, _)| *text).collect();
    let share = 1.0 - unsupported.len() as f64 / checked.len() as f64;
    match unsupported.first() {
        None => Judgement::score(share),
        Some(first) => Judgement::because(share, format!("unsupported: {first}")),
    }
}

pub(super) fn judge_citations(expected: &[String], answer: &Answer) -> Judgement {
    let score = cites(expected, answer);
    if score >= 1.0 {
        return Judgement::score(score);
    }
    let missing: Vec<&str> = distinct(expected).into_iter().filter(|entry| !is_cited(entry, answer)).collect();
    let reason = if missing.is_empty() {
        format!("cites {}, where nothing is expected", answer.citations.join(", "))
    } else {
        format!("not cited: {}", missing.join(", "))
    };
    Judgement::because(score, reason)
}

fn check_sentences<'a>(text: &'a str, passages: &[Passage], support: f64) -> Vec<(&'a str, bool)> {
    let folded: Vec<String> =
        passages.iter().map(|passage| fold(&format!("{}\n{}", passage.heading, passage.text)).into_owned()).collect();
    let held: Vec<HashSet<&str>> = folded.iter().map(|passage| words(passage).collect()).collect();
    let mut checked = Vec::new();
    for sentence in sentences(text) {
        let folded = fold(sentence);
        let content: Vec<&str> = content_words(&folded).collect();
        if content.is_empty() {
            continue;
        }
        let is_supported = held.iter().any(|held| {
            let shared = content.iter().filter(|word| held.contains(*word)).count();
            shared as f64 >= support * content.len() as f64
        });
        checked.push((sentence, is_supported));
    }
    checked
}

fn is_cited(entry: &str, answer: &Answer) -> bool {
    answer.citations.iter().any(|citation| {
        citation == entry
            || citation.rsplit_once('#').is_some_and(|(document, _)| document == entry)
            || answer.passages.iter().any(|passage| passage.chunk == *citation && passage.document == entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(heading: &str, text: &str) -> Passage {
        Passage {
            chunk: "docs/a.md#x".into(),
            document: "docs/a.md".into(),
            heading: heading.into(),
            text: text.into(),
            score: None,
        }
    }

    #[test]
    fn a_sentence_needs_its_content_words_in_one_passage() {
        let passages = [passage("Budgets", "A hard cap stops every call."), passage("", "The dashboard shows spend.")];
        let share = |text, support| grounded(text, &passages, support);
        assert_eq!(share("A hard CAP stops the calls. Unicorns fly.", 0.5), Some(0.5));
        assert_eq!(share("The cap of budgets stops.", 1.0), Some(1.0));
        assert_eq!(share("The cap shows on the dashboard.", 1.0), Some(0.0));
        assert_eq!(share("The cap shows on the dashboard.", 0.6), Some(1.0));
    }

    #[test]
    fn a_text_without_content_is_not_measured() {
        assert_eq!(grounded("", &[passage("", "cap")], 0.5), None);
        assert_eq!(grounded("It is. Cap.", &[passage("", "cap")], 0.5), Some(1.0));
        assert_eq!(grounded("Cap.", &[], 0.5), Some(0.0));
    }
}
