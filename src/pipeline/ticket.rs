use jiff::Timestamp;

use super::Spent;
use super::local::Parts;
use super::trace::Trace;
use crate::domain::{Answer, AnswerPath, PassageChoice, Question};
use crate::store::{OutcomeRow, PromptParts};

/// A question on its way through the pipeline. However the way ends, also when nobody waits for the answer any more, the
/// ticket's outcome is recorded.
pub(super) struct Ticket<'a> {
    pub(super) question: &'a Question,
    pub(super) trace: Trace<'a>,
    /// What its calls came to so far.
    pub(super) spent: Spent,
    /// What its prompt is made of; `None` until a model was asked.
    pub(super) prompt: Option<PromptParts>,
    /// What near-identical questions share; `None` where nobody watches for them.
    pub(super) fingerprint: Option<u64>,
    parts: &'a Parts,
    asked_at: Timestamp,
    latency_ms: Option<f64>,
    path: Option<AnswerPath>,
    resolved: bool,
}

impl<'a> Ticket<'a> {
    /// Begins the way, and its time.
    pub(super) fn open(parts: &'a Parts, question: &'a Question) -> Self {
        Self {
            question,
            trace: Trace::start(&*parts.clock),
            spent: Spent::NOTHING,
            prompt: None,
            fingerprint: None,
            parts,
            asked_at: parts.clock.now(),
            latency_ms: None,
            path: None,
            resolved: false,
        }
    }

    /// When it was asked.
    pub(super) fn asked_at(&self) -> Timestamp {
        self.asked_at
    }

    /// The answer that the tenant's policy has for a ticket that a cap refuses to pay for.
    pub(super) fn degraded(&mut self, text: String) -> Answer {
        let Spent { usage, cost_nanousd, calls } = self.spent;
        Answer {
            ticket: self.question.ticket,
            text,
            citations: Vec::new(),
            refused: false,
            confidence: None,
            path: AnswerPath::Degraded,
            model: None,
            passages: Vec::new(),
            usage,
            cost_nanousd,
            latency_ms: 0.0,
            calls,
            replayed: self.trace.is_replayed(),
            trace: Vec::new(),
        }
    }

    /// Ends the ticket's time, and writes it into its answer.
    pub(super) fn timed(&mut self, answer: Answer) -> Answer {
        let (latency_ms, trace) = self.trace.finish();
        self.latency_ms = Some(latency_ms);
        Answer { latency_ms, trace, ..answer }
    }

    /// It ends with this answer; without it, the outcome says that there was none.
    pub(super) fn close(&mut self, answer: &Answer) {
        self.path = Some(answer.path);
        self.resolved = !answer.refused && answer.path != AnswerPath::Degraded;
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        // A replay cost nothing and took another day's time; the bounds of a score are nobody's questions.
        if self.trace.is_replayed() || self.question.passages != PassageChoice::Release {
            return;
        }
        self.parts.store.record_outcome(OutcomeRow {
            ticket: self.question.ticket,
            tenant: self.question.tenant.clone(),
            endpoint: self.parts.endpoint.to_owned(),
            release: self.parts.release.hash.as_str().to_owned(),
            at: self.asked_at,
            path: self.path,
            resolved: self.resolved,
            score: None,
            latency_ms: self.latency_ms.unwrap_or_else(|| self.trace.elapsed_ms()),
            prompt: self.prompt,
        });
    }
}
