//! For a person at a terminal: few rules, aligned columns, readable without colour.

mod chart;
mod paint;
mod steps;
mod table;
mod wrap;

use super::{Block, Cell, Document, Status, Style, diff, inline};
use paint::Paint;
use unicode_width::UnicodeWidthStr;
use wrap::{Span, wrap};

const INDENT: &str = "  ";
/// Longest label of a list of facts that others are aligned to.
const MAX_LABEL: usize = 28;

/// `document` as text; it must be neutralised.
pub(super) fn page(document: &Document, style: Style) -> String {
    let style = Style { width: style.width.max(40), ..style };
    let mut parts = vec![Paint::Bold.on(&document.title, style.color) + "\n"];
    let mut blocks = document.blocks.iter().peekable();
    while let Some(block) = blocks.next() {
        let mut part = draw(block, style);
        // What a small heading opens follows it without a blank line.
        if matches!(block, Block::Heading(3.., _))
            && let Some(next) = blocks.next_if(|next| !matches!(next, Block::Heading(..)))
        {
            part.push_str(&draw(next, style));
        }
        parts.push(part);
    }
    parts.retain(|part| !part.trim().is_empty());
    parts.join("\n")
}

fn draw(block: &Block, style: Style) -> String {
    match block {
        Block::Heading(2, text) => section(text, style),
        Block::Heading(_, text) => Paint::Bold.on(text, style.color) + "\n",
        Block::Text(text) => wrap(&spans(text, Paint::Plain), "", "", style),
        Block::Verdict { status, text } => verdict(*status, text, style),
        Block::Facts(facts) => draw_facts(facts, style),
        Block::Table(table) => table::draw(table, style),
        Block::Chart(chart) => chart::draw(chart, style),
        Block::Diff { title, names, expected, got } => draw_diff(title, *names, expected, got, style),
        Block::Code(_, text) => {
            let lines = text.lines().map(|line| INDENT.to_owned() + &Paint::Code.on(line, style.color) + "\n");
            lines.collect()
        }
        Block::Steps(all) => steps::draw(all, style),
        Block::Note(text) => {
            let label = Paint::Note.on("note:", style.color) + " ";
            wrap(&spans(text, Paint::Plain), &label, "      ", style)
        }
    }
}

/// A section's heading in a rule as wide as the page.
fn section(text: &str, style: Style) -> String {
    let rest = "─".repeat(style.width.saturating_sub(text.width() + 4));
    let dim = |rule: &str| Paint::Dim.on(rule, style.color);
    format!("{} {} {}\n", dim("──"), Paint::Bold.on(text, style.color), dim(&rest))
}

fn verdict(status: Status, text: &str, style: Style) -> String {
    let mark = Paint::of(status).on(status.mark(), style.color) + " ";
    wrap(&spans(text, Paint::Bold), &mark, INDENT, style)
}

fn draw_facts(facts: &[(String, Cell)], style: Style) -> String {
    let room = facts.iter().map(|(label, _)| label.width()).max().unwrap_or(0).min(MAX_LABEL);
    let hanging = " ".repeat(room + 4);
    let fact = |(label, cell): &(String, Cell)| {
        let padding = " ".repeat(room.saturating_sub(label.width()) + 2);
        let first = format!("{INDENT}{}{padding}", Paint::Dim.on(label, style.color));
        let (text, paint) = table::shown(cell, table::BAR);
        wrap(&[Span { text, paint }], &first, &hanging, style)
    };
    facts.iter().map(fact).collect()
}

fn draw_diff(title: &str, names: [&str; 2], expected: &str, got: &str, style: Style) -> String {
    let (expected, got) = diff::compare(expected, got);
    let spans = |runs: Vec<diff::Run>, paint: Paint, open: &str, close: &str| {
        let span = |run: diff::Run| match (run.differs, style.color) {
            (false, _) => Span { text: run.text, paint: Paint::Plain },
            (true, true) => Span { text: run.text, paint },
            (true, false) => Span { text: format!("{open}{}{close}", run.text), paint },
        };
        let mut spans: Vec<Span> = Vec::new();
        for run in runs {
            if !spans.is_empty() {
                spans.push(Span { text: " ".to_owned(), paint: Paint::Plain });
            }
            spans.push(span(run));
        }
        spans
    };
    let label = |name: &str, paint: Paint| format!("{INDENT}{}", paint.on(&format!("{name:<10}"), style.color));
    let hanging = " ".repeat(12);
    let mut text = if title.is_empty() {
        String::new()
    } else {
        wrap(&[Span { text: title.to_owned(), paint: Paint::Bold }], "", "", style)
    };
    let (expected, got) = (spans(expected, Paint::Bad, "[-", "-]"), spans(got, Paint::Good, "{+", "+}"));
    text.push_str(&wrap(&expected, &label(names[0], Paint::Bad), &hanging, style));
    text.push_str(&wrap(&got, &label(names[1], Paint::Good), &hanging, style));
    text
}

/// Inline text in pieces; code keeps its backticks, so that it is set apart without colour too.
fn spans(text: &str, paint: Paint) -> Vec<Span> {
    let span = |piece: inline::Inline<'_>| match piece {
        inline::Inline::Plain(text) => Span { text: text.to_owned(), paint },
        inline::Inline::Code(text) => Span { text: format!("`{text}`"), paint: Paint::Code },
    };
    inline::inline(text).into_iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_readable_without_colour() {
        let plain = Style { color: false, width: 80 };
        let text = draw_diff("case `a`", ["expected", "got"], "the cap is 20 dollars", "the cap is 25 dollars", plain);
        assert_eq!(text, "case `a`\n  expected  the cap is [-20-] dollars\n  got       the cap is {+25+} dollars\n");
        assert!(draw_diff("", ["expected", "got"], "x", "", plain).contains("got       (empty)"));
    }

    #[test]
    fn headings_are_told_apart_without_colour() {
        let document = Document::new("T").heading(2, "H").heading(3, "I").text("a").text("b");
        let rule = "─".repeat(35);
        assert_eq!(page(&document, Style { color: false, width: 40 }), format!("T\n\n── H {rule}\n\nI\na\n\nb\n"));
    }
}
