use super::super::{Align, Block, Cell, Chart, Column, Table, chart, diff, inline};
use super::markup;
use crate::domain::Step;

/// Values with more letters than this get a line of their own among the facts.
const LONG_FACT: usize = 28;
/// Pixels: what a chart is drawn for on a desk, and on a telephone.
const WIDE: f64 = 680.0;
const NARROW: f64 = 350.0;

/// One block; `id` is unique in the page.
pub(super) fn draw(block: &Block, id: &str) -> String {
    match block {
        Block::Heading(level, text) => format!("<h{level}>{}</h{level}>\n", markup(text)),
        Block::Text(text) => format!("<p>{}</p>\n", spans(text)),
        Block::Verdict { status, text } => {
            let mark = status.mark();
            format!("<p class=\"verdict {}\"><span class=\"mark\">{mark}</span> {}</p>\n", status.class(), spans(text))
        }
        Block::Facts(facts) => {
            let facts: String = facts.iter().map(fact).collect();
            format!("<dl class=\"facts\">\n{facts}</dl>\n")
        }
        Block::Table(table) => draw_table(table),
        Block::Chart(chart) => draw_chart(chart, id),
        Block::Diff { title, names, expected, got } => draw_diff(title, *names, expected, got),
        Block::Code(_, text) => format!("<pre><code>{}</code></pre>\n", markup(text)),
        Block::Steps(steps) => draw_steps(steps),
        Block::Note(text) => format!("<p class=\"note\">{}</p>\n", spans(text)),
    }
}

fn spans(text: &str) -> String {
    let pieces = inline::inline(text).into_iter().map(|piece| match piece {
        inline::Inline::Plain(text) => markup(text).replace('\n', "<br>\n"),
        inline::Inline::Code(text) => format!("<code>{}</code>", markup(text)),
    });
    pieces.collect()
}

fn fact((label, cell): &(String, Cell)) -> String {
    let long = if cell.shown().chars().count() > LONG_FACT { " class=\"long\"" } else { "" };
    format!("<div{long}><dt>{}</dt><dd>{}</dd></div>\n", markup(label), content(cell))
}

fn content(cell: &Cell) -> String {
    let shown = markup(&cell.shown());
    match cell {
        Cell::Code(text) if !text.is_empty() => format!("<code>{shown}</code>"),
        Cell::Status(status, _) => {
            format!(
                "<span class=\"{}\"><span class=\"mark\">{}</span>&nbsp;{shown}</span>",
                status.class(),
                status.mark()
            )
        }
        Cell::Bar { share: Some(share) } if share.is_finite() => {
            format!("{}&nbsp;{shown}", strip(0.0, share.clamp(0.0, 1.0), 60.0))
        }
        cell if cell.raw().is_empty() => format!("<span class=\"missing\">{shown}</span>"),
        _ => shown,
    }
}

/// A bar from one share to another of a small strip.
fn strip(from: f64, to: f64, width: f64) -> String {
    let (x, length) = (from * width, ((to - from) * width).max(1.0));
    format!(
        "<svg class=\"strip\" viewBox=\"0 0 {width:.0} 10\" width=\"{width:.0}\" height=\"10\" aria-hidden=\"true\">\
         <rect class=\"track\" width=\"{width:.0}\" height=\"10\" rx=\"2\"/>\
         <rect class=\"bar\" x=\"{x:.1}\" width=\"{length:.1}\" height=\"10\" rx=\"2\"/></svg>"
    )
}

fn align(column: &Column) -> &'static str {
    match column.align {
        Align::Left => "",
        Align::Right => " class=\"number\"",
    }
}

fn draw_table(table: &Table) -> String {
    let mut html = String::from("<div class=\"scroll\"><table>\n");
    if !table.caption.is_empty() {
        put!(html, "<caption>{}</caption>\n", markup(&table.caption));
    }
    html.push_str("<thead><tr>");
    for column in &table.columns {
        put!(html, "<th scope=\"col\"{}>{}</th>", align(column), markup(&column.heading()));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        html.push_str("<tr>");
        for (cell, column) in row.iter().zip(&table.columns) {
            let key = cell.sort_key().map_or_else(String::new, |key| format!(" data-key=\"{key}\""));
            put!(html, "<td{}{key}>{}</td>", align(column), content(cell));
        }
        html.push_str("</tr>\n");
    }
    if table.rows.is_empty() {
        put!(html, "<tr><td class=\"missing\" colspan=\"{}\">none</td></tr>\n", table.columns.len());
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// A chart in two widths, of which the style sheet shows the one that fits, and its numbers.
fn draw_chart(chart: &Chart, id: &str) -> String {
    let numbers = draw_table(&Table { caption: String::new(), ..chart::points(chart) });
    format!(
        "<figure>\n<figcaption>{}</figcaption>\n<div class=\"wide\">{}</div>\n<div class=\"narrow\">{}</div>\n\
         <details><summary>Numbers</summary>\n{numbers}</details>\n</figure>\n",
        markup(&chart.title),
        chart::svg(chart, WIDE, &format!("{id}w")),
        chart::svg(chart, NARROW, &format!("{id}n")),
    )
}

fn draw_diff(title: &str, names: [&str; 2], expected: &str, got: &str) -> String {
    let (expected, got) = diff::compare(expected, got);
    let side = |runs: Vec<diff::Run>, element: &str| {
        let run = |run: diff::Run| {
            let text = markup(&run.text);
            if run.differs { format!("<{element}>{text}</{element}>") } else { text }
        };
        runs.into_iter().map(run).collect::<Vec<_>>().join(" ")
    };
    let title = if title.is_empty() { String::new() } else { format!("<p class=\"title\">{}</p>\n", markup(title)) };
    format!(
        "<div class=\"diff\">{title}<dl>\n<div class=\"expected\"><dt>{}</dt><dd>{}</dd></div>\n\
         <div class=\"got\"><dt>{}</dt><dd>{}</dd></div>\n</dl></div>\n",
        names[0],
        side(expected, "del"),
        names[1],
        side(got, "ins")
    )
}

fn draw_steps(steps: &[Step]) -> String {
    let time = |step: &Step| if step.duration_ms.is_finite() { step.duration_ms.max(0.0) } else { 0.0 };
    let total: f64 = steps.iter().map(time).sum();
    let share = |ms: f64| if total > 0.0 { (ms / total).clamp(0.0, 1.0) } else { 0.0 };
    let mut html = String::from("<div class=\"scroll\"><table class=\"steps\">\n<tbody>\n");
    let mut before = 0.0;
    for step in steps {
        let after = before + time(step);
        put!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{}</td><td class=\"detail\">{}</td></tr>\n",
            markup(&step.name),
            strip(share(before), share(after), 160.0),
            Cell::Ms(Some(step.duration_ms)).shown(),
            markup(&step.detail)
        );
        before = after;
    }
    html.push_str("</tbody></table></div>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_their_sort_key_and_missing_ones_do_not() {
        let table = Table::new("T", [Column::number("a")]).row([Cell::Ms(Some(1500.0))]).row([Cell::Ms(None)]);
        let html = draw_table(&table);
        assert!(html.contains("<td class=\"number\" data-key=\"1500\">1.50 s</td>"), "{html}");
        assert!(html.contains("<td class=\"number\"><span class=\"missing\">–</span></td>"), "{html}");
    }

    #[test]
    fn differing_words_are_marked_for_screen_readers_too() {
        let html = draw_diff("", ["expected", "got"], "the cap is 20 dollars", "the cap is 25 dollars");
        assert!(html.contains("the cap is <del>20</del> dollars") && html.contains("<ins>25</ins>"), "{html}");
    }
}
