use super::{Alert, AlertFigures, AlertRule, AlertSeverity, Occasion};
use crate::domain::{NanoUsd, Window};

/// What was spent in the last minutes and hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpentIn {
    /// In the last five minutes.
    pub five_minutes: NanoUsd,
    /// In the last half hour.
    pub thirty_minutes: NanoUsd,
    /// In the last hour.
    pub one_hour: NanoUsd,
    /// In the last six hours.
    pub six_hours: NanoUsd,
}

/// A pair of times, and how fast is too fast in both.
struct Pair {
    long_minutes: u32,
    short_minutes: u32,
    threshold_tenths: u32,
    severity: AlertSeverity,
}

/// The pairs, the fastest first.
const PAIRS: [Pair; 2] = [
    Pair { long_minutes: 60, short_minutes: 5, threshold_tenths: 144, severity: AlertSeverity::Critical },
    Pair { long_minutes: 360, short_minutes: 30, threshold_tenths: 60, severity: AlertSeverity::Warning },
];

/// Whether money is spent so fast that the month's budget will not last; of two speeds the faster.
///
/// A burn rate of 1 spends exactly the month's budget in the month. More than 14.4 over the last hour *and* the last
/// five minutes is critical: 2 % of a month of 30 days went in that hour, and the whole budget is gone in 50 hours. More
/// than 6 over the last six hours *and* the last half hour is a warning: 5 % went, and the whole is gone in 5 days. The
/// short time lets an alert end soon after its reason does. Without a budget above zero there is no rate.
///
/// `about.period` is that in which an alert fires once, which a day suits: a month would hide the second burst.
///
/// Source: Google, The Site Reliability Workbook (2018), ch. 5, "Multiwindow, Multi-Burn-Rate Alerts".
pub fn burn_rate(about: &Occasion, month_limit: NanoUsd, month: Window, spent: &SpentIn) -> Option<Alert> {
    let month_seconds = month.ends.as_second() - month.starts.as_second();
    if month_limit.0 <= 0 || month_seconds <= 0 {
        return None;
    }
    // To hundredths: more digits are noise.
    let rate = |spent: NanoUsd, minutes: u32| {
        let of_budget = spent.0 as f64 / month_limit.0 as f64;
        (of_budget / (f64::from(minutes) * 60.0 / month_seconds as f64) * 100.0).round() / 100.0
    };
    // The same in whole numbers: a rate of exactly the threshold does not exceed it.
    let exceeds = |spent: NanoUsd, minutes: u32, threshold_tenths: u32| {
        let carried = i128::from(month_limit.0) * i128::from(minutes) * 60 * i128::from(threshold_tenths);
        i128::from(spent.0) * i128::from(month_seconds) * 10 > carried
    };
    let amounts = [(spent.one_hour, spent.five_minutes), (spent.six_hours, spent.thirty_minutes)];
    let (pair, (long, short)) = PAIRS.iter().zip(amounts).find(|(pair, (long, short))| {
        exceeds(*long, pair.long_minutes, pair.threshold_tenths)
            && exceeds(*short, pair.short_minutes, pair.threshold_tenths)
    })?;
    let &Pair { long_minutes, short_minutes, threshold_tenths, severity } = pair;
    let long_burn_rate = rate(long, long_minutes);
    let text = format!(
        "{} spends {long_burn_rate:.1} times as fast as its monthly budget of {month_limit} allows: {long} within \
         {}, and it goes on; at this rate a whole month's budget lasts {}.",
        about.subject(),
        if long_minutes == 60 { "an hour".to_owned() } else { format!("{} hours", long_minutes / 60) },
        lasts(month_seconds as f64 / long_burn_rate / 3_600.0),
    );
    let figures = AlertFigures::BurnRate {
        limit_nanousd: month_limit,
        long_spent_nanousd: long,
        short_spent_nanousd: short,
        long_burn_rate,
        short_burn_rate: rate(short, short_minutes),
        threshold: f64::from(threshold_tenths) / 10.0,
    };
    Some(about.alert(AlertRule::BurnRate { long_minutes, short_minutes }, severity, text, figures))
}

/// Hours as people say them.
fn lasts(hours: f64) -> String {
    match hours {
        48.0.. => format!("{:.1} days", hours / 24.0),
        2.0.. => format!("{hours:.0} hours"),
        _ => format!("{:.0} minutes", hours * 60.0),
    }
}
