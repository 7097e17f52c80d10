use std::sync::Arc;

use jiff::Timestamp;

use super::budgets::overrides_of;
use super::counters::{self, Counter};
use super::database::Deferred;
use super::settle::{self, Facts, Held, time};
use super::{BudgetOverride, CallRecord, ChargeState, NewAlert, Store, StoreError, alerts, calls};
use crate::domain::{CallId, NanoUsd, Period, Scope, ScopeKind, TicketId, Usage, Window};

/// What a call is charged to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallScopes {
    /// The tenant who asked.
    pub tenant: String,
    /// Which command or route asked.
    pub endpoint: String,
    /// The prompt's task.
    pub task: String,
    /// The provider's name in the project.
    pub provider: String,
    /// `provider/model`.
    pub model: String,
}

impl CallScopes {
    /// Every scope that the call counts in.
    pub fn all(&self) -> [Scope; 6] {
        [
            Scope::TOTAL,
            Scope::new(ScopeKind::Tenant, &*self.tenant),
            Scope::new(ScopeKind::Endpoint, &*self.endpoint),
            Scope::new(ScopeKind::Model, &*self.model),
            Scope::new(ScopeKind::Provider, &*self.provider),
            Scope::new(ScopeKind::Task, &*self.task),
        ]
    }
}

/// A time in which a scope's spending is counted, and what it may come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Whose spending.
    pub scope: Scope,
    /// The kind of time.
    pub period: Period,
    /// The time.
    pub window: Window,
    /// The most that may be spent in it; `None` when it is only watched.
    pub cap: Option<NanoUsd>,
}

/// A scope's spending in a window, after something was booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// The window, with its cap.
    pub limit: Limit,
    /// When it was booked.
    pub at: Timestamp,
    /// What was booked.
    pub charged: NanoUsd,
    /// All that is booked in the window now.
    pub spent: NanoUsd,
    /// All that is held in it now.
    pub reserved: NanoUsd,
}

/// The rules that the ledger asks while it writes. They have to be quick: the writer waits for them.
pub trait SpendRules: Send + Sync {
    /// The windows that a call at this time counts in, as settings and `overrides` have them.
    fn limits(&self, call: &CallScopes, at: Timestamp, overrides: &[BudgetOverride]) -> Vec<Limit>;
    /// The alerts that something booked gives rise to.
    fn alerts(&self, booked: &Booked) -> Vec<NewAlert>;
    /// The alert for a window whose cap has no room for a call any more.
    fn refusal(&self, limit: &Limit, at: Timestamp, needed: NanoUsd, spent: NanoUsd, reserved: NanoUsd) -> NewAlert;
    /// The alert for a call that cost more than was held for it.
    fn overrun(
        &self,
        call: CallId,
        scopes: &CallScopes,
        at: Timestamp,
        reserved: NanoUsd,
        charged: NanoUsd,
    ) -> Option<NewAlert>;
}

/// What a reservation is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveRequest {
    /// The call.
    pub call: CallId,
    /// Its ticket.
    pub ticket: TicketId,
    /// What it is charged to.
    pub scopes: CallScopes,
    /// The release's content hash.
    pub release: String,
    /// The time.
    pub now: Timestamp,
    /// The process that makes it.
    pub owner: String,
    /// What the question is like.
    pub fingerprint: Option<u64>,
    /// The least that has to be held for it.
    pub needed: NanoUsd,
}

/// How a reservation was decided.
pub enum Reserved<T> {
    /// It holds.
    Held(Hold, T),
    /// A cap stands against it; nothing is held.
    Refused(Breach),
    /// A cap has to be kept, and the amount was only a rough one; nothing is held.
    Inexact,
}

/// What stands against a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The cap with the least room.
    pub limit: Limit,
    /// What is booked against it.
    pub spent: NanoUsd,
    /// What is held against it.
    pub reserved: NanoUsd,
}

/// How a reservation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// How.
    pub state: ChargeState,
    /// What is booked.
    pub charged: NanoUsd,
    /// The prompt's part of it.
    pub charged_input: Option<NanoUsd>,
    /// What was consumed.
    pub usage: Option<Usage>,
    /// When.
    pub at: Timestamp,
}

impl Settlement {
    /// Releases what was held: nothing was consumed.
    pub fn void(at: Timestamp) -> Self {
        Self { state: ChargeState::Voided, charged: NanoUsd::ZERO, charged_input: None, usage: None, at }
    }

    /// Books all that was held.
    pub fn worst_case(reserved: NanoUsd, at: Timestamp) -> Self {
        Self { state: ChargeState::WorstCase, charged: reserved, charged_input: None, usage: None, at }
    }
}

/// Money that is held for one call. It ends once; dropped before, it is released when the call was not sent, and booked
/// in full when it was.
pub struct Hold {
    facts: Held,
    sent: bool,
    ended: bool,
    rules: Arc<dyn SpendRules>,
    deferred: Deferred,
}

impl Hold {
    /// What is held.
    pub fn amount(&self) -> NanoUsd {
        match &self.facts {
            Held::Written(facts) => facts.amount,
            Held::Unwritten(_, amount) => *amount,
        }
    }

    /// Whether the call was sent.
    pub fn is_sent(&self) -> bool {
        self.sent
    }

    /// Ends it with the next write that somebody waits for, and keeps the record of its call with it.
    pub fn end(mut self, settlement: Settlement, call: Option<CallRecord>) {
        self.ended = true;
        self.finish(settlement, call);
    }

    fn finish(&self, settlement: Settlement, call: Option<CallRecord>) {
        let (facts, rules) = (self.facts.clone(), Arc::clone(&self.rules));
        self.deferred.push(move |connection| {
            facts.end(connection, &settlement, &*rules)?;
            call.map_or(Ok(()), |call| calls::insert(connection, &call))
        });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Held::Written(Facts { amount, at, .. }) = self.facts
            && !self.ended
        {
            self.finish(if self.sent { Settlement::worst_case(amount, at) } else { Settlement::void(at) }, None);
        }
    }
}

impl Store {
    /// Decides a reservation against every cap at once and holds its amount; returns after that is durable.
    ///
    /// `amount` is given the room that the tightest cap leaves (`None` without any) and says how much to hold, or nothing
    /// when it does not fit. With `rough`, no amount is held where there is a cap.
    pub async fn reserve<T: Send + 'static>(
        &self,
        request: ReserveRequest,
        rough: bool,
        rules: Arc<dyn SpendRules>,
        amount: impl Fn(Option<NanoUsd>) -> Option<(NanoUsd, T)> + Send + 'static,
    ) -> Result<Reserved<T>, StoreError> {
        let deferred = self.main.deferred().clone();
        self.main
            .write(move |connection| {
                let (key, at) = settle::next_key(connection, request.now)?;
                let scopes = request.scopes.all();
                let overrides = overrides_of(connection, &scopes)?;
                let limits = rules.limits(&request.scopes, at, &overrides);
                let mut tightest: Option<(NanoUsd, Limit, Counter)> = None;
                for limit in limits {
                    let counter = counters::of(connection, &limit.scope, limit.period, limit.window)?;
                    let Some(cap) = limit.cap else { continue };
                    let room = NanoUsd(cap.0.saturating_sub(counter.spent.0).saturating_sub(counter.reserved.0));
                    if tightest.as_ref().is_none_or(|(least, ..)| room < *least) {
                        tightest = Some((room, limit, counter));
                    }
                }
                if rough && tightest.is_some() {
                    return Ok(Reserved::Inexact);
                }
                let room = tightest.as_ref().map(|(room, ..)| *room);
                let Some((held, granted)) = amount(room) else {
                    return match tightest {
                        Some((_, limit, counter)) => {
                            let (spent, reserved) = (counter.spent, counter.reserved);
                            // What is reserved will be less: only what is booked stays in the way.
                            let alone = limit.cap.map(|cap| NanoUsd(cap.0.saturating_sub(spent.0)));
                            if amount(alone).is_none() {
                                alerts::insert(
                                    connection,
                                    &rules.refusal(&limit, at, request.needed, spent, reserved),
                                )?;
                            }
                            Ok(Reserved::Refused(Breach { limit, spent, reserved }))
                        }
                        None => Err(StoreError::Failed { reason: "a reservation asked for no amount".to_owned() }),
                    };
                };
                let facts = settle::hold(connection, &request, (key, at), held, &scopes)?;
                Ok(Reserved::Held(
                    Hold { facts: Held::Written(facts), sent: false, ended: false, rules, deferred },
                    granted,
                ))
            })
            .await
    }

    /// Holds an amount for a call that nobody bills and that counts in no cap. Nothing is written before it has ended:
    /// after a crash there is nothing that would have to be known.
    pub fn reserve_unwritten(&self, request: ReserveRequest, amount: NanoUsd, rules: Arc<dyn SpendRules>) -> Hold {
        let (facts, deferred) = (Held::Unwritten(Box::new(request), amount), self.main.deferred().clone());
        Hold { facts, sent: false, ended: false, rules, deferred }
    }

    /// Notes that the call of `hold` is about to be sent; returns after that is durable.
    ///
    /// # Errors
    /// When it cannot be written, or when the reservation has no row to note it in.
    pub async fn sending(&self, hold: &mut Hold) -> Result<(), StoreError> {
        let Held::Written(Facts { key, .. }) = hold.facts else {
            return Err(StoreError::Failed { reason: "a call that is billed was not reserved".to_owned() });
        };
        self.main
            .write(move |connection| {
                let marked = connection
                    .prepare_cached("UPDATE open_reservations SET sent = 1 WHERE reservation = ?1")?
                    .execute([key])?;
                if marked == 0 { Err(StoreError::NotHeld) } else { Ok(()) }
            })
            .await?;
        hold.sent = true;
        Ok(())
    }

    /// Ends a reservation; returns after that is durable.
    pub async fn settle(&self, mut hold: Hold, settlement: Settlement) -> Result<(), StoreError> {
        let (facts, rules) = (hold.facts.clone(), Arc::clone(&hold.rules));
        hold.ended = true;
        self.main.write(move |connection| facts.end(connection, &settlement, &*rules)).await
    }

    /// Ends what a process that is gone has left open: what was never sent is released, what was is booked in full.
    /// Returns how many were released and how many booked.
    pub async fn recover(
        &self,
        owner: String,
        now: Timestamp,
        rules: Arc<dyn SpendRules>,
    ) -> Result<(u64, u64), StoreError> {
        self.main
            .write(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT r.key, r.at_ms, r.reserved, r.tenant, r.endpoint, r.task, r.provider, r.model, o.sent, r.call
                     FROM open_reservations o JOIN reservations r ON r.key = o.reservation WHERE o.owner = ?1",
                )?;
                let open = statement.query_map([owner], |row| {
                    let scopes = CallScopes {
                        tenant: row.get(3)?,
                        endpoint: row.get(4)?,
                        task: row.get(5)?,
                        provider: row.get(6)?,
                        model: row.get(7)?,
                    };
                    let (key, at, amount) = (row.get(0)?, time(row.get(1)?), NanoUsd(row.get(2)?));
                    let call = super::spend::id(row, 9)?;
                    Ok((Facts { key, call, at, amount, scopes }, row.get::<_, bool>(8)?))
                })?;
                let open = open.collect::<rusqlite::Result<Vec<_>>>()?;
                let (mut released, mut booked) = (0, 0);
                for (facts, sent) in open {
                    let end = if sent { Settlement::worst_case(facts.amount, now) } else { Settlement::void(now) };
                    settle::settle(connection, &facts, facts.amount, &end, &*rules)?;
                    *(if sent { &mut booked } else { &mut released }) += 1;
                }
                Ok((released, booked))
            })
            .await
    }
}
