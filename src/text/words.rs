use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::is_stop_word;

/// Case-folded, compatibility-normalized text (NFKC, then lower case): the form in which words are compared.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(text.to_ascii_lowercase());
        }
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfkc().flat_map(char::to_lowercase).collect())
}

/// The words of already folded text: maximal runs of letters and digits, in order.
///
/// Everything else separates words, so `kb_search`, `kb-search` and `kb search` are the same two words.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// How many [`words`] there are, several times as fast as walking through them.
pub fn word_count(text: &str) -> usize {
    let mut within = false;
    let starts = |character: &char| {
        let before = std::mem::replace(&mut within, character.is_alphanumeric());
        within && !before
    };
    text.chars().filter(starts).count()
}

/// The words that carry content: all but function words.
pub fn content_words(folded: &str) -> impl Iterator<Item = &str> {
    words(folded).filter(|word| !is_stop_word(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let folded = fold("Don't cap ＡＢＣ-12 über_alles!");
        assert_eq!(words(&folded).collect::<Vec<_>>(), ["don", "t", "cap", "abc", "12", "über", "alles"]);
        assert_eq!(word_count(&folded), 7);
        assert_eq!(word_count(" … "), 0);
    }

    #[test]
    fn content_words_leave_out_function_words() {
        let folded = fold("How do I cap the spend of a tenant?");
        assert_eq!(content_words(&folded).collect::<Vec<_>>(), ["cap", "spend", "tenant"]);
    }
}
