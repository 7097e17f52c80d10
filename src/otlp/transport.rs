use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use opentelemetry_http::{HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use reqwest::Url;
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use tokio::runtime::{Builder, Runtime};

use super::OtlpError;
use super::tally::Tally;
use crate::domain::is_loopback;

/// A collector's answer is empty or a short message; more is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Sends requests to the collector from the thread that exports.
///
/// That thread is none of the program's runtime, and outlives its last command: so it brings a small runtime of its own.
#[derive(Debug)]
pub(super) struct Transport {
    client: reqwest::Client,
    runtime: Option<Runtime>,
    tally: Arc<Tally>,
}

impl Transport {
    /// A client for `endpoint` that sends `headers` with every request and follows no redirect, which could carry them
    /// elsewhere. The environment's proxy is used unless the collector is on this machine.
    pub(super) fn new(
        endpoint: &Url,
        headers: HeaderMap,
        timeout: Duration,
        tally: Arc<Tally>,
    ) -> Result<Self, OtlpError> {
        // Whoever needs TLS first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder().default_headers(headers).redirect(Policy::none()).timeout(timeout);
        if endpoint.host_str().is_some_and(is_loopback) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| OtlpError::Client { reason: chain(&error) })?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| OtlpError::Client { reason: error.to_string() })?;
        Ok(Self { client, runtime: Some(runtime), tally })
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let runtime = self.runtime.as_ref().ok_or("the transport is closed")?;
        runtime.block_on(async {
            let mut response = self.client.execute(request).await.map_err(|error| chain(&error.without_url()))?;
            let mut answer = Response::builder().status(response.status());
            if let Some(headers) = answer.headers_mut() {
                *headers = std::mem::take(response.headers_mut());
            }
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
                if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                    return Err(ResponseBodyTooLarge::new().into());
                }
                body.extend_from_slice(&chunk);
            }
            Ok(answer.body(body.freeze())?)
        })
    }
}

impl HttpClient for Transport {
    fn send_bytes<'s, 'f>(&'s self, request: Request<Bytes>) -> BoxFuture<'f, Result<Response<Bytes>, HttpError>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move { self.send(request).inspect_err(|error| self.tally.failed_because(error)) })
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        // Dropping a runtime waits for its name look-ups, which nothing bounds.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An error with its causes: the first alone only says that sending failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_on_this_machine_is_not_asked_through_a_proxy() {
        for (endpoint, here) in [
            ("http://localhost:4318", true),
            ("http://127.0.0.1:4318", true),
            ("http://[::1]:4318", true),
            ("https://localhost.example", false),
            ("http://10.0.0.1:4318", false),
        ] {
            assert_eq!(Url::parse(endpoint).unwrap().host_str().is_some_and(is_loopback), here, "{endpoint}");
        }
    }
}
