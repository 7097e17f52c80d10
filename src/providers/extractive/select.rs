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

impl Sentence<'_> {
    fn is_next_to(&self, other: &Self) -> bool {
        self.passage == other.passage && self.position.abs_diff(other.position) == 1
    }
}

impl Selection<'_> {
    /// Ids of the passages the sentences came from, each once, in order.
    pub(super) fn cited(&self) -> Vec<String> {
        let mut cited: Vec<String> = self.sentences.iter().map(|sentence| sentence.passage_id.to_owned()).collect();
        cited.dedup();
        cited
    }
}

/// Below this the question is refused: the share of its weight that the best passage with its heading holds, plus the
/// share of its terms that any passage holds (0..=2).
const SUPPORT: f64 = 1.0;
/// How much a sentence's place at the head of its passage counts, in units of full coverage of the question.
const LEAD: f64 = 0.15;
/// How much the passage's rank counts, in the same units.
const RANK: f64 = 0.20;
/// How much the passage's heading counts, in the same units.
const HEADING: f64 = 0.60;
/// How much of a sentence's score repeating an already chosen one costs.
const REPEAT: f64 = 0.6;
/// How much standing next to a chosen sentence counts: an answer often goes on.
const ADJACENT: f64 = 0.15;
/// The share of the first sentence's score that a further one must have to be added.
const WORTH_ADDING: f64 = 0.5;

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
    choose(&prompt.question, prompt.passages.iter(), most, REPEAT, Features::strength)
}

impl Features {
    /// All that speaks for the sentence, put together.
    fn strength(&self) -> f64 {
        self.coverage + LEAD * self.lead + RANK * self.rank + HEADING * self.heading
    }
}

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
    let support = Support::of(&wanted, &passages, &sentences, &weights);
    let candidates = sentences.into_iter().filter_map(|sentence| {
        let (_, heading) = passages.get(sentence.passage)?;
        let features = Features {
            coverage: weights.coverage(&wanted, &sentence.terms.iter().map(String::as_str).collect()),
            heading: weights.coverage(&wanted, &heading.iter().map(String::as_str).collect()),
            lead: 1.0 / (1.0 + sentence.position as f64),
            rank: 1.0 / (1.0 + sentence.passage as f64),
        };
        Some(Candidate { score: score(&features), strength: features.strength(), sentence })
    });
    let mut chosen = take_best(candidates.collect(), most, repeat_cost);
    let Some(first) = chosen.first().filter(|_| support.best + support.seen >= SUPPORT) else {
        return Selection { sentences: Vec::new(), confidence: 0.1 * support.best };
    };
    let confidence = confidence(support.best, first.strength);
    chosen.sort_by_key(|taken| (taken.sentence.passage, taken.sentence.position));
    Selection { sentences: chosen.into_iter().map(|taken| taken.sentence).collect(), confidence }
}

/// How well the passages support an answer to the question, each 0..=1.
struct Support {
    /// The share of the question's weight that the best passage with its heading holds.
    best: f64,
    /// The share of the question's terms that any passage holds.
    seen: f64,
}

impl Support {
    fn of(
        wanted: &HashSet<&str>,
        passages: &[(&PromptPassage<'_>, Vec<String>)],
        sentences: &[Sentence<'_>],
        weights: &Weights,
    ) -> Self {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut best = 0.0_f64;
        for (rank, (_, heading)) in passages.iter().enumerate() {
            let body =
                sentences.iter().filter(|sentence| sentence.passage == rank).flat_map(|sentence| &sentence.terms);
            let held: HashSet<&str> = body.chain(heading).map(String::as_str).collect();
            best = best.max(weights.coverage(wanted, &held));
            seen.extend(held);
        }
        let shared = wanted.intersection(&seen).count() as f64;
        Self { best, seen: if wanted.is_empty() { 0.0 } else { shared / wanted.len() as f64 } }
    }
}

/// A sentence that may be chosen.
struct Candidate<'a> {
    /// What the model goes by.
    score: f64,
    /// All that speaks for it, whatever the model goes by; confidence rests on it.
    strength: f64,
    sentence: Sentence<'a>,
}

/// Takes the best sentences one after another, each time discounting what those taken already said
/// (maximal marginal relevance, Carbonell & Goldstein 1998).
fn take_best(mut candidates: Vec<Candidate<'_>>, most: usize, repeat_cost: f64) -> Vec<Candidate<'_>> {
    let mut chosen: Vec<Candidate<'_>> = Vec::new();
    while chosen.len() < most {
        let discounted = |candidate: &Candidate<'_>| {
            let repeated = chosen.iter().map(|taken| overlap(&candidate.sentence, &taken.sentence)).fold(0.0, f64::max);
            let continues = chosen.iter().any(|taken| candidate.sentence.is_next_to(&taken.sentence));
            candidate.score - repeat_cost * repeated + if continues { ADJACENT } else { 0.0 }
        };
        let values = candidates.iter().enumerate().map(|(index, candidate)| (index, discounted(candidate)));
        // The first of equals: passages and sentences come best first.
        let best = values.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let least = chosen.first().map_or(0.0, |first| WORTH_ADDING * first.score);
        let Some((index, _)) = best.filter(|(_, value)| *value > least) else { break };
        chosen.push(candidates.remove(index));
    }
    chosen
}

/// The chance that an answer is a good one (token F1 of 0.3 or more): a logistic regression on 200 questions over two
/// product manuals, on the support by the best passage and the strength of the best sentence.
fn confidence(support: f64, strength: f64) -> f64 {
    1.0 / (1.0 + (3.19 - 1.69 * support - 3.28 * strength).exp())
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
