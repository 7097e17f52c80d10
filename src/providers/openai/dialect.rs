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
            Self { max_tokens: "max_completion_tokens", seed: "seed", stream_options: true }
        } else if host == "api.mistral.ai" {
            Self { max_tokens: "max_tokens", seed: "random_seed", stream_options: false }
        } else {
            Self { max_tokens: "max_tokens", seed: "seed", stream_options: true }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
