use std::path::{Path, PathBuf};

use super::reader::Reader;
use crate::domain::{ApiKey, Secret};

/// Where a secret is, because none stands in `tollgate.toml`.
pub(super) enum SecretSource {
    /// The environment variable of this name.
    Variable(String),
    /// This file, which holds the secret and nothing else.
    File(PathBuf),
}

impl SecretSource {
    /// Reads the two keys that can name the source; `None` when neither does.
    pub(super) fn read(
        root: &Path,
        table: &Reader<'_>,
        variable_key: &'static str,
        file_key: &'static str,
    ) -> Option<Self> {
        let (variable, file) = (table.text(variable_key), table.text(file_key));
        if variable.is_some() && file.is_some() {
            table.reject(file_key, format!("stands beside {variable_key}"), Some("keep one of the two".into()));
        }
        if let Some(name) = &variable
            && !is_variable_name(name)
        {
            let what = if variable_key.contains("key") { "key" } else { "secret" };
            let hint =
                format!("name the variable that holds the {what}; the {what} itself does not stand in this file");
            table.reject(variable_key, "is not the name of an environment variable", Some(hint));
        }
        let variable = variable.filter(|name| is_variable_name(name)).map(Self::Variable);
        file.map(|file| Self::File(root.join(file))).or(variable)
    }

    /// The secret that is there, if one is.
    pub(super) fn look_up(&self, environment: &[(String, String)]) -> ApiKey {
        match self {
            Self::Variable(name) => ApiKey {
                source: format!("the environment variable `{name}`"),
                secret: environment.iter().find(|(known, _)| known == name).and_then(|(_, value)| secret(value)),
            },
            Self::File(path) => ApiKey {
                source: format!("the file `{}`", path.display()),
                secret: std::fs::read_to_string(path).ok().as_deref().and_then(secret),
            },
        }
    }
}

/// Reads a secret that has to be there once a key names its source.
pub(super) fn read_secret(
    root: &Path,
    environment: &[(String, String)],
    table: &Reader<'_>,
    variable_key: &'static str,
    file_key: &'static str,
) -> Option<Secret> {
    let source = SecretSource::read(root, table, variable_key, file_key)?;
    let found = source.look_up(environment);
    if found.secret.is_none() {
        let (key, problem) = match source {
            SecretSource::Variable(_) => (variable_key, "is not set, or empty"),
            SecretSource::File(_) => (file_key, "cannot be read, or is empty"),
        };
        table.reject(key, format!("{} {problem}", found.source), None);
    }
    found.secret
}

fn is_variable_name(name: &str) -> bool {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    starts && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn secret(text: &str) -> Option<Secret> {
    let text = text.trim();
    (!text.is_empty()).then(|| Secret::new(text.to_owned()))
}
