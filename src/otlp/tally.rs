use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What became of the spans. Losing some is told once an outage, and never stops anything.
#[derive(Debug)]
pub(super) struct Tally {
    endpoint: String,
    ended: AtomicU64,
    delivered: AtomicU64,
    told: AtomicBool,
    closing: AtomicBool,
    cause: Mutex<Option<String>>,
}

/// How many spans there were, and how many the collector took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanCounts {
    /// Spans that ended.
    pub ended: u64,
    /// Of them, spans that the collector took. The others were dropped from a full queue, not taken, or too late.
    pub delivered: u64,
}

impl Tally {
    pub(super) fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            ended: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            told: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            cause: Mutex::new(None),
        }
    }

    pub(super) fn ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps why a request failed, which the exporter's own error does not say.
    pub(super) fn failed_because(&self, cause: &dyn Display) {
        if let Ok(mut slot) = self.cause.lock() {
            *slot = Some(cause.to_string());
        }
    }

    pub(super) fn delivered(&self, spans: u64) {
        self.delivered.fetch_add(spans, Ordering::Relaxed);
        if self.told.swap(false, Ordering::Relaxed) {
            tracing::info!(endpoint = self.endpoint, "the telemetry collector takes spans again");
        }
    }

    /// A batch was not taken: warns when that is news. While closing it is left to [`Tally::close`].
    pub(super) fn refused(&self, error: &dyn Display) {
        let cause = self.cause.lock().ok().and_then(|mut cause| cause.take()).unwrap_or_else(|| error.to_string());
        if self.closing.load(Ordering::Relaxed) {
            self.failed_because(&cause);
        } else if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(endpoint = self.endpoint, error = cause, "the telemetry collector does not take spans");
        }
    }

    pub(super) fn closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// After the last export: warns of lost spans unless that was told already.
    pub(super) fn close(&self) -> SpanCounts {
        let counts =
            SpanCounts { ended: self.ended.load(Ordering::Relaxed), delivered: self.delivered.load(Ordering::Relaxed) };
        if counts.delivered < counts.ended && !self.told.swap(true, Ordering::Relaxed) {
            let cause = self.cause.lock().ok().and_then(|mut cause| cause.take());
            tracing::warn!(
                endpoint = self.endpoint,
                lost = counts.ended - counts.delivered,
                of = counts.ended,
                error = cause,
                "spans did not reach the telemetry collector"
            );
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::tests::lines_of;

    #[test]
    fn an_outage_is_told_once_and_its_end_too() {
        let tally = Tally::new("http://localhost:4318".into());
        let lines = lines_of(|| {
            tally.refused(&"one");
            tally.refused(&"two");
            tally.delivered(3);
            tally.delivered(3);
            tally.failed_because(&"connection refused");
            tally.refused(&"network error");
        });
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].contains("WARN") && lines[0].contains("one"));
        assert!(lines[1].contains("INFO") && lines[1].contains("again"));
        assert!(lines[2].contains("WARN") && lines[2].contains("connection refused"));
    }

    #[test]
    fn a_full_delivery_says_nothing() {
        let tally = Tally::new("http://localhost:4318".into());
        let lines = lines_of(|| {
            tally.ended();
            tally.closing();
            tally.delivered(1);
            assert_eq!(tally.close(), SpanCounts { ended: 1, delivered: 1 });
        });
        assert_eq!(lines, Vec::<String>::new());
    }
}
