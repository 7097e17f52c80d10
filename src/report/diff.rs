use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices, diff_ratio};

/// A run of words in one of two compared texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// The words, joined by single spaces.
    pub(super) text: String,
    /// Whether the other text lacks them.
    pub(super) differs: bool,
}

/// Below this likeness (2 × common words / all words) marks on single words are noise: nothing is marked.
const MIN_LIKENESS: f32 = 0.3;

/// Above this many word pairs the texts are not compared, so that a hostile answer cannot stall a report.
const MAX_PAIRS: usize = 4_000_000;

/// Both texts in runs of words that they share and words that only one has; never without a run.
pub(super) fn compare(expected: &str, got: &str) -> (Vec<Run>, Vec<Run>) {
    let expected: Vec<&str> = expected.split_whitespace().collect();
    let got: Vec<&str> = got.split_whitespace().collect();
    if expected.len().saturating_mul(got.len()) > MAX_PAIRS {
        return (unmarked(&expected), unmarked(&got));
    }
    let ops = capture_diff_slices(Algorithm::Myers, &expected, &got);
    if expected.is_empty() || got.is_empty() || diff_ratio(&ops, expected.len(), got.len()) < MIN_LIKENESS {
        return (unmarked(&expected), unmarked(&got));
    }
    (runs(&expected, &ops, DiffOp::old_range), runs(&got, &ops, DiffOp::new_range))
}

fn unmarked(words: &[&str]) -> Vec<Run> {
    let text = if words.is_empty() { "(empty)".to_owned() } else { words.join(" ") };
    vec![Run { text, differs: false }]
}

fn runs(words: &[&str], ops: &[DiffOp], side: fn(&DiffOp) -> Range<usize>) -> Vec<Run> {
    let runs = ops.iter().filter_map(|op| {
        let words = words.get(side(op)).filter(|words| !words.is_empty())?;
        Some(Run { text: words.join(" "), differs: !matches!(op, DiffOp::Equal { .. }) })
    });
    runs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(runs: &[Run]) -> String {
        runs.iter().map(|run| if run.differs { format!("<{}>", run.text) } else { format!("({})", run.text) }).collect()
    }

    #[test]
    fn differing_words_are_marked_on_their_side() {
        let (expected, got) = compare("the cap is 20 dollars a month", "the cap is 25 euros a month, always");
        assert_eq!(marked(&expected), "(the cap is)<20 dollars>(a)<month>");
        assert_eq!(marked(&got), "(the cap is)<25 euros>(a)<month, always>");
    }

    #[test]
    fn texts_with_little_in_common_are_left_unmarked() {
        let (expected, got) = compare("set it in the file", "the answer is unknown to everyone here");
        assert!(!expected.iter().chain(&got).any(|run| run.differs));
    }

    #[test]
    fn an_empty_text_says_so() {
        let (expected, got) = compare("", "something");
        assert_eq!((marked(&expected), marked(&got)), ("((empty))".to_owned(), "(something)".to_owned()));
        assert_eq!(marked(&compare("", "").0), "((empty))");
    }

    #[test]
    fn huge_texts_are_not_compared() {
        let huge = "word ".repeat(3000);
        assert_eq!(compare(&huge, &huge).0.len(), 1);
    }
}
