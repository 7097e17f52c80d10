use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, Url};

use super::{Channel, DeliveryError, DeliverySetupError};
use crate::domain::is_loopback;

/// Bytes of an answer that are read at most.
const MAX_ANSWER_BYTES: usize = 1_024;
/// Characters of a code such as Slack's `channel_not_found`.
const MAX_CODE_CHARS: usize = 40;

/// An address that messages are posted to. The address is never repeated: whoever knows it can post to it.
pub(super) struct Target {
    channel: Channel,
    url: Url,
    client: Client,
    limit: Duration,
}

impl Target {
    pub(super) fn new(channel: Channel, url: &str, limit: Duration) -> Result<Self, DeliverySetupError> {
        let refused = |reason: String| DeliverySetupError::Address { channel, reason };
        let url = Url::parse(url.trim()).map_err(|error| refused(format!("it is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused("it begins neither with http:// nor with https://".into()));
        }
        let client = client(&url)
            .map_err(|error| DeliverySetupError::Client { channel, reason: causes(&error.without_url()) })?;
        Ok(Self { channel, url, client, limit })
    }

    /// Posts JSON with these headers; a status of success is all that counts.
    pub(super) async fn post(
        &self,
        headers: impl IntoIterator<Item = (&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<(), DeliveryError> {
        let channel = self.channel;
        let mut all = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        for (name, value) in headers {
            let value =
                HeaderValue::from_str(&value).map_err(|_| DeliveryError::Unsendable { channel, header: name })?;
            all.insert(HeaderName::from_static(name), value);
        }
        let attempt = async {
            let sent = self.client.post(self.url.clone()).headers(all).body(body).send().await;
            let response =
                sent.map_err(|error| DeliveryError::Connection { channel, reason: causes(&error.without_url()) })?;
            match response.status().as_u16() {
                200..=299 => Ok(()),
                status => Err(DeliveryError::Refused { channel, status, said: self.said(response).await }),
            }
        };
        let late = DeliveryError::TimedOut { channel, limit: self.limit };
        tokio::time::timeout(self.limit, attempt).await.unwrap_or(Err(late))
    }

    /// A code that the answer consists of. Other text is not repeated, since pages for errors repeat the address.
    async fn said(&self, mut response: Response) -> Option<String> {
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ANSWER_BYTES - body.len();
            if chunk.len() >= room {
                return None;
            }
            body.extend_from_slice(&chunk);
        }
        let code = String::from_utf8(body).ok()?.trim().to_owned();
        let is_code = (1..=MAX_CODE_CHARS).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && !self.url.as_str().contains(&code);
        is_code.then_some(code)
    }
}

/// A client that follows no redirect, repeats nothing, and goes through no proxy to this machine.
fn client(url: &Url) -> reqwest::Result<Client> {
    // An error only says that the process has a provider already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let builder = || {
        let builder = Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if url.host_str().is_some_and(is_loopback) { builder.no_proxy() } else { builder }
    };
    match builder().build() {
        // Plain HTTP needs no CA certificates; containers often have none.
        Err(_) if url.scheme() == "http" => builder().tls_certs_only([]).build(),
        built => built,
    }
}

/// The causes of an error; the error itself only says that sending failed.
fn causes(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let mut parts: Vec<String> = causes.map(ToString::to_string).collect();
    parts.dedup();
    if parts.is_empty() { "no cause given".to_owned() } else { parts.join(": ") }
}
