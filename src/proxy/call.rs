use std::sync::Arc;
use std::time::Duration;

use super::breaker::Admission;
use super::candidates::Candidate;
use super::limiter::Permit;
use super::received::Received;
use super::{CallContext, Inner};
use crate::cost::{Consumed, Reservation};
use crate::domain::{NanoUsd, Usage, in_ms, rfc3339};
use crate::otlp::{CallEnd, CallStart, Operation, call_span, record_call};
use crate::providers::{FinishReason, Phase, ProviderError, answer_tokens};
use crate::store::{CallRecord, CallStatus};

/// One attempt under way. It ends once, with [`OpenCall::end`]; one that is dropped before has been cancelled, and is
/// recorded so.
pub(super) struct OpenCall {
    inner: Arc<Inner>,
    candidate: Arc<Candidate>,
    facts: CallFacts,
    admission: Admission,
    started: Duration,
    started_at: String,
    first_token: Option<Duration>,
    span: tracing::Span,
    /// The longest answer that was granted.
    output_tokens: Option<u64>,
    /// What is held for it; gone once it has ended.
    reservation: Option<Reservation>,
    /// What of a streamed answer has arrived.
    received: Received,
    _permit: Permit,
}

/// What is known of a call before it is made.
#[derive(Clone)]
pub(super) struct CallFacts {
    pub(super) context: Arc<CallContext>,
    pub(super) operation: Operation,
    /// Whether the answer is streamed.
    pub(super) stream: bool,
    /// Attempts of the same request before this one.
    pub(super) retries: u32,
    /// The time it has.
    pub(super) limit: Duration,
    /// Whether the answer is limited: vectors are not.
    pub(super) limits_output: bool,
    pub(super) temperature: Option<f64>,
    /// What the safety filters marked.
    pub(super) marks: Option<Arc<str>>,
    /// The redacted prompt, when payloads are kept.
    pub(super) payload: Option<Arc<str>>,
}

/// What a call brought, as far as telemetry is concerned.
#[derive(Default)]
pub(super) struct Brought<'a> {
    pub(super) usage: Option<Usage>,
    pub(super) finish_reason: Option<FinishReason>,
    pub(super) response_model: Option<&'a str>,
    pub(super) request_id: Option<&'a str>,
    pub(super) text: &'a str,
}

/// A deadline this short says more about the caller than about the provider.
const TELLING: Duration = Duration::from_millis(250);
/// A vendor that asks for more is asked again all the same.
const LONGEST_REST: Duration = Duration::from_mins(1);

impl OpenCall {
    pub(super) fn start(
        inner: &Arc<Inner>,
        candidate: &Arc<Candidate>,
        facts: CallFacts,
        admission: Admission,
        permit: Permit,
        reservation: Reservation,
    ) -> Self {
        let output_tokens = facts.limits_output.then(|| reservation.output_tokens());
        let context = &facts.context;
        let span = call_span(&CallStart {
            operation: facts.operation,
            provider: candidate.provider.system(),
            model: &candidate.model,
            server_address: candidate.provider.server.as_ref().map(|(host, _)| host.as_str()),
            server_port: candidate.provider.server.as_ref().and_then(|(_, port)| *port),
            max_tokens: output_tokens,
            temperature: facts.temperature,
            stream: facts.stream,
            ticket: Some(&context.ticket),
            tenant: &context.tenant,
            endpoint: context.endpoint,
            task: Some(&context.task),
            prompt: Some(&context.prompt),
            release: Some(&context.release),
            attempt: facts.retries + 1,
            retries: facts.retries,
            breaker: admission.as_str(),
            cache_path: Some(context.cache),
        });
        Self {
            inner: Arc::clone(inner),
            candidate: Arc::clone(candidate),
            started: inner.clock.monotonic(),
            started_at: rfc3339(inner.clock.now()),
            facts,
            admission,
            first_token: None,
            span,
            output_tokens,
            received: Received::new(reservation.output_tokens()),
            reservation: Some(reservation),
            _permit: permit,
        }
    }

    /// The longest answer that was granted, in tokens.
    pub(super) fn output_tokens(&self) -> Option<u64> {
        self.output_tokens
    }

    /// Takes note of a piece of a streamed answer, or of the arguments of a function call. Returns whether more has
    /// arrived by now than is held for it: the vendor does not keep to the limit that it was given.
    pub(super) fn receive(&mut self, text: &str, is_answer: bool) -> bool {
        let Self { received, candidate, .. } = self;
        received.add(text, is_answer, &candidate.model, candidate.provider.settings.vendor.as_deref())
    }

    /// The first piece of a streamed answer is here.
    pub(super) fn first_token(&mut self) {
        if self.first_token.is_none() {
            self.first_token = Some(self.inner.clock.monotonic().saturating_sub(self.started));
        }
    }

    /// Does the call's whole work within `limit`, and ends it. Returns what it brought, and what that cost.
    pub(super) async fn carry_out<T>(
        self,
        limit: Duration,
        work: impl Future<Output = Result<T, ProviderError>>,
        brought: impl FnOnce(&T) -> Brought<'_>,
    ) -> Result<(T, Option<NanoUsd>), ProviderError> {
        match within(limit, work).await {
            Ok(reply) => {
                let cost = self.end(Ok(brought(&reply)));
                Ok((reply, cost))
            }
            Err(error) => {
                self.end(Err(&error));
                Err(error)
            }
        }
    }

    /// Ends the call: tells breaker, limiter and latency, and records it. Returns what it cost, `None` when unknown.
    pub(super) fn end(mut self, outcome: Result<Brought<'_>, &ProviderError>) -> Option<NanoUsd> {
        self.judge(&outcome);
        self.record(outcome, None)
    }

    /// Ends a stream that was cut, since more of it arrived than is held for it. Returns what had arrived.
    pub(super) fn cut(mut self) -> String {
        self.judge(&Ok(Brought::default()));
        let text = std::mem::take(&mut self.received.answer);
        let brought = Brought { finish_reason: Some(FinishReason::Length), text: &text, ..Brought::default() };
        self.record(Ok(brought), Some("cut"));
        text
    }

    fn judge(&self, outcome: &Result<Brought<'_>, &ProviderError>) {
        let now = self.inner.clock.monotonic();
        let Self { candidate, admission, .. } = self;
        let limiter = &candidate.provider.limiter;
        let failed = || {
            if candidate.breaker.failed(now) {
                tracing::warn!(model = candidate.name, "opened the circuit breaker: it keeps failing");
            }
        };
        match outcome {
            Ok(_) => {
                candidate.breaker.succeeded(*admission, now);
                limiter.succeeded();
                candidate.latency.record(now, now.saturating_sub(self.started));
            }
            Err(ProviderError::RateLimited { retry_after, .. }) => {
                // It is alive, and wants to be left alone for a while.
                candidate.breaker.succeeded(*admission, now);
                limiter.pushed_back(now);
                candidate.rest_until(now + retry_after.unwrap_or(Duration::from_secs(1)).min(LONGEST_REST));
            }
            Err(ProviderError::QuotaSpent { .. }) => candidate.breaker.trip(now),
            Err(ProviderError::TimedOut { .. }) => {
                if self.facts.limit >= TELLING {
                    limiter.pushed_back(now);
                    failed();
                }
            }
            Err(ProviderError::Unavailable { retry_after, .. }) => {
                limiter.pushed_back(now);
                if let Some(wish) = retry_after {
                    candidate.rest_until(now + (*wish).min(LONGEST_REST));
                }
                failed();
            }
            Err(error) if error.is_transient() => failed(),
            Err(ProviderError::NoSuchModel { .. } | ProviderError::BadRequest { .. }) => {
                candidate.breaker.succeeded(*admission, now);
            }
            Err(_) => {}
        }
    }

    /// Books and records the call; `stopped` says how it was stopped when it did not end by itself.
    fn record(
        &mut self,
        outcome: Result<Brought<'_>, &ProviderError>,
        stopped: Option<&'static str>,
    ) -> Option<NanoUsd> {
        let reservation = self.reservation.take()?;
        let Self { inner, candidate, facts, .. } = self;
        let latency_ms = in_ms(inner.clock.monotonic().saturating_sub(self.started));
        let first_token_ms = self.first_token.map(in_ms);
        let (status, error, brought) = match outcome {
            Ok(brought) => (CallStatus::Ok, None, brought),
            Err(error @ ProviderError::TimedOut { .. }) => (CallStatus::TimedOut, Some(error), Brought::default()),
            Err(error) => (CallStatus::Failed, Some(error), Brought::default()),
        };
        let status = if stopped.is_some() { CallStatus::Cancelled } else { status };
        let consumed = match (brought.usage, error) {
            (Some(usage), _) => Consumed::Told(usage),
            // An offline model bills nothing that did not happen.
            (None, Some(error)) if !error.may_be_billed() && self.received.about.is_none() => Consumed::Nothing,
            // What a model thinks before it answers is billed, and not seen.
            (None, _) if self.received.about.is_some() && candidate.price().rates.reasoning.is_some() => {
                Consumed::Unknown
            }
            (None, _) => {
                let tokens = self.received.about.or_else(|| {
                    let text = Some(brought.text).filter(|text| !text.is_empty())?;
                    Some(answer_tokens(&candidate.model, candidate.provider.settings.vendor.as_deref(), text).1)
                });
                match tokens {
                    Some(tokens) => Consumed::Received(tokens),
                    None if reservation.is_sent() => Consumed::Unknown,
                    None => Consumed::Nothing,
                }
            }
        };
        let cost = brought.usage.and_then(|usage| reservation.cost(usage));
        let kind = stopped.or(error.map(ProviderError::kind));
        record_call(
            &self.span,
            &CallEnd {
                response_model: brought.response_model,
                response_id: brought.request_id,
                finish_reason: brought.finish_reason.map(FinishReason::as_str),
                input_tokens: brought.usage.map(|usage| usage.input.0),
                output_tokens: brought.usage.map(|usage| usage.output.0),
                cached_input_tokens: brought.usage.map(|usage| usage.cached_input.0),
                cache_write_tokens: brought.usage.map(|usage| usage.cache_write.0),
                reasoning_tokens: brought.usage.map(|usage| usage.reasoning.0),
                cost_nanousd: cost.map(|cost| cost.0),
                time_to_first_token_ms: first_token_ms,
                error_type: kind,
            },
        );
        let context = &facts.context;
        let answered = status == CallStatus::Ok;
        let record = CallRecord {
            id: reservation.call(),
            ticket: context.ticket,
            tenant: context.tenant.clone(),
            endpoint: context.endpoint.to_owned(),
            task: context.task.clone(),
            prompt: context.prompt.clone(),
            release: context.release.clone(),
            model: candidate.name.clone(),
            started_at: self.started_at.clone(),
            latency_ms,
            status,
            error: error.map(|error| inner.redactor.redact(&error.to_string()).into_owned()),
            finish_reason: brought.finish_reason.map(|reason| reason.as_str().to_owned()),
            usage: brought.usage,
            cost_nanousd: cost,
            operation: facts.operation.as_str().to_owned(),
            retries: facts.retries,
            breaker: self.admission.as_str().to_owned(),
            cache_path: context.cache.to_owned(),
            first_token_ms,
            response_model: brought.response_model.map(str::to_owned),
            request_id: brought.request_id.map(str::to_owned),
            marks: facts.marks.as_deref().map(str::to_owned),
            prompt_text: facts.payload.as_deref().map(str::to_owned),
            answer_text: (answered && facts.payload.is_some())
                .then(|| inner.redactor.redact(brought.text).into_owned()),
        };
        tracing::debug!(model = candidate.name, latency_ms, error = record.error, ticket = %record.ticket, "call");
        inner.ledger.settle_soon(reservation, consumed, record);
        cost
    }
}

/// Providers keep their limits themselves; this is for one that does not.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let late = ProviderError::TimedOut { phase: Phase::Total, limit };
    tokio::time::timeout(limit, work).await.unwrap_or(Err(late))
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.record(Ok(Brought::default()), Some("cancelled"));
    }
}
