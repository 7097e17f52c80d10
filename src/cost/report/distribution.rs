use serde::Serialize;

use super::amount::{narrow, per};
use crate::domain::NanoUsd;

/// How costs are spread. Its quantiles are nearest ranks: amounts that were really paid, not values between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Distribution {
    /// How many costs there are.
    pub count: u64,
    /// Their sum.
    pub total_nanousd: NanoUsd,
    /// Their mean, to the nearest nano-dollar.
    pub mean_nanousd: NanoUsd,
    /// Half of them are at most this.
    pub p50_nanousd: NanoUsd,
    /// 95 % of them are at most this.
    pub p95_nanousd: NanoUsd,
    /// 99 % of them are at most this.
    pub p99_nanousd: NanoUsd,
    /// The greatest.
    pub max_nanousd: NanoUsd,
}

impl Distribution {
    /// How `costs` are spread, which it puts in order; `None` of nothing.
    pub(super) fn of(costs: &mut [i64]) -> Option<Self> {
        costs.sort_unstable();
        let total = costs.iter().copied().map(i128::from).sum();
        let count = costs.len() as u64;
        Some(Self {
            count,
            total_nanousd: narrow(total),
            mean_nanousd: per(total, count)?,
            p50_nanousd: nearest_rank(costs, 50)?,
            p95_nanousd: nearest_rank(costs, 95)?,
            p99_nanousd: nearest_rank(costs, 99)?,
            max_nanousd: NanoUsd(*costs.last()?),
        })
    }
}

/// The least of ascending `costs` that `percent` of them do not exceed; `None` without costs.
///
/// Source: Hyndman & Fan (1996), Sample Quantiles in Statistical Packages, definition 1.
fn nearest_rank(costs: &[i64], percent: usize) -> Option<NanoUsd> {
    let rank = (costs.len() * percent).div_ceil(100).max(1);
    costs.get(rank - 1).copied().map(NanoUsd)
}

/// Adds an equal part of `carried` to each of `costs`, exactly: what the division leaves over goes to the first of
/// them, a nano-dollar each. Nothing is carried when there is nobody to carry it.
pub(super) fn carry(costs: &mut [i64], carried: i128) {
    let carriers = costs.len() as i128;
    if carriers == 0 {
        return;
    }
    let (part, left) = (carried.div_euclid(carriers), carried.rem_euclid(carriers));
    for (at, cost) in (0..).zip(costs) {
        *cost = narrow(i128::from(*cost) + part + i128::from(at < left)).0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        // Of 1..=200 the ranks are 100, 190 and 198; the mean is 100.5.
        let mut costs: Vec<i64> = (1..=200).rev().collect();
        let expected = Distribution {
            count: 200,
            total_nanousd: NanoUsd(20_100),
            mean_nanousd: NanoUsd(101),
            p50_nanousd: NanoUsd(100),
            p95_nanousd: NanoUsd(190),
            p99_nanousd: NanoUsd(198),
            max_nanousd: NanoUsd(200),
        };
        assert_eq!(Distribution::of(&mut costs), Some(expected));
        assert_eq!(Distribution::of(&mut [7]).unwrap().p50_nanousd, NanoUsd(7));
        assert_eq!(Distribution::of(&mut []), None);
    }

    #[test]
    fn what_is_carried_is_spread_to_the_nano_dollar() {
        let mut costs = [100, 0, 50];
        carry(&mut costs, 11);
        assert_eq!(costs, [104, 4, 53]);
        carry(&mut costs, 0);
        assert_eq!(costs.iter().sum::<i64>(), 161);
        carry(&mut [], 11);
    }
}
