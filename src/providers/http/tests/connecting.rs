use std::process::Command;

use tokio::net::TcpListener;

use super::super::loopback::Step;
use super::*;
use crate::domain::SystemClock;
use crate::providers::{Phase, openai};

fn said(outcome: Result<ChatReply, ProviderError>) -> String {
    match outcome.unwrap_err() {
        ProviderError::Connection { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_connection_names_host_and_port() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let said = said(ask(settings(format!("http://{address}/v1"))).await);
    assert!(said.contains(&format!("nothing listens at `{address}`")), "{said}");
}

/// A name that no resolver asks for: its first label is too long (RFC 1035, §2.3.4).
fn no_host() -> String {
    format!("{}.invalid", "x".repeat(64))
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    for (scheme, port) in [("http", 80), ("https", 443)] {
        let said = said(ask(settings(format!("{scheme}://{}/v1", no_host()))).await);
        assert!(said.contains(&format!("the host of `{}:{port}` has no address", no_host())), "{said}");
    }
}

#[tokio::test]
async fn tls_with_a_server_that_speaks_none_says_what_to_check() {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let answer = async {
        let (mut stream, _) = server.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    };
    let said = tokio::select! {
        outcome = ask(settings(format!("https://{address}/v1"))) => said(outcome),
        () = answer => unreachable!(),
    };
    for hint in [&*format!("TLS with `{address}` failed"), "clock", "SSL_CERT_FILE", "proxy intercepts", "http://"] {
        assert!(said.contains(hint), "{said}");
    }
}

#[tokio::test]
async fn a_connection_that_never_stands_is_late_in_connecting() {
    // It accepts, but never shakes hands.
    let server = Loopback::start(vec![Step::Hang]).await;
    let connect_timeout = Duration::from_millis(60);
    let url = format!("https://{}/v1", server.address);
    let outcome = ask(HttpSettings { connect_timeout, ..settings(url) }).await;
    assert_eq!(outcome, Err(ProviderError::TimedOut { phase: Phase::Connect, limit: connect_timeout }));
}

#[test]
fn settings_that_cannot_work_are_refused_without_repeating_secrets() {
    for (base_url, expected) in [
        ("api.openai.com/v1", "not a URL"),
        ("localhost:11434/v1", "`localhost` is neither http nor https"),
        ("ftp://example.com", "`ftp` is neither"),
        ("https://me:canary@example.com/v1", "must not hold a user name"),
        ("https://example.com/v1#canary", "must not hold a `#`"),
        ("", "not a URL"),
    ] {
        let said = build(settings(base_url)).unwrap_err().to_string();
        assert!(said.contains(expected) && !said.contains("canary"), "{said}");
    }
    let mut unsendable = settings("https://example.com/v1");
    unsendable.key.as_mut().unwrap().secret = Some(Secret::new("canary\nkey".into()));
    let said = build(unsendable).unwrap_err().to_string();
    assert!(said.contains("the environment variable `OPENAI_API_KEY`") && !said.contains("canary"), "{said}");
    let with_header = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), Secret::new(value.into()))];
        build(HttpSettings { headers, ..settings("https://example.com/v1") })
    };
    assert!(with_header("api key", "x").unwrap_err().to_string().contains("`api key` cannot be sent"));
    assert!(with_header("api-key", "x\0").unwrap_err().to_string().contains("`api-key` cannot be sent"));
    assert!(with_header("api-key", "x").is_ok());
}

/// Run by the next test in a process of its own, with proxies in its environment.
#[tokio::test]
#[ignore = "needs an environment that only the next test makes"]
#[expect(clippy::print_stderr, reason = "the next test reads it")]
async fn ask_two_vendors() {
    for base_url in ["http://plain.invalid/v1", "https://safe.invalid/v1", &format!("http://{}/v1", no_host())] {
        let settings = HttpSettings { key: None, ..HttpSettings::new(base_url, None) };
        let provider = openai(settings, Arc::new(SystemClock::new())).unwrap();
        let error = provider.chat(&question(), Limits::total(AMPLE)).await.unwrap_err();
        eprintln!("{base_url}: {error}");
    }
}

#[tokio::test]
async fn proxies_of_the_environment_are_honoured() {
    let proxy = Loopback::answering("403 Forbidden", "{\"error\":{\"message\":\"the proxy says no\"}}").await;
    let url = format!("http://{}", proxy.address);
    let path = module_path!().split_once("::").map_or("", |(_, path)| path);
    let output = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args([&format!("{path}::ask_two_vendors"), "--exact", "--ignored", "--nocapture"])
            .env_remove("REQUEST_METHOD")
            .envs([("HTTP_PROXY", &*url), ("HTTPS_PROXY", &url), ("NO_PROXY", &no_host())])
            .envs([("http_proxy", &*url), ("https_proxy", &url), ("no_proxy", &no_host())])
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let requests = proxy.requests.lock().unwrap().clone();
    let firsts: Vec<_> = requests.iter().filter_map(|request| request.lines().next()).collect();
    assert_eq!(firsts, ["POST http://plain.invalid/v1/chat/completions HTTP/1.1", "CONNECT safe.invalid:443 HTTP/1.1"]);
    assert!(said.contains("the proxy says no"), "{said}");
    assert!(said.contains("the proxy made no way to `safe.invalid:443`"), "{said}");
    assert!(said.contains(&format!("the host of `{}:80` has no address", no_host())), "{said}");
}
