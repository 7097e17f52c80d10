use crate::gold::GoldError;

/// Why there is no judge.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The prompt does not take or give what a judge needs.
    #[error("prompt `{prompt}` cannot judge: {reason}")]
    Prompt {
        /// The prompt with its version.
        prompt: String,
        /// What does not fit.
        reason: String,
    },
    /// The cases of one set ask for different prompts.
    #[error("gold set {gold_set} has `judge` graders with two prompts, `{one}` and `{other}`")]
    TwoPrompts {
        /// The set's name.
        gold_set: String,
        /// The prompt that was found first.
        one: String,
        /// Another.
        other: String,
    },
    /// The gold set cannot be read.
    #[error(transparent)]
    Gold(#[from] GoldError),
}

impl JudgeError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prompt { .. } => Some(
                "its inputs are the texts question, rubric, a and b; its outputs are reason, a text, and better: a, b or \
                 neither"
                    .to_owned(),
            ),
            Self::TwoPrompts { .. } => Some("scores of two prompts are not alike: use one for the whole set".to_owned()),
            Self::Gold(error) => error.hint(),
        }
    }
}
