use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::call::{Brought, CallFacts, OpenCall};
use super::candidates::{Candidate, Provider};
use super::recording::Exchange;
use super::route::{Trip, plus};
use super::{CallContext, Completion, Inner, Proxy, ProxyError, safety};
use crate::config::{Api, OnBreach, ProviderKind};
use crate::domain::{NanoUsd, Usage};
use crate::otlp::Operation;
use crate::providers::{ChatMessage, ChatReply, ChatRequest, FinishReason, Limits, ProviderError, Role};
use crate::text::Redactor;

impl Proxy {
    /// Asks `target` (a route or `provider/model`); `request.model` is set from the candidate that is asked, and its
    /// `extensions` are tables by provider name or kind, of which the candidate's is sent.
    ///
    /// With a schema the answer is checked, and repaired once. Every attempt is recorded, however it ends.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn complete(
        &self,
        context: &CallContext,
        target: &str,
        request: ChatRequest,
    ) -> Result<Completion, ProxyError> {
        let inner = &self.inner;
        if !inner.recording.is_on() {
            return inner.complete_or_degrade(context, target, request).await;
        }
        let asked = inner.recording.describe(&inner.redactor, context, target, &request);
        if inner.recording.replays() {
            return inner.recording.replay(&asked)?.into_completion(request.output_schema.as_deref());
        }
        let started = inner.clock.monotonic();
        let mut outcome = inner.complete_or_degrade(context, target, request).await;
        if matches!(outcome, Err(ProxyError::Budget(_) | ProxyError::Degraded { .. } | ProxyError::Ledger(_))) {
            // Nobody was asked.
            return outcome;
        }
        let latency = inner.clock.monotonic().saturating_sub(started);
        if let Ok(completion) = &mut outcome {
            // What is recorded is redacted, so what goes on is too: a replay then goes on in exactly the same way.
            redact(completion, &inner.redactor);
        }
        inner.recording.record(&asked, &Exchange::of(&outcome, latency, &inner.redactor))?;
        outcome
    }
}

impl Inner {
    pub(super) fn allowed(&self, context: &CallContext) -> Duration {
        context.deadline.map_or(self.settings.deadline, |deadline| deadline.min(self.settings.deadline))
    }

    /// What the calls of this request will have in common, after the filters on the way in.
    pub(super) fn facts(&self, context: &CallContext, request: &mut ChatRequest) -> CallFacts {
        let marks = safety::filter_in(request, &self.safety, &self.redactor);
        CallFacts {
            context: Arc::new(context.clone()),
            operation: Operation::Chat,
            stream: false,
            retries: 0,
            limit: Duration::ZERO,
            limits_output: true,
            temperature: request.temperature,
            marks,
            payload: self.payload(request),
        }
    }

    /// The redacted messages, when payloads are kept.
    fn payload(&self, request: &ChatRequest) -> Option<Arc<str>> {
        self.payloads.then(|| {
            let mut messages = serde_json::to_value(&request.messages).unwrap_or_default();
            self.redactor.redact_json(&mut messages);
            messages.to_string().into()
        })
    }

    /// As [`Inner::complete`]; what a budget refuses is asked of the model that the tenant's policy names, if it names one.
    async fn complete_or_degrade(
        self: &Arc<Self>,
        context: &CallContext,
        target: &str,
        request: ChatRequest,
    ) -> Result<Completion, ProxyError> {
        let fallback = self.fallback(context, target).map(|model| (model, request.clone()));
        match (self.complete(context, target, request).await, fallback) {
            (Err(ProxyError::Budget(breach)), Some((model, request))) => {
                tracing::info!(tenant = context.tenant, model, %breach, "a budget refused the request; another model is asked");
                self.complete(context, model, request).await
            }
            (Err(error), _) => Err(self.degraded(context, error)),
            (answered, _) => answered,
        }
    }

    /// The model that a tenant's policy names for what a budget refuses.
    pub(super) fn fallback(&self, context: &CallContext, target: &str) -> Option<&str> {
        match self.ledger.on_breach(&context.tenant) {
            OnBreach::Model(model) if model != target && !context.evaluates => Some(model),
            _ => None,
        }
    }

    /// A refusal of a budget as the tenant's policy has it.
    pub(super) fn degraded(&self, context: &CallContext, error: ProxyError) -> ProxyError {
        match (error, self.ledger.on_breach(&context.tenant)) {
            (ProxyError::Budget(breach), OnBreach::Template(text)) if !context.evaluates => {
                ProxyError::Degraded { text: text.clone(), breach }
            }
            (error, _) => error,
        }
    }

    async fn complete(
        self: &Arc<Self>,
        context: &CallContext,
        target: &str,
        mut request: ChatRequest,
    ) -> Result<Completion, ProxyError> {
        let facts = self.facts(context, &mut request);
        let started = self.clock.monotonic();
        let allowed = self.allowed(context);
        let (mut first, attempts) = self.ask(context, target, &request, facts.clone(), allowed, NanoUsd::ZERO).await?;
        let Some(schema) = request.output_schema.clone().filter(|_| first.tool_calls.is_empty()) else {
            return Ok(first);
        };
        let problem = match schema.check(&first.text) {
            Ok(value) => {
                first.value = Some(value);
                return Ok(first);
            }
            Err(problem) => problem,
        };
        let broken = |answer: Completion, problem: String| ProxyError::Output {
            model: answer.model,
            problem,
            usage: answer.usage.unwrap_or_default(),
            cost_nanousd: answer.cost_nanousd,
            calls: answer.calls,
        };
        let left = allowed.saturating_sub(self.clock.monotonic().saturating_sub(started));
        // An offline model answers the same way again, and a filter does too.
        let hopeless = self.candidates.all(&first.model)?.iter().all(|candidate| candidate.provider.is_offline())
            || first.finish_reason == FinishReason::ContentFilter;
        if hopeless || left.is_zero() {
            return Err(broken(first, problem.to_string()));
        }
        request.messages.push(ChatMessage::new(Role::Assistant, first.text.clone()));
        request.messages.push(ChatMessage::new(
            Role::User,
            format!(
                "Your reply does not satisfy its JSON Schema: {problem}. Reply with the corrected JSON value and \
                 nothing else."
            ),
        ));
        let facts = CallFacts { retries: attempts, payload: self.payload(&request), ..facts };
        // Both together stay within the ceiling of one request; what is unknown counts as the whole of it.
        let spent = first.cost_nanousd.unwrap_or(NanoUsd(i64::MAX));
        let repaired = match self.ask(context, target, &request, facts, left, spent).await {
            Ok((repaired, _)) => repaired,
            Err(error) => {
                if error.may_be_billed() {
                    first.cost_nanousd = None;
                }
                return Err(broken(first, problem.to_string()));
            }
        };
        let mut both = Completion {
            usage: first.usage.zip(repaired.usage).map(|(one, other)| one + other),
            cost_nanousd: plus(first.cost_nanousd, repaired.cost_nanousd),
            calls: first.calls + repaired.calls,
            ..repaired
        };
        match schema.check(&both.text) {
            Ok(value) => {
                both.value = Some(value);
                Ok(both)
            }
            Err(problem) => Err(broken(both, problem.to_string())),
        }
    }

    /// One answer of the first candidate that gives one.
    async fn ask(
        self: &Arc<Self>,
        context: &CallContext,
        target: &str,
        request: &ChatRequest,
        facts: CallFacts,
        allowed: Duration,
        spent: NanoUsd,
    ) -> Result<(Completion, u32), ProxyError> {
        let plan = self.plan_chat(target, context, request)?;
        let trip = Trip::new(self, target, facts, allowed).after_spending(spent);
        let attempted = trip.run(&plan, |call, candidate, limits| attempt(call, candidate, request, limits)).await?;
        let attempts = attempted.attempts;
        let (reply, cost) = attempted.value;
        let cost = if attempted.unknown_cost { None } else { cost };
        Ok((Completion::of(reply, &attempted.candidate, cost), attempts))
    }
}

impl Completion {
    /// The answer of one call, after the filters on the way out.
    pub(super) fn of(reply: ChatReply, candidate: &Candidate, cost_nanousd: Option<NanoUsd>) -> Self {
        let mut text = reply.text;
        safety::filter_out(&mut text);
        Self {
            text,
            value: None,
            tool_calls: reply.tool_calls,
            finish_reason: reply.finish_reason,
            model: candidate.name.clone(),
            usage: reply.usage,
            cost_nanousd,
            calls: 1,
            replayed: None,
        }
    }
}

impl Completion {
    /// What had arrived of a stream that was cut.
    pub(super) fn cut(mut text: String, candidate: &Candidate) -> Self {
        safety::filter_out(&mut text);
        Self {
            text,
            value: None,
            tool_calls: Vec::new(),
            finish_reason: FinishReason::Length,
            model: candidate.name.clone(),
            usage: None,
            cost_nanousd: None,
            calls: 1,
            replayed: None,
        }
    }
}

/// Replaces personal data in all that a model said. What is JSON is redacted as such and stays JSON.
fn redact(completion: &mut Completion, redactor: &Redactor) {
    completion.text = match &mut completion.value {
        Some(value) => {
            redactor.redact_json(value);
            value.to_string()
        }
        None => redactor.redact(&completion.text).into_owned(),
    };
    for call in &mut completion.tool_calls {
        call.arguments = match serde_json::from_str::<Value>(&call.arguments) {
            Ok(mut arguments) => {
                redactor.redact_json(&mut arguments);
                arguments.to_string()
            }
            Err(_) => redactor.redact(&call.arguments).into_owned(),
        };
    }
}

type Priced = (ChatReply, Option<NanoUsd>);

async fn attempt(
    call: OpenCall,
    candidate: Arc<Candidate>,
    request: &ChatRequest,
    limits: Limits,
) -> Result<Priced, ProviderError> {
    let request = addressed(request, &candidate, call.output_tokens());
    let answered = async {
        let chat = candidate.provider.chat.as_ref().ok_or(ProviderError::Unsupported { what: "chat" })?;
        chat.chat(&request, limits).await
    };
    call.carry_out(limits.total, answered, brought).await
}

/// The request as this candidate gets it.
pub(super) fn addressed(request: &ChatRequest, candidate: &Candidate, output_tokens: Option<u64>) -> ChatRequest {
    let extensions = extensions_for(&request.extensions, &candidate.provider);
    ChatRequest { model: candidate.model.clone(), extensions, max_output_tokens: output_tokens, ..request.clone() }
}

/// The parameters of this provider: by its name, else by its kind.
fn extensions_for(all: &Map<String, Value>, provider: &Provider) -> Map<String, Value> {
    let kind = match &provider.settings.kind {
        ProviderKind::Extractive => "extractive",
        ProviderKind::Echo { .. } => "echo",
        ProviderKind::Local { .. } => "local",
        ProviderKind::Http(http) => match http.api {
            Api::OpenAi => "openai",
            Api::Anthropic => "anthropic",
            Api::Gemini => "gemini",
        },
    };
    let table = all.get(&provider.name).or_else(|| all.get(kind));
    table.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// A reply as telemetry sees it.
pub(super) fn brought(reply: &ChatReply) -> Brought<'_> {
    Brought {
        usage: reply.usage.filter(|usage| *usage != Usage::default()),
        finish_reason: Some(reply.finish_reason),
        response_model: reply.response_model.as_deref(),
        request_id: reply.request_id.as_deref(),
        text: &reply.text,
    }
}
