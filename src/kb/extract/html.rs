use scraper::{ElementRef, Html, Node, Selector};

use super::markdown::linear_row;
use super::sections::Sections;

/// Elements that are not the document's content.
const FURNITURE: &[&str] =
    &["script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "svg", "head"];
/// Elements that begin and end a line.
const BLOCKS: &str = "p div section article main header ul ol li dl dt dd blockquote figure figcaption details summary \
                      address body html hr br";
/// Elements within elements that are followed; what is nested deeper is read as plain text.
const DEEPEST: usize = 200;

/// Reads HTML; returns its first top heading, else its `<title>`.
pub(super) fn read(text: &str, sections: &mut Sections) -> Option<String> {
    let page = Html::parse_document(text);
    let mut reader = Reader { sections, title: None, line: String::new(), depth: 0 };
    reader.element(page.root_element());
    reader.end_line();
    reader.title.or_else(|| {
        let title = Selector::parse("title").ok()?;
        page.select(&title).next().map(|title| crate::text::collapse_whitespace(&title.text().collect::<String>()))
    })
}

struct Reader<'a> {
    sections: &'a mut Sections,
    title: Option<String>,
    line: String,
    depth: usize,
}

impl Reader<'_> {
    fn element(&mut self, element: ElementRef<'_>) {
        let name = element.value().name();
        let attribute = |name| element.value().attr(name).unwrap_or_default();
        let hidden = element.value().attr("hidden").is_some()
            || attribute("aria-hidden") == "true"
            || attribute("style").replace(' ', "").contains("display:none");
        if hidden || FURNITURE.contains(&name) {
            return;
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.heading(element, name.as_bytes().get(1).map_or(1, |digit| digit - b'0'));
            }
            "pre" => {
                self.end_line();
                self.sections.text(&element.text().collect::<String>());
            }
            "table" => self.table(element),
            _ => {
                let block = BLOCKS.split_whitespace().any(|block| block == name);
                if block {
                    self.end_line();
                }
                self.children(element);
                if block {
                    self.end_line();
                }
            }
        }
    }

    fn children(&mut self, element: ElementRef<'_>) {
        if self.depth >= DEEPEST {
            self.line.extend(element.text());
            return;
        }
        self.depth += 1;
        for child in element.children() {
            match child.value() {
                Node::Text(text) => self.line.push_str(text),
                Node::Element(_) => {
                    if let Some(child) = ElementRef::wrap(child) {
                        self.element(child);
                    }
                }
                _ => {}
            }
        }
        self.depth -= 1;
    }

    fn heading(&mut self, element: ElementRef<'_>, level: u8) {
        self.end_line();
        let heading: String = element.text().collect();
        self.sections.heading(level, &heading);
        if level == 1 && self.title.is_none() {
            self.title = Some(crate::text::collapse_whitespace(&heading));
            self.sections.take_title();
        }
    }

    fn table(&mut self, element: ElementRef<'_>) {
        self.end_line();
        let (Ok(rows), Ok(cells)) = (Selector::parse("tr"), Selector::parse("th, td")) else { return };
        let mut header: Vec<String> = Vec::new();
        let own = |row: &ElementRef<'_>| {
            let mut around = row.ancestors().filter_map(ElementRef::wrap);
            around.find(|around| around.value().name() == "table").is_some_and(|table| table == element)
        };
        for row in element.select(&rows).filter(own) {
            let names = row.select(&cells).all(|cell| cell.value().name() == "th");
            let texts: Vec<String> = row
                .select(&cells)
                .map(|cell| crate::text::collapse_whitespace(&cell.text().collect::<String>()))
                .collect();
            if names {
                header = texts;
            } else {
                self.sections.line(&linear_row(&header, &texts));
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.sections.line(&line);
    }
}
