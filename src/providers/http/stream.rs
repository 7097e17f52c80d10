use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use super::exchange::{Endpoint, not_json};
use super::mask::Mask;
use super::{headers, html};
use crate::providers::sse::StreamedAnswer;
use crate::providers::wire::Wire;
use crate::providers::{ChatEvent, ChatRequest, ChatStream, Limits, Phase, ProviderError};

/// Sends a request whose answer comes in pieces. Dropping the stream closes the connection.
pub(super) async fn open(
    endpoint: &Endpoint,
    wire: &dyn Wire,
    request: &ChatRequest,
    limits: Limits,
) -> Result<ChatStream, ProviderError> {
    let patience = Patience::new(limits);
    let said = wire.chat_request(request, true)?;
    let response = patience.wait(endpoint.send(wire, &request.model, &said, "text/event-stream")).await??;
    match headers::content_type(response.headers()).as_deref() {
        Some(kind) if kind.contains("html") || kind.contains("json") => {
            let kind = kind.to_owned();
            let body = patience.wait(endpoint.body(response)).await??;
            let reason = format!("a stream of events was asked for, but it is `{kind}`");
            let other = ProviderError::Malformed { reason };
            // It may be an error with a status of success.
            return Err(match wire.chat_reply(request, body.as_bytes()) {
                Ok(_) | Err(ProviderError::Malformed { .. }) => other,
                Err(error) => error,
            });
        }
        _ => {}
    }
    let pieces = Pieces {
        request_id: headers::text(response.headers(), wire.request_id_header()),
        response: Some(response),
        answer: StreamedAnswer::new(wire.stream_reader(request)),
        ready: VecDeque::new(),
        patience,
        bytes: 0,
        max_reply_bytes: endpoint.max_reply_bytes,
        mask: Arc::clone(&endpoint.mask),
    };
    Ok(futures::stream::unfold(pieces, Pieces::next).boxed())
}

/// How long is waited, and for what.
struct Patience {
    limits: Limits,
    /// `None` when the limit is beyond all time.
    end: Option<Instant>,
    phase: Phase,
    next: Option<Instant>,
}

impl Patience {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let next = now.checked_add(limits.first_token);
        Self { limits, end: now.checked_add(limits.total), phase: Phase::FirstToken, next }
    }

    /// A piece has arrived: now the next is waited for.
    fn piece_arrived(&mut self) {
        self.phase = Phase::BetweenTokens;
        self.next = Instant::now().checked_add(self.limits.between_tokens);
    }

    async fn wait<T>(&self, work: impl Future<Output = T>) -> Result<T, ProviderError> {
        let (until, phase, limit) = self.nearest();
        let Some(until) = until else { return Ok(work.await) };
        timeout_at(until, work).await.map_err(|_| ProviderError::TimedOut { phase, limit })
    }

    fn nearest(&self) -> (Option<Instant>, Phase, Duration) {
        let pieces = if self.phase == Phase::FirstToken { self.limits.first_token } else { self.limits.between_tokens };
        match (self.next, self.end) {
            (Some(next), end) if end.is_none_or(|end| next < end) => (Some(next), self.phase, pieces),
            (_, end) => (end, Phase::Total, self.limits.total),
        }
    }
}

/// A streamed answer on its way.
struct Pieces {
    /// `None` once nothing more is read.
    response: Option<Response>,
    answer: StreamedAnswer,
    ready: VecDeque<Result<ChatEvent, ProviderError>>,
    patience: Patience,
    bytes: u64,
    max_reply_bytes: u64,
    request_id: Option<String>,
    mask: Arc<Mask>,
}

impl Pieces {
    async fn next(mut self) -> Option<(Result<ChatEvent, ProviderError>, Self)> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                let event = event.map_err(|error| self.mask.clean(error));
                return Some((event, self));
            }
            let response = self.response.as_mut()?;
            match self.patience.wait(response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.read(&chunk),
                // However the connection ended, what counts is whether the answer is whole.
                Ok(Ok(None) | Err(_)) => {
                    self.response = None;
                    let last = self.answer.end().map(|last| self.named(last));
                    self.ready.extend(last);
                }
                Err(late) => self.fail(late),
            }
        }
    }

    fn read(&mut self, chunk: &[u8]) {
        if self.bytes == 0 && html::is_html(chunk) {
            return self.fail(ProviderError::Malformed { reason: not_json(chunk) });
        }
        self.bytes += chunk.len() as u64;
        if self.bytes > self.max_reply_bytes {
            let reason = format!("it is longer than {} bytes", self.max_reply_bytes);
            return self.fail(ProviderError::Malformed { reason });
        }
        let events: Vec<_> = self.answer.push(chunk).into_iter().map(|event| self.named(event)).collect();
        if !events.is_empty() {
            self.patience.piece_arrived();
        }
        self.ready.extend(events);
        if self.answer.is_over() {
            self.response = None;
        }
    }

    fn fail(&mut self, error: ProviderError) {
        self.response = None;
        self.ready.push_back(Err(error));
    }

    /// The last event names the request.
    fn named(&self, event: Result<ChatEvent, ProviderError>) -> Result<ChatEvent, ProviderError> {
        event.map(|event| match event {
            ChatEvent::Done(mut reply) => {
                reply.request_id = reply.request_id.or_else(|| self.request_id.clone());
                ChatEvent::Done(reply)
            }
            other => other,
        })
    }
}
