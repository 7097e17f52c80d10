use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::domain::{NanoUsd, Scope, Secret};

/// `[budgets]`: what may be spent, by scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetSettings {
    /// The budget of each scope that has one of its own.
    pub by_scope: BTreeMap<Scope, Budget>,
    /// `[budgets.tenant."*"]`: of each tenant without one of its own.
    pub each_tenant: Option<Budget>,
}

/// The limits of one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The most that may be spent in a day.
    pub day: Option<NanoUsd>,
    /// The most that may be spent in a month.
    pub month: Option<NanoUsd>,
    /// The most that may ever be spent.
    pub lifetime: Option<NanoUsd>,
    /// Spending in a day above which an alert is sent; nothing is refused.
    pub alert_day: Option<NanoUsd>,
    /// Shares of each cap, in percent, at which an alert is sent, ascending; those of `[alerts]` when `None`.
    pub soft_percent: Option<Vec<u32>>,
    /// Whose calendar days and months follow.
    pub time_zone: TimeZone,
    /// What a question of the tenant gets that the cap refuses; only tenants have one.
    pub on_breach: OnBreach,
}

/// What becomes of a question that a cap refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnBreach {
    /// An error that says which cap.
    #[default]
    Refuse,
    /// This text instead of an answer.
    Template(String),
    /// An answer of this model (a route or `provider/model`), which has to be within every cap itself: a free one is.
    Model(String),
}

/// `[alerts]`: when somebody is told, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertSettings {
    /// Shares of a cap, in percent, at which an alert is sent, ascending.
    pub soft_percent: Vec<u32>,
    /// Whether spending faster than a month's budget carries is an alert.
    pub burn_rate: bool,
    /// So many near-identical questions of a tenant within `loop_window` are an alert; 0 for never.
    pub loop_questions: u32,
    /// The time in which they are counted.
    pub loop_window: Duration,
    /// Where alerts are posted, signed as Standard Webhooks are.
    pub webhook: Option<WebhookSettings>,
    /// A Slack-compatible address; it is a secret itself.
    pub slack_url: Option<Secret>,
}

/// Where alerts are posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The address.
    pub url: String,
    /// The key that signs: `whsec_` and the base64 of 24 to 64 bytes.
    pub secret: Secret,
}

/// `[endpoints.NAME]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointSettings {
    /// Most tokens of an answer when the caller gives no limit.
    pub output_tokens: u64,
}

/// `[cost]`
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CostSettings {
    /// An evaluated answer counts as resolved from this score on, 0..=1.
    pub resolved_score: f64,
    /// Week-over-week change above which drift is an alert, as a share (0.15).
    pub drift: f64,
}

impl Default for Budget {
    /// No limit at all, by UTC.
    fn default() -> Self {
        Self {
            day: None,
            month: None,
            lifetime: None,
            alert_day: None,
            soft_percent: None,
            time_zone: TimeZone::UTC,
            on_breach: OnBreach::Refuse,
        }
    }
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            soft_percent: vec![50, 80, 100],
            burn_rate: true,
            loop_questions: 20,
            loop_window: Duration::from_mins(1),
            webhook: None,
            slack_url: None,
        }
    }
}

impl Default for EndpointSettings {
    fn default() -> Self {
        Self { output_tokens: 1024 }
    }
}

impl Default for CostSettings {
    fn default() -> Self {
        Self { resolved_score: 0.5, drift: 0.15 }
    }
}
