use super::super::loopback::{Step, response};
use super::*;
use crate::domain::{Tokens, Usage};
use crate::providers::Phase;

fn reason(outcome: Result<ChatReply, ProviderError>) -> String {
    match outcome.unwrap_err() {
        ProviderError::Malformed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reply_is_read_and_the_request_is_what_the_vendor_documents() {
    let server = Loopback::answering("200 OK\r\ncontent-type: application/json\r\nx-request-id: req_7", CHAT).await;
    let mut settings = settings(server.base_url() + "/?api-version=1");
    settings.headers.push(("api-key".into(), Secret::new("azure-canary".into())));
    let reply = ask(settings).await.unwrap();
    assert_eq!(reply.text, "You can reset the password under Settings → Security.");
    assert_eq!(reply.request_id.as_deref(), Some("req_7"));
    let usage = Usage { cached_input: Tokens(1920), reasoning: Tokens(192), ..Usage::new(2006, 300) };
    assert_eq!(reply.usage, Some(usage));
    let request = server.request();
    assert!(request.starts_with("POST /v1/chat/completions?api-version=1 HTTP/1.1\r\n"), "{request}");
    for header in ["content-type: application/json", "accept: application/json", "api-key: azure-canary"] {
        assert!(request.contains(&format!("\r\n{header}\r\n")), "{request}");
    }
    assert!(request.contains(&format!("\r\nauthorization: Bearer {CANARY}\r\n")), "{request}");
    assert!(request.ends_with(
        r#"{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"How do I reset my password?"}],"max_tokens":100,"seed":0}"#
    ));
}

#[tokio::test]
async fn bytes_that_dribble_in_make_the_same_reply() {
    let bytes = response("200 OK\r\ncontent-type: application/json", CHAT).into_bytes();
    let server = Loopback::start(vec![Step::Dribble(bytes)]).await;
    assert!(ask(settings(server.base_url())).await.unwrap().text.starts_with("You can reset"));
}

#[tokio::test]
async fn a_server_without_keys_is_sent_none() {
    let server = Loopback::answering("200 OK", CHAT).await;
    ask(HttpSettings { key: None, ..settings(server.base_url()) }).await.unwrap();
    assert!(!server.request().contains("authorization"));
}

#[tokio::test]
async fn a_missing_key_is_named_before_anything_is_sent() {
    let server = Loopback::answering("200 OK", CHAT).await;
    for secret in [None, Some(Secret::new(" \n".into()))] {
        let mut settings = settings(server.base_url());
        settings.key.as_mut().unwrap().secret = secret;
        let error = ask(settings).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no key in the environment variable `OPENAI_API_KEY`");
        assert!(!error.is_transient());
    }
    assert!(server.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refused_key_names_its_source_and_is_never_repeated() {
    for body in [INVALID_KEY.to_owned(), format!("no, {CANARY}, no"), format!("<p>{CANARY}</p>")] {
        let error = answered("401 Unauthorized", &body).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains("the environment variable `OPENAI_API_KEY` (status 401)"), "{said}");
        assert!(said.contains("[masked]") && !said.contains("canar") && !said.contains("3f9a"), "{said}");
    }
}

#[tokio::test]
async fn nothing_that_can_be_printed_holds_the_key() {
    let mut settings = settings("https://api.example.com/v1");
    settings.headers.push(("api-key".into(), Secret::new(CANARY.into())));
    let printed = format!("{settings:?} {:?}", provider(settings.clone()));
    assert!(!printed.contains("canary"), "{printed}");
}

#[tokio::test]
async fn error_statuses_carry_the_wait_that_the_vendor_asks_for() {
    let body = include_str!("../../../../tests/fixtures/providers/openai/error_rate_limit.json");
    for (header, seconds) in
        [("retry-after: 7", 7.0), ("Retry-After: Sun, 01 Mar 2026 00:00:09 GMT", 9.0), ("retry-after-ms: 369", 0.369)]
    {
        let error = answered(&format!("429 Too Many Requests\r\n{header}"), body).await.unwrap_err();
        assert_eq!(error.kind(), "rate_limited");
        assert_eq!(error.retry_after(), Some(Duration::from_secs_f64(seconds)), "{header}");
    }
}

#[tokio::test]
async fn a_page_instead_of_json_is_said_to_be_one() {
    let page = format!("<!doctype html><title>Sign in</title><p>Welcome to the guest network {}</p>", "x".repeat(200));
    let said = reason(answered("200 OK", &page).await);
    assert!(said.contains("HTML, not JSON: is base_url right? It says: Sign in Welcome to the guest"), "{said}");
    assert!(said.ends_with("xxx") && said.chars().count() < 150, "{said}");
    assert!(reason(answered("200 OK\r\ncontent-type: text/HTML; charset=utf-8", "Sign in").await).contains("HTML"));
    let error = answered("502 Bad Gateway", "<h1>502</h1><p>nginx").await.unwrap_err();
    assert_eq!(error.to_string(), "the vendor is failing (status 502): HTML, not JSON: 502 nginx");
}

#[tokio::test]
async fn redirects_are_refused_and_their_host_is_named() {
    let other = Loopback::answering("200 OK", CHAT).await;
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = format!("{status} Moved\r\nlocation: http://localhost:{}/v1", other.address.port());
        assert!(
            reason(answered(&elsewhere, "").await).contains(&format!("redirects to `localhost` (status {status})"))
        );
    }
    assert!(reason(answered("302 Found\r\nlocation: /login", "").await).contains("`127.0.0.1`"));
    assert!(reason(answered("304 Not Modified", "").await).contains("`nowhere`"));
    assert!(other.requests.lock().unwrap().is_empty(), "the key went to another host");
}

#[tokio::test]
async fn answers_beyond_the_bound_are_not_read_to_their_end() {
    let endless = |head: &str| {
        vec![
            Step::Send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes()),
            Step::Send(vec![b' '; 2_000]),
            Step::Hang,
        ]
    };
    for head in ["content-length: 99999999", "connection: close"] {
        let server = Loopback::start(endless(head)).await;
        let outcome = ask(HttpSettings { max_reply_bytes: 1_000, ..settings(server.base_url()) }).await;
        assert_eq!(reason(outcome), "it is longer than 1000 bytes");
        server.gone.notified().await;
    }
}

#[tokio::test]
async fn an_endless_error_page_is_cut() {
    let head = b"HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\n".to_vec();
    let server = Loopback::start(vec![Step::Send(head), Step::Send(vec![b'x'; 100_000]), Step::Hang]).await;
    let error = ask(settings(server.base_url())).await.unwrap_err();
    assert_eq!(error.kind(), "unavailable");
    assert!(error.to_string().chars().count() < 350);
}

#[tokio::test]
async fn what_is_no_text_is_malformed() {
    assert_eq!(reason(answered("200 OK", " \r\n").await), "it is empty (status 200)");
    assert_eq!(reason(answered("204 No Content", "").await), "it is empty (status 204)");
    assert!(reason(answered("200 OK\r\ncontent-encoding: gzip", "x").await).contains("`gzip`"));
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n\"\xff\"".to_vec();
    let server = Loopback::start(vec![Step::Send(bytes)]).await;
    assert_eq!(reason(ask(settings(server.base_url())).await), "it is not valid UTF-8");
    assert!(answered("200 OK", &format!("\u{feff}{CHAT}")).await.is_ok());
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_a_broken_connection() {
    let half = response("200 OK", CHAT).into_bytes()[..300].to_vec();
    for last in [None, Some(Step::Reset)] {
        let steps = [Step::Send(half.clone())].into_iter().chain(last).collect();
        let server = Loopback::start(steps).await;
        let error = ask(settings(server.base_url())).await.unwrap_err();
        assert_eq!(error.kind(), "connection");
        assert!(error.to_string().contains(&server.address.to_string()), "{error}");
    }
    let server = Loopback::start(vec![Step::Reset]).await;
    assert!(ask(settings(server.base_url())).await.unwrap_err().to_string().contains("broke before the answer"));
    let server = Loopback::start(vec![Step::Send(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())]).await;
    assert_eq!(ask(settings(server.base_url())).await.unwrap_err().kind(), "connection");
}

#[tokio::test]
async fn the_whole_attempt_has_one_limit() {
    let limit = Duration::from_millis(60);
    for steps in
        [vec![Step::Hang], vec![Step::Send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec()), Step::Hang]]
    {
        let server = Loopback::start(steps).await;
        let outcome = provider(settings(server.base_url())).chat(&question(), Limits::total(limit)).await;
        assert_eq!(outcome, Err(ProviderError::TimedOut { phase: Phase::Total, limit }));
        server.gone.notified().await;
    }
}
