/// ROUGE-L F-measure of `answer` against `expected`, 0..=1; 0 when either has no word.
///
/// Words are runs of `a–z` and `0–9` after lower-casing, nothing is stemmed: equal to `rouge-score` 0.1.2 with
/// `use_stemmer=False`. Takes time proportional to the product of the lengths and memory to the shorter one.
///
/// Source: Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries, §3.1, with β = 1.
pub fn rouge_l(answer: &str, expected: &str) -> f64 {
    let (answer, expected) = (answer.to_lowercase(), expected.to_lowercase());
    let (answer, expected) = (words(&answer), words(&expected));
    let total = answer.len() + expected.len();
    if total == 0 {
        return 0.0;
    }
    2.0 * longest_common_subsequence(&answer, &expected) as f64 / total as f64
}

fn words(lowercase: &str) -> Vec<&str> {
    lowercase
        .split(|character: char| !(character.is_ascii_lowercase() || character.is_ascii_digit()))
        .filter(|word| !word.is_empty())
        .collect()
}

fn longest_common_subsequence(left: &[&str], right: &[&str]) -> usize {
    let (long, short) = if left.len() < right.len() { (right, left) } else { (left, right) };
    // best[j]: the length for the words of `long` so far and the first j + 1 of `short`.
    let mut best = vec![0; short.len()];
    for word in long {
        let (mut diagonal, mut beside) = (0, 0);
        for (other, cell) in short.iter().zip(&mut best) {
            let above = *cell;
            *cell = if word == other { diagonal + 1 } else { above.max(beside) };
            (diagonal, beside) = (above, *cell);
        }
    }
    best.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_rouge_score() {
        // rouge-score 0.1.2: RougeScorer(["rougeL"], use_stemmer=False).score(expected, answer)["rougeL"].fmeasure
        let cases = [
            ("the cat sat on the mat", "the cat is on the mat", 0.833_333_333_333_333_4),
            ("A budget caps the spend.", "The spend is capped by a budget.", 0.333_333_333_333_333_3),
            ("don't panic", "do not panic", 0.333_333_333_333_333_3),
            ("kb_search finds 1,500 chunks", "kb search finds 1500 chunks", 0.727_272_727_272_727_2),
            ("Größe über alles", "grosse uber alles", 0.285_714_285_714_285_75),
            ("Café au lait", "café AU LAIT!", 1.0),
            ("one two three four five six seven", "seven six five four three two one", 0.142_857_142_857_142_85),
            ("a b a b a", "b a b", 0.749_999_999_999_999_9),
            ("İstanbul is big", "istanbul is big", 0.571_428_571_428_571_5),
            ("", "anything", 0.0),
            ("…", "—", 0.0),
            (
                "Run tollgate gate, then tollgate migrate up.",
                "First run `tollgate gate`; when it passes, run `tollgate migrate up`.",
                0.666_666_666_666_666_5,
            ),
        ];
        for (answer, expected, score) in cases {
            assert!((rouge_l(answer, expected) - score).abs() < 1e-12, "{answer} / {expected}");
        }
    }
}
