use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{Array, Context, Value};
use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use super::names;
use super::tally::Tally;

/// Sends spans as they may leave the program, and counts those that arrive.
#[derive(Debug)]
pub(super) struct Exporter {
    pub(super) inner: OtlpExporter,
    pub(super) tally: Arc<Tally>,
}

impl SpanExporter for Exporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(conform);
        let spans = batch.len() as u64;
        let result = self.inner.export(batch).await;
        match &result {
            Ok(()) => self.tally.delivered(spans),
            Err(error) => self.tally.refused(error),
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Leaves only named attributes, gives them the conventions' types, and drops messages of errors.
fn conform(span: &mut SpanData) {
    span.attributes.retain(|attribute| names::is_exported(attribute.key.as_str()));
    for attribute in &mut span.attributes {
        // A `tracing` field cannot be an array.
        if attribute.key.as_str() == names::RESPONSE_FINISH_REASONS
            && let Value::String(reason) = &attribute.value
        {
            attribute.value = Value::Array(Array::String(vec![reason.clone()]));
        }
    }
    // Any other event is a log line: its name is its message.
    span.events.events.retain(|event| event.name == names::EVALUATION_EVENT);
    for event in &mut span.events.events {
        event.attributes.retain(|attribute| names::is_exported(attribute.key.as_str()));
    }
    if let Status::Error { description } = &mut span.status {
        *description = Cow::Borrowed("");
    }
}

/// The batching processor, with every span that it is given counted: it drops silently when its queue is full.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) inner: BatchSpanProcessor,
    pub(super) tally: Arc<Tally>,
}

impl SpanProcessor for Counted {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.inner.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.tally.ended();
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
