//! Numbers made of digit groups: one pass splits the text into groups, another names the sequences of groups that are
//! a card, an address, a national number or a telephone number.

use std::ops::Range;

use super::context::{Before, character_before, characters_after, joins};
use super::{Finding, PiiKind, card, ip, national, phone};

/// What stands between two digit groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Anything else: the groups have nothing to do with each other.
    Break,
    Space,
    Dash,
    Dot,
    Slash,
    Colon,
    /// A parenthesis, with or without a space or a dash: `(415) 555`, `+44 (0)20`.
    Paren,
}

/// A maximal run of decimal digits.
#[derive(Debug)]
struct Group {
    range: Range<usize>,
    /// Where its first digit is in [`Numbers::digits`].
    first_digit: usize,
    len: usize,
    /// What stands before it.
    gap: Gap,
}

/// The digit groups of a text.
pub(super) struct Numbers<'t> {
    pub(super) text: &'t str,
    groups: Vec<Group>,
    digits: Vec<u8>,
    /// The first group that no finding has taken yet.
    free: usize,
}

/// A recognized sequence: its kind, how many groups it takes, and its place in the text.
pub(super) struct Taken {
    pub(super) kind: PiiKind,
    pub(super) groups: usize,
    pub(super) range: Range<usize>,
}

impl<'t> Numbers<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let mut numbers = Self { text, groups: Vec::new(), digits: Vec::new(), free: 0 };
        let mut end_of_last = None;
        for (at, character) in text.char_indices() {
            let Some(digit) = digit_value(character) else { continue };
            let end = at + character.len_utf8();
            match numbers.groups.last_mut() {
                Some(group) if end_of_last == Some(at) => {
                    group.range.end = end;
                    group.len += 1;
                }
                _ => {
                    let gap = end_of_last.and_then(|last| text.get(last..at)).map_or(Gap::Break, gap);
                    numbers.groups.push(Group { range: at..end, first_digit: numbers.digits.len(), len: 1, gap });
                }
            }
            numbers.digits.push(digit);
            end_of_last = Some(end);
        }
        numbers
    }

    /// Every recognized number, in order.
    pub(super) fn find(mut self, findings: &mut Vec<Finding>) {
        let mut at = 0;
        while at < self.groups.len() {
            let taken = phone::international(&self, at)
                .or_else(|| ip::version_4(&self, at))
                .or_else(|| card::card(&self, at))
                .or_else(|| national::national(&self, at))
                .or_else(|| phone::national(&self, at))
                .or_else(|| phone::announced(&self, at));
            if let Some(Taken { kind, groups, range }) = taken {
                findings.push(Finding { kind, range });
                at += groups.max(1);
                self.free = at;
            } else {
                at += 1;
            }
        }
    }

    /// How many digits the group has; 0 beyond the last one.
    pub(super) fn len(&self, at: usize) -> usize {
        self.groups.get(at).map_or(0, |group| group.len)
    }

    /// What stands before the group; [`Gap::Break`] beyond the last one.
    pub(super) fn gap(&self, at: usize) -> Gap {
        self.groups.get(at).map_or(Gap::Break, |group| group.gap)
    }

    /// The digits of `count` groups from `at` on.
    pub(super) fn digits(&self, at: usize, count: usize) -> &[u8] {
        let last = at + count.max(1) - 1;
        let (Some(first), Some(last)) = (self.groups.get(at), self.groups.get(last)) else { return &[] };
        self.digits.get(first.first_digit..last.first_digit + last.len).unwrap_or_default()
    }

    /// The value of one group of at most nine digits.
    pub(super) fn value(&self, at: usize) -> Option<u32> {
        let digits = self.digits(at, 1);
        (1..=9).contains(&digits.len()).then(|| digits.iter().fold(0, |value, digit| value * 10 + u32::from(*digit)))
    }

    /// Where `count` groups from `at` on stand in the text.
    pub(super) fn range(&self, at: usize, count: usize) -> Range<usize> {
        let start = self.groups.get(at).map_or(0, |group| group.range.start);
        start..self.groups.get(at + count.max(1) - 1).map_or(start, |group| group.range.end)
    }

    /// Whether the groups from `at` on have these lengths and one kind of gap; the gap, `Break` for a single group.
    pub(super) fn shape(&self, at: usize, lens: &[usize]) -> Option<Gap> {
        let gap = if lens.len() > 1 { self.gap(at + 1) } else { Gap::Break };
        let fits = lens
            .iter()
            .enumerate()
            .all(|(offset, len)| self.len(at + offset) == *len && (offset == 0 || self.gap(at + offset) == gap));
        (fits && (lens.len() == 1 || gap != Gap::Break)).then_some(gap)
    }

    /// Whether a sequence can begin here: nothing is joined to its left.
    pub(super) fn begins(&self, at: usize, inner: Gap) -> bool {
        let gap = if at == self.free { Gap::Break } else { self.gap(at) };
        match (gap, character_before(self.text, self.range(at, 1).start)) {
            (Gap::Break, Some(before)) => {
                !joins(before) && !matches!(before, '#' | '$' | '€' | '£' | '¥' | '/' | '\\' | '.' | '-' | '+')
            }
            (Gap::Space, _) => inner != Gap::Space,
            (Gap::Colon, _) => inner != Gap::Colon,
            (Gap::Break, None) | (Gap::Paren, _) => true,
            _ => false,
        }
    }

    /// Whether a sequence of `count` groups can end there: nothing is joined to its right.
    pub(super) fn ends(&self, at: usize, count: usize, inner: Gap) -> bool {
        match self.gap(at + count) {
            Gap::Break => ends_at(self.text, self.range(at, count).end),
            Gap::Space => inner != Gap::Space,
            Gap::Paren => true,
            _ => false,
        }
    }

    /// The words before a group.
    pub(super) fn before(&self, at: usize) -> Before {
        Before::new(self.text, self.range(at, 1).start)
    }

    /// Takes `count` groups as one number of this kind.
    pub(super) fn take(&self, kind: PiiKind, at: usize, count: usize) -> Taken {
        Taken { kind, groups: count, range: self.range(at, count) }
    }
}

/// Whether a number can end at this byte: what follows belongs to no longer word, price or version.
pub(super) fn ends_at(text: &str, at: usize) -> bool {
    let mut after = characters_after(text, at);
    match after.next() {
        Some('.' | '-' | '/' | ',' | ':' | '+' | '@') => !after.next().is_some_and(joins),
        Some(next) => !joins(next) && !matches!(next, '%' | '€' | '$' | '£' | '°'),
        None => true,
    }
}

fn gap(between: &str) -> Gap {
    match between {
        " " | "\u{a0}" | "\u{2009}" | "\u{202f}" | "\u{2007}" => Gap::Space,
        "-" | "–" | "‑" | "‐" | " - " | "- " | " -" => Gap::Dash,
        "." => Gap::Dot,
        "/" | " / " => Gap::Slash,
        ":" => Gap::Colon,
        "(" | ")" | " (" | ") " | ")-" | ")." | "-(" | ") - " => Gap::Paren,
        _ => Gap::Break,
    }
}

/// Digits as people type them: ASCII, full width, Arabic, Persian and Devanagari.
fn digit_value(character: char) -> Option<u8> {
    const ZEROS: [char; 5] = ['0', '\u{ff10}', '\u{660}', '\u{6f0}', '\u{966}'];
    let value = |zero: char| (character as u32).checked_sub(zero as u32).filter(|value| *value < 10);
    let zeros = if character.is_ascii() { ZEROS.get(..1)? } else { ZEROS.get(1..)? };
    zeros.iter().find_map(|zero| value(*zero)).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_know_their_digits_and_what_stands_between_them() {
        let numbers = Numbers::new("a +44 (0)20-7946 ٠٩, 5");
        assert_eq!(numbers.groups.len(), 6);
        assert_eq!(
            (1..6).map(|at| numbers.gap(at)).collect::<Vec<_>>(),
            [Gap::Paren, Gap::Paren, Gap::Dash, Gap::Space, Gap::Break]
        );
        assert_eq!(numbers.digits(2, 3), [2, 0, 7, 9, 4, 6, 0, 9]);
        assert_eq!(numbers.value(3), Some(7946));
        assert_eq!(numbers.digits(5, 3), [] as [u8; 0]);
        assert_eq!((numbers.len(9), numbers.gap(9)), (0, Gap::Break));
    }
}
