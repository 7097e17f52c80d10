use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::HttpSettings;
use crate::domain::Secret;
use crate::providers::wire::Wire;

/// What is wrong with the settings of a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpSetupError {
    /// Where the API begins cannot be understood.
    #[error("base_url: {reason}")]
    BaseUrl {
        /// Why.
        reason: String,
    },
    /// A header cannot be sent.
    #[error("the header `{name}` cannot be sent: {reason}")]
    Header {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The key cannot be sent.
    #[error("the key from {source_of_key} holds characters that an HTTP header cannot")]
    Key {
        /// Where it comes from.
        source_of_key: String,
    },
    /// HTTP itself cannot be set up.
    #[error("HTTP cannot be set up: {reason}")]
    Client {
        /// Why, and what to check.
        reason: String,
    },
}

/// The base URL, checked. The text is never repeated in a message: it might hold a password.
pub(super) fn base_url(text: &str) -> Result<Url, HttpSetupError> {
    let refused = |reason: String| HttpSetupError::BaseUrl { reason };
    let url = Url::parse(text.trim())
        .map_err(|error| refused(format!("not a URL such as https://api.example.com/v1: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused(format!("`{}` is neither http nor https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("must not hold a user name or a password: name where the key is instead".into()));
    }
    if url.fragment().is_some() {
        return Err(refused("must not hold a `#`".into()));
    }
    Ok(url)
}

/// The headers that every request carries, and whether a key is among them where one is wanted.
pub(super) fn headers(wire: &dyn Wire, settings: &HttpSettings) -> Result<(HeaderMap, bool), HttpSetupError> {
    let own = wire.headers().iter();
    let mut headers: HeaderMap =
        own.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
    for (name, value) in &settings.headers {
        let refused = |reason| HttpSetupError::Header { name: name.clone(), reason };
        let parsed = HeaderName::try_from(name.as_str()).map_err(|_| refused("this is not a header's name"))?;
        let value = sensitive(value.expose()).ok_or_else(|| refused("its value holds characters that it cannot"))?;
        headers.insert(parsed, value);
    }
    let Some(key) = &settings.key else { return Ok((headers, true)) };
    let Some(secret) = key.secret.as_ref().filter(|secret| !secret.expose().trim().is_empty()) else {
        return Ok((headers, false));
    };
    let secret = Secret::new(secret.expose().trim().to_owned());
    let (name, value) = match &settings.key_header {
        Some(name) => (name.as_str(), secret.expose().to_owned()),
        None => wire.key_header(&secret),
    };
    let refused = || HttpSetupError::Key { source_of_key: key.source.clone() };
    headers.insert(HeaderName::try_from(name).map_err(|_| refused())?, sensitive(&value).ok_or_else(refused)?);
    Ok((headers, true))
}

/// A header value that is neither printed nor kept in HTTP/2's compression tables.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text.trim()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
