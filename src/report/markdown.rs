//! GitHub-flavoured Markdown, for a pull request's comment. Texts stay texts: no markup, no links, no mentions.

mod escape;

use super::{Align, Block, Cell, Chart, Document, Table, chart, diff, inline};
use crate::domain::Step;
use crate::report::Column;
use escape::{code_span, escape, fence};

/// Charts with more points than this are folded.
const MAX_UNFOLDED: usize = 20;

/// `document` as Markdown; it must be neutralised.
pub(super) fn page(document: &Document) -> String {
    let mut parts = vec![format!("# {}\n", escape(&document.title))];
    parts.extend(document.blocks.iter().map(draw));
    parts.retain(|part| !part.trim().is_empty());
    let marker = document.marker.as_deref().map(comment).unwrap_or_default();
    marker + &parts.join("\n")
}

/// A line that a viewer does not show. `name` can neither close it nor say anything but a name.
///
/// Source: GitHub Flavored Markdown Spec 0.29, §6.10: a comment holds no `--` and does not end in `-`.
fn comment(name: &str) -> String {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, ':' | '.' | '/' | '_' | '-') { c } else { '_' };
    let mut name: String = name.chars().map(kept).collect();
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    format!("<!-- {name} -->\n")
}

fn draw(block: &Block) -> String {
    match block {
        Block::Heading(level, text) => format!("{} {}\n", "#".repeat(usize::from(*level)), escape(text)),
        Block::Text(text) => spans(text) + "\n",
        Block::Verdict { status, text } => format!("**{}** {}\n", status.mark(), spans(text)),
        Block::Facts(facts) => {
            let mut table = Table::new("", [Column::text(""), Column::text("")]);
            table.rows = facts.iter().map(|(label, cell)| vec![label.as_str().into(), cell.clone()]).collect();
            draw_table(&table)
        }
        Block::Table(table) => draw_table(table),
        Block::Chart(chart) => draw_chart(chart),
        Block::Diff { title, expected, got, .. } => draw_diff(title, expected, got),
        Block::Code(language, text) => fence(language, text),
        Block::Steps(steps) => draw_steps(steps),
        Block::Note(text) => format!("> {}\n", spans(text).replace('\n', "\n> ")),
    }
}

/// Inline text; its line breaks are kept.
fn spans(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let pieces = inline::inline(line.trim()).into_iter().map(|piece| match piece {
            inline::Inline::Plain(text) => escape(text),
            inline::Inline::Code(text) => code_span(text),
        });
        pieces.collect::<String>()
    });
    lines.collect::<Vec<_>>().join("<br>\n")
}

fn draw_table(table: &Table) -> String {
    let mut text = String::new();
    if !table.caption.is_empty() {
        put!(text, "**{}**\n\n", escape(&table.caption));
    }
    if table.rows.is_empty() {
        return text + "none\n";
    }
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    text.push_str(&row(table.columns.iter().map(|column| escape(&column.heading())).collect()));
    let rule = |column: &Column| match column.align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    };
    text.push_str(&row(table.columns.iter().map(rule).collect()));
    for cells in &table.rows {
        text.push_str(&row(cells.iter().map(cell).collect()));
    }
    text
}

fn cell(cell: &Cell) -> String {
    match cell {
        // A pipe ends a cell even between backticks.
        Cell::Code(text) if !text.is_empty() => code_span(text).replace('|', "\\|"),
        Cell::Status(status, _) => format!("{} {}", status.mark(), escape(&cell.shown())),
        _ => escape(&cell.shown()),
    }
}

/// A chart as the table of its points; a long one is folded.
fn draw_chart(chart: &Chart) -> String {
    let points = chart::points(chart);
    let rows = points.rows.len();
    let mut text = format!("**{}**\n\n", escape(&chart.title));
    let numbers = draw_table(&Table { caption: String::new(), ..points });
    if rows > MAX_UNFOLDED {
        put!(text, "<details><summary>{rows} points</summary>\n\n{numbers}\n</details>\n");
    } else {
        text.push_str(&numbers);
    }
    let references = chart::references(chart);
    if references.is_empty() { text } else { format!("{text}\n{}\n", escape(&references)) }
}

fn draw_diff(title: &str, expected: &str, got: &str) -> String {
    let (expected, got) = diff::compare(expected, got);
    let line = |sign: &str, runs: Vec<diff::Run>, open: &str, close: &str| {
        let run = |run: diff::Run| if run.differs { format!("{open}{}{close}", run.text) } else { run.text };
        format!("{sign} {}", runs.into_iter().map(run).collect::<Vec<_>>().join(" "))
    };
    let expected = line("-", expected, "[-", "-]");
    let got = line("+", got, "{+", "+}");
    let fenced = fence("diff", &format!("{expected}\n{got}"));
    if title.is_empty() { fenced } else { format!("**{}**\n\n{fenced}", escape(title)) }
}

fn draw_steps(steps: &[Step]) -> String {
    let mut table = Table::new("", [Column::text("step"), Column::number("duration"), Column::text("detail")]);
    for step in steps {
        table = table.row([step.name.as_str().into(), Cell::Ms(Some(step.duration_ms)), step.detail.as_str().into()]);
    }
    draw_table(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_the_first_line_and_cannot_end_early() {
        let marked = |marker: &str| page(&Document::new("T").marker(marker));
        assert_eq!(marked("tollgate:gate:manual"), "<!-- tollgate:gate:manual -->\n# T\n");
        let hostile = marked("a--->\n<script> -");
        assert_eq!(hostile, "<!-- a-___script__- -->\n# T\n");
        assert_eq!(page(&Document::new("T")), "# T\n");
    }
}
