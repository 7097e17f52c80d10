use super::Grade;

/// What a check found, before it is named and weighed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Judgement {
    /// A score in 0..=1, and what to say about it.
    Score { score: f64, reason: Option<String> },
    /// The grader should have judged and could not.
    Unjudged(String),
    /// The case has nothing that this check could look at; it does not count.
    NotApplicable(String),
}

impl Judgement {
    pub(super) fn score(score: f64) -> Self {
        Self::Score { score, reason: None }
    }

    pub(super) fn because(score: f64, reason: impl Into<String>) -> Self {
        Self::Score { score, reason: Some(reason.into()) }
    }

    /// 1 for yes; 0 for no, with the reason.
    pub(super) fn yes_or_no(yes: bool, reason: impl FnOnce() -> String) -> Self {
        if yes { Self::score(1.0) } else { Self::because(0.0, reason()) }
    }

    pub(super) fn into_grade(self, grader: String, weight: f64) -> Grade {
        match self {
            Self::Score { score, reason } => Grade { grader, weight, score: Some(score.clamp(0.0, 1.0)), reason },
            Self::Unjudged(reason) => Grade { grader, weight, score: None, reason: Some(reason) },
            Self::NotApplicable(reason) => Grade { grader, weight: 0.0, score: None, reason: Some(reason) },
        }
    }
}
