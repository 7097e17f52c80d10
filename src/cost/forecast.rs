//! What will have been spent at the end of the month.
mod render;
mod report;
#[cfg(test)]
mod tests;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Serialize;

use super::rounded::nano;
use crate::domain::NanoUsd;
use crate::stats::{Level, SumPrediction, predict_sum};

pub use report::ForecastReport;

/// Days before today that are looked at.
const LOOK_BACK_DAYS: i32 = 28;
/// The fewest days that make an interval.
const INTERVAL_DAYS: usize = 7;
/// The fewest days that tell weekdays and weekends apart: four weekend days are among them.
const WEEKEND_DAYS: usize = 14;

/// Spending at the end of the month.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Forecast {
    /// The day it was made.
    #[schemars(with = "String")]
    pub today: Date,
    /// The month's last day.
    #[schemars(with = "String")]
    pub month_end: Date,
    /// Days that are left of the month, today's rest included.
    pub days_left: f64,
    /// What was spent this month so far.
    pub spent_nanousd: NanoUsd,
    /// What will have been spent; `null` without any complete day.
    pub expected_nanousd: Option<NanoUsd>,
    /// Where that will be; `null` with fewer than seven complete days.
    pub interval: Option<ForecastInterval>,
    /// How it was made.
    pub method: ForecastMethod,
    /// Complete days that it was made from.
    pub days_used: u64,
    /// What a weekday costs (any day, unless weekends are told apart).
    pub per_weekday_nanousd: Option<NanoUsd>,
    /// What a Saturday or Sunday costs.
    pub per_weekend_day_nanousd: Option<NanoUsd>,
    /// The cap of the month, when there is one.
    pub cap: Option<CapForecast>,
}

/// A prediction interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ForecastInterval {
    /// How likely the month ends within it, 0..1.
    pub confidence: f64,
    /// Its lower end, never below what is spent already.
    pub lower_nanousd: NanoUsd,
    /// Its upper end.
    pub upper_nanousd: NanoUsd,
}

/// How a forecast was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForecastMethod {
    /// There is no complete day to make one from.
    NoDays,
    /// Every day left costs the mean of the days before.
    DailyMean,
    /// The same with means of their own for weekdays and for weekends.
    WeekdaysAndWeekends,
}

/// When a cap will be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct CapForecast {
    /// The most that may be spent in the month.
    pub cap_nanousd: NanoUsd,
    /// Whether it will be.
    pub status: CapStatus,
    /// The day on which it is reached at the expected rate; today when it is reached already.
    #[schemars(with = "Option<String>")]
    pub reached_on: Option<Date>,
}

/// Whether a cap will be reached this month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CapStatus {
    /// It is reached already.
    Reached,
    /// It will be, at the expected rate.
    Expected,
    /// Not at the expected rate, but the interval goes beyond it.
    Possible,
    /// Not within the interval (or, without one, at the expected rate).
    Unlikely,
    /// There is no estimate to tell.
    Unknown,
}

/// Forecasts what the month of `today` will have cost, with an interval at `confidence` (0..1).
///
/// `daily` is what each complete day cost; days before `today` count, back to 28 of them. A day without an entry cost
/// nothing, from the first entry on: the time before it says nothing. `spent_this_month` includes today so far, and
/// `share_of_today_gone` is 0..=1.
///
/// The days left are taken for exchangeable with those observed; from 14 observed days on, weekdays and weekend days
/// (Saturday, Sunday) each have their own mean, with one variance. The sum of the n days to come is predicted from the
/// mean m and standard deviation s of N observed ones as n·m ± t(N − 1)·s·√(n + n²/N) (Hahn & Meeker (1991),
/// Statistical Intervals; see [`predict_sum`]). What is left of today is a part of a day. The interval never begins below what is
/// spent, and there is none with fewer than seven days. Neither growth nor a busy end of the month is foreseen.
pub fn forecast(
    daily: &[(Date, NanoUsd)],
    spent_this_month: NanoUsd,
    today: Date,
    share_of_today_gone: f64,
    confidence: f64,
) -> Forecast {
    let days = Days::observed(daily, today);
    let apart = days.weekday.len() + days.weekend.len() >= WEEKEND_DAYS;
    let left = DaysLeft::of(today, share_of_today_gone);
    let all: Vec<f64> = days.weekday.iter().chain(&days.weekend).copied().collect();
    let levels = if apart {
        vec![
            Level { observed: &days.weekday, coming: left.weekday },
            Level { observed: &days.weekend, coming: left.weekend },
        ]
    } else {
        vec![Level { observed: &all, coming: left.total() }]
    };
    let spent = spent_this_month.0 as f64;
    let prediction = predict_sum(&levels, confidence).filter(|_| !all.is_empty());
    let interval = |sum: SumPrediction| {
        let interval = sum.interval.filter(|_| all.len() >= INTERVAL_DAYS)?;
        Some(ForecastInterval {
            confidence,
            lower_nanousd: nano(spent + interval.lower.max(0.0)),
            upper_nanousd: nano(spent + interval.upper),
        })
    };
    let mean = |values: &[f64]| crate::stats::mean(values).map(nano);
    let (per_weekday, per_weekend_day) =
        if apart { (mean(&days.weekday), mean(&days.weekend)) } else { (mean(&all), mean(&all)) };
    Forecast {
        today,
        month_end: today.last_of_month(),
        days_left: left.total(),
        spent_nanousd: spent_this_month,
        expected_nanousd: prediction.map(|sum| nano(spent + sum.estimate)),
        interval: prediction.and_then(interval),
        method: match all.len() {
            0 => ForecastMethod::NoDays,
            _ if apart => ForecastMethod::WeekdaysAndWeekends,
            _ => ForecastMethod::DailyMean,
        },
        days_used: all.len() as u64,
        per_weekday_nanousd: per_weekday,
        per_weekend_day_nanousd: per_weekend_day,
        cap: None,
    }
}

impl Forecast {
    /// The same with the day on which `cap`, the most that may be spent in the month, is reached.
    #[must_use]
    pub fn with_cap(self, cap: Option<NanoUsd>) -> Self {
        Self { cap: cap.map(|cap| self.reaches(cap)), ..self }
    }

    fn reaches(&self, cap: NanoUsd) -> CapForecast {
        let answer = |status, reached_on| CapForecast { cap_nanousd: cap, status, reached_on };
        if self.spent_nanousd >= cap {
            return answer(CapStatus::Reached, Some(self.today));
        }
        let Some((weekday, weekend)) = self.per_weekday_nanousd.zip(self.per_weekend_day_nanousd) else {
            return answer(CapStatus::Unknown, None);
        };
        let mut spent = self.spent_nanousd.0 as f64;
        // Today's rest, then whole days.
        let mut share = self.days_left - f64::from(self.month_end.day() - self.today.day());
        for date in days_from(self.today, self.month_end) {
            spent += share * if is_weekend(date) { weekend } else { weekday }.0 as f64;
            share = 1.0;
            if spent >= cap.0 as f64 {
                return answer(CapStatus::Expected, Some(date));
            }
        }
        let beyond = self.interval.is_some_and(|interval| interval.upper_nanousd >= cap);
        answer(if beyond { CapStatus::Possible } else { CapStatus::Unlikely }, None)
    }
}

/// What complete days cost, in nano-dollars.
#[derive(Default)]
struct Days {
    weekday: Vec<f64>,
    weekend: Vec<f64>,
}

impl Days {
    fn observed(daily: &[(Date, NanoUsd)], today: Date) -> Self {
        let mut days = Self::default();
        let entries = || daily.iter().filter(|(date, _)| *date < today);
        let earliest = today.checked_sub(LOOK_BACK_DAYS.days()).unwrap_or(Date::MIN);
        let first = entries().map(|(date, _)| (*date).max(earliest)).min();
        for date in first.into_iter().flat_map(|first| days_from(first, today)).filter(|date| *date < today) {
            let cost: i128 = entries().filter(|(day, _)| *day == date).map(|(_, cost)| i128::from(cost.0)).sum();
            let level = if is_weekend(date) { &mut days.weekend } else { &mut days.weekday };
            level.push(cost as f64);
        }
        days
    }
}

/// How many days are to come in the month.
struct DaysLeft {
    weekday: f64,
    weekend: f64,
}

impl DaysLeft {
    fn of(today: Date, share_of_today_gone: f64) -> Self {
        let mut left = Self { weekday: 0.0, weekend: 0.0 };
        for date in days_from(today, today.last_of_month()) {
            let share = if date == today { 1.0 - share_of_today_gone.clamp(0.0, 1.0) } else { 1.0 };
            *if is_weekend(date) { &mut left.weekend } else { &mut left.weekday } += share;
        }
        left
    }

    fn total(&self) -> f64 {
        self.weekday + self.weekend
    }
}

/// Every day from `first` to `last`, both included.
fn days_from(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(1.day()).take_while(move |date| *date <= last)
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}
