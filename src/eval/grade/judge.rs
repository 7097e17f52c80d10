mod error;
mod grader;
mod ruling;

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use serde::Deserialize;
use serde_json::json;

use crate::cost::BudgetBreach;
use crate::domain::{Clock, ContentHash, Hasher, IdSource, NanoUsd, TENANT_SHARED, TicketId};
use crate::prompts::{CompiledPrompt, PromptError, Role as PromptRole};
use crate::providers::{ChatMessage, ChatRequest, Role};
use crate::proxy::{CallContext, Completion, Proxy, ProxyError};

pub use error::JudgeError;
pub(super) use grader::judge;
pub use grader::judge_prompt;
pub use ruling::{Judged, Ruling};

/// The way to models, as far as a judge needs it.
pub trait JudgeModel: Send + Sync {
    /// Asks `model` once.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask<'a>(
        &'a self,
        context: &'a CallContext,
        model: &'a str,
        request: ChatRequest,
    ) -> BoxFuture<'a, Result<Completion, ProxyError>>;
}

impl JudgeModel for Proxy {
    fn ask<'a>(
        &'a self,
        context: &'a CallContext,
        model: &'a str,
        request: ChatRequest,
    ) -> BoxFuture<'a, Result<Completion, ProxyError>> {
        self.complete(context, model, request).boxed()
    }
}

/// What a judge is made of.
pub struct JudgeParts {
    /// The way to its model.
    pub models: Arc<dyn JudgeModel>,
    /// What it is asked with: inputs `question`, `rubric`, `a` and `b`; outputs `better` and `reason`.
    pub prompt: CompiledPrompt,
    /// Its model, `provider/model` or a route.
    pub model: String,
    /// Votes of each order of the two texts.
    pub votes: u32,
    /// The most that one request may cost, in place of its model's ceiling.
    pub approved_cost: Option<NanoUsd>,
    /// Where ids come from.
    pub ids: Arc<IdSource>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

/// A model that says whether an answer is at least as good as the expected one.
///
/// It is shown both texts without being told which is which, in both orders, as often as it has votes. It is no part of
/// the release that it judges.
pub struct Judge {
    parts: JudgeParts,
    hash: ContentHash,
}

/// What a model says of two texts.
#[derive(Debug, Deserialize)]
struct Opinion {
    better: Better,
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Better {
    A,
    B,
    Neither,
}

/// The two texts and what they answer.
struct Pair<'a> {
    question: &'a str,
    rubric: &'a str,
    expected: &'a str,
    answer: &'a str,
}

/// A failure in words, and the budget behind it.
struct Failed {
    reason: String,
    breach: Option<Box<BudgetBreach>>,
}

impl Judge {
    /// A judge of these parts.
    ///
    /// # Errors
    /// [`JudgeError::Prompt`] when the prompt does not take or give what a judge needs.
    pub fn new(parts: JudgeParts) -> Result<Self, JudgeError> {
        let (prompt, model, votes) = (&parts.prompt, &parts.model, parts.votes);
        let label = prompt.prompt().label();
        let unfit = |reason: String| JudgeError::Prompt { prompt: label.clone(), reason };
        let trial = Pair { question: "q", rubric: "", expected: "x", answer: "y" };
        messages(prompt, &trial, true).map_err(|error| unfit(error.to_string()))?;
        for better in ["a", "b", "neither"] {
            let output = json!({"better": better, "reason": "r"}).to_string();
            prompt.output_schema().check(&output).map_err(|problem| unfit(format!("its output: {problem}")))?;
        }
        let mut hash = Hasher::default();
        hash.field(prompt.prompt().hash.as_str()).field(model).field(votes.to_le_bytes());
        Ok(Self { hash: hash.finish(), parts })
    }

    /// Its identity: the hash of prompt, model and votes. Scores of two judges are not alike.
    pub fn hash(&self) -> &ContentHash {
        &self.hash
    }

    /// Its model.
    pub fn model(&self) -> &str {
        &self.parts.model
    }

    /// Its prompt with the version.
    pub fn prompt(&self) -> String {
        self.parts.prompt.prompt().label()
    }

    /// Votes of each order.
    pub fn votes(&self) -> u32 {
        self.parts.votes
    }

    /// Compares `answer` with `expected`. All calls are made for one ticket of their own, so that they are on the ledger
    /// and not part of what the answer cost.
    pub async fn compare(&self, question: &str, rubric: Option<&str>, expected: &str, answer: &str) -> Judged {
        let pair = Pair { question, rubric: rubric.unwrap_or_default(), expected, answer };
        let context = self.context();
        let (mut ruling, mut lost) = (Ruling::default(), false);
        let mut spent = Some(NanoUsd::ZERO);
        for vote in 0..self.parts.votes {
            let mut wins = [false; 2];
            for (won, answer_first) in wins.iter_mut().zip([false, true]) {
                let opinion = match self.ask(&context, &pair, answer_first, vote, &mut spent).await {
                    Ok(opinion) => opinion,
                    Err(Failed { reason, breach }) => {
                        return Judged { ruling: Err(reason), cost_nanousd: spent, breach };
                    }
                };
                let expected_side = if answer_first { Better::B } else { Better::A };
                *won = opinion.better != expected_side;
                // The sides are named as the customer of the report knows them.
                if ruling.reason.is_empty() || (!*won && !lost) {
                    let (a, b) = if answer_first { ("answer", "expected") } else { ("expected", "answer") };
                    ruling.reason = format!("{} (a: {a}, b: {b})", opinion.reason.trim());
                }
                lost |= !*won;
            }
            match wins {
                [true, true] => ruling.as_good += 1,
                [false, false] => ruling.worse += 1,
                _ => ruling.contradictory += 1,
            }
        }
        Judged { ruling: Ok(ruling), cost_nanousd: spent, breach: None }
    }

    fn context(&self) -> CallContext {
        CallContext {
            ticket: self.parts.ids.next::<TicketId>(&*self.parts.clock),
            tenant: TENANT_SHARED.to_owned(),
            endpoint: "eval",
            task: self.parts.prompt.task().to_owned(),
            prompt: self.prompt(),
            // A judge belongs to no release.
            release: String::new(),
            cache: "bypassed",
            deadline: None,
            evaluates: true,
            fingerprint: None,
            approved_cost: self.parts.approved_cost,
        }
    }

    /// Asks once, and adds what that cost to `spent`.
    async fn ask(
        &self,
        context: &CallContext,
        pair: &Pair<'_>,
        answer_first: bool,
        vote: u32,
        spent: &mut Option<NanoUsd>,
    ) -> Result<Opinion, Failed> {
        let JudgeParts { models, prompt, model, .. } = &self.parts;
        let failed = |reason: String| Failed { reason, breach: None };
        let params = prompt.params();
        let request = ChatRequest {
            messages: messages(prompt, pair, answer_first).map_err(|error| failed(error.to_string()))?,
            temperature: params.temperature,
            max_output_tokens: params.max_output_tokens,
            stop: params.stop.clone(),
            seed: params.seed.unwrap_or(u64::from(vote)),
            output_schema: Some(prompt.output_schema()),
            extensions: params.extensions.clone(),
            ..ChatRequest::default()
        };
        let outcome = models.ask(context, model, request).await;
        let cost = match &outcome {
            Ok(completion) => completion.cost_nanousd,
            Err(ProxyError::Output { cost_nanousd, .. }) => *cost_nanousd,
            Err(error) if error.may_be_billed() => None,
            // Nothing was sent, or nothing that a vendor bills.
            Err(_) => Some(NanoUsd::ZERO),
        };
        *spent = spent.zip(cost).map(|(sum, more)| sum + more);
        match outcome {
            Ok(completion) => serde_json::from_value(completion.value.unwrap_or_default())
                .map_err(|error| failed(format!("{} said nothing that is a verdict: {error}", completion.model))),
            Err(error) => {
                let reason = error.to_string();
                let breach = if let ProxyError::Budget(breach) = error { Some(breach) } else { None };
                Err(Failed { reason, breach })
            }
        }
    }
}

/// The messages that show the two texts; the expected one is `a` unless the answer comes first.
fn messages(prompt: &CompiledPrompt, pair: &Pair<'_>, answer_first: bool) -> Result<Vec<ChatMessage>, PromptError> {
    let Pair { question, rubric, expected, answer } = pair;
    let (a, b) = if answer_first { (answer, expected) } else { (expected, answer) };
    let rendered = prompt.render(&json!({"question": question, "rubric": rubric, "a": a, "b": b}))?;
    let role = |role| match role {
        PromptRole::System => Role::System,
        PromptRole::User => Role::User,
        PromptRole::Assistant => Role::Assistant,
    };
    Ok(rendered.into_iter().map(|message| ChatMessage::new(role(message.role), message.content)).collect())
}

#[cfg(test)]
mod tests;
