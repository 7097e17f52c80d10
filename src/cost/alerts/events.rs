use super::{Alert, AlertFigures, AlertRule, AlertSeverity, Occasion};
use crate::domain::{CallId, NanoUsd};

/// A figure that changed from week to week by more than is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drifted<'a> {
    /// Which one, in `snake_case`; there is one alert for each.
    pub measure: &'a str,
    /// The same for people: "P95 of cost per request".
    pub label: &'a str,
    /// The week before.
    pub before: NanoUsd,
    /// The last week.
    pub after: NanoUsd,
    /// The change as a share of the week before, 0.16 for 16 % more; `None` when that was nothing.
    pub change: Option<f64>,
    /// The change that is allowed.
    pub allowed: f64,
    /// What most of it comes from, for people: "more tokens per call".
    pub cause: Option<&'a str>,
}

/// The alert for a figure that drifted.
pub fn drift(about: &Occasion, drifted: &Drifted) -> Alert {
    let Drifted { measure, label, before, after, change, allowed, cause } = *drifted;
    let text = format!(
        "{}: {label} {}{} in a week, from {before} to {after}{}.",
        about.subject(),
        if after < before { "fell" } else { "rose" },
        change.map(|change| format!(" by {:.1} %", change.abs() * 100.0)).unwrap_or_default(),
        cause.map(|cause| format!(", mostly because of {cause}")).unwrap_or_default(),
    );
    let figures = AlertFigures::Drift {
        before_nanousd: before,
        after_nanousd: after,
        change,
        allowed_change: allowed,
        cause: cause.map(str::to_owned),
    };
    about.alert(AlertRule::Drift { measure: measure.to_owned() }, AlertSeverity::Warning, text, figures)
}

/// The alert for a call that cost more than was reserved for it; `None` when it did not.
pub fn overrun(about: &Occasion, call: CallId, reserved: NanoUsd, charged: NanoUsd) -> Option<Alert> {
    let text =
        || format!("{}: the call {call} cost {charged}, more than the {reserved} reserved for it.", about.subject());
    let figures = AlertFigures::Overrun { call, reserved_nanousd: reserved, charged_nanousd: charged };
    (charged > reserved).then(|| about.alert(AlertRule::Overrun, AlertSeverity::Warning, text(), figures))
}
