use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::config::{AlertSettings, WebhookSettings};
use crate::domain::{ManualClock, Secret};

const KEY: [u8; 32] = *b"canary-key-of-thirty-two-bytes!!";
const SLACK_PATH: &str = "/services/T0CANARY/B0CANARY/xcanaryx";

/// What a receiver got: method and path, headers, and the body.
type Got = (String, hyper::HeaderMap, Bytes);

/// A receiver on the loopback interface; it ends with the test.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    _task: JoinSet<()>,
}

impl Receiver {
    /// Gives this answer to every request, or none at all.
    async fn start(answer: Option<(u16, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (got, here) = (Arc::default(), url.clone());
        let seen: Arc<Mutex<Vec<Got>>> = Arc::clone(&got);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let respond = service_fn(|request: Request<Incoming>| async {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    seen.lock().unwrap().push((format!("{} {}", parts.method, parts.uri), parts.headers, body));
                    let Some((status, text)) = answer else { return std::future::pending().await };
                    let response = Response::builder().status(status).header("location", format!("{here}/elsewhere"));
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::from(text))).unwrap())
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                http.keep_alive(false).serve_connection(TokioIo::new(stream), respond).await.ok();
            }
        });
        Self { url, got, _task: task }
    }

    fn settings(&self) -> AlertSettings {
        settings(&self.url)
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

fn settings(url: &str) -> AlertSettings {
    AlertSettings {
        soft_percent: vec![50, 80, 100],
        burn_rate: true,
        loop_questions: 20,
        loop_window: Duration::from_mins(10),
        webhook: Some(WebhookSettings {
            url: format!("{url}/hook?of=acme"),
            secret: Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(KEY))),
        }),
        slack_url: Some(Secret::new(format!("{url}{SLACK_PATH}"))),
    }
}

fn delivery(settings: &AlertSettings) -> Delivery {
    Delivery::new(settings, Arc::new(ManualClock::new(time("2026-11-14T14:10:00Z")))).unwrap()
}

/// No message may say where Slack is, or what the key is.
fn assert_says_no_secret(message: &impl std::fmt::Debug, shown: &str) {
    let text = format!("{message:?} {shown}");
    for secret in ["CANARY", "canary", "services", &BASE64_STANDARD.encode(KEY)] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn a_webhook_is_signed_so_that_a_receiver_can_check_it() {
    let receiver = Receiver::start(Some((204, ""))).await;
    let alert = one_of_each().remove(0);
    delivery(&receiver.settings()).deliver(Channel::Webhook, &alert).await.unwrap();
    let (line, headers, body) = receiver.got().remove(0);
    assert_eq!(line, "POST /hook?of=acme");
    let header = |name: &str| headers[name].to_str().unwrap();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("webhook-id"), alert.id);
    // 2026-11-14 is day 20,771 since 1970; 14:10 is second 51,000 of it.
    assert_eq!(header("webhook-timestamp"), (20_771 * 86_400 + 51_000).to_string());
    let signed = format!("{}.{}.{}", alert.id, header("webhook-timestamp"), std::str::from_utf8(&body).unwrap());
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), signed.as_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{}", BASE64_STANDARD.encode(expected)));
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["type"], "budget.soft_limit");
    assert_eq!(event["timestamp"], "2026-11-14T14:09:00.000Z");
    assert_eq!(serde_json::from_value::<Alert>(event["data"].clone()).unwrap(), alert);
}

#[tokio::test]
async fn slack_gets_one_line_without_mentions() {
    let receiver = Receiver::start(Some((200, "ok"))).await;
    let mut alert = one_of_each().remove(0);
    alert.text = "Tenant `a&b<!channel>` has spent it all.".to_owned();
    delivery(&receiver.settings()).deliver(Channel::Slack, &alert).await.unwrap();
    let (line, headers, body) = receiver.got().remove(0);
    assert_eq!(line, format!("POST {SLACK_PATH}"));
    assert!(!headers.contains_key("webhook-signature"));
    let expected = json!({"text": "tollgate, warning: Tenant `a&amp;b&lt;!channel&gt;` has spent it all."});
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
}

#[tokio::test]
async fn the_status_says_whether_another_attempt_may_help() {
    for (status, may_pass) in
        [(500, true), (503, true), (429, true), (408, true), (307, true), (400, false), (404, false), (410, false)]
    {
        let receiver = Receiver::start(Some((status, "<p>POST /services/T0CANARY is wrong</p>"))).await;
        let delivery = delivery(&receiver.settings());
        for channel in Channel::ALL {
            let error = delivery.deliver(channel, &one_of_each()[0]).await.unwrap_err();
            assert_eq!(error, DeliveryError::Refused { channel, status, said: None });
            assert_eq!(error.may_pass(), may_pass, "{status}");
            assert_says_no_secret(&error, &error.to_string());
        }
        // One request for each channel: no redirect is followed, and nothing is repeated unasked.
        assert_eq!(receiver.got().len(), 2);
    }
}

#[tokio::test]
async fn only_a_short_code_is_repeated_from_an_answer() {
    let long = "a".repeat(2_000).leak();
    for (body, said) in [
        ("channel_not_found\n", Some("channel_not_found")),
        ("xcanaryx", None),
        ("services", None),
        ("no such channel", None),
        (&*long, None),
    ] {
        let receiver = Receiver::start(Some((404, body))).await;
        let error = delivery(&receiver.settings()).deliver(Channel::Slack, &one_of_each()[0]).await.unwrap_err();
        let expected = DeliveryError::Refused { channel: Channel::Slack, status: 404, said: said.map(str::to_owned) };
        assert_eq!(error, expected);
        if said.is_some() {
            assert_eq!(error.to_string(), "Slack answered with status 404 (channel_not_found)");
        }
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up() {
    let receiver = Receiver::start(None).await;
    let clock = Arc::new(ManualClock::new(time(NOW)));
    let limit = Duration::from_millis(100);
    let delivery = Delivery::within(limit, &receiver.settings(), clock).unwrap();
    for channel in Channel::ALL {
        let error = delivery.deliver(channel, &one_of_each()[0]).await.unwrap_err();
        assert_eq!(error, DeliveryError::TimedOut { channel, limit });
        assert!(error.may_pass());
        assert_says_no_secret(&error, &error.to_string());
    }
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_asked_again_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let delivery = delivery(&settings(&url));
    for channel in Channel::ALL {
        let error = delivery.deliver(channel, &one_of_each()[0]).await.unwrap_err();
        assert!(matches!(error, DeliveryError::Connection { .. }) && error.may_pass(), "{error:?}");
        assert!(error.to_string().contains("refused"), "{error}");
        assert_says_no_secret(&error, &error.to_string());
    }
}

#[tokio::test]
async fn channels_that_are_not_configured_are_not_asked() {
    let mut settings = settings("http://127.0.0.1:9");
    settings.webhook = None;
    let delivery = delivery(&settings);
    assert_eq!(delivery.channels().collect::<Vec<_>>(), [Channel::Slack]);
    let error = delivery.deliver(Channel::Webhook, &one_of_each()[0]).await.unwrap_err();
    assert_eq!(error, DeliveryError::NotConfigured { channel: Channel::Webhook });
    assert!(!error.may_pass());
    assert_says_no_secret(&delivery, "");
}

#[test]
fn settings_that_cannot_work_are_refused_without_repeating_them() {
    let refused = |settings: &AlertSettings| {
        let error = Delivery::new(settings, Arc::new(ManualClock::new(time(NOW)))).unwrap_err();
        assert_says_no_secret(&error, &error.to_string());
        error.to_string()
    };
    let working = settings("http://127.0.0.1:9");
    for url in ["hooks.example/services/canary", "ftp://hooks.example/services/canary", "http://[canary/services"] {
        let message = refused(&AlertSettings { slack_url: Some(Secret::new(url.into())), ..working.clone() });
        assert!(message.starts_with("the address of Slack for alerts cannot be used: "), "{message}");
    }
    let webhook = WebhookSettings { url: "https://hooks.example".into(), secret: Secret::new("canary".into()) };
    let message = refused(&AlertSettings { webhook: Some(webhook), ..working });
    assert_eq!(message, "the secret of the webhook for alerts cannot be used: it does not begin with `whsec_`");
}
