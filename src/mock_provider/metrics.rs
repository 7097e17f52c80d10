use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::FaultKind;
use crate::domain::Usage;

/// Upper bounds of the histogram's buckets, in seconds.
const BOUNDS_S: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// What the mock vendor has done so far.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    counts: Mutex<Counts>,
    in_flight: AtomicI64,
    /// Requests that wait for a slot.
    pub(super) queued: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<Labels, u64>,
    durations: BTreeMap<&'static str, Histogram>,
    faults: BTreeMap<FaultKind, u64>,
    outages: u64,
    usage: Usage,
}

#[derive(Debug, Default)]
struct Histogram {
    buckets: [u64; BOUNDS_S.len()],
    count: u64,
    sum_s: f64,
}

/// What requests are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels {
    pub(super) shape: &'static str,
    pub(super) endpoint: &'static str,
    /// The HTTP status; `None` when the request got no answer.
    pub(super) status: Option<u16>,
}

impl Metrics {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, labels: Labels, took: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let mut counts = self.counts();
        *counts.requests.entry(labels).or_default() += 1;
        let histogram = counts.durations.entry(labels.endpoint).or_default();
        let seconds = took.as_secs_f64();
        if let Some(bucket) = histogram.buckets.get_mut(BOUNDS_S.partition_point(|bound| *bound < seconds)) {
            *bucket += 1;
        }
        histogram.count += 1;
        histogram.sum_s += seconds;
    }

    pub(super) fn fault(&self, kind: FaultKind) {
        *self.counts().faults.entry(kind).or_default() += 1;
    }

    pub(super) fn outage(&self) {
        self.counts().outages += 1;
    }

    pub(super) fn used(&self, usage: Usage) {
        self.counts().usage += usage;
    }

    /// All of it in Prometheus' text format.
    pub(super) fn text(&self) -> String {
        let mut page = Page(String::new());
        let counts = self.counts();
        page.family("requests_total", "counter", "Requests by shape, endpoint and status (none: no answer).");
        for (Labels { shape, endpoint, status }, count) in &counts.requests {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            let labels = format!("{{shape=\"{shape}\",endpoint=\"{endpoint}\",status=\"{status}\"}}");
            page.sample("requests_total", &labels, count);
        }
        page.family("in_flight", "gauge", "Requests that are being answered or wait for it.");
        page.sample("in_flight", "", self.in_flight.load(Ordering::Relaxed).max(0));
        page.family("queued", "gauge", "Requests that wait for a slot.");
        page.sample("queued", "", self.queued.load(Ordering::Relaxed));
        page.family("tokens_total", "counter", "Tokens by kind; cached and cache_write are part of input.");
        let Usage { input, output, cached_input, cache_write, reasoning } = counts.usage;
        let kinds = [
            ("input", input),
            ("output", output),
            ("cached", cached_input),
            ("cache_write", cache_write),
            ("reasoning", reasoning),
        ];
        for (kind, tokens) in kinds {
            page.sample("tokens_total", &format!("{{kind=\"{kind}\"}}"), tokens);
        }
        page.family("faults_total", "counter", "Injected faults by kind.");
        for (kind, count) in &counts.faults {
            page.sample("faults_total", &format!("{{kind=\"{}\"}}", kind.name()), count);
        }
        page.family("outage_requests_total", "counter", "Requests that came within an outage.");
        page.sample("outage_requests_total", "", counts.outages);
        page.family("request_duration_seconds", "histogram", "From the request's arrival to the end of its answer.");
        for (endpoint, histogram) in &counts.durations {
            let mut below = 0;
            for (bound, count) in BOUNDS_S.iter().zip(histogram.buckets) {
                below += count;
                let labels = format!("{{endpoint=\"{endpoint}\",le=\"{bound}\"}}");
                page.sample("request_duration_seconds_bucket", &labels, below);
            }
            let labels = format!("{{endpoint=\"{endpoint}\",le=\"+Inf\"}}");
            page.sample("request_duration_seconds_bucket", &labels, histogram.count);
            let labels = format!("{{endpoint=\"{endpoint}\"}}");
            page.sample("request_duration_seconds_sum", &labels, histogram.sum_s);
            page.sample("request_duration_seconds_count", &labels, histogram.count);
        }
        page.0
    }
}

struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP mock_provider_{name} {help}\n# TYPE mock_provider_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "mock_provider_{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative_and_bounds_are_inclusive() {
        let metrics = Metrics::default();
        let labels = Labels { shape: "openai", endpoint: "chat", status: Some(200) };
        for micros in [1_000, 1_001, 90_000_000] {
            metrics.begin();
            metrics.end(labels, Duration::from_micros(micros));
        }
        let text = metrics.text();
        for line in [
            "mock_provider_requests_total{shape=\"openai\",endpoint=\"chat\",status=\"200\"} 3",
            "mock_provider_request_duration_seconds_bucket{endpoint=\"chat\",le=\"0.001\"} 1",
            "mock_provider_request_duration_seconds_bucket{endpoint=\"chat\",le=\"0.0025\"} 2",
            "mock_provider_request_duration_seconds_bucket{endpoint=\"chat\",le=\"60\"} 2",
            "mock_provider_request_duration_seconds_bucket{endpoint=\"chat\",le=\"+Inf\"} 3",
            "mock_provider_request_duration_seconds_sum{endpoint=\"chat\"} 90.002001",
            "mock_provider_request_duration_seconds_count{endpoint=\"chat\"} 3",
            "mock_provider_in_flight 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with("mock_provider_") && value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
