use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

/// The time that a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A calendar day.
    Day,
    /// A calendar month.
    Month,
    /// Since the beginning, without end.
    Lifetime,
}

/// From `starts` on, before `ends`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Window {
    /// Its first moment.
    pub starts: Timestamp,
    /// The first moment after it; [`Timestamp::MAX`] when it has no end.
    pub ends: Timestamp,
}

impl Window {
    /// Whether `time` is in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.starts <= time && time < self.ends
    }
}

impl Period {
    /// Every period, shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Month, Self::Lifetime];

    /// Its name in settings, in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Lifetime => "lifetime",
        }
    }

    /// The period that `time` falls into, by the calendar of `zone`. A day of a zone with summer time has 23 to 25 hours.
    pub fn window(self, time: Timestamp, zone: &TimeZone) -> Window {
        let always = Window { starts: Timestamp::UNIX_EPOCH, ends: Timestamp::MAX };
        let today = time.to_zoned_datetime(zone.clone()).date();
        let (first, next) = match self {
            Self::Day => (today, today.checked_add(1.day())),
            Self::Month => (today.first_of_month(), today.first_of_month().checked_add(1.month())),
            Self::Lifetime => return always,
        };
        let begins = |date: jiff::civil::Date| date.to_zoned_datetime(zone.clone()).ok().map(|zoned| zoned.timestamp());
        // At the very ends of the calendar there is no other period.
        match (begins(first), next.ok().and_then(begins)) {
            (Some(starts), Some(ends)) => Window { starts, ends },
            _ => always,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(period: Period, time: &str, zone: &str) -> (String, String) {
        let window = period.window(time.parse().unwrap(), &TimeZone::get(zone).unwrap());
        (window.starts.to_string(), window.ends.to_string())
    }

    #[test]
    fn days_and_months_follow_the_calendar_of_their_zone() {
        let of = |starts: &str, ends: &str| (starts.to_owned(), ends.to_owned());
        assert_eq!(
            window(Period::Day, "2026-11-30T23:30:00Z", "UTC"),
            of("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z")
        );
        assert_eq!(
            window(Period::Month, "2026-11-30T23:30:00Z", "Europe/Berlin"),
            of("2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z")
        );
        // Clocks went back: a day of 25 hours.
        assert_eq!(
            window(Period::Day, "2026-10-25T12:00:00Z", "Europe/Berlin"),
            of("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
        );
    }

    #[test]
    fn a_window_holds_its_first_moment_and_not_its_last() {
        let day = Period::Day.window("2026-11-30T12:00:00Z".parse().unwrap(), &TimeZone::UTC);
        assert!(day.contains(day.starts) && !day.contains(day.ends));
        assert!(Period::Lifetime.window(day.starts, &TimeZone::UTC).contains(day.ends));
    }
}
