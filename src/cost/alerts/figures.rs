use serde::{Deserialize, Serialize};

use crate::domain::{CallId, NanoUsd, TicketId};

/// The numbers behind an alert; which of them there are depends on its rule. `null` stands for what is not known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum AlertFigures {
    /// Of `burn_rate`.
    BurnRate {
        /// The budget of the month.
        limit_nanousd: NanoUsd,
        /// Spent in the longer time.
        long_spent_nanousd: NanoUsd,
        /// Spent in the shorter time.
        short_spent_nanousd: NanoUsd,
        /// How many times as fast as the month's budget carries, over the longer time.
        long_burn_rate: f64,
        /// The same over the shorter time.
        short_burn_rate: f64,
        /// What both exceed.
        threshold: f64,
    },
    /// Of `loop`.
    Repeats {
        /// How many tickets asked it.
        tickets: usize,
        /// The time in which they were counted.
        window_ms: u64,
        /// From the first to the last of them.
        lasted_ms: u64,
        /// The first of them.
        first_ticket: TicketId,
        /// The last of them.
        last_ticket: TicketId,
    },
    /// Of `drift`.
    Drift {
        /// The week before.
        before_nanousd: NanoUsd,
        /// The last week.
        after_nanousd: NanoUsd,
        /// The change as a share of the week before; `null` when that was nothing.
        change: Option<f64>,
        /// The change that is allowed.
        allowed_change: f64,
        /// What most of it comes from.
        cause: Option<String>,
    },
    /// Of `overrun`.
    Overrun {
        /// The call that was booked.
        call: CallId,
        /// What was held for it.
        reserved_nanousd: NanoUsd,
        /// What was booked.
        charged_nanousd: NanoUsd,
    },
    /// Of `soft_limit`, `refusals` and `daily_spend`.
    Spending {
        /// The limit.
        limit_nanousd: NanoUsd,
        /// Spent so far in the period.
        spent_nanousd: NanoUsd,
        /// Reserved by calls that are under way.
        reserved_nanousd: Option<NanoUsd>,
    },
}
