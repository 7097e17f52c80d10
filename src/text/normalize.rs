use super::{fold, words};

/// Runs of white space become one space; none at the ends.
pub fn collapse_whitespace(text: &str) -> String {
    let mut collapsed = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !collapsed.is_empty() {
            collapsed.push(' ');
        }
        collapsed.push_str(word);
    }
    collapsed
}

/// The form in which two questions count as the same question: folded, its words joined by single spaces.
///
/// Punctuation and spacing do not matter; every word does, so that a negation is never lost.
pub fn normalize_question(question: &str) -> String {
    let folded = fold(question);
    let mut normalized = String::with_capacity(folded.len());
    for word in words(&folded) {
        if !normalized.is_empty() {
            normalized.push(' ');
        }
        normalized.push_str(word);
    }
    normalized
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_case_and_punctuation_do_not_make_a_new_question() {
        assert_eq!(normalize_question("  How do I cap\tspend? "), normalize_question("how do i cap spend"));
        assert_ne!(normalize_question("is it not on"), normalize_question("is it on"));
    }
}
