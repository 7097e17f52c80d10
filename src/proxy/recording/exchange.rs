use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{NanoUsd, Usage, in_ms};
use crate::providers::{FinishReason, OutputSchema, ToolCall};
use crate::proxy::{Completion, Embedded, ProxyError};
use crate::text::Redactor;

/// How a recorded request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::proxy) struct Exchange {
    /// The time it took, with its retries.
    latency_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<RecordedAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vectors: Option<RecordedVectors>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<RecordedError>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RecordedAnswer {
    model: String,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    finish_reason: FinishReason,
    usage: Option<Usage>,
    cost_nanousd: Option<NanoUsd>,
    calls: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct RecordedVectors {
    model: String,
    vectors: Vec<Vec<f32>>,
    usage: Option<Usage>,
    cost_nanousd: Option<NanoUsd>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum RecordedError {
    /// The answer broke its schema.
    Output { model: String, problem: String, usage: Usage, cost_nanousd: Option<NanoUsd>, calls: u32 },
    /// There was no answer.
    Failed { message: String },
}

impl Exchange {
    /// `outcome`, whose answer is redacted already.
    pub(in crate::proxy) fn of(
        outcome: &Result<Completion, ProxyError>,
        latency: Duration,
        redactor: &Redactor,
    ) -> Self {
        let redacted = |text: &str| redactor.redact(text).into_owned();
        let (answer, error) = match outcome {
            Ok(completion) => {
                let answer = RecordedAnswer {
                    model: completion.model.clone(),
                    text: completion.text.clone(),
                    tool_calls: completion.tool_calls.clone(),
                    finish_reason: completion.finish_reason,
                    usage: completion.usage,
                    cost_nanousd: completion.cost_nanousd,
                    calls: completion.calls,
                };
                (Some(answer), None)
            }
            Err(ProxyError::Output { model, problem, usage, cost_nanousd, calls }) => {
                let (model, problem) = (model.clone(), redacted(problem));
                let error =
                    RecordedError::Output { model, problem, usage: *usage, cost_nanousd: *cost_nanousd, calls: *calls };
                (None, Some(error))
            }
            Err(error) => (None, Some(RecordedError::Failed { message: redacted(&error.to_string()) })),
        };
        Self { latency_ms: in_ms(latency), answer, vectors: None, error }
    }

    pub(in crate::proxy) fn of_embedded(
        outcome: &Result<Embedded, ProxyError>,
        latency: Duration,
        redactor: &Redactor,
    ) -> Self {
        let (vectors, error) = match outcome {
            Ok(embedded) => {
                let Embedded { vectors, model, usage, cost_nanousd, .. } = embedded.clone();
                (Some(RecordedVectors { model, vectors, usage, cost_nanousd }), None)
            }
            Err(error) => {
                let message = redactor.redact(&error.to_string()).into_owned();
                (None, Some(RecordedError::Failed { message }))
            }
        };
        Self { latency_ms: in_ms(latency), answer: None, vectors, error }
    }

    fn latency(&self) -> Duration {
        Duration::from_micros((self.latency_ms.max(0.0) * 1_000.0) as u64)
    }

    /// The recorded answer again.
    pub(in crate::proxy) fn into_completion(self, schema: Option<&OutputSchema>) -> Result<Completion, ProxyError> {
        let latency = self.latency();
        let Some(answer) = self.answer else {
            return Err(match self.error {
                Some(RecordedError::Output { model, problem, usage, cost_nanousd, calls }) => {
                    ProxyError::Output { model, problem, usage, cost_nanousd, calls }
                }
                Some(RecordedError::Failed { message }) => ProxyError::Replayed { message },
                None => ProxyError::Replayed { message: "the recording holds no answer".to_owned() },
            });
        };
        let value = schema.filter(|_| answer.tool_calls.is_empty()).and_then(|schema| schema.check(&answer.text).ok());
        Ok(Completion {
            text: answer.text,
            value,
            tool_calls: answer.tool_calls,
            finish_reason: answer.finish_reason,
            model: answer.model,
            usage: answer.usage,
            cost_nanousd: answer.cost_nanousd,
            calls: answer.calls,
            replayed: Some(latency),
        })
    }

    /// The recorded vectors again.
    pub(in crate::proxy) fn into_embedded(self) -> Result<Embedded, ProxyError> {
        let latency = self.latency();
        let failure = self.error;
        let nothing = || match failure {
            Some(RecordedError::Failed { message }) => ProxyError::Replayed { message },
            _ => ProxyError::Replayed { message: "the recording holds no vectors".to_owned() },
        };
        let RecordedVectors { model, vectors, usage, cost_nanousd } = self.vectors.ok_or_else(nothing)?;
        Ok(Embedded { vectors, model, usage, cost_nanousd, replayed: Some(latency) })
    }
}
