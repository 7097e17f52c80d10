use serde::Serialize;

use super::line::Line;
use crate::domain::NanoUsd;

/// Revenue and costs of a month, of one customer or of several together. A sum is `None` when a part of it is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Figures {
    /// How many customers.
    pub customers: u64,
    /// Tickets they are expected to ask a month.
    pub expected_tickets: Option<f64>,
    /// What they pay.
    pub revenue_nanousd: Option<NanoUsd>,
    /// Their share of the fixed cloud cost, by expected tickets, and what their tickets add.
    pub cloud_nanousd: Option<NanoUsd>,
    /// What their tickets' calls to models cost.
    pub inference_nanousd: Option<NanoUsd>,
    /// What their hand-overs to people cost.
    pub support_nanousd: Option<NanoUsd>,
    /// Cloud, AI inference and support together.
    pub cogs_nanousd: Option<NanoUsd>,
    /// Revenue less that.
    pub gross_profit_nanousd: Option<NanoUsd>,
    /// Gross profit by revenue; `None` also without revenue.
    pub margin: Option<f64>,
    /// Share of AI inference in the cost, 0..=1; `None` also when nothing costs anything.
    pub inference_share: Option<f64>,
    /// Months until gross profit has earned what winning the customers cost.
    pub payback_months: Option<f64>,
    /// Why there is no such time.
    pub no_payback: Option<NoPayback>,
    /// Why the margin is not known; empty when it is.
    pub unknown: Vec<Unknown>,
}

/// Why there is no time after which a customer has paid back its acquisition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoPayback {
    /// The plan, or one of the plans, has no acquisition cost configured.
    NotConfigured,
    /// The gross profit is not known.
    Unknown,
    /// There is no gross profit to pay it back from.
    Never,
}

/// Why a margin is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// There are no customers with a plan.
    Customers,
    /// The customers pay nothing.
    Revenue,
    /// Neither configured for tenant or plan, nor observed.
    ExpectedTickets,
    /// No ticket was observed, of anybody.
    Usage,
    /// Neither part of the cloud cost is configured.
    CloudCost,
    /// The price of a hand-over is not configured.
    SupportCost,
}

impl Unknown {
    /// What is missing, and the next step.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Customers => "there are no customers with a plan; name them in `[tenants]` or in `margin.customers`",
            Self::Revenue => "no customer pays anything",
            Self::ExpectedTickets => {
                "a customer has not asked anything yet; set its `tickets_per_month`, or its plan's"
            }
            Self::Usage => "no ticket was observed; look at a longer time",
            Self::CloudCost => "no cloud cost is set; set `margin.cloud_usd_per_month`, to 0 if there is none",
            Self::SupportCost => {
                "a hand-over has no price; set `margin.support_usd_per_handover`, to 0 if it costs nothing"
            }
        }
    }
}

impl Line {
    /// What is reported of it.
    pub(super) fn figures(&self) -> Figures {
        // Without customers the sums are 0, which says nothing.
        let known = |amount: Option<i128>| amount.filter(|_| self.customers > 0).and_then(money);
        let (payback_months, no_payback) = match self.payback() {
            Ok(months) => (Some(months), None),
            Err(reason) => (None, Some(reason)),
        };
        let mut unknown: Vec<Unknown> = self.unknown.iter().copied().collect();
        if self.customers == 0 {
            unknown.push(Unknown::Customers);
        } else if self.revenue <= 0 {
            unknown.insert(0, Unknown::Revenue);
        }
        let share = |(inference, cogs): (i128, i128)| (cogs > 0).then(|| inference as f64 / cogs as f64);
        Figures {
            customers: self.customers,
            expected_tickets: self.expected.filter(|_| self.customers > 0),
            revenue_nanousd: known(Some(self.revenue)),
            cloud_nanousd: known(self.cloud),
            inference_nanousd: known(self.inference),
            support_nanousd: known(self.support),
            cogs_nanousd: known(self.cogs()),
            gross_profit_nanousd: known(self.gross_profit()),
            margin: self.margin(),
            inference_share: self.inference.zip(self.cogs()).and_then(share),
            payback_months,
            no_payback,
            unknown,
        }
    }

    /// Acquisition cost by gross profit a month.
    ///
    /// Source: the usual CAC payback of SaaS, CAC ÷ (ARPA × gross margin); revenue × gross margin is gross profit.
    fn payback(&self) -> Result<f64, NoPayback> {
        let acquisition = self.acquisition.filter(|_| self.customers > 0).ok_or(NoPayback::NotConfigured)?;
        let profit = self.gross_profit().ok_or(NoPayback::Unknown)?;
        if profit > 0 { Ok(acquisition as f64 / profit as f64) } else { Err(NoPayback::Never) }
    }
}

/// The amount, or `None` beyond what one can hold.
pub(super) fn money(nanousd: i128) -> Option<NanoUsd> {
    i64::try_from(nanousd).ok().map(NanoUsd)
}
