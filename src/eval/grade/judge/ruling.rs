use crate::cost::BudgetBreach;
use crate::domain::NanoUsd;

/// What came of judging one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was found, or why nothing was.
    pub ruling: Result<Ruling, String>,
    /// What it cost, also when it failed; `None` when unknown.
    pub cost_nanousd: Option<NanoUsd>,
    /// The budget that had no room for it.
    pub breach: Option<Box<BudgetBreach>>,
}

/// What the votes on one answer came to. A vote asks twice, with the two texts swapped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ruling {
    /// Votes that found the answer at least as good in both orders.
    pub as_good: u32,
    /// Votes that found it worse in both orders.
    pub worse: u32,
    /// Votes whose two orders contradict each other: the model went by the position.
    pub contradictory: u32,
    /// Why the answer lost first, in the model's words; where it never lost, what the first vote said.
    pub reason: String,
}

impl Ruling {
    /// The share of won orders, 0..=1: a vote that contradicts itself counts half.
    pub fn score(&self) -> f64 {
        let votes = self.as_good + self.worse + self.contradictory;
        (f64::from(self.as_good) + 0.5 * f64::from(self.contradictory)) / f64::from(votes.max(1))
    }

    pub(super) fn in_words(&self) -> String {
        let votes = self.as_good + self.worse + self.contradictory;
        let mut counts = Vec::new();
        for (count, what) in [
            (self.worse, "found the answer worse than the expected one"),
            (self.contradictory, "changed sides when the order was swapped (position bias), which counts half"),
            (self.as_good, "found it at least as good"),
        ] {
            if count > 0 {
                let who = if votes == 1 { "the vote".to_owned() } else { format!("{count} of {votes} votes") };
                counts.push(format!("{who} {what}"));
            }
        }
        format!("{}: {}", counts.join(", "), self.reason)
    }
}
