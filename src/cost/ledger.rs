use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::BudgetBreach;
use super::quote::{Grant, OutputCap, Quote};
use super::rules::Rules;
use crate::config::{EndpointSettings, OnBreach};
use crate::domain::{CallId, Clock, IdSource, NanoUsd, RunId, TicketId, Usage};
use crate::store::{
    CallRecord, CallScopes, ChargeState, Hold, ReserveRequest, Reserved, Settlement, SpendRules, Store, StoreError,
};

/// The books: what may be spent is held before a call, and booked after it.
pub struct Ledger {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    ids: Arc<IdSource>,
    rules: Arc<Rules>,
    endpoints: BTreeMap<String, EndpointSettings>,
    /// Whether what processes that are gone left open was looked for.
    looked: AtomicBool,
    /// Whether some cap was met, so that amounts have to be exact.
    capped: AtomicBool,
}

/// What a call wants to be granted.
pub struct Wanted<'a> {
    /// Its ticket.
    pub ticket: TicketId,
    /// What it is charged to.
    pub scopes: CallScopes,
    /// The release's content hash.
    pub release: &'a str,
    /// What its question is like.
    pub fingerprint: Option<u64>,
    /// What it may consume; its prompt may be estimated too high.
    pub quote: Quote,
    /// Whether somebody bills it: whether it leaves this machine.
    pub is_billed: bool,
    /// A closer bound of the prompt's tokens, where one can be had; asked for only where a cap has to be kept.
    pub exact: Option<&'a (dyn Fn() -> u64 + Sync)>,
}

/// Why nothing is held.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReserveError {
    /// A cap stands against it.
    #[error("{0}")]
    Budget(Box<BudgetBreach>),
    /// The request's own ceiling leaves no room for it.
    #[error("the request's own ceiling leaves no room for another call")]
    Ceiling,
    /// The ledger could not be written; nothing may be spent then.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Money held for one call. Dropped before its end it is released when the call was not sent, and booked in full when it
/// was.
pub struct Reservation {
    hold: Hold,
    call: CallId,
    quote: Quote,
    grant: Grant,
}

/// What was ended of processes that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Reservations that were released: their calls were never sent.
    pub released: u64,
    /// Reservations that were booked in full: their calls were sent.
    pub booked: u64,
}

impl Recovered {
    /// Whether there was anything.
    pub fn any(self) -> bool {
        self.released + self.booked > 0
    }
}

/// What a call brought, as far as the ledger is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumed {
    /// The vendor says what was consumed.
    Told(Usage),
    /// The vendor does not say; about so many tokens of the answer were received.
    Received(u64),
    /// Something may have been consumed, and nobody knows what.
    Unknown,
    /// Nothing was.
    Nothing,
}

impl Ledger {
    /// The books in `store`, kept by these rules.
    pub fn new(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        ids: Arc<IdSource>,
        rules: Arc<Rules>,
        endpoints: BTreeMap<String, EndpointSettings>,
    ) -> Self {
        let (looked, capped) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { store, clock, ids, rules, endpoints, looked, capped }
    }

    /// How long an answer may get: as the caller says, else as the endpoint does.
    pub fn output_cap(&self, given: Option<u64>, endpoint: &str) -> OutputCap {
        let default = || self.endpoints.get(endpoint).copied().unwrap_or_default().output_tokens;
        given.map_or_else(|| OutputCap::Default(default()), OutputCap::Given)
    }

    /// What a tenant's question gets that a cap refuses.
    pub fn on_breach(&self, tenant: &str) -> &OnBreach {
        self.rules.on_breach(tenant)
    }

    /// Holds the worst case of a call against every cap at once, or nothing. It is durable when this returns.
    ///
    /// # Errors
    /// Why nothing is held.
    pub async fn reserve(&self, wanted: &Wanted<'_>) -> Result<Reservation, ReserveError> {
        if !self.looked.swap(true, Ordering::Relaxed) {
            self.recover().await?;
        }
        match self.try_reserve(wanted).await {
            // A process that is gone may hold what this one needs.
            Err(ReserveError::Budget(breach))
                if breach.reserved_nanousd > NanoUsd::ZERO && self.recover().await?.any() =>
            {
                self.try_reserve(wanted).await
            }
            decided => decided,
        }
    }

    async fn try_reserve(&self, wanted: &Wanted<'_>) -> Result<Reservation, ReserveError> {
        let owner = self.store.owner(|| self.ids.next::<RunId>(&*self.clock).to_string().replace(RunId::PREFIX, ""))?;
        let call: CallId = self.ids.next(&*self.clock);
        let mut quote = wanted.quote;
        let mut rough = wanted.exact.is_some();
        loop {
            if let Some(exact) = wanted.exact.filter(|_| rough && self.capped.load(Ordering::Relaxed)) {
                quote.input_tokens = quote.input_tokens.min(exact());
                rough = false;
            }
            // A ceiling is the request's own: no ledger needs to be asked.
            let Some(grant) = quote.grant(None) else { return Err(ReserveError::Ceiling) };
            let needed = quote.price.worst_case(quote.input_tokens, quote.output.least());
            let needed = needed.unwrap_or(NanoUsd(i64::MAX));
            let request = ReserveRequest {
                call,
                ticket: wanted.ticket,
                scopes: wanted.scopes.clone(),
                release: wanted.release.to_owned(),
                now: self.clock.now(),
                owner: owner.clone(),
                fingerprint: wanted.fingerprint,
                needed,
            };
            let rules: Arc<dyn SpendRules> = Arc::clone(&self.rules) as _;
            if !wanted.is_billed && !self.is_capped(&wanted.scopes)? {
                let hold = self.store.reserve_unwritten(request, grant.amount, rules);
                return Ok(Reservation { hold, call, quote, grant });
            }
            let amount = move |room| quote.grant(room).map(|grant| (grant.amount, grant));
            match self.store.reserve(request, rough, rules, amount).await? {
                Reserved::Held(hold, grant) => return Ok(Reservation { hold, call, quote, grant }),
                Reserved::Refused(breach) => {
                    return Err(ReserveError::Budget(Box::new(BudgetBreach::new(breach, needed))));
                }
                Reserved::Inexact => self.capped.store(true, Ordering::Relaxed),
            }
        }
    }

    /// Whether a cap may stand against a call of these scopes.
    fn is_capped(&self, scopes: &CallScopes) -> Result<bool, StoreError> {
        let limits = self.rules.limits(scopes, self.clock.now(), &[]);
        Ok(limits.iter().any(|limit| limit.cap.is_some()) || self.store.has_budget_overrides()?)
    }

    /// Notes that the call is about to be sent to somebody who bills it. It is durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written; the call must not be sent then.
    pub async fn sending(&self, reservation: &mut Reservation) -> Result<(), StoreError> {
        self.store.sending(&mut reservation.hold).await
    }

    /// Books what a call consumed; it is durable when this returns.
    ///
    /// # Errors
    /// When the ledger cannot be written; what was held stays held, and is booked in full once this process is gone.
    pub async fn settle(&self, reservation: Reservation, consumed: Consumed) -> Result<NanoUsd, StoreError> {
        let settlement = reservation.settlement(consumed, &*self.clock);
        self.store.settle(reservation.hold, settlement).await?;
        Ok(settlement.charged)
    }

    /// Books what a call consumed, and keeps its record with that, with the next write that somebody waits for. Until
    /// then a crash books the worst case. Returns what is booked.
    pub fn settle_soon(&self, reservation: Reservation, consumed: Consumed, record: CallRecord) -> NanoUsd {
        let settlement = reservation.settlement(consumed, &*self.clock);
        reservation.hold.end(settlement, Some(record));
        settlement.charged
    }

    /// Ends what processes that are gone have left open: what was never sent is released, what was is booked in full.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recover(&self) -> Result<Recovered, StoreError> {
        let mut all = Recovered::default();
        for owner in self.store.dead_owners()? {
            let rules: Arc<dyn SpendRules> = Arc::clone(&self.rules) as _;
            let (released, booked) = self.store.recover(owner.clone(), self.clock.now(), rules).await?;
            self.store.forget_owner(&owner);
            if released + booked > 0 {
                tracing::warn!(
                    released,
                    booked,
                    "ended the reservations of a process that is gone; what it had sent is booked at its worst case"
                );
            }
            all.released += released;
            all.booked += booked;
        }
        Ok(all)
    }
}

impl Reservation {
    /// The call it is for.
    pub fn call(&self) -> CallId {
        self.call
    }

    /// What is held.
    pub fn amount(&self) -> NanoUsd {
        self.hold.amount()
    }

    /// The longest answer that it pays for, in tokens.
    pub fn output_tokens(&self) -> u64 {
        self.grant.output_tokens
    }

    /// Whether the call was sent to somebody who bills it.
    pub fn is_sent(&self) -> bool {
        self.hold.is_sent()
    }

    /// What so much usage costs at the price that it was reserved at; `None` when that does not fit into money.
    pub fn cost(&self, usage: Usage) -> Option<NanoUsd> {
        self.quote.price.cost(usage).ok()
    }

    fn settlement(&self, consumed: Consumed, clock: &dyn Clock) -> Settlement {
        let at = clock.now();
        let amount = self.amount();
        let (state, usage) = match consumed {
            Consumed::Told(usage) => (ChargeState::Settled, usage),
            Consumed::Received(tokens) => (ChargeState::Estimated, Usage::new(self.quote.input_tokens, tokens)),
            Consumed::Unknown => return Settlement::worst_case(amount, at),
            Consumed::Nothing => return Settlement::void(at),
        };
        let Some(charged) = self.cost(usage) else { return Settlement::worst_case(amount, at) };
        let prompt = Usage { output: Usage::ZERO.output, reasoning: Usage::ZERO.reasoning, ..usage };
        // An estimate is never above what was held; only the vendor's own word is.
        let charged = if state == ChargeState::Estimated { charged.min(amount) } else { charged };
        let charged_input = self.cost(prompt).map(|part| part.min(charged));
        Settlement { state, charged, charged_input, usage: Some(usage), at }
    }
}
