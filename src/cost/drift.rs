//! Week-over-week drift of what is spent, and what drove it.
mod decompose;
mod measure;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{NanoUsd, Scope};

pub use measure::drift;

/// The fewest requests of a week whose cost per request says something.
///
/// Below it the 95th percentile is the dearest request or nearly so. Spending is compared when at least one of both
/// weeks has as many requests (for a model: calls), so that a tenant that grows from three requests to thousands shows.
const MIN_REQUESTS: u64 = 20;

/// What was asked and spent in a week (or any time, as long as both are of one length).
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
    /// Requests by tenant.
    pub tenants: BTreeMap<String, Requests>,
    /// What models were used for them; several entries of one tenant and model are added up.
    pub uses: Vec<ModelUse>,
    /// What each request cost, ascending; those that a cache answered are included.
    pub request_costs: Vec<NanoUsd>,
}

/// How often was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Requests {
    /// All requests.
    pub requests: u64,
    /// Of these, answered from a cache.
    pub cache_hits: u64,
}

/// What one tenant used one model for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelUse {
    /// The tenant.
    pub tenant: String,
    /// The model, `provider/model`.
    pub model: String,
    /// Calls, failed ones included.
    pub calls: u64,
    /// Tokens sent.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// What the tokens sent cost.
    pub input_cost: NanoUsd,
    /// What the tokens received cost.
    pub output_cost: NanoUsd,
    /// What was booked without known tokens.
    pub other_cost: NanoUsd,
}

/// How spending changed from one week to the next.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DriftReport {
    /// A rise of more than this share is an alert.
    pub threshold: f64,
    /// The week before.
    pub before: DriftWeek,
    /// The week that is judged.
    pub now: DriftWeek,
    /// What rose too much; the total's first.
    pub alerts: Vec<DriftAlert>,
    /// Everything that was compared: the total's, then by tenant, then by model.
    pub metrics: Vec<DriftMetric>,
}

/// A week in short.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DriftWeek {
    /// Its first moment, RFC 3339.
    pub from: String,
    /// The first moment after it.
    pub until: String,
    /// Requests.
    pub requests: u64,
    /// Share of the requests that a cache answered; `null` without requests.
    pub cache_hit_rate: Option<f64>,
    /// What was spent.
    pub spend_nanousd: NanoUsd,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftMeasure {
    /// Median of what a request cost.
    CostPerRequestP50,
    /// 95th percentile of what a request cost.
    CostPerRequestP95,
    /// What was spent, over the requests.
    CostPerRequestMean,
    /// What was spent.
    Spend,
}

/// What became of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DriftMetric {
    /// What is compared.
    pub metric: DriftMeasure,
    /// Whose; `null` for everything.
    pub scope: Option<Scope>,
    /// Its value in the week before; `null` when it has none.
    pub before_nanousd: Option<NanoUsd>,
    /// Its value now; `null` when it has none.
    pub now_nanousd: Option<NanoUsd>,
    /// The difference as a share of the value before; `null` when there is no basis.
    pub change: Option<f64>,
    /// What that comes to.
    pub status: DriftStatus,
    /// Why there is no `change`.
    pub reason: Option<String>,
    /// What drove it; only of alerts and the total.
    pub cause: Option<DriftCause>,
    /// What each factor contributed to the change of the spending, or of the mean cost per request (quantiles cannot be
    /// split); they add up to it. Only of alerts and the total.
    pub contributions: Vec<Contribution>,
}

/// What a comparison came to; the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftStatus {
    /// It rose by more than the threshold.
    Alert,
    /// There was nothing before.
    New,
    /// It did not rise so much: it rose less, stayed or fell.
    Steady,
    /// It could not be compared.
    NoBasis,
}

/// What spending is the product of, and the rest.
///
/// Spending is the sum, over models and kinds of token, of requests × (1 − cache hit rate) × calls per request that no
/// cache answered × tokens per call × price per token; and of what was booked without known tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// How many requests.
    Volume,
    /// Which share of them no cache answered.
    CacheHitRate,
    /// Which models were called how often for these.
    Mix,
    /// How many tokens a call took.
    TokensPerCall,
    /// What a token cost.
    Price,
    /// What was booked without known tokens.
    Other,
}

/// What one factor did.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Contribution {
    /// The factor.
    pub factor: Factor,
    /// By how much spending (or the mean cost per request) changed on its account.
    pub amount_nanousd: NanoUsd,
    /// The same as a share of the value before; `null` when that is 0.
    pub share: Option<f64>,
}

/// The factor that did most in the direction of a change.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DriftCause {
    /// The factor.
    pub factor: Factor,
    /// Its contribution as a share of the value before; `null` when that is 0.
    pub share: Option<f64>,
    /// The model where it did most, when the factor is about models and there are several.
    pub model: Option<String>,
}

/// Something that rose by more than the threshold.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DriftAlert {
    /// What rose.
    pub metric: DriftMeasure,
    /// Whose; `null` for everything.
    pub scope: Option<Scope>,
    /// Its value in the week before.
    pub before_nanousd: NanoUsd,
    /// Its value now.
    pub now_nanousd: NanoUsd,
    /// The rise as a share of the value before.
    pub change: f64,
    /// What drove it; `null` when no factor of the mean went that way.
    pub cause: Option<DriftCause>,
    /// All this in a sentence.
    pub text: String,
}

impl DriftReport {
    /// Whether anything rose by more than the threshold.
    pub fn has_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }
}

impl DriftMeasure {
    /// Its name to a reader.
    pub fn label(self) -> &'static str {
        match self {
            Self::CostPerRequestP50 => "cost per request P50",
            Self::CostPerRequestP95 => "cost per request P95",
            Self::CostPerRequestMean => "mean cost per request",
            Self::Spend => "spend",
        }
    }

    /// Its name in JSON and CSV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CostPerRequestP50 => "cost_per_request_p50",
            Self::CostPerRequestP95 => "cost_per_request_p95",
            Self::CostPerRequestMean => "cost_per_request_mean",
            Self::Spend => "spend",
        }
    }
}

impl DriftStatus {
    /// Its name in JSON and CSV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Steady => "steady",
            Self::New => "new",
            Self::NoBasis => "no_basis",
        }
    }
}

impl Factor {
    /// Every factor.
    pub const ALL: [Self; 6] =
        [Self::Volume, Self::CacheHitRate, Self::Mix, Self::TokensPerCall, Self::Price, Self::Other];

    /// Its name to a reader.
    pub fn label(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::CacheHitRate => "cache hit rate",
            Self::Mix => "model mix",
            Self::TokensPerCall => "tokens per call",
            Self::Price => "price",
            Self::Other => "other costs",
        }
    }

    /// Its name in JSON and CSV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::CacheHitRate => "cache_hit_rate",
            Self::Mix => "mix",
            Self::TokensPerCall => "tokens_per_call",
            Self::Price => "price",
            Self::Other => "other",
        }
    }
}
