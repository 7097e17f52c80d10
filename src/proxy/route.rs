use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};

use super::breaker::Admission;
use super::call::{CallFacts, OpenCall};
use super::candidates::Candidate;
use super::limiter::Permit;
use super::plan::{Choice, Plan};
use super::{CallContext, Inner, ProxyError};
use crate::cost::{BudgetBreach, Quote, Reservation, ReserveError, Wanted};
use crate::domain::NanoUsd;
use crate::providers::{Limits, ProviderError};
use crate::store::CallScopes;

/// One request on its way over the candidates.
pub(super) struct Trip<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) target: &'a str,
    pub(super) facts: CallFacts,
    /// When its time is over, and how long it had.
    deadline: Duration,
    allowed: Duration,
    failures: Vec<(String, ProviderError)>,
    attempts: u32,
    /// The worst cases of the attempts that may have been billed: with the next one they stay within the ceiling.
    committed: NanoUsd,
    /// The budget that had no room for an attempt.
    breach: Option<Box<BudgetBreach>>,
    /// The candidate that was asked as a hedge.
    hedged: Option<usize>,
}

/// What an attempt brought.
pub(super) struct Attempted<T> {
    pub(super) value: T,
    pub(super) candidate: Arc<Candidate>,
    /// Whether another attempt may have cost something that nobody told.
    pub(super) unknown_cost: bool,
    /// Attempts so far.
    pub(super) attempts: u32,
}

/// Whether a candidate may be asked now.
enum Place {
    Free(Admission, Permit),
    /// Only for want of a place; it may become free.
    Full,
    /// For another reason.
    Closed,
}

/// All that an attempt needs before it is made.
struct Ready {
    admission: Admission,
    permit: Permit,
    reservation: Reservation,
}

/// Waits of an evaluation for calls under way to leave room in a budget; each is twice the one before.
const FIRST_WAIT_FOR_ROOM: Duration = Duration::from_millis(10);
const LONGEST_WAIT_FOR_ROOM: Duration = Duration::from_secs(1);
/// The share of the time left that an attempt gets while another candidate could still be asked.
const SHARE_BEFORE_FAILOVER: f64 = 2.0 / 3.0;

impl<'a> Trip<'a> {
    pub(super) fn new(inner: &'a Arc<Inner>, target: &'a str, facts: CallFacts, allowed: Duration) -> Self {
        Self {
            inner,
            target,
            deadline: inner.clock.monotonic() + allowed,
            allowed,
            failures: Vec::new(),
            attempts: facts.retries,
            committed: NanoUsd::ZERO,
            breach: None,
            hedged: None,
            facts,
        }
    }

    /// Counts what the request has spent already against its ceiling.
    pub(super) fn after_spending(self, committed: NanoUsd) -> Self {
        Self { committed, ..self }
    }

    fn now(&self) -> Duration {
        self.inner.clock.monotonic()
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_sub(self.now())
    }

    /// Asks the candidates in order, and in further rounds while the retry budget and the time allow it. `attempt` makes
    /// one attempt and ends its call.
    pub(super) async fn run<T, F, A>(mut self, plan: &Plan<'_>, attempt: A) -> Result<Attempted<T>, ProxyError>
    where
        A: Fn(OpenCall, Arc<Candidate>, Limits) -> F,
        F: Future<Output = Result<T, ProviderError>>,
    {
        let rounds = self.inner.settings.max_retries;
        for round in 0..=rounds {
            let mut asked = false;
            let mut open: Option<Duration> = None;
            let mut full = None;
            // Who is only full is waited for when nobody else could be asked, or gave an answer.
            let mut waited_for = None;
            let mut index = 0;
            loop {
                let Some(choice) = plan.choices.get(index) else {
                    match full.take().filter(|_| waited_for.is_none()) {
                        Some(first_full) => {
                            (index, waited_for) = (first_full, Some(first_full));
                            continue;
                        }
                        None => break,
                    }
                };
                if self.left().is_zero() {
                    return Err(self.too_late());
                }
                let waits = waited_for == Some(index) || plan.choices.len() == 1;
                let place = match (round, self.hedged) {
                    (0, Some(hedged)) if hedged == index => Place::Closed,
                    _ => self.place(choice, round, waits, &mut open).await,
                };
                let here = index;
                index = if waited_for.is_some() { plan.choices.len() } else { index + 1 };
                let (admission, permit) = match place {
                    Place::Free(admission, permit) => (admission, permit),
                    Place::Full => {
                        full = full.or(Some(here));
                        continue;
                    }
                    Place::Closed => continue,
                };
                let reservation = match self.reserve(choice).await {
                    Ok(reservation) => reservation,
                    Err(error) => {
                        choice.candidate.breaker.unused(admission, self.now());
                        match error {
                            // Another candidate's model and provider may have room.
                            ReserveError::Budget(breach) => self.breach = Some(breach),
                            ReserveError::Ceiling => {}
                            ReserveError::Store(error) => return Err(error.into()),
                        }
                        continue;
                    }
                };
                asked = true;
                let next = (round == 0).then(|| plan.choices.get(here + 1)).flatten();
                let hedge = next.map(|choice| (here + 1, choice));
                let last = here + 1 == plan.choices.len();
                let ready = Ready { admission, permit, reservation };
                match self.ask(plan, choice, ready, hedge, last, &attempt).await {
                    Ok(attempted) => return Ok(attempted),
                    Err(error) if !error.is_transient() => return Err(self.refused(error)),
                    Err(_) => {}
                }
            }
            if self.left().is_zero() {
                return Err(self.too_late());
            }
            // How long the vendors asked to be left alone: until the first of them may be asked again.
            let now = self.now();
            let rest = plan.choices.iter().map(|choice| choice.candidate.resting(now).unwrap_or_default()).min();
            let rest = rest.unwrap_or_default();
            if !asked
                && self.failures.is_empty()
                && let Some(breach) = self.breach.take()
            {
                return Err(ProxyError::Budget(breach));
            }
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

    /// Whether this candidate may be asked now; with `waits`, after those who wait longer for a place of it.
    async fn place(&self, choice: &Choice<'_>, round: u32, waits: bool, open: &mut Option<Duration>) -> Place {
        let Choice { candidate, .. } = choice;
        let retries = &candidate.provider.retries;
        let is_retry = round > 0 && self.attempts > 0;
        let now = self.now();
        if candidate.resting(now).is_some() || !self.affords(choice) || (is_retry && !retries.allows(now)) {
            return Place::Closed;
        }
        // The breaker is asked before a place is waited for, and again for good once there is one, so that a probe is
        // not used up by a call that is not made.
        let limiter = &candidate.provider.limiter;
        let permit = match candidate.breaker.looks(now) {
            Admission::Refused(rest) => {
                *open = Some(open.map_or(rest, |least| least.min(rest)));
                return Place::Closed;
            }
            // A probe goes beyond the limit: calls that hang must not keep it away.
            Admission::Probe => limiter.beyond(),
            Admission::Closed => match limiter.try_acquire() {
                Some(permit) => permit,
                None if !waits => return Place::Full,
                None => match tokio::time::timeout(self.left(), limiter.acquire()).await {
                    Ok(permit) => permit,
                    Err(_) => return Place::Full,
                },
            },
        };
        let now = self.now();
        match candidate.breaker.admit(now) {
            Admission::Refused(rest) => {
                *open = Some(open.map_or(rest, |least| least.min(rest)));
                Place::Closed
            }
            admission => {
                if !is_retry {
                    retries.request(now);
                } else if !retries.retry(now) {
                    return Place::Closed;
                }
                Place::Free(admission, permit)
            }
        }
    }

    /// Whether this attempt, and all before it that may be billed, stay within the ceiling.
    fn affords(&self, choice: &Choice<'_>) -> bool {
        self.quote(choice).grant(None).is_some()
    }

    /// What an attempt may consume within what is left of the ceiling.
    fn quote(&self, choice: &Choice<'_>) -> Quote {
        let left = choice.quote.ceiling.0.saturating_sub(self.committed.0);
        Quote { ceiling: NanoUsd(left), ..choice.quote }
    }

    /// Holds the worst case of an attempt against every budget. Where somebody bills it, the ledger knows that it is sent.
    async fn reserve(&self, choice: &Choice<'_>) -> Result<Reservation, ReserveError> {
        self.reserve_within(choice, self.quote(choice)).await
    }

    async fn reserve_within(&self, choice: &Choice<'_>, quote: Quote) -> Result<Reservation, ReserveError> {
        let Choice { candidate, exact, .. } = choice;
        let CallContext { ticket, tenant, endpoint, task, release, fingerprint, .. } = &*self.facts.context;
        let scopes = CallScopes {
            tenant: tenant.clone(),
            endpoint: (*endpoint).to_owned(),
            task: task.clone(),
            provider: candidate.provider.name.clone(),
            model: candidate.name.clone(),
        };
        let (ticket, fingerprint) = (*ticket, *fingerprint);
        let exact = exact.as_deref().map(|count| count as &(dyn Fn() -> u64 + Sync));
        let is_billed = !candidate.provider.is_offline();
        let wanted = Wanted { ticket, scopes, release, fingerprint, quote, is_billed, exact };
        let ledger = &self.inner.ledger;
        let mut wait = FIRST_WAIT_FOR_ROOM;
        let mut reservation = loop {
            match ledger.reserve(&wanted).await {
                Err(ReserveError::Budget(breach))
                    if self.facts.context.evaluates && breach.retry_may_help && wait < self.left() =>
                {
                    self.inner.sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT_FOR_ROOM);
                }
                decided => break decided?,
            }
        };
        if is_billed {
            ledger.sending(&mut reservation).await?;
        }
        Ok(reservation)
    }

    /// One attempt at a candidate; where the route hedges, a second one at `hedge` once the first takes long.
    async fn ask<T, F, A>(
        &mut self,
        plan: &Plan<'_>,
        choice: &Choice<'_>,
        ready: Ready,
        hedge: Option<(usize, &Choice<'_>)>,
        last: bool,
        attempt: &A,
    ) -> Result<Attempted<T>, ProviderError>
    where
        A: Fn(OpenCall, Arc<Candidate>, Limits) -> F,
        F: Future<Output = Result<T, ProviderError>>,
    {
        let mut held = ready.reservation.amount();
        let first = self.open(choice, ready, last, attempt);
        let mut dropped = false;
        let outcome = match (plan.hedge_after, hedge) {
            (Some(after), Some((index, second))) => {
                let mut first = Box::pin(first);
                match select(&mut first, Box::pin(self.inner.sleep(after))).await {
                    Either::Left((done, _)) => (choice, done),
                    Either::Right(_) => match self.hedge(choice, second, held) {
                        None => (choice, first.await),
                        Some((admission, permit)) => {
                            self.hedged = Some(index);
                            let reserved = match select(first, Box::pin(self.reserve_beside(second, held))).await {
                                Either::Left((done, _)) => Err(done),
                                Either::Right((reserved, first)) => Ok((reserved, first)),
                            };
                            match reserved {
                                Err(done) => (choice, done),
                                Ok((Err(_), first)) => (choice, first.await),
                                Ok((Ok(reservation), first)) => {
                                    let also_held = reservation.amount();
                                    let ready = Ready { admission, permit, reservation };
                                    let other = Box::pin(self.open(second, ready, true, attempt));
                                    match select(first, other).await {
                                        // The vendor of the one that is dropped may bill it all the same.
                                        Either::Left((Ok(value), _)) => {
                                            dropped = true;
                                            (choice, Ok(value))
                                        }
                                        Either::Right((Ok(value), _)) => {
                                            dropped = true;
                                            (second, Ok(value))
                                        }
                                        Either::Left((Err(error), other)) => {
                                            self.failed(choice, error, held);
                                            held = also_held;
                                            (second, other.await)
                                        }
                                        Either::Right((Err(error), first)) => {
                                            self.failed(second, error, also_held);
                                            (choice, first.await)
                                        }
                                    }
                                }
                            }
                        }
                    },
                }
            }
            _ => (choice, first.await),
        };
        match outcome {
            (answered, Ok(value)) => {
                let unknown_cost = dropped || self.failures.iter().any(|(_, error)| error.may_be_billed());
                let candidate = Arc::clone(&answered.candidate);
                Ok(Attempted { value, candidate, unknown_cost, attempts: self.attempts })
            }
            (failed, Err(error)) => {
                self.failed(failed, error.clone(), held);
                Err(error)
            }
        }
    }

    fn failed(&mut self, choice: &Choice<'_>, error: ProviderError, held: NanoUsd) {
        if error.may_be_billed() {
            self.committed = self.committed.checked_add(held).unwrap_or(NanoUsd(i64::MAX));
        }
        self.failures.push((choice.candidate.name.clone(), error));
    }

    /// A place for a hedge: only when it costs nobody a wait, within the ceiling and within the retry budget of the
    /// candidate that takes long.
    fn hedge(&self, first: &Choice<'_>, second: &Choice<'_>, held: NanoUsd) -> Option<(Admission, Permit)> {
        let now = self.now();
        let retries = &first.candidate.provider.retries;
        let affords = self.quote_beside(second, held).grant(None).is_some();
        let candidate = &second.candidate;
        // A hedge is no probe: it is for who is in a hurry.
        let healthy = candidate.resting(now).is_none() && candidate.breaker.looks(now) == Admission::Closed;
        if !affords || !healthy || !retries.allows(now) {
            return None;
        }
        let permit = candidate.provider.limiter.try_acquire()?;
        match candidate.breaker.admit(now) {
            Admission::Closed if retries.retry(now) => Some((Admission::Closed, permit)),
            _ => None,
        }
    }

    /// What a second attempt may consume beside one that is under way.
    fn quote_beside(&self, second: &Choice<'_>, held: NanoUsd) -> Quote {
        let quote = self.quote(second);
        Quote { ceiling: NanoUsd(quote.ceiling.0.saturating_sub(held.0)), ..quote }
    }

    /// As [`Trip::reserve`], for a second attempt beside one that is under way.
    async fn reserve_beside(&self, second: &Choice<'_>, held: NanoUsd) -> Result<Reservation, ReserveError> {
        self.reserve_within(second, self.quote_beside(second, held)).await
    }

    fn open<T, F, A>(
        &mut self,
        choice: &Choice<'_>,
        ready: Ready,
        last: bool,
        attempt: &A,
    ) -> impl Future<Output = Result<T, ProviderError>> + use<T, F, A>
    where
        A: Fn(OpenCall, Arc<Candidate>, Limits) -> F,
        F: Future<Output = Result<T, ProviderError>>,
    {
        let Choice { candidate, .. } = choice;
        let Ready { admission, permit, reservation } = ready;
        let timeouts = candidate.provider.settings.timeouts;
        let left = self.left();
        let mut total = timeouts.total.min(if last { left } else { left.mul_f64(SHARE_BEFORE_FAILOVER) });
        let mut first_token = timeouts.first_token;
        if admission == Admission::Probe {
            // A model that took long when it was well may take as long again.
            let patience = candidate.latency.longest().mul_f64(2.0).max(self.inner.settings.breaker.probe_timeout);
            if self.facts.stream {
                first_token = first_token.min(patience);
            } else {
                total = total.min(patience);
            }
        }
        let limits =
            Limits { total, first_token: first_token.min(total), between_tokens: timeouts.between_tokens.min(total) };
        let facts = CallFacts { retries: self.attempts, limit: total, ..self.facts.clone() };
        self.attempts += 1;
        let call = OpenCall::start(self.inner, candidate, facts, admission, permit, reservation);
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

    /// An error that no other attempt would change; it is the last failure.
    fn refused(mut self, error: ProviderError) -> ProxyError {
        match self.failures.pop() {
            Some((model, source)) => ProxyError::Provider { model, source },
            None => ProxyError::Provider { model: self.target.to_owned(), source: error },
        }
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

/// The sum of two costs; unknown once one is.
pub(super) fn plus(one: Option<NanoUsd>, other: Option<NanoUsd>) -> Option<NanoUsd> {
    one.zip(other).and_then(|(one, other)| one.checked_add(other))
}
