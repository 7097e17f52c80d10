//! L0: normalization, words and sentences; pure functions.

mod injection;
mod invisible;
mod normalize;
mod redact;
mod sentences;
mod similarity;
mod stem;
mod stop_words;
mod words;

pub use injection::{InjectionMark, injection_marks};
pub use invisible::strip_invisible;
pub use normalize::{collapse_whitespace, normalize_question};
pub use redact::{Finding, PiiKind, Redactor};
pub use sentences::sentences;
pub use similarity::{fingerprint, is_near};
pub use stem::stem;
pub use stop_words::is_stop_word;
pub use words::{content_words, fold, word_count, words};
