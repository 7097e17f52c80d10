use super::reader::Reader;

/// `[judge]`: the model that judges answers for the `judge` grader.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeSettings {
    /// The model (`provider/model`) or route; without one, gold sets with a `judge` grader are refused.
    pub model: Option<String>,
    /// Votes of each order of the two texts; every answer is judged twice as often.
    pub votes: u32,
    /// Lowest Cohen's kappa with human labels at which a judge may decide a gate, 0..=1.
    pub min_kappa: f64,
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self { model: None, votes: 1, min_kappa: 0.6 }
    }
}

/// Reads `[judge]`.
pub(super) fn read_judge(judge: Reader<'_>) -> JudgeSettings {
    let defaults = JudgeSettings::default();
    let settings = JudgeSettings {
        model: judge.text("model"),
        votes: judge.integer("votes", 1..=25).and_then(|votes| u32::try_from(votes).ok()).unwrap_or(defaults.votes),
        min_kappa: judge.number("min_kappa", 0.0..=1.0).unwrap_or(defaults.min_kappa),
    };
    judge.finish();
    settings
}
