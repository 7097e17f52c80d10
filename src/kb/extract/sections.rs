use std::collections::HashMap;

use super::Section;
use crate::text::collapse_whitespace;

/// Collects the sections of a document while it is read.
#[derive(Default)]
pub(super) struct Sections {
    done: Vec<Section>,
    warnings: Vec<String>,
    /// Open headings, outermost first, with their levels.
    headings: Vec<(u8, String)>,
    anchors: HashMap<String, usize>,
    anchor: Option<String>,
    lines: Vec<String>,
}

impl Sections {
    /// Begins a section under a heading of `level` (1 is outermost).
    pub(super) fn heading(&mut self, level: u8, title: &str) {
        self.end();
        self.headings.retain(|(open, _)| *open < level);
        let title = collapse_whitespace(title);
        self.anchor = Some(self.unique_anchor(&slug(&title)));
        self.headings.push((level, title));
    }

    /// Adds a line of text, its white space collapsed.
    pub(super) fn line(&mut self, line: &str) {
        let line = collapse_whitespace(line);
        if !line.is_empty() {
            self.lines.push(line);
        }
    }

    /// Adds text whose lines are kept.
    pub(super) fn text(&mut self, text: &str) {
        self.lines.extend(text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }

    /// Adds a section of its own, such as a row. An id without white space is its anchor as it is.
    pub(super) fn record(&mut self, heading: Option<String>, id: &str, text: String) {
        let plain = !id.contains(|character: char| character.is_whitespace() || character.is_control());
        let anchor = self.unique_anchor(&if plain { id.to_owned() } else { slug(id) });
        self.done.push(Section { heading_path: heading.into_iter().collect(), anchor, text, is_record: true });
    }

    /// Notes something that could not be read.
    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub(super) fn finish(mut self) -> (Vec<Section>, Vec<String>) {
        self.end();
        // The first top heading is the document's title, and above everything: it is not repeated in every path.
        for section in &mut self.done {
            section.heading_path.retain(|heading| !heading.is_empty());
        }
        (self.done, self.warnings)
    }

    /// Makes the open top heading the document's title: the sections below it do not repeat it.
    pub(super) fn take_title(&mut self) {
        if let Some((1, title)) = self.headings.first_mut() {
            title.clear();
        }
    }

    fn end(&mut self) {
        let anchor = self.anchor.take();
        if self.lines.is_empty() {
            return;
        }
        let anchor = anchor.unwrap_or_else(|| self.unique_anchor("top"));
        let heading_path = self.headings.iter().map(|(_, title)| title.clone()).collect();
        let text = std::mem::take(&mut self.lines).join("\n");
        self.done.push(Section { heading_path, anchor, text, is_record: false });
    }

    /// The slug, or its first numbered form that is not taken.
    fn unique_anchor(&mut self, slug: &str) -> String {
        let slug = if slug.is_empty() { "section" } else { slug };
        let mut anchor = slug.to_owned();
        while self.anchors.contains_key(&anchor) {
            let again = self.anchors.entry(slug.to_owned()).or_insert(0);
            *again += 1;
            anchor = format!("{slug}-{again}");
        }
        self.anchors.insert(anchor.clone(), 0);
        anchor
    }
}

/// The anchor that GitHub makes of a heading: lower case, spaces to dashes, only letters, digits, `-` and `_`.
fn slug(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            _ => character.is_alphanumeric().then_some(character),
        })
        .collect()
}
