use std::borrow::Cow;
use std::sync::Arc;

use crate::config::SafetySettings;
use crate::providers::{ChatMessage, ChatRequest, Role};
use crate::text::{self, Redactor};

/// Takes invisible characters out of what came from outside, replaces personal data where that is configured, and marks
/// what looks like an injection. Returns the names of the marks, comma-separated. Marks prevent nothing; they are for whoever reads the telemetry.
pub(super) fn filter_in(request: &mut ChatRequest, settings: &SafetySettings, redactor: &Redactor) -> Option<Arc<str>> {
    let mut marks: Vec<&'static str> = Vec::new();
    for message in &mut request.messages {
        if message.role == Role::System {
            continue;
        }
        marks.extend(text::injection_marks(&message.content).into_iter().map(text::InjectionMark::as_str));
        replace(message, text::strip_invisible);
        if settings.redact_prompts {
            replace(message, |content| redactor.redact(content));
        }
    }
    marks.sort_unstable();
    marks.dedup();
    (!marks.is_empty()).then(|| marks.join(",").into())
}

/// Takes invisible characters out of an answer.
pub(super) fn filter_out(text: &mut String) {
    if let Cow::Owned(visible) = text::strip_invisible(text) {
        *text = visible;
    }
}

fn replace(message: &mut ChatMessage, change: impl Fn(&str) -> Cow<'_, str>) {
    if let Cow::Owned(changed) = change(&message.content) {
        message.content = changed;
    }
}
