use std::borrow::Cow;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::attempt::Output;
use super::cache::ExactCache;
use super::trace::Trace;
use super::{Assistant, AssistantError, Spent};
use crate::domain::{Answer, AnswerPath, Clock, NanoUsd, Passage, PassageChoice, Question, TENANT_SHARED, TicketId};
use crate::kb::{KnowledgeBase, SearchMode, SearchRequest};
use crate::prompts::{CompiledPrompt, Release, RetrievalMode};
use crate::providers::{ChatMessage, ChatRequest, Role};
use crate::proxy::{CallContext, Completion, Proxy, ProxyError, RoutedEmbedder};
use crate::store::Store;
use crate::text;

/// What the assistant says instead of an answer that its own confidence does not carry.
const REFUSAL: &str = "I could not find an answer to this in the documents.";

/// A question's vector, and the time that it took when it was recorded.
type QueryVector = (Vec<f32>, Option<std::time::Duration>);

/// The pipeline in this process.
pub struct Local {
    parts: Parts,
    prompt_name: String,
}

/// What the pipeline is made of.
pub struct Parts {
    /// The release that answers.
    pub release: Arc<Release>,
    /// Its `answer` prompt.
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
        let messages = self.render(&question, &self.passages(&question, None)?)?;
        Ok(messages.iter().map(|message| text::word_count(&message.content) as u64).sum())
    }

    /// Most tokens of one answer.
    pub fn max_output_tokens(&self) -> u64 {
        let limit = self.parts.release.limits.max_output_tokens;
        self.parts.prompt.params().max_output_tokens.map_or(limit, |tokens| tokens.min(limit))
    }

    async fn run(&self, question: &Question) -> Result<Answer, AssistantError> {
        let Parts { release, clock, store, .. } = &self.parts;
        let mut trace = Trace::start(&**clock);
        let normalized = self.normalize(&question.text)?;
        trace.step("normalize", "");

        let cache = self
            .is_cacheable(question)
            .then(|| ExactCache::entry(store, release, question, &normalized, clock.now().as_millisecond()))
            .transpose()?;
        if let Some(cache) = &cache {
            let hit = cache.get(question)?;
            trace.step("exact_cache", if hit.is_some() { "hit" } else { "miss" });
            if let Some(hit) = hit {
                let (latency_ms, trace) = trace.finish();
                return Ok(Answer { latency_ms, trace, ..hit });
            }
        } else {
            trace.step("exact_cache", "bypassed");
        }

        let mut spent = Spent::NOTHING;
        let vector = self.query_vector(question, &mut spent).await?;
        if let Some((_, replayed)) = &vector {
            trace.step("embed", release.retrieval.embedder.clone().unwrap_or_default());
            if let Some(latency) = replayed {
                trace.replayed(*latency);
            }
        }
        let passages = self.passages(question, vector.as_ref().map(|(vector, _)| vector.as_slice()))?;
        trace.step("retrieve", format!("{} passages, {}", passages.len(), release.retrieval.mode.as_str()));

        let messages = self.render(question, &passages)?;
        trace.step("render", self.prompt_name.clone());

        let (output, path, model) = self.ask_models(question, messages, &passages, &mut trace, &mut spent).await?;
        let confidence = output.confidence;
        let unsure = confidence.is_some_and(|confidence| confidence < release.stages.refuse_below);
        let refused = output.refused || unsure;
        let text =
            if refused && (unsure || output.answer.trim().is_empty()) { REFUSAL.to_owned() } else { output.answer };
        let replayed = trace.is_replayed();
        let (latency_ms, steps) = trace.finish();
        tracing::debug!(ticket = %question.ticket, path = ?path, confidence, refused, latency_ms, "answered");
        let answer = Answer {
            ticket: question.ticket,
            text,
            citations: if refused { Vec::new() } else { output.citations },
            refused,
            confidence,
            path: if refused { AnswerPath::Refused } else { path },
            model: Some(model),
            passages,
            usage: spent.usage,
            cost_nanousd: spent.cost_nanousd,
            latency_ms,
            calls: spent.calls,
            replayed,
            trace: steps,
        };
        // An answer with personal data in it is not kept, and redacted it would not be the answer.
        let personal = || matches!(self.parts.proxy.redactor().redact(&answer.text), Cow::Owned(_));
        if let Some(cache) = cache.as_ref().filter(|_| !replayed && !personal()) {
            cache.put(&answer).await?;
        }
        Ok(answer)
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
    async fn query_vector(
        &self,
        question: &Question,
        spent: &mut Spent,
    ) -> Result<Option<QueryVector>, AssistantError> {
        let Parts { kb, release, proxy, .. } = &self.parts;
        let uses_vectors = matches!(release.retrieval.mode, RetrievalMode::Vector | RetrievalMode::Hybrid)
            && question.passages == PassageChoice::Release;
        let Some(model) = release.retrieval.embedder.clone().filter(|_| uses_vectors) else { return Ok(None) };
        let embedder = RoutedEmbedder::new(Arc::clone(proxy), model, self.context(question, "embed"));
        let vector = kb.embed_query(&embedder, &question.text).await?;
        let asked = embedder.spent();
        spent.add(Some(asked.usage), asked.cost_nanousd, asked.calls);
        Ok(vector.map(|vector| (vector, asked.replayed)))
    }

    fn context(&self, question: &Question, task: &str) -> CallContext {
        let Parts { release, endpoint, approved_cost, .. } = &self.parts;
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
        for passage in &mut passages {
            cut_to_words(&mut passage.text, release.limits.passage_words);
        }
        Ok(passages)
    }

    fn render(&self, question: &Question, passages: &[Passage]) -> Result<Vec<ChatMessage>, AssistantError> {
        let passages: Vec<_> = passages
            .iter()
            .map(|passage| serde_json::json!({"id": passage.chunk, "heading": passage.heading, "text": passage.text}))
            .collect();
        let inputs = serde_json::json!({"question": question.text, "passages": passages});
        let messages = self.parts.prompt.render(&inputs)?;
        let role = |role| match role {
            crate::prompts::Role::System => Role::System,
            crate::prompts::Role::User => Role::User,
            crate::prompts::Role::Assistant => Role::Assistant,
        };
        Ok(messages.into_iter().map(|message| ChatMessage::new(role(message.role), message.content)).collect())
    }

    /// Asks the small model, and the large one when the small one is unsure, declines, or breaks its schema.
    async fn ask_models(
        &self,
        question: &Question,
        messages: Vec<ChatMessage>,
        passages: &[Passage],
        trace: &mut Trace<'_>,
        spent: &mut Spent,
    ) -> Result<(Output, AnswerPath, String), AssistantError> {
        let stages = &self.parts.release.stages;
        if let Some(small) = &stages.small {
            let outcome = self.ask(question, small, messages.clone(), passages, spent).await;
            note(trace, "small", &outcome);
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
        let outcome = self.ask(question, large, messages, passages, spent).await;
        note(trace, "large", &outcome);
        let (output, completion) = outcome?;
        Ok((output, AnswerPath::Large, completion.model))
    }

    async fn ask(
        &self,
        question: &Question,
        model: &str,
        messages: Vec<ChatMessage>,
        passages: &[Passage],
        spent: &mut Spent,
    ) -> Result<(Output, Completion), AssistantError> {
        let Parts { prompt, proxy, .. } = &self.parts;
        let params = prompt.params();
        let request = ChatRequest {
            messages,
            temperature: params.temperature,
            max_output_tokens: self.max_output_tokens(),
            stop: params.stop.clone(),
            seed: params.seed.unwrap_or(question.seed),
            output_schema: Some(prompt.output_schema()),
            extensions: params.extensions.clone(),
            ..ChatRequest::default()
        };
        let context = self.context(question, prompt.task());
        let broken = |model: String, problem: String, spent: Spent| AssistantError::Output {
            model,
            prompt: self.prompt_name.clone(),
            problem,
            spent: Box::new(spent),
        };
        let mut completion = match proxy.complete(&context, model, request).await {
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

/// Cuts `text` after its first `most` words.
fn cut_to_words(text: &mut String, most: usize) {
    let mut words = 0;
    let mut within = false;
    let end = text.char_indices().find_map(|(at, character)| {
        let starts = !character.is_whitespace() && !within;
        within = !character.is_whitespace();
        words += usize::from(starts);
        (words > most).then_some(at)
    });
    if let Some(end) = end {
        text.truncate(end);
        text.truncate(text.trim_end().len());
    }
}

#[cfg(test)]
mod tests {
    use super::cut_to_words;

    #[test]
    fn passages_are_cut_between_words() {
        for (most, expected) in [(2, "one  two"), (3, "one  two\nthree"), (9, "one  two\nthree")] {
            let mut text = String::from("one  two\nthree");
            cut_to_words(&mut text, most);
            assert_eq!(text, expected);
        }
    }
}
