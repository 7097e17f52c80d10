use serde_json::Value;

use super::examples::prompt_of;
use super::release::{Release, RetrievalMode};
use crate::domain::nearest;

/// A key of the release that migrations may set.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseKey {
    /// Its name; `prompts.*` stands for one key by prompt.
    pub name: &'static str,
    /// What its values are.
    pub values: &'static str,
    /// Its value before any migration, as TOML.
    pub default: &'static str,
    /// What it does.
    pub doc: &'static str,
    set: fn(&mut Release, &str, &Value) -> Option<()>,
}

/// Every key of the release, in the order in which they are documented.
pub const RELEASE_KEYS: &[ReleaseKey] = &[
    ReleaseKey {
        name: "prompts.*",
        values: "a version number of at least 1; of examples also 0, for none",
        default: "1",
        doc: "Version of the prompt of this name, or of a prompt's examples; 0 where those are not used",
        set: |release, key, value| {
            let name = key.strip_prefix("prompts.")?;
            let version = u32::try_from(value.as_u64()?).ok()?;
            match (version, prompt_of(name)) {
                (0, None) => return None,
                (0, Some(_)) => drop(release.prompts.remove(name)),
                _ => drop(release.prompts.insert(name.to_owned(), version)),
            }
            Some(())
        },
    },
    ReleaseKey {
        name: "stages.small",
        values: "a model written provider/model, the name of a route, or \"\" for none",
        default: "\"extractive/small\"",
        doc: "The model that is asked first",
        set: |release, _, value| {
            release.stages.small = target(value)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "stages.large",
        values: "a model written provider/model, the name of a route, or \"\" for none",
        default: "\"extractive/large\"",
        doc: "The model that is asked when the small one is not sure, or alone",
        set: |release, _, value| {
            release.stages.large = target(value)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "stages.confidence_threshold",
        values: SHARE,
        default: "0.6",
        doc: "The small model's answer is kept from this confidence on",
        set: |release, _, value| {
            release.stages.confidence_threshold = share(value)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "stages.refuse_below",
        values: SHARE,
        default: "0.2",
        doc: "A final answer below this confidence becomes a refusal",
        set: |release, _, value| {
            release.stages.refuse_below = share(value)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "retrieval.mode",
        values: "keyword, vector, hybrid or off",
        default: "\"hybrid\"",
        doc: "By what passages are found",
        set: |release, _, value| {
            let mode = RetrievalMode::ALL.into_iter().find(|mode| value == mode.as_str())?;
            release.retrieval.mode = mode;
            Some(())
        },
    },
    ReleaseKey {
        name: "retrieval.top_k",
        values: "a whole number between 1 and 100",
        default: "5",
        doc: "How many passages the models see",
        set: |release, _, value| {
            release.retrieval.top_k = count(value, 100)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "retrieval.candidates",
        values: "a whole number between 1 and 10000",
        default: "50",
        doc: "How many candidates keyword and vector search each give before their scores are fused",
        set: |release, _, value| {
            release.retrieval.candidates = count(value, 10_000)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "retrieval.vector_weight",
        values: SHARE,
        default: "0.5",
        doc: "Share of vector similarity in the fused score",
        set: |release, _, value| {
            release.retrieval.vector_weight = share(value)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "retrieval.embedder",
        values: "a model written provider/model, or \"\" for the built-in lexical vectors",
        default: "\"\"",
        doc: "The model that makes the vectors of chunks and questions",
        set: |release, _, value| {
            release.retrieval.embedder = model(value)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "cache.exact",
        values: "true or false",
        default: "true",
        doc: "Whether the same question of the same tenant is answered from the cache",
        set: |release, _, value| {
            release.cache.exact = value.as_bool()?;
            Some(())
        },
    },
    ReleaseKey {
        name: "cache.ttl_s",
        values: "a whole number of seconds between 1 and 31536000",
        default: "900",
        doc: "How long an answer is kept",
        set: |release, _, value| {
            release.cache.ttl_s = count(value, 31_536_000)? as u64;
            Some(())
        },
    },
    ReleaseKey {
        name: "limits.max_question_chars",
        values: "a whole number between 1 and 1000000",
        default: "4000",
        doc: "Longest question that is answered, in characters",
        set: |release, _, value| {
            release.limits.max_question_chars = count(value, 1_000_000)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "limits.max_output_tokens",
        values: "a whole number between 1 and 1000000",
        default: "512",
        doc: "Most tokens of an answer; a prompt may ask for fewer",
        set: |release, _, value| {
            release.limits.max_output_tokens = count(value, 1_000_000)? as u64;
            Some(())
        },
    },
    ReleaseKey {
        name: "limits.passage_words",
        values: "a whole number between 1 and 100000",
        default: "400",
        doc: "Passages are cut after this many words",
        set: |release, _, value| {
            release.limits.passage_words = count(value, 100_000)?;
            Some(())
        },
    },
    ReleaseKey {
        name: "limits.passage_tokens",
        values: "a whole number between 1 and 1000000, or 0 for no limit",
        default: "0",
        doc: "Most tokens of all passages together, four bytes of text a token; what has least to do with the question goes",
        set: |release, _, value| {
            let is_off = value.as_u64() == Some(0);
            release.limits.passage_tokens = if is_off { None } else { Some(count(value, 1_000_000)? as u64) };
            Some(())
        },
    },
    ReleaseKey {
        name: "limits.drop_duplicate_sentences",
        values: "true or false",
        default: "false",
        doc: "Whether a sentence is left out of a passage when a better one has said it",
        set: |release, _, value| {
            release.limits.drop_duplicate_sentences = value.as_bool()?;
            Some(())
        },
    },
];

const SHARE: &str = "a number between 0 and 1";

fn share(value: &Value) -> Option<f64> {
    value.as_f64().filter(|share| (0.0..=1.0).contains(share))
}

fn count(value: &Value, most: usize) -> Option<usize> {
    let count = usize::try_from(value.as_u64()?).ok()?;
    (1..=most).contains(&count).then_some(count)
}

/// A model's name, or no model for an empty text; `None` for anything else.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the value can be read, the inner one is the setting"
)]
fn model(value: &Value) -> Option<Option<String>> {
    match value.as_str()? {
        "" => Some(None),
        name => {
            let (provider, model) = name.split_once('/')?;
            let whole = !provider.trim().is_empty() && !model.trim().is_empty();
            whole.then(|| Some(name.to_owned()))
        }
    }
}

/// A model's name or a route's, or nothing for an empty text; `None` for anything else.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the value can be read, the inner one is the setting"
)]
fn target(value: &Value) -> Option<Option<String>> {
    let name = value.as_str()?;
    let is_route = !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || "-_".contains(letter));
    if is_route { Some(Some(name.to_owned())) } else { model(value) }
}

/// Why a setting is refused.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Sets one key of the release.
pub(super) fn apply(release: &mut Release, name: &str, value: &Value) -> Result<(), Refusal> {
    let is_prompt = name.strip_prefix("prompts.").is_some_and(|prompt| !prompt.is_empty());
    let Some(key) = RELEASE_KEYS.iter().find(|key| key.name == name || (is_prompt && key.name == "prompts.*")) else {
        let known = RELEASE_KEYS.iter().map(|key| key.name);
        let hint = nearest(name, known.clone()).map_or_else(
            || format!("known keys: {}", known.collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(Refusal { message: format!("unknown key `{name}`"), hint: Some(hint) });
    };
    (key.set)(release, name, value).ok_or_else(|| Refusal { message: format!("must be {}", key.values), hint: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::{Library, Release};

    fn defaults() -> Release {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("answer")).unwrap();
        let prompt = "description=\"d\"\ntask=\"t\"\n[inputs]\n[output]\n[[messages]]\nrole=\"user\"\ncontent=\"\"\n";
        std::fs::write(directory.path().join("answer/v1.toml"), prompt).unwrap();
        Release::fold(&[], &Library::open(directory.path()).unwrap()).unwrap()
    }

    #[test]
    fn the_documented_defaults_are_the_real_ones() {
        let defaults = defaults();
        for key in RELEASE_KEYS {
            let table: toml::Table = format!("x = {}", key.default).parse().unwrap();
            let value = serde_json::to_value(&table["x"]).unwrap();
            let mut release = defaults.clone();
            apply(&mut release, &key.name.replace('*', "answer"), &value).unwrap();
            assert_eq!(release, defaults, "{}", key.name);
        }
    }

    #[test]
    fn every_setting_of_a_release_has_a_key() {
        let release = serde_json::to_value(defaults()).unwrap();
        for group in ["stages", "retrieval", "cache", "limits"] {
            for name in release[group].as_object().unwrap().keys() {
                let name = format!("{group}.{name}");
                assert!(RELEASE_KEYS.iter().any(|key| key.name == name), "{name}");
            }
        }
    }

    #[test]
    fn values_of_wrong_type_or_range_are_refused() {
        for (key, value) in [
            ("stages.small", serde_json::json!("g p t")),
            ("retrieval.embedder", serde_json::json!("minilm")),
            ("stages.small", serde_json::json!("/x")),
            ("retrieval.mode", serde_json::json!("Hybrid")),
            ("retrieval.top_k", serde_json::json!(0)),
            ("retrieval.top_k", serde_json::json!(2.5)),
            ("retrieval.vector_weight", serde_json::json!(-0.1)),
            ("cache.exact", serde_json::json!("yes")),
            ("prompts.answer", serde_json::json!(0)),
        ] {
            let refusal = apply(&mut defaults(), key, &value).unwrap_err();
            assert!(refusal.message.starts_with("must be "), "{key}");
        }
    }
}
