//! What a request costs, by how many questions the caches answer.
mod render;

use serde::Serialize;

use super::rounded::nano;
use crate::domain::NanoUsd;

/// Tenths: the exact hit rates of a curve.
const EXACT_TENTHS: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
/// The semantic hit rates that have a curve each.
const SEMANTIC: [f64; 3] = [0.0, 0.3, 0.6];

/// What a project's own telemetry says about its costs and hits.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveInputs {
    /// Mean cost of a ticket that only the small model answered, without its embedding; `None` when there was none.
    pub small_ticket: Option<NanoUsd>,
    /// Mean cost of an escalated ticket (small and large model together), without its embedding.
    pub large_ticket: Option<NanoUsd>,
    /// Mean cost of embedding one question.
    pub embedding: NanoUsd,
    /// Share of the tickets answered by a model that the small one answered alone, 0..=1.
    pub small_share: f64,
    /// Share of all tickets that the exact cache answered, 0..=1.
    pub exact_hit_rate: f64,
    /// Share of the rest that the semantic cache answered, 0..=1.
    pub semantic_hit_rate: f64,
    /// How many tickets that was observed on.
    pub tickets: u64,
}

/// Cost per request against the cache hit rates.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Curves {
    /// How many tickets the figures were observed on.
    pub tickets: u64,
    /// Mean cost of a ticket that only the small model answered; `null` when there was none.
    pub small_ticket_nanousd: Option<NanoUsd>,
    /// Mean cost of an escalated ticket; `null` when there was none.
    pub large_ticket_nanousd: Option<NanoUsd>,
    /// Mean cost of embedding one question.
    pub embedding_nanousd: NanoUsd,
    /// The observed share of the small model; `null` without tickets.
    pub observed_small_share: Option<f64>,
    /// The share of the small model that the curves are drawn for; `null` when it is not known.
    pub small_share: Option<f64>,
    /// The observed exact hit rate; `null` without tickets.
    pub exact_hit_rate: Option<f64>,
    /// The observed semantic hit rate; `null` without tickets.
    pub semantic_hit_rate: Option<f64>,
    /// Cost per request at all that was observed; `null` when something of it is not known.
    pub now_nanousd: Option<NanoUsd>,
    /// One curve for each semantic hit rate.
    pub curves: Vec<Curve>,
}

/// Cost per request at one semantic hit rate.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Curve {
    /// Share of what the exact cache does not answer that the semantic cache does.
    pub semantic_hit_rate: f64,
    /// By rising exact hit rate.
    pub points: Vec<CurvePoint>,
}

/// Cost per request at one exact hit rate.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CurvePoint {
    /// Share of all requests that the exact cache answers.
    pub exact_hit_rate: f64,
    /// What a request costs on average; `null` when a price of it is not known.
    pub cost_nanousd: Option<NanoUsd>,
}

/// The curves for the observed share of the small model, or for `small_share` (0..=1) instead.
///
/// A request costs (1 − x)·(e + (1 − s)·(p·a + (1 − p)·b)): x is the exact hit rate, s the share of the rest that the
/// semantic cache answers, e the cost of an embedding (only an exact hit saves it), p the small model's share of what
/// is left, a and b the cost of a ticket that it answers alone and of an escalated one. A share outside 0..=1, or the
/// cost of a kind of ticket that there was none of, leaves the values unknown that depend on it.
pub fn curves(inputs: &CurveInputs, small_share: Option<f64>) -> Curves {
    let observed = |share: f64| Some(share).filter(|_| inputs.tickets > 0).and_then(as_share);
    let observed_small_share = observed(inputs.small_share);
    let (exact_hit_rate, semantic_hit_rate) = (observed(inputs.exact_hit_rate), observed(inputs.semantic_hit_rate));
    let drawn = small_share.map_or(observed_small_share, as_share);
    let now = exact_hit_rate.zip(semantic_hit_rate).and_then(|(x, s)| inputs.cost(x, s, observed_small_share?));
    let point = |x: f64, s: f64| CurvePoint {
        exact_hit_rate: x,
        cost_nanousd: drawn.and_then(|p| inputs.cost(x, s, p)).map(nano),
    };
    let curve = |s: f64| Curve {
        semantic_hit_rate: s,
        points: EXACT_TENTHS.into_iter().map(|tenths| point(f64::from(tenths) / 10.0, s)).collect(),
    };
    Curves {
        tickets: inputs.tickets,
        small_ticket_nanousd: inputs.small_ticket,
        large_ticket_nanousd: inputs.large_ticket,
        embedding_nanousd: inputs.embedding,
        observed_small_share,
        small_share: drawn,
        exact_hit_rate,
        semantic_hit_rate,
        now_nanousd: now.map(nano),
        curves: SEMANTIC.into_iter().map(curve).collect(),
    }
}

fn as_share(share: f64) -> Option<f64> {
    (0.0..=1.0).contains(&share).then_some(share)
}

impl CurveInputs {
    /// Nano-dollars of a request at exact hit rate `x`, semantic hit rate `s` and small share `p`.
    fn cost(&self, x: f64, s: f64, p: f64) -> Option<f64> {
        let part = |share: f64, cost: Option<NanoUsd>| match share {
            0.0 => Some(0.0),
            share => cost.map(|cost| share * cost.0 as f64),
        };
        let answer = part(p, self.small_ticket)? + part(1.0 - p, self.large_ticket)?;
        Some((1.0 - x) * (self.embedding.0 as f64 + (1.0 - s) * answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> CurveInputs {
        CurveInputs {
            small_ticket: Some(NanoUsd(1_000_000)),
            large_ticket: Some(NanoUsd(11_000_000)),
            embedding: NanoUsd(20_001),
            small_share: 0.8,
            exact_hit_rate: 0.25,
            semantic_hit_rate: 0.1,
            tickets: 400,
        }
    }

    fn costs(curves: &Curves) -> Vec<Vec<Option<i64>>> {
        let of = |curve: &Curve| curve.points.iter().map(|point| point.cost_nanousd.map(|cost| cost.0)).collect();
        curves.curves.iter().map(of).collect()
    }

    #[test]
    fn every_figure_is_that_worked_out_by_hand() {
        // p·a + (1 − p)·b = 0.8·1,000,000 + 0.2·11,000,000 = 3,000,000.
        // s = 0:   e + 3,000,000         = 3,020,001, times 1.0, 0.9, …, 0.1: 3,020,001; 2,718,000.9; …
        // s = 0.3: e + 0.7·3,000,000     = 2,120,001
        // s = 0.6: e + 0.4·3,000,000     = 1,220,001
        // Halves (as 1,510,000.5 at x = 0.5) are rounded up.
        let expected = [
            [3_020_001, 2_718_001, 2_416_001, 2_114_001, 1_812_001, 1_510_001, 1_208_000, 906_000, 604_000, 302_000],
            [2_120_001, 1_908_001, 1_696_001, 1_484_001, 1_272_001, 1_060_001, 848_000, 636_000, 424_000, 212_000],
            [1_220_001, 1_098_001, 976_001, 854_001, 732_001, 610_001, 488_000, 366_000, 244_000, 122_000],
        ];
        let found = curves(&inputs(), None);
        assert_eq!(costs(&found), expected.map(|row| row.map(Some).to_vec()));
        let semantic: Vec<f64> = found.curves.iter().map(|curve| curve.semantic_hit_rate).collect();
        assert_eq!(semantic, [0.0, 0.3, 0.6]);
        // 0.75·(20,001 + 0.9·3,000,000) = 0.75·2,720,001 = 2,040,000.75
        assert_eq!(found.now_nanousd, Some(NanoUsd(2_040_001)));
    }

    #[test]
    fn another_small_share_moves_the_curves_and_not_today() {
        // 0.5·1,000,000 + 0.5·11,000,000 = 6,000,000; at s = 0.3: 20,001 + 4,200,000 = 4,220,001.
        let found = curves(&inputs(), Some(0.5));
        assert_eq!(found.curves[1].points[0].cost_nanousd, Some(NanoUsd(4_220_001)));
        assert_eq!((found.small_share, found.observed_small_share), (Some(0.5), Some(0.8)));
        assert_eq!(found.now_nanousd, Some(NanoUsd(2_040_001)));
    }

    #[test]
    fn unknown_costs_and_shares_give_no_figures() {
        let nothing = |curves: &Curves| costs(curves).concat().iter().all(Option::is_none);
        let found = curves(&CurveInputs { large_ticket: None, ..inputs() }, None);
        assert!(nothing(&found) && found.now_nanousd.is_none());
        assert!(nothing(&curves(&inputs(), Some(1.5))) && nothing(&curves(&inputs(), Some(f64::NAN))));
        let none_yet = CurveInputs { tickets: 0, small_share: f64::NAN, ..inputs() };
        let found = curves(&none_yet, None);
        assert!(nothing(&found) && found.exact_hit_rate.is_none() && found.now_nanousd.is_none());
        // The curves need no observed share when one is given.
        assert!(!nothing(&curves(&none_yet, Some(0.8))));
    }

    #[test]
    fn what_nothing_depends_on_may_be_unknown() {
        // Only the small model: 20,001 + 1,000,000 without hits.
        let found = curves(&CurveInputs { large_ticket: None, ..inputs() }, Some(1.0));
        assert_eq!(found.curves[0].points[0].cost_nanousd, Some(NanoUsd(1_020_001)));
    }
}
