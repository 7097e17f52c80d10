use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Method, Uri};
use serde_json::{Map, Value, json};

use super::fault::FaultKind;
use crate::domain::rfc3339;

/// What is kept of a body.
const KEPT_BYTES: usize = 64 << 10;

/// What stands for the value of a header that carries a key.
const MASK: &str = "(present)";

/// A request as it came.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) number: u64,
    pub(super) at: jiff::Timestamp,
    pub(super) method: Method,
    pub(super) uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// 0 until there is an answer.
    status: AtomicU16,
    pub(super) fault: OnceLock<FaultKind>,
}

impl Captured {
    /// Keeps a request; what its headers and its query say of keys is masked.
    pub(super) fn new(
        number: u64,
        at: jiff::Timestamp,
        (method, uri, mut headers): (Method, Uri, HeaderMap),
        body: &Bytes,
    ) -> Self {
        for (name, value) in &mut headers {
            if ["auth", "key", "token", "secret", "cookie"].iter().any(|part| name.as_str().contains(part)) {
                *value = HeaderValue::from_static(MASK);
            }
        }
        // A slice would hold the whole body in memory.
        let body = if body.len() > KEPT_BYTES {
            Bytes::copy_from_slice(body.get(..KEPT_BYTES).unwrap_or_default())
        } else {
            body.clone()
        };
        Self { number, at, method, uri, headers, body, status: AtomicU16::new(0), fault: OnceLock::new() }
    }

    pub(super) fn answered(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    fn to_json(&self) -> Value {
        let headers: Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        let body: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|_| String::from_utf8_lossy(&self.body).as_ref().into());
        json!({
            "number": self.number,
            "at": rfc3339(self.at),
            "method": self.method.as_str(),
            "path": self.uri.path(),
            "query": self.uri.query().map(masked_query),
            "headers": headers,
            "body": body,
            "status": self.status(),
            "fault": self.fault.get(),
        })
    }
}

fn masked_query(query: &str) -> String {
    let masked = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.contains("key") || name.contains("token") => format!("{name}={MASK}"),
        _ => pair.to_owned(),
    };
    query.split('&').map(masked).collect::<Vec<_>>().join("&")
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Ring(Mutex<VecDeque<Arc<Captured>>>);

impl Ring {
    fn requests(&self) -> MutexGuard<'_, VecDeque<Arc<Captured>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request, and no more than `last` in all.
    pub(super) fn push(&self, captured: Arc<Captured>, last: usize) {
        let mut requests = self.requests();
        requests.push_back(captured);
        while requests.len() > last {
            requests.pop_front();
        }
    }

    pub(super) fn clear(&self) {
        self.requests().clear();
    }

    /// All of them, the oldest first.
    pub(super) fn to_json(&self) -> Value {
        let requests: Vec<Arc<Captured>> = self.requests().iter().cloned().collect();
        json!({"requests": requests.iter().map(|captured| captured.to_json()).collect::<Vec<_>>()})
    }
}
