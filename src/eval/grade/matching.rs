use crate::domain::{Answer, NanoUsd};
use crate::text::fold;

use super::judgement::Judgement;

/// The share of `values` that `text` contains, ignoring case.
pub(super) fn contains_all(text: &str, values: &[String]) -> Judgement {
    let text = fold(text);
    let missing: Vec<&str> = values.iter().map(String::as_str).filter(|value| !contains(&text, value)).collect();
    if missing.is_empty() {
        return Judgement::score(1.0);
    }
    let share = 1.0 - missing.len() as f64 / values.len() as f64;
    Judgement::because(share, format!("missing: {}", missing.join(", ")))
}

/// 1 when `text` contains one of `values`.
pub(super) fn contains_any(text: &str, values: &[String]) -> Judgement {
    let text = fold(text);
    let found = values.iter().any(|value| contains(&text, value));
    Judgement::yes_or_no(found, || "contains none of the values".to_owned())
}

/// 1 when `text` contains none of `values`.
pub(super) fn not_contains(text: &str, values: &[String]) -> Judgement {
    let text = fold(text);
    match values.iter().find(|value| contains(&text, value)) {
        None => Judgement::score(1.0),
        Some(value) => Judgement::because(0.0, format!("contains `{value}`")),
    }
}

/// 1 when `text` is JSON that `schema` accepts; white space around it does not matter.
pub(super) fn json_schema(text: &str, schema: &jsonschema::Validator) -> Judgement {
    let value: serde_json::Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return Judgement::because(0.0, format!("not JSON: {error}")),
    };
    match schema.validate(&value) {
        Ok(()) => Judgement::score(1.0),
        Err(error) => match error.instance_path().to_string() {
            path if path.is_empty() => Judgement::because(0.0, error.to_string()),
            path => Judgement::because(0.0, format!("{path}: {error}")),
        },
    }
}

/// 1 when the assistant refused exactly if it should.
pub(super) fn refusal(refused: bool, expected: bool) -> Judgement {
    Judgement::yes_or_no(refused == expected, || {
        if refused { "refused" } else { "answered where a refusal is expected" }.to_owned()
    })
}

/// 1 when the answer took at most `limit` milliseconds; not judged when it was replayed.
pub(super) fn max_latency(answer: &Answer, limit: f64) -> Judgement {
    if answer.replayed {
        return Judgement::Unjudged("the answer was replayed: its latency is of another day".to_owned());
    }
    let latency_ms = answer.latency_ms;
    Judgement::yes_or_no(latency_ms <= limit, || format!("took {latency_ms:.1} ms, limit {limit} ms"))
}

/// 1 when the answer cost at most the limit; not judged when the cost is unknown.
pub(super) fn max_cost(cost: Option<NanoUsd>, limit_nanousd: i64) -> Judgement {
    let limit = NanoUsd(limit_nanousd);
    match cost {
        None => Judgement::Unjudged("the cost is unknown".to_owned()),
        Some(cost) => Judgement::yes_or_no(cost <= limit, || format!("cost {cost}, limit {limit}")),
    }
}

fn contains(folded: &str, value: &str) -> bool {
    folded.contains(fold(value).as_ref())
}
