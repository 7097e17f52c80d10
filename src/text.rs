//! L0: normalization, words and sentences; pure functions.

mod normalize;
mod sentences;
mod stop_words;
mod words;

pub use normalize::{collapse_whitespace, normalize_question};
pub use sentences::sentences;
pub use stop_words::is_stop_word;
pub use words::{content_words, fold, word_count, words};
