use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::case::{is_one, one, one_or_many};
use super::parse_grader::{grader_names, parse_grader};

/// One grader of a case: what it checks, and how much it counts.
///
/// Written as `{"type": "token_f1", "weight": 2.0}` or, when it needs no settings, as `"token_f1"`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[schemars(transform = or_a_name)]
pub struct Grader {
    /// What it checks.
    #[serde(flatten)]
    pub check: Check,
    /// How much it counts in the case's score; 0 reports it without counting it.
    #[serde(skip_serializing_if = "is_one")]
    #[schemars(default = "one", range(min = 0))]
    pub weight: f64,
}

/// A grader that needs no settings may be written as its name.
fn or_a_name(schema: &mut schemars::Schema) {
    let mut object = std::mem::take(schema);
    object.insert("unevaluatedProperties".to_owned(), false.into());
    let names: Vec<&str> = grader_names().collect();
    *schema = schemars::json_schema!({ "anyOf": [{ "type": "string", "enum": names }, object] });
}

impl<'de> Deserialize<'de> for Grader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        parse_grader(&value).map_err(|faults| {
            let reasons = faults.into_iter().map(|fault| match (fault.field, fault.hint) {
                (Some(field), Some(hint)) => format!("{field}: {}; {hint}", fault.message),
                (Some(field), None) => format!("{field}: {}", fault.message),
                (None, Some(hint)) => format!("{}; {hint}", fault.message),
                (None, None) => fault.message,
            });
            D::Error::custom(reasons.collect::<Vec<_>>().join("; "))
        })
    }
}

impl Check {
    /// Whether it looks at what the answer says or is based on, rather than only at how it came about.
    pub fn judges_content(&self) -> bool {
        !matches!(self, Self::Refusal { .. } | Self::MaxLatencyMs { .. } | Self::MaxCost { .. })
    }
}

/// What a grader checks. Every check gives a score in 0..=1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Check {
    /// 1 when the answer equals an expected one (SQuAD normalization unless `case_sensitive`).
    Exact {
        /// Compare the texts as they are, only trimmed.
        #[serde(default)]
        case_sensitive: bool,
    },
    /// 1 when the answer contains every one of `values`; otherwise the share it contains.
    ContainsAll {
        /// What to look for, ignoring case.
        #[serde(with = "one_or_many")]
        #[schemars(with = "one_or_many::OneOrMany")]
        values: Vec<String>,
    },
    /// 1 when the answer contains at least one of `values`.
    ContainsAny {
        /// What to look for, ignoring case.
        #[serde(with = "one_or_many")]
        #[schemars(with = "one_or_many::OneOrMany")]
        values: Vec<String>,
    },
    /// 1 when the answer contains none of `values`.
    NotContains {
        /// What must not appear, ignoring case.
        #[serde(with = "one_or_many")]
        #[schemars(with = "one_or_many::OneOrMany")]
        values: Vec<String>,
    },
    /// 1 when `pattern` matches somewhere in the answer.
    Regex {
        /// A regular expression in the syntax of Rust's `regex` crate.
        pattern: String,
    },
    /// 1 when a number in the answer is within the tolerance of the number in the expected answer.
    Numeric {
        /// The number to find; read from the expected answer when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<f64>,
        /// Largest absolute difference.
        #[serde(default)]
        tolerance: f64,
        /// Largest difference relative to the expected number.
        #[serde(default)]
        relative: f64,
    },
    /// F1 of the words shared with the best expected answer, SQuAD normalization.
    TokenF1 {},
    /// ROUGE-L F-measure against the best expected answer, as `rouge-score` without stemmer.
    RougeL {},
    /// Sentence BLEU against the expected answers, 0..=1, as `sacrebleu` (its score divided by 100).
    Bleu {},
    /// 1 when the answer is JSON that the schema accepts.
    JsonSchema {
        /// A JSON Schema (2020-12 unless it says otherwise).
        schema: serde_json::Value,
    },
    /// Share of the expected documents that the answer cites; 1 when none is expected and none is cited.
    Cites {},
    /// A ranking measure of the retrieved passages against the expected documents.
    Retrieval {
        /// Which measure.
        #[serde(default)]
        metric: RetrievalMetric,
        /// How many passages count.
        #[serde(default = "five")]
        k: usize,
    },
    /// Share of the answer's sentences whose content words the passages support.
    Grounded {
        /// Share of a sentence's content words that one passage must hold to support it.
        #[serde(default = "support")]
        support: f64,
    },
    /// 1 when the assistant refused exactly if it should.
    Refusal {
        /// Whether refusing is right; by default it is when the case has no expected answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<bool>,
    },
    /// Lexical similarity to the best expected answer: cosine of word and character n-gram counts, 0..=1.
    Similarity {},
    /// Share of the votes in which a model finds the answer at least as good as the expected one, in both orders.
    Judge {
        /// What matters for this case, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rubric: Option<String>,
        /// The prompt that asks, with its version; one for all cases of a set.
        #[serde(default = "judge_prompt")]
        prompt: String,
    },
    /// 1 when the answer took at most this long.
    MaxLatencyMs {
        /// The limit in milliseconds.
        limit: f64,
    },
    /// 1 when the answer cost at most this much; no score when the cost is unknown.
    MaxCost {
        /// The limit in nano-dollars.
        limit_nanousd: i64,
    },
    /// Any program: the case and the answer as JSON on its stdin, `{"score": 0..1, "reason": "…"}` on its stdout.
    Command {
        /// The program and its arguments, run in the project's directory without a shell.
        #[serde(with = "one_or_many")]
        #[schemars(with = "one_or_many::OneOrMany")]
        command: Vec<String>,
        /// How long it may run, in milliseconds.
        #[serde(default = "command_timeout_ms")]
        timeout_ms: u64,
    },
}

/// Which ranking measure the `retrieval` grader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalMetric {
    /// Share of the expected documents among the first k.
    #[default]
    Recall,
    /// One over the rank of the first expected document among the first k.
    Mrr,
    /// Normalized discounted cumulative gain at k, binary relevance.
    Ndcg,
}

fn five() -> usize {
    5
}

fn support() -> f64 {
    0.5
}

fn judge_prompt() -> String {
    "judge@v1".to_owned()
}

fn command_timeout_ms() -> u64 {
    10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graders_survive_writing_and_reading() {
        for text in [
            r#"{"type":"token_f1"}"#,
            r#"{"type":"exact","case_sensitive":true,"weight":2.0}"#,
            r#"{"type":"contains_all","values":["a","b"]}"#,
            r#"{"type":"judge","rubric":"names the limit","prompt":"judge@v2","weight":0.5}"#,
        ] {
            let grader: Grader = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&grader).unwrap(), text);
        }
    }

    #[test]
    fn the_published_schema_accepts_both_ways_of_writing_and_nothing_unknown() {
        let schema = serde_json::to_value(schemars::schema_for!(Grader)).unwrap();
        for (grader, accepted) in [
            (serde_json::json!("token_f1"), true),
            (serde_json::json!("tokne_f1"), false),
            (serde_json::json!({"type": "retrieval", "k": 3}), true),
            (serde_json::json!({"type": "contains_all", "values": "x", "weight": 2}), true),
            (serde_json::json!("judge"), true),
            (serde_json::json!({"type": "judge", "model": "openai/gpt-4.1"}), false),
            (serde_json::json!({"type": "token_f1", "weight": -1}), false),
            (serde_json::json!({"type": "token_f1", "wieght": 1}), false),
        ] {
            assert_eq!(jsonschema::is_valid(&schema, &grader), accepted, "{grader}");
        }
    }

    #[test]
    fn an_unknown_type_is_named_with_the_nearest_known_one() {
        let error = serde_json::from_str::<Grader>(r#""tokne_f1""#).unwrap_err().to_string();
        assert!(error.contains("unknown grader `tokne_f1`; did you mean `token_f1`?"), "{error}");
    }
}
