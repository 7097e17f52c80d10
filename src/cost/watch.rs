use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::alerts::{self, Alert, Asked, Channel, Delivery, DeliverySetupError, Occasion, SpentIn};
use super::rules::{Rules, STDERR};
use crate::domain::{Clock, Period, Scope, ScopeKind};
use crate::store::{DeliveryOutcome, DueDelivery, NewAlert, Store, StoreError};

/// Looks for what no single booking shows, and tells the alerts that wait.
pub struct Watch {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    rules: Arc<Rules>,
    delivery: Delivery,
}

/// A telling that is under way is not begun again before this is over.
const UNDER_WAY: Duration = Duration::from_mins(1);
/// Waits after failed tellings: Standard Webhooks recommends retries over more than a day.
const RETRY_AFTER: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
];

impl Watch {
    /// Watches over `store` by these rules.
    ///
    /// # Errors
    /// When the settings name a channel that cannot be used.
    pub fn new(store: Arc<Store>, clock: Arc<dyn Clock>, rules: Arc<Rules>) -> Result<Self, DeliverySetupError> {
        let delivery = Delivery::new(rules.alert_settings(), Arc::clone(&clock))?;
        Ok(Self { store, clock, rules, delivery })
    }

    /// Looks for spending that is too fast for its budget, and for questions in a loop; keeps the alerts.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self) -> Result<(), StoreError> {
        // What was booked last may have alerts of its own.
        self.store.flush().await?;
        let now = self.clock.now();
        let mut fired = self.burn_rates(now)?;
        fired.extend(self.loops(now)?);
        if fired.is_empty() { Ok(()) } else { self.store.add_alerts(fired).await }
    }

    /// Tells the alerts that are due: on stderr by `say`, where there is one, and wherever else the settings name.
    ///
    /// # Errors
    /// When the store fails. A channel that fails is tried again later.
    pub async fn tell(&self, say: Option<&(dyn Fn(&Alert) + Sync)>) -> Result<(), StoreError> {
        let except = say.is_none().then_some(STDERR);
        loop {
            let now = self.clock.now();
            if !self.store.has_due_deliveries(now, except)? {
                return Ok(());
            }
            let due = self.store.take_due_delivery(now, after(now, UNDER_WAY), except, STDERR).await?;
            let Some(delivery) = due else { return Ok(()) };
            let outcome = self.tell_one(&delivery, say).await;
            if let DeliveryOutcome::Retry { error, .. } | DeliveryOutcome::Failed { error } = &outcome {
                tracing::warn!(
                    channel = delivery.channel,
                    attempt = delivery.attempts,
                    error,
                    "an alert was not delivered"
                );
            }
            self.store.end_delivery(delivery.alert, delivery.channel, outcome).await?;
        }
    }

    async fn tell_one(&self, due: &DueDelivery, say: Option<&(dyn Fn(&Alert) + Sync)>) -> DeliveryOutcome {
        let alert: Alert = match serde_json::from_str(&due.body) {
            Ok(alert) => alert,
            Err(error) => return DeliveryOutcome::Failed { error: format!("the stored alert is unreadable: {error}") },
        };
        let channel = [Channel::Webhook, Channel::Slack].into_iter().find(|channel| channel.as_str() == due.channel);
        let Some(channel) = channel else {
            if let Some(say) = say {
                say(&alert);
            }
            return DeliveryOutcome::Delivered;
        };
        match self.delivery.deliver(channel, &alert).await {
            Ok(()) => DeliveryOutcome::Delivered,
            Err(error) => match RETRY_AFTER.get(due.attempts.saturating_sub(1) as usize).filter(|_| error.may_pass()) {
                Some(wait) => DeliveryOutcome::Retry { at: after(self.clock.now(), *wait), error: error.to_string() },
                None => DeliveryOutcome::Failed { error: error.to_string() },
            },
        }
    }

    fn burn_rates(&self, now: Timestamp) -> Result<Vec<NewAlert>, StoreError> {
        if !self.rules.alert_settings().burn_rate {
            return Ok(Vec::new());
        }
        let overrides = self.store.budget_overrides()?;
        let mut scopes: BTreeSet<Scope> = self.rules.scopes().cloned().collect();
        scopes.extend(overrides.iter().map(|set| set.scope.clone()));
        if self.rules.has_tenant_default() {
            let active = self.store.tenants_since(before(now, Duration::from_hours(6)))?;
            scopes.extend(active.into_iter().map(|tenant| Scope::new(ScopeKind::Tenant, tenant)));
        }
        let mut fired = Vec::new();
        for scope in scopes {
            let limits = self.rules.limits_of(&scope, now, &overrides);
            let month = limits.iter().find(|limit| limit.period == Period::Month);
            let Some((window, cap)) = month.and_then(|limit| Some((limit.window, limit.cap?))) else { continue };
            let windows =
                [Duration::from_mins(5), Duration::from_mins(30), Duration::from_hours(1), Duration::from_hours(6)];
            let spent = self.store.spent_since(&scope, &windows.map(|window| before(now, window)))?;
            let [five_minutes, thirty_minutes, one_hour, six_hours] = spent[..] else { continue };
            let spent = SpentIn { five_minutes, thirty_minutes, one_hour, six_hours };
            let about = Occasion { scope: &scope, period: self.today(now), now };
            fired.extend(alerts::burn_rate(&about, cap, window, &spent).map(|alert| self.rules.stored(&alert)));
        }
        Ok(fired)
    }

    fn loops(&self, now: Timestamp) -> Result<Vec<NewAlert>, StoreError> {
        let settings = self.rules.alert_settings();
        if settings.loop_questions == 0 {
            return Ok(Vec::new());
        }
        // A look may come late: a burst that is over still was one.
        let since = before(now, settings.loop_window.max(LATE) + settings.loop_window);
        let mut by_tenant: std::collections::BTreeMap<String, Vec<Asked>> = std::collections::BTreeMap::new();
        for (tenant, at, ticket, fingerprint) in self.store.fingerprints_since(since)? {
            by_tenant.entry(tenant).or_default().push(Asked { at, ticket, fingerprint });
        }
        let alert = |(tenant, asked): (String, Vec<Asked>)| {
            let scope = Scope::new(ScopeKind::Tenant, tenant);
            // The day of the burst, not of the look.
            let last = alerts::find_repeats(&asked, settings.loop_questions, settings.loop_window)?.last.at;
            let about = Occasion { scope: &scope, period: self.today(last), now };
            let found = alerts::repeats(&about, &asked, settings.loop_questions, settings.loop_window)?;
            Some(self.rules.stored(&found))
        };
        Ok(by_tenant.into_iter().filter_map(alert).collect())
    }

    fn today(&self, now: Timestamp) -> crate::domain::Window {
        self.rules.window(Period::Day, now, TimeZone::UTC)
    }
}

/// Looks may be this far apart.
const LATE: Duration = Duration::from_mins(2);

fn before(now: Timestamp, time: Duration) -> Timestamp {
    now.checked_sub(time).unwrap_or(Timestamp::MIN)
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    now.checked_add(time).unwrap_or(Timestamp::MAX)
}
