use super::{Alert, AlertFigures, AlertRule, AlertSeverity, Occasion};
use crate::domain::{NanoUsd, Period};

/// How the spending of a period stands to a limit, when something is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// The limit.
    pub limit: NanoUsd,
    /// The sum before; zero when the limit itself is new, so that what was spent already counts.
    pub before: NanoUsd,
    /// The sum after.
    pub after: NanoUsd,
    /// Reserved by calls that are under way; `None` when it is not known.
    pub reserved: Option<NanoUsd>,
}

impl Spending {
    fn more(&self) -> String {
        match self.reserved {
            Some(reserved) if reserved > NanoUsd::ZERO => format!(", {reserved} more reserved"),
            _ => String::new(),
        }
    }

    fn figures(&self) -> AlertFigures {
        let Self { limit, after, reserved, .. } = *self;
        AlertFigures::Spending { limit_nanousd: limit, spent_nanousd: after, reserved_nanousd: reserved }
    }
}

/// The shares of a cap, of `percents`, that are reached by what was just booked, the smallest first.
///
/// A share is reached by spending exactly that much; what was reached before is not reached again. A cap of nothing is
/// reached by any spending at all, which is one alert, of the largest share.
pub fn soft_limits(about: &Occasion, period: Period, spending: &Spending, percents: &[u32]) -> Vec<Alert> {
    let mut percents = percents.to_vec();
    percents.sort_unstable();
    percents.dedup();
    let Spending { limit, before, after, .. } = *spending;
    // In hundredths of a nano-dollar, where shares are whole numbers.
    let cents = |amount: NanoUsd, times: u32| i128::from(amount.0) * i128::from(times);
    let is_crossed = |percent: &u32| {
        let mark = cents(limit, *percent).max(1);
        cents(before, 100) < mark && mark <= cents(after, 100)
    };
    let mut crossed: Vec<u32> = percents.into_iter().filter(is_crossed).collect();
    if limit.0 <= 0 {
        crossed.drain(..crossed.len().saturating_sub(1));
    }
    let (budget, more) = (named(period), spending.more());
    let alert = |percent: u32| {
        let subject = about.subject();
        let text = match percent {
            _ if limit.0 <= 0 => format!("{subject} has spent {after} although its {budget} is {limit}{more}."),
            100 => format!("{subject} has used up its {budget}: {after} of {limit} spent{more}."),
            _ => format!("{subject} has reached {percent} % of its {budget}: {after} of {limit} spent{more}."),
        };
        let severity = match percent {
            100.. => AlertSeverity::Critical,
            75.. => AlertSeverity::Warning,
            _ => AlertSeverity::Info,
        };
        about.alert(AlertRule::SoftLimit { percent, period }, severity, text, spending.figures())
    };
    crossed.into_iter().map(alert).collect()
}

/// The alert for a cap that has no room for a call that may cost `needed`, even when all that is reserved turns out to
/// cost nothing.
pub fn refusals(about: &Occasion, period: Period, needed: NanoUsd, spending: &Spending) -> Alert {
    let Spending { limit, after, .. } = *spending;
    let (subject, budget, more) = (about.subject(), named(period), spending.more());
    let text = format!(
        "{subject} was refused a call of up to {needed}: its {budget} of {limit} has no room for it, with {after} spent{more}."
    );
    about.alert(AlertRule::Refusals { period }, AlertSeverity::Critical, text, spending.figures())
}

fn named(period: Period) -> &'static str {
    match period {
        Period::Day => "daily budget",
        Period::Month => "monthly budget",
        Period::Lifetime => "lifetime budget",
    }
}

/// Whether what was just booked makes a day's spending more than `spending.limit`; exactly that much is not more.
pub fn daily_spend(about: &Occasion, spending: &Spending) -> Option<Alert> {
    let Spending { limit, before, after, .. } = *spending;
    let text = || format!("{} has spent {after} today, more than {limit}.", about.subject());
    (before <= limit && limit < after)
        .then(|| about.alert(AlertRule::DailySpend, AlertSeverity::Warning, text(), spending.figures()))
}
