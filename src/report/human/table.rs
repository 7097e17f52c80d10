mod widths;

use unicode_width::UnicodeWidthStr;

use super::chart::blocks;
use super::{INDENT, Paint, wrap};
use crate::report::{Align, Cell, Style, Table};

pub(super) use widths::BAR;

/// Blanks between two columns.
const GAP: usize = 2;

/// A table with one rule, under its headings.
pub(super) fn draw(table: &Table, style: Style) -> String {
    let mut text = String::new();
    if !table.caption.is_empty() {
        text.push_str(&(Paint::Bold.on(&table.caption, style.color) + "\n"));
    }
    if table.rows.is_empty() {
        put!(text, "{INDENT}{}\n", Paint::Dim.on("(none)", style.color));
        return text;
    }
    let room = style.width.saturating_sub(INDENT.len() + GAP * table.columns.len().saturating_sub(1));
    let (bar, widths) = widths::fit(table, room);
    let headings = table.columns.iter().map(|column| (column.heading(), Paint::Dim));
    text.push_str(&draw_row(headings, table, &widths, style));
    let rule = "─".repeat(widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1));
    put!(text, "{INDENT}{}\n", Paint::Dim.on(&rule, style.color));
    for row in &table.rows {
        text.push_str(&draw_row(row.iter().map(|cell| shown(cell, bar)), table, &widths, style));
    }
    text
}

/// Cells side by side, each in as many lines as it needs.
fn draw_row(cells: impl Iterator<Item = (String, Paint)>, table: &Table, widths: &[usize], style: Style) -> String {
    let cells: Vec<(Vec<String>, Paint)> =
        cells.zip(widths).map(|((text, paint), width)| (wrap::fill(&text, *width), paint)).collect();
    let height = cells.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
    let mut text = String::new();
    for at in 0..height {
        let mut line = String::from(INDENT);
        let mut gap = 0;
        for (((lines, paint), width), column) in cells.iter().zip(widths).zip(&table.columns) {
            let piece = lines.get(at).map_or("", String::as_str);
            let blanks = width.saturating_sub(piece.width());
            let (before, after) = match column.align {
                Align::Left => (0, blanks),
                Align::Right => (blanks, 0),
            };
            put!(line, "{}{}", " ".repeat(gap + before), paint.on(piece, style.color));
            gap = after + GAP;
        }
        put!(text, "{}\n", line.trim_end());
    }
    text
}

/// A cell's text, a share's bar `bar` columns wide, and how it is set apart.
pub(super) fn shown(cell: &Cell, bar: usize) -> (String, Paint) {
    let text = cell.shown();
    match cell {
        Cell::Bar { share: Some(share) } if share.is_finite() && bar > 0 => {
            (format!("{} {text:>6}", blocks(*share, bar)), Paint::Plain)
        }
        Cell::Status(status, _) => (format!("{} {text}", status.mark()), Paint::of(*status)),
        Cell::Code(_) => (text, Paint::Code),
        cell if cell.raw().is_empty() => (text, Paint::Dim),
        _ => (text, Paint::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Column;

    #[test]
    fn words_give_way_to_numbers() {
        let table = Table::new("T", [Column::text("what"), Column::number("count")])
            .row(["a very long description of many words".into(), Cell::count(1_234_567)]);
        let text = draw(&table, Style { color: false, width: 40 });
        assert!(text.contains("1,234,567"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(draw(&Table::new("T", [Column::text("a")]), Style { color: false, width: 40 }), "T\n  (none)\n");
    }
}
