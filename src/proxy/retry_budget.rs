use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Limits retries to a share of the requests plus a small floor, so that retries cannot multiply an outage.
///
/// Over any time of `m` minutes with `n` requests, at most `share * n + floor * (m + 1)` retries are allowed.
/// After Finagle's `RetryBudget`: <https://twitter.github.io/finagle/guide/Clients.html#retries>.
#[derive(Debug)]
pub(super) struct RetryBudget {
    share: f64,
    floor_per_minute: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowed: f64,
    seen: Duration,
}

/// Requests whose share is kept at most: an outage must not spend the savings of a quiet hour at once.
const MOST_SAVED_REQUESTS: f64 = 500.0;

impl RetryBudget {
    /// `share` of the requests (0..=1), and `floor_per_minute` retries beside them.
    pub(super) fn new(share: f64, floor_per_minute: u32, now: Duration) -> Self {
        let floor = f64::from(floor_per_minute);
        Self { share, floor_per_minute: floor, state: Mutex::new(State { allowed: floor, seen: now }) }
    }

    fn refill(&self, now: Duration) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let minutes = now.saturating_sub(state.seen).as_secs_f64() / 60.0;
        state.seen = state.seen.max(now);
        // Time alone fills it up to the floor and no further.
        if state.allowed < self.floor_per_minute {
            state.allowed = (state.allowed + minutes * self.floor_per_minute).min(self.floor_per_minute);
        }
        state
    }

    /// A request was made.
    pub(super) fn request(&self, now: Duration) {
        let mut state = self.refill(now);
        let most = self.floor_per_minute + self.share * MOST_SAVED_REQUESTS;
        state.allowed = (state.allowed + self.share).min(most);
    }

    /// Whether one retry would be allowed.
    pub(super) fn allows(&self, now: Duration) -> bool {
        self.refill(now).allowed >= 1.0
    }

    /// Asks for one retry.
    pub(super) fn retry(&self, now: Duration) -> bool {
        let mut state = self.refill(now);
        let allowed = state.allowed >= 1.0;
        if allowed {
            state.allowed -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_within_the_share_and_the_floor() {
        let budget = RetryBudget::new(0.2, 10, Duration::ZERO);
        let mut retries = 0;
        // 50 requests a second for a minute, each of which would like two retries.
        for request in 0..3_000_u32 {
            let now = Duration::from_millis(20) * request;
            budget.request(now);
            retries += (0..2).filter(|_| budget.retry(now)).count();
        }
        assert!((600..=620).contains(&retries), "{retries}");
    }

    #[test]
    fn without_a_budget_there_is_no_retry() {
        let budget = RetryBudget::new(0.0, 0, Duration::ZERO);
        budget.request(Duration::ZERO);
        assert!(!budget.retry(Duration::from_hours(1)));
    }

    #[test]
    fn a_quiet_service_gets_its_floor_back_and_no_more() {
        let budget = RetryBudget::new(0.2, 10, Duration::ZERO);
        assert_eq!((0..20).filter(|_| budget.retry(Duration::ZERO)).count(), 10);
        let later = Duration::from_hours(1);
        assert_eq!((0..20).filter(|_| budget.retry(later)).count(), 10);
    }
}
