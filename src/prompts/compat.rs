use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::error::{Problem, PromptError};
use super::examples::prompt_of;
use super::schema_change::schema_changes;
use super::{Library, Migration, Prompt, Setting};
use crate::domain::Severity;

/// Something that callers of a prompt, or consumers of its answers, relied on and that is no longer so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct BreakingChange {
    /// Whether those who fill in its inputs or those who read its answers are hit.
    pub side: Side,
    /// The property: `passages[].heading`; `*` for those without a name of their own, empty for the whole.
    pub path: String,
    /// What changed: `was removed`.
    pub what: String,
}

/// One of a prompt's two contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// `[inputs]`: what a caller hands to it.
    Inputs,
    /// `[output]`: what comes back.
    Outputs,
}

impl fmt::Display for BreakingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, path, what } = self;
        match (side, path.is_empty()) {
            (Side::Inputs, true) => write!(f, "its input {what}"),
            (Side::Inputs, false) => write!(f, "input `{path}` {what}"),
            (Side::Outputs, true) => write!(f, "its output {what}"),
            (Side::Outputs, false) => write!(f, "output `{path}` {what}"),
        }
    }
}

/// What breaks when `after` takes the place of `before`.
///
/// Of inputs: one that is gone, newly required, or takes fewer values than before. Of outputs: a property that is gone or
/// no longer required, another type, other listed values, wider bounds. What cannot be compared and differs counts too.
pub fn breaking_changes(before: &Prompt, after: &Prompt) -> Vec<BreakingChange> {
    let mut found = schema_changes(Side::Inputs, &before.inputs, &after.inputs);
    found.extend(schema_changes(Side::Outputs, &before.output, &after.output));
    found
}

/// Breaking changes of prompts that migrations bring without saying so, each an error at the setting that brings it; and
/// a warning for a migration that says so although no contract breaks.
///
/// A prompt that cannot be read, or is not there, is not compared: that is a problem of its own.
///
/// # Errors
/// [`PromptError::Unreadable`] when a prompt's file cannot be read.
pub fn check_compatibility(migrations: &[Migration], library: &Library) -> Result<Vec<Problem>, PromptError> {
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, u32> = BTreeMap::new();
    for migration in migrations {
        let mut breaks = false;
        for setting in &migration.set {
            let Some((name, version)) = prompt_version(setting) else { continue };
            // Before any migration it is the first version.
            let before = versions.insert(name, version).unwrap_or(1);
            for change in between(name, before, version, library)? {
                breaks = true;
                if migration.breaking.is_none() {
                    problems.push(undeclared(migration, setting, &change, [before, version]));
                }
            }
        }
        if migration.breaking.is_some() && !breaks {
            let hint = "leave `breaking` out, unless it warns of something that no schema shows";
            let problem = Problem::about(&migration.path, "no input or output of a prompt breaks", hint);
            let field = Some("breaking".to_owned());
            problems.push(Problem { severity: Severity::Warning, field, ..problem });
        }
    }
    Ok(problems)
}

/// The prompt with a contract whose version is set, and to what.
fn prompt_version(setting: &Setting) -> Option<(&str, u32)> {
    let name = setting.key.strip_prefix("prompts.").filter(|name| prompt_of(name).is_none())?;
    Some((name, u32::try_from(setting.value.as_u64()?).ok()?))
}

fn between(name: &str, before: u32, after: u32, library: &Library) -> Result<Vec<BreakingChange>, PromptError> {
    if before == after {
        return Ok(Vec::new());
    }
    let read = |version| match library.get(name, version) {
        Ok(prompt) => Ok(Some(prompt)),
        Err(error @ PromptError::Unreadable { .. }) => Err(error),
        Err(_) => Ok(None),
    };
    Ok(match (read(before)?, read(after)?) {
        (Some(before), Some(after)) => breaking_changes(&before, &after),
        _ => Vec::new(),
    })
}

fn undeclared(migration: &Migration, setting: &Setting, change: &BreakingChange, versions: [u32; 2]) -> Problem {
    let [before, after] = versions;
    Problem {
        severity: Severity::Error,
        path: migration.path.clone(),
        line: Some(setting.line),
        column: Some(setting.column),
        field: Some(setting.key.clone()),
        message: format!("breaks what v{before} promised: {change} in v{after}"),
        hint: Some("declare it above [set]: breaking = \"why, and what callers must change\"".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::prompts::read_migrations;

    fn prompt(inputs: &str, output: &str) -> String {
        format!(
            "description = \"d\"\ntask = \"answer\"\n[inputs]\n{inputs}\n[output]\n{output}\n\
            [[messages]]\nrole = \"user\"\ncontent = \"x\"\n"
        )
    }

    fn project(prompts: &[(&str, String)], migrations: &[&str]) -> (tempfile::TempDir, Library) {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (name, text) in prompts {
            write(&format!("{name}.toml"), text);
        }
        for (number, text) in (1..).zip(migrations) {
            write(&format!("migrations/{number:04}_x.toml"), &format!("description = \"d\"\n{text}\n"));
        }
        let library = Library::open(directory.path()).unwrap();
        (directory, library)
    }

    /// What is found, as severity and first line, without the directory.
    fn found(prompts: &[(&str, String)], migrations: &[&str]) -> Vec<String> {
        let (directory, library) = project(prompts, migrations);
        let read = read_migrations(&directory.path().join("migrations")).unwrap();
        let root = format!("{}/migrations/", directory.path().display());
        let problems = check_compatibility(&read, &library).unwrap();
        assert_eq!(library.check().unwrap(), problems, "`prompts check` says the same");
        problems
            .iter()
            .map(|p| format!("{:?} {}", p.severity, p.to_string().replace(&root, "").lines().next().unwrap()))
            .collect()
    }

    fn versions() -> [(&'static str, String); 3] {
        let output = "required = [\"answer\"]\nproperties.answer.type = \"string\"";
        [
            ("answer/v1", prompt("properties.question.type = \"string\"\nproperties.tone.type = \"string\"", output)),
            ("answer/v2", prompt("properties.question.type = \"string\"", "properties.answer.type = \"string\"")),
            ("answer/v3", prompt("properties.question.type = \"string\"", output)),
        ]
    }

    #[test]
    fn an_undeclared_breaking_change_is_an_error_at_its_setting() {
        let expected = [
            "Error 0001_x.toml:3:20: prompts.answer: breaks what v1 promised: input `tone` was removed in v2",
            "Error 0001_x.toml:3:20: prompts.answer: breaks what v1 promised: output `answer` is no longer required in v2",
        ];
        assert_eq!(found(&versions(), &["[set]\n\"prompts.answer\" = 2"]), expected);
    }

    #[test]
    fn a_declared_breaking_change_is_accepted_and_the_next_step_starts_from_it() {
        let declared = "breaking = \"leave `tone` out\"\n[set]\n\"prompts.answer\" = 2";
        assert_eq!(found(&versions(), &[declared, "[set]\n\"prompts.answer\" = 3"]), [""; 0]);
    }

    #[test]
    fn going_back_to_a_version_with_more_outputs_breaks_nobody_but_fewer_outputs_do() {
        let steps = ["[set]\n\"prompts.answer\" = 1", "breaking = \"b\"\n[set]\n\"prompts.answer\" = 3"];
        let back = "[set]\n\"prompts.answer\" = 2";
        assert_eq!(
            found(&versions(), &[steps[0], steps[1], back]),
            [
                "Error 0003_x.toml:3:20: prompts.answer: breaks what v3 promised: output `answer` is no longer required in v2"
            ]
        );
    }

    #[test]
    fn a_declaration_without_a_break_is_a_warning() {
        let declared = "breaking = \"b\"\n[set]\n\"retrieval.top_k\" = 3";
        assert_eq!(
            found(&versions(), &[declared]),
            ["Warning 0001_x.toml: breaking: no input or output of a prompt breaks"]
        );
    }

    #[test]
    fn examples_have_no_contract() {
        let examples = "description = \"d\"\ntask = \"answer\"\n[[messages]]\nrole = \"user\"\ncontent = \"q\"\n\
            [[messages]]\nrole = \"assistant\"\ncontent = '{\"answer\": \"a\"}'\n";
        let mut prompts = versions().to_vec();
        prompts.push(("answer_examples/v1", examples.to_owned()));
        let steps = ["[set]\n\"prompts.answer_examples\" = 1", "[set]\n\"prompts.answer_examples\" = 0"];
        assert_eq!(found(&prompts, &steps), [""; 0]);
    }
}
