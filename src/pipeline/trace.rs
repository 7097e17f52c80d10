use std::time::Duration;

use crate::domain::{Clock, Step, in_ms};

/// Times the steps of one question.
pub(super) struct Trace<'a> {
    clock: &'a dyn Clock,
    started: Duration,
    last: Duration,
    steps: Vec<Step>,
    replayed: Option<Duration>,
}

impl<'a> Trace<'a> {
    pub(super) fn start(clock: &'a dyn Clock) -> Self {
        let now = clock.monotonic();
        Self { clock, started: now, last: now, steps: Vec::with_capacity(6), replayed: None }
    }

    /// Ends the step that began when the one before it ended.
    pub(super) fn step(&mut self, name: &str, detail: impl Into<String>) {
        let now = self.clock.monotonic();
        let duration_ms = in_ms(now.saturating_sub(self.last));
        self.steps.push(Step { name: name.to_owned(), duration_ms, detail: detail.into() });
        self.last = now;
    }

    /// Counts time that the last step took when it was recorded, and not now.
    pub(super) fn replayed(&mut self, latency: Duration) {
        self.replayed = Some(self.replayed.unwrap_or_default() + latency);
        if let Some(step) = self.steps.last_mut() {
            step.duration_ms += in_ms(latency);
        }
    }

    /// Whether some step was replayed.
    pub(super) fn is_replayed(&self) -> bool {
        self.replayed.is_some()
    }

    /// The time since the start in milliseconds, with what was replayed.
    pub(super) fn elapsed_ms(&self) -> f64 {
        in_ms(self.clock.monotonic().saturating_sub(self.started) + self.replayed.unwrap_or_default())
    }

    /// The same time, and the steps, which it has no longer.
    pub(super) fn finish(&mut self) -> (f64, Vec<Step>) {
        (self.elapsed_ms(), std::mem::take(&mut self.steps))
    }
}
