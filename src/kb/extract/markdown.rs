use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::sections::Sections;

/// Reads Markdown; returns its first top heading.
pub(super) fn read(text: &str, sections: &mut Sections) -> Option<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
    let mut reader = Reader { sections, title: None, line: String::new(), table: None, skipping: false, code: false };
    for event in Parser::new_ext(text, options) {
        reader.event(event);
    }
    reader.end_line();
    reader.title
}

struct Reader<'a> {
    sections: &'a mut Sections,
    title: Option<String>,
    line: String,
    table: Option<TableReader>,
    skipping: bool,
    code: bool,
}

#[derive(Default)]
struct TableReader {
    header: Vec<String>,
    row: Vec<String>,
    in_header: bool,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.code => self.sections.text(&text),
            Event::Text(text) | Event::Code(text) if !self.skipping => self.line.push_str(&text),
            Event::SoftBreak => self.line.push(' '),
            Event::HardBreak => self.end_line(),
            Event::InlineHtml(html) if html.starts_with("<br") => self.end_line(),
            // A block of HTML comes line by line; its text is what counts.
            Event::Html(html) => {
                let text: String = scraper::Html::parse_fragment(&html).root_element().text().collect();
                self.sections.line(&text);
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::MetadataBlock(_) => self.skipping = true,
            Tag::CodeBlock(_) => {
                self.end_line();
                self.code = true;
            }
            Tag::Table(_) => {
                self.end_line();
                self.table = Some(TableReader::default());
            }
            Tag::TableHead => {
                if let Some(table) = &mut self.table {
                    table.in_header = true;
                }
            }
            Tag::Paragraph | Tag::Heading { .. } | Tag::Item | Tag::BlockQuote(_) | Tag::List(_) => self.end_line(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::MetadataBlock(_) => self.skipping = false,
            TagEnd::CodeBlock => self.code = false,
            TagEnd::Heading(level) => {
                let heading = std::mem::take(&mut self.line);
                self.sections.heading(level as u8, &heading);
                if level == HeadingLevel::H1 && self.title.is_none() {
                    self.title = Some(crate::text::collapse_whitespace(&heading));
                    self.sections.take_title();
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.line);
                if let Some(table) = &mut self.table {
                    if table.in_header { table.header.push(cell) } else { table.row.push(cell) }
                }
            }
            TagEnd::TableHead => {
                if let Some(table) = &mut self.table {
                    table.in_header = false;
                }
            }
            TagEnd::TableRow => {
                if let Some(table) = &mut self.table {
                    let row = linear_row(&table.header, &std::mem::take(&mut table.row));
                    self.sections.line(&row);
                }
            }
            TagEnd::Table => self.table = None,
            TagEnd::Paragraph | TagEnd::Item | TagEnd::BlockQuote(_) => self.end_line(),
            _ => {}
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.sections.line(&line);
    }
}

/// A table's row as a sentence: `flag: --a; meaning: first.`
pub(super) fn linear_row(header: &[String], row: &[String]) -> String {
    let names = header.iter().map(String::as_str).chain(std::iter::repeat(""));
    let cells: Vec<String> = row
        .iter()
        .zip(names)
        .map(|(cell, name)| (cell.trim(), name.trim()))
        .filter(|(cell, _)| !cell.is_empty())
        .map(|(cell, name)| if name.is_empty() { cell.to_owned() } else { format!("{name}: {cell}") })
        .collect();
    let sentence = cells.join("; ");
    if sentence.is_empty() || sentence.ends_with(['.', '!', '?']) { sentence } else { sentence + "." }
}
