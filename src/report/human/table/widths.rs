use unicode_width::UnicodeWidthStr;

use super::shown;
use crate::report::{Align, Table};

/// How wide a share's bar is drawn when there is room, and when there is not.
pub(in crate::report::human) const BAR: usize = 10;
const SHORT_BAR: usize = 4;
/// Words are not squeezed below this while there are longer ones.
const LEAST_WORDS: usize = 8;

/// The width of a share's bar, and of each column, so that the columns fit into `room` (without gaps).
///
/// What gives way, in this order: headings break between words, bars shrink and then go, columns of words
/// shrink, and at last all columns.
pub(super) fn fit(table: &Table, room: usize) -> (usize, Vec<usize>) {
    let fits = |widths: &[usize]| widths.iter().sum::<usize>() <= room;
    let whole = natural(table, BAR, UnicodeWidthStr::width);
    if fits(&whole) {
        return (BAR, whole);
    }
    let longest_word = |heading: &str| heading.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0);
    for bar in [BAR, SHORT_BAR, 0] {
        let mut broken = natural(table, bar, longest_word);
        if fits(&broken) {
            grow(&mut broken, &natural(table, bar, UnicodeWidthStr::width), room);
            return (bar, broken);
        }
    }
    let mut widths = natural(table, 0, longest_word);
    let words: Vec<bool> = table.columns.iter().map(|column| column.align == Align::Left).collect();
    shrink(&mut widths, &words, LEAST_WORDS, room);
    let all = vec![true; words.len()];
    shrink(&mut widths, &all, 1, room);
    (0, widths)
}

fn natural(table: &Table, bar: usize, heading: impl Fn(&str) -> usize) -> Vec<usize> {
    let column = |(at, column): (usize, &crate::report::Column)| {
        let cells = table.rows.iter().filter_map(|row| row.get(at)).map(|cell| shown(cell, bar).0.width());
        cells.max().unwrap_or(0).max(heading(&column.heading())).max(1)
    };
    table.columns.iter().enumerate().map(column).collect()
}

/// Gives what is left of `room` to the columns that want more, from the first on.
fn grow(widths: &mut [usize], wanted: &[usize], room: usize) {
    let mut left = room.saturating_sub(widths.iter().sum());
    for (width, wanted) in widths.iter_mut().zip(wanted) {
        let given = wanted.saturating_sub(*width).min(left);
        *width += given;
        left -= given;
    }
}

/// Takes from the widest of the columns that `may` give, but leaves each `least`, until all fit into `room`.
fn shrink(widths: &mut [usize], may: &[bool], least: usize, room: usize) {
    let mut excess = widths.iter().sum::<usize>().saturating_sub(room);
    while excess > 0 {
        let giving = widths.iter_mut().zip(may).filter(|(width, may)| **may && **width > least);
        let Some((width, _)) = giving.max_by_key(|(width, _)| **width) else { return };
        *width -= 1;
        excess -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Cell, Column};

    #[test]
    fn the_widest_words_give_way_and_numbers_stay() {
        let columns = [Column::text("id"), Column::text("words"), Column::number("n")];
        let table = Table::new("", columns).row(["short".into(), "w".repeat(60).into(), Cell::count(1_234_567)]);
        assert_eq!(fit(&table, 100), (BAR, vec![5, 60, 9]));
        assert_eq!(fit(&table, 40), (0, vec![5, 26, 9]));
        assert_eq!(fit(&table, 12).1.iter().sum::<usize>(), 12);
    }

    #[test]
    fn headings_break_and_bars_shrink_first() {
        let columns = [Column::text("share of all cost"), Column::text("tag")];
        let table = Table::new("", columns).row([Cell::Bar { share: Some(0.5) }, "budgets".into()]);
        assert_eq!(fit(&table, 30), (BAR, vec![17, 7]));
        assert_eq!(fit(&table, 19), (SHORT_BAR, vec![12, 7]));
        assert_eq!(fit(&table, 13), (0, vec![6, 7]));
    }
}
