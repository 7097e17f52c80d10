use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, TableStyle, Width,
};
use unicode_width::UnicodeWidthStr;

use super::chart::blocks;
use super::{INDENT, Paint};
use crate::report::{Align, Cell, Column, Style, Table};

/// How wide a share's bar is drawn when there is room, and when there is not.
pub(super) const BAR: usize = 10;
const SHORT_BAR: usize = 4;
/// A word up to this long, such as an id, is broken only when there is no other way; an address may be longer.
const LONG_WORD: usize = 40;
/// What columns of words keep at the least, before all columns give way.
const LEAST_WORDS: usize = 8;
/// A column has one blank of its own, after the one that stands for [`COLUMN`].
const PADDING: u16 = 1;

/// What stands before each column and between rows until the cells are painted; neutralised texts do not hold them.
const COLUMN: char = '\u{1f}';
const ROW: char = '\u{1e}';
const RULES: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none().left(COLUMN).junction(COLUMN))
    .header_separator(LineStyle::none().fill(ROW).junction(ROW))
    .content_lines(ContentLineStyle::none().left(COLUMN).junction(COLUMN))
    .row_separator(LineStyle::none().fill(ROW).junction(ROW));

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
    let (bar, constraints) = fit(table, style.width);
    let headings = table.columns.iter().map(|column| (column.heading(), Paint::Dim)).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(|cell| shown(cell, bar)).collect());
    let (cells, paints): (Vec<Vec<String>>, Vec<Vec<Paint>>) =
        std::iter::once(headings).chain(rows).map(|row: Vec<_>| row.into_iter().unzip()).unzip();
    let lines: Vec<String> = laid_out(table, cells, constraints, style).lines().collect();
    for (at, (lines, paints)) in lines.split(|line| line.contains(ROW)).zip(paints).enumerate() {
        for line in lines {
            let pieces = line.split(COLUMN).skip(1).zip(&paints).map(|(piece, paint)| {
                let words = piece.trim();
                format!(" {}", piece.replacen(words, &paint.on(words, style.color), 1))
            });
            put!(text, "{}\n", pieces.collect::<String>().trim_end());
        }
        if at == 0 {
            let width = lines.first().map_or(0, |line| line.replace(COLUMN, " ").width().saturating_sub(INDENT.len()));
            put!(text, "{INDENT}{}\n", Paint::Dim.on(&"─".repeat(width), style.color));
        }
    }
    text
}

/// The cells, headings first, wrapped and aligned.
fn laid_out(
    table: &Table,
    cells: Vec<Vec<String>>,
    constraints: Vec<ColumnConstraint>,
    style: Style,
) -> comfy_table::Table {
    let mut drawn = comfy_table::Table::new();
    let mut rows = cells.into_iter();
    drawn.set_header(rows.next().unwrap_or_default()).add_rows(rows);
    drawn.load_style(RULES).set_constraints(constraints);
    drawn.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns(style.width));
    for (drawn, column) in drawn.column_iter_mut().zip(&table.columns) {
        drawn.set_padding((PADDING, 0)).set_cell_alignment(match column.align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    drawn
}

/// How wide a text must be at the least.
type Measure = fn(&str) -> usize;

/// The width of a share's bar, and what each column keeps at the least in a table `width` columns wide.
///
/// What gives way, in this order: headings break between words, bars shrink and then go, texts break between words
/// and then within, and at last every column.
fn fit(table: &Table, width: usize) -> (usize, Vec<ColumnConstraint>) {
    let whole = |text: &str| text.width();
    let longest_word = |text: &str| text.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0).min(LONG_WORD);
    let few = |text: &str| text.width().min(LEAST_WORDS);
    let floors = |bar: usize, heading: Measure, words: Measure| -> Vec<usize> {
        let least = |(at, column): (usize, &Column)| {
            let cells = table.rows.iter().filter_map(|row| row.get(at)).map(|cell| match (column.align, cell) {
                (Align::Left, Cell::Text(text) | Cell::Code(text)) => words(text),
                _ => shown(cell, bar).0.width(),
            });
            usize::from(PADDING) + cells.max().unwrap_or(0).max(heading(&column.heading()))
        };
        table.columns.iter().enumerate().map(least).collect()
    };
    let tries: [(usize, Measure, Measure); 6] = [
        (BAR, whole, whole),
        (BAR, longest_word, whole),
        (SHORT_BAR, longest_word, whole),
        (0, longest_word, whole),
        (0, longest_word, longest_word),
        (0, longest_word, few),
    ];
    let fitting = tries
        .into_iter()
        .map(|(bar, heading, words)| (bar, floors(bar, heading, words)))
        .find(|(_, floors)| floors.iter().sum::<usize>() + floors.len() <= width);
    let (bar, floors) = fitting.unwrap_or_default();
    // Numbers take no more than they need, so that what is left goes to words.
    let constraint = |(floor, column): (usize, &Column)| match column.align {
        Align::Left => ColumnConstraint::LowerBoundary(Width::Fixed(columns(floor))),
        Align::Right => ColumnConstraint::Absolute(Width::Fixed(columns(floor))),
    };
    (bar, floors.into_iter().zip(&table.columns).map(constraint).collect())
}

fn columns(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
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

    #[test]
    fn words_give_way_to_numbers() {
        let table = Table::new("T", [Column::text("what"), Column::number("count")])
            .row(["a very long description of many words".into(), Cell::count(1_234_567)]);
        let text = draw(&table, Style { color: false, width: 40 });
        assert!(text.contains("1,234,567"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn headings_break_and_bars_shrink_before_words_do() {
        let columns = [Column::text("share of all cost"), Column::text("tag")];
        let table = Table::new("", columns).row([Cell::Bar { share: Some(0.5) }, "two words".into()]);
        let below_rule = |width| {
            let text = draw(&table, Style { color: false, width });
            text.split_once("─\n").map(|(_, rows)| rows.to_owned()).unwrap()
        };
        assert_eq!(below_rule(40), "  █████       50.0%  two words\n");
        assert_eq!(below_rule(30), "  █████       50.0%  two words\n");
        assert_eq!(below_rule(24), "  ██    50.0%  two words\n");
        assert_eq!(below_rule(19), "  50.0%   two words\n");
        assert_eq!(below_rule(15), "  50.0%  two\n         words\n");
    }

    #[test]
    fn an_id_stays_whole_while_sentences_can_give_way() {
        let id = "run_0193f2c47b3a7c22a1b2c3d4e5f60718";
        let columns = [Column::text("run"), Column::text("what"), Column::number("p95 latency")];
        let table = Table::new("", columns).row([Cell::Code(id.into()), "words ".repeat(20).into(), Cell::count(5)]);
        assert!(draw(&table, Style { color: false, width: 60 }).contains(id));
        let narrow = draw(&table, Style { color: false, width: 40 });
        assert!(narrow.lines().all(|line| line.width() <= 40), "{narrow}");
        let pieces: String = narrow
            .lines()
            .skip(3)
            .filter_map(|line| line.split_whitespace().next())
            .filter(|piece| id.contains(piece))
            .collect();
        assert_eq!(pieces, id, "{narrow}");
    }

    #[test]
    fn cells_are_painted_on_every_line_and_blanks_are_not() {
        let table =
            Table::new("", [Column::text("a"), Column::text("b")]).row([Cell::Code("x".repeat(50)), "y".into()]);
        let text = draw(&table, Style { color: true, width: 40 });
        assert!(text.contains(&format!("  \u{1b}[36m{}\u{1b}[0m  y\n", "x".repeat(35))), "{text}");
        assert!(text.contains(&format!("  \u{1b}[36m{}\u{1b}[0m\n", "x".repeat(15))), "{text}");
        assert!(!text.contains([COLUMN, ROW]), "{text}");
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(draw(&Table::new("T", [Column::text("a")]), Style { color: false, width: 40 }), "T\n  (none)\n");
    }
}
