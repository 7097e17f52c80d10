//! L4: one question's way through the assistant: normalize, exact cache, retrieve, semantic cache, small model, large
//! model when confidence is low, check of the output against its schema.
//!
//! `ask`, `eval` and everything later goes through [`Assistant`], and does not know what stands behind it.

mod attempt;
mod cache;
mod diet;
mod local;
mod ticket;
mod trace;

use futures::future::BoxFuture;

pub use local::{Local, Parts};

use crate::domain::{Answer, NanoUsd, Question, Usage};
use crate::kb::KbError;
use crate::prompts::PromptError;
use crate::proxy::ProxyError;
use crate::store::StoreError;

/// Something that answers questions: the pipeline in this process, or a server.
pub trait Assistant: Send + Sync {
    /// Answers one question. A refusal is an answer.
    ///
    /// # Errors
    /// Why there is no answer.
    fn answer<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer, AssistantError>>;
}

/// Sums over the calls of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Tokens.
    pub usage: Usage,
    /// Cost; `None` once a call's cost is unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Number of calls that were answered.
    pub calls: u32,
}

impl Spent {
    const NOTHING: Self = Self { usage: Usage::ZERO, cost_nanousd: Some(NanoUsd::ZERO), calls: 0 };

    fn add(&mut self, usage: Option<Usage>, cost: Option<NanoUsd>, calls: u32) {
        self.usage += usage.unwrap_or_default();
        self.cost_nanousd = self.cost_nanousd.zip(cost).and_then(|(sum, cost)| sum.checked_add(cost));
        self.calls += calls;
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AssistantError {
    /// There is nothing in the question.
    #[error("the question is empty")]
    EmptyQuestion,
    /// The question is longer than the release allows.
    #[error("the question has {length} characters, and the release allows {limit} (`limits.max_question_chars`)")]
    QuestionTooLong {
        /// Its length in characters.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// What the model said is not what its prompt promises.
    #[error("the answer of {model} breaks the output schema of {prompt}: {problem}")]
    Output {
        /// `provider/model`.
        model: String,
        /// Prompt name and version.
        prompt: String,
        /// What is wrong with it.
        problem: String,
        /// What the question had consumed by then.
        spent: Box<Spent>,
    },
    /// The release has no model to ask.
    #[error("the release has neither a small nor a large model")]
    NoModel,
    /// The prompt cannot be rendered.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A model call failed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Retrieval failed.
    #[error(transparent)]
    Knowledge(#[from] KbError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AssistantError {
    /// Whether the assistant itself failed the question, so that asking again would fail again; otherwise something
    /// around it (a provider, the store) was not there.
    pub fn is_the_assistants_own(&self) -> bool {
        matches!(self, Self::EmptyQuestion | Self::QuestionTooLong { .. } | Self::Output { .. } | Self::Prompt(_))
    }
}

#[cfg(test)]
mod tests;
