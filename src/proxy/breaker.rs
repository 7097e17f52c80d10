use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::config::BreakerSettings;

/// Keeps calls away from a candidate that fails: opens after failures, and closes when a probe succeeds.
///
/// While it is open, one call is let through as a probe in each interval, however the probe before it fares: a probe
/// that hangs delays nothing. All times are of one monotonic clock.
#[derive(Debug)]
pub(super) struct Breaker {
    settings: BreakerSettings,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Failures since the last success.
    in_a_row: u32,
    /// When recent calls ended, and whether they failed.
    recent: VecDeque<(Duration, bool)>,
    /// When the next probe may start, while it is open.
    next_probe: Option<Duration>,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// As any other.
    Closed,
    /// As the one probe of this interval.
    Probe,
    /// Not before so much time has passed.
    Refused(Duration),
}

impl Admission {
    /// The breaker's state as telemetry names it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Probe => "half_open",
            Self::Refused(_) => "open",
        }
    }
}

/// More calls than this are not remembered: the window is for judging, not for counting.
const MOST_REMEMBERED: usize = 256;

impl Breaker {
    pub(super) fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `closed` or `open`.
    pub(super) fn state(&self) -> &'static str {
        if self.lock().next_probe.is_some() { "open" } else { "closed" }
    }

    /// What [`Breaker::admit`] would say, without using up a probe.
    pub(super) fn looks(&self, now: Duration) -> Admission {
        match self.lock().next_probe {
            None => Admission::Closed,
            Some(at) if now >= at => Admission::Probe,
            Some(at) => Admission::Refused(at.saturating_sub(now)),
        }
    }

    /// Asks whether a call may be made now. A probe that is admitted should be made.
    pub(super) fn admit(&self, now: Duration) -> Admission {
        let mut state = self.lock();
        match state.next_probe {
            None => Admission::Closed,
            Some(at) if now >= at => {
                state.next_probe = Some(now + self.settings.probe_interval);
                Admission::Probe
            }
            Some(at) => Admission::Refused(at.saturating_sub(now)),
        }
    }

    /// A call that was admitted so is not made after all: somebody else may make the probe.
    pub(super) fn unused(&self, admission: Admission, now: Duration) {
        let mut state = self.lock();
        if admission == Admission::Probe && state.next_probe.is_some() {
            state.next_probe = Some(now);
        }
    }

    /// A call that was admitted so has succeeded, or the candidate has shown in another way that it is alive.
    pub(super) fn succeeded(&self, admission: Admission, now: Duration) {
        let mut state = self.lock();
        if state.next_probe.is_some() {
            // What was under way when it opened says nothing about now; a probe does.
            if admission == Admission::Probe {
                *state = State::default();
            }
            return;
        }
        state.in_a_row = 0;
        self.remember(&mut state, now, false);
    }

    /// A call has failed in a way that speaks against the candidate. Returns whether this opened the breaker.
    pub(super) fn failed(&self, now: Duration) -> bool {
        let mut state = self.lock();
        if state.next_probe.is_some() {
            return false;
        }
        state.in_a_row += 1;
        self.remember(&mut state, now, true);
        let failures = state.recent.iter().filter(|(_, failed)| *failed).count();
        let total = state.recent.len();
        let opens = state.in_a_row >= self.settings.failures
            || (total >= 2 * self.settings.failures as usize && 2 * failures >= total);
        if opens {
            state.next_probe = Some(now + self.settings.probe_interval);
        }
        opens
    }

    /// Opens it at once: the candidate said itself that it will not answer.
    pub(super) fn trip(&self, now: Duration) {
        let mut state = self.lock();
        if state.next_probe.is_none() {
            state.next_probe = Some(now + self.settings.probe_interval);
        }
    }

    fn remember(&self, state: &mut State, now: Duration, failed: bool) {
        let horizon = now.saturating_sub(self.settings.window);
        while state.recent.front().is_some_and(|(at, _)| *at < horizon) || state.recent.len() >= MOST_REMEMBERED {
            state.recent.pop_front();
        }
        state.recent.push_back((now, failed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn breaker() -> Breaker {
        Breaker::new(BreakerSettings { failures: 5, window: at(10), probe_interval: at(5), probe_timeout: at(2) })
    }

    fn opened() -> Breaker {
        let breaker = breaker();
        let opened: Vec<bool> = (0..5).map(|_| breaker.failed(at(0))).collect();
        assert_eq!(opened, [false, false, false, false, true]);
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_successes_between_them_do_not() {
        let breaker = breaker();
        for _ in 0..4 {
            breaker.failed(at(0));
        }
        breaker.succeeded(Admission::Closed, at(0));
        breaker.failed(at(0));
        assert_eq!(breaker.admit(at(0)), Admission::Closed);
        assert_eq!(opened().admit(at(1)), Admission::Refused(at(4)));
    }

    #[test]
    fn half_of_the_recent_calls_failing_opens_it_and_old_ones_are_forgotten() {
        let breaker = breaker();
        let mut opened = false;
        for second in 0..30 {
            breaker.succeeded(Admission::Closed, at(second));
            opened |= breaker.failed(at(second));
        }
        assert!(opened);
        let slow = self::breaker();
        for second in 0..30 {
            slow.succeeded(Admission::Closed, at(20 * second));
            assert!(!slow.failed(at(20 * second + 1)), "at most two calls are within the window");
        }
    }

    #[test]
    fn one_probe_an_interval_and_a_hung_probe_does_not_delay_the_next() {
        let breaker = opened();
        assert_eq!(breaker.admit(at(5)), Admission::Probe);
        assert_eq!(breaker.admit(at(5)), Admission::Refused(at(5)));
        // The first probe has not come back; the next is due all the same, and it closes the breaker.
        assert_eq!(breaker.admit(at(10)), Admission::Probe);
        breaker.succeeded(Admission::Probe, at(10));
        assert_eq!(breaker.admit(at(10)), Admission::Closed);
    }

    #[test]
    fn only_a_probe_closes_it() {
        let breaker = opened();
        breaker.succeeded(Admission::Closed, at(1));
        assert!(matches!(breaker.admit(at(1)), Admission::Refused(_)));
        assert!(!breaker.failed(at(1)), "it is open already");
    }

    #[test]
    fn a_spent_quota_opens_it_at_once() {
        let breaker = breaker();
        breaker.trip(at(3));
        assert_eq!(breaker.admit(at(3)), Admission::Refused(at(5)));
    }
}
