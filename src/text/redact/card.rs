use super::PiiKind;
use super::checksums::luhn;
use super::context::{character_before, joins};
use super::numbers::{Gap, Numbers, Taken, ends_at};

/// How the digits of a card are grouped in print; a card number without gaps is one group.
const SHAPES: &[&[usize]] = &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4, 2], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[4, 4, 4, 3]];

/// A payment card: a brand's prefix and length, and Luhn's check digit. An order's number of that form is taken as
/// well: a card that stays in a log costs more.
pub(super) fn card(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    let len = numbers.len(at);
    if !(len == 4 || (13..=19).contains(&len)) {
        return None;
    }
    let count = if len == 4 {
        let fits = |shape: &&&[usize]| {
            matches!(numbers.shape(at, shape), Some(Gap::Space | Gap::Dash | Gap::Dot))
                && valid(numbers, at, shape.len())
        };
        SHAPES.iter().find(fits)?.len()
    } else {
        1
    };
    let range = numbers.range(at, count);
    let joined = character_before(numbers.text, range.start).is_some_and(|before| joins(before) || before == '.')
        || matches!(numbers.gap(at + count), Gap::Dot | Gap::Dash)
        || (numbers.gap(at + count) == Gap::Break && !ends_at(numbers.text, range.end));
    (!joined && valid(numbers, at, count)).then(|| numbers.take(PiiKind::CreditCard, at, count))
}

fn valid(numbers: &Numbers<'_>, at: usize, count: usize) -> bool {
    let digits = numbers.digits(at, count);
    is_brand(numbers, at, digits) && luhn(digits)
}

/// Whether a brand issues numbers with this prefix and length. Source: ISO/IEC 7812 issuer ranges as the brands publish
/// them; Maestro only in the lengths it uses.
fn is_brand(numbers: &Numbers<'_>, at: usize, digits: &[u8]) -> bool {
    let prefix = digits.iter().take(4).fold(0_u32, |value, digit| value * 10 + u32::from(*digit));
    let len = digits.len();
    match prefix {
        // Visa's numbers of 13 digits are not issued any more, and many bar codes look like one.
        4000..=4999 if len == 13 => numbers.before(at).has(5, &["card", "cards", "cc", "visa"]),
        4000..=4999 => matches!(len, 16 | 19),
        5100..=5599 | 2221..=2720 => len == 16,
        1000..=1999 | 3400..=3499 | 3700..=3799 => len == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => matches!(len, 14 | 16),
        2200..=2204 | 3528..=3589 => matches!(len, 16..=19),
        5000..=5099 | 5600..=5899 | 6000..=6999 => matches!(len, 16 | 18 | 19),
        _ => false,
    }
}
