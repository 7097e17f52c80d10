/// Splits prose into sentences, in order, without their surrounding white space.
///
/// A sentence ends at `.`, `!` or `?` (with closing quotes or brackets) before white space and something that can
/// start a sentence, or at a line break. A full stop inside a number, a version, a path, an initial or a common
/// abbreviation ends nothing. List markers at the start of a line do not belong to the sentence.
pub fn sentences(text: &str) -> Vec<&str> {
    text.lines().flat_map(line_sentences).collect()
}

const ABBREVIATIONS: &[&str] = &[
    "e.g.", "i.e.", "etc.", "vs.", "cf.", "no.", "fig.", "mr.", "mrs.", "ms.", "dr.", "st.", "approx.", "incl.",
    "resp.",
];

fn line_sentences(line: &str) -> Vec<&str> {
    let line = without_list_marker(line.trim());
    let mut found = Vec::new();
    let mut start = 0;
    let mut characters = line.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if !matches!(character, '.' | '!' | '?') {
            continue;
        }
        let mut end = at + character.len_utf8();
        while let Some(&(next, closing)) = characters.peek() {
            if !matches!(closing, '.' | '!' | '?' | '"' | '\'' | ')' | ']' | '”' | '’' | '`' | '*') {
                break;
            }
            end = next + closing.len_utf8();
            characters.next();
        }
        let rest = line.get(end..).unwrap_or("");
        if ends_sentence(line.get(start..end).unwrap_or(""), rest) {
            push(&mut found, line.get(start..end));
            start = end;
        }
    }
    push(&mut found, line.get(start..));
    found
}

fn ends_sentence(before: &str, rest: &str) -> bool {
    if !rest.starts_with(char::is_whitespace) {
        return false;
    }
    let starts = rest.trim_start().trim_start_matches(['"', '\'', '(', '[', '“', '‘', '`', '*']);
    if starts.starts_with(char::is_lowercase) {
        return false;
    }
    let last = before.rsplit(char::is_whitespace).next().unwrap_or("");
    let initial = last.len() == 2 && last.ends_with('.') && last.starts_with(char::is_uppercase);
    !initial && !ABBREVIATIONS.contains(&last.trim_start_matches('(').to_lowercase().as_str())
}

fn without_list_marker(line: &str) -> &str {
    for marker in ["- ", "* ", "+ ", "• "] {
        if let Some(rest) = line.strip_prefix(marker) {
            return rest.trim_start();
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.get(digits..) {
        Some(rest) if (1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") ")) => {
            rest.get(2..).unwrap_or("").trim_start()
        }
        _ => line,
    }
}

fn push<'a>(found: &mut Vec<&'a str>, sentence: Option<&'a str>) {
    let sentence = sentence.unwrap_or("").trim();
    if sentence.chars().any(char::is_alphanumeric) {
        found.push(sentence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_stops_inside_numbers_paths_and_abbreviations_end_nothing() {
        let text = "Cap it at 2.5 dollars, e.g. Per day. See prompts/answer/v2.toml now! Is J. Doe in? Yes.";
        let expected =
            ["Cap it at 2.5 dollars, e.g. Per day.", "See prompts/answer/v2.toml now!", "Is J. Doe in?", "Yes."];
        assert_eq!(sentences(text), expected);
    }

    #[test]
    fn lines_and_list_items_are_sentences() {
        assert_eq!(sentences("Two ways:\n- Use `gate`.\n2. Or wait\n\n--\n"), ["Two ways:", "Use `gate`.", "Or wait"]);
    }

    #[test]
    fn quotes_and_brackets_stay_with_their_sentence() {
        assert_eq!(
            sentences("He said \"no.\" Then left. (It rained.) Fine."),
            ["He said \"no.\"", "Then left.", "(It rained.)", "Fine."]
        );
    }
}
