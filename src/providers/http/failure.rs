use std::error::Error;
use std::io;

use super::exchange::Endpoint;
use crate::providers::{Phase, ProviderError};

/// Why a request could not be sent, or its status not be read.
pub(super) fn sending(error: &reqwest::Error, endpoint: &Endpoint) -> ProviderError {
    if error.is_timeout() && error.is_connect() {
        return ProviderError::TimedOut { phase: Phase::Connect, limit: endpoint.connect_timeout };
    }
    let authority = endpoint.authority();
    let details = chain(error);
    let reason = if let Some(tls) = find::<rustls::Error>(error) {
        format!(
            "TLS with `{authority}` failed ({tls}): check this machine's clock, its CA certificates (or SSL_CERT_FILE), \
             whether a proxy intercepts TLS, and whether base_url should begin with http://"
        )
    } else if details.contains("tunnel") || details.contains("proxy") {
        format!("the proxy made no way to `{authority}` ({details}): check HTTPS_PROXY and NO_PROXY")
    } else if details.contains("dns") {
        format!("the host of `{authority}` has no address ({details}): check base_url and the network")
    } else if find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        format!("nothing listens at `{authority}`, or at the proxy on the way: connection refused")
    } else if error.is_connect() {
        format!("`{authority}` cannot be reached: {details}")
    } else {
        format!("the connection to `{authority}` broke before the answer: {details}")
    };
    ProviderError::Connection { sent: !error.is_connect(), reason }
}

/// Why an answer could not be read to its end.
pub(super) fn reading(error: &reqwest::Error, endpoint: &Endpoint) -> ProviderError {
    let authority = endpoint.authority();
    let reason = format!("the connection to `{authority}` broke in the middle of the answer: {}", chain(error));
    ProviderError::Connection { sent: true, reason }
}

/// An error and its causes, without the first, which only names the URL.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = causes(error).skip(1).map(ToString::to_string).collect();
    parts.dedup();
    if parts.is_empty() { "no cause given".to_owned() } else { parts.join(": ") }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The first cause of this type; those that an [`io::Error`] wraps count too, although it hides them from its sources.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause.downcast_ref::<E>().or_else(|| inner.and_then(|inner| find::<E>(inner)))
    })
}
