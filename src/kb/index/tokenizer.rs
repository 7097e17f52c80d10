use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::schema::SEPARATOR;
use crate::text;

/// The name under which the schema knows [`ScopedWords`].
pub(super) const NAME: &str = "scoped_words";

/// Longer words (encoded blobs) are not indexed.
const LONGEST_WORD_BYTES: usize = 120;

/// The words of `folded` text that are indexed.
pub(super) fn indexed_words(folded: &str) -> impl Iterator<Item = &str> {
    text::content_words(folded).filter(|word| word.len() <= LONGEST_WORD_BYTES)
}

/// The term under which a word of a scope is indexed.
pub(super) fn scoped(scope: &str, word: &str) -> String {
    format!("{scope}{SEPARATOR}{word}")
}

/// Splits `scope NUL text` into terms `scope NUL word`.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScopedWords;

/// The terms of one value.
#[derive(Debug)]
pub(super) struct ScopedWordStream {
    /// The words still to come, each followed by a space.
    words: String,
    next: usize,
    scope_bytes: usize,
    token: Token,
}

impl Tokenizer for ScopedWords {
    type TokenStream<'a> = ScopedWordStream;

    fn token_stream<'a>(&'a mut self, value: &'a str) -> ScopedWordStream {
        let (scope, text) = value.split_once(SEPARATOR).unwrap_or(("", value));
        let folded = text::fold(text);
        let mut words = String::with_capacity(folded.len() + 1);
        for word in indexed_words(&folded) {
            words.push_str(word);
            words.push(' ');
        }
        let token = Token { text: scoped(scope, ""), ..Token::default() };
        ScopedWordStream { words, next: 0, scope_bytes: token.text.len(), token }
    }
}

impl TokenStream for ScopedWordStream {
    fn advance(&mut self) -> bool {
        let Some((word, _)) = self.words.get(self.next..).and_then(|rest| rest.split_once(' ')) else { return false };
        self.next += word.len() + 1;
        self.token.text.truncate(self.scope_bytes);
        self.token.text.push_str(word);
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_carries_its_scope_and_function_words_are_left_out() {
        let mut tokenizer = ScopedWords;
        let mut stream = tokenizer.token_stream("acme\0How do I cap the ＳＰＥＮＤ of kb_search?");
        let mut terms = Vec::new();
        stream.process(&mut |token| terms.push((token.position, token.text.clone())));
        let expected = ["acme\0cap", "acme\0spend", "acme\0kb", "acme\0search"];
        assert_eq!(terms, (0..).zip(expected.map(str::to_owned)).collect::<Vec<_>>());
    }
}
