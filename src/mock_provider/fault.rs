use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::SettingsError;

/// A fault that strikes single requests, each with the same probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// How probable it is, from 0 to 1. Default: 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// Only from so many seconds after the start. Default: 0.
    #[serde(default)]
    pub from_s: f64,
    /// Only for so many seconds; without end when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
    /// Only for this model; for all when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How long `slow_start` (default 10,000) and `stall` (default 60,000) take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// What `Retry-After` says with 429 (default 1), 503 and 529 (default: no such header).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<f64>,
    /// What `wrong_usage` claims. Default: `zero`.
    #[serde(default)]
    pub usage: WrongUsage,
    /// Where `redirect` leads. Default: `https://elsewhere.invalid/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

/// What can go wrong with a single request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Too many requests, with `Retry-After`.
    #[serde(rename = "429")]
    TooManyRequests,
    /// The vendor fails.
    #[serde(rename = "500")]
    Internal,
    /// The vendor is unavailable.
    #[serde(rename = "503")]
    Unavailable,
    /// Anthropic's overload.
    #[serde(rename = "529")]
    Overloaded,
    /// The first token comes late.
    SlowStart,
    /// Half of the answer, then silence, then the rest.
    Stall,
    /// Half of the answer; the connection breaks, or the body just ends (each half of the time).
    TruncatedStream,
    /// Half of the answer, then the vendor's error event; a request that does not stream gets a 500.
    StreamError,
    /// A part of the answer that is not JSON.
    MalformedJson,
    /// Token counts that are not true.
    WrongUsage,
    /// The connection is reset instead of an answer.
    ConnectionReset,
    /// Status 200 with a web page.
    Html,
    /// An answer without a choice.
    EmptyChoices,
    /// Bytes that are no UTF-8 within the answer.
    InvalidUtf8,
    /// Status 307, to another host.
    Redirect,
}

impl FaultKind {
    /// Its name in settings and metrics.
    pub(super) fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

/// What a wrong usage looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WrongUsage {
    /// All zero.
    #[default]
    Zero,
    /// None at all.
    Missing,
    /// A million million tokens.
    Absurd,
}

/// A time at which nothing works.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// How it shows.
    pub kind: OutageKind,
    /// From so many seconds after the start. Default: 0.
    #[serde(default)]
    pub from_s: f64,
    /// For so many seconds; without end when not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
}

/// How an outage shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutageKind {
    /// Status 500.
    #[serde(rename = "500")]
    Internal,
    /// Status 503.
    #[serde(rename = "503")]
    Unavailable,
    /// Connections are reset.
    Reset,
    /// No answer ever comes to a request that came within the outage.
    Hang,
}

fn always() -> f64 {
    1.0
}

impl Fault {
    /// A fault that always strikes.
    pub fn always(kind: FaultKind) -> Self {
        Self {
            kind,
            probability: 1.0,
            from_s: 0.0,
            for_s: None,
            model: None,
            ms: None,
            retry_after_s: None,
            usage: WrongUsage::Zero,
            location: None,
        }
    }

    pub(super) fn check(&self, index: usize) -> Result<(), SettingsError> {
        let place = format!("faults[{index}]");
        if !(0.0..=1.0).contains(&self.probability) {
            let problem = format!("{} is not from 0 to 1", self.probability);
            return Err(SettingsError::Value { field: format!("{place}.probability"), problem });
        }
        check_window(&place, self.from_s, self.for_s)?;
        check_seconds(&place, "retry_after_s", self.retry_after_s.unwrap_or(0.0))
    }
}

impl Outage {
    pub(super) fn check(&self, index: usize) -> Result<(), SettingsError> {
        check_window(&format!("outages[{index}]"), self.from_s, self.for_s)
    }

    pub(super) fn is_now(&self, since_start: Duration) -> bool {
        is_within(since_start, self.from_s, self.for_s)
    }
}

fn check_window(place: &str, from_s: f64, for_s: Option<f64>) -> Result<(), SettingsError> {
    check_seconds(place, "from_s", from_s)?;
    check_seconds(place, "for_s", for_s.unwrap_or(0.0))
}

fn check_seconds(place: &str, name: &str, seconds: f64) -> Result<(), SettingsError> {
    // A century is enough for everybody, and far from what overflows.
    if (0.0..=4e9).contains(&seconds) {
        return Ok(());
    }
    let problem = format!("{seconds} is not a number of seconds");
    Err(SettingsError::Value { field: format!("{place}.{name}"), problem })
}

fn is_within(since_start: Duration, from_s: f64, for_s: Option<f64>) -> bool {
    let now = since_start.as_secs_f64();
    now >= from_s && for_s.is_none_or(|for_s| now < from_s + for_s)
}

/// The random numbers of the `number`th request: the same whatever else happens at the same time.
///
/// Each of its `purpose`s has its own, so that latency does not change which faults strike.
pub(super) fn random_of(seed: u64, number: u64, purpose: Purpose) -> ChaCha12Rng {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    random.set_stream(number.wrapping_mul(4).wrapping_add(purpose as u64));
    random
}

/// What random numbers are for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Faults.
    Faults = 0,
    /// Latency.
    Latency = 1,
    /// How the body of an answer comes.
    Body = 2,
}

/// The fault that strikes a request, if any, and the random numbers that are left for its details.
pub(super) fn draw<'a>(
    faults: &'a [Fault],
    since_start: Duration,
    model: &str,
    random: &mut ChaCha12Rng,
) -> Option<&'a Fault> {
    let strikes = |fault: &&Fault| {
        // Drawn for each fault, whether it can strike or not: a window or a model must not shift the others.
        let drawn = random.random::<f64>() < fault.probability;
        let concerns = fault.model.as_deref().is_none_or(|only| only == model);
        drawn && concerns && is_within(since_start, fault.from_s, fault.for_s)
    };
    faults.iter().find(strikes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_as_often_as_they_should_and_the_same_requests_again() {
        let faults = [
            Fault { probability: 0.1, ..Fault::always(FaultKind::Internal) },
            Fault { probability: 0.5, ..Fault::always(FaultKind::Stall) },
        ];
        let struck = |seed| -> Vec<Option<FaultKind>> {
            let of = |number| {
                let mut random = random_of(seed, number, Purpose::Faults);
                draw(&faults, Duration::ZERO, "m", &mut random).map(|fault| fault.kind)
            };
            (0..5_000).map(of).collect()
        };
        let first = struck(7);
        let share = |kind| first.iter().filter(|struck| **struck == Some(kind)).count() as f64 / 5_000.0;
        assert!((share(FaultKind::Internal) - 0.1).abs() < 0.02);
        assert!((share(FaultKind::Stall) - 0.45).abs() < 0.03);
        assert_eq!(first, struck(7));
        assert_ne!(first, struck(8));
    }

    #[test]
    fn a_fault_keeps_to_its_window_and_its_model() {
        let fault =
            Fault { from_s: 10.0, for_s: Some(5.0), model: Some("m".into()), ..Fault::always(FaultKind::Unavailable) };
        let strikes = |seconds, model| {
            let mut random = random_of(1, 1, Purpose::Faults);
            draw(std::slice::from_ref(&fault), Duration::from_secs(seconds), model, &mut random).is_some()
        };
        assert_eq!([9, 10, 14, 15].map(|seconds| strikes(seconds, "m")), [false, true, true, false]);
        assert!(!strikes(12, "another"));
    }

    #[test]
    fn names_are_those_of_the_settings() {
        assert_eq!(FaultKind::Overloaded.name(), "529");
        assert_eq!(FaultKind::TruncatedStream.name(), "truncated_stream");
    }
}
