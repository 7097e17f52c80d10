use serde::{Deserialize, Serialize};

use crate::domain::Period;

/// Why an alert fired.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum AlertRule {
    /// Spending reached this share of a cap; at 100 the cap itself.
    SoftLimit {
        /// The share, in percent.
        percent: u32,
        /// The cap's period.
        period: Period,
    },
    /// A cap had no room for a call.
    Refusals {
        /// The cap's period.
        period: Period,
    },
    /// More was spent in a day than is usual by the settings.
    DailySpend,
    /// Money is spent so fast that a month's budget will not last, over both of these times.
    BurnRate {
        /// The longer one, which says that it matters.
        long_minutes: u32,
        /// The shorter one, which says that it still goes on.
        short_minutes: u32,
    },
    /// Near-identical questions in a burst.
    Loop,
    /// A figure changed from week to week by more than the settings allow.
    Drift {
        /// Which one, in `snake_case`.
        measure: String,
    },
    /// A call cost more than was reserved for it.
    Overrun,
}

impl AlertRule {
    /// Its name, without what it was set to.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SoftLimit { .. } => "soft_limit",
            Self::Refusals { .. } => "refusals",
            Self::DailySpend => "daily_spend",
            Self::BurnRate { .. } => "burn_rate",
            Self::Loop => "loop",
            Self::Drift { .. } => "drift",
            Self::Overrun => "overrun",
        }
    }

    /// What tells it from every other rule: `soft_limit:month:80`.
    pub fn key(&self) -> String {
        let name = self.name();
        match self {
            Self::SoftLimit { percent, period } => format!("{name}:{}:{percent}", period.as_str()),
            Self::Refusals { period } => format!("{name}:{}", period.as_str()),
            Self::BurnRate { long_minutes, short_minutes } => format!("{name}:{long_minutes}:{short_minutes}"),
            Self::Drift { measure } => format!("{name}:{measure}"),
            Self::DailySpend | Self::Loop | Self::Overrun => name.to_owned(),
        }
    }

    /// The type of the event that a webhook is told: `budget.soft_limit`.
    pub fn event_type(&self) -> String {
        format!("budget.{}", self.name())
    }
}
