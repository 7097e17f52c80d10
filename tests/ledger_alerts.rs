//! Alerts about money: each is kept once a period and told once, however many processes see its cause.

#![cfg(test)]

#[path = "common/proxied.rs"]
mod proxied;

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
use proxied::{Bench, START, Setup, Vendor, context, daily, request};
use ring::hmac;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollgate::config::{Api, Budget, WebhookSettings};
use tollgate::cost::{Alert, AlertRule, Watch};
use tollgate::domain::{ManualClock, NanoUsd, Price, Rate, Secret, TicketId};
use tollgate::providers::ChatRequest;
use tollgate::proxy::{CallContext, ProxyError};

/// What every request costs, and holds: three words at 400 nano-dollars, and nothing for the prompt.
const COST: i64 = 3 * 400;
/// Requests that fit into a day.
const ROOM: i64 = 10;
const KEY: [u8; 32] = *b"a-key-of-thirty-two-bytes-length";

/// Two processes over one store, with room for ten requests a day, and an alert above six.
struct Pair {
    one: Bench,
    other: Bench,
    clock: Arc<ManualClock>,
    _vendor: Vendor,
}

impl Pair {
    async fn start(webhook: Option<&str>) -> Self {
        let vendor = Vendor::start(json!({"answers": {"reply": "yes it is"}})).await;
        let clock = Arc::new(ManualClock::new(START.parse().unwrap()));
        let setup = || {
            let mut provider = vendor.provider(Api::OpenAi);
            provider.models.get_mut("large").unwrap().price = Some(Price::new(Rate(0), Rate(400_000_000)));
            let budget = Budget { alert_day: Some(NanoUsd(6 * COST)), ..daily(ROOM * COST) };
            let setup = Setup::new(&[("a", provider)]).budget("tenant:shared", budget);
            let mut setup = setup.clock(Arc::clone(&clock) as _);
            setup.alerts.webhook = webhook.map(|url| WebhookSettings {
                url: url.to_owned(),
                secret: Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(KEY))),
            });
            setup
        };
        let one = setup().build();
        let other = setup().beside(&one).build();
        Self { one, other, clock, _vendor: vendor }
    }

    /// A request by one of the two, in turn.
    async fn ask(&self, number: i64) -> Result<(), ProxyError> {
        let bench = if number % 2 == 0 { &self.one } else { &self.other };
        let asked = ChatRequest { max_output_tokens: Some(3), ..request("anything") };
        bench.proxy.complete(&context(), "main", asked).await?;
        bench.store.flush().await?;
        Ok(())
    }

    /// All that a day has room for, at the same time.
    async fn spend_a_day(&self) {
        let asked = futures::future::join_all((0..ROOM).map(|number| self.ask(number))).await;
        assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    }

    /// The rules whose alerts are kept: `soft_limit:day:50`.
    fn rules(&self) -> Vec<String> {
        let mut rules: Vec<String> = kept(&self.one).iter().map(|alert| alert.rule.key()).collect();
        rules.sort();
        rules
    }

    fn watches(&self) -> [Watch; 2] {
        [&self.one, &self.other].map(watch)
    }
}

fn watch(bench: &Bench) -> Watch {
    Watch::new(Arc::clone(&bench.store), Arc::clone(&bench.clock), Arc::clone(&bench.rules)).unwrap()
}

fn kept(bench: &Bench) -> Vec<Alert> {
    let stored = bench.store.alerts(100).unwrap();
    stored.iter().map(|alert| serde_json::from_str(&alert.body).unwrap()).collect()
}

#[tokio::test]
async fn each_share_of_a_cap_fires_when_it_is_reached_in_whichever_process() {
    let pair = Pair::start(None).await;
    let mut fired = Vec::new();
    for number in 1..=ROOM {
        pair.ask(number).await.unwrap();
        let new = pair.rules().into_iter().filter(|rule| !fired.iter().any(|(_, known)| known == rule));
        let new: Vec<_> = new.map(|rule| (number, rule)).collect();
        fired.extend(new);
    }
    let expected = [(5, "soft_limit:day:50"), (7, "daily_spend"), (8, "soft_limit:day:80"), (10, "soft_limit:day:100")];
    assert_eq!(fired, expected.map(|(number, rule)| (number, rule.to_owned())));
    assert!(matches!(pair.ask(11).await, Err(ProxyError::Budget(_))));
    assert!(kept(&pair.one).iter().all(|alert| alert.scope.to_string() == "tenant:shared"));
}

#[tokio::test]
async fn alerts_fire_once_a_day_when_two_processes_spend_at_the_same_time() {
    let pair = Pair::start(None).await;
    let rules = ["daily_spend", "soft_limit:day:100", "soft_limit:day:50", "soft_limit:day:80"];
    pair.spend_a_day().await;
    assert_eq!(pair.rules(), rules);
    pair.clock.advance(Duration::from_hours(24));
    pair.spend_a_day().await;
    assert_eq!(pair.rules(), rules.iter().flat_map(|rule| [*rule, *rule]).collect::<Vec<_>>());
    pair.one.balances().await;
}

/// What a webhook got: its headers, and its body.
type Got = (hyper::HeaderMap, Bytes);

/// A webhook on the loopback interface; it ends with the test.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
    status: Arc<Mutex<u16>>,
    _task: JoinSet<()>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (got, status) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(204)));
        let (seen, says) = (Arc::clone(&got), Arc::clone(&status));
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let respond = service_fn(|request: Request<Incoming>| async {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    seen.lock().unwrap().push((parts.headers, body));
                    let response = Response::builder().status(*says.lock().unwrap());
                    Ok::<_, Infallible>(response.body(Full::new(Bytes::new())).unwrap())
                });
                let mut http = hyper::server::conn::http1::Builder::new();
                http.keep_alive(false).serve_connection(TokioIo::new(stream), respond).await.ok();
            }
        });
        Self { url, got, status, _task: task }
    }

    /// The ids of the alerts that it got since the last time; each is signed.
    fn ids(&self) -> Vec<String> {
        let got = std::mem::take(&mut *self.got.lock().unwrap());
        let mut ids: Vec<String> = got.iter().map(verified).collect();
        ids.sort();
        ids
    }
}

/// The id of a message whose signature is right.
///
/// Source: Standard Webhooks 1.0.0, "Verifying webhook authenticity".
fn verified((headers, body): &Got) -> String {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    let signed = [format!("{id}.{time}.").as_bytes(), body].concat();
    let signature = header("webhook-signature");
    let signature = BASE64_STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &KEY), &signed, &signature).unwrap();
    let event: Value = serde_json::from_slice(body).unwrap();
    assert!(["budget.soft_limit", "budget.daily_spend"].contains(&event["type"].as_str().unwrap()), "{event}");
    assert_eq!(event["data"]["id"], id.as_str());
    id
}

#[tokio::test]
async fn each_alert_is_delivered_once_though_two_processes_tell() {
    let receiver = Receiver::start().await;
    let pair = Pair::start(Some(&receiver.url)).await;
    pair.spend_a_day().await;
    let said = Mutex::new(Vec::new());
    let say = |alert: &Alert| said.lock().unwrap().push(alert.id.clone());
    let [one, other] = pair.watches();
    for _ in 0..2 {
        let (told, also) = tokio::join!(one.tell(Some(&say)), other.tell(Some(&say)));
        told.and(also).unwrap();
        pair.clock.advance(Duration::from_mins(10));
    }
    let mut ids: Vec<String> = kept(&pair.one).into_iter().map(|alert| alert.id).collect();
    ids.sort();
    let mut said = said.into_inner().unwrap();
    said.sort();
    assert_eq!((receiver.ids(), said, ids.len()), (ids.clone(), ids, 4));
    for alert in pair.one.store.alerts(10).unwrap() {
        let states: Vec<_> =
            alert.deliveries.iter().map(|(channel, state, _)| (channel.as_str(), state.as_str())).collect();
        assert_eq!(states, [("stderr", "delivered"), ("webhook", "delivered")]);
    }
}

#[tokio::test]
async fn what_a_receiver_does_not_take_is_told_again_with_the_same_id_by_whoever_is_there() {
    let receiver = Receiver::start().await;
    let pair = Pair::start(Some(&receiver.url)).await;
    *receiver.status.lock().unwrap() = 503;
    pair.spend_a_day().await;
    let [one, other] = pair.watches();
    one.tell(None).await.unwrap();
    let ids = receiver.ids();
    assert_eq!(ids.len(), 4);
    *receiver.status.lock().unwrap() = 204;
    other.tell(None).await.unwrap();
    assert_eq!(receiver.ids().len(), 0, "not before its time");
    pair.clock.advance(Duration::from_secs(5));
    other.tell(None).await.unwrap();
    assert_eq!(receiver.ids(), ids);
    pair.clock.advance(Duration::from_hours(24));
    one.tell(None).await.unwrap();
    assert_eq!(receiver.ids().len(), 0);
}

#[tokio::test]
async fn a_loop_and_a_month_that_burns_are_found_once_by_looking() {
    let vendor = Vendor::start(json!({"answers": {"reply": "yes it is"}})).await;
    let budget = Budget { month: Some(NanoUsd(10_000_000)), ..Budget::default() };
    let setup = || {
        let mut setup = Setup::new(&[("a", vendor.provider(Api::OpenAi))]).budget("tenant:shared", budget.clone());
        setup.alerts.soft_percent = Vec::new();
        setup
    };
    let one = setup().build();
    let other = setup().beside(&one).build();
    for number in 0..20 {
        let ticket = TicketId::from(uuid::Uuid::from_u128(number));
        let context = CallContext { ticket, fingerprint: Some(u64::MAX), ..context() };
        one.proxy.complete(&context, "main", request("anything")).await.unwrap();
    }
    one.store.flush().await.unwrap();
    for bench in [&one, &other, &one] {
        watch(bench).look().await.unwrap();
    }
    // 20 × 1,500 nano-dollars in five minutes are 30,000 of the 13,889 that a month of 30 days has for an hour.
    let rules: Vec<_> = kept(&one).into_iter().map(|alert| alert.rule).collect();
    assert_eq!(rules.iter().filter(|rule| **rule == AlertRule::Loop).count(), 1, "{rules:?}");
    assert_eq!(rules.len(), 1, "2.2 times as fast as the budget carries is no alert: {rules:?}");
    for _ in 0..160 {
        one.ask("anything").await.unwrap();
    }
    one.store.flush().await.unwrap();
    for bench in [&one, &other] {
        watch(bench).look().await.unwrap();
    }
    // 180 × 1,500 are 270,000: 19.4 times as much.
    let burning: Vec<_> =
        kept(&one).into_iter().filter(|alert| matches!(alert.rule, AlertRule::BurnRate { .. })).collect();
    assert!((1..=2).contains(&burning.len()), "once for each pair of windows: {burning:?}");
    assert!(burning.iter().any(|alert| alert.rule == AlertRule::BurnRate { long_minutes: 60, short_minutes: 5 }));
    assert_eq!(one.standing("tenant:shared").await.0, 180 * 1_500);
}
