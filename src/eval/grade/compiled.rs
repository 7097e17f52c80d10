use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// How many settings are kept. A set whose every case has a pattern of its own must not fill the memory.
const KEPT: usize = 256;

/// What settings compile to, each compiled once as long as the set has no more than [`KEPT`] distinct ones.
pub(super) struct Compiled<T>(RwLock<HashMap<String, Result<Arc<T>, String>>>);

impl<T> Default for Compiled<T> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<T> Compiled<T> {
    /// What `setting` compiles to, or why it does not.
    pub(super) fn get(&self, setting: &str, compile: impl FnOnce(&str) -> Result<T, String>) -> Result<Arc<T>, String> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(setting) {
            return known.clone();
        }
        let compiled = compile(setting).map(Arc::new);
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(setting.to_owned(), compiled.clone());
        compiled
    }
}

/// Compiles a regular expression; the error is one line.
pub(super) fn regex(pattern: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(pattern).map_err(|error| {
        let shown = error.to_string();
        let last = shown.lines().last().unwrap_or("").trim();
        last.strip_prefix("error: ").unwrap_or(last).to_owned()
    })
}

/// Compiles a JSON Schema; nothing outside the schema itself is fetched.
pub(super) fn schema(schema: &serde_json::Value) -> Result<jsonschema::Validator, String> {
    jsonschema::validator_for(schema).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_setting_compiles_once_and_its_failure_too() {
        let compiled = Compiled::default();
        let count = Cell::new(0);
        for pattern in ["a+", "(", "a+", "(", "a+"] {
            let found = compiled.get(pattern, |pattern| {
                count.set(count.get() + 1);
                regex(pattern)
            });
            assert_eq!(found.is_ok(), pattern == "a+");
        }
        assert_eq!(count.get(), 2);
    }

    #[test]
    fn a_set_with_a_pattern_per_case_does_not_fill_the_memory() {
        let compiled = Compiled::default();
        for number in 0..10 * KEPT {
            assert_eq!(
                compiled.get(&number.to_string(), |text| Ok(text.len())).as_deref(),
                Ok(&number.to_string().len())
            );
        }
        assert!(compiled.0.read().unwrap().len() <= KEPT);
    }

    #[test]
    fn a_bad_pattern_is_explained_in_one_line() {
        assert_eq!(regex("a(").unwrap_err(), "unclosed group");
    }
}
