use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::alerts::{self, Alert, Occasion, Spending};
use crate::config::{AlertSettings, Budget, BudgetSettings, OnBreach};
use crate::domain::{CallId, NanoUsd, Period, Scope, ScopeKind, Window};
use crate::store::{Booked, BudgetOverride, CallScopes, Limit, NewAlert, SpendRules};

/// Who is told on this machine.
pub(super) const STDERR: &str = "stderr";

/// The budgets and alerts of a project, as the ledger asks for them.
pub struct Rules {
    budgets: BudgetSettings,
    alerts: AlertSettings,
    /// The last windows that were worked out: calendars are slow.
    windows: Mutex<Vec<(TimeZone, Period, Window)>>,
}

impl Rules {
    /// The rules that these settings make.
    pub fn new(budgets: BudgetSettings, alerts: AlertSettings) -> Self {
        Self { budgets, alerts, windows: Mutex::default() }
    }

    /// The settings for alerts.
    pub fn alert_settings(&self) -> &AlertSettings {
        &self.alerts
    }

    /// The budget that the settings have for a scope.
    pub fn budget(&self, scope: &Scope) -> Option<&Budget> {
        let own = self.budgets.by_scope.get(scope);
        own.or_else(|| self.budgets.each_tenant.as_ref().filter(|_| scope.kind == ScopeKind::Tenant))
    }

    /// Every scope that has a budget of its own in the settings.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        self.budgets.by_scope.keys()
    }

    /// Whether tenants without a budget of their own have one.
    pub fn has_tenant_default(&self) -> bool {
        self.budgets.each_tenant.is_some()
    }

    /// What a tenant's question gets that a cap refuses.
    pub fn on_breach(&self, tenant: &str) -> &OnBreach {
        static REFUSE: OnBreach = OnBreach::Refuse;
        self.budget(&Scope::new(ScopeKind::Tenant, tenant)).map_or(&REFUSE, |budget| &budget.on_breach)
    }

    /// The windows that a scope's spending counts in at a time, as settings and `overrides` have them.
    pub fn limits_of(&self, scope: &Scope, at: Timestamp, overrides: &[BudgetOverride]) -> Vec<Limit> {
        let budget = self.budget(scope);
        let set = |period| overrides.iter().find(move |set| set.scope == *scope && set.period == period);
        let mut limits = Vec::new();
        for period in Period::ALL {
            let configured = budget.and_then(|budget| match period {
                Period::Day => budget.day,
                Period::Month => budget.month,
                Period::Lifetime => budget.lifetime,
            });
            let cap = set(period).map_or(configured, |set| set.cap);
            let watched = period == Period::Day && budget.is_some_and(|budget| budget.alert_day.is_some());
            if cap.is_some() || watched {
                limits.push(Limit { scope: scope.clone(), period, window: self.window_of(scope, period, at), cap });
            }
        }
        limits
    }

    /// The window of a period that holds a time, in a scope's own zone.
    pub(super) fn window_of(&self, scope: &Scope, period: Period, at: Timestamp) -> Window {
        let zone = self.budget(scope).map_or(TimeZone::UTC, |budget| budget.time_zone.clone());
        self.window(period, at, zone)
    }

    pub(super) fn window(&self, period: Period, at: Timestamp, zone: TimeZone) -> Window {
        let mut known = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let same =
            |(of, kind, window): &&(TimeZone, Period, Window)| *kind == period && *of == zone && window.contains(at);
        if let Some((.., window)) = known.iter().find(same) {
            return *window;
        }
        let window = period.window(at, &zone);
        known.retain(|(of, kind, _)| *kind != period || *of != zone);
        known.push((zone, period, window));
        window
    }

    /// An alert as the store keeps it, to be told wherever the settings say.
    pub fn stored(&self, alert: &Alert) -> NewAlert {
        let mut channels = vec![STDERR];
        channels.extend(self.alerts.webhook.as_ref().map(|_| alerts::Channel::Webhook.as_str()));
        channels.extend(self.alerts.slack_url.as_ref().map(|_| alerts::Channel::Slack.as_str()));
        NewAlert {
            id: alert.id.clone(),
            fired_at: alert.fired_at,
            scope: alert.scope.clone(),
            body: serde_json::to_string(alert).unwrap_or_default(),
            channels,
        }
    }
}

impl SpendRules for Rules {
    fn limits(&self, call: &CallScopes, at: Timestamp, overrides: &[BudgetOverride]) -> Vec<Limit> {
        call.all().iter().flat_map(|scope| self.limits_of(scope, at, overrides)).collect()
    }

    fn alerts(&self, booked: &Booked) -> Vec<NewAlert> {
        let budget = self.budget(&booked.limit.scope).cloned().unwrap_or_default();
        let percents = budget.soft_percent.as_ref().unwrap_or(&self.alerts.soft_percent);
        let Booked { limit, at, charged, spent, reserved } = booked;
        let about = Occasion { scope: &limit.scope, period: limit.window, now: *at };
        let before = *spent - *charged;
        let spending = |limit| Spending { limit, before, after: *spent, reserved: Some(*reserved) };
        let mut fired = Vec::new();
        if let Some(cap) = limit.cap {
            fired.extend(alerts::soft_limits(&about, limit.period, &spending(cap), percents));
        }
        if let Some(most) = budget.alert_day.filter(|_| limit.period == Period::Day) {
            fired.extend(alerts::daily_spend(&about, &spending(most)));
        }
        fired.iter().map(|alert| self.stored(alert)).collect()
    }

    fn refusal(&self, limit: &Limit, at: Timestamp, needed: NanoUsd, spent: NanoUsd, reserved: NanoUsd) -> NewAlert {
        let about = Occasion { scope: &limit.scope, period: limit.window, now: at };
        let cap = limit.cap.unwrap_or_default();
        let spending = Spending { limit: cap, before: spent, after: spent, reserved: Some(reserved) };
        self.stored(&alerts::refusals(&about, limit.period, needed, &spending))
    }

    fn overrun(
        &self,
        call: CallId,
        scopes: &CallScopes,
        at: Timestamp,
        reserved: NanoUsd,
        charged: NanoUsd,
    ) -> Option<NewAlert> {
        let scope = Scope::new(ScopeKind::Model, &*scopes.model);
        let about = Occasion { scope: &scope, period: self.window(Period::Day, at, TimeZone::UTC), now: at };
        Some(self.stored(&alerts::overrun(&about, call, reserved, charged)?))
    }
}
