use std::time::Duration;

use super::failure::{Failure, Limited};
use super::settings::RateLimits;

/// Token buckets: what is used flows back evenly over a minute.
#[derive(Debug)]
pub(super) struct Limits {
    settings: RateLimits,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    accepted: u64,
}

#[derive(Debug)]
struct Bucket {
    limit: u64,
    capacity: f64,
    per_s: f64,
    /// May be negative: an answer's tokens are known, and taken, only after the request was let in.
    level: f64,
    at: Duration,
}

/// What is left of the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Standing {
    pub(super) requests: Option<Room>,
    pub(super) tokens: Option<Room>,
}

/// What is left of one limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    /// The limit per minute.
    pub(super) limit: u64,
    pub(super) remaining: u64,
    /// Until all of it is there again.
    pub(super) full_in: Duration,
}

impl Bucket {
    fn new(limit: u64, burst_s: f64, now: Duration) -> Self {
        let per_s = limit as f64 / 60.0;
        let capacity = (per_s * burst_s).max(1.0);
        Self { limit, capacity, per_s, level: capacity, at: now }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_s).min(self.capacity);
        self.at = now;
    }

    /// How long until `amount` can be taken; `None` when it can be now. What never fits needs only a full bucket.
    fn wait_for(&self, amount: f64) -> Option<Duration> {
        let missing = amount.min(self.capacity) - self.level;
        // Less than a millionth is rounding.
        (missing > 1e-6).then(|| Duration::from_secs_f64(missing / self.per_s))
    }

    fn room(&self) -> Room {
        let full_in = Duration::from_secs_f64((self.capacity - self.level).max(0.0) / self.per_s);
        Room { limit: self.limit, remaining: self.level.max(0.0) as u64, full_in }
    }
}

impl Limits {
    pub(super) fn new(settings: RateLimits, now: Duration) -> Self {
        let bucket = |limit| Bucket::new(limit, settings.burst_s, now);
        Self {
            settings,
            requests: settings.requests_per_minute.map(u64::from).map(bucket),
            tokens: settings.tokens_per_minute.map(bucket),
            accepted: 0,
        }
    }

    pub(super) fn settings(&self) -> RateLimits {
        self.settings
    }

    /// Lets a request with so many tokens in.
    pub(super) fn admit(&mut self, now: Duration, input_tokens: u64) -> Result<(), Failure> {
        if self.settings.quota_requests.is_some_and(|quota| self.accepted >= quota) {
            return Err(Failure::QuotaSpent);
        }
        let input = input_tokens as f64;
        let wanted = [(Limited::Requests, &mut self.requests, 1.0), (Limited::Tokens, &mut self.tokens, input)];
        for (what, bucket, amount) in wanted {
            let Some(bucket) = bucket else { continue };
            bucket.refill(now);
            if let Some(retry_after) = bucket.wait_for(amount) {
                return Err(Failure::RateLimited { what, limit: bucket.limit, retry_after });
            }
        }
        self.accepted += 1;
        if let Some(bucket) = &mut self.requests {
            bucket.level -= 1.0;
        }
        self.charge(input_tokens);
        Ok(())
    }

    /// Takes tokens that a request used.
    pub(super) fn charge(&mut self, tokens: u64) {
        if let Some(bucket) = &mut self.tokens {
            bucket.level -= tokens as f64;
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { requests: self.requests.as_ref().map(Bucket::room), tokens: self.tokens.as_ref().map(Bucket::room) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(result: Result<(), Failure>) -> Option<Duration> {
        result.err().and_then(|failure| failure.retry_after())
    }

    #[test]
    fn requests_flow_back_evenly() {
        let settings = RateLimits { requests_per_minute: Some(2), ..RateLimits::default() };
        let mut limits = Limits::new(settings, Duration::ZERO);
        let second = Duration::from_secs;
        assert!(limits.admit(second(0), 0).is_ok() && limits.admit(second(0), 0).is_ok());
        assert_eq!(wait(limits.admit(second(0), 0)), Some(second(30)));
        assert_eq!(wait(limits.admit(second(10), 0)), Some(second(20)));
        assert!(limits.admit(second(30), 0).is_ok());
        assert_eq!(wait(limits.admit(second(30), 0)), Some(second(30)));
    }

    #[test]
    fn an_answer_may_overdraw_and_the_next_request_waits() {
        let settings = RateLimits { tokens_per_minute: Some(600), burst_s: 10.0, ..RateLimits::default() };
        let mut limits = Limits::new(settings, Duration::ZERO);
        assert!(limits.admit(Duration::ZERO, 40).is_ok());
        limits.charge(260);
        assert_eq!(limits.standing().tokens.unwrap().remaining, 0);
        let refused = limits.admit(Duration::from_secs(20), 10).unwrap_err();
        let expected = Failure::RateLimited { what: Limited::Tokens, limit: 600, retry_after: Duration::from_secs(1) };
        assert_eq!(refused, expected);
        assert!(limits.admit(Duration::from_secs(21), 10).is_ok());
        assert!(limits.admit(Duration::from_secs(90), 5_000).is_ok(), "what never fits is let in when all is there");
    }

    #[test]
    fn a_spent_quota_stays_spent() {
        let settings = RateLimits { quota_requests: Some(1), ..RateLimits::default() };
        let mut limits = Limits::new(settings, Duration::ZERO);
        assert!(limits.admit(Duration::ZERO, 1).is_ok());
        assert_eq!(limits.admit(Duration::from_secs(1_000_000), 1), Err(Failure::QuotaSpent));
    }
}
