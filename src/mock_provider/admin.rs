use std::sync::Arc;

use hyper::{Method, Response};
use serde_json::{Value, json};

use super::SettingsError;
use super::exchange::{Body, Head};
use super::fault::Outage;
use super::settings::KEY_IS_SET;
use super::settings::MockSettings;
use super::state::State;
use crate::domain::Secret;

/// Where it can be reached, for messages.
const PATHS: &str = "GET, PUT or PATCH /admin/settings, POST /admin/outage, POST /admin/reset, GET /admin/requests, \
    GET /metrics, GET /healthz";

/// Whether a path is not the vendor's.
pub(super) fn is_its(path: &str) -> bool {
    path == "/healthz" || path == "/metrics" || path == "/admin" || path.starts_with("/admin/")
}

/// Answers the requests that are not the vendor's.
pub(super) fn respond(state: &Arc<State>, method: &Method, path: &str, body: Option<&[u8]>) -> Response<Body> {
    let Some(body) = body else { return problem(413, "the body is too long") };
    let done = |result: Result<(), SettingsError>| match result {
        Ok(()) => settings(state),
        Err(error) => problem(422, &error.to_string()),
    };
    match (method.as_str(), path) {
        ("GET", "/healthz") => Head::new(200, "text/plain; charset=utf-8").with("ok\n"),
        ("GET", "/metrics") => Head::new(200, "text/plain; version=0.0.4; charset=utf-8").with(state.metrics.text()),
        ("GET", "/admin/settings") => settings(state),
        ("PUT", "/admin/settings") => done(state.change(|now, _| {
            let mut settings: MockSettings = read(body)?;
            // What is read back of the key is only that there is one.
            if settings.api_key.as_ref().is_some_and(|key| key.expose() == KEY_IS_SET) {
                settings.api_key.clone_from(&now.api_key);
            }
            Ok(settings)
        })),
        ("PATCH", "/admin/settings") => done(state.change(|now, _| patched(now, &read(body)?))),
        ("POST", "/admin/outage") => done(state.change(|now, elapsed| {
            let outage: Outage = read(body)?;
            let mut settings = now.clone();
            settings.outages.push(Outage { from_s: elapsed.as_secs_f64() + outage.from_s, ..outage });
            Ok(settings)
        })),
        ("POST", "/admin/reset") => done(state.reset()),
        ("GET", "/admin/requests") => json_response(200, &state.captured.to_json()),
        _ => problem(404, &format!("there is no {method} {path}; there are {PATHS}")),
    }
}

fn settings(state: &State) -> Response<Body> {
    json_response(200, &serde_json::to_value(&state.active().settings).unwrap_or_default())
}

fn json_response(status: u16, value: &Value) -> Response<Body> {
    Head::new(status, "application/json").with(format!("{value:#}\n"))
}

/// RFC 9457.
fn problem(status: u16, detail: &str) -> Response<Body> {
    let title = hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let body = json!({"type": "about:blank", "title": title, "status": status, "detail": detail});
    Head::new(status, "application/problem+json").with(format!("{body:#}\n"))
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, SettingsError> {
    serde_json::from_slice(body).map_err(|error| SettingsError::Unreadable { problem: error.to_string() })
}

/// The settings with a JSON merge patch (RFC 7396) applied.
fn patched(now: &MockSettings, patch: &Value) -> Result<MockSettings, SettingsError> {
    let unreadable = |error: serde_json::Error| SettingsError::Unreadable { problem: error.to_string() };
    let mut value = serde_json::to_value(now).map_err(unreadable)?;
    // What is written of the key is only that there is one.
    if let (Some(key), Value::Object(value)) = (&now.api_key, &mut value) {
        value.insert("api_key".into(), Secret::expose(key).into());
    }
    merge(&mut value, patch);
    serde_json::from_value(value).map_err(unreadable)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        target.clone_from(patch);
        return;
    };
    // A thing of another kind has other fields: those of the old kind mean nothing to it.
    let other_kind = changes.get("kind").is_some_and(|kind| target.get("kind").is_some_and(|now| now != kind));
    if !target.is_object() || other_kind {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (key, change) in changes {
        match change {
            Value::Null => {
                target.shift_remove(key);
            }
            change => merge(target.entry(key).or_insert(Value::Null), change),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_does_what_its_standard_says() {
        // RFC 7396, appendix A.
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!(["a"]), json!("c"), json!("c")),
        ] {
            let mut merged = target;
            merge(&mut merged, &patch);
            assert_eq!(merged, expected);
        }
    }

    #[test]
    fn a_patch_keeps_the_key() {
        let now = MockSettings { api_key: Some(Secret::new("k".into())), ..MockSettings::default() };
        let patched = patched(&now, &json!({"reasoning_tokens": 3})).unwrap();
        assert_eq!((patched.api_key, patched.reasoning_tokens), (now.api_key, 3));
    }
}
