use std::fmt;

/// A text that must not be seen: it cannot be printed, logged or serialized by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A vendor's key and where it comes from. The key may be missing: that matters only once it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Where it comes from, for messages: "the environment variable `OPENAI_API_KEY`", "the file `…`".
    pub source: String,
    /// The key; `None` when there is none at its source.
    pub secret: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let key = ApiKey { source: "the environment variable `K`".into(), secret: Some(Secret::new("canary".into())) };
        assert!(!format!("{key:?}").contains("canary"));
    }
}
