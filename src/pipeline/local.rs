use std::borrow::Cow;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::attempt::Output;
use super::cache::ExactCache;
use super::diet::{put_on_diet, size};
use super::ticket::Ticket;
use super::trace::Trace;
use super::{Assistant, AssistantError, Spent};
use crate::domain::{Answer, AnswerPath, Clock, NanoUsd, Passage, PassageChoice, Question, TENANT_SHARED, TicketId};
use crate::kb::{KnowledgeBase, SearchMode, SearchRequest};
use crate::prompts::{CompiledPrompt, Message, Release, RetrievalMode};
use crate::providers::{ChatMessage, ChatRequest, Role};
use crate::proxy::{CallContext, Completion, Proxy, ProxyError, RoutedEmbedder};
use crate::store::{PromptParts, Store};
use crate::text;

/// What the assistant says instead of an answer that its own confidence does not carry.
const REFUSAL: &str = "I could not find an answer to this in the documents.";

/// The pipeline in this process.
pub struct Local {
    parts: Parts,
    prompt_name: String,
}

/// What the pipeline is made of.
pub struct Parts {
    /// The release that answers.
    pub release: Arc<Release>,
    /// Its `answer` prompt, with the examples that the release gives it.
    pub prompt: CompiledPrompt,
    /// Where passages come from.
    pub kb: Arc<KnowledgeBase>,
    /// The way to the models.
    pub proxy: Arc<Proxy>,
    /// Where answers are cached.
    pub store: Arc<Store>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Which command or route asks; goes into telemetry.
    pub endpoint: &'static str,
    /// An explicit approval: the most that one request to a model may cost, in place of its ceiling.
    pub approved_cost: Option<NanoUsd>,
    /// Whether an evaluation asks: it repeats questions on purpose, waits for room in a budget, and wants the release's own
    /// answers whatever a tenant's policy says.
    pub evaluates: bool,
}

/// What the models are asked, and what it is made of.
#[derive(Clone)]
struct Rendered {
    messages: Vec<ChatMessage>,
    parts: PromptParts,
}

impl Local {
    /// A pipeline of these parts.
    pub fn new(parts: Parts) -> Self {
        let prompt_name = format!("{}@v{}", parts.prompt.name(), parts.prompt.version());
        Self { parts, prompt_name }
    }

    /// Words of the prompt that this question would be asked with: about its tokens. Nothing is called.
    ///
    /// # Errors
    /// As for an answer, up to the first call.
    pub fn prompt_words(&self, question: &str) -> Result<u64, AssistantError> {
        let question = Question {
            ticket: TicketId::from(uuid::Uuid::nil()),
            tenant: TENANT_SHARED.to_owned(),
            text: question.to_owned(),
            use_cache: false,
            passages: PassageChoice::Release,
            seed: 0,
        };
        let rendered = self.render(&question, &self.passages(&question, None)?)?;
        Ok(rendered.messages.iter().map(|message| text::word_count(&message.content) as u64).sum())
    }

    /// Most tokens of one answer.
    pub fn max_output_tokens(&self) -> u64 {
        let limit = self.parts.release.limits.max_output_tokens;
        self.parts.prompt.params().max_output_tokens.map_or(limit, |tokens| tokens.min(limit))
    }

    async fn run(&self, question: &Question) -> Result<Answer, AssistantError> {
        let mut ticket = Ticket::open(&self.parts, question);
        let (answer, cache) = match self.find(&mut ticket).await {
            Err(AssistantError::Proxy(ProxyError::Degraded { text, breach })) => {
                ticket.trace.step("degraded", breach.to_string());
                (ticket.degraded(text), None)
            }
            found => found?,
        };
        let answer = ticket.timed(answer);
        let Answer { path, confidence, refused, latency_ms, replayed, .. } = answer;
        tracing::debug!(ticket = %question.ticket, path = ?path, confidence, refused, latency_ms, "answered");
        // An answer with personal data in it is not kept, and redacted it would not be the answer.
        let personal = || matches!(self.parts.proxy.redactor().redact(&answer.text), Cow::Owned(_));
        if let Some(cache) = cache.filter(|_| !replayed && !personal()) {
            cache.put(&answer).await?;
        }
        ticket.close(&answer);
        Ok(answer)
    }

    /// The answer, and where to keep it unless it comes from there.
    async fn find<'a>(&'a self, ticket: &mut Ticket<'a>) -> Result<(Answer, Option<ExactCache<'a>>), AssistantError> {
        let Parts { release, store, evaluates, .. } = &self.parts;
        let question = ticket.question;
        let normalized = self.normalize(&question.text)?;
        ticket.fingerprint = (!evaluates).then(|| text::fingerprint(&normalized));
        ticket.trace.step("normalize", "");

        let asked_at_ms = ticket.asked_at().as_millisecond();
        let cache = self
            .is_cacheable(question)
            .then(|| ExactCache::entry(store, release, question, &normalized, asked_at_ms))
            .transpose()?;
        let hit = cache.as_ref().map(|cache| cache.get(question)).transpose()?;
        ticket.trace.step(
            "exact_cache",
            match &hit {
                Some(Some(_)) => "hit",
                Some(None) => "miss",
                None => "bypassed",
            },
        );
        if let Some(hit) = hit.flatten() {
            return Ok((hit, None));
        }

        let vector = self.query_vector(ticket).await?;
        let passages = self.passages(question, vector.as_deref())?;
        ticket.trace.step("retrieve", format!("{} passages, {}", passages.len(), release.retrieval.mode.as_str()));

        let rendered = self.render(question, &passages)?;
        ticket.trace.step("render", self.prompt_name.clone());

        let (output, path, model) = self.ask_models(ticket, rendered, &passages).await?;
        let confidence = output.confidence;
        let unsure = confidence.is_some_and(|confidence| confidence < release.stages.refuse_below);
        let refused = output.refused || unsure;
        let text =
            if refused && (unsure || output.answer.trim().is_empty()) { REFUSAL.to_owned() } else { output.answer };
        let answer = Answer {
            ticket: question.ticket,
            text,
            citations: if refused { Vec::new() } else { output.citations },
            refused,
            confidence,
            path: if refused { AnswerPath::Refused } else { path },
            model: Some(model),
            passages,
            usage: ticket.spent.usage,
            cost_nanousd: ticket.spent.cost_nanousd,
            latency_ms: 0.0,
            calls: ticket.spent.calls,
            replayed: ticket.trace.is_replayed(),
            trace: Vec::new(),
        };
        Ok((answer, cache))
    }

    fn is_cacheable(&self, question: &Question) -> bool {
        self.parts.release.cache.exact && question.use_cache && question.passages == PassageChoice::Release
    }

    fn normalize(&self, question: &str) -> Result<String, AssistantError> {
        let length = question.chars().count();
        let limit = self.parts.release.limits.max_question_chars;
        if length > limit {
            return Err(AssistantError::QuestionTooLong { length, limit });
        }
        let normalized = text::normalize_question(question);
        if normalized.is_empty() { Err(AssistantError::EmptyQuestion) } else { Ok(normalized) }
    }

    /// The question's vector, where the release's retrieval makes use of one.
    async fn query_vector(&self, ticket: &mut Ticket<'_>) -> Result<Option<Vec<f32>>, AssistantError> {
        let Parts { kb, release, proxy, .. } = &self.parts;
        let question = ticket.question;
        let uses_vectors = matches!(release.retrieval.mode, RetrievalMode::Vector | RetrievalMode::Hybrid)
            && question.passages == PassageChoice::Release;
        let Some(model) = release.retrieval.embedder.clone().filter(|_| uses_vectors) else { return Ok(None) };
        let embedder = RoutedEmbedder::new(Arc::clone(proxy), model.clone(), self.context(ticket, "embed"));
        let vector = kb.embed_query(&embedder, &question.text).await;
        if let Some(breach) = embedder.take_breach() {
            // The model that the tenant's policy names answers from what words find.
            if proxy.has_fallback(&self.context(ticket, "embed")) {
                return Ok(None);
            }
            return Err(breach.into());
        }
        let vector = vector?;
        let asked = embedder.spent();
        ticket.spent.add(Some(asked.usage), asked.cost_nanousd, asked.calls);
        if vector.is_some() {
            ticket.trace.step("embed", model);
            if let Some(latency) = asked.replayed {
                ticket.trace.replayed(latency);
            }
        }
        Ok(vector)
    }

    fn context(&self, ticket: &Ticket<'_>, task: &str) -> CallContext {
        let Parts { release, endpoint, approved_cost, evaluates, .. } = &self.parts;
        let question = ticket.question;
        CallContext {
            ticket: question.ticket,
            tenant: question.tenant.clone(),
            endpoint,
            task: task.to_owned(),
            prompt: self.prompt_name.clone(),
            release: release.hash.as_str().to_owned(),
            cache: if self.is_cacheable(question) { "miss" } else { "bypassed" },
            deadline: None,
            approved_cost: *approved_cost,
            fingerprint: ticket.fingerprint,
            evaluates: *evaluates,
        }
    }

    fn passages(&self, question: &Question, query_vector: Option<&[f32]>) -> Result<Vec<Passage>, AssistantError> {
        let Parts { kb, release, .. } = &self.parts;
        let retrieval = &release.retrieval;
        let mode = match retrieval.mode {
            RetrievalMode::Off => return Ok(Vec::new()),
            RetrievalMode::Keyword => SearchMode::Keyword,
            RetrievalMode::Vector => SearchMode::Vector,
            RetrievalMode::Hybrid => SearchMode::Hybrid,
        };
        let tenant = question.tenant.as_str();
        let request = SearchRequest {
            query: &question.text,
            scopes: &KnowledgeBase::scopes(tenant),
            mode,
            limit: retrieval.top_k,
            candidates: retrieval.candidates,
            vector_weight: retrieval.vector_weight,
            query_vector,
        };
        let mut passages = match &question.passages {
            PassageChoice::Release => kb.search(&request)?.into_iter().map(|(_, passage)| passage).collect(),
            PassageChoice::Random => kb.random_passages(tenant, retrieval.top_k, question.seed)?,
            PassageChoice::Oracle { documents, answer } => kb.oracle_passages(&request, documents, answer)?,
        };
        put_on_diet(&mut passages, &question.text, &release.limits);
        Ok(passages)
    }

    fn render(&self, question: &Question, passages: &[Passage]) -> Result<Rendered, AssistantError> {
        let prompt = &self.parts.prompt;
        let shown: Vec<_> = passages
            .iter()
            .map(|passage| serde_json::json!({"id": passage.chunk, "heading": passage.heading, "text": passage.text}))
            .collect();
        let messages = prompt.render(&serde_json::json!({"question": question.text, "passages": shown}))?;
        let bytes = |messages: &[Message]| messages.iter().map(|message| message.content.len() as u64).sum::<u64>();
        let few_shot = bytes(prompt.examples());
        let passages = passages.iter().map(|passage| size(passage) as u64).sum::<u64>();
        let asked = question.text.len() as u64;
        let system = bytes(&messages).saturating_sub(few_shot + passages + asked);
        let role = |role| match role {
            crate::prompts::Role::System => Role::System,
            crate::prompts::Role::User => Role::User,
            crate::prompts::Role::Assistant => Role::Assistant,
        };
        let messages = messages.into_iter().map(|message| ChatMessage::new(role(message.role), message.content));
        let parts = PromptParts { system, few_shot, passages, question: asked };
        Ok(Rendered { messages: messages.collect(), parts })
    }

    /// Asks the small model, and the large one when the small one is unsure, declines, or breaks its schema.
    async fn ask_models(
        &self,
        ticket: &mut Ticket<'_>,
        rendered: Rendered,
        passages: &[Passage],
    ) -> Result<(Output, AnswerPath, String), AssistantError> {
        let stages = &self.parts.release.stages;
        if let Some(small) = &stages.small {
            let outcome = self.ask(ticket, small, rendered.clone(), passages).await;
            note(&mut ticket.trace, "small", &outcome);
            let keep = match &outcome {
                Ok((output, _)) => {
                    !output.refused
                        && output.confidence.is_none_or(|confidence| confidence >= stages.confidence_threshold)
                }
                Err(AssistantError::Output { .. }) => false,
                Err(_) => true,
            };
            if keep || stages.large.is_none() {
                let (output, completion) = outcome?;
                return Ok((output, AnswerPath::Small, completion.model));
            }
        }
        let large = stages.large.as_ref().ok_or(AssistantError::NoModel)?;
        let outcome = self.ask(ticket, large, rendered, passages).await;
        note(&mut ticket.trace, "large", &outcome);
        let (output, completion) = outcome?;
        Ok((output, AnswerPath::Large, completion.model))
    }

    async fn ask(
        &self,
        ticket: &mut Ticket<'_>,
        model: &str,
        rendered: Rendered,
        passages: &[Passage],
    ) -> Result<(Output, Completion), AssistantError> {
        let Parts { prompt, proxy, .. } = &self.parts;
        let params = prompt.params();
        let request = ChatRequest {
            messages: rendered.messages,
            temperature: params.temperature,
            max_output_tokens: Some(self.max_output_tokens()),
            stop: params.stop.clone(),
            seed: params.seed.unwrap_or(ticket.question.seed),
            output_schema: Some(prompt.output_schema()),
            extensions: params.extensions.clone(),
            ..ChatRequest::default()
        };
        let context = self.context(ticket, prompt.task());
        let broken = |model: String, problem: String, spent: Spent| AssistantError::Output {
            model,
            prompt: self.prompt_name.clone(),
            problem,
            spent: Box::new(spent),
        };
        let outcome = proxy.complete(&context, model, request).await;
        if outcome.as_ref().map_or_else(ProxyError::may_be_billed, |_| true) {
            ticket.prompt = Some(rendered.parts);
        }
        let spent = &mut ticket.spent;
        let mut completion = match outcome {
            Ok(completion) => completion,
            Err(ProxyError::Output { model, problem, usage, cost_nanousd, calls }) => {
                spent.add(Some(usage), cost_nanousd, calls);
                return Err(broken(model, problem, *spent));
            }
            Err(error) => return Err(error.into()),
        };
        spent.add(completion.usage, completion.cost_nanousd, completion.calls);
        let value = completion.value.take().unwrap_or_default();
        let mut output: Output = serde_json::from_value(value)
            .map_err(|error| broken(completion.model.clone(), error.to_string(), *spent))?;
        output.keep_real_citations(passages);
        Ok((output, completion))
    }
}

impl Assistant for Local {
    fn answer<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer, AssistantError>> {
        self.run(question).boxed()
    }
}

fn note(trace: &mut Trace<'_>, stage: &str, outcome: &Result<(Output, Completion), AssistantError>) {
    let detail = match outcome {
        Ok((Output { refused: true, .. }, answer)) => format!("refused by {}", answer.model),
        Ok((Output { confidence: Some(confidence), .. }, answer)) => {
            format!("confidence {confidence:.2} by {}", answer.model)
        }
        Ok((_, answer)) => format!("answered by {}", answer.model),
        Err(error) => format!("failed: {error}"),
    };
    trace.step(stage, detail);
    if let Ok((_, Completion { replayed: Some(latency), .. })) = outcome {
        trace.replayed(*latency);
    }
}
