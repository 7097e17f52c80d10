use std::cmp::Ordering;

use crate::text::{fold, words};

/// Lexical similarity, 0..=1: the cosine of the counts of words and of character 3-, 4- and 5-grams.
///
/// The n-grams are those within each word with a space on either side. Texts that share no word and no n-gram have 0,
/// and so has a text without words.
pub fn similarity(left: &str, right: &str) -> f64 {
    let (left, right) = (features(left), features(right));
    let norms = (squares(&left) * squares(&right)).sqrt();
    if norms > 0.0 { (product(&left, &right) / norms).clamp(0.0, 1.0) } else { 0.0 }
}

/// Hashed features with their counts, sorted by hash.
fn features(text: &str) -> Vec<(u64, f64)> {
    let folded = fold(text);
    let mut hashes = Vec::new();
    let mut padded: Vec<char> = Vec::new();
    for word in words(&folded) {
        hashes.push(hash(1, word.chars()));
        padded.clear();
        padded.push(' ');
        padded.extend(word.chars());
        padded.push(' ');
        for length in 3..=5 {
            hashes.extend(padded.windows(length).map(|gram| hash(2, gram.iter().copied())));
        }
    }
    hashes.sort_unstable();
    hashes.chunk_by(|a, b| a == b).filter_map(|run| Some((*run.first()?, run.len() as f64))).collect()
}

/// FNV-1a over whole characters; `kind` keeps words and n-grams apart.
fn hash(kind: u64, characters: impl Iterator<Item = char>) -> u64 {
    let step = |hash: u64, value: u64| (hash ^ value).wrapping_mul(0x0000_0100_0000_01b3);
    characters.fold(step(0xcbf2_9ce4_8422_2325, kind), |hash, character| step(hash, u64::from(u32::from(character))))
}

fn squares(features: &[(u64, f64)]) -> f64 {
    features.iter().map(|(_, count)| count * count).sum()
}

fn product(left: &[(u64, f64)], right: &[(u64, f64)]) -> f64 {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut sum = 0.0;
    while let (Some((l, left_count)), Some((r, right_count))) = (left.peek(), right.peek()) {
        match l.cmp(r) {
            Ordering::Less => drop(left.next()),
            Ordering::Greater => drop(right.next()),
            Ordering::Equal => {
                sum += left_count * right_count;
                left.next();
                right.next();
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similarities_are_those_of_scikit_learns_counts() {
        // scikit-learn 1.9.1: CountVectorizer words and char_wb (3, 5) side by side, cosine; 0 without words.
        let cases = [
            ("cap the spend", "capping the spending", 0.497_593_660_834_977_86),
            ("Cap the spend!", "cap the SPEND", 1.0),
            ("a b", "b c", 0.5),
            ("apples", "oranges zzz", 0.049_029_033_784_546_01),
            ("the budget caps monthly spend", "a budget that caps the spend of a month", 0.762_416_527_891_318_5),
            ("…", "cap", 0.0),
            ("", "", 0.0),
            ("über naïve", "uber naive", 0.217_391_304_347_826_1),
        ];
        for (left, right, cosine) in cases {
            let found = similarity(left, right);
            assert!((found - cosine).abs() < 1e-12, "{left} / {right}: {found} is not {cosine}");
        }
    }
}
