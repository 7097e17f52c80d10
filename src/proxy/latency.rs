use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a candidate took lately.
#[derive(Debug, Default)]
pub(super) struct RecentLatency {
    calls: Mutex<VecDeque<(Duration, Duration)>>,
}

/// Older calls are forgotten, so that a candidate that was skipped is tried again.
const WINDOW: Duration = Duration::from_mins(1);
/// More calls than this are not remembered.
const MOST: usize = 128;
/// Fewer calls than this say nothing about a p95.
const FEWEST: usize = 20;

impl RecentLatency {
    /// A call that ended `now` took `latency`.
    pub(super) fn record(&self, now: Duration, latency: Duration) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= MOST {
            calls.pop_front();
        }
        calls.push_back((now, latency));
    }

    /// The longest that is remembered, however long ago; zero without any.
    pub(super) fn longest(&self) -> Duration {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().map(|(_, latency)| *latency).max().unwrap_or_default()
    }

    /// The 95th percentile of the last minute; `None` below twenty calls.
    pub(super) fn p95(&self, now: Duration) -> Option<Duration> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let horizon = now.saturating_sub(WINDOW);
        let mut recent: Vec<Duration> =
            calls.iter().filter(|(at, _)| *at >= horizon).map(|(_, latency)| *latency).collect();
        if recent.len() < FEWEST {
            return None;
        }
        // Nearest rank.
        let rank = (recent.len() * 95).div_ceil(100) - 1;
        Some(*recent.select_nth_unstable(rank).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_p95_is_of_the_last_minute_and_needs_twenty_calls() {
        let recent = RecentLatency::default();
        for call in 1..=19 {
            recent.record(Duration::from_secs(1), Duration::from_millis(call));
        }
        assert_eq!(recent.p95(Duration::from_secs(1)), None);
        recent.record(Duration::from_secs(1), Duration::from_millis(20));
        assert_eq!(recent.p95(Duration::from_secs(1)), Some(Duration::from_millis(19)));
        assert_eq!(recent.p95(Duration::from_secs(62)), None, "they are forgotten");
    }
}
