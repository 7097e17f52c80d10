use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use http_body_util::{Either, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

use super::capture::Captured;
use super::failure::Failure;
use super::fault::FaultKind;
use super::limits::Standing;
use super::metrics::Labels;
use super::player::CutOff;
use super::state::State;
use super::vendor::Target;

pub(super) type Body = Either<Full<Bytes>, StreamBody<BoxStream<'static, Result<Frame<Bytes>, CutOff>>>>;

/// One request at the vendor's endpoints, from its arrival to the end of its answer. It is counted when it is dropped.
pub(super) struct Exchange {
    state: Arc<State>,
    captured: Arc<Captured>,
    shape: &'static str,
    endpoint: &'static str,
    arrived: Duration,
    pub(super) id: String,
}

impl Exchange {
    pub(super) fn begin(state: &Arc<State>, target: &Target<'_>, captured: &Arc<Captured>, arrived: Duration) -> Self {
        state.metrics.begin();
        // splitmix64 (Steele, Lea & Flood 2014): different for each number, and the same for the same seed.
        let mut bits = state.seed.wrapping_add(captured.number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for (shift, factor) in [(30, 0xBF58_476D_1CE4_E5B9), (27, 0x94D0_49BB_1331_11EB)] {
            bits = (bits ^ (bits >> shift)).wrapping_mul(factor);
        }
        Self {
            state: Arc::clone(state),
            captured: Arc::clone(captured),
            shape: target.vendor.name(),
            endpoint: target.endpoint.name(),
            arrived,
            id: format!("{:016x}{:08x}", bits ^ (bits >> 31), captured.number),
        }
    }

    /// Notes that a fault strikes.
    pub(super) fn struck(&self, kind: FaultKind) {
        self.state.metrics.fault(kind);
        let _ = self.captured.fault.set(kind);
    }

    /// The head of an answer, with the headers that each has.
    pub(super) fn head(
        &self,
        status: u16,
        content_type: &'static str,
        target: &Target<'_>,
        standing: &Standing,
    ) -> Head {
        self.captured.answered(status);
        let mut head = Head { status, headers: vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))] };
        if let Some((name, id)) = target.vendor.request_id(&self.id) {
            head.add(name, &id);
        }
        if *standing != Standing::default() {
            for (name, value) in target.vendor.limit_headers(standing, self.state.clock.now()) {
                head.add(name, &value);
            }
        }
        head
    }

    /// A refusal in the vendor's words.
    pub(super) fn refuse(&self, failure: &Failure, target: &Target<'_>, standing: &Standing) -> Response<Body> {
        let (status, body) = target.vendor.failure(failure, &self.id);
        let mut head = self.head(status, "application/json", target, standing);
        if let Some(retry_after) = failure.retry_after() {
            // Whole seconds, rounded up: an earlier attempt would be refused again.
            let seconds = (retry_after.as_secs_f64().ceil() as u64).max(1);
            head.headers.push((RETRY_AFTER, seconds.into()));
            if self.shape == "openai" {
                head.add("retry-after-ms", &retry_after.as_millis().max(1).to_string());
            }
        }
        head.with(body.to_string())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let labels = Labels { shape: self.shape, endpoint: self.endpoint, status: self.captured.status() };
        self.state.metrics.end(labels, self.state.clock.monotonic().saturating_sub(self.arrived));
    }
}

/// Status and headers of an answer.
pub(super) struct Head {
    status: u16,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Head {
    pub(super) fn new(status: u16, content_type: &'static str) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))] }
    }

    /// Adds a header; a value that cannot be one is left out.
    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
    }

    /// The whole answer with this body.
    pub(super) fn with(self, body: impl Into<Bytes>) -> Response<Body> {
        self.response(Either::Left(Full::new(body.into())))
    }

    /// The whole answer with a body that comes piece by piece.
    pub(super) fn with_stream(self, body: BoxStream<'static, Result<Frame<Bytes>, CutOff>>) -> Response<Body> {
        self.response(Either::Right(StreamBody::new(body)))
    }

    fn response(self, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        if let Ok(status) = hyper::StatusCode::from_u16(self.status) {
            *response.status_mut() = status;
        }
        response.headers_mut().extend(self.headers);
        response
    }
}
