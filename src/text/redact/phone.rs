//! Telephone numbers: with a country code, in a national form that can hardly be anything else, or any digits that a
//! word before calls a telephone number.

use super::PiiKind;
use super::context::{character_before, joins};
use super::numbers::{Gap, Numbers, Taken};

/// A number with its country code: `+44 (0)20 7946 0958`, `0049 30 1234567`.
pub(super) fn international(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    let start = numbers.range(at, 1).start;
    if let Some(plus) = numbers.text.get(..start).and_then(|before| before.strip_suffix('+')) {
        if plus.chars().next_back().is_some_and(|before| joins(before) || before == '+') {
            return None;
        }
        let count = extent(numbers, at, country_limits(numbers.digits(at, 1)))?;
        let digits = numbers.digits(at, count);
        let round = digits.ends_with(&[0, 0, 0, 0, 0]) || digits.first() == Some(&0);
        return (!round)
            .then(|| Taken { range: plus.len()..numbers.range(at, count).end, ..phone(numbers, at, count) });
    }
    let [0, 0, country, ..] = numbers.digits(at, 1) else { return None };
    if *country == 0 || numbers.len(at) > 6 || !numbers.begins(at, Gap::Space) || numbers.before(at).names_a_thing() {
        return None;
    }
    extent(numbers, at, (10, 17)).filter(|count| *count > 1).map(|count| phone(numbers, at, count))
}

/// The fewest and most digits after a plus sign. Source: ITU-T E.164; the closed plans of country codes 1 and 7.
fn country_limits(digits: &[u8]) -> (usize, usize) {
    match digits.first() {
        Some(1 | 7) => (11, 11),
        _ => (8, 15),
    }
}

/// How many groups from `at` on make between `fewest` and `most` digits, the longest such sequence that can end there.
fn extent(numbers: &Numbers<'_>, at: usize, (fewest, most): (usize, usize)) -> Option<usize> {
    let (mut count, mut total, mut found) = (0, 0, None);
    loop {
        let len = numbers.len(at + count);
        let joined = count == 0 || !matches!(numbers.gap(at + count), Gap::Break | Gap::Colon);
        // A single digit after a complete number is rather the next word: "+1 415 555 0132 2 times".
        if len == 0 || !joined || total + len > most || (len == 1 && total >= fewest) {
            break;
        }
        count += 1;
        total += len;
        let ends = numbers.ends(at, count, Gap::Break) || matches!(numbers.gap(at + count), Gap::Slash);
        if total >= fewest && ends {
            found = Some(count);
        }
    }
    found
}

/// A national form: North American, with a leading zero, or a mobile number without gaps where that is usual.
pub(super) fn national(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    let (count, open) = match numbers.digits(at, 1) {
        [0, 1..=9, ..] => (trunk_zero(numbers, at)?, Gap::Space),
        _ => (north_american(numbers, at)?, numbers.gap(at + 1)),
    };
    if !numbers.begins(at, open) || numbers.before(at).names_a_thing() {
        return None;
    }
    let taken = phone(numbers, at, count);
    let opened = numbers.gap(at + 1) == Gap::Paren && character_before(numbers.text, taken.range.start) == Some('(');
    Some(if opened { Taken { range: taken.range.start - 1..taken.range.end, ..taken } } else { taken })
}

/// `(415) 555-0132`, `415.555.0132`, `1-800-555-0199`, `91-415-555-0132`.
fn north_american(numbers: &Numbers<'_>, at: usize) -> Option<usize> {
    let lead = match (numbers.len(at), numbers.len(at + 1)) {
        (3, 3 | 7) => 0,
        (1..=3, 3) if matches!(numbers.gap(at + 1), Gap::Dash | Gap::Paren) || numbers.digits(at, 1) == [1] => 1,
        _ => return None,
    };
    let area = at + lead;
    let count = match (numbers.len(area + 1), numbers.len(area + 2)) {
        (3, 4) if is_north_american(numbers.digits(area, 3)) && joined(numbers.gap(area + 2)) => 3,
        (7, _) if is_north_american(numbers.digits(area, 2)) && numbers.gap(area + 1) == Gap::Paren => 2,
        _ => return None,
    };
    (joined(numbers.gap(area + 1)) && numbers.ends(at, lead + count, Gap::Break)).then_some(lead + count)
}

fn joined(gap: Gap) -> bool {
    matches!(gap, Gap::Space | Gap::Dash | Gap::Dot | Gap::Paren | Gap::Slash)
}

/// Whether ten digits are an area code and an exchange that the North American plan allows.
pub(super) fn is_north_american(digits: &[u8]) -> bool {
    matches!(digits, [2..=9, 0..=8, _, 2..=9, _, _, _, _, _, _])
}

/// `020 7946 0958`, `09-7625400`, `06 12 34 56 78`, `0171/1234567`; without gaps only the mobile numbers of France, the
/// United Kingdom and Germany.
fn trunk_zero(numbers: &Numbers<'_>, at: usize) -> Option<usize> {
    let len = numbers.len(at);
    if len > 6 {
        let mobile = match numbers.digits(at, 1) {
            [0, 6 | 7, ..] if len == 10 => true,
            [0, 7, 1..=9, ..] => len == 11,
            [0, 1, 5..=7, ..] => len == 11 || len == 12,
            _ => false,
        };
        return (mobile && numbers.ends(at, 1, Gap::Break)).then_some(1);
    }
    extent(numbers, at, (9, 12)).filter(|count| *count > 1 && !begins_with_date(numbers, at, *count))
}

/// Whether the first groups are a date, as in `01.02.2024 1230` or `05-2024 12345`; a number whose gaps are all the
/// same is a date only when it ends with it.
fn begins_with_date(numbers: &Numbers<'_>, at: usize, count: usize) -> bool {
    let value = |offset: usize| numbers.value(at + offset).unwrap_or(0);
    let lens = [0, 1, 2].map(|offset| if offset < count { numbers.len(at + offset) } else { 0 });
    let (day_and_month, year) = (value(0) <= 31 && value(1) <= 31, 1900..2100);
    match lens {
        [2, 4, _] => value(0) <= 12 && year.contains(&value(1)),
        [2, 2, 4] => day_and_month && year.contains(&value(2)),
        [2, 2, 2] => day_and_month && numbers.gap(at + 1) != Gap::Space && numbers.gap(at + 3) == Gap::Space,
        _ => false,
    }
}

/// Seven to fifteen digits that the words before call a telephone number.
pub(super) fn announced(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    if !numbers.begins(at, Gap::Space) {
        return None;
    }
    let count = extent(numbers, at, (7, 15))?;
    let lens = (0..count).map(|offset| numbers.len(at + offset)).collect::<Vec<_>>();
    let year = |offset| (1900..2100).contains(&numbers.value(at + offset).unwrap_or(0));
    let date = match *lens.as_slice() {
        [4, 2, 2, ..] => year(0),
        [1 | 2, 1 | 2, 4, ..] => year(2),
        _ => false,
    };
    let decimal = lens.first() == Some(&1) && numbers.gap(at + 1) == Gap::Dot;
    let thousands = count > 1 && lens.first().is_some_and(|len| *len < 3) && lens.iter().skip(1).all(|len| *len == 3);
    (!date && !decimal && !thousands && numbers.before(at).names_a_phone()).then(|| phone(numbers, at, count))
}

fn phone(numbers: &Numbers<'_>, at: usize, count: usize) -> Taken {
    numbers.take(PiiKind::PhoneNumber, at, count)
}
