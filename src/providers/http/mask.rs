use crate::domain::Secret;
use crate::providers::ProviderError;

/// Characters of a vendor's reason that are kept.
const MAX_REASON_CHARS: usize = 300;
/// Characters of a vendor's reason that are looked at.
const MAX_SEEN_CHARS: usize = 8 * 1024;
/// A word that shares so many bytes in a row with a secret is masked.
const TELLING_BYTES: usize = 6;
/// How vendors' keys begin.
const KEY_PREFIXES: &[&str] = &["sk-", "AIza"];
/// What stands for a masked word.
const MASKED: &str = "[masked]";

/// Takes secrets out of what vendors say: they echo keys, whole or in parts ("Incorrect API key provided: sk-ab***yz").
pub(super) struct Mask {
    secrets: Vec<String>,
}

impl Mask {
    pub(super) fn new<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        // A header may be a scheme and a key: each of its words is a secret.
        let words = secrets.flat_map(|secret| words(secret.expose()));
        Self { secrets: words.filter(|word| is_word(word)).map(str::to_owned).collect() }
    }

    /// The error with a reason that is free of secrets and of control characters, and not long.
    pub(super) fn clean(&self, mut error: ProviderError) -> ProviderError {
        match &mut error {
            ProviderError::BadRequest { reason }
            | ProviderError::Unauthorized { reason, .. }
            | ProviderError::RateLimited { reason, .. }
            | ProviderError::QuotaSpent { reason }
            | ProviderError::Unavailable { reason, .. }
            | ProviderError::Connection { reason, .. }
            | ProviderError::Malformed { reason } => *reason = self.clean_text(reason),
            ProviderError::NoSuchModel { .. }
            | ProviderError::Unsupported { .. }
            | ProviderError::KeyMissing { .. }
            | ProviderError::TimedOut { .. }
            | ProviderError::Truncated { .. } => {}
        }
        error
    }

    fn clean_text(&self, text: &str) -> String {
        let text: String = text.chars().take(MAX_SEEN_CHARS).map(|it| if it.is_control() { ' ' } else { it }).collect();
        let masked: String = words(&text).map(|word| if self.tells(word) { MASKED } else { word }).collect();
        if masked.chars().count() <= MAX_REASON_CHARS {
            return masked;
        }
        let kept: String = masked.chars().take(MAX_REASON_CHARS - 1).collect();
        kept + "…"
    }

    /// Whether a word is a secret, holds a part of one, or looks like a key.
    fn tells(&self, word: &str) -> bool {
        if !is_word(word) {
            return false;
        }
        let echo = KEY_PREFIXES.iter().any(|prefix| word.starts_with(prefix)) || word.contains("***");
        echo || self.secrets.iter().any(|secret| {
            let shared = |window: &[u8]| secret.as_bytes().windows(TELLING_BYTES).any(|part| part == window);
            word == secret || word.as_bytes().windows(TELLING_BYTES).any(shared)
        })
    }
}

/// A text cut into words of the characters that keys consist of, and what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let in_word = rest.starts_with(of_a_word);
        let end = rest.find(|character| of_a_word(character) != in_word).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

fn is_word(part: &str) -> bool {
    part.starts_with(of_a_word)
}

fn of_a_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '*' | '…' | '•' | '+' | '/' | '=' | '~' | '%' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-canary-Zx81+/QmPw04";

    fn cleaned(text: &str) -> String {
        let secrets = [Secret::new(KEY.into()), Secret::new("Bearer hunter2hunter".into())];
        Mask::new(secrets.iter()).clean_text(text)
    }

    #[test]
    fn echoes_of_a_key_are_masked_whole_or_in_part() {
        for echo in [KEY, "sk-c***********Pw04", "canary-Zx8", "81+/QmPw04", "hunter2h", "sk-", "xsk-canary", "AIzaSyB"]
        {
            let said = cleaned(&format!("Incorrect API key provided: {echo}. See \"{echo}\"\nhttps://x.test"));
            assert_eq!(said, format!("Incorrect API key provided: {MASKED}. See \"{MASKED}\" https://x.test"));
        }
    }

    #[test]
    fn other_words_stay() {
        let text = "The model `gpt-5-mini` does not exist: risk-free (ask-me), can, Qm, 100% «é»";
        assert_eq!(cleaned(text), text);
    }

    #[test]
    fn reasons_are_cut_after_masking() {
        let said = cleaned(&format!("{} {KEY} {}", "x".repeat(291), "y".repeat(99_999)));
        assert_eq!(said.chars().count(), MAX_REASON_CHARS);
        assert!(said.ends_with("[masked…"), "{said}");
    }

    #[test]
    fn a_short_secret_is_masked_only_where_it_stands_alone() {
        let mask = Mask::new([Secret::new("abc".into())].iter());
        assert_eq!(mask.clean_text("abc abcd \u{1b}[31mabc"), "[masked] abcd  [31mabc");
    }
}
