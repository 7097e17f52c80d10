use std::borrow::Cow;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::grade::{self, Grade, Graders, Grading};
use super::{EvalError, Plan};
use crate::cost::BudgetBreach;
use crate::domain::{
    Answer, Clock, Hasher, IdSource, NanoUsd, PassageChoice, Question, RunId, Step, TENANT_SHARED, TicketId, Usage,
};
use crate::gold::{Case, Grader};
use crate::otlp::{Evaluation, record_evaluation};
use crate::pipeline::{Assistant, AssistantError};
use crate::proxy::ProxyError;
use crate::store::{CaseKind, CaseResult, CaseStatus, GradeRow, RunStatus, Store, StoreError};
use crate::text::Redactor;

/// What a replay needs.
pub struct Engine {
    /// Who answers.
    pub assistant: Arc<dyn Assistant>,
    /// Who judges.
    pub graders: Arc<Graders>,
    /// Where results are kept.
    pub store: Arc<Store>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<IdSource>,
    /// What keeps personal data out of the stored results.
    pub redactor: Arc<Redactor>,
}

/// One replay: what of, under which id, and when to stop.
pub struct Replay<'a> {
    /// What is replayed.
    pub plan: &'a Plan,
    /// The run that the results belong to.
    pub run: RunId,
    /// Whether the run was begun before, and may have results already.
    pub resumed: bool,
    /// Spend at which no further case is begun; what was spent before a resume counts.
    pub max_cost: Option<NanoUsd>,
    /// Begins no further case when so many have ended without an answer, and none with one: nobody is there to ask.
    pub give_up_after: Option<u64>,
    /// Becomes true when a person wants it to stop.
    pub stop: watch::Receiver<bool>,
    /// Hears after every finished case.
    pub progress: &'a (dyn Fn(&Progress) + Sync),
}

/// How far a replay has got.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// Finished repeats of cases, those found stored included.
    pub done: u64,
    /// Repeats of cases to be asked.
    pub planned: u64,
    /// Of the finished, those without an answer.
    pub errored: u64,
    /// Sum of weight times score of the judged.
    score_sum: f64,
    /// Sum of their weights.
    weight_sum: f64,
    /// What was spent, as far as it is known; bounds included.
    pub spent: NanoUsd,
    /// Whether some of it is unknown.
    pub spent_more: bool,
    /// The budget that has no room for another case.
    pub breach: Option<Box<BudgetBreach>>,
}

impl Progress {
    /// The mean score so far.
    pub fn score(&self) -> Option<f64> {
        (self.weight_sum > 0.0).then(|| self.score_sum / self.weight_sum)
    }

    fn add(&mut self, result: &Finished) {
        self.spent += result.cost.unwrap_or_default();
        self.spent_more |= result.cost.is_none();
        if result.breach.is_some() {
            self.breach.clone_from(&result.breach);
        }
        if result.kind != CaseKind::Case {
            return;
        }
        self.done += 1;
        self.errored += u64::from(result.status == CaseStatus::Errored);
        if let Some(score) = result.score {
            self.score_sum += score * result.weight;
            self.weight_sum += result.weight;
        }
    }
}

/// What the loop keeps of a stored result.
struct Finished {
    kind: CaseKind,
    status: CaseStatus,
    score: Option<f64>,
    weight: f64,
    cost: Option<NanoUsd>,
    breach: Option<Box<BudgetBreach>>,
}

/// How a replay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// How.
    pub status: RunStatus,
    /// The budget that stopped it.
    pub breach: Option<Box<BudgetBreach>>,
}

/// An answer that was asked for by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneAnswer {
    /// Its score; `None` when a grader could not judge.
    pub score: Option<f64>,
    /// What it cost; `None` when unknown.
    pub cost: Option<NanoUsd>,
}

/// One question to ask: a repeat of a case, or a bound of it.
struct Task {
    case: Arc<Case>,
    graders: Arc<[Grader]>,
    kind: CaseKind,
    repeat: u32,
    question: Question,
}

impl Engine {
    /// Asks every planned case that has no answer yet, at most `concurrency` at a time, until all are done, the spend
    /// limit or a budget is reached, or `stop` says so. Every result is durable before its place is given to the next case.
    ///
    /// # Errors
    /// When the gold set or the store fails; what was stored until then stays.
    pub async fn replay(self: &Arc<Self>, mut replay: Replay<'_>) -> Result<Replayed, EvalError> {
        let plan = replay.plan;
        let totals = self.store.run_totals(replay.run)?;
        let mut progress = Progress {
            planned: plan.planned(),
            spent: totals.cost,
            spent_more: totals.cost_incomplete,
            ..Progress::default()
        };
        let mut tasks = JoinSet::new();
        let mut status = RunStatus::Complete;
        (replay.progress)(&progress);
        'cases: for case in plan.cases()? {
            let case = Arc::new(case?);
            let graders: Arc<[Grader]> = plan.set.graders_for(&case).into();
            for (kind, repeat) in kinds(plan, &case) {
                if replay.resumed && self.store.is_answered(replay.run, kind, case.cluster(), &case.id, repeat)? {
                    if kind == CaseKind::Case {
                        self.count_stored(&replay, &case, repeat, &mut progress)?;
                    }
                    continue;
                }
                while tasks.len() >= plan.details.concurrency {
                    if !next(&mut tasks, &mut replay, &mut progress).await? {
                        break;
                    }
                }
                if *replay.stop.borrow() {
                    status = RunStatus::Interrupted;
                    break 'cases;
                }
                let nobody_answers = progress.errored == progress.done;
                if nobody_answers && replay.give_up_after.is_some_and(|most| progress.errored >= most) {
                    status = RunStatus::Stopped;
                    // What is under way would only wait for nobody once more.
                    tasks.shutdown().await;
                    break 'cases;
                }
                if progress.breach.is_some() {
                    status = RunStatus::Stopped;
                    break 'cases;
                }
                if replay.max_cost.is_some() && progress.spent_more {
                    tracing::warn!(
                        "what some case cost is unknown, so the spend limit cannot be kept: no further case is begun"
                    );
                    status = RunStatus::Stopped;
                    break 'cases;
                }
                if replay.max_cost.is_some_and(|most| progress.spent >= most) {
                    status = RunStatus::Stopped;
                    break 'cases;
                }
                let task = self.task(plan, &case, &graders, kind, repeat);
                let (engine, run) = (Arc::clone(self), replay.run);
                tasks.spawn(async move { engine.carry_out(task, run).await });
            }
        }
        while !tasks.is_empty() {
            if !next(&mut tasks, &mut replay, &mut progress).await? {
                status = RunStatus::Interrupted;
                // What is under way is given up; it is asked again when the run is resumed.
                tasks.shutdown().await;
            }
        }
        // Where somebody needs the whole, no answer at all is none, however few were planned.
        let is_void = replay.give_up_after.is_some() && progress.done > 0 && progress.errored == progress.done;
        if (progress.breach.is_some() || is_void) && status == RunStatus::Complete {
            status = RunStatus::Stopped;
        }
        Ok(Replayed { status, breach: progress.breach })
    }

    /// Asks one case once more and grades the answer, without storing a result: for evidence that is bought case by case.
    ///
    /// # Errors
    /// When the store fails, or a budget has no room.
    pub async fn ask_once(&self, case: &Case, graders: &[Grader], seed: u64) -> Result<OneAnswer, AssistantError> {
        let question = Question {
            ticket: self.ids.next::<TicketId>(&*self.clock),
            tenant: TENANT_SHARED.to_owned(),
            text: case.question.clone(),
            use_cache: false,
            passages: PassageChoice::Release,
            seed,
        };
        match self.assistant.answer(&question).await {
            Ok(answer) => {
                let Grading { grades, cost_nanousd: judging, breach } =
                    self.graders.grade(case, graders, &answer).await;
                if let Some(breach) = breach {
                    return Err(ProxyError::Budget(breach).into());
                }
                let cost = answer.cost_nanousd.zip(judging).map(|(answer, judging)| answer + judging);
                Ok(OneAnswer { score: grade::case_score(&grades), cost })
            }
            // The assistant's own failure is a score of 0, as in a run.
            Err(AssistantError::Output { spent, .. }) => Ok(OneAnswer { score: Some(0.0), cost: spent.cost_nanousd }),
            Err(error) if error.is_the_assistants_own() => {
                Ok(OneAnswer { score: Some(0.0), cost: Some(NanoUsd::ZERO) })
            }
            Err(error) => Err(error),
        }
    }

    fn count_stored(
        &self,
        replay: &Replay<'_>,
        case: &Case,
        repeat: u32,
        progress: &mut Progress,
    ) -> Result<(), EvalError> {
        if let Some(stored) = self.store.result(replay.run, &case.id, repeat)? {
            let (status, score, weight) = (stored.status, stored.score, stored.weight);
            // Its cost is in the run's totals already.
            let cost = Some(NanoUsd::ZERO);
            progress.add(&Finished { kind: CaseKind::Case, status, score, weight, cost, breach: None });
            (replay.progress)(progress);
        }
        Ok(())
    }

    fn task(&self, plan: &Plan, case: &Arc<Case>, graders: &Arc<[Grader]>, kind: CaseKind, repeat: u32) -> Task {
        let mut seed = Hasher::default();
        seed.field(plan.details.seed.to_le_bytes()).field(&case.id).field(repeat.to_le_bytes());
        let question = Question {
            ticket: self.ids.next::<TicketId>(&*self.clock),
            tenant: TENANT_SHARED.to_owned(),
            text: case.question.clone(),
            // A repeat that a cache answered would only say again what the first one said.
            use_cache: plan.details.use_cache && kind == CaseKind::Case && repeat == 0,
            passages: match kind {
                CaseKind::Case => PassageChoice::Release,
                CaseKind::Floor => PassageChoice::Random,
                CaseKind::Ceiling => {
                    PassageChoice::Oracle { documents: case.expected_docs.clone(), answer: case.expected.join("\n") }
                }
            },
            seed: seed.finish_seed(),
        };
        Task { case: Arc::clone(case), graders: Arc::clone(graders), kind, repeat, question }
    }

    async fn carry_out(&self, task: Task, run: RunId) -> Result<Finished, StoreError> {
        let outcome = self.assistant.answer(&task.question).await;
        let mut breach = match &outcome {
            Err(AssistantError::Proxy(ProxyError::Budget(breach))) => Some(breach.clone()),
            _ => None,
        };
        let mut result = match outcome {
            Ok(answer) => {
                let grading = self.graders.grade(&task.case, &task.graders, &answer).await;
                breach = grading.breach;
                CaseResult { grading_nanousd: grading.cost_nanousd, ..answered(&task, answer, grading.grades) }
            }
            Err(error) => match store_error(error) {
                Ok(store) => return Err(store),
                Err(error) => failed(&task, &error),
            },
        };
        for grade in &result.grades {
            if let Some(score) = grade.score {
                let ticket: &dyn std::fmt::Display = &task.question.ticket;
                let (name, ticket) = (grade.grader.as_str(), Some(ticket));
                // The calls are long over; the ticket joins the two.
                record_evaluation(&tracing::Span::none(), &Evaluation { name, score, response_id: None, ticket });
            }
        }
        redact(&mut result, &self.redactor);
        if let Some(error) = &result.error {
            tracing::info!(case = result.case_id, repeat = result.repeat, error, "no full answer");
        } else {
            tracing::debug!(case = result.case_id, repeat = result.repeat, score = result.score, "case");
        }
        let (kind, status) = (result.kind, result.status);
        let (score, weight, cost) = (result.score, result.weight, result.cost_nanousd);
        let finished = Finished { kind, status, score, weight, cost, breach };
        let grading = result.grading_nanousd;
        let cost = self.store.record_result(run, result).await?;
        Ok(Finished { cost: cost.zip(grading).map(|(answer, grading)| answer + grading), ..finished })
    }
}

/// Replaces personal data in everything that is kept of a case. It was graded before, as it was said.
fn redact(result: &mut CaseResult, redactor: &Redactor) {
    let texts = [&mut result.question, &mut result.answer];
    let reasons = result.grades.iter_mut().filter_map(|grade| grade.reason.as_mut());
    for text in texts.into_iter().chain(&mut result.expected).chain(&mut result.error).chain(reasons) {
        if let Cow::Owned(redacted) = redactor.redact(text) {
            *text = redacted;
        }
    }
}

/// The bounds are asked once, whatever the repeats: they only give the scale.
fn kinds(plan: &Plan, case: &Case) -> impl Iterator<Item = (CaseKind, u32)> + use<> {
    let bounds = if plan.has_bounds(case) { &[CaseKind::Floor, CaseKind::Ceiling][..] } else { &[] };
    let repeats = (0..plan.details.repeats).map(|repeat| (CaseKind::Case, repeat));
    repeats.chain(bounds.iter().map(|kind| (*kind, 0)))
}

/// Waits for one task to end; returns false when a person stopped the run first.
async fn next(
    tasks: &mut JoinSet<Result<Finished, StoreError>>,
    replay: &mut Replay<'_>,
    progress: &mut Progress,
) -> Result<bool, EvalError> {
    let joined = tokio::select! {
        biased;
        joined = tasks.join_next() => joined,
        // Without a sender nobody can stop it any more.
        () = async { if replay.stop.wait_for(|stop| *stop).await.is_err() { std::future::pending().await } } => return Ok(false),
    };
    match joined {
        None => Ok(true),
        Some(Ok(finished)) => {
            progress.add(&finished?);
            (replay.progress)(progress);
            Ok(true)
        }
        Some(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Ok(true),
        },
    }
}

/// The store's error behind `error`, when it is one: then nothing more can be kept, and the run ends.
fn store_error(error: AssistantError) -> Result<StoreError, AssistantError> {
    use crate::kb::KbError;
    match error {
        AssistantError::Store(store) | AssistantError::Knowledge(KbError::Store(store)) => Ok(store),
        other => Err(other),
    }
}

fn answered(task: &Task, answer: Answer, grades: Vec<Grade>) -> CaseResult {
    let score = grade::case_score(&grades);
    let grades: Vec<GradeRow> = grades
        .into_iter()
        .map(|grade| GradeRow { grader: grade.grader, weight: grade.weight, score: grade.score, reason: grade.reason })
        .collect();
    let unjudged = grades.iter().find(|grade| grade.weight > 0.0 && grade.score.is_none());
    let error =
        unjudged.map(|grade| format!("{} gave no score: {}", grade.grader, grade.reason.as_deref().unwrap_or("")));
    CaseResult {
        // A grader that could not judge is tried again when the run is resumed.
        status: if error.is_some() { CaseStatus::Errored } else { CaseStatus::Answered },
        score,
        answer: answer.text,
        citations: answer.citations,
        refused: answer.refused,
        confidence: answer.confidence,
        path: Some(answer.path),
        model: answer.model,
        latency_ms: Some(answer.latency_ms),
        cost_nanousd: answer.cost_nanousd,
        usage: answer.usage,
        calls: answer.calls,
        replayed: answer.replayed,
        retrieve_ms: step_ms(&answer.trace, "retrieve"),
        escalated: step_ms(&answer.trace, "large").is_some(),
        grades,
        error,
        ..unanswered(task)
    }
}

/// How long the step of this name took, when it was taken.
fn step_ms(trace: &[Step], name: &str) -> Option<f64> {
    trace.iter().find(|step| step.name == name).map(|step| step.duration_ms)
}

/// The assistant's own failure is a score of 0; a failure around it is no score at all.
fn failed(task: &Task, error: &AssistantError) -> CaseResult {
    let own = error.is_the_assistants_own();
    let (usage, cost_nanousd, calls) = match error {
        AssistantError::Output { spent, .. } => (spent.usage, spent.cost_nanousd, spent.calls),
        // Nothing was sent, or nothing that a vendor bills.
        AssistantError::Proxy(error) if error.may_be_billed() => (Usage::default(), None, 0),
        _ => (Usage::default(), Some(NanoUsd::ZERO), 0),
    };
    CaseResult {
        status: if own { CaseStatus::Answered } else { CaseStatus::Errored },
        score: own.then_some(0.0),
        error: Some(error.to_string()),
        usage,
        cost_nanousd,
        calls,
        ..unanswered(task)
    }
}

fn unanswered(task: &Task) -> CaseResult {
    let Task { case, kind, repeat, question, .. } = task;
    CaseResult {
        kind: *kind,
        cluster: case.cluster().to_owned(),
        case_id: case.id.clone(),
        repeat: *repeat,
        status: CaseStatus::Errored,
        score: None,
        weight: case.weight,
        answerable: case.is_answerable(),
        critical: case.critical,
        tags: case.tags.clone(),
        question: case.question.clone(),
        expected: case.expected.clone(),
        answer: String::new(),
        citations: Vec::new(),
        refused: false,
        confidence: None,
        path: None,
        model: None,
        latency_ms: None,
        cost_nanousd: None,
        usage: Usage::default(),
        calls: 0,
        grades: Vec::new(),
        error: None,
        ticket: Some(question.ticket),
        replayed: false,
        retrieve_ms: None,
        escalated: false,
        grading_nanousd: Some(NanoUsd::ZERO),
    }
}
