use std::fmt;
use std::io;
use std::path::PathBuf;

use serde::Serialize;

use crate::domain::Severity;

/// Something that is wrong with a prompt, a migration, or the directory they are in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file or directory.
    pub path: PathBuf,
    /// The line, from 1; `None` when it is about the whole file.
    pub line: Option<usize>,
    /// The character in the line, from 1.
    pub column: Option<usize>,
    /// The key it is about, such as `params.temperature`.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// An error about a whole file or directory.
    pub(super) fn about(path: impl Into<PathBuf>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.into(),
            line: None,
            column: None,
            field: None,
            message: message.into(),
            hint: Some(hint.into()).filter(|hint| !hint.is_empty()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let (Some(_), Some(column)) = (self.line, self.column) {
            write!(f, "{column}:")?;
        }
        if let Some(field) = &self.field {
            write!(f, " {field}:")?;
        }
        write!(f, " {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// Why prompts or a release cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A file or directory cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Files are not what they should be; every problem is listed.
    #[error("{}", list(.problems))]
    Invalid {
        /// The problems, at least one.
        problems: Vec<Problem>,
    },
    /// There is no prompt of this name.
    #[error("there is no prompt `{name}`")]
    UnknownPrompt {
        /// The name asked for.
        name: String,
        /// What there is.
        hint: String,
    },
    /// The prompt has no such version.
    #[error("prompt `{name}` has no version {version}; it has {existing}")]
    UnknownVersion {
        /// The prompt.
        name: String,
        /// The version asked for.
        version: u32,
        /// The versions it has: `v1, v2`.
        existing: String,
    },
    /// A setting that an experiment wants to vary is wrong.
    #[error("`{key}` {message}")]
    Setting {
        /// The release's key.
        key: String,
        /// What is wrong with its value.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The inputs are not what the prompt's `[inputs]` asks for.
    #[error("the inputs do not fit prompt `{prompt}`: {}", .problems.join("; "))]
    Inputs {
        /// Prompt name and version: `answer@v1`.
        prompt: String,
        /// What does not fit.
        problems: Vec<String>,
    },
    /// A template failed on inputs that fit.
    #[error("message {message} of prompt `{prompt}` cannot be rendered: {reason} (line {line} of the template)")]
    Render {
        /// Prompt name and version: `answer@v1`.
        prompt: String,
        /// Which message, from 1.
        message: usize,
        /// Which line of its template, from 1.
        line: usize,
        /// What failed.
        reason: String,
    },
}

impl PromptError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("make a project with prompts by `tollgate init`".to_owned())
            }
            Self::Unreadable { .. } | Self::Invalid { .. } => None,
            Self::Setting { hint, .. } => hint.clone(),
            Self::UnknownPrompt { hint, .. } => Some(hint.clone()),
            Self::UnknownVersion { name, .. } => Some(format!("make the next one with `tollgate prompts new {name}`")),
            Self::Inputs { .. } => Some("the prompt's [inputs] says what its template may use".to_owned()),
            Self::Render { .. } => Some("declare in [inputs] whatever the template uses".to_owned()),
        }
    }

    /// The problems of an error that lists several.
    pub fn into_problems(self) -> Result<Vec<Problem>, Self> {
        match self {
            Self::Invalid { problems } => Ok(problems),
            other => Err(other),
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
