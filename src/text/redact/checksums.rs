//! Check digits of cards, accounts and national numbers. Every function takes decimal digits as values 0..=9.

/// The sum of digits times weights; digits beyond the weights do not count.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum()
}

/// Luhn's check of payment cards. Source: ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| match (position % 2, u32::from(*digit)) {
            (0, value) => value,
            (_, value) if value > 4 => 2 * value - 9,
            (_, value) => 2 * value,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Verhoeff's check, used by Aadhaar. Source: J. Verhoeff, Error Detecting Decimal Codes (1969): the product of the
/// dihedral group of order ten, here without its tables.
pub(super) fn verhoeff(digits: &[u8]) -> bool {
    const PERMUTE: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u8, times: usize| {
        (0..times).fold(digit, |digit, _| PERMUTE.get(usize::from(digit)).copied().unwrap_or(digit))
    };
    let product = |left: u8, right: u8| match (left < 5, right < 5) {
        (true, true) => (left + right) % 5,
        (true, false) => (left + right - 5) % 5 + 5,
        (false, true) => (left + 5 - right) % 5 + 5,
        (false, false) => (left + 5 - right) % 5,
    };
    let check = |sum, (position, digit): (usize, &u8)| product(sum, permuted(*digit, position % 8));
    digits.iter().rev().enumerate().fold(0, check) == 0
}

/// ISO/IEC 7064 MOD 97-10 over digits and upper-case letters, read from the fifth character round to the fourth.
pub(super) fn iban_mod_97(compact: &[u8]) -> bool {
    let (head, tail) = compact.split_at(compact.len().min(4));
    let remainder = tail.iter().chain(head).fold(0_u32, |remainder, character| match character {
        b'0'..=b'9' => (remainder * 10 + u32::from(character - b'0')) % 97,
        _ => (remainder * 100 + u32::from(character.wrapping_sub(b'A')) + 10) % 97,
    });
    remainder == 1
}

/// The check letter's place in Spanish tax numbers: the number modulo 23.
pub(super) fn spanish_letter(number: u32) -> Option<u8> {
    b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize).copied()
}

/// A German tax identification number. Source: §139b AO; ISO/IEC 7064 MOD 11,10, and no digit more than three times
/// in the first ten.
pub(super) fn german_tax_id(digits: &[u8]) -> bool {
    let Some((check, body)) = digits.split_last().filter(|(_, body)| body.len() == 10) else { return false };
    let mut counts = [0; 10];
    body.iter().filter_map(|digit| usize::from(*digit).checked_rem(10)).for_each(|digit| {
        counts.get_mut(digit).into_iter().for_each(|count| *count += 1);
    });
    // One digit stands there twice or three times and all others at most once; a number in which all ten differ is
    // not issued, but it is what examples look like.
    let repeated = counts.iter().filter(|count| **count > 1).count();
    if body.first() == Some(&0) || repeated > 1 || counts.iter().any(|count| *count > 3) {
        return false;
    }
    let product = body.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*check)
}

/// A Polish personal number of somebody born between 1900 and 2099.
pub(super) fn pesel(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];
    let &[_, _, month_tens, month_ones, day_tens, day_ones, ..] = digits else { return false };
    let month = (month_tens * 10 + month_ones) % 20;
    let day = day_tens * 10 + day_ones;
    digits.len() == 11
        && month_tens < 4
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && weighted(digits, &WEIGHTS).is_multiple_of(10)
}

/// An Australian business number.
pub(super) fn abn(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    digits.len() == 11
        && digits.first().is_some_and(|first| *first > 0)
        && (weighted(digits, &WEIGHTS) - 10).is_multiple_of(89)
}

/// An Australian tax file number of nine digits.
pub(super) fn tfn(digits: &[u8]) -> bool {
    digits.len() == 9 && weighted(digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

/// An Australian Medicare number of ten digits.
pub(super) fn medicare(digits: &[u8]) -> bool {
    digits.len() == 10
        && digits.first().is_some_and(|first| (2..=6).contains(first))
        && digits.get(8).is_some_and(|check| weighted(digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == u32::from(*check))
}

/// A British health service number.
pub(super) fn nhs(digits: &[u8]) -> bool {
    digits.len() == 10
        && digits.iter().any(|digit| Some(digit) != digits.first())
        && weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// A Brazilian taxpayer number.
pub(super) fn cpf(digits: &[u8]) -> bool {
    let check = |from: u32| {
        let weights = (2..=from).rev().collect::<Vec<_>>();
        u8::try_from(weighted(digits, &weights) * 10 % 11 % 10).ok()
    };
    digits.len() == 11
        && digits.iter().any(|digit| Some(digit) != digits.first())
        && check(10).as_ref() == digits.get(9)
        && check(11).as_ref() == digits.get(10)
}

/// An Aadhaar number.
pub(super) fn aadhaar(digits: &[u8]) -> bool {
    digits.len() == 12
        && digits.first().is_some_and(|first| *first >= 2)
        && !digits.iter().eq(digits.iter().rev())
        && verhoeff(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn one_wrong_digit_fails_every_checksum() {
        type Check = fn(&[u8]) -> bool;
        let valid: [(Check, &str); 10] = [
            (luhn, "4111111111111111"),
            (verhoeff, "2363"),
            (aadhaar, "312345678909"),
            (german_tax_id, "12345678903"),
            (pesel, "44051401359"),
            (abn, "51824753556"),
            (tfn, "876543210"),
            (medicare, "2123456701"),
            (nhs, "4010232137"),
            (cpf, "52998224725"),
        ];
        for (check, text) in valid {
            assert!(check(&digits(text)), "{text}");
            let mut wrong = digits(text);
            wrong[1] = (wrong[1] + 1) % 10;
            assert!(!check(&wrong), "{text}");
        }
    }

    #[test]
    fn numbers_of_another_length_fail_without_a_panic() {
        for length in 0..20 {
            let ones = vec![1; length];
            for check in [german_tax_id, pesel, abn, tfn, medicare, nhs, cpf, aadhaar] {
                assert!(!check(&ones) || length == 11, "{length}");
            }
        }
        assert!(!iban_mod_97(b"") && !iban_mod_97(b"DE"));
    }
}
