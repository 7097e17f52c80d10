//! Rules that say when somebody has to be told about money, and how they are told. The rules are pure; each alert is
//! known by its rule, its scope and its period, so that whoever keeps alerts can let each through once.

mod burn_rate;
mod deliver;
mod events;
mod figures;
mod limits;
mod repeats;
mod rule;
mod send;
#[cfg(test)]
mod tests;
mod webhook;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{Hasher, NanoUsd, Scope, ScopeKind, Window, rfc3339};
pub use burn_rate::{SpentIn, burn_rate};
pub use deliver::{Channel, Delivery, DeliveryError, DeliverySetupError};
pub use events::{Drifted, drift, overrun};
pub use figures::AlertFigures;
pub use limits::{Spending, daily_spend, refusals, soft_limits};
pub use repeats::{Asked, Repeats, find_repeats, repeats};
pub use rule::AlertRule;

/// Something that somebody has to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Alert {
    /// The same for the same rule, scope, limit and period, whenever and wherever it fires: receivers can drop repetitions.
    pub id: String,
    /// Why it fired.
    pub rule: AlertRule,
    /// What it is about.
    pub scope: Scope,
    /// The first moment of the period in which it fires once.
    #[serde(serialize_with = "write_time")]
    #[schemars(with = "String")]
    pub period_starts: Timestamp,
    /// When it fired.
    #[serde(serialize_with = "write_time")]
    #[schemars(with = "String")]
    pub fired_at: Timestamp,
    /// How urgent it is.
    pub severity: AlertSeverity,
    /// One sentence for people.
    pub text: String,
    /// The numbers behind it.
    pub figures: AlertFigures,
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    /// Good to know.
    Info,
    /// Worth a look today.
    Warning,
    /// Questions are refused, or soon will be.
    Critical,
}

impl AlertSeverity {
    /// Its name in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a rule looks at, and when.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// What an alert would be about.
    pub scope: &'a Scope,
    /// The period in which it fires once.
    pub period: Window,
    /// Now.
    pub now: Timestamp,
}

impl Occasion<'_> {
    fn alert(&self, rule: AlertRule, severity: AlertSeverity, text: String, figures: AlertFigures) -> Alert {
        let mut hasher = Hasher::default();
        hasher.field(rule.key()).field(self.scope.to_string()).field(rfc3339(self.period.starts));
        if let AlertFigures::Spending { limit_nanousd: NanoUsd(limit), .. } = figures {
            // Another limit is another alert: one that was raised is reached anew.
            hasher.field(limit.to_le_bytes());
        }
        let hash = hasher.finish();
        // No full stop may be in it, which separates it from what is signed with it.
        let id = format!("alert_{}", hash.as_str().get(..32).unwrap_or_default());
        let (scope, period_starts) = (self.scope.clone(), self.period.starts);
        Alert { id, rule, scope, period_starts, fired_at: self.now, severity, text, figures }
    }

    /// What it is about, at the beginning of a sentence.
    fn subject(&self) -> String {
        let quoted = |kind| format!("{kind} `{}`", self.scope.name.replace(char::is_control, " "));
        match self.scope.kind {
            ScopeKind::Total => "The project".to_owned(),
            ScopeKind::Tenant => quoted("Tenant"),
            ScopeKind::Endpoint => quoted("Endpoint"),
            ScopeKind::Model => quoted("Model"),
            ScopeKind::Provider => quoted("Provider"),
            ScopeKind::Task => quoted("Task"),
        }
    }
}

fn write_time<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time))
}
