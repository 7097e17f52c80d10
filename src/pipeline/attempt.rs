use serde::Deserialize;

use crate::domain::Passage;

/// What the `answer` prompt's output says, once it satisfies the prompt's schema.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Output {
    /// The answer itself.
    #[serde(default)]
    pub(super) answer: String,
    /// Ids of the passages it rests on.
    #[serde(default)]
    pub(super) citations: Vec<String>,
    /// How sure the model is, 0..=1.
    #[serde(default)]
    pub(super) confidence: Option<f64>,
    /// Whether it declined.
    #[serde(default)]
    pub(super) refused: bool,
}

impl Output {
    /// Leaves only citations of passages that the model was shown.
    pub(super) fn keep_real_citations(&mut self, passages: &[Passage]) {
        self.citations.retain(|cited| passages.iter().any(|passage| passage.chunk == *cited));
    }
}
