use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};

use super::call::{CallFacts, OpenCall, within};
use super::candidates::Candidate;
use super::complete::{addressed, brought};
use super::route::Trip;
use super::{CallContext, Completion, Proxy, ProxyError, safety};
use crate::providers::{ChatEvent, ChatRequest, ChatStream, Limits, ProviderError};

/// The pieces of an answer as they arrive: texts and parts of function calls, and at the end exactly one
/// [`CompletionEvent::Done`] or one error.
pub struct CompletionStream(BoxStream<'static, Result<CompletionEvent, ProxyError>>);

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum CompletionEvent {
    /// A part of the answer.
    Part(ChatEvent),
    /// The end: the whole answer, with what it consumed and cost.
    Done(Box<Completion>),
}

impl Stream for CompletionStream {
    type Item = Result<CompletionEvent, ProxyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

/// A stream whose first piece is here.
struct Begun {
    call: OpenCall,
    first: ChatEvent,
    rest: ChatStream,
}

impl Proxy {
    /// As [`Proxy::complete`], piece by piece. Until the first piece other candidates are asked in turn; after it an
    /// error ends the stream, since what the caller has seen cannot be taken back. The answer is not checked against a
    /// schema. Dropping the stream cancels the call: what arrived is booked. A stream that goes on beyond what is held for
    /// it is cut there, and ends as an answer at its limit does.
    ///
    /// # Errors
    /// Why there is no answer at all.
    pub async fn stream(
        &self,
        context: &CallContext,
        target: &str,
        mut request: ChatRequest,
    ) -> Result<CompletionStream, ProxyError> {
        if self.inner.recording.is_on() {
            // An exchange is recorded and replayed whole.
            request.output_schema = None;
            let whole = self.complete(context, target, request).await?;
            let text = (!whole.text.is_empty()).then(|| ChatEvent::Text(whole.text.clone()));
            let calls = whole.tool_calls.clone().into_iter().enumerate().map(|(index, call)| ChatEvent::ToolCall {
                index,
                id: Some(call.id),
                name: Some(call.name),
                arguments: call.arguments,
            });
            let parts: Vec<_> = text.into_iter().chain(calls).map(|part| Ok(CompletionEvent::Part(part))).collect();
            let done = Ok(CompletionEvent::Done(Box::new(whole)));
            return Ok(CompletionStream(stream::iter(parts.into_iter().chain([done])).boxed()));
        }
        let fallback = self.inner.fallback(context, target).map(|model| (model, request.clone()));
        match (self.begin(context, target, &mut request).await, fallback) {
            (Err(ProxyError::Budget(_)), Some((model, mut request))) => self.begin(context, model, &mut request).await,
            (Err(error), _) => Err(self.inner.degraded(context, error)),
            (begun, _) => begun,
        }
    }

    async fn begin(
        &self,
        context: &CallContext,
        target: &str,
        request: &mut ChatRequest,
    ) -> Result<CompletionStream, ProxyError> {
        let facts = CallFacts { stream: true, ..self.inner.facts(context, request) };
        let request = &*request;
        let plan = self.inner.plan_chat(target, context, request)?;
        let trip = Trip::new(&self.inner, target, facts, self.inner.allowed(context));
        let begun = trip.run(&plan, |call, candidate, limits| begin(call, candidate, request, limits)).await?;
        Ok(CompletionStream(follow(begun.value, begun.candidate, begun.unknown_cost)))
    }
}

/// Makes one attempt up to the first piece of its answer.
async fn begin(
    mut call: OpenCall,
    candidate: Arc<Candidate>,
    request: &ChatRequest,
    limits: Limits,
) -> Result<Begun, ProviderError> {
    let request = addressed(request, &candidate, call.output_tokens());
    let opened = async {
        let chat = candidate.provider.chat.as_ref().ok_or(ProviderError::Unsupported { what: "chat" })?;
        let mut rest = chat.stream(&request, limits).await?;
        let first = rest.next().await.unwrap_or(Err(ProviderError::Truncated { received_chars: 0 }))?;
        Ok((first, rest))
    };
    match within(limits.total, opened).await {
        Ok((first, rest)) => {
            call.first_token();
            Ok(Begun { call, first, rest })
        }
        Err(error) => {
            call.end(Err(&error));
            Err(error)
        }
    }
}

fn follow(
    begun: Begun,
    candidate: Arc<Candidate>,
    unknown_cost: bool,
) -> BoxStream<'static, Result<CompletionEvent, ProxyError>> {
    struct Following {
        call: Option<OpenCall>,
        pending: Option<ChatEvent>,
        rest: ChatStream,
        candidate: Arc<Candidate>,
        unknown_cost: bool,
        received_chars: usize,
        over: bool,
    }
    let Begun { call, first, rest } = begun;
    let (call, pending) = (Some(call), Some(first));
    let state = Following { call, pending, rest, candidate, unknown_cost, received_chars: 0, over: false };
    stream::unfold(state, |mut state| async move {
        // The call ends with the answer or an error; after it there is nothing.
        let mut call = state.call.take()?;
        if state.over {
            let candidate = &state.candidate;
            return Some((Ok(CompletionEvent::Done(Box::new(Completion::cut(call.cut(), candidate)))), state));
        }
        let next = if let Some(event) = state.pending.take() {
            Ok(event)
        } else {
            let nothing = Err(ProviderError::Truncated { received_chars: state.received_chars });
            state.rest.next().await.unwrap_or(nothing)
        };
        let item = match next {
            Ok(ChatEvent::Done(reply)) => {
                let cost = call.end(Ok(brought(&reply)));
                let cost = if state.unknown_cost { None } else { cost };
                Ok(CompletionEvent::Done(Box::new(Completion::of(*reply, &state.candidate, cost))))
            }
            Ok(part) => {
                state.over = match &part {
                    ChatEvent::Text(text) => call.receive(text, true),
                    ChatEvent::ToolCall { arguments, .. } => call.receive(arguments, false),
                    ChatEvent::Done(_) => false,
                };
                state.call = Some(call);
                let part = match part {
                    ChatEvent::Text(mut text) => {
                        state.received_chars += text.chars().count();
                        safety::filter_out(&mut text);
                        ChatEvent::Text(text)
                    }
                    other => other,
                };
                Ok(CompletionEvent::Part(part))
            }
            Err(source) => {
                call.end(Err(&source));
                Err(ProxyError::Provider { model: state.candidate.name.clone(), source })
            }
        };
        Some((item, state))
    })
    .boxed()
}
