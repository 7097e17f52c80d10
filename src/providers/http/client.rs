use std::time::Duration;

use reqwest::{Client, ClientBuilder};

use super::HttpSetupError;

/// Which proxies a client goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxies {
    /// Those of `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    FromEnvironment,
    /// None: no proxy leads back to this machine, and a test must not depend on the environment.
    None,
}

/// A client that makes one attempt: it follows no redirect and repeats nothing that a server has seen.
pub(super) fn client(https: bool, connect_timeout: Duration, proxies: Proxies) -> Result<Client, HttpSetupError> {
    // An error only says that the process has a provider already.
    rustls::crypto::ring::default_provider().install_default().ok();
    let builder = || builder(connect_timeout, proxies);
    let built = match builder().build() {
        // Plain HTTP needs no CA certificates; containers often have none.
        Err(_) if !https => builder().tls_certs_only([]).build(),
        built => built,
    };
    built.map_err(|error| {
        let reason = super::failure::chain(&error);
        HttpSetupError::Client {
            reason: format!("{reason}; are CA certificates installed, or named by SSL_CERT_FILE?"),
        }
    })
}

fn builder(connect_timeout: Duration, proxies: Proxies) -> ClientBuilder {
    let builder = Client::builder()
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never());
    match proxies {
        Proxies::FromEnvironment => builder,
        Proxies::None => builder.no_proxy(),
    }
}
