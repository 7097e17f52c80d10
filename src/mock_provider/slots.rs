use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::settings::Capacity;

/// So many requests are answered at once; a bounded number waits, first come first served.
#[derive(Debug)]
pub(super) struct Slots {
    settings: Capacity,
    semaphore: Option<Arc<Semaphore>>,
    waiting: Arc<AtomicUsize>,
}

/// A place in the queue.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The queue is full.
#[derive(Debug)]
pub(super) struct Full;

impl Slots {
    /// `waiting` counts those in the queue.
    pub(super) fn new(settings: Capacity, waiting: Arc<AtomicUsize>) -> Self {
        let slots = settings.slots.map(|slots| slots.min(Semaphore::MAX_PERMITS));
        Self { settings, semaphore: slots.map(Semaphore::new).map(Arc::new), waiting }
    }

    pub(super) fn settings(&self) -> Capacity {
        self.settings
    }

    /// Takes a slot, when it is its turn. `None` when there is no limit.
    pub(super) async fn enter(&self) -> Result<Option<OwnedSemaphorePermit>, Full> {
        let Some(semaphore) = &self.semaphore else { return Ok(None) };
        if let Ok(permit) = Arc::clone(semaphore).try_acquire_owned() {
            return Ok(Some(permit));
        }
        let enqueue = |waiting| (waiting < self.settings.queue).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enqueue).map_err(|_| Full)?;
        let _place = Place(&self.waiting);
        Arc::clone(semaphore).acquire_owned().await.map(Some).map_err(|_| Full)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn what_finds_no_slot_waits_and_what_finds_no_place_is_refused() {
        let waiting = Arc::new(AtomicUsize::new(0));
        let slots = Slots::new(Capacity { slots: Some(1), queue: 1 }, Arc::clone(&waiting));
        let first = slots.enter().now_or_never().unwrap().unwrap();
        let mut second = Box::pin(slots.enter());
        assert!(second.as_mut().now_or_never().is_none());
        assert_eq!(waiting.load(Ordering::Relaxed), 1);
        assert!(slots.enter().now_or_never().unwrap().is_err());
        drop(first);
        assert!(second.as_mut().now_or_never().unwrap().unwrap().is_some());
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_gives_up_leaves_the_queue() {
        let waiting = Arc::new(AtomicUsize::new(0));
        let slots = Slots::new(Capacity { slots: Some(1), queue: 1 }, Arc::clone(&waiting));
        let _first = slots.enter().now_or_never().unwrap().unwrap();
        assert!(slots.enter().now_or_never().is_none());
        assert_eq!(waiting.load(Ordering::Relaxed), 0);
    }
}
