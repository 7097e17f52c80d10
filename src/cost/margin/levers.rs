use serde::Serialize;

use super::figures::money;
use super::line::Line;
use super::reaches;
use crate::domain::NanoUsd;

/// How far each lever alone would have to move to bring a margin to the target, all else staying as it is.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Levers {
    /// The price.
    pub price: PriceLever,
    /// Share of the tickets that models answer, which the small model answers alone.
    ///
    /// `None` when the telemetry does not tell what the two cost: no ticket was answered by the small model, or none
    /// reached the large one.
    pub small_model_share: Option<ShareLever>,
    /// Share of the tickets that a cache answers, at no cost.
    ///
    /// `None` when nothing is known of tickets that a cache did not answer.
    pub cache_hit_rate: Option<ShareLever>,
}

/// The price a month and customer.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct PriceLever {
    /// What a customer pays in the mean.
    pub now_nanousd: Option<NanoUsd>,
    /// What one would have to pay, rounded up to a nano-dollar; `None` when no price is enough.
    pub needed_nanousd: Option<NanoUsd>,
    /// That as a change of every price, as a share of it: 0.2 is 20 % more.
    pub change: Option<f64>,
    /// Whether any price is enough; not for a target of 1, unless nothing costs anything.
    pub reachable: bool,
}

/// A share of tickets, 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ShareLever {
    /// What it is expected to be, going by what was observed.
    pub now: f64,
    /// What it would have to be; `None` when even 1 is not enough.
    pub needed: Option<f64>,
    /// Whether the target can be reached with this lever alone.
    pub reachable: bool,
    /// The margin at a share of 1.
    pub margin_at_full: f64,
}

impl Levers {
    /// The levers of a margin below the target; `None` when it is there or not known.
    pub(super) fn of(line: &Line, target: f64) -> Option<Self> {
        let margin = line.margin()?;
        if reaches(margin, target) {
            return None;
        }
        Some(Self {
            price: price(line, target)?,
            small_model_share: small_model_share(line, target),
            cache_hit_rate: cache_hit_rate(line, target),
        })
    }
}

/// margin = (R − COGS) ÷ R, so R = COGS ÷ (1 − target).
fn price(line: &Line, target: f64) -> Option<PriceLever> {
    let customers = line.customers.max(1) as f64;
    let needed = (target < 1.0).then_some(line.cogs()? as f64 / (1.0 - target));
    Some(PriceLever {
        now_nanousd: money(line.revenue / i128::from(line.customers.max(1))),
        needed_nanousd: needed.and_then(|revenue| money((revenue / customers).ceil() as i128)),
        change: needed.map(|revenue| revenue / line.revenue as f64 - 1.0),
        reachable: needed.is_some(),
    })
}

/// A ticket that a model answers costs p·a + (1 − p)·b: p is the share of the small model, a what one costs that it
/// answers alone, b what one costs that reaches the large one. What else tickets cost stays as it is.
fn small_model_share(line: &Line, target: f64) -> Option<ShareLever> {
    let volume = line.volume?;
    if volume.small_tickets <= 0.0 || volume.large_tickets <= 0.0 {
        return None;
    }
    let answered = volume.small_tickets + volume.large_tickets;
    let (small, large) = (volume.small_cost / volume.small_tickets, volume.large_cost / volume.large_tickets);
    share(line, target, volume.small_tickets / answered, answered * (large - small))
}

/// With a share h of tickets from a cache, inference costs (1 − h) times what it would without one.
fn cache_hit_rate(line: &Line, target: f64) -> Option<ShareLever> {
    let volume = line.volume?;
    let now = (volume.tickets > 0.0).then(|| volume.cached / volume.tickets).filter(|rate| *rate < 1.0)?;
    share(line, target, now, line.inference? as f64 / (1.0 - now))
}

/// A lever whose share saves `saving` nano-dollars for each 1 that it grows.
fn share(line: &Line, target: f64, now: f64, saving: f64) -> Option<ShareLever> {
    let (revenue, cogs) = (line.revenue as f64, line.cogs()? as f64);
    let margin_at = |share: f64| (revenue - (cogs - (share - now) * saving)) / revenue;
    let missing = cogs - revenue * (1.0 - target);
    let needed = (saving > 0.0).then(|| now + missing / saving).filter(|share| *share <= 1.0);
    Some(ShareLever { now, needed, reachable: needed.is_some(), margin_at_full: margin_at(1.0) })
}
