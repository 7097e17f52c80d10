use std::sync::atomic::{AtomicUsize, Ordering};

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::SettingsError;

/// One line of a file of answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptLine {
    /// Answers every request whose last user message contains this.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Answers every request whose last user message this regular expression matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_regex: Option<String>,
    /// What it says.
    pub reply: String,
    /// How long the answer takes, instead of what the latency settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

/// A file of answers that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct UnreadableScript {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a file of answers: JSONL, one [`ScriptLine`] a line; empty lines are skipped.
///
/// # Errors
/// The first line that is none.
pub fn read_script(jsonl: &str) -> Result<Vec<ScriptLine>, UnreadableScript> {
    let lines = jsonl.lines().enumerate().filter(|(_, text)| !text.trim().is_empty());
    lines
        .map(|(index, text)| {
            serde_json::from_str(text).map_err(|error| UnreadableScript { line: index + 1, problem: error.to_string() })
        })
        .collect()
}

/// The lines with what their being played needs.
#[derive(Debug, Default)]
pub(super) struct Script {
    lines: Vec<(Option<Regex>, ScriptLine)>,
    played: AtomicUsize,
}

impl Script {
    pub(super) fn new(lines: &[ScriptLine]) -> Result<Self, SettingsError> {
        let compile = |(index, line): (usize, &ScriptLine)| {
            let field = || format!("answers.lines[{index}]");
            if line.contains.is_some() && line.match_regex.is_some() {
                let problem = "has both `match` and `match_regex`".into();
                return Err(SettingsError::Value { field: field(), problem });
            }
            let regex = line.match_regex.as_deref().map(Regex::new).transpose();
            let regex = regex.map_err(|error| SettingsError::Value { field: field(), problem: error.to_string() })?;
            Ok((regex, line.clone()))
        };
        let lines = lines.iter().enumerate().map(compile).collect::<Result<_, _>>()?;
        Ok(Self { lines, played: AtomicUsize::new(0) })
    }

    /// The first line that matches `asked`; else the next of those without a condition, which come round again.
    pub(super) fn line_for(&self, asked: &str) -> Option<&ScriptLine> {
        let matches = |(regex, line): &&(Option<Regex>, ScriptLine)| {
            line.contains.as_deref().is_some_and(|contained| asked.contains(contained))
                || regex.as_ref().is_some_and(|regex| regex.is_match(asked))
        };
        if let Some((_, line)) = self.lines.iter().find(matches) {
            return Some(line);
        }
        let in_order = || self.lines.iter().filter(|(regex, line)| regex.is_none() && line.contains.is_none());
        let turn = self.played.fetch_add(1, Ordering::Relaxed).checked_rem(in_order().count())?;
        in_order().nth(turn).map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matching_line_answers_and_the_others_take_turns() {
        let jsonl = r#"{"reply": "one"}
            {"match": "cap", "reply": "Set it."}

            {"match_regex": "^(hi|hello)\\b", "reply": "Hello!", "latency_ms": 5}
            {"reply": "two"}"#;
        let script = Script::new(&read_script(jsonl).unwrap()).unwrap();
        let said = ["x", "the cap", "hello there", "oh, hi", "x"].map(|asked| script.line_for(asked).unwrap());
        assert_eq!(said.map(|line| line.reply.as_str()), ["one", "Set it.", "Hello!", "two", "one"]);
        assert_eq!(said[2].latency_ms, Some(5));
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        assert_eq!(read_script("{\"reply\": \"a\"}\n\n{\"repl\": \"b\"}").unwrap_err().line, 3);
        let line = |contains: Option<&str>, regex: &str| ScriptLine {
            contains: contains.map(Into::into),
            match_regex: Some(regex.into()),
            ..ScriptLine::default()
        };
        assert!(Script::new(&[line(None, "(")]).is_err());
        assert!(Script::new(&[line(Some("a"), "b")]).is_err());
        assert!(Script::default().line_for("x").is_none());
    }
}
