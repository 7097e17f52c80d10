/// The numbers in `text`, in order: `1,500`, `20_000`, `2.5e3`, `-4`, `.5`, `75 %` (75), `-$3.20`.
///
/// A comma or underscore groups digits only by threes. Digits inside an ASCII word (`v2`, `sha256`) are no number, and
/// the hyphen in `2024-01-05` or `GPT-4` is no sign. What is too large for a float is left out.
pub(super) fn numbers(text: &str) -> Vec<f64> {
    let mut found = Vec::new();
    let mut before = None;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = before.is_some_and(|before: char| before.is_ascii_alphanumeric() || before == '_');
        let number = if in_word { None } else { leading_number(rest) };
        let length = number.map_or(first.len_utf8(), |(_, length)| length);
        found.extend(number.map(|(value, _)| value).filter(|value| value.is_finite()));
        let (consumed, after) = rest.split_at(length);
        before = consumed.chars().next_back();
        rest = after;
    }
    found
}

/// The number that `text` starts with, and its length in bytes.
fn leading_number(text: &str) -> Option<(f64, usize)> {
    let unsigned = text.strip_prefix(['-', '−']);
    let is_negative = unsigned.is_some();
    let rest = unsigned.unwrap_or(text);
    let mut rest = if is_negative { rest.strip_prefix(['$', '€', '£']).unwrap_or(rest) } else { rest };

    let (first_digits, mut after) = split_digits(rest);
    let mut plain = first_digits.to_owned();
    while let Some((group, further)) = grouped(&plain, after) {
        plain.push_str(group);
        after = further;
    }
    rest = after;
    if let Some((fraction, after)) = rest.strip_prefix('.').map(split_digits).filter(|(digits, _)| !digits.is_empty()) {
        plain.push('.');
        plain.push_str(fraction);
        rest = after;
    }
    if plain.is_empty() {
        return None;
    }
    if let Some((exponent, after)) = exponent(rest) {
        plain.push_str(exponent);
        rest = after;
    }
    let value: f64 = plain.parse().ok()?;
    Some((if is_negative { -value } else { value }, text.len() - rest.len()))
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Three digits after a comma or underscore that continue `before`.
fn grouped<'a>(before: &str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let (digits, after) = split_digits(text.strip_prefix([',', '_'])?);
    (!before.is_empty() && digits.len() == 3).then_some((digits, after))
}

/// `e3`, `E-3`, `e+3`.
fn exponent(text: &str) -> Option<(&str, &str)> {
    let power = text.strip_prefix(['e', 'E'])?;
    let (digits, after) = split_digits(power.strip_prefix(['+', '-']).unwrap_or(power));
    if digits.is_empty() {
        return None;
    }
    Some(text.split_at(text.len() - after.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_as_people_and_programs_write_them() {
        let cases: [(&str, &[f64]); 14] = [
            ("It holds 1,500 chunks of 160 words.", &[1500.0, 160.0]),
            ("2.5e3 or 2.5E-3, 1e+2!", &[2500.0, 0.0025, 100.0]),
            ("from -4 to −3.5", &[-4.0, -3.5]),
            ("75 % or 75%", &[75.0, 75.0]),
            ("-$3.20, $1,234,567.89.", &[-3.2, 1_234_567.89]),
            ("max_document_bytes = 20_000_000", &[20_000_000.0]),
            (".5 and 0.50", &[0.5, 0.5]),
            ("exit code 3.", &[3.0]),
            ("on 2024-01-05, 3-4 times", &[2024.0, 1.0, 5.0, 3.0, 4.0]),
            ("GPT-4 and v2, sha256", &[4.0]),
            ("1,50 and 1,2345", &[1.0, 50.0, 1.0, 2345.0]),
            ("10ms, 5GB, 约7个", &[10.0, 5.0, 7.0]),
            ("1e999", &[]),
            ("none - at all, e5 .", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(numbers(text), expected, "{text}");
        }
    }
}
