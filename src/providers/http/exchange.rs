use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Response, Url};

use super::client::{Proxies, client};
use super::mask::Mask;
use super::{HttpSettings, HttpSetupError, failure, headers, html, setup};
use crate::domain::{Clock, is_loopback};
use crate::providers::ProviderError;
use crate::providers::wire::{Wire, WireFailure, WireRequest};

/// Bytes of an error's body that are read: more is not needed to say what is wrong.
const MAX_ERROR_BYTES: u64 = 64 * 1024;
/// Characters of a page that are repeated in a message.
const SHOWN_CHARS: usize = 80;

/// One vendor's API and how to reach it.
pub(super) struct Endpoint {
    client: Client,
    base: Url,
    headers: HeaderMap,
    has_key: bool,
    key_source: String,
    clock: Arc<dyn Clock>,
    pub(super) connect_timeout: Duration,
    pub(super) max_reply_bytes: u64,
    pub(super) mask: Arc<Mask>,
}

/// A whole answer with a status of success.
pub(in crate::providers) struct Answer {
    /// The body: text that is neither empty nor HTML.
    pub(in crate::providers) body: String,
    /// The vendor's id of the request.
    pub(in crate::providers) request_id: Option<String>,
}

impl Endpoint {
    pub(super) fn new(
        wire: &dyn Wire,
        settings: HttpSettings,
        clock: Arc<dyn Clock>,
        proxies: Proxies,
    ) -> Result<Self, HttpSetupError> {
        let base = setup::base_url(&settings.base_url)?;
        let (headers, has_key) = setup::headers(wire, &settings)?;
        let proxies = if base.host_str().is_some_and(is_loopback) { Proxies::None } else { proxies };
        let client = client(base.scheme() == "https", settings.connect_timeout, proxies)?;
        let key = settings.key.as_ref().and_then(|key| key.secret.as_ref());
        let mask = Arc::new(Mask::new(key.into_iter().chain(settings.headers.iter().map(|(_, value)| value))));
        let key_source = match (settings.key, settings.headers.first()) {
            (Some(key), _) => key.source,
            (None, Some((name, _))) => format!("the header `{name}`"),
            (None, None) => "nowhere (no key is configured)".to_owned(),
        };
        let HttpSettings { connect_timeout, max_reply_bytes, .. } = settings;
        Ok(Self { client, base, headers, has_key, key_source, clock, connect_timeout, max_reply_bytes, mask })
    }

    /// Host and port, for messages.
    pub(super) fn authority(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Sends a request and reads its whole answer.
    pub(super) async fn answer(
        &self,
        wire: &dyn Wire,
        model: &str,
        request: &WireRequest,
    ) -> Result<Answer, ProviderError> {
        let response = self.send(wire, model, request, "application/json").await?;
        let request_id = headers::text(response.headers(), wire.request_id_header());
        let body = self.body(response).await?;
        Ok(Answer { body, request_id })
    }

    /// Sends a request; returns the response when its status is success.
    pub(super) async fn send(
        &self,
        wire: &dyn Wire,
        model: &str,
        request: &WireRequest,
        accept: &'static str,
    ) -> Result<Response, ProviderError> {
        if !self.has_key {
            return Err(ProviderError::KeyMissing { source_of_key: self.key_source.clone() });
        }
        let body = serde_json::to_vec(&request.body)
            .map_err(|error| ProviderError::BadRequest { reason: format!("it is not JSON: {error}") })?;
        let post = self.client.post(self.url(&request.path));
        let post = post.header(CONTENT_TYPE, "application/json").header(ACCEPT, accept);
        let post = post.headers(self.headers.clone()).body(body);
        let response = post.send().await.map_err(|error| failure::sending(&error, self))?;
        match response.status().as_u16() {
            200..=299 => Ok(response),
            300..=399 => Err(self.redirect(&response)),
            _ => Err(self.failure(wire, model, response).await),
        }
    }

    /// The whole body of a success.
    pub(super) async fn body(&self, response: Response) -> Result<String, ProviderError> {
        let refused = |reason: String| Err(ProviderError::Malformed { reason });
        let status = response.status().as_u16();
        let said_html = headers::content_type(response.headers()).is_some_and(|kind| kind.contains("html"));
        if let Some(encoding) = headers::text(response.headers(), "content-encoding").filter(|it| it != "identity") {
            return refused(format!("it is compressed (`{encoding}`), which was not asked for"));
        }
        let bytes = self.bytes(response).await?;
        if said_html || html::is_html(&bytes) {
            return refused(not_json(&bytes));
        }
        let Ok(text) = String::from_utf8(bytes) else { return refused("it is not valid UTF-8".into()) };
        match text.trim_start_matches('\u{feff}').trim() {
            "" => refused(format!("it is empty (status {status})")),
            trimmed if trimmed.len() == text.len() => Ok(text),
            trimmed => Ok(trimmed.to_owned()),
        }
    }

    async fn bytes(&self, mut response: Response) -> Result<Vec<u8>, ProviderError> {
        let max = self.max_reply_bytes;
        let too_long = || ProviderError::Malformed { reason: format!("it is longer than {max} bytes") };
        if response.content_length().is_some_and(|length| length > max) {
            return Err(too_long());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure::reading(&error, self))? {
            if bytes.len() as u64 + chunk.len() as u64 > max {
                return Err(too_long());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// What an answer with an error status means.
    async fn failure(&self, wire: &dyn Wire, model: &str, mut response: Response) -> ProviderError {
        let status = response.status().as_u16();
        let retry_after = headers::retry_after(response.headers(), &*self.clock);
        let mut body = Vec::new();
        // What arrived says enough, even when the connection breaks before its end.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() as u64 >= MAX_ERROR_BYTES.min(self.max_reply_bytes) {
                break;
            }
        }
        if html::is_html(&body) {
            body = format!("HTML, not JSON: {}", html::visible_text(&body, SHOWN_CHARS)).into_bytes();
        }
        wire.error(model, &WireFailure { status, retry_after, body: &body, key_source: &self.key_source })
    }

    /// A redirect is refused wherever it leads: the key and the conversation go only where the settings say.
    fn redirect(&self, response: &Response) -> ProviderError {
        let status = response.status().as_u16();
        let location = headers::text(response.headers(), "location").and_then(|to| self.base.join(&to).ok());
        let to = location.as_ref().and_then(Url::host_str).unwrap_or("nowhere");
        let reason = format!("it redirects to `{to}` (status {status}), which is not followed: is base_url right?");
        ProviderError::Malformed { reason }
    }

    fn url(&self, path_and_query: &str) -> Url {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{}", self.base.path().trim_end_matches('/'), path.trim_start_matches('/')));
        let queries: Vec<&str> =
            [self.base.query().unwrap_or_default(), query].into_iter().filter(|it| !it.is_empty()).collect();
        url.set_query((!queries.is_empty()).then(|| queries.join("&")).as_deref());
        url
    }
}

/// What to say about a page that stands where an answer should.
pub(super) fn not_json(page: &[u8]) -> String {
    format!("it is HTML, not JSON: is base_url right? It says: {}", html::visible_text(page, SHOWN_CHARS))
}
