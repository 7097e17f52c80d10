mod delivery;
mod rules;

use jiff::tz::TimeZone;
use uuid::Uuid;

use super::*;
use crate::domain::{CallId, NanoUsd, Period, TicketId};

const NOW: &str = "2026-11-14T14:09:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn dollars(text: &str) -> NanoUsd {
    NanoUsd::parse_dollars(text).unwrap()
}

fn acme() -> Scope {
    Scope::new(ScopeKind::Tenant, "acme")
}

fn about(scope: &Scope, period: Period) -> Occasion<'_> {
    Occasion { scope, period: period.window(time(NOW), &TimeZone::UTC), now: time(NOW) }
}

fn ticket(number: u128) -> TicketId {
    TicketId::from(Uuid::from_u128(number))
}

/// One alert of each rule.
fn one_of_each() -> Vec<Alert> {
    let acme = acme();
    let (day, month) = (about(&acme, Period::Day), about(&acme, Period::Month));
    let (limit, before, after) = (dollars("100"), dollars("79"), dollars("81.20"));
    let spending = Spending { limit, before, after, reserved: Some(dollars("1.2")) };
    let mut alerts = soft_limits(&month, Period::Month, &spending, &[50, 80, 100]);
    let yesterday = Spending { limit: dollars("80"), reserved: None, ..spending };
    alerts.extend(daily_spend(&day, &yesterday));
    let spent = SpentIn { one_hour: dollars("3"), five_minutes: dollars("0.5"), ..SpentIn::default() };
    alerts.extend(burn_rate(&day, limit, month.period, &spent));
    let asked = [1, 2, 3].map(|number| Asked { at: time(NOW), ticket: ticket(number), fingerprint: 0 });
    alerts.extend(repeats(&day, &asked, 3, std::time::Duration::from_mins(1)));
    let (before, after) = (dollars("0.0100"), dollars("0.0116"));
    let drifted = Drifted {
        measure: "cost_per_request_p95",
        label: "P95 of cost per request",
        before,
        after,
        change: Some(0.16),
        allowed: 0.15,
        cause: Some("more tokens per call"),
    };
    alerts.push(drift(&day, &drifted));
    alerts.extend(overrun(&day, CallId::from(Uuid::from_u128(1)), before, after));
    alerts
}
