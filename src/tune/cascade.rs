use super::TuneError;
use super::answers::{Answered, Paired};
use super::figures::{Figures, Placed};
use crate::domain::NanoUsd;
use crate::store::{RunRow, Store, StoreError};

/// What telemetry calls a request for vectors.
const EMBEDDINGS: &str = "embeddings";

/// What one answer comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Its score, 0..=1.
    pub score: f64,
    /// Its cost; `None` when unknown.
    pub cost: Option<NanoUsd>,
    /// Time from question to answer; `None` when there was no whole answer.
    pub latency_ms: Option<f64>,
}

/// From which threshold on the large model is asked as well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keep {
    /// From none: an answer that states no confidence is kept.
    Always,
    /// The answer is kept up to this threshold.
    UpTo(f64),
    /// At any: the small model declined, or its answer broke its schema.
    Never,
}

/// One question that both models answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BothAnswers {
    /// Number of its cluster; questions are in order of cluster and case.
    pub cluster: usize,
    /// Number of its case; repeats of a case follow each other.
    pub case: usize,
    /// How much its case counts.
    pub weight: f64,
    /// The small model alone.
    pub small: Figure,
    /// The large model alone.
    pub large: Figure,
    /// When the small model's answer is kept.
    pub keep: Keep,
    /// Cost that both have and a cascade has once: the question's vector.
    pub shared_cost: NanoUsd,
    /// Time that both have and a cascade has once: the question's vector, and finding passages.
    pub shared_ms: f64,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Policy {
    /// The small model, and the large one below this confidence.
    Threshold(f64),
    /// The small model alone.
    Small,
    /// The large model alone.
    Large,
}

impl BothAnswers {
    /// Whether the small model's answer is kept at this threshold.
    pub fn is_kept(&self, threshold: f64) -> bool {
        match self.keep {
            Keep::Always => true,
            Keep::UpTo(confidence) => confidence >= threshold,
            Keep::Never => false,
        }
    }

    /// The answer under `policy`: of the two that were measured, put together as the pipeline does.
    ///
    /// An answer that is not kept costs what both cost and takes the time of both, less what they have in common; its
    /// score is the large model's.
    pub fn under(&self, policy: Policy) -> Figure {
        match policy {
            Policy::Small => self.small,
            Policy::Large => self.large,
            Policy::Threshold(threshold) if self.is_kept(threshold) => self.small,
            Policy::Threshold(_) => {
                let both = |small: NanoUsd, large: NanoUsd| NanoUsd(small.0 + large.0 - self.shared_cost.0);
                let cost = self.small.cost.zip(self.large.cost).map(|(small, large)| both(small, large));
                let latency_ms = self.small.latency_ms.zip(self.large.latency_ms);
                let latency_ms = latency_ms.map(|(small, large)| (small + large - self.shared_ms).max(0.0));
                Figure { score: self.large.score, cost, latency_ms }
            }
        }
    }
}

/// Questions that both models answered: what any threshold from the refusal limit on would have come to.
#[derive(Debug, Clone)]
pub struct Cascade {
    /// The questions, in order of cluster and case.
    pub questions: Vec<BothAnswers>,
    /// Score from which an answer is a success.
    pub pass_score: f64,
    /// The release's `stages.refuse_below`. Below it the small model's own refusals and answers that the release made
    /// refusals of look alike, so that nothing can be said about lower thresholds.
    pub refuse_below: f64,
    /// Answers that one of the models has no score for; they count nowhere.
    pub unpaired: u64,
    /// Whether some score depends on what an answer cost or how long it took: the scores of escalated questions are then
    /// those of the large model alone.
    pub judged_by_cost_or_time: bool,
}

impl Cascade {
    /// Reads the run of the small model alone and that of the large model alone.
    ///
    /// # Errors
    /// [`TuneError::NothingPaired`] when no case is judged in both.
    pub fn read(
        store: &Store,
        small: &RunRow,
        large: &RunRow,
        pass_score: f64,
        refuse_below: f64,
    ) -> Result<Self, TuneError> {
        let paired = Paired::read(store, small, large)?;
        let mut questions = Vec::with_capacity(paired.pairs.len());
        for ([small, large], (cluster, case)) in paired.pairs.iter().zip(paired.places()) {
            let (embed_cost, embed_ms) = embedding(store, large)?;
            questions.push(BothAnswers {
                cluster,
                case,
                weight: small.weight,
                small: figure(small),
                large: figure(large),
                keep: keep(small),
                shared_cost: embed_cost,
                shared_ms: large.retrieve_ms.unwrap_or(0.0) + embed_ms,
            });
        }
        let judged_by_cost_or_time = paired.pairs.iter().flatten().any(|answer| answer.judged_by_cost_or_time);
        Ok(Self { questions, pass_score, refuse_below, unpaired: paired.unpaired, judged_by_cost_or_time })
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.questions.last().map_or(0, |question| question.cluster + 1)
    }

    /// Number of cases.
    pub fn cases(&self) -> usize {
        self.questions.last().map_or(0, |question| question.case + 1)
    }

    /// What `policy` comes to.
    pub fn figures(&self, policy: Policy) -> Figures {
        Figures::of(&self.placed(|_| policy), self.pass_score)
    }

    /// Share of the questions that the small model answers at this threshold; `None` without questions.
    pub fn kept_share(&self, threshold: f64) -> Option<f64> {
        let kept = self.questions.iter().filter(|question| question.is_kept(threshold)).count();
        (!self.questions.is_empty()).then(|| kept as f64 / self.questions.len() as f64)
    }

    /// Every question's answer, under the policy that `policy` has for its cluster.
    pub(super) fn placed(&self, policy: impl Fn(usize) -> Policy) -> Vec<Placed> {
        let place = |question: &BothAnswers| {
            let figure = question.under(policy(question.cluster));
            Placed { cluster: question.cluster, case: question.case, weight: question.weight, figure }
        };
        self.questions.iter().map(place).collect()
    }
}

fn figure(answer: &Answered) -> Figure {
    // Both have a score: they would not be a pair otherwise.
    Figure { score: answer.score.unwrap_or(0.0), cost: answer.cost, latency_ms: answer.latency_ms }
}

/// The pipeline's rule: kept unless declined, broken, or less sure than the threshold.
fn keep(small: &Answered) -> Keep {
    match small.confidence {
        _ if small.refused || small.broken => Keep::Never,
        None => Keep::Always,
        Some(confidence) => Keep::UpTo(confidence),
    }
}

/// Cost and time of the question's vector, by the calls that were made for the ticket.
fn embedding(store: &Store, answer: &Answered) -> Result<(NanoUsd, f64), StoreError> {
    let Some(ticket) = answer.ticket else { return Ok((NanoUsd::ZERO, 0.0)) };
    let calls = store.calls_of(ticket)?;
    let calls = calls.iter().map(|(call, _)| call).filter(|call| call.operation == EMBEDDINGS);
    Ok(calls.fold((NanoUsd::ZERO, 0.0), |(cost, ms), call| {
        (cost + call.cost_nanousd.unwrap_or_default(), ms + call.latency_ms)
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A question of its own cluster and case: score, cost and time of each model, and when the small one's is kept.
    pub(crate) fn question(number: usize, keep: Keep, small: (f64, i64, f64), large: (f64, i64, f64)) -> BothAnswers {
        let figure =
            |(score, cost, ms): (f64, i64, f64)| Figure { score, cost: Some(NanoUsd(cost)), latency_ms: Some(ms) };
        BothAnswers {
            cluster: number,
            case: number,
            weight: 1.0,
            small: figure(small),
            large: figure(large),
            keep,
            shared_cost: NanoUsd(1),
            shared_ms: 4.0,
        }
    }

    pub(crate) fn cascade(questions: Vec<BothAnswers>) -> Cascade {
        Cascade { questions, pass_score: 0.5, refuse_below: 0.2, unpaired: 0, judged_by_cost_or_time: false }
    }

    /// Four questions: sure and right, half sure and wrong, unsure and right, declined.
    pub(crate) fn four() -> Cascade {
        cascade(vec![
            question(0, Keep::UpTo(0.9), (1.0, 10, 20.0), (1.0, 100, 50.0)),
            question(1, Keep::UpTo(0.6), (0.0, 10, 20.0), (1.0, 100, 50.0)),
            question(2, Keep::UpTo(0.3), (1.0, 10, 20.0), (0.5, 100, 50.0)),
            question(3, Keep::Never, (0.0, 10, 20.0), (0.0, 100, 50.0)),
        ])
    }

    #[test]
    fn the_whole_curve_of_four_questions_is_as_worked_by_hand() {
        // Kept: 10 nano-dollars, 20 ms. Not kept: 10 + 100 - 1 = 109 nano-dollars, 20 + 50 - 4 = 66 ms.
        // 0.2: questions 0, 1, 2 are kept: scores 1, 0, 1, and 0 of the large model: 2/4; cost 3*10 + 109 = 139.
        // 0.6: 0 and 1 are kept: 1, 0, 0.5, 0: 1.5/4; cost 20 + 218 = 238.
        // 0.7: only 0 is kept: 1, 1, 0.5, 0: 2.5/4; cost 10 + 327 = 337.
        // 1.0: none is kept: 1, 1, 0.5, 0: 2.5/4; cost 436, 4 * 66 / 4 = 66 ms.
        let curve = [
            (0.2, 0.5, 139, 0.75, (20.0 * 3.0 + 66.0) / 4.0, 70),
            (0.6, 0.375, 238, 0.5, (20.0 * 2.0 + 66.0 * 2.0) / 4.0, 119),
            (0.7, 0.625, 337, 0.25, (20.0 + 66.0 * 3.0) / 4.0, 112),
            (1.0, 0.625, 436, 0.0, 66.0, 145),
        ];
        let cascade = four();
        for (threshold, score, cost, kept, latency, per_success) in curve {
            let found = cascade.figures(Policy::Threshold(threshold));
            assert_eq!(found.mean_score(), Some(score), "{threshold}");
            assert_eq!(found.cost_nanousd, Some(NanoUsd(cost)), "{threshold}");
            assert_eq!(cascade.kept_share(threshold), Some(kept), "{threshold}");
            assert_eq!(found.mean_latency_ms, Some(latency), "{threshold}");
            // Passed at 0.2: 0 and 2 (139/2 = 69.5); at 0.6: 0 and 2 (238/2); at 0.7 and 1: 0, 1 and 2 (337/3, 436/3).
            assert_eq!(found.cost_per_success_nanousd, Some(NanoUsd(per_success)), "{threshold}");
        }
        let large = cascade.figures(Policy::Large);
        assert_eq!((large.mean_score(), large.cost_nanousd), (Some(0.625), Some(NanoUsd(400))));
        let small = cascade.figures(Policy::Small);
        assert_eq!((small.mean_score(), small.cost_nanousd), (Some(0.5), Some(NanoUsd(40))));
    }

    #[test]
    fn an_answer_is_kept_at_exactly_its_confidence() {
        let question = question(0, Keep::UpTo(0.6), (0.0, 1, 1.0), (1.0, 1, 1.0));
        assert_eq!([0.599, 0.6, 0.601].map(|threshold| question.is_kept(threshold)), [true, true, false]);
        assert!(BothAnswers { keep: Keep::Always, ..question }.is_kept(1.0));
        assert!(!BothAnswers { keep: Keep::Never, ..question }.is_kept(0.0));
    }

    #[test]
    fn what_is_unknown_of_one_model_is_unknown_of_both_together() {
        let mut question = question(0, Keep::UpTo(0.3), (0.0, 1, 1.0), (1.0, 1, 1.0));
        question.small.latency_ms = None;
        question.large.cost = None;
        let escalated = question.under(Policy::Threshold(0.5));
        assert_eq!((escalated.score, escalated.cost, escalated.latency_ms), (1.0, None, None));
        assert_eq!(question.under(Policy::Threshold(0.2)).cost, Some(NanoUsd(1)));
    }

    #[test]
    fn a_refused_or_broken_answer_is_never_kept_and_one_without_confidence_always() {
        let answer = Answered {
            cluster: String::new(),
            case: String::new(),
            weight: 1.0,
            score: Some(1.0),
            refused: false,
            broken: false,
            confidence: Some(0.7),
            cost: None,
            latency_ms: None,
            retrieve_ms: None,
            ticket: None,
            judged_by_cost_or_time: false,
        };
        assert_eq!(keep(&answer), Keep::UpTo(0.7));
        assert_eq!(keep(&Answered { refused: true, ..answer.clone() }), Keep::Never);
        assert_eq!(keep(&Answered { broken: true, confidence: None, ..answer.clone() }), Keep::Never);
        assert_eq!(keep(&Answered { confidence: None, ..answer }), Keep::Always);
    }
}
