use reqwest::Url;

/// Where servers that speak OpenAI's API differ in what they accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialect {
    /// The parameter for the most tokens of an answer.
    pub(super) max_tokens: &'static str,
    /// The parameter for the seed.
    pub(super) seed: &'static str,
    /// Whether usage at the end of a stream has to be asked for.
    pub(super) stream_options: bool,
    /// Whether the server is OpenAI's own, whose reasoning models refuse a temperature.
    pub(super) is_openai: bool,
}

impl Dialect {
    /// The dialect of the server at this URL.
    ///
    /// OpenAI's reasoning models refuse `max_tokens`; older compatible servers ignore `max_completion_tokens`, and the
    /// answer would have no limit. Mistral refuses parameters that it does not know, and sends usage without being asked.
    pub(super) fn of(base_url: &str) -> Self {
        let url = Url::parse(base_url.trim()).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        if host == "api.openai.com" || host.ends_with(".openai.azure.com") {
            Self { max_tokens: "max_completion_tokens", seed: "seed", stream_options: true, is_openai: true }
        } else if host == "api.mistral.ai" {
            Self { max_tokens: "max_tokens", seed: "random_seed", stream_options: false, is_openai: false }
        } else {
            Self { max_tokens: "max_tokens", seed: "seed", stream_options: true, is_openai: false }
        }
    }

    /// Whether this model may be given a temperature: `OpenAI`'s reasoning models (o1 and later, GPT-5 and later but for
    /// their chat variants) answer 400 to one.
    pub(super) fn takes_temperature(&self, model: &str) -> bool {
        let version = |prefix| model.strip_prefix(prefix).and_then(|rest: &str| rest.chars().next()?.to_digit(10));
        let reasons = version("o").is_some() || version("gpt-").is_some_and(|version| version >= 5);
        !(self.is_openai && reasons && !model.contains("-chat"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_models_are_given_no_temperature() {
        let openai = Dialect::of("https://api.openai.com/v1");
        for (model, takes) in [("gpt-4.1-mini", true), ("gpt-4o", true), ("gpt-5-mini", false), ("gpt-5.4", false)] {
            assert_eq!(openai.takes_temperature(model), takes, "{model}");
        }
        for (model, takes) in [("o3-mini", false), ("gpt-5-chat-latest", true), ("omni-moderation", true)] {
            assert_eq!(openai.takes_temperature(model), takes, "{model}");
        }
        assert!(Dialect::of("http://localhost:8000/v1").takes_temperature("gpt-5-mini"), "it may be anything there");
    }

    #[test]
    fn the_limit_has_the_name_that_the_server_knows() {
        for new in
            ["https://api.openai.com/v1", "https://acme.openai.azure.com/openai/v1", "https://API.openai.com:443"]
        {
            assert_eq!(Dialect::of(new).max_tokens, "max_completion_tokens", "{new}");
        }
        for old in ["http://localhost:11434/v1", "https://api.openai.com.evil.test/v1", "https://openai.azure.com", "?"]
        {
            assert_eq!(Dialect::of(old).max_tokens, "max_tokens", "{old}");
        }
    }
}
