use std::sync::{Mutex, PoisonError};

use futures::stream::{self, StreamExt};

use super::{Agreement, Calibration, CalibrationReport, Disagreement, Label, PASS_SCORE, RunVerdicts, Share, Unjudged};
use crate::cost::BudgetBreach;
use crate::domain::NanoUsd;
use crate::eval::grade::{Judge, Judged};

/// What a calibration needs.
pub struct Calibrating<'a> {
    /// Who is calibrated.
    pub judge: &'a Judge,
    /// What people said.
    pub labels: &'a [Label],
    /// The lowest kappa at which the judge may decide.
    pub min_kappa: f64,
    /// Answers under way at a time.
    pub concurrency: usize,
    /// Spend at which no further answer is begun.
    pub max_cost: Option<NanoUsd>,
    /// The stored run whose pass rate is to be corrected.
    pub run: Option<RunVerdicts>,
    /// What the time is, RFC 3339.
    pub now: String,
    /// Hears after every judged answer how many are done.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// What was spent so far, and whether that ends it.
struct Meter {
    max_cost: Option<NanoUsd>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    spent: NanoUsd,
    unknown: bool,
    breach: Option<Box<BudgetBreach>>,
    done: u64,
}

impl Meter {
    fn is_over(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A limit cannot be kept when what was spent is unknown.
        state.breach.is_some() || self.max_cost.is_some_and(|most| state.unknown || state.spent >= most)
    }

    /// Counts one answer, and says how many are done.
    fn add(&self, judged: &Judged) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.spent += judged.cost_nanousd.unwrap_or_default();
        state.unknown |= judged.cost_nanousd.is_none();
        if judged.breach.is_some() {
            state.breach.clone_from(&judged.breach);
        }
        state.done += 1;
        state.done
    }
}

/// Asks the judge about every labelled answer and compares what it says with what people said.
///
/// Also returns the budget that stopped it, if one did.
pub async fn calibrate<'a>(what: Calibrating<'a>) -> (CalibrationReport, Option<Box<BudgetBreach>>) {
    let Calibrating { judge, labels, min_kappa, concurrency, max_cost, run, now, progress } = what;
    let meter = Meter { max_cost, state: Mutex::default() };
    let counted = &meter;
    let ask = |label: &'a Label| async move {
        if counted.is_over() {
            return (label, None);
        }
        let Label { question, rubric, expected, answer, .. } = label;
        let judged = judge.compare(question, rubric.as_deref(), expected, answer).await;
        progress(counted.add(&judged));
        (label, Some(judged))
    };
    let opinions: Vec<_> = stream::iter(labels).map(ask).buffered(concurrency.max(1)).collect().await;

    let mut agreement = Agreement::default();
    let (mut contradictory, mut votes, mut not_asked) = (0, 0, 0);
    let (mut disagreements, mut unjudged) = (Vec::new(), Vec::new());
    for (label, judged) in opinions {
        let Some(judged) = judged else {
            not_asked += 1;
            continue;
        };
        match judged.ruling {
            Ok(ruling) => {
                let score = ruling.score();
                let passed = score >= PASS_SCORE;
                agreement.add(label.pass, passed);
                contradictory += u64::from(ruling.contradictory);
                votes += u64::from(judge.votes());
                if passed != label.pass {
                    disagreements.push(Disagreement {
                        line: label.line,
                        question: label.question.clone(),
                        expected: label.expected.clone(),
                        answer: label.answer.clone(),
                        passed_by_people: label.pass,
                        score,
                        reason: ruling.reason,
                    });
                }
            }
            Err(reason) => unjudged.push(Unjudged { line: label.line, question: label.question.clone(), reason }),
        }
    }
    let calibration = Calibration::new(judge, agreement, contradictory, votes, now);
    let state = meter.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let report = CalibrationReport {
        verdict: calibration.verdict(min_kappa),
        min_kappa,
        passed_by_people: Share::new(agreement.both_pass + agreement.only_people, agreement.total()),
        passed_by_judge: Share::new(agreement.both_pass + agreement.only_judge, agreement.total()),
        run: run.map(|run| run.rate(&calibration)),
        calibration,
        disagreements,
        unjudged,
        not_asked,
        cost_nanousd: (!state.unknown).then_some(state.spent),
    };
    (report, state.breach)
}
