use serde_json::Value;

use super::grader::{Check, Grader};
use crate::domain::nearest;

/// What is wrong with a grader: the setting, the reason, the next step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) field: Option<String>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

struct Kind {
    name: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
}

const fn kind(name: &'static str, needs: &'static [&'static str], takes: &'static [&'static str]) -> Kind {
    Kind { name, needs, takes }
}

/// Every type of grader with the settings it needs and those it may take.
const KINDS: &[Kind] = &[
    kind("exact", &[], &["case_sensitive"]),
    kind("contains_all", &["values"], &[]),
    kind("contains_any", &["values"], &[]),
    kind("not_contains", &["values"], &[]),
    kind("regex", &["pattern"], &[]),
    kind("numeric", &[], &["value", "tolerance", "relative"]),
    kind("token_f1", &[], &[]),
    kind("rouge_l", &[], &[]),
    kind("bleu", &[], &[]),
    kind("json_schema", &["schema"], &[]),
    kind("cites", &[], &[]),
    kind("retrieval", &[], &["metric", "k"]),
    kind("grounded", &[], &["support"]),
    kind("refusal", &[], &["expect"]),
    kind("similarity", &[], &[]),
    kind("judge", &[], &["rubric", "prompt"]),
    kind("max_latency_ms", &["limit"], &[]),
    kind("max_cost", &["limit_nanousd"], &[]),
    kind("command", &["command"], &["timeout_ms"]),
];

/// The names of all types of grader.
pub fn grader_names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

fn fault(field: impl Into<Option<&'static str>>, message: impl Into<String>) -> Fault {
    Fault { field: field.into().map(str::to_owned), message: message.into(), hint: None }
}

/// Reads a grader, or says everything that is wrong with it.
pub(super) fn parse_grader(value: &Value) -> Result<Grader, Vec<Fault>> {
    let mut settings = match value {
        Value::String(name) => serde_json::Map::from_iter([("type".to_owned(), Value::String(name.clone()))]),
        Value::Object(settings) => settings.clone(),
        _ => return Err(vec![fault(None, "a grader is a name or an object with a `type`")]),
    };
    let Some(name) = settings.get("type").and_then(Value::as_str) else {
        return Err(vec![fault("type", "a grader needs a `type`, which is a name")]);
    };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let hint = nearest(name, grader_names()).map_or_else(
            || format!("known graders: {}", grader_names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(vec![Fault { hint: Some(hint), ..fault("type", format!("unknown grader `{name}`")) }]);
    };
    let mut faults = unknown_settings(kind, &settings);
    for needed in kind.needs {
        if !settings.contains_key(*needed) {
            faults.push(fault(None, format!("grader `{}` needs `{needed}`", kind.name)));
        }
    }
    let weight = settings.remove("weight").map_or(Some(1.0), |weight| weight.as_f64());
    let weight = weight.filter(|weight| weight.is_finite() && *weight >= 0.0);
    if weight.is_none() {
        faults.push(fault("weight", "must be a number of at least 0"));
    }
    if let (true, Some(weight)) = (faults.is_empty(), weight) {
        match serde_json::from_value::<Check>(Value::Object(settings)) {
            Ok(check) => match out_of_range(&check) {
                None => return Ok(Grader { check, weight }),
                Some(out_of_range) => faults.push(out_of_range),
            },
            Err(error) => faults.push(fault(None, format!("grader `{}`: {error}", kind.name))),
        }
    }
    Err(faults)
}

fn unknown_settings(kind: &Kind, settings: &serde_json::Map<String, Value>) -> Vec<Fault> {
    let known = || ["type", "weight"].iter().chain(kind.needs).chain(kind.takes).copied();
    settings
        .keys()
        .filter(|key| known().all(|known| known != key.as_str()))
        .map(|key| Fault {
            field: Some(key.clone()),
            message: format!("unknown setting `{key}` of grader `{}`", kind.name),
            hint: Some(nearest(key, known()).map_or_else(
                || format!("it takes: {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            )),
        })
        .collect()
}

fn out_of_range(check: &Check) -> Option<Fault> {
    match check {
        Check::ContainsAll { values } | Check::ContainsAny { values } | Check::NotContains { values }
            if values.is_empty() || values.iter().any(|value| value.trim().is_empty()) =>
        {
            Some(fault("values", "must hold at least one text, and no blank one"))
        }
        Check::Numeric { value: Some(value), .. } if !value.is_finite() => Some(fault("value", "must be finite")),
        Check::Numeric { tolerance, .. } if !at_least_zero(*tolerance) => {
            Some(fault("tolerance", "must be a number of at least 0"))
        }
        Check::Numeric { relative, .. } if !at_least_zero(*relative) => {
            Some(fault("relative", "must be a number of at least 0"))
        }
        Check::Retrieval { k: 0, .. } => Some(fault("k", "must be at least 1")),
        Check::Grounded { support } if !(0.0..=1.0).contains(support) => {
            Some(fault("support", "must be a share between 0 and 1"))
        }
        Check::MaxLatencyMs { limit } if !at_least_zero(*limit) => {
            Some(fault("limit", "must be a number of milliseconds of at least 0"))
        }
        Check::MaxCost { limit_nanousd } if *limit_nanousd < 0 => {
            Some(fault("limit_nanousd", "must be at least 0 nano-dollars"))
        }
        Check::Judge { rubric: Some(rubric), .. } if rubric.trim().is_empty() => {
            Some(fault("rubric", "must not be blank; leave it out where nothing special matters"))
        }
        Check::Judge { prompt, .. } if !is_prompt_version(prompt) => {
            Some(fault("prompt", "must be a prompt with its version, such as judge@v1"))
        }
        Check::Command { command, .. } if command.first().is_none_or(|program| program.trim().is_empty()) => {
            Some(fault("command", "must name a program"))
        }
        Check::Command { timeout_ms: 0, .. } => Some(fault("timeout_ms", "must be at least 1")),
        _ => None,
    }
}

/// Whether it is `NAME@vN`, with N from 1 on.
fn is_prompt_version(text: &str) -> bool {
    let version = text.rsplit_once("@v").filter(|(name, _)| !name.is_empty()).map(|(_, version)| version);
    version.is_some_and(|version| {
        version.bytes().all(|byte| byte.is_ascii_digit()) && version.parse::<u32>().is_ok() && !version.starts_with('0')
    })
}

fn at_least_zero(number: f64) -> bool {
    number.is_finite() && number >= 0.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one_fault(value: &Value) -> Fault {
        let faults = parse_grader(value).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.into_iter().next().unwrap()
    }

    #[test]
    fn the_table_of_kinds_agrees_with_the_enum() {
        let samples =
            json!({"values": ["x"], "pattern": "x", "schema": {}, "limit": 1, "limit_nanousd": 1, "command": "x"});
        let optional = json!({"case_sensitive": true, "value": 1.5, "tolerance": 0, "relative": 0, "metric": "ndcg",
            "k": 3, "support": 0.7, "expect": true, "timeout_ms": 5,
            "rubric": "names the limit", "prompt": "judge@v2"});
        for kind in KINDS {
            let mut settings = json!({"type": kind.name});
            for key in kind.needs {
                settings[key] = samples[key].clone();
            }
            for key in kind.takes {
                settings[key] = optional[key].clone();
            }
            let grader = parse_grader(&settings).unwrap();
            assert_eq!(serde_json::to_value(&grader).unwrap()["type"], kind.name);
        }
        let error = serde_json::from_value::<Check>(json!({"type": "?"})).unwrap_err().to_string();
        assert_eq!(error.matches('`').count() / 2, KINDS.len() + 1, "a variant is missing in KINDS: {error}");
    }

    #[test]
    fn a_name_is_enough_when_nothing_is_needed() {
        let grader = Grader { check: Check::TokenF1 {}, weight: 1.0 };
        assert_eq!(parse_grader(&json!("token_f1")), Ok(grader));
        assert_eq!(one_fault(&json!("regex")).message, "grader `regex` needs `pattern`");
    }

    #[test]
    fn misspelt_types_and_settings_are_named_with_a_suggestion() {
        let wrong = one_fault(&json!({"type": "tokne_f1"}));
        assert_eq!(wrong.message, "unknown grader `tokne_f1`");
        assert_eq!(wrong.hint.as_deref(), Some("did you mean `token_f1`?"));
        let wrong = one_fault(&json!({"type": "retrieval", "metrics": "mrr"}));
        assert_eq!(wrong.field.as_deref(), Some("metrics"));
        assert_eq!(wrong.hint.as_deref(), Some("did you mean `metric`?"));
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (grader, field) in [
            (json!({"type": "bleu", "weight": -1}), "weight"),
            (json!({"type": "bleu", "weight": "2"}), "weight"),
            (json!({"type": "retrieval", "k": 0}), "k"),
            (json!({"type": "grounded", "support": 1.5}), "support"),
            (json!({"type": "contains_all", "values": []}), "values"),
            (json!({"type": "contains_any", "values": ""}), "values"),
            (json!({"type": "numeric", "tolerance": -0.1}), "tolerance"),
            (json!({"type": "command", "command": []}), "command"),
            (json!({"type": "judge", "rubric": " "}), "rubric"),
            (json!({"type": "judge", "prompt": "judge"}), "prompt"),
            (json!({"type": "judge", "prompt": "judge@v0"}), "prompt"),
        ] {
            assert_eq!(one_fault(&grader).field.as_deref(), Some(field), "{grader}");
        }
        assert_eq!(parse_grader(&json!({"type": "bleu", "weight": 0})).unwrap().weight.to_bits(), 0.0_f64.to_bits());
    }
}
