//! Properties of everything that reads data from outside: whatever comes in, nothing panics, and what must hold holds.

#![cfg(test)]

use proptest::prelude::*;
use tollgate::domain::NanoUsd;
use tollgate::eval::grade::{rouge_l, sentence_bleu, similarity, token_f1};
use tollgate::gold::{Filter, GoldSet, filter_for_id};
use tollgate::kb::{DocumentKind, chunk, extract};
use tollgate::{config, text};

fn any_kind() -> impl Strategy<Value = DocumentKind> {
    prop_oneof![
        Just(DocumentKind::Markdown),
        Just(DocumentKind::Html),
        Just(DocumentKind::Text),
        Just(DocumentKind::Csv),
        Just(DocumentKind::Jsonl),
    ]
}

/// Text that looks like some document format, with its punctuation in odd places.
fn documents() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        "[a-zA-Z äß中0-9]{0,12}",
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("# ".to_owned()),
        Just("## a".to_owned()),
        Just("| a | b |\n|---|---|\n".to_owned()),
        Just("```\n".to_owned()),
        Just("<div>".to_owned()),
        Just("</div></p>".to_owned()),
        Just("<table><tr><td>".to_owned()),
        Just("<h1>".to_owned()),
        Just("{\"text\": \"".to_owned()),
        Just("\"}".to_owned()),
        Just(",;\"\t".to_owned()),
        Just("---\n".to_owned()),
        Just(". ".to_owned()),
        Just("&lt;&#x27;".to_owned()),
    ];
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in any_kind()) {
        let _ = extract(&bytes, kind, "docs/x");
    }

    #[test]
    fn chunks_are_within_the_limit_and_have_ids_of_their_own(document in documents(), kind in any_kind(), most in 20_usize..80) {
        let Ok(extracted) = extract(document.as_bytes(), kind, "docs/x.md") else { return Ok(()) };
        let chunks = chunk("docs/x.md", &extracted, most);
        let mut ids: Vec<&str> = chunks.iter().map(|chunk| chunk.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), chunks.len());
        for chunk in &chunks {
            prop_assert!(chunk.id.starts_with("docs/x.md#"));
            prop_assert_eq!(chunk.words, text::words(&chunk.text).count());
            // Words joined by punctuation are not torn apart, so a chunk may exceed the limit by such words.
            prop_assert!(chunk.text.split_whitespace().count() <= most + 1 || chunk.words <= most, "{:?}", chunk);
        }
    }

    #[test]
    fn sentences_are_parts_of_their_text(paragraph in "[a-zA-Z0-9 .!?\"'()\\-\n]{0,200}") {
        let mut rest = paragraph.as_str();
        for sentence in text::sentences(&paragraph) {
            let at = rest.find(sentence);
            prop_assert!(at.is_some(), "{sentence:?} is not in {rest:?}");
            rest = &rest[at.unwrap() + sentence.len()..];
        }
    }

    #[test]
    fn normalizing_a_question_twice_changes_nothing(question in any::<String>()) {
        let once = text::normalize_question(&question);
        prop_assert_eq!(text::normalize_question(&once), once);
    }

    #[test]
    fn the_fast_word_count_counts_the_words(any_text in any::<String>()) {
        prop_assert_eq!(text::word_count(&any_text), text::words(&any_text).count());
    }

    #[test]
    fn dollars_survive_being_written_out(nano in -9_000_000_000_000_000_000_i64..9_000_000_000_000_000_000) {
        let magnitude = nano.unsigned_abs();
        let sign = if nano < 0 { "-" } else { "" };
        let written = format!("{sign}{}.{:09}", magnitude / 1_000_000_000, magnitude % 1_000_000_000);
        prop_assert_eq!(NanoUsd::parse_dollars(&written), Some(NanoUsd(nano)));
        let _ = NanoUsd(nano).to_string();
    }

    #[test]
    fn similarity_measures_stay_in_0_to_1_and_know_equality(one in "[a-z ]{0,60}", other in "[a-zA-Z0-9 .,]{0,60}") {
        for score in [token_f1(&one, &other), rouge_l(&one, &other), similarity(&one, &other), sentence_bleu(&one, &[&other])] {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&score), "{score}");
        }
        if one.split_whitespace().any(|word| !["a", "an", "the"].contains(&word)) {
            prop_assert!((token_f1(&one, &one) - 1.0).abs() < 1e-9);
            prop_assert!((rouge_l(&one, &one) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_filter_for_an_id_selects_that_id(id in "[a-zA-Z0-9*?\\[\\]{}!\\\\/_.:,-]{1,20}", other in "[a-z*?]{1,8}") {
        let filter = Filter::parse(&[filter_for_id(&id)]).unwrap();
        let case = |id: &str| serde_json::from_value(serde_json::json!({"id": id, "question": "q"})).unwrap();
        prop_assert!(filter.matches(&case(&id)));
        prop_assert_eq!(filter.matches(&case(&other)), other == id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_file_is_a_gold_set_or_refused_with_places(lines in prop::collection::vec(documents(), 0..6)) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        std::fs::write(&path, lines.join("\n")).unwrap();
        if let Ok(set) = GoldSet::open(&path, |_| Ok(())) {
            prop_assert_eq!(set.cases().unwrap().flatten().count(), set.case_count);
        }
    }

    #[test]
    fn any_configuration_is_read_or_refused(body in documents(), value in any::<String>()) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(config::FILE_NAME), format!("[project]\nname = \"x\"\n{body}")).unwrap();
        let environment = [("TOLLGATE_EVAL__CONCURRENCY".to_owned(), value)];
        let _ = config::load(directory.path(), &environment);
    }
}
