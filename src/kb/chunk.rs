use super::ExtractedDocument;
use crate::domain::{ContentHash, Hasher};
use crate::text;

/// A section with fewer words than this is put together with the next.
const TINY_WORDS: usize = 8;

/// A chunk before it has a place in the store: what is indexed, retrieved and cited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkDraft {
    /// `<document>#<anchor>`, and `~2`, `~3`, … for the later parts of a split section: stable while headings are.
    pub id: String,
    /// The document's title and the headings above the text, joined by ` > `.
    pub heading: String,
    /// The text, without its heading.
    pub text: String,
    /// Number of words in the text.
    pub words: usize,
    /// Hash of heading and text.
    pub hash: ContentHash,
}

/// Cuts a document into chunks of at most `max_words` words, at headings first, then at the ends of sentences and lines.
///
/// A sentence longer than `max_words` is cut between words. A tiny section of prose joins the next one beside or below
/// it, under that one's anchor.
pub fn chunk(document_id: &str, document: &ExtractedDocument, max_words: usize) -> Vec<ChunkDraft> {
    let mut drafts = Vec::new();
    let mut carried: Option<String> = None;
    for (index, section) in document.sections.iter().enumerate() {
        let mut heading = vec![document.title.as_str()];
        heading.extend(section.heading_path.iter().map(String::as_str));
        let heading = heading.join(" > ");
        let text = match carried.take() {
            Some(before) => format!("{before}\n{}", section.text),
            None => section.text.clone(),
        };
        // Only to a section beside or below it: the next chapter is about something else.
        let leads_on = document
            .sections
            .get(index + 1)
            .is_some_and(|next| !next.is_record && next.heading_path.len() >= section.heading_path.len());
        let tiny = count(&text) < TINY_WORDS && !section.heading_path.is_empty() && !section.is_record && leads_on;
        if tiny {
            let title = section.heading_path.last().map_or("", String::as_str);
            carried = Some(format!("{title}: {text}"));
            continue;
        }
        for (part, text) in split(&text, max_words).into_iter().enumerate() {
            let suffix = if part == 0 { String::new() } else { format!("~{}", part + 1) };
            let mut hash = Hasher::default();
            hash.field(&heading).field(&text);
            drafts.push(ChunkDraft {
                id: format!("{document_id}#{}{suffix}", section.anchor),
                words: count(&text),
                hash: hash.finish(),
                heading: heading.clone(),
                text,
            });
        }
    }
    drafts
}

fn count(text: &str) -> usize {
    text::word_count(text)
}

/// Parts of at most `max_words` words, of nearly equal length, cut where sentences or lines end.
fn split(text: &str, max_words: usize) -> Vec<String> {
    let total = count(text);
    if total <= max_words {
        return vec![text.to_owned()];
    }
    let target = total.div_ceil(total.div_ceil(max_words));
    let mut parts: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        for (index, piece) in pieces(line, max_words).into_iter().enumerate() {
            let words = count(&piece);
            let joint = if index == 0 { '\n' } else { ' ' };
            match parts.last_mut() {
                Some((have, part)) if words == 0 || (*have + words <= max_words && *have < target) => {
                    *have += words;
                    part.push(joint);
                    part.push_str(&piece);
                }
                _ => parts.push((words, piece)),
            }
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

/// The sentences of a line, those that are too long cut between words; a line without any sentence as it is.
fn pieces(line: &str, max_words: usize) -> Vec<String> {
    let sentences = text::sentences(line);
    if sentences.is_empty() {
        return vec![line.to_owned()];
    }
    let cut = |sentence: &str| {
        if count(sentence) <= max_words {
            return vec![sentence.to_owned()];
        }
        // Joined words such as `a/b` count as several, so a piece may exceed the limit by those.
        let words: Vec<&str> = sentence.split_whitespace().collect();
        words.chunks(max_words).map(|words| words.join(" ")).collect()
    };
    sentences.into_iter().flat_map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{DocumentKind, extract};
    use super::*;

    fn chunks(text: &str, max_words: usize) -> Vec<ChunkDraft> {
        chunk("docs/a.md", &extract(text.as_bytes(), DocumentKind::Markdown, "docs/a.md").unwrap(), max_words)
    }

    #[test]
    fn sections_become_chunks_with_stable_ids() {
        let text = "# Guide\n\nSome words that lead into all of the following parts.\n\n## Caps\n\nA cap is a hard limit on what a tenant spends.\n";
        let found: Vec<_> = chunks(text, 100).into_iter().map(|chunk| (chunk.id, chunk.heading)).collect();
        assert_eq!(
            found,
            [("docs/a.md#guide".into(), "Guide".into()), ("docs/a.md#caps".into(), "Guide > Caps".into())]
                .map(|(id, heading): (String, String)| (id, heading))
        );
    }

    #[test]
    fn a_long_section_is_split_between_sentences() {
        let text = format!("# Guide\n\n{}", "One two three four five six. ".repeat(10));
        let parts = chunks(&text, 25);
        assert_eq!(parts.iter().map(|part| part.words).collect::<Vec<_>>(), [24, 24, 12]);
        assert_eq!(parts[1].id, "docs/a.md#guide~2");
        assert!(parts.iter().all(|part| part.text.ends_with("six.")));
    }

    #[test]
    fn splitting_loses_nothing_but_list_markers() {
        let text = format!("# Guide\n\n```\nfn main() {{\n}}\n```\n\n{}", "word ".repeat(60));
        let parts = chunks(&text, 25);
        assert!(parts.iter().all(|part| part.words <= 25), "{parts:?}");
        assert_eq!(parts.iter().map(|part| part.words).sum::<usize>(), 62);
        assert!(parts[0].text.contains("fn main() {\n}"), "{}", parts[0].text);
    }

    #[test]
    fn short_records_stay_apart() {
        let line = |id: &str| format!("{{\"id\":\"{id}\",\"title\":\"T\",\"text\":\"One.\"}}\n");
        let document = extract((line("a") + &line("b")).as_bytes(), DocumentKind::Jsonl, "faq.jsonl").unwrap();
        let ids: Vec<_> = chunk("faq.jsonl", &document, 100).into_iter().map(|chunk| chunk.id).collect();
        assert_eq!(ids, ["faq.jsonl#a", "faq.jsonl#b"]);
    }

    #[test]
    fn a_tiny_section_joins_the_next() {
        let text = "# Guide\n\n## Note\n\nRead on.\n\n## Caps\n\nA cap is a hard limit on what a tenant spends.\n";
        let found = chunks(text, 100);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, "docs/a.md#caps");
        assert!(found[0].text.starts_with("Note: Read on.\n"));
    }

    #[test]
    fn the_hash_changes_with_heading_and_text() {
        let hash = |text: &str| chunks(text, 100)[0].hash.clone();
        let base = "# A\n\nEight words are what a chunk needs here.\n";
        assert_eq!(hash(base), hash(base));
        assert_ne!(hash(base), hash(&base.replace("# A", "# B")));
        assert_ne!(hash(base), hash(&base.replace("Eight", "Nine")));
    }
}
