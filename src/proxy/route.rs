use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::breaker::Admission;
use super::call::{CallFacts, OpenCall};
use super::candidates::Candidate;
use super::limiter::Permit;
use super::plan::Plan;
use super::{Inner, ProxyError};
use crate::domain::NanoUsd;
use crate::providers::{Limits, ProviderError};

/// One request on its way over the candidates.
pub(super) struct Trip<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) target: &'a str,
    pub(super) facts: CallFacts,
    /// When its time is over, and how long it had.
    pub(super) deadline: Duration,
    pub(super) allowed: Duration,
    failures: Vec<(String, ProviderError)>,
    attempts: u32,
    /// The candidate that was asked as a hedge.
    hedged: Option<usize>,
}

/// What an attempt brought, and what it cost.
pub(super) struct Attempted<T> {
    pub(super) value: T,
    pub(super) candidate: Arc<Candidate>,
    /// Whether an attempt before it may have cost something that nobody told.
    pub(super) unknown_cost: bool,
}

/// The share of the time left that an attempt gets while another candidate could still be asked.
const SHARE_BEFORE_FAILOVER: f64 = 2.0 / 3.0;

impl<'a> Trip<'a> {
    pub(super) fn new(inner: &'a Arc<Inner>, target: &'a str, facts: CallFacts, allowed: Duration) -> Self {
        let deadline = inner.clock.monotonic() + allowed;
        Self { inner, target, facts, deadline, allowed, failures: Vec::new(), attempts: 0, hedged: None }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.inner.clock.monotonic())
    }

    /// Asks the candidates in order, and in further rounds while the retry budget and the time allow it. `attempt` makes
    /// one attempt and ends its call.
    pub(super) async fn run<T, F, A>(mut self, plan: &Plan, attempt: A) -> Result<Attempted<T>, ProxyError>
    where
        A: Fn(OpenCall, Arc<Candidate>, Limits) -> F,
        F: Future<Output = Result<T, ProviderError>>,
    {
        let rounds = self.inner.settings.max_retries;
        for round in 0..=rounds {
            let mut asked = false;
            let mut open: Option<Duration> = None;
            for (index, candidate) in plan.candidates.iter().enumerate() {
                if self.left().is_zero() {
                    return Err(self.too_late());
                }
                let hedged = round == 0 && self.hedged == Some(index);
                if hedged || candidate.resting(self.inner.clock.monotonic()).is_some() {
                    continue;
                }
                let last = index + 1 == plan.candidates.len();
                let Some((admission, permit)) = self.admit(candidate, !last, &mut open).await else { continue };
                let now = self.inner.clock.monotonic();
                if round == 0 || self.attempts == 0 {
                    candidate.provider.retries.request(now);
                } else if !candidate.provider.retries.retry(now) {
                    return Err(self.all_failed());
                }
                asked = true;
                let hedge = (round == 0).then(|| plan.candidates.get(index + 1)).flatten();
                let hedge = hedge.map(|candidate| (index + 1, candidate));
                match self.ask(plan, candidate, admission, permit, hedge, last, &attempt).await {
                    Ok(attempted) => return Ok(attempted),
                    Err(error) if !error.is_transient() => {
                        return Err(ProxyError::Provider { model: candidate.name.clone(), source: error });
                    }
                    Err(_) => {}
                }
            }
            if self.left().is_zero() {
                return Err(self.too_late());
            }
            // How long the vendors asked to be left alone, the most patient of them last.
            let now = self.inner.clock.monotonic();
            let rest = plan.candidates.iter().map(|candidate| candidate.resting(now).unwrap_or_default()).min();
            let rest = rest.unwrap_or_default();
            if !asked && (rest.is_zero() || rest >= self.left() || round == rounds) {
                return Err(self.not_asked(if rest.is_zero() { open.unwrap_or_default() } else { rest }));
            }
            let hopeless = |(_, error): &(String, ProviderError)| matches!(error, ProviderError::QuotaSpent { .. });
            let pause = self.pause(round, rest);
            if round == rounds || pause >= self.left() || (asked && self.failures.iter().all(hopeless)) {
                break;
            }
            self.inner.sleep(pause).await;
        }
        Err(self.all_failed())
    }

    /// A place at this candidate: `None` when its breaker is open, when it is full and another could be asked, or when
    /// the time is over.
    async fn admit(
        &self,
        candidate: &Arc<Candidate>,
        others_follow: bool,
        open: &mut Option<Duration>,
    ) -> Option<(Admission, Permit)> {
        let limiter = &candidate.provider.limiter;
        let permit = match limiter.try_acquire() {
            Some(permit) => permit,
            None if others_follow => return None,
            None => tokio::time::timeout(self.left(), limiter.acquire()).await.ok()?,
        };
        // Asked last, so that a probe is not used up by a call that finds no place.
        match candidate.breaker.admit(self.inner.clock.monotonic()) {
            Admission::Refused(rest) => {
                *open = Some(open.map_or(rest, |least| least.min(rest)));
                None
            }
            admission => Some((admission, permit)),
        }
    }

    /// One attempt at `candidate`; where the route hedges, a second one at `hedge` once the first takes long.
    #[expect(clippy::too_many_arguments, reason = "the parts of one attempt, all different")]
    async fn ask<T, F, A>(
        &mut self,
        plan: &Plan,
        candidate: &Arc<Candidate>,
        admission: Admission,
        permit: Permit,
        hedge: Option<(usize, &Arc<Candidate>)>,
        last: bool,
        attempt: &A,
    ) -> Result<Attempted<T>, ProviderError>
    where
        A: Fn(OpenCall, Arc<Candidate>, Limits) -> F,
        F: Future<Output = Result<T, ProviderError>>,
    {
        let first = self.open(candidate, admission, permit, last, attempt);
        let mut dropped = false;
        let outcome = match (plan.route.hedge_after, hedge) {
            (Some(after), Some((index, second))) => {
                let mut first = Box::pin(first);
                match select(&mut first, Box::pin(self.inner.sleep(after))).await {
                    Either::Left((done, _)) => (candidate, done),
                    Either::Right(_) => match self.hedge(second) {
                        None => (candidate, first.await),
                        Some((admission, permit)) => {
                            self.hedged = Some(index);
                            let other = Box::pin(self.open(second, admission, permit, true, attempt));
                            match select(first, other).await {
                                // The vendor of the one that is dropped may bill it all the same.
                                Either::Left((Ok(value), _)) => {
                                    dropped = true;
                                    (candidate, Ok(value))
                                }
                                Either::Right((Ok(value), _)) => {
                                    dropped = true;
                                    (second, Ok(value))
                                }
                                Either::Left((Err(error), other)) => {
                                    self.failures.push((candidate.name.clone(), error));
                                    (second, other.await)
                                }
                                Either::Right((Err(error), first)) => {
                                    self.failures.push((second.name.clone(), error));
                                    (candidate, first.await)
                                }
                            }
                        }
                    },
                }
            }
            _ => (candidate, first.await),
        };
        match outcome {
            (answered, Ok(value)) => {
                let unknown_cost = dropped || self.failures.iter().any(|(_, error)| may_be_billed(error));
                Ok(Attempted { value, candidate: Arc::clone(answered), unknown_cost })
            }
            (failed, Err(error)) => {
                self.failures.push((failed.name.clone(), error.clone()));
                Err(error)
            }
        }
    }

    /// A place for a hedge: only when it costs nobody a wait, and within the retry budget.
    fn hedge(&self, candidate: &Arc<Candidate>) -> Option<(Admission, Permit)> {
        let now = self.inner.clock.monotonic();
        if candidate.resting(now).is_some() {
            return None;
        }
        let permit = candidate.provider.limiter.try_acquire()?;
        if !candidate.provider.retries.retry(now) {
            return None;
        }
        match candidate.breaker.admit(now) {
            Admission::Refused(_) => None,
            admission => Some((admission, permit)),
        }
    }

    fn open<T, F, A>(
        &mut self,
        candidate: &Arc<Candidate>,
        admission: Admission,
        permit: Permit,
        last: bool,
        attempt: &A,
    ) -> impl Future<Output = Result<T, ProviderError>> + use<T, F, A>
    where
        A: Fn(OpenCall, Arc<Candidate>, Limits) -> F,
        F: Future<Output = Result<T, ProviderError>>,
    {
        let timeouts = candidate.provider.settings.timeouts;
        let left = self.left();
        let mut total = timeouts.total.min(if last { left } else { left.mul_f64(SHARE_BEFORE_FAILOVER) });
        if admission == Admission::Probe {
            total = total.min(self.inner.settings.breaker.probe_timeout);
        }
        let limits = Limits {
            total,
            first_token: timeouts.first_token.min(total),
            between_tokens: timeouts.between_tokens.min(total),
        };
        let facts = CallFacts { retries: self.attempts, limit: total, ..self.facts.clone() };
        self.attempts += 1;
        let call = OpenCall::start(self.inner, candidate, facts, admission, permit);
        attempt(call, Arc::clone(candidate), limits)
    }

    /// Full jitter: a random time up to a limit that doubles with each round, but not before the vendors' wish.
    ///
    /// Source: Brooker (2015), Exponential Backoff and Jitter, AWS Architecture Blog.
    fn pause(&self, round: u32, rest: Duration) -> Duration {
        let longest = self.inner.settings.backoff.saturating_mul(1 << round.min(10));
        let jittered = longest.mul_f64(self.inner.ids.uniform());
        if rest > jittered { rest + jittered.mul_f64(0.1) } else { jittered }
    }

    fn too_late(self) -> ProxyError {
        ProxyError::DeadlineExceeded { target: self.target.to_owned(), deadline: self.allowed, failures: self.failures }
    }

    fn all_failed(mut self) -> ProxyError {
        match (self.failures.pop(), self.failures.is_empty()) {
            (Some((model, source)), true) => ProxyError::Provider { model, source },
            (Some(last), false) => {
                self.failures.push(last);
                ProxyError::AllFailed { target: self.target.to_owned(), failures: self.failures }
            }
            (None, _) => ProxyError::Open { target: self.target.to_owned(), retry_after: Duration::ZERO },
        }
    }

    fn not_asked(self, retry_after: Duration) -> ProxyError {
        if self.failures.is_empty() {
            ProxyError::Open { target: self.target.to_owned(), retry_after }
        } else {
            self.all_failed()
        }
    }
}

/// Whether a vendor may bill an attempt that failed so.
fn may_be_billed(error: &ProviderError) -> bool {
    matches!(error, ProviderError::TimedOut { .. } | ProviderError::Truncated { .. } | ProviderError::Malformed { .. })
}

/// The sum of two costs; unknown once one is.
pub(super) fn plus(one: Option<NanoUsd>, other: Option<NanoUsd>) -> Option<NanoUsd> {
    one.zip(other).and_then(|(one, other)| one.checked_add(other))
}
