use std::collections::BTreeSet;
use std::ops::AddAssign;

use super::Unknown;
use super::volume::Volume;
use crate::config::MarginSettings;
use crate::domain::NanoUsd;

/// A month of some customers, that others can be added to. A sum with something unknown in it is unknown.
///
/// Money is in whole nano-dollars, so that the rows of a report add up; sums saturate far beyond any real amount.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) customers: u64,
    /// Tickets expected.
    pub(super) expected: Option<f64>,
    /// What is expected of them; `None` also when no ticket was observed.
    pub(super) volume: Option<Volume>,
    pub(super) revenue: i128,
    pub(super) cloud: Option<i128>,
    pub(super) inference: Option<i128>,
    pub(super) support: Option<i128>,
    /// What it cost to win the customers.
    pub(super) acquisition: Option<i128>,
    /// Why something is unknown.
    pub(super) unknown: BTreeSet<Unknown>,
}

/// One customer, before its costs are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Customer<'a> {
    pub(super) price: NanoUsd,
    pub(super) acquisition: Option<NanoUsd>,
    /// Tickets expected a month.
    pub(super) expected: Option<f64>,
    /// Observed tickets that tell what one costs.
    pub(super) observed: Option<&'a Volume>,
}

impl Line {
    /// No customers.
    pub(super) fn empty() -> Self {
        Self {
            customers: 0,
            expected: Some(0.0),
            volume: Some(Volume::default()),
            revenue: 0,
            cloud: Some(0),
            inference: Some(0),
            support: Some(0),
            acquisition: Some(0),
            unknown: BTreeSet::new(),
        }
    }

    /// One customer, who bears `fixed_share` nano-dollars of the fixed cloud cost.
    ///
    /// Of the two parts of the cloud cost, one that is not set is not charged; without either the cost is unknown.
    pub(super) fn of(customer: &Customer<'_>, fixed_share: i128, settings: &MarginSettings) -> Self {
        let volume = customer.expected.zip(customer.observed).and_then(|(tickets, seen)| seen.with_tickets(tickets));
        let cloud_is_set = settings.cloud_per_month.is_some() || settings.cloud_per_thousand_tickets.is_some();
        let per_thousand = settings.cloud_per_thousand_tickets.unwrap_or(NanoUsd::ZERO).0 as f64;
        let cloud = |tickets: f64| fixed_share.saturating_add(whole(per_thousand * tickets / 1_000.0));
        let support = |(volume, price): (Volume, NanoUsd)| whole(volume.handovers * price.0 as f64);
        let unknown = [
            (Unknown::ExpectedTickets, customer.expected.is_none()),
            (Unknown::Usage, customer.observed.is_none()),
            (Unknown::CloudCost, !cloud_is_set),
            (Unknown::SupportCost, settings.support_per_handover.is_none()),
        ];
        Self {
            customers: 1,
            expected: customer.expected,
            volume,
            revenue: i128::from(customer.price.0),
            cloud: customer.expected.filter(|_| cloud_is_set).map(cloud),
            inference: volume.map(|volume| whole(volume.inference)),
            support: volume.zip(settings.support_per_handover).map(support),
            acquisition: customer.acquisition.map(|amount| i128::from(amount.0)),
            unknown: unknown.into_iter().filter(|(_, applies)| *applies).map(|(reason, _)| reason).collect(),
        }
    }

    /// What the customers cost to serve.
    pub(super) fn cogs(&self) -> Option<i128> {
        let (cloud, inference, support) = (self.cloud?, self.inference?, self.support?);
        Some(cloud.saturating_add(inference).saturating_add(support))
    }

    pub(super) fn gross_profit(&self) -> Option<i128> {
        Some(self.revenue.saturating_sub(self.cogs()?))
    }

    /// Gross profit by revenue; `None` without revenue.
    pub(super) fn margin(&self) -> Option<f64> {
        let profit = self.gross_profit()?;
        (self.revenue > 0).then(|| profit as f64 / self.revenue as f64)
    }
}

impl AddAssign<&Self> for Line {
    fn add_assign(&mut self, other: &Self) {
        let sum = |one: Option<i128>, other: Option<i128>| Some(one?.saturating_add(other?));
        self.customers += other.customers;
        self.expected = self.expected.zip(other.expected).map(|(one, other)| one + other);
        self.volume = self.volume.zip(other.volume).map(|(mut one, other)| {
            one += other;
            one
        });
        self.revenue = self.revenue.saturating_add(other.revenue);
        self.cloud = sum(self.cloud, other.cloud);
        self.inference = sum(self.inference, other.inference);
        self.support = sum(self.support, other.support);
        self.acquisition = sum(self.acquisition, other.acquisition);
        self.unknown.extend(&other.unknown);
    }
}

/// Rounded to whole nano-dollars.
pub(super) fn whole(nanousd: f64) -> i128 {
    nanousd.round() as i128
}
