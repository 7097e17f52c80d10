use crate::domain::Answer;
use crate::gold::Case;

use super::bleu::sentence_bleu;
use super::judgement::Judgement;
use super::numbers::numbers;
use super::squad::{Normalized, f1};

/// 1 when the answer is one of the expected ones.
pub(super) fn exact(case: &Case, answer: &Answer, case_sensitive: bool) -> Judgement {
    decided(case, answer).unwrap_or_else(|| {
        let equal = if case_sensitive {
            let text = answer.text.trim();
            case.expected.iter().any(|expected| expected.trim() == text)
        } else {
            let text = Normalized::new(&answer.text);
            case.expected.iter().any(|expected| Normalized::new(expected) == text)
        };
        Judgement::score(f64::from(u8::from(equal)))
    })
}

/// Token F1 against the best expected answer.
pub(super) fn token_f1(case: &Case, answer: &Answer) -> Judgement {
    decided(case, answer).unwrap_or_else(|| {
        let text = Normalized::new(&answer.text);
        Judgement::score(highest(case.expected.iter().map(|expected| f1(&text, &Normalized::new(expected)))))
    })
}

/// Any measure of an answer and an expected one, against the best expected answer.
pub(super) fn best(case: &Case, answer: &Answer, measure: fn(&str, &str) -> f64) -> Judgement {
    decided(case, answer).unwrap_or_else(|| {
        Judgement::score(highest(case.expected.iter().map(|expected| measure(&answer.text, expected))))
    })
}

/// Sentence BLEU against all expected answers at once.
pub(super) fn bleu(case: &Case, answer: &Answer) -> Judgement {
    decided(case, answer).unwrap_or_else(|| Judgement::score(sentence_bleu(&answer.text, &case.expected)))
}

/// 1 when a number in the answer is near `value`, or near the first number of an expected answer.
pub(super) fn numeric(case: &Case, answer: &Answer, value: Option<f64>, tolerance: f64, relative: f64) -> Judgement {
    if let Some(judgement) = decided(case, answer).filter(|_| value.is_none() || answer.refused) {
        return judgement;
    }
    let wanted: Vec<f64> = match value {
        Some(value) => vec![value],
        None => case.expected.iter().filter_map(|text| numbers(text).first().copied()).collect(),
    };
    if wanted.is_empty() {
        return Judgement::Unjudged("no expected answer holds a number".to_owned());
    }
    let found = numbers(&answer.text);
    let near = |wanted: f64, found: f64| {
        // A few units in the last place more, so that 2.6 is within 0.1 of 2.5.
        let rounding = 4.0 * f64::EPSILON * wanted.abs().max(found.abs());
        (found - wanted).abs() <= tolerance.max(relative * wanted.abs()) + rounding
    };
    let is_near = found.iter().any(|found| wanted.iter().any(|wanted| near(*wanted, *found)));
    Judgement::yes_or_no(is_near, || match found.as_slice() {
        [] => "the answer holds no number".to_owned(),
        found => {
            let shown: Vec<String> = found.iter().take(5).map(f64::to_string).collect();
            format!("found {}{}", shown.join(", "), if found.len() > 5 { ", …" } else { "" })
        }
    })
}

/// What is clear without comparing texts: refusals, answers where a refusal is expected, empty answers.
pub(super) fn decided(case: &Case, answer: &Answer) -> Option<Judgement> {
    match (answer.refused, case.is_answerable()) {
        (true, false) => Some(Judgement::score(1.0)),
        (true, true) => Some(Judgement::because(0.0, "refused")),
        (false, false) => Some(Judgement::because(0.0, "answered where a refusal is expected")),
        (false, true) if answer.text.trim().is_empty() => Some(Judgement::because(0.0, "the answer is empty")),
        (false, true) => None,
    }
}

fn highest(scores: impl Iterator<Item = f64>) -> f64 {
    scores.fold(0.0, f64::max)
}
