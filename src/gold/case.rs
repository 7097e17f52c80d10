use serde::{Deserialize, Serialize};

use super::Grader;

/// One task of a gold set: a question and what a good answer to it looks like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Unique within its set; reports and repro commands name the case by it.
    pub id: String,
    /// What is asked.
    pub question: String,
    /// Acceptable answers; graders take the best match. Empty when the right thing is to refuse.
    #[serde(default, with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "one_or_many::OneOrMany")]
    pub expected: Vec<String>,
    /// How an answer is judged; the set's default graders when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graders: Vec<Grader>,
    /// Documents (`docs/cost.md`) or chunks (`docs/cost.md#caps`) that hold the answer, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected_docs: Vec<String>,
    /// Slices of the set that reports break the score down by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Cases of one cluster ask the same thing in other words; they are resampled together. Its own id when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Whether a gate fails when this one case flips from right to wrong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// How much the case counts in the set's score.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: f64,
}

impl Case {
    /// Whether the knowledge base is expected to hold an answer.
    pub fn is_answerable(&self) -> bool {
        !self.expected.is_empty()
    }

    /// The cluster it is resampled with.
    pub fn cluster(&self) -> &str {
        self.cluster.as_deref().unwrap_or(&self.id)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(super) fn is_one(weight: &f64) -> bool {
    (*weight - 1.0).abs() < f64::EPSILON
}

pub(super) fn one() -> f64 {
    1.0
}

/// A list that may be written as a single string.
pub(super) mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// A text, or a list of texts.
    #[derive(Deserialize, schemars::JsonSchema)]
    #[serde(untagged, expecting = "a string or a list of strings")]
    pub(crate) enum OneOrMany {
        /// One text.
        One(String),
        /// Several texts.
        Many(Vec<String>),
    }

    pub(crate) fn serialize<S: Serializer>(list: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        match list {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        Ok(match Option::<OneOrMany>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![one],
            Some(OneOrMany::Many(many)) => many,
        })
    }
}
