use serde::{Deserialize, Serialize};

use super::{NanoUsd, TicketId, Usage};

/// The tenant scope of documents that every tenant of the project may read.
pub const TENANT_SHARED: &str = "shared";

/// One question put to the assistant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Question {
    /// The ticket that all calls made for this question belong to.
    pub ticket: TicketId,
    /// Who asks; retrieval and caches are confined to this scope and the shared one.
    pub tenant: String,
    /// The question as it was asked.
    pub text: String,
    /// Whether the answer caches may answer it (and keep the answer).
    pub use_cache: bool,
    /// Which passages the models see.
    pub passages: PassageChoice,
    /// Makes whatever is random in answering repeatable; repeats of a case have different seeds.
    pub seed: u64,
}

/// Where the passages come from that the models see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum PassageChoice {
    /// From retrieval, as the release says. The only choice outside evaluation.
    Release,
    /// Drawn at random: the floor that an evaluation is shown against.
    Random,
    /// The best passages of the documents that are known to hold the answer: the ceiling.
    Oracle {
        /// Ids of those documents, or of single chunks.
        documents: Vec<String>,
        /// What a good answer says: of more chunks than fit, those nearest to it are taken.
        answer: String,
    },
}

/// One passage of the knowledge base, as retrieved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Passage {
    /// The chunk's stable id: the document's id, `#`, and the anchor of its heading.
    pub chunk: String,
    /// The document's id.
    pub document: String,
    /// The headings above it, outermost first, joined by ` > `.
    pub heading: String,
    /// What it says.
    pub text: String,
    /// The fused retrieval score, 0..=1; `None` when it was not retrieved by score.
    pub score: Option<f64>,
}

/// Which stage of the pipeline answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerPath {
    /// The exact cache.
    Exact,
    /// The semantic cache.
    Semantic,
    /// The small model.
    Small,
    /// The large model.
    Large,
    /// No stage: nothing supported an answer.
    Refused,
    /// No stage: a cap of the tenant is reached, and its policy has a text for that.
    Degraded,
}

impl AnswerPath {
    /// Every path, in the order in which the pipeline tries them.
    pub const ALL: [Self; 6] = [Self::Exact, Self::Semantic, Self::Small, Self::Large, Self::Refused, Self::Degraded];

    /// The name used in reports and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Semantic => "semantic",
            Self::Small => "small",
            Self::Large => "large",
            Self::Refused => "refused",
            Self::Degraded => "degraded",
        }
    }
}

/// What the assistant answered, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Answer {
    /// The ticket it belongs to.
    pub ticket: TicketId,
    /// The answer itself.
    pub text: String,
    /// Ids of the chunks the answer cites, in order.
    pub citations: Vec<String>,
    /// Whether the assistant declined to answer.
    pub refused: bool,
    /// The answering model's calibrated confidence, 0..=1; `None` when it stated none.
    pub confidence: Option<f64>,
    /// Which stage answered.
    pub path: AnswerPath,
    /// The model that answered (`provider/model`); `None` from a cache.
    pub model: Option<String>,
    /// What the models saw, best first.
    pub passages: Vec<Passage>,
    /// Tokens of all calls made for it.
    pub usage: Usage,
    /// Cost of all calls made for it; `None` when a price is unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// Time from question to answer.
    pub latency_ms: f64,
    /// Number of model calls made for it.
    pub calls: u32,
    /// Whether a model's answer was replayed from a recording: the latency is of that day, not of this.
    #[serde(default)]
    pub replayed: bool,
    /// Each step taken, in order.
    pub trace: Vec<Step>,
}

/// One step of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Step {
    /// Its name: `normalize`, `exact_cache`, `retrieve`, `small`, `large`, …
    pub name: String,
    /// How long it took.
    pub duration_ms: f64,
    /// What came of it, in a few words.
    pub detail: String,
}
