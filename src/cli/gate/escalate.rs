use std::sync::Arc;

use futures::StreamExt;
use futures::stream;

use super::sides::Choice;
use super::terms::Terms;
use crate::cli::app::App;
use crate::cli::evaluate::engine;
use crate::cli::failure::Failure;
use crate::cli::judge;
use crate::cli::model_args::ModelArgs;
use crate::cli::output::Output;
use crate::domain::{Hasher, NanoUsd, Verdict};
use crate::eval::{Engine, OneAnswer};
use crate::gate::{Comparison, Escalation, GateReport};
use crate::gold::{Case, Grader};
use crate::pipeline::AssistantError;

/// Pairs of answers that are bought between two looks at most.
const BATCH: usize = 32;
/// Looks after which evidence that still settles nothing is given up.
const LOOKS: u64 = 500;

/// How answers are bought.
pub(super) struct Asked<'a> {
    pub(super) app: &'a App,
    pub(super) output: &'a Output,
    pub(super) terms: &'a Terms,
    pub(super) models: &'a ModelArgs,
    /// What may still be spent.
    pub(super) left: Option<NanoUsd>,
}

/// Buys evidence until the primary score is settled or the money is spent, and writes into `report` what it came to.
pub(super) async fn run(
    asked: &Asked<'_>,
    baseline: &Choice,
    candidate: &Choice,
    comparison: &Comparison<'_>,
    report: &mut GateReport,
) -> Result<(), Failure> {
    let (Choice::Release { pinned: before, .. }, Choice::Release { pinned: after, .. }) = (baseline, candidate) else {
        return Err(Failure::usage(
            "only releases can be asked again",
            "name both sides as releases: live, work, a number, or git:REF",
        ));
    };
    let is_open = report.metrics.first().is_some_and(|primary| primary.outcome == Verdict::Inconclusive);
    let Some(mut escalation) = Escalation::of(comparison).filter(|_| is_open) else {
        report.notes.push("asking again would not settle what is open".to_owned());
        return Ok(());
    };
    let Asked { app, output, terms, models, left } = asked;
    let before = engine(app, judge::ready(app, before, &terms.set, models, output).await?);
    let after = engine(app, judge::ready(app, after, &terms.set, models, output).await?);
    let cases = cases(terms)?;
    let concurrency = terms.concurrency.map_or(app.config.eval.concurrency, |number| number as usize);
    let mut number = 0_u64;
    let ended = 'buying: loop {
        if escalation.look() != Verdict::Inconclusive {
            break "the evidence is decisive".to_owned();
        }
        match (escalation.cost(), left) {
            (Some(spent), Some(most)) if spent >= *most => break "the spend limit is reached".to_owned(),
            (None, Some(_)) => break "what an answer cost is unknown".to_owned(),
            _ => {}
        }
        if number >= LOOKS * BATCH as u64 {
            break "it was asked as often as is sensible".to_owned();
        }
        let drawn = escalation.draw(BATCH);
        let asks = drawn.iter().filter_map(|id| cases.iter().find(|(case, _)| case.id == *id));
        let asks = asks.map(|(case, graders)| {
            number += 1;
            both(&before, &after, case, graders, seed(terms.seed, number))
        });
        let asks: Vec<_> = asks.collect();
        let mut answers = stream::iter(asks).buffered(concurrency.div_ceil(2));
        while let Some(pair) = answers.next().await {
            let (id, then, now) = match pair {
                Ok(pair) => pair,
                // What was bought so far still counts.
                Err(error) => break 'buying format!("an answer did not come: {error}"),
            };
            escalation.spend(then.cost.zip(now.cost).and_then(|(then, now)| then.checked_add(now)));
            if let Some((then, now)) = then.score.zip(now.score) {
                escalation.observe(&id, then, now);
            }
            if escalation.cost().zip(*left).is_some_and(|(spent, most)| spent >= most) {
                break;
            }
        }
    };
    report.settle(escalation.report(ended));
    Ok(())
}

/// A seed for each pair, which both sides share.
fn seed(seed: u64, number: u64) -> u64 {
    let mut hasher = Hasher::default();
    hasher.field("escalate").field(seed.to_le_bytes()).field(number.to_le_bytes());
    hasher.finish_seed()
}

async fn both(
    before: &Arc<Engine>,
    after: &Arc<Engine>,
    case: &Case,
    graders: &[Grader],
    seed: u64,
) -> Result<(String, OneAnswer, OneAnswer), AssistantError> {
    let (then, now) = futures::join!(before.ask_once(case, graders, seed), after.ask_once(case, graders, seed));
    Ok((case.id.clone(), then?, now?))
}

fn cases(terms: &Terms) -> Result<Vec<(Case, Vec<Grader>)>, Failure> {
    let cases = terms.set.cases()?.map(|case| {
        let case = case?;
        let graders = terms.set.graders_for(&case).clone();
        Ok((case, graders))
    });
    cases.collect()
}
