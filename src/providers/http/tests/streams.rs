use futures::StreamExt;

use super::super::loopback::{Step, response};
use super::*;
use crate::providers::contract::{self, Read};
use crate::providers::{ChatEvent, Phase};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-request-id: req_8\r\nconnection: close\r\n\r\n";
const ONE_TOKEN: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n";

async fn stream(settings: HttpSettings, limits: Limits) -> Result<Read, ProviderError> {
    Ok(provider(settings).stream(&question(), limits).await?.collect().await)
}

/// What a server comes to that says this after the head of a stream.
async fn streamed(steps: Vec<Step>) -> Read {
    let steps = [Step::Send(HEAD.into())].into_iter().chain(steps).collect();
    let server = Loopback::start(steps).await;
    stream(settings(server.base_url()), Limits::total(AMPLE)).await.unwrap()
}

fn truncated(received_chars: usize) -> Result<ChatEvent, ProviderError> {
    Err(ProviderError::Truncated { received_chars })
}

#[tokio::test]
async fn a_stream_is_the_same_at_once_and_byte_by_byte() {
    let whole = streamed(vec![Step::Send(STREAM.into())]).await;
    assert_eq!(streamed(vec![Step::Dribble(STREAM.into())]).await, whole);
    let done = contract::done(&whole);
    assert_eq!(done.text, "You can reset it under Settings → “Security”.\n");
    assert_eq!(done.request_id.as_deref(), Some("req_8"));
    assert_eq!(whole[0], Ok(ChatEvent::Text("You can reset".into())));
}

#[tokio::test]
async fn a_stream_is_asked_for_by_header_and_body() {
    let server = Loopback::start(vec![Step::Send(HEAD.into()), Step::Send(STREAM.into())]).await;
    stream(settings(server.base_url()), Limits::total(AMPLE)).await.unwrap();
    let request = server.request();
    assert!(request.contains("\r\naccept: text/event-stream\r\n"), "{request}");
    assert!(request.ends_with(r#""stream":true,"stream_options":{"include_usage":true}}"#), "{request}");
}

#[tokio::test]
async fn a_stream_that_is_cut_or_reset_says_how_much_had_arrived() {
    assert_eq!(streamed(vec![]).await, [truncated(0)]);
    let half = Step::Send(ONE_TOKEN.into());
    for end in [None, Some(Step::Reset)] {
        let read = streamed([half.clone()].into_iter().chain(end).collect()).await;
        // A reset may overtake what was sent before it.
        assert!(matches!(read.last(), Some(Err(ProviderError::Truncated { .. }))), "{read:?}");
    }
    assert_eq!(streamed(vec![half]).await, [Ok(ChatEvent::Text("Hi".into())), truncated(2)]);
    let in_chunks = HEAD.replace("connection: close", "transfer-encoding: chunked") + "5\r\ndata:";
    let server = Loopback::start(vec![Step::Send(in_chunks.into())]).await;
    assert_eq!(stream(settings(server.base_url()), Limits::total(AMPLE)).await.unwrap(), [truncated(0)]);
}

#[tokio::test]
async fn nothing_is_read_after_the_end() {
    let read = streamed(vec![Step::Send(STREAM.into()), Step::Send(ONE_TOKEN.into()), Step::Hang]).await;
    assert_eq!(contract::done(&read).text, "You can reset it under Settings → “Security”.\n");
}

#[tokio::test]
async fn dropping_a_stream_closes_the_connection() {
    let server = Loopback::start(vec![Step::Send(HEAD.into()), Step::Send(ONE_TOKEN.into()), Step::Hang]).await;
    let provider = provider(settings(server.base_url()));
    let mut stream = provider.stream(&question(), Limits::total(AMPLE)).await.unwrap();
    assert_eq!(stream.next().await, Some(Ok(ChatEvent::Text("Hi".into()))));
    drop(stream);
    server.gone.notified().await;
}

#[tokio::test]
async fn a_slow_first_token_a_stall_and_a_late_end_are_told_apart() {
    let limit = Duration::from_millis(60);
    let ample = Limits::total(AMPLE);
    let head = Step::Send(HEAD.into());
    let token = Step::Send(ONE_TOKEN.into());
    let comment = Step::Send(b": still here\n\n".to_vec());
    let cases = [
        (vec![Step::Hang], Limits { first_token: limit, ..ample }, Phase::FirstToken),
        (vec![head.clone(), comment, Step::Hang], Limits { first_token: limit, ..ample }, Phase::FirstToken),
        (
            vec![head.clone(), token.clone(), Step::Hang],
            Limits { between_tokens: limit, ..ample },
            Phase::BetweenTokens,
        ),
        (vec![head, token, Step::Hang], Limits { total: limit, ..ample }, Phase::Total),
        (vec![Step::Hang], Limits::total(limit), Phase::Total),
    ];
    for (steps, limits, phase) in cases {
        let server = Loopback::start(steps).await;
        let outcome = stream(settings(server.base_url()), limits).await;
        let error = outcome.map_or_else(|error| error, |read| read.last().unwrap().clone().unwrap_err());
        assert_eq!(error, ProviderError::TimedOut { phase, limit });
        server.gone.notified().await;
    }
}

#[tokio::test]
async fn limits_beyond_all_time_are_no_limits() {
    let server = Loopback::start(vec![Step::Send(HEAD.into()), Step::Send(STREAM.into())]).await;
    let read = stream(settings(server.base_url()), Limits::total(Duration::MAX)).await.unwrap();
    contract::done(&read);
}

#[tokio::test]
async fn what_is_no_stream_is_refused() {
    for (head, body, expected) in [
        (
            "200 OK\r\ncontent-type: application/json",
            CHAT,
            "a stream of events was asked for, but it is `application/json`",
        ),
        ("200 OK\r\ncontent-type: text/html", "Sign in", "HTML, not JSON"),
        ("200 OK", "<html><p>Sign in", "It says: Sign in"),
        ("302 Found\r\nlocation: http://other.test/", "", "redirects to `other.test`"),
        ("401 No", INVALID_KEY, "[masked]"),
        ("200 OK\r\ncontent-type: application/json", "{\"error\":{\"message\":\"busy\",\"code\":503}}", "busy"),
    ] {
        let server = Loopback::start(vec![Step::Send(response(head, body).into())]).await;
        let outcome = stream(settings(server.base_url()), Limits::total(AMPLE)).await;
        let error = outcome.map_or_else(|error| error, |read| read[0].clone().unwrap_err());
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("canar"), "{error}");
    }
}

#[tokio::test]
async fn an_error_inside_a_stream_repeats_no_key() {
    let event = format!("data: {{\"error\":{{\"message\":\"bad key {CANARY}\"}}}}\n\n");
    let read = streamed(vec![Step::Send(event.into())]).await;
    assert_eq!(read[0].clone().unwrap_err().to_string(), "the vendor is failing (status 0): bad key [masked]");
}

#[tokio::test]
async fn a_stream_beyond_the_bound_is_refused() {
    let steps = vec![Step::Send(HEAD.into()), Step::Send(ONE_TOKEN.repeat(50).into()), Step::Hang];
    let server = Loopback::start(steps).await;
    let settings = HttpSettings { max_reply_bytes: 1_000, ..settings(server.base_url()) };
    let read = stream(settings, Limits::total(AMPLE)).await.unwrap();
    assert!(matches!(read.last(), Some(Err(ProviderError::Malformed { reason })) if reason.contains("1000 bytes")));
}
