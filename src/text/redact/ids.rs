//! National numbers and accounts that mix letters and digits.

use std::ops::Range;

use super::checksums::{iban_mod_97, spanish_letter};
use super::context::{Before, character_before, characters_after, joins};
use super::{PiiKind, wallet};

/// Judges a match of a pattern: where the number is, or nothing.
pub(super) type Check = fn(&str, Range<usize>) -> Option<Range<usize>>;

/// Each kind with its pattern and the check that the pattern cannot say.
pub(super) const PATTERNS: &[(PiiKind, &str, Check)] = &[
    (PiiKind::IbanCode, r"(?-u:\b)[A-Za-z]{2}[0-9]{2}[ -]?[A-Za-z0-9]{2}", iban),
    (PiiKind::Crypto, r"(?-u:\b)(?:bc1|BC1|[13])[a-zA-HJ-NP-Z0-9]{25,87}(?-u:\b)", bitcoin),
    (
        PiiKind::ItFiscalCode,
        r"(?-u:\b)(?i:[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])(?-u:\b)",
        fiscal_code,
    ),
    (
        PiiKind::FiPersonalIdentityCode,
        r"(?-u:\b)[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y](?-u:\b)",
        finnish_code,
    ),
    (PiiKind::EsNie, r"(?-u:\b)[XYZ][0-9]{7}-?[A-Z](?-u:\b)", spanish),
    (PiiKind::EsNif, r"(?-u:\b)[0-9]{7,8}-?[A-Z](?-u:\b)", spanish),
    (
        PiiKind::UkNino,
        r"(?-u:\b)(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D])(?-u:\b)",
        national_insurance,
    ),
    (PiiKind::InPan, r"(?-u:\b)[A-Z]{5}[0-9]{4}[A-Z](?-u:\b)", permanent_account),
    (PiiKind::SgNricFin, r"(?-u:\b)[STFGM][0-9]{7}[A-Z](?-u:\b)", unnamed),
];

/// A match that is not a part of an identifier (`ord-55555555K`) and not called a thing's number.
fn unnamed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let beside = character_before(text, range.start)
        .is_some_and(|before| joins(before) || matches!(before, '-' | '/' | '\\' | '#' | '.' | '='));
    let mut after = characters_after(text, range.end);
    let continues = match after.next() {
        Some('-' | '/' | '.' | '\\') => after.next().is_some_and(joins),
        Some(next) => joins(next),
        None => false,
    };
    (!beside && !continues && !Before::new(text, range.start).names_a_thing()).then_some(range)
}

fn spanish(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let matched = text.get(range.clone())?;
    let (number, letter) = matched.split_at(matched.len().checked_sub(1)?);
    let digits = number.trim_end_matches('-').replace(
        ['X', 'Y', 'Z'],
        match number.as_bytes().first() {
            Some(b'Y') => "1",
            Some(b'Z') => "2",
            _ => "0",
        },
    );
    let expected = spanish_letter(digits.parse().ok()?)?;
    (letter.as_bytes() == [expected]).then(|| unnamed(text, range)).flatten()
}

/// The date and the control character. Source: dvv.fi, personal identity code.
fn finnish_code(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let code = text.get(range.clone())?;
    let (day, month) = (code.get(..2)?.parse::<u32>().ok()?, code.get(2..4)?.parse::<u32>().ok()?);
    let number: u32 = format!("{}{}", code.get(..6)?, code.get(7..10)?).parse().ok()?;
    let expected = b"0123456789ABCDEFHJKLMNPRSTUVWXY".get((number % 31) as usize)?;
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let valid = (1..=days).contains(&day) && (1..=12).contains(&month) && code.as_bytes().last() == Some(expected);
    valid.then(|| unnamed(text, range)).flatten()
}

/// Enough real digits, since letters may stand for some: the pattern alone would take words in capitals.
fn fiscal_code(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let code = text.get(range.clone())?;
    let digits = code.bytes().filter(u8::is_ascii_digit).count();
    (digits >= 4 && one_case(code)).then_some(range)
}

fn national_insurance(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let number = text.get(range.clone())?;
    let prefix = number.get(..2)?;
    let unissued = ["BG", "GB", "NK", "KN", "NT", "TN", "ZZ"].contains(&prefix.to_ascii_uppercase().as_str());
    // "at 10 20 30 a" has the form as well.
    let word =
        number.contains(' ') && ["am", "an", "as", "at", "by", "he", "la", "le", "me", "my", "we"].contains(&prefix);
    (!unissued && !word && one_case(number)).then(|| unnamed(text, range)).flatten()
}

/// The fourth letter says what the holder is; any other needs the words "PAN" or "permanent account".
fn permanent_account(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let holder = text.as_bytes().get(range.start + 3)?;
    let announced = || Before::new(text, range.start).has(5, &["pan", "permanent"]);
    (b"ABCFGHJLPT".contains(holder) || announced()).then(|| unnamed(text, range)).flatten()
}

fn bitcoin(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let address = text.get(range.clone())?;
    let valid = if address.starts_with(['1', '3']) { wallet::base58(address) } else { wallet::bech32(address) };
    valid.then_some(range)
}

fn one_case(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_lowercase()) || !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Reads on from the country code for as many characters as the country's numbers have, over single spaces and dashes.
fn iban(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let head = text.get(range.start..range.start + 2)?.to_ascii_uppercase();
    let (_, len) = IBAN_LENGTHS.iter().find(|(country, _)| *country == head)?;
    let (mut compact, mut end, mut in_gap) = (Vec::with_capacity(*len), range.start, false);
    for (offset, character) in text.get(range.start..)?.char_indices() {
        if character.is_ascii_alphanumeric() {
            compact.push(character as u8);
            end = range.start + offset + 1;
            in_gap = false;
        } else if in_gap || !matches!(character, ' ' | '-' | '\u{a0}') {
            return None;
        } else {
            in_gap = true;
        }
        if compact.len() == *len {
            break;
        }
    }
    let written = String::from_utf8(compact).ok()?;
    let joined = characters_after(text, end).next().is_some_and(joins);
    let valid = written.len() == *len && !joined && one_case(&written);
    (valid && iban_mod_97(written.to_ascii_uppercase().as_bytes())).then_some(range.start..end)
}

/// How long the numbers of each country are. Source: SWIFT, IBAN Registry (ISO 13616).
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HN", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];
