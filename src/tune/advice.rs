use serde::{Deserialize, Serialize};

use super::shown::saved;
use super::{CascadePoint, Figures, ThresholdReport};
use crate::stats::MeanEstimate;

/// What to do about a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Another value is better.
    Change,
    /// The present value is the best one, or no other is proven to be better.
    Keep,
    /// Nothing can be recommended.
    None,
}

/// Whether two thresholds are one.
pub(super) fn same(one: f64, other: f64) -> bool {
    (one - other).abs() < f64::EPSILON
}

impl ThresholdReport {
    /// What to do, and why.
    pub(super) fn advise(&self) -> (Advice, String) {
        let Some(chosen) = &self.chosen else {
            let unknown = self.large_alone.cost_nanousd.is_none() || self.small_alone.cost_nanousd.is_none();
            let why = if unknown {
                "what some answers cost is unknown, so no threshold can be called the cheapest"
            } else if self.clusters < 2 {
                "one cluster of cases proves nothing"
            } else {
                "no threshold is proven to be as good as always asking the large model, to within the accepted loss"
            };
            return (Advice::None, why.to_owned());
        };
        if self.saving_against_large.is_some_and(|saved| saved <= 0.0) {
            let why = "asking the large model alone costs no more than any threshold that is as good";
            return (Advice::None, why.to_owned());
        }
        let margin = self.settings.margin;
        let below = |mean: Option<MeanEstimate>| mean.is_some_and(|mean| mean.estimate < -margin);
        let held_out = self.held_out.as_ref();
        let costs_more = self.saving_against_present.is_some_and(|saved| saved < 0.0);
        let breaks_down = below(held_out.and_then(|held| held.difference));
        let (advice, why) = match &self.present {
            Some(present) if same(present.threshold, chosen.threshold) => (
                Advice::Keep,
                "it is the cheapest threshold that is as good as always asking the large model, to within the accepted loss",
            ),
            Some(present) if costs_more => match present.difference {
                Some(mean) if below(Some(mean)) && mean.interval.is_some_and(|it| it.upper < 0.0) && !breaks_down => {
                    (Advice::Change, "the present threshold is proven to be worse than always asking the large model")
                }
                _ => (
                    Advice::Keep,
                    "these cases prove neither that it is as good as always asking the large model nor that it is worse",
                ),
            },
            _ if breaks_down => (
                Advice::Keep,
                "a cheaper threshold looks as good here, but not on cases that had no part in choosing it",
            ),
            _ if below(self.difference_to_present) => (
                Advice::Keep,
                "a cheaper threshold is as good as always asking the large model, but worse than the present one",
            ),
            Some(_) if held_out.and_then(|held| held.saving_against_present).is_none_or(|saved| saved <= 0.0) => {
                (Advice::Keep, "a cheaper threshold saves nothing on cases that had no part in choosing it")
            }
            _ => (
                Advice::Change,
                "it costs less and is as good as always asking the large model, to within the accepted loss",
            ),
        };
        (advice, why.to_owned())
    }

    /// The proposed migration in a sentence.
    pub fn description(&self) -> String {
        let score =
            |figures: &Figures| figures.mean_score().map_or_else(|| "unknown".to_owned(), |s| format!("{s:.3}"));
        let Some(chosen) = &self.chosen else { return String::new() };
        let (saving, now) = self.present.map_or_else(
            || (saved(self.saving_against_large), String::new()),
            |present| (saved(self.saving_against_present), format!("now {}, ", score(&present.figures))),
        );
        let than =
            if self.present.is_some() { self.settings.present.to_string() } else { "the large model alone".to_owned() };
        format!(
            "Ask the large model below a confidence of {}: costs {saving} than {than}, at a score of {} on {} ({now}the large model alone {})",
            chosen.threshold,
            score(&chosen.figures),
            self.measured.gold_set,
            score(&self.large_alone)
        )
    }

    /// The threshold to have from now on: the chosen one where it is better, or else the present one.
    pub fn recommended(&self) -> Option<&CascadePoint> {
        match self.advice {
            Advice::Change => self.chosen.as_ref(),
            Advice::Keep | Advice::None => self.present.as_ref(),
        }
    }
}
