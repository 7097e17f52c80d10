use std::collections::HashSet;

use super::prompt::{Prompt, PromptPassage};
use super::terms::{Weights, terms};
use crate::text;

/// The sentences a model chose, in the order in which the passages say them.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) sentences: Vec<Sentence<'a>>,
    /// Probability that the answer is a good one, 0..=1.
    pub(super) confidence: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Sentence<'a> {
    pub(super) text: &'a str,
    passage: usize,
    passage_id: &'a str,
    position: usize,
    terms: Vec<String>,
}

impl Selection<'_> {
    /// Ids of the passages the sentences came from, each once, in order.
    pub(super) fn cited(&self) -> Vec<String> {
        let mut cited: Vec<String> = self.sentences.iter().map(|sentence| sentence.passage_id.to_owned()).collect();
        cited.dedup();
        cited
    }
}

/// The share of the question that a passage with its heading must hold, or the question is refused.
const SUPPORT: f64 = 0.35;
/// How much a sentence's place at the head of its passage counts, in units of full coverage of the question.
const LEAD: f64 = 0.15;
/// How much the passage's rank counts, in the same units.
const RANK: f64 = 0.20;
/// How much the passage's heading counts, in the same units.
const HEADING: f64 = 0.30;
/// How much of a sentence's score repeating an already chosen one costs.
const REPEAT: f64 = 0.6;

/// What speaks for a sentence, each 0..=1.
struct Features {
    /// Share of the question's weight that it holds.
    coverage: f64,
    /// Share of the question's weight that its passage's heading holds.
    heading: f64,
    /// 1 for the first sentence of a passage, falling with its position.
    lead: f64,
    /// 1 for the first passage, falling with its rank.
    rank: f64,
}

/// `small`: the document of the first passage only, by overlap and position.
pub(super) fn small<'a>(prompt: &'a Prompt<'a>, most: usize) -> Selection<'a> {
    let document = prompt.passages.first().map(PromptPassage::document);
    let passages = prompt.passages.iter().filter(|passage| Some(passage.document()) == document);
    choose(&prompt.question, passages, most, 0.0, |features| features.coverage + LEAD * features.lead)
}

/// `large`: the sentences of all passages, by coverage, heading and rank, without repetition.
pub(super) fn large<'a>(prompt: &'a Prompt<'a>, most: usize) -> Selection<'a> {
    choose(&prompt.question, prompt.passages.iter(), most, REPEAT, |features| {
        features.coverage + LEAD * features.lead + RANK * features.rank + HEADING * features.heading
    })
}

/// Takes the best sentences one after another, each time discounting what those taken already said
/// (maximal marginal relevance, Carbonell & Goldstein 1998).
fn choose<'a>(
    question: &str,
    passages: impl Iterator<Item = &'a PromptPassage<'a>>,
    most: usize,
    repeat_cost: f64,
    score: impl Fn(&Features) -> f64,
) -> Selection<'a> {
    let passages: Vec<_> = passages.map(|passage| (passage, terms(&passage.heading))).collect();
    let sentences: Vec<Sentence<'a>> =
        passages.iter().enumerate().flat_map(|(rank, (passage, _))| split(rank, passage)).collect();
    let weights = Weights::of(sentences.iter().map(|sentence| &sentence.terms[..]));
    let question = terms(question);
    let wanted: HashSet<&str> = question.iter().map(String::as_str).collect();
    let support = passages
        .iter()
        .enumerate()
        .map(|(rank, (_, heading))| {
            let body =
                sentences.iter().filter(|sentence| sentence.passage == rank).flat_map(|sentence| &sentence.terms);
            weights.coverage(&wanted, &body.chain(heading).map(String::as_str).collect())
        })
        .fold(0.0, f64::max);
    let mut candidates: Vec<(f64, Sentence<'a>)> = sentences
        .into_iter()
        .filter_map(|sentence| {
            let (_, heading) = passages.get(sentence.passage)?;
            let features = Features {
                coverage: weights.coverage(&wanted, &sentence.terms.iter().map(String::as_str).collect()),
                heading: weights.coverage(&wanted, &heading.iter().map(String::as_str).collect()),
                lead: 1.0 / (1.0 + sentence.position as f64),
                rank: 1.0 / (1.0 + sentence.passage as f64),
            };
            Some((score(&features), sentence))
        })
        .collect();
    let mut chosen: Vec<(f64, Sentence<'a>)> = Vec::new();
    while chosen.len() < most {
        let discounted = |(score, sentence): &(f64, Sentence<'a>)| {
            let repeated = chosen.iter().map(|(_, taken)| overlap(sentence, taken)).fold(0.0, f64::max);
            score - repeat_cost * repeated
        };
        let best = candidates.iter().enumerate().map(|(index, candidate)| (index, discounted(candidate)));
        // The first of equals: passages and sentences come best first.
        let best = best.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let Some((index, value)) = best.filter(|(_, value)| *value > 0.0) else { break };
        let (_, sentence) = candidates.remove(index);
        chosen.push((value, sentence));
    }
    if support < SUPPORT || chosen.is_empty() {
        return Selection { sentences: Vec::new(), confidence: 0.1 * support };
    }
    let strength = chosen.first().map_or(0.0, |(value, _)| *value);
    chosen.sort_by_key(|(_, sentence)| (sentence.passage, sentence.position));
    let sentences = chosen.into_iter().map(|(_, sentence)| sentence).collect();
    Selection { sentences, confidence: confidence(support, strength) }
}

/// The chance that an answer is good, given how much of the question its passage supports and how strong its best sentence is.
fn confidence(support: f64, strength: f64) -> f64 {
    1.0 / (1.0 + (2.5 - 2.5 * support - 1.5 * strength).exp())
}

fn split<'a>(rank: usize, passage: &'a PromptPassage<'a>) -> impl Iterator<Item = Sentence<'a>> {
    text::sentences(&passage.text).into_iter().enumerate().map(move |(position, sentence)| Sentence {
        text: sentence,
        passage: rank,
        passage_id: &passage.id,
        position,
        terms: terms(sentence),
    })
}

/// Share of the shorter sentence's terms that the other has too.
fn overlap(left: &Sentence<'_>, right: &Sentence<'_>) -> f64 {
    let left: HashSet<&str> = left.terms.iter().map(String::as_str).collect();
    let right: HashSet<&str> = right.terms.iter().map(String::as_str).collect();
    let shorter = left.len().min(right.len());
    if shorter == 0 { 0.0 } else { left.intersection(&right).count() as f64 / shorter as f64 }
}
