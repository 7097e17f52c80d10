use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};

use super::admin;
use super::capture::Captured;
use super::exchange::{Body, Exchange};
use super::failure::Failure;
use super::fault::{Fault, FaultKind, OutageKind, Purpose, draw, random_of};
use super::job::{Job, Produced};
use super::limits::Standing;
use super::player::{Damage, play, steps};
use super::state::{Active, State};
use super::vendor::{Endpoint, Target};

/// There is no answer: the connection is reset.
#[derive(Debug, thiserror::Error)]
#[error("the connection is reset, as the settings ask")]
pub(super) struct Reset;

/// Why a request is not answered.
enum Stop {
    /// It is refused.
    Failure(Failure),
    /// Something that is no answer comes instead.
    Instead(Box<Response<Body>>),
    Reset,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Answers a request to any path.
pub(super) async fn respond(state: &Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
    let arrived = state.clock.monotonic();
    let active = state.active();
    let (parts, body) = request.into_parts();
    let limit_bytes = active.settings.max_body_bytes;
    let body = match Limited::new(body, limit_bytes).collect().await {
        Ok(body) => Some(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => None,
        // The client went away.
        Err(_) => return Err(Reset),
    };
    if admin::is_its(parts.uri.path()) {
        return Ok(admin::respond(state, &parts.method, parts.uri.path(), body.as_deref()));
    }
    // The path is needed while the captured request owns the rest.
    let uri = parts.uri.clone();
    let target = Target::of(&parts.method, uri.path(), &parts.headers);
    let key_is_right = match &active.settings.api_key {
        None => Ok(()),
        Some(wanted) => match target.vendor.key(&parts.headers, &uri) {
            Some(given) if given == wanted.expose() => Ok(()),
            given => Err(Failure::Unauthorized { given: given.map(masked) }),
        },
    };
    let kept = body.clone().unwrap_or_default();
    let request = match &body {
        None => Err(Failure::TooLarge { limit_bytes }),
        Some(_) if target.endpoint == Endpoint::Unknown => {
            Err(Failure::NoSuchPath { method: parts.method.to_string(), path: uri.path().to_owned() })
        }
        Some(body) => key_is_right.and_then(|()| Job::read(&target, &parts.headers, body)),
    };
    let number = state.number();
    let captured = Arc::new(Captured::new(number, state.clock.now(), (parts.method, parts.uri, parts.headers), &kept));
    state.captured.push(Arc::clone(&captured), active.settings.capture_last);
    let exchange = Exchange::begin(state, &target, &captured, arrived);
    let attempt = Attempt { state, active: &active, target, number };
    attempt.run(request, exchange).await
}

/// A key as the vendor repeats it: not enough of it to be of use.
fn masked(key: &str) -> String {
    let head: String = key.chars().take(3).collect();
    if key.chars().count() > 12 { format!("{head}***") } else { "***".to_owned() }
}

struct Attempt<'a> {
    state: &'a Arc<State>,
    active: &'a Active,
    target: Target<'a>,
    number: u64,
}

impl Attempt<'_> {
    async fn run(&self, request: Result<Job, Failure>, exchange: Exchange) -> Result<Response<Body>, Reset> {
        let mut standing = Standing::default();
        let stop = match self.outage().await {
            Err(stop) => stop,
            Ok(()) => match request {
                Err(failure) => Stop::Failure(failure),
                Ok(job) => match self.prepare(&job, &exchange, &mut standing).await {
                    Err(stop) => stop,
                    Ok((produced, permit)) => return Ok(self.play(produced, exchange, &standing, permit)),
                },
            },
        };
        match stop {
            Stop::Failure(failure) => Ok(exchange.refuse(&failure, &self.target, &standing)),
            Stop::Instead(response) => Ok(*response),
            Stop::Reset => Err(Reset),
        }
    }

    async fn outage(&self) -> Result<(), Stop> {
        let elapsed = self.active.elapsed(self.state.clock.monotonic());
        let Some(outage) = self.active.settings.outages.iter().find(|outage| outage.is_now(elapsed)) else {
            return Ok(());
        };
        self.state.metrics.outage();
        Err(match outage.kind {
            OutageKind::Internal => Failure::Internal.into(),
            OutageKind::Unavailable => Failure::Unavailable { retry_after: None }.into(),
            OutageKind::Reset => Stop::Reset,
            OutageKind::Hang => std::future::pending().await,
        })
    }

    /// Everything up to the moment when the answer's head is sent.
    async fn prepare(
        &self,
        job: &Job,
        exchange: &Exchange,
        standing: &mut Standing,
    ) -> Result<(Produced, impl Send + 'static), Stop> {
        let settings = &self.active.settings;
        if settings.only_listed_models && job.model().is_some_and(|model| !settings.models.contains_key(model)) {
            return Err(Failure::NoSuchModel { model: job.model().unwrap_or_default().to_owned() }.into());
        }
        let fault = self.fault(job);
        if let Some(fault) = fault {
            exchange.struck(fault.kind);
            self.instead(fault, job, exchange)?;
        }
        let now = self.state.clock.monotonic();
        {
            let mut limits = self.active.limits();
            let admitted = limits.admit(now, job.input_tokens());
            *standing = limits.standing();
            admitted?;
        }
        let overloaded = |_| match self.target.vendor.name() {
            "anthropic" => Failure::Overloaded { retry_after: None },
            _ => Failure::Unavailable { retry_after: Some(Duration::from_secs(1)) },
        };
        let permit = self.active.slots.enter().await.map_err(overloaded)?;
        let mut produced = job.produce(self.state, self.active, &self.target, &exchange.id, fault).await?;
        self.active.limits().charge(produced.used.output.0);
        self.state.metrics.used(produced.used);
        if let Some(fault) = fault {
            produced.damage = self.damage(fault, exchange);
        }
        let wait = self.first_wait(&mut produced, fault);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok((produced, permit))
    }

    fn fault(&self, job: &Job) -> Option<&Fault> {
        let faults = &self.active.settings.faults;
        if faults.is_empty() {
            return None;
        }
        let elapsed = self.active.elapsed(self.state.clock.monotonic());
        let mut random = random_of(self.state.seed, self.number, Purpose::Faults);
        draw(faults, elapsed, job.model().unwrap_or_default(), &mut random)
    }

    /// The faults that come instead of an answer.
    fn instead(&self, fault: &Fault, job: &Job, exchange: &Exchange) -> Result<(), Stop> {
        let retry_after = fault.retry_after_s.map(Duration::from_secs_f64);
        let head = |status, content_type| exchange.head(status, content_type, &self.target, &Standing::default());
        Err(match fault.kind {
            FaultKind::TooManyRequests => {
                let retry_after = retry_after.unwrap_or(Duration::from_secs(1));
                let limit = self.active.settings.limits.requests_per_minute.map_or(500, u64::from);
                Failure::RateLimited { what: super::failure::Limited::Requests, limit, retry_after }.into()
            }
            FaultKind::Internal => Failure::Internal.into(),
            FaultKind::StreamError if !job.is_streamed() => Failure::Internal.into(),
            FaultKind::Unavailable => Failure::Unavailable { retry_after }.into(),
            FaultKind::Overloaded => Failure::Overloaded { retry_after }.into(),
            FaultKind::ConnectionReset => Stop::Reset,
            FaultKind::Html => Stop::Instead(Box::new(head(200, "text/html; charset=utf-8").with(HTML))),
            FaultKind::Redirect => {
                let mut head = head(307, "text/plain");
                head.add("location", fault.location.as_deref().unwrap_or("https://elsewhere.invalid/"));
                Stop::Instead(Box::new(head.with(Bytes::new())))
            }
            FaultKind::SlowStart
            | FaultKind::Stall
            | FaultKind::TruncatedStream
            | FaultKind::StreamError
            | FaultKind::MalformedJson
            | FaultKind::WrongUsage
            | FaultKind::EmptyChoices
            | FaultKind::InvalidUtf8 => return Ok(()),
        })
    }

    /// What a fault does to the answer's body.
    fn damage(&self, fault: &Fault, exchange: &Exchange) -> Option<Damage> {
        match fault.kind {
            FaultKind::Stall => Some(Damage::Stall(Duration::from_millis(fault.ms.unwrap_or(60_000)))),
            FaultKind::TruncatedStream => Some(Damage::Truncated),
            FaultKind::StreamError => {
                let failure = Failure::Overloaded { retry_after: None };
                Some(Damage::Error(self.target.vendor.failure_event(&failure, &exchange.id)))
            }
            FaultKind::MalformedJson => Some(Damage::MalformedJson),
            FaultKind::InvalidUtf8 => Some(Damage::InvalidUtf8),
            _ => None,
        }
    }

    /// How long it takes until the answer's head is sent: until the first token, or until the last of an answer that is
    /// not streamed.
    fn first_wait(&self, produced: &mut Produced, fault: Option<&Fault>) -> Duration {
        let latency = self.active.settings.latency;
        let late = fault.filter(|fault| fault.kind == FaultKind::SlowStart);
        let late = late.map_or(Duration::ZERO, |fault| Duration::from_millis(fault.ms.unwrap_or(10_000)));
        if let Some(fixed) = produced.latency {
            produced.pace = super::Delay::default();
            return late + fixed;
        }
        produced.pace = latency.between_tokens;
        if latency.first_token.is_zero() && latency.between_tokens.is_zero() {
            return late;
        }
        let mut random = random_of(self.state.seed, self.number, Purpose::Latency);
        let first = latency.first_token.sample(&mut random);
        let further = if produced.is_streamed || latency.between_tokens.is_zero() {
            0
        } else {
            produced.used.output.0.saturating_sub(1)
        };
        let rest: Duration = (0..further).map(|_| latency.between_tokens.sample(&mut random)).sum();
        late + first + rest
    }

    fn play(
        &self,
        produced: Produced,
        exchange: Exchange,
        standing: &Standing,
        permit: impl Send + 'static,
    ) -> Response<Body> {
        let content_type = if produced.is_streamed { "text/event-stream; charset=utf-8" } else { "application/json" };
        let head = exchange.head(200, content_type, &self.target, standing);
        let mut events = produced.events;
        if let ([_], false, None) = (&events[..], produced.is_streamed, &produced.damage) {
            return head.with(events.pop().map(|event| event.bytes).unwrap_or_default());
        }
        let mut random = random_of(self.state.seed, self.number, Purpose::Body);
        let steps = steps(events, produced.damage, &mut random);
        head.with_stream(play(steps, produced.pace, random, (exchange, permit)))
    }
}

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>Just a moment...</title></head>\n\
    <body><h1>Checking your browser before you continue.</h1></body></html>\n";
