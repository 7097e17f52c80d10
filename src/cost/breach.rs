use std::fmt;

use serde::Serialize;

use crate::domain::{NanoUsd, Period, Scope, rfc3339};
use crate::store::Breach;

/// The cap that a request was refused for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BudgetBreach {
    /// Whose cap.
    pub scope: Scope,
    /// For which period.
    pub period: Period,
    /// The cap.
    pub limit_nanousd: NanoUsd,
    /// What is booked against it.
    pub spent_nanousd: NanoUsd,
    /// What is held against it by calls that have not ended.
    pub reserved_nanousd: NanoUsd,
    /// What would have had to be held: the worst case of the call. More than fits into nano-dollars is the most that does.
    pub needed_nanousd: NanoUsd,
    /// When it begins anew, RFC 3339; `None` when it never does.
    pub resets_at: Option<String>,
    /// Whether the same request may be granted once calls under way have ended.
    pub retry_may_help: bool,
}

/// A refusal as RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BudgetProblem {
    /// What kind of problem it is.
    pub r#type: &'static str,
    /// The same in words.
    pub title: &'static str,
    /// The HTTP status: 402.
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// The figures.
    #[serde(flatten)]
    pub breach: BudgetBreach,
}

impl BudgetBreach {
    /// What stands against a call whose worst case is `needed`.
    pub(super) fn new(breach: Breach, needed: NanoUsd) -> Self {
        let Breach { limit, spent, reserved } = breach;
        let cap = limit.cap.unwrap_or_default();
        let alone = spent.checked_add(needed).is_some_and(|sum| sum <= cap);
        Self {
            scope: limit.scope,
            period: limit.period,
            limit_nanousd: cap,
            spent_nanousd: spent,
            reserved_nanousd: reserved,
            needed_nanousd: needed,
            resets_at: (limit.period != Period::Lifetime).then(|| rfc3339(limit.window.ends)),
            retry_may_help: alone && reserved > NanoUsd::ZERO,
        }
    }

    /// The refusal as RFC 9457 problem details.
    pub fn problem(&self) -> BudgetProblem {
        BudgetProblem {
            r#type: "urn:tollgate:problem:budget-exceeded",
            title: "the budget is used up",
            status: 402,
            detail: self.to_string(),
            breach: self.clone(),
        }
    }
}

impl fmt::Display for BudgetBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, period, limit_nanousd: limit, spent_nanousd: spent, reserved_nanousd: reserved, .. } = self;
        write!(
            f,
            "the {} budget of {scope} has no room for a call of up to {}: limit {limit}, spent {spent}, reserved {reserved}",
            period.as_str(),
            self.needed_nanousd,
        )?;
        match &self.resets_at {
            Some(resets) => write!(f, "; it begins anew at {resets}"),
            None => Ok(()),
        }
    }
}
