use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::HeaderMap;

use crate::domain::Clock;

/// A header as text, if it is there, is text, and is not empty.
pub(super) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The media type of the body, without parameters, in lower case.
pub(super) fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, "content-type")?;
    value.split(';').next().map(|kind| kind.trim().to_lowercase())
}

/// How long the vendor asks to wait: `retry-after-ms`, else `Retry-After` in seconds or as a date, which counts from
/// the vendor's own `Date` where there is one. A time in the past is zero.
///
/// Source: RFC 9110, §10.2.3; of the three forms of a date only the preferred one is read.
pub(super) fn retry_after(headers: &HeaderMap, clock: &dyn Clock) -> Option<Duration> {
    let wait = |name, per_second: f64| {
        let number: f64 = text(headers, name)?.parse().ok()?;
        Duration::try_from_secs_f64(number.max(0.0) / per_second).ok()
    };
    wait("retry-after-ms", 1_000.0).or_else(|| wait("retry-after", 1.0)).or_else(|| {
        let until = date(headers, "retry-after")?;
        let now = date(headers, "date").unwrap_or_else(|| clock.now());
        Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
    })
}

fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text(headers, name)?).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;
    use crate::domain::ManualClock;

    fn asked(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let clock = ManualClock::new("2026-03-01T00:00:00Z".parse().unwrap());
        let pairs = pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        retry_after(&pairs.collect(), &clock)
    }

    #[test]
    fn waiting_times_are_read_in_every_form() {
        assert_eq!(asked(&[("retry-after", "20")]), Some(Duration::from_secs(20)));
        assert_eq!(asked(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(asked(&[("retry-after", "20"), ("retry-after-ms", "1250")]), Some(Duration::from_millis(1250)));
        assert_eq!(asked(&[("retry-after", "Sun, 01 Mar 2026 00:00:30 GMT")]), Some(Duration::from_secs(30)));
        let dated = [("retry-after", "Sun, 01 Mar 2026 01:00:30 GMT"), ("date", "Sun, 01 Mar 2026 01:00:00 GMT")];
        assert_eq!(asked(&dated), Some(Duration::from_secs(30)));
    }

    #[test]
    fn a_time_in_the_past_is_zero_and_nonsense_is_nothing() {
        assert_eq!(asked(&[("retry-after", "Sat, 28 Feb 2026 00:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(asked(&[("retry-after", "-3")]), Some(Duration::ZERO));
        for nonsense in ["soon", "1e300", "", "inf", "Sun, 99 Mar 2026 00:00:30 GMT"] {
            assert_eq!(asked(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(asked(&[]), None);
    }
}
