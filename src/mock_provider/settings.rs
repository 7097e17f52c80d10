use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Delay, Fault, Outage, ScriptLine, SettingsError};
use crate::domain::Secret;

/// Everything about the mock vendor that can be set. Each table and key is optional.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MockSettings {
    /// The one key that is accepted; by default any key is, and none.
    #[serde(serialize_with = "masked", deserialize_with = "secret", skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// What it answers.
    pub answers: Answers,
    /// Which of the two extractive models stands behind a model's name. Other names that contain `mini`, `small`,
    /// `haiku`, `flash`, `nano` or `lite` are `small`, all others `large`.
    pub models: BTreeMap<String, ModelSize>,
    /// Whether a model that `models` does not name is refused. Default: false.
    pub only_listed_models: bool,
    /// How long answers take. Default: no time.
    pub latency: Latency,
    /// How many requests are answered at once. Default: any number.
    pub capacity: Capacity,
    /// How many requests and tokens are allowed. Default: any number.
    pub limits: RateLimits,
    /// Faults that strike single requests, drawn in this order; the first that strikes counts.
    pub faults: Vec<Fault>,
    /// Times at which nothing works.
    pub outages: Vec<Outage>,
    /// Whether a system prompt that was seen before counts as cached tokens. Default: false.
    pub prompt_cache: bool,
    /// Reasoning tokens that each answer claims beyond its words. Default: 0.
    pub reasoning_tokens: u64,
    /// Length of embeddings when the request does not choose. Default: 384.
    pub embedding_dimensions: u32,
    /// How many of the last requests are kept for `/admin/requests`. Default: 100.
    pub capture_last: usize,
    /// The largest request body. Default: 33,554,432 (32 MiB, Anthropic's limit).
    pub max_body_bytes: usize,
}

impl Default for MockSettings {
    fn default() -> Self {
        Self {
            api_key: None,
            answers: Answers::default(),
            models: BTreeMap::new(),
            only_listed_models: false,
            latency: Latency::default(),
            capacity: Capacity::default(),
            limits: RateLimits::default(),
            faults: Vec::new(),
            outages: Vec::new(),
            prompt_cache: false,
            reasoning_tokens: 0,
            embedding_dimensions: 384,
            capture_last: 100,
            max_body_bytes: 32 << 20,
        }
    }
}

/// What the mock vendor answers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// Where answers come from. Default: `extractive`.
    pub mode: AnswerMode,
    /// With `echo`: always says this, instead of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// With `file`: its lines.
    pub lines: Vec<ScriptLine>,
    /// With `extractive`: its parameters, as `[params.extractive]` of a prompt.
    pub extractive: Map<String, Value>,
}

/// Where answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerMode {
    /// The extractive model, from the passages in the request.
    #[default]
    Extractive,
    /// The question itself, or always the same text.
    Echo,
    /// The lines of a file.
    File,
}

/// The two extractive models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelSize {
    /// Answers from the first document.
    Small,
    /// Answers from all passages.
    Large,
}

impl ModelSize {
    /// Which model stands behind a name that the settings do not map.
    pub fn of_name(name: &str) -> Self {
        let name = name.to_lowercase();
        // As whole words: `gemini` is not a `mini`.
        let is_small = |word: &str| ["mini", "small", "haiku", "flash", "nano", "lite"].contains(&word);
        if name.split(|character: char| !character.is_alphanumeric()).any(is_small) { Self::Small } else { Self::Large }
    }

    pub(super) fn extractive_model(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Large => "large",
        }
    }
}

/// How long answers take.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Latency {
    /// Until the first token. Default: constant, 0 ms.
    pub first_token: Delay,
    /// Between two tokens; an answer that is not streamed takes the sum. Default: constant, 0 ms.
    pub between_tokens: Delay,
}

/// How many requests are answered at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capacity {
    /// So many; any number when not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<usize>,
    /// So many more wait for their turn; what comes beyond is refused (503, Anthropic's 529). Default: 100.
    pub queue: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { slots: None, queue: 100 }
    }
}

/// How many requests and tokens are allowed. What exceeds it is refused with 429 and `Retry-After`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Requests; any number when not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Tokens in and out; any number when not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// How many seconds' worth may be used at once after a pause. Default: 60.
    pub burst_s: f64,
    /// After so many accepted requests the account's quota is spent, for good; 0 means that it is spent already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_requests: Option<u64>,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { requests_per_minute: None, tokens_per_minute: None, burst_s: 60.0, quota_requests: None }
    }
}

impl MockSettings {
    /// Which extractive model stands behind `model`.
    pub fn size_of(&self, model: &str) -> ModelSize {
        self.models.get(model).copied().unwrap_or_else(|| ModelSize::of_name(model))
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        self.latency.first_token.check("latency.first_token")?;
        self.latency.between_tokens.check("latency.between_tokens")?;
        let positive = |field: &str, is_positive: bool| {
            let error = || SettingsError::Value { field: field.into(), problem: "must be above 0".into() };
            is_positive.then_some(()).ok_or_else(error)
        };
        positive("capacity.slots", self.capacity.slots != Some(0))?;
        positive("limits.requests_per_minute", self.limits.requests_per_minute != Some(0))?;
        positive("limits.tokens_per_minute", self.limits.tokens_per_minute != Some(0))?;
        positive("limits.burst_s", self.limits.burst_s.is_finite() && self.limits.burst_s > 0.0)?;
        positive("max_body_bytes", self.max_body_bytes > 0)?;
        check_dimensions(self.embedding_dimensions)
            .map_err(|problem| SettingsError::Value { field: "embedding_dimensions".into(), problem })?;
        self.faults.iter().enumerate().try_for_each(|(index, fault)| fault.check(index))?;
        self.outages.iter().enumerate().try_for_each(|(index, outage)| outage.check(index))
    }
}

/// Whether embeddings of this length are made.
pub(super) fn check_dimensions(dimensions: u32) -> Result<(), String> {
    if (1..=4096).contains(&dimensions) { Ok(()) } else { Err(format!("{dimensions} is not from 1 to 4096")) }
}

/// What is written of a key.
pub(super) const KEY_IS_SET: &str = "(set)";

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn masked<S: Serializer>(_: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(KEY_IS_SET)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_toml_and_survive_json() {
        let text = r#"
            models = { "gpt-5" = "small" }
            latency.first_token = { kind = "log_normal", median_ms = 300, p95_ms = 900 }
            limits.requests_per_minute = 60
            capacity = { slots = 8, queue = 16 }
            answers = { mode = "file", lines = [{ match = "cap", reply = "Set it." }] }
            [[faults]]
            kind = "429"
            probability = 0.1
            retry_after_s = 2
            [[outages]]
            kind = "hang"
            from_s = 10
            for_s = 5
        "#;
        let settings: MockSettings = toml::from_str(text).unwrap();
        settings.check().unwrap();
        assert_eq!(settings.size_of("gpt-5"), ModelSize::Small);
        assert_eq!(settings.capacity, Capacity { slots: Some(8), queue: 16 });
        let json = serde_json::to_value(&settings).unwrap();
        assert_eq!(serde_json::from_value::<MockSettings>(json).unwrap(), settings);
    }

    #[test]
    fn an_unknown_key_is_refused_and_the_known_ones_are_named() {
        let refused = toml::from_str::<MockSettings>("latency.first_tokn = {}").unwrap_err().to_string();
        assert!(refused.contains("first_tokn") && refused.contains("between_tokens"), "{refused}");
        let refused = toml::from_str::<MockSettings>("[[faults]]\nkind = \"430\"").unwrap_err().to_string();
        assert!(refused.contains("430") && refused.contains("529"), "{refused}");
    }

    #[test]
    fn a_value_out_of_range_is_refused_with_its_place() {
        for (text, field) in [
            ("capacity.slots = 0", "capacity.slots"),
            ("embedding_dimensions = 0", "embedding_dimensions"),
            ("faults = [{ kind = \"500\", probability = 1.5 }]", "faults[0].probability"),
            ("outages = [{ kind = \"500\", for_s = -1 }]", "outages[0].for_s"),
        ] {
            let refused = toml::from_str::<MockSettings>(text).unwrap().check().unwrap_err().to_string();
            assert!(refused.contains(field), "{refused}");
        }
    }

    #[test]
    fn the_key_is_never_written() {
        let settings: MockSettings = toml::from_str("api_key = \"canary\"").unwrap();
        let written = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
        assert!(!written.contains("canary") && written.contains("(set)"), "{written}");
    }

    #[test]
    fn names_are_mapped_to_sizes_by_whole_words() {
        for small in ["gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash", "small", "gpt-5-NANO"] {
            assert_eq!(ModelSize::of_name(small), ModelSize::Small, "{small}");
        }
        for large in ["gemini-2.5-pro", "gpt-4o", "claude-opus-4-1", "large", ""] {
            assert_eq!(ModelSize::of_name(large), ModelSize::Large, "{large}");
        }
    }
}
