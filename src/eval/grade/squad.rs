/// F1 of the words that `answer` and `expected` share, each word counted as often as it occurs; 0..=1.
///
/// Both are normalized first: lower case, ASCII punctuation deleted, the articles a, an and the left out.
/// Two texts of which nothing is left are equal.
///
/// Source: Rajpurkar et al. (2016), SQuAD; edges as in the SQuAD 2.0 evaluation script.
pub fn token_f1(answer: &str, expected: &str) -> f64 {
    f1(&Normalized::new(answer), &Normalized::new(expected))
}

/// A text in SQuAD's normal form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Normalized(String);

impl Normalized {
    pub(super) fn new(text: &str) -> Self {
        let mut kept = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() };
        kept.retain(|character| !character.is_ascii_punctuation());
        let mut normal = String::with_capacity(kept.len());
        for token in kept.split_whitespace() {
            if token.is_ascii() {
                // What is left of an ASCII token are letters and digits: it is one word.
                push_parts(&mut normal, if is_article(token) { "" } else { token });
            } else {
                without_articles(&mut normal, token);
            }
        }
        Self(normal)
    }

    fn sorted_words(&self) -> Vec<&str> {
        let mut words: Vec<&str> = self.0.split(' ').filter(|word| !word.is_empty()).collect();
        words.sort_unstable();
        words
    }
}

/// [`token_f1`] of texts already normalized.
pub(super) fn f1(answer: &Normalized, expected: &Normalized) -> f64 {
    let (answer_words, expected_words) = (answer.sorted_words(), expected.sorted_words());
    let total = answer_words.len() + expected_words.len();
    if total == 0 {
        return 1.0;
    }
    // 2PR / (P + R) with P and R the shared share of either.
    2.0 * shared(&answer_words, &expected_words) as f64 / total as f64
}

fn shared(left: &[&str], right: &[&str]) -> usize {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut count = 0;
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        match l.cmp(r) {
            std::cmp::Ordering::Less => drop(left.next()),
            std::cmp::Ordering::Greater => drop(right.next()),
            std::cmp::Ordering::Equal => {
                count += 1;
                left.next();
                right.next();
            }
        }
    }
    count
}

fn is_article(word: &str) -> bool {
    matches!(word, "a" | "an" | "the")
}

// An article that stands between other marks than ASCII ones (“the”) leaves a gap, as in the original.
fn without_articles(normal: &mut String, token: &str) {
    let mut kept = String::with_capacity(token.len());
    let mut rest = token;
    while !rest.is_empty() {
        let word = rest.find(|character: char| !character.is_alphanumeric()).unwrap_or(rest.len());
        let marks =
            rest.get(word..).and_then(|marks| marks.find(char::is_alphanumeric)).map_or(rest.len(), |at| word + at);
        let (run, after) = rest.split_at(if word > 0 { word } else { marks });
        kept.push_str(if is_article(run) { " " } else { run });
        rest = after;
    }
    push_parts(normal, &kept);
}

fn push_parts(normal: &mut String, parts: &str) {
    for part in parts.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_normalized_as_by_squads_script() {
        // A transcription of `normalize_answer` of the SQuAD evaluation script, run on Python 3.11.7.
        let cases = [
            ("The  Cap, a Budget's limit.", "cap budgets limit"),
            ("“the” end—an a-b end", "“ ” end— ab end"),
            ("Theatre and anthem", "theatre and anthem"),
            ("An the A", ""),
            ("ΟΔΟΣ x² the² é-the", "οδος x² the² éthe"),
            ("It's $1,500.25 (max)!", "its 150025 max"),
        ];
        for (text, expected) in cases {
            assert_eq!(Normalized::new(text).0, expected);
        }
    }

    #[test]
    fn f1_is_that_of_squads_script() {
        // `compute_f1` of the same script, in the same way.
        let cases = [
            ("the cat sat on the mat", "A cat is on a mat.", 0.75),
            ("budget", "The monthly budget", 2.0 / 3.0),
            ("a b c", "d e", 0.0),
            ("cap cap cap", "cap it", 0.4),
            ("Use `tollgate gate`, then wait.", "Wait; use tollgate gate!", 0.888_888_888_888_889),
            ("The!", "an", 1.0),
            ("", "cap", 0.0),
        ];
        for (answer, expected, f1) in cases {
            assert!((token_f1(answer, expected) - f1).abs() < 1e-12, "{answer} / {expected}");
        }
    }
}
