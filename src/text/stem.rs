/// Endings that do not make another word, longest first.
const ENDINGS: &[&str] =
    &["ations", "ation", "ments", "ings", "ment", "ers", "ing", "ies", "ed", "er", "es", "ly", "s", "e", "y"];
/// Letters that must be left of a word.
const SHORTEST_STEM: usize = 4;

/// What a folded English word shares with its inflections: `migrations` and `migration` are both `migr`.
///
/// Short words stay as they are, and irregular forms are other words.
pub fn stem(word: &str) -> &str {
    let cut = |ending: &&str| word.strip_suffix(*ending).filter(|rest| rest.chars().count() >= SHORTEST_STEM);
    ENDINGS.iter().find_map(cut).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inflections_of_a_word_have_one_stem() {
        for (one, other) in [("migrations", "migration"), ("answering", "answered"), ("budgets", "budget")] {
            assert_eq!(stem(one), stem(other));
        }
        assert_eq!((stem("cap"), stem("caps"), stem("über")), ("cap", "caps", "über"));
    }
}
