use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// How many attempts a provider may have under way: grows by one for each limit's worth of successes, shrinks to 0.7
/// of itself when the provider pushes back (additive increase, multiplicative decrease).
///
/// After Chiu & Jain (1989), Analysis of the Increase and Decrease Algorithms for Congestion Avoidance.
#[derive(Debug)]
pub(super) struct Limiter {
    most: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: f64,
    under_way: usize,
    shrunk_at: Option<Duration>,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// What it shrinks to.
const DECREASE: f64 = 0.7;
/// Pushbacks within this time are one: they answer attempts that were under way together.
const SETTLING: Duration = Duration::from_millis(500);

/// One attempt may be under way while this lives.
#[derive(Debug)]
pub(super) struct Permit {
    limiter: Arc<Limiter>,
}

impl Limiter {
    /// At most `most` at a time.
    pub(super) fn new(most: usize) -> Arc<Self> {
        let most = most.max(1) as f64;
        let state = State { limit: most, under_way: 0, shrunk_at: None, waiting: VecDeque::new() };
        Arc::new(Self { most, state: Mutex::new(state) })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A permit, when there is one now.
    pub(super) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state();
        let free = state.under_way < state.limit as usize && state.waiting.is_empty();
        state.under_way += usize::from(free);
        free.then(|| Permit { limiter: Arc::clone(self) })
    }

    /// A permit beyond the limit.
    pub(super) fn beyond(self: &Arc<Self>) -> Permit {
        self.state().under_way += 1;
        Permit { limiter: Arc::clone(self) }
    }

    /// A permit, after those who waited longer. Whoever stops waiting loses nothing.
    pub(super) async fn acquire(self: &Arc<Self>) -> Permit {
        loop {
            let turn = {
                let mut state = self.state();
                if state.under_way < state.limit as usize && state.waiting.is_empty() {
                    state.under_way += 1;
                    return Permit { limiter: Arc::clone(self) };
                }
                let (sender, receiver) = oneshot::channel();
                state.waiting.push_back(sender);
                receiver
            };
            if let Ok(permit) = turn.await {
                return permit;
            }
        }
    }

    /// The provider answered.
    pub(super) fn succeeded(self: &Arc<Self>) {
        let mut state = self.state();
        state.limit = (state.limit + 1.0 / state.limit).min(self.most);
    }

    /// The provider asked for less: a rate limit, an overload, a time-out.
    pub(super) fn pushed_back(&self, now: Duration) {
        let mut state = self.state();
        if state.shrunk_at.is_none_or(|at| now.saturating_sub(at) >= SETTLING) {
            state.limit = (state.limit * DECREASE).max(1.0);
            state.shrunk_at = Some(now);
        }
    }

    /// Gives free places to those who wait.
    fn release(self: &Arc<Self>) {
        let mut state = self.state();
        state.under_way = state.under_way.saturating_sub(1);
        while state.under_way < state.limit as usize {
            let Some(next) = state.waiting.pop_front() else { return };
            if next.is_closed() {
                continue;
            }
            state.under_way += 1;
            // A permit that nobody takes any more gives its place back, for which the lock must be free.
            drop(state);
            let refused = next.send(Permit { limiter: Arc::clone(self) });
            drop(refused);
            state = self.state();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.release();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_come_in_order_and_those_who_left_are_skipped() {
        let limiter = Limiter::new(1);
        let first = limiter.acquire().await;
        assert!(limiter.try_acquire().is_none());
        let mut gone = Box::pin(limiter.acquire());
        let mut next = Box::pin(limiter.acquire());
        assert!(gone.as_mut().now_or_never().is_none() && next.as_mut().now_or_never().is_none());
        drop(gone);
        drop(first);
        let permit = next.now_or_never().unwrap();
        drop(permit);
        assert!(limiter.try_acquire().is_some());
    }

    #[test]
    fn it_shrinks_once_for_pushbacks_together_and_grows_back_slowly() {
        let limiter = Limiter::new(100);
        for _ in 0..10 {
            limiter.pushed_back(Duration::from_secs(1));
        }
        let held: Vec<_> = std::iter::from_fn(|| limiter.try_acquire()).collect();
        assert_eq!(held.len(), 70);
        for second in 2..40 {
            limiter.pushed_back(Duration::from_secs(second));
        }
        drop(held);
        assert_eq!(std::iter::from_fn(|| limiter.try_acquire()).collect::<Vec<_>>().len(), 1, "never below one");
        for _ in 0..10_000 {
            limiter.succeeded();
        }
        assert_eq!(std::iter::from_fn(|| limiter.try_acquire()).collect::<Vec<_>>().len(), 100, "never above the most");
    }
}
