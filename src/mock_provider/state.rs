use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::SettingsError;
use super::call::{Call, words};
use super::capture::Ring;
use super::limits::Limits;
use super::metrics::Metrics;
use super::script::Script;
use super::settings::MockSettings;
use super::slots::Slots;
use crate::domain::Clock;

/// So many system prompts are remembered before all are forgotten.
const PROMPT_CACHE_SIZE: usize = 10_000;

/// All that the mock vendor knows.
pub(super) struct State {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seed: u64,
    pub(super) metrics: Metrics,
    pub(super) captured: Ring,
    initial: MockSettings,
    active: RwLock<Arc<Active>>,
    next_number: AtomicU64,
    /// Hashes of the system prompts that were seen.
    prompt_cache: Mutex<HashSet<u64>>,
}

/// Settings in force, with what they need.
pub(super) struct Active {
    pub(super) settings: MockSettings,
    pub(super) script: Script,
    pub(super) slots: Arc<Slots>,
    limits: Arc<Mutex<Limits>>,
    /// When schedules begin, by the monotonic clock.
    started: Duration,
}

impl Active {
    pub(super) fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since schedules began.
    pub(super) fn elapsed(&self, now: Duration) -> Duration {
        now.saturating_sub(self.started)
    }
}

impl State {
    pub(super) fn new(settings: MockSettings, clock: Arc<dyn Clock>, seed: u64) -> Result<Self, SettingsError> {
        let metrics = Metrics::default();
        let active = fresh(&settings, &metrics, clock.monotonic())?;
        Ok(Self {
            clock,
            seed,
            metrics,
            captured: Ring::default(),
            initial: settings,
            active: RwLock::new(Arc::new(active)),
            next_number: AtomicU64::new(0),
            prompt_cache: Mutex::default(),
        })
    }

    pub(super) fn active(&self) -> Arc<Active> {
        Arc::clone(&self.active.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of the next request, from 0.
    pub(super) fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
    }

    /// Changes the settings by a function of those in force. Limits, queues and files whose settings stay the same go on
    /// as they are.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&MockSettings, Duration) -> Result<MockSettings, SettingsError>,
    ) -> Result<(), SettingsError> {
        let now = self.clock.monotonic();
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        let settings = change(&active.settings, active.elapsed(now))?;
        let mut next = fresh(&settings, &self.metrics, now)?;
        next.started = active.started;
        if next.slots.settings() == active.slots.settings() {
            next.slots = Arc::clone(&active.slots);
        }
        if settings.limits == active.limits().settings() {
            next.limits = Arc::clone(&active.limits);
        }
        *active = Arc::new(next);
        Ok(())
    }

    /// Everything as at the start, but for the metrics, whose counters must not fall.
    pub(super) fn reset(&self) -> Result<(), SettingsError> {
        let next = fresh(&self.initial, &self.metrics, self.clock.monotonic())?;
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.next_number.store(0, Ordering::Relaxed);
        self.captured.clear();
        self.prompt_cache().clear();
        Ok(())
    }

    fn prompt_cache(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.prompt_cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many tokens of a request come from the prompt cache, and how many are written to it.
    pub(super) fn cached(&self, settings: &MockSettings, call: &Call) -> (u64, u64) {
        let tokens = if settings.prompt_cache { call.system().map(words).sum() } else { 0 };
        if tokens == 0 {
            return (0, 0);
        }
        let mut hasher = DefaultHasher::new();
        call.request.model.hash(&mut hasher);
        call.system().for_each(|text| text.hash(&mut hasher));
        let mut seen = self.prompt_cache();
        if seen.len() >= PROMPT_CACHE_SIZE {
            seen.clear();
        }
        if seen.insert(hasher.finish()) { (0, tokens) } else { (tokens, 0) }
    }
}

fn fresh(settings: &MockSettings, metrics: &Metrics, now: Duration) -> Result<Active, SettingsError> {
    settings.check()?;
    Ok(Active {
        script: Script::new(&settings.answers.lines)?,
        slots: Arc::new(Slots::new(settings.capacity, Arc::clone(&metrics.queued))),
        limits: Arc::new(Mutex::new(Limits::new(settings.limits, now))),
        started: now,
        settings: settings.clone(),
    })
}
