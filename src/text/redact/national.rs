//! National numbers that are digits only. Those whose checksum lets many ordinary numbers pass are taken without gaps
//! only when a word before announces them.

use super::PiiKind;
use super::checksums::{aadhaar, abn, cpf, german_tax_id, medicare, nhs, pesel, tfn};
use super::context::Before;
use super::numbers::{Gap, Numbers, Taken};
use super::phone::is_north_american;

pub(super) fn national(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    grouped(numbers, at).or_else(|| bare(numbers, at))
}

/// Numbers in their printed form.
fn grouped(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    let fits = |lens: &[usize]| {
        let gap = numbers.shape(at, lens)?;
        (numbers.begins(at, gap) && numbers.ends(at, lens.len(), gap)).then_some(gap)
    };
    let take = |kind, count| Some(numbers.take(kind, at, count));
    let unnamed = || !numbers.before(at).names_a_thing();
    match (numbers.len(at), numbers.len(at + 1)) {
        (3, 2) => {
            let gap = fits(&[3, 2, 4])?;
            if !matches!(gap, Gap::Dash | Gap::Dot | Gap::Space) {
                return None;
            }
            let digits = numbers.digits(at, 3);
            let before = numbers.before(at);
            if is_itin(digits) && gap != Gap::Dot && (announces_itin(&before) || !before.names_a_thing()) {
                return take(PiiKind::UsItin, 3);
            }
            (is_ssn(digits) && (announces_ssn(&before) || !before.names_a_thing()))
                .then(|| numbers.take(PiiKind::UsSsn, at, 3))
        }
        // Half-spaced forms look like a postal code or a part number.
        (3, 6) | (5, 4) => {
            fits(&[numbers.len(at), numbers.len(at + 1)])?;
            let digits = numbers.digits(at, 2);
            let before = numbers.before(at);
            if is_itin(digits) && announces_itin(&before) {
                return take(PiiKind::UsItin, 2);
            }
            (is_ssn(digits) && announces_ssn(&before)).then(|| numbers.take(PiiKind::UsSsn, at, 2))
        }
        (3, 3) => {
            if let Some(Gap::Space | Gap::Dash) = fits(&[3, 3, 4])
                && nhs(numbers.digits(at, 3))
                && (numbers.gap(at + 1) == Gap::Space || !is_north_american(numbers.digits(at, 3)))
                && unnamed()
            {
                return take(PiiKind::UkNhs, 3);
            }
            if numbers.gap(at + 1) == Gap::Dot && numbers.gap(at + 3) == Gap::Dash {
                let lens = [numbers.len(at + 2), numbers.len(at + 3)];
                let whole = numbers.begins(at, Gap::Dot) && numbers.ends(at, 4, Gap::Dash);
                return (lens == [3, 2] && whole && cpf(numbers.digits(at, 4)))
                    .then(|| numbers.take(PiiKind::BrCpf, at, 4));
            }
            (fits(&[3, 3, 3]) == Some(Gap::Space) && tfn(numbers.digits(at, 3)) && unnamed())
                .then(|| numbers.take(PiiKind::AuTfn, at, 3))
        }
        (4, 4) => {
            let gap = fits(&[4, 4, 4])?;
            (matches!(gap, Gap::Space | Gap::Dash | Gap::Colon) && aadhaar(numbers.digits(at, 3)) && unnamed())
                .then(|| numbers.take(PiiKind::InAadhaar, at, 3))
        }
        (4, 5) => (fits(&[4, 5, 1]) == Some(Gap::Space) && medicare(numbers.digits(at, 3)) && unnamed())
            .then(|| numbers.take(PiiKind::AuMedicare, at, 3)),
        (2, 3) if fits(&[2, 3, 3, 3]) == Some(Gap::Space) && unnamed() => {
            let digits = numbers.digits(at, 4);
            if abn(digits) {
                return take(PiiKind::AuAbn, 4);
            }
            german_tax_id(digits).then(|| numbers.take(PiiKind::DeTaxId, at, 4))
        }
        _ => None,
    }
}

/// Numbers written without gaps.
fn bare(numbers: &Numbers<'_>, at: usize) -> Option<Taken> {
    let digits = numbers.digits(at, 1);
    if !(9..=12).contains(&digits.len()) || !numbers.begins(at, Gap::Break) || !numbers.ends(at, 1, Gap::Break) {
        return None;
    }
    let before = numbers.before(at);
    let announced = |words: &[&str]| before.has(6, words);
    let unnamed = !before.names_a_thing();
    let kind = match digits.len() {
        9 if is_ssn(digits) && announces_ssn(&before) => PiiKind::UsSsn,
        9 if is_itin(digits) && announces_itin(&before) => PiiKind::UsItin,
        9 if tfn(digits) && announced(&["tax", "tfn"]) => PiiKind::AuTfn,
        10 if nhs(digits) && announced(&["nhs"]) => PiiKind::UkNhs,
        10 if medicare(digits) && announced(&["medicare"]) => PiiKind::AuMedicare,
        11 if pesel(digits) && (unnamed || announced(&["pesel"])) => PiiKind::PlPesel,
        11 if german_tax_id(digits) && (unnamed || announces_german_tax_id(&before)) => PiiKind::DeTaxId,
        11 if abn(digits) && (unnamed || announced(&["abn"])) => PiiKind::AuAbn,
        11 if cpf(digits) && announced(&["cpf"]) => PiiKind::BrCpf,
        12 if aadhaar(digits) && announced(&["aadhaar", "aadhar", "uidai"]) => PiiKind::InAadhaar,
        _ => return None,
    };
    Some(numbers.take(kind, at, 1))
}

fn announces_ssn(before: &Before) -> bool {
    before.has(5, &["social", "ssid", "ssn", "ssns"])
}

fn announces_itin(before: &Before) -> bool {
    before.has(5, &["itin", "tax", "taxid", "taxpayer", "tin"])
}

fn announces_german_tax_id(before: &Before) -> bool {
    before.has(3, &["identifikationsnummer", "idnr", "steuer", "steuerid", "steueridentifikationsnummer"])
}

/// Whether the authority could have issued these nine digits.
fn is_ssn(digits: &[u8]) -> bool {
    let (Some((area, rest)), 9) = (digits.split_first_chunk::<3>(), digits.len()) else { return false };
    let zero = |part: &[u8]| part.iter().all(|digit| *digit == 0);
    let (group, serial) = rest.split_at(2);
    let issued = !zero(area) && *area != [6, 6, 6] && !area.starts_with(&[9]) && !zero(group) && !zero(serial);
    issued && digits.iter().any(|digit| Some(digit) != digits.first())
}

/// A taxpayer number: an area from 900 on with one of the groups that are issued.
fn is_itin(digits: &[u8]) -> bool {
    let &[9, _, _, tens, ones, _, _, _, _] = digits else { return false };
    matches!(tens * 10 + ones, 50..=65 | 70..=88 | 90..=92 | 94..=99)
}
