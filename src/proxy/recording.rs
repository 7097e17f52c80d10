//! Exchanges with models on disk: written once each, readable and diffable; replayed without any network.

mod exchange;
mod nearest;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::CallContext;
use crate::domain::ContentHash;
use crate::providers::ChatRequest;
use crate::report::replace_file;
use crate::text::Redactor;

pub(super) use exchange::Exchange;

/// Whether exchanges with models are recorded or replayed.
#[derive(Debug)]
pub struct Recording {
    mode: Mode,
    directory: PathBuf,
    /// How often each request was made so far: repeats have slots of their own.
    made: Mutex<HashMap<ContentHash, u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Record,
    Replay,
}

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A file or directory cannot be used.
    #[error("cannot use the recording {}: {reason}", path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The request was never recorded.
    #[error("no recording in {} fits this request of task `{task}`: {difference}", directory.display())]
    Missing {
        /// Where it was looked for.
        directory: PathBuf,
        /// The request's task.
        task: String,
        /// What differs from the recorded request that is nearest.
        difference: String,
    },
}

/// One request as recordings know it.
#[derive(Debug)]
pub(super) struct Asked {
    task: String,
    key: ContentHash,
    slot: u32,
    request: Value,
}

impl Recording {
    /// Neither.
    pub fn off() -> Self {
        Self::new(Mode::Off, PathBuf::new())
    }

    /// Records every exchange into `directory`, which is made where it is missing. An exchange that is there already is
    /// written anew.
    ///
    /// # Errors
    /// [`RecordingError::Unusable`] when it cannot be made.
    pub fn to(directory: &Path) -> Result<Self, RecordingError> {
        let unusable =
            |error: std::io::Error| RecordingError::Unusable { path: directory.to_owned(), reason: error.to_string() };
        std::fs::create_dir_all(directory).map_err(unusable)?;
        Ok(Self::new(Mode::Record, directory.to_owned()))
    }

    /// Answers every request from `directory`, and none from a model.
    ///
    /// # Errors
    /// [`RecordingError::Unusable`] when it is not a directory.
    pub fn from(directory: &Path) -> Result<Self, RecordingError> {
        if directory.is_dir() {
            Ok(Self::new(Mode::Replay, directory.to_owned()))
        } else {
            let reason = "it is not a directory; `--record DIR` makes one".to_owned();
            Err(RecordingError::Unusable { path: directory.to_owned(), reason })
        }
    }

    fn new(mode: Mode, directory: PathBuf) -> Self {
        Self { mode, directory, made: Mutex::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }

    pub(super) fn replays(&self) -> bool {
        self.mode == Mode::Replay
    }

    /// The request as it is recorded: redacted, and in its repeat's slot.
    pub(super) fn describe(
        &self,
        redactor: &Redactor,
        context: &CallContext,
        target: &str,
        request: &ChatRequest,
    ) -> Asked {
        let described = json!({
            "target": target,
            "prompt": context.prompt,
            "messages": request.messages,
            "temperature": request.temperature,
            "max_output_tokens": request.max_output_tokens,
            "stop": request.stop,
            "seed": request.seed,
            "tools": request.tools,
            "tool_choice": request.tool_choice,
            "output_schema": request.output_schema.as_ref().map(|schema| schema.schema()),
            "extensions": request.extensions,
        });
        self.slot(redactor, &context.task, described)
    }

    /// As [`Recording::describe`], for texts that become vectors.
    pub(super) fn describe_embedding(
        &self,
        redactor: &Redactor,
        context: &CallContext,
        target: &str,
        texts: &[String],
    ) -> Asked {
        self.slot(redactor, &format!("{}-embeddings", context.task), json!({"target": target, "texts": texts}))
    }

    fn slot(&self, redactor: &Redactor, task: &str, mut request: Value) -> Asked {
        redactor.redact_json(&mut request);
        let key = ContentHash::of(request.to_string().as_bytes());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.entry(key.clone()).or_default();
        let slot = *made;
        *made += 1;
        let task =
            task.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' });
        Asked { task: task.collect(), key, slot, request }
    }

    fn path(&self, asked: &Asked) -> PathBuf {
        let name: String = asked.key.as_str().chars().filter(char::is_ascii_hexdigit).take(16).collect();
        self.directory.join(&asked.task).join(format!("{name}-{}.json", asked.slot))
    }

    /// Writes one exchange, whole or not at all.
    pub(super) fn record(&self, asked: &Asked, exchange: &Exchange) -> Result<(), RecordingError> {
        let path = self.path(asked);
        let unusable = |reason: String| RecordingError::Unusable { path: path.clone(), reason };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(|error| unusable(error.to_string()))?;
        }
        let whole = json!({"format": 1, "slot": asked.slot, "request": asked.request, "exchange": exchange});
        let mut text = serde_json::to_string_pretty(&whole).map_err(|error| unusable(error.to_string()))?;
        text.push('\n');
        replace_file(&path, |file| file.write_all(text.as_bytes())).map_err(|error| unusable(error.to_string()))
    }

    /// What was recorded for this request.
    pub(super) fn replay(&self, asked: &Asked) -> Result<Exchange, RecordingError> {
        let path = self.path(asked);
        let unusable = |reason: String| RecordingError::Unusable { path: path.clone(), reason };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(RecordingError::Missing {
                    directory: self.directory.clone(),
                    task: asked.task.clone(),
                    difference: self.difference(asked),
                });
            }
            Err(error) => return Err(unusable(error.to_string())),
        };
        let mut whole: Value = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
        if whole.get("request") != Some(&asked.request) {
            return Err(unusable("its request is not the one that its name stands for: it was edited".to_owned()));
        }
        serde_json::from_value(whole.get_mut("exchange").map(Value::take).unwrap_or_default())
            .map_err(|error| unusable(error.to_string()))
    }

    fn difference(&self, asked: &Asked) -> String {
        if asked.slot > 0 {
            let first = Asked { slot: 0, task: asked.task.clone(), key: asked.key.clone(), request: Value::Null };
            if self.path(&first).exists() {
                return format!("the same request was recorded fewer than {} times (field `slot`)", asked.slot + 1);
            }
        }
        nearest::difference(&self.directory.join(&asked.task), &asked.request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(recording: &Recording, question: &str, seed: u64) -> Asked {
        recording.slot(&Redactor::new(&[]), "answer", json!({"messages": [{"content": question}], "seed": seed}))
    }

    fn exchange() -> Exchange {
        serde_json::from_value(json!({"latency_ms": 5.0, "error": {"kind": "failed", "message": "no"}})).unwrap()
    }

    #[test]
    fn what_was_recorded_is_replayed_in_its_own_slot_and_redacted() {
        let directory = tempfile::tempdir().unwrap();
        let recording = Recording::to(directory.path()).unwrap();
        for _ in 0..2 {
            recording.record(&asked(&recording, "mail jane.doe@example.org", 1), &exchange()).unwrap();
        }
        let written: Vec<_> = std::fs::read_dir(directory.path().join("answer")).unwrap().collect();
        assert_eq!(written.len(), 2);
        for file in written {
            assert!(!std::fs::read_to_string(file.unwrap().path()).unwrap().contains("jane.doe"));
        }
        let replay = Recording::from(directory.path()).unwrap();
        for _ in 0..2 {
            replay.replay(&asked(&replay, "mail jane.doe@example.org", 1)).unwrap();
        }
        let third = replay.replay(&asked(&replay, "mail jane.doe@example.org", 1)).unwrap_err().to_string();
        assert!(third.contains("fewer than 3 times (field `slot`)"), "{third}");
    }

    #[test]
    fn a_miss_names_the_field_that_differs() {
        let directory = tempfile::tempdir().unwrap();
        let recording = Recording::to(directory.path()).unwrap();
        recording.record(&asked(&recording, "how much is it?", 1), &exchange()).unwrap();
        recording.record(&asked(&recording, "where is it?", 7), &exchange()).unwrap();
        let replay = Recording::from(directory.path()).unwrap();
        let missing = replay.replay(&asked(&replay, "how much is it?", 2)).unwrap_err().to_string();
        assert!(missing.contains("`seed` is 2, and was 1"), "{missing}");
        let missing = replay.replay(&asked(&replay, "where was it?", 7)).unwrap_err().to_string();
        assert!(missing.contains("`messages[0].content`"), "{missing}");
        assert!(Recording::from(&directory.path().join("gone")).is_err());
    }
}
