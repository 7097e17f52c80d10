//! Reading documents: bytes of some kind in, titled sections of plain text out.
//!
//! Every kind ends in the same shape, one [`Section`] a heading (or row, or line), so that everything after it needs
//! to know nothing about file formats. Text keeps one sentence, list item or table row a line where the source shows
//! its structure, because sentences are what answers are made of.

mod html;
mod markdown;
mod records;
mod sections;

use std::path::Path;

use sections::Sections;

/// Longest line of a CSV or JSONL file, in bytes.
const MAX_LINE_BYTES: usize = 1 << 20;

/// What a document's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// CommonMark with tables and strike-through.
    Markdown,
    /// HTML 5.
    Html,
    /// Paragraphs between blank lines.
    Text,
    /// A header row, then one section a row.
    Csv,
    /// One JSON object, and one section, a line.
    Jsonl,
}

impl DocumentKind {
    /// The kind that a file's name tells; plain text when it tells none.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" => Self::Html,
            "csv" => Self::Csv,
            "jsonl" | "ndjson" => Self::Jsonl,
            _ => Self::Text,
        }
    }
}

/// A document as plain text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExtractedDocument {
    /// Its first top heading or `<title>`, else the file's name.
    pub title: String,
    /// Its sections in order.
    pub sections: Vec<Section>,
    /// Rows or lines that could not be read, each with its place; the rest was read.
    pub warnings: Vec<String>,
}

/// The text under one heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The headings above the text, outermost first, without the document's title.
    pub heading_path: Vec<String>,
    /// Unique within the document, as GitHub makes them: `my-heading`, `my-heading-1`.
    pub anchor: String,
    /// The text, without the heading.
    pub text: String,
    /// Whether it is a row or line that stands for itself, however short it is.
    pub is_record: bool,
}

/// Why a document cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is no text.
    #[error("it is binary: there is a zero byte at offset {offset}")]
    Binary {
        /// Where the first one is.
        offset: usize,
    },
    /// It is text in another encoding.
    #[error("it is UTF-16; save it as UTF-8")]
    Utf16,
    /// It is text in an unknown encoding, or damaged.
    #[error("it is not UTF-8: byte {offset} begins no character; save it as UTF-8")]
    NotUtf8 {
        /// Where the first bad byte is.
        offset: usize,
    },
    /// It holds nothing that could be searched.
    #[error("there is no text in it{}", because.as_ref().map(|because| format!(": {because}")).unwrap_or_default())]
    NoText {
        /// What could not be read, when that is why.
        because: Option<String>,
    },
}

/// Reads a document. `path` gives it a title when its content has none.
///
/// # Errors
/// [`ExtractError`] when it is not text or holds none; a bad row or line is only a warning.
pub fn extract(bytes: &[u8], kind: DocumentKind, path: &str) -> Result<ExtractedDocument, ExtractError> {
    let text = decode(bytes)?;
    let mut sections = Sections::default();
    let title = match kind {
        DocumentKind::Markdown => markdown::read(text, &mut sections),
        DocumentKind::Html => html::read(text, &mut sections),
        DocumentKind::Text => {
            sections.text(text);
            None
        }
        DocumentKind::Csv => {
            records::read_csv(text, &mut sections);
            None
        }
        DocumentKind::Jsonl => {
            records::read_jsonl(text, &mut sections);
            None
        }
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let title = title.filter(|title| !title.is_empty()).unwrap_or_else(|| name.to_owned());
    let (sections, warnings) = sections.finish();
    if sections.is_empty() {
        return Err(ExtractError::NoText { because: warnings.into_iter().next() });
    }
    Ok(ExtractedDocument { title, sections, warnings })
}

fn decode(bytes: &[u8]) -> Result<&str, ExtractError> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ExtractError::Utf16);
    }
    if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
        return Err(ExtractError::Binary { offset });
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| ExtractError::NotUtf8 { offset: error.valid_up_to() })?;
    if text.trim().is_empty() { Err(ExtractError::Empty) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: DocumentKind, text: &str) -> ExtractedDocument {
        extract(text.as_bytes(), kind, "docs/file.x").unwrap()
    }

    fn shown(document: &ExtractedDocument) -> Vec<(String, String)> {
        let section = |section: &Section| (section.heading_path.join(" > "), section.text.clone());
        document.sections.iter().map(section).collect()
    }

    #[test]
    fn markdown_becomes_sections_of_plain_text() {
        let text = "---\ntitle: x\n---\n# Caps\n\nA *hard* limit,\nset `per tenant`. See [budgets](b.md).\n\n## Set one\n\n\
                    1. Open it\n2. Write:\n\n```toml\nlimit = 5\n```\n\n| flag | meaning |\n|---|---|\n| `--a` | first |\n\n## Set one\n\nAgain.\n";
        let document = read(DocumentKind::Markdown, text);
        assert_eq!(document.title, "Caps");
        assert_eq!(
            shown(&document),
            [
                (String::new(), "A hard limit, set per tenant. See budgets.".to_owned()),
                ("Set one".to_owned(), "Open it\nWrite:\nlimit = 5\nflag: --a; meaning: first.".to_owned()),
                ("Set one".to_owned(), "Again.".to_owned()),
            ]
        );
        let anchors: Vec<_> = document.sections.iter().map(|section| section.anchor.as_str()).collect();
        assert_eq!(anchors, ["caps", "set-one", "set-one-1"]);
    }

    #[test]
    fn html_keeps_text_and_drops_furniture() {
        let text = "<html><head><title>T</title><style>p{}</style></head><body><nav>Home</nav><h1>Returns</h1>\
                    <p>Within 30&nbsp;days,\n<b>unused</b>.</p><ul><li>One</li><li>Two</li></ul><h2>Fees</h2>\
                    <table><tr><th>zone</th><th>fee</th></tr><tr><td>EU</td><td>5 &euro;</td></tr></table>\
                    <script>alert(1)</script><footer>c</footer></body></html>";
        let document = read(DocumentKind::Html, text);
        assert_eq!(document.title, "Returns");
        assert_eq!(
            shown(&document),
            [
                (String::new(), "Within 30 days, unused.\nOne\nTwo".to_owned()),
                ("Fees".to_owned(), "zone: EU; fee: 5 €.".to_owned()),
            ]
        );
    }

    #[test]
    fn rows_and_lines_are_sections_and_bad_ones_are_named() {
        let document = read(DocumentKind::Csv, "id,question,answer,area\nq1,How?,So.,billing\nq2,Why\n");
        assert_eq!(shown(&document), [("How?".to_owned(), "So.\narea: billing".to_owned())]);
        assert_eq!(document.sections[0].anchor, "q1");
        assert_eq!(document.warnings, ["line 3: it has 2 fields, and the header has 4"]);

        let lines = "{\"id\":\"a\",\"title\":\"T\",\"text\":\"Body.\"}\nnot json\n{\"n\":1}\n";
        let document = read(DocumentKind::Jsonl, lines);
        assert_eq!(shown(&document), [("T".to_owned(), "Body.".to_owned())]);
        assert_eq!(document.warnings.len(), 2, "{:?}", document.warnings);
        assert!(document.warnings[0].starts_with("line 2: "));
    }

    #[test]
    fn anchors_are_unique_and_depth_is_bounded() {
        let document = read(DocumentKind::Markdown, "## a\n\n1\n\n## a\n\n2\n\n## a-1\n\n3\n\n## a\n\n4\n");
        let anchors: Vec<_> = document.sections.iter().map(|section| section.anchor.as_str()).collect();
        assert_eq!(anchors, ["a", "a-1", "a-1-1", "a-2"]);
        let deep = format!("{}deep{}", "<div>".repeat(5_000), "</div>".repeat(5_000));
        assert_eq!(shown(&read(DocumentKind::Html, &deep))[0].1, "deep");
    }

    #[test]
    fn semicolons_may_separate_fields_and_markup_in_markdown_is_read() {
        let document = read(DocumentKind::Csv, "id;text\nx;a, b\n");
        assert_eq!(shown(&document)[0].1, "a, b");
        let text = "## Caps {#custom}\n\nplain<br>line\n\n<p>In a <b>block</b></p>\n\n- [x] done\n";
        let document = read(DocumentKind::Markdown, text);
        assert_eq!(document.sections[0].heading_path, ["Caps"]);
        assert_eq!(document.sections[0].text, "plain\nline\nIn a block\ndone");
    }

    #[test]
    fn what_is_not_utf8_text_is_refused_with_its_place() {
        let refuse = |bytes: &[u8]| extract(bytes, DocumentKind::Text, "x").unwrap_err();
        assert_eq!(refuse(b"ab\0"), ExtractError::Binary { offset: 2 });
        assert_eq!(refuse(b"ab\xE9"), ExtractError::NotUtf8 { offset: 2 });
        assert_eq!(refuse(b"\xFF\xFEa\0"), ExtractError::Utf16);
        assert_eq!(refuse(b" \n"), ExtractError::Empty);
        assert_eq!(
            extract(b"# Only a title", DocumentKind::Markdown, "x"),
            Err(ExtractError::NoText { because: None })
        );
    }
}
