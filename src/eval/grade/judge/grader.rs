use super::super::expected::decided;
use super::super::judgement::Judgement;
use super::{Judge, JudgeError, Judged};
use crate::cost::BudgetBreach;
use crate::domain::{Answer, NanoUsd};
use crate::gold::{Case, Check, GoldSet};

/// The prompt of a set's `judge` graders; `None` when it has none.
///
/// # Errors
/// [`JudgeError::TwoPrompts`] when they name more than one; [`JudgeError::Gold`] when the set cannot be read.
pub fn judge_prompt(set: &GoldSet) -> Result<Option<String>, JudgeError> {
    let mut found: Option<String> = None;
    for case in set.cases()? {
        for grader in set.graders_for(&case?) {
            let Check::Judge { prompt, .. } = grader.check else { continue };
            match &found {
                Some(one) if *one != prompt => {
                    let (gold_set, one) = (set.name.clone(), one.clone());
                    return Err(JudgeError::TwoPrompts { gold_set, one, other: prompt });
                }
                _ => found = Some(prompt),
            }
        }
    }
    Ok(found)
}

/// What a grader makes of a judge's ruling.
pub(in crate::eval::grade) struct Graded {
    pub(in crate::eval::grade) judgement: Judgement,
    pub(in crate::eval::grade) cost_nanousd: Option<NanoUsd>,
    pub(in crate::eval::grade) breach: Option<Box<BudgetBreach>>,
}

/// Judges `answer` against the first expected one; what is clear without comparing texts is not asked.
pub(in crate::eval::grade) async fn judge(
    judge: Option<&Judge>,
    case: &Case,
    rubric: Option<&str>,
    prompt: &str,
    answer: &Answer,
) -> Graded {
    let free = |judgement| Graded { judgement, cost_nanousd: Some(NanoUsd::ZERO), breach: None };
    if let Some(judgement) = decided(case, answer) {
        return free(judgement);
    }
    let Some(judge) = judge else {
        return free(Judgement::Unjudged("no model is set to judge: `[judge] model` of tollgate.toml".to_owned()));
    };
    if judge.prompt() != prompt {
        return free(Judgement::Unjudged(format!(
            "the grader asks for `{prompt}`, the judge has `{}`",
            judge.prompt()
        )));
    }
    let expected = case.expected.first().map(String::as_str).unwrap_or_default();
    let Judged { ruling, cost_nanousd, breach } = judge.compare(&case.question, rubric, expected, &answer.text).await;
    let judgement = match ruling {
        Ok(ruling) if ruling.worse + ruling.contradictory == 0 => Judgement::score(1.0),
        Ok(ruling) => Judgement::because(ruling.score(), ruling.in_words()),
        Err(reason) => Judgement::Unjudged(reason),
    };
    Graded { judgement, cost_nanousd, breach }
}
