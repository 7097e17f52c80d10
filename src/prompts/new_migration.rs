use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::{Problem, PromptError};
use super::migration::parse;
use super::{Library, MIGRATIONS_DIRECTORY, Migration, Release, check_compatibility, read_migrations};
use crate::domain::Severity;

/// The last number that a migration's file can have.
const LAST: u32 = 9999;
/// Most characters of a slug that is made from a name.
const SLUG: usize = 60;

/// A migration that is to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft<'a> {
    /// What it is called, in words; its file's name is made from it.
    pub name: &'a str,
    /// What it changes, in a sentence; the name when there is none.
    pub description: Option<&'a str>,
    /// Why it breaks what callers rely on, and what they must change.
    pub breaking: Option<&'a str>,
    /// The keys of the release that it sets, and their values: texts, numbers, true or false.
    pub set: &'a [(String, Value)],
}

/// A migration that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMigration {
    /// The migration, as read from its file.
    pub migration: Migration,
    /// The release that it leads to.
    pub release: Release,
    /// Whether that release behaves otherwise than the one before.
    pub changes_behaviour: bool,
    /// What `prompts check` will warn of.
    pub warnings: Vec<Problem>,
}

/// Why no migration was written.
#[derive(Debug, thiserror::Error)]
pub enum NewMigrationError {
    /// The prompts and migrations that are there are not in order.
    #[error(transparent)]
    Prompts(#[from] PromptError),
    /// No file's name can be made from the name.
    #[error("no file can be named after `{name}`")]
    Name {
        /// The name.
        name: String,
    },
    /// It would set nothing.
    #[error("a migration that sets nothing changes nothing")]
    Empty {
        /// A setting that is likely meant: a prompt's version that no migration uses yet.
        suggestion: Option<String>,
    },
    /// A text is no setting.
    #[error("`{text}` {reason}")]
    Setting {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A setting is unknown or its value wrong.
    #[error("`{key}`: {message}")]
    Refused {
        /// The setting's key.
        key: String,
        /// What is wrong.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// It breaks what callers or consumers rely on and does not say so.
    #[error("it is a breaking change: `{key}` {}", .changes.join("; "))]
    Breaking {
        /// The setting's key.
        key: String,
        /// What breaks.
        changes: Vec<String>,
    },
    /// All numbers are taken.
    #[error("migrations end with number {LAST}")]
    TooMany,
    /// The file cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl NewMigrationError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Prompts(error) => error.hint(),
            Self::Name { .. } => Some("name it in a few words with letters a to z or digits".to_owned()),
            Self::Empty { suggestion } => Some(format!(
                "say what it changes, such as --set {}",
                suggestion.as_deref().unwrap_or("stages.confidence_threshold=0.5")
            )),
            Self::Setting { .. } => Some("write KEY=VALUE, such as retrieval.top_k=5 or stages.small=NAME".to_owned()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Breaking { .. } => Some("declare it: --breaking \"why, and what callers must change\"".to_owned()),
            Self::TooMany | Self::Unwritable { .. } => None,
        }
    }
}

/// Reads `KEY=VALUE`, the value as TOML; a word without quotation marks is a text.
///
/// # Errors
/// [`NewMigrationError::Setting`] when there is no key or no such value.
pub fn setting(text: &str) -> Result<(String, Value), NewMigrationError> {
    let refused = |reason| NewMigrationError::Setting { text: text.to_owned(), reason };
    let (key, value) = text.split_once('=').ok_or_else(|| refused("has no `=`"))?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() {
        return Err(refused("has no key"));
    }
    let value = match value.parse::<toml::Value>() {
        Ok(toml::Value::String(text)) => text.into(),
        Ok(toml::Value::Integer(number)) => number.into(),
        Ok(toml::Value::Float(number)) if number.is_finite() => number.into(),
        Ok(toml::Value::Boolean(value)) => value.into(),
        Ok(_) => return Err(refused("is neither a text nor a number nor true or false")),
        Err(_) if value.starts_with(['"', '\'', '[', '{']) => return Err(refused("has a value that does not end")),
        Err(_) => value.into(),
    };
    Ok((key.to_owned(), value))
}

/// Writes the next migration into `<prompts>/migrations`, once it is found to be sound: it can be read, folds into a
/// release with those before it, and breaks nothing undeclared.
///
/// # Errors
/// [`NewMigrationError`]; then nothing was written. A file that is there is never written over.
pub fn write_migration(prompts: &Path, draft: &Draft<'_>) -> Result<NewMigration, NewMigrationError> {
    let directory = prompts.join(MIGRATIONS_DIRECTORY);
    let library = Library::open(prompts)?;
    let mut migrations = read_migrations(&directory)?;
    let before = Release::fold(&migrations, &library)?;
    if draft.set.is_empty() {
        return Err(NewMigrationError::Empty { suggestion: unused_version(&before, &library) });
    }
    let mut keys: Vec<&str> = draft.set.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    if let Some([twice, _]) = keys.windows(2).find(|pair| matches!(pair, [one, other] if one == other)) {
        let (key, message) = ((*twice).to_owned(), "is set twice".to_owned());
        return Err(NewMigrationError::Refused { key, message, hint: None });
    }
    let number = migrations.last().map_or(1, |last| last.number.saturating_add(1));
    if number > LAST {
        return Err(NewMigrationError::TooMany);
    }
    let slug = slug(draft.name).ok_or_else(|| NewMigrationError::Name { name: draft.name.to_owned() })?;
    let path = directory.join(format!("{number:04}_{slug}.toml"));
    let text = text(draft);
    let migration = parse(&path, text.as_bytes(), number, slug).map_err(|error| refused(error, &path))?;
    migrations.push(migration.clone());
    let release = Release::fold(&migrations, &library).map_err(|error| refused(error, &path))?;
    let findings = check_compatibility(&migrations, &library)?;
    let (errors, warnings): (Vec<Problem>, Vec<Problem>) = findings
        .into_iter()
        .filter(|problem| problem.path == path)
        .partition(|problem| problem.severity == Severity::Error);
    if let Some(first) = errors.first() {
        let key = first.field.clone().unwrap_or_default();
        let changes = errors.into_iter().map(|problem| problem.message).collect();
        return Err(NewMigrationError::Breaking { key, changes });
    }
    fs::create_dir_all(&directory)
        .and_then(|()| {
            let mut file = fs::File::create_new(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(|source| NewMigrationError::Unwritable { path, source })?;
    Ok(NewMigration { migration, changes_behaviour: release.hash != before.hash, release, warnings })
}

/// What is wrong with a file that is not written yet: places in it would lead nowhere.
fn refused(error: PromptError, path: &Path) -> NewMigrationError {
    match error {
        PromptError::Invalid { problems } => match problems.iter().find(|problem| problem.path == path) {
            Some(problem) => NewMigrationError::Refused {
                key: problem.field.clone().unwrap_or_default(),
                message: problem.message.clone(),
                hint: problem.hint.clone(),
            },
            None => NewMigrationError::Prompts(PromptError::Invalid { problems }),
        },
        other => NewMigrationError::Prompts(other),
    }
}

/// The setting that brings in a prompt's latest version, where the release has an earlier one.
fn unused_version(release: &Release, library: &Library) -> Option<String> {
    let newer = release.prompts.iter().filter_map(|(name, used)| Some((name, used, library.latest(name)?)));
    newer
        .into_iter()
        .find(|(_, used, latest)| latest > used)
        .map(|(name, _, latest)| format!("prompts.{name}={latest}"))
}

/// `Shorter answers!` becomes `shorter_answers`; `None` when nothing is left.
fn slug(name: &str) -> Option<String> {
    let words = name.to_ascii_lowercase();
    let words = words.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.collect::<Vec<_>>().join("_");
    let slug = slug.get(..SLUG).map_or(slug.as_str(), |short| short.trim_end_matches('_'));
    Some(slug.to_owned()).filter(|slug| !slug.is_empty())
}

fn text(draft: &Draft<'_>) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let description = draft.description.map_or_else(|| draft.name.replace('_', " "), str::to_owned);
    let description = format!("description = {}\n", quoted(&description));
    let breaking = draft.breaking.map(|breaking| format!("breaking = {}\n", quoted(breaking))).unwrap_or_default();
    let set = draft.set.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), quoted);
        format!("{} = {value}\n", quoted(key))
    });
    format!("{description}{breaking}\n[set]\n{}", set.collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROMPT: &str = "description = \"d\"\ntask = \"answer\"\n[inputs]\nproperties.question.type = \"string\"\n\
        [output]\n[[messages]]\nrole = \"user\"\ncontent = \"x\"\n";

    fn prompts() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("answer")).unwrap();
        fs::write(directory.path().join("answer/v1.toml"), PROMPT).unwrap();
        fs::write(directory.path().join("answer/v2.toml"), PROMPT.replace("question", "query")).unwrap();
        directory
    }

    fn draft<'a>(name: &'a str, set: &'a [(String, Value)]) -> Draft<'a> {
        Draft { name, description: None, breaking: None, set }
    }

    fn settings(texts: &[&str]) -> Vec<(String, Value)> {
        texts.iter().map(|text| setting(text).unwrap()).collect()
    }

    #[test]
    fn the_next_migration_is_written_and_reads_back() {
        let directory = prompts();
        let first = settings(&["retrieval.top_k=3", "stages.small=\"\"", "stages.confidence_threshold = 0.5"]);
        let written = write_migration(directory.path(), &draft("Fewer \"passages\"!", &first)).unwrap();
        assert_eq!(written.migration.path, directory.path().join("migrations/0001_fewer_passages.toml"));
        assert_eq!(
            fs::read_to_string(&written.migration.path).unwrap(),
            "description = 'Fewer \"passages\"!'\n\n[set]\n\"retrieval.top_k\" = 3\n\"stages.small\" = \"\"\n\
             \"stages.confidence_threshold\" = 0.5\n"
        );
        assert!(written.changes_behaviour && written.warnings.is_empty());
        let second = settings(&["cache.exact=false", "retrieval.mode=keyword"]);
        let described = Draft { description: Some("Words\nonly"), ..draft("words_only", &second) };
        let written = write_migration(directory.path(), &described).unwrap();
        assert_eq!((written.migration.number, written.migration.description.as_str()), (2, "Words\nonly"));
        assert_eq!(
            (written.release.number, written.release.retrieval.top_k, written.release.cache.exact),
            (2, 3, false)
        );
        let read = read_migrations(&directory.path().join("migrations")).unwrap();
        assert_eq!(read[1], written.migration);
    }

    #[test]
    fn what_would_not_be_sound_is_not_written() {
        let directory = prompts();
        let refuse = |texts: &[&str]| {
            let set = settings(texts);
            let error = write_migration(directory.path(), &draft("a", &set)).unwrap_err();
            assert!(!directory.path().join("migrations").exists());
            format!("{error}; {}", error.hint().unwrap_or_default())
        };
        assert_eq!(
            refuse(&["retrieval.topk=3"]),
            "`retrieval.topk`: unknown key `retrieval.topk`; did you mean `retrieval.top_k`?"
        );
        assert!(refuse(&["retrieval.top_k=many"]).starts_with("`retrieval.top_k`: must be a whole number"));
        assert!(refuse(&["prompts.answer=7"]).contains("prompt `answer` has no version 7"));
        assert!(refuse(&["retrieval.top_k=3", "retrieval.top_k=4"]).starts_with("`retrieval.top_k`"));
        assert_eq!(
            refuse(&[]),
            "a migration that sets nothing changes nothing; say what it changes, such as --set prompts.answer=2"
        );
    }

    #[test]
    fn a_breaking_change_must_be_declared() {
        let directory = prompts();
        let set = settings(&["prompts.answer=2"]);
        let error = write_migration(directory.path(), &draft("a", &set)).unwrap_err();
        let expected =
            "it is a breaking change: `prompts.answer` breaks what v1 promised: input `question` was removed in v2";
        assert_eq!(error.to_string(), expected);
        let declared = Draft { breaking: Some("call it `query`"), ..draft("a", &set) };
        let written = write_migration(directory.path(), &declared).unwrap();
        assert_eq!(written.migration.breaking.as_deref(), Some("call it `query`"));
        let needless = settings(&["retrieval.top_k=5"]);
        let needless = Draft { breaking: Some("b"), ..draft("b", &needless) };
        let written = write_migration(directory.path(), &needless).unwrap();
        assert_eq!((written.warnings.len(), written.changes_behaviour), (1, false));
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over() {
        let directory = prompts();
        let set = settings(&["retrieval.top_k=3"]);
        let path = write_migration(directory.path(), &draft("a", &set)).unwrap().migration.path;
        fs::rename(&path, directory.path().join("migrations/0001_b.toml")).unwrap();
        fs::create_dir(directory.path().join("migrations/0002_a.toml")).unwrap();
        assert!(write_migration(directory.path(), &draft("a", &set)).is_err());
    }

    #[test]
    fn settings_are_toml_and_words_are_texts() {
        let value = |text: &str| setting(text).map(|(_, value)| value).map_err(|error| error.to_string());
        for (text, expected) in [
            ("a=3", json!(3)),
            ("a=0.5", json!(0.5)),
            ("a=true", json!(true)),
            ("a=hybrid", json!("hybrid")),
            ("a=\"3\"", json!("3")),
            ("a=openai/gpt-4.1", json!("openai/gpt-4.1")),
            ("a=", json!("")),
            ("a=b=c", json!("b=c")),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
        for wrong in ["a", "=3", "a=[1]", "a={b=1}", "a=\"x", "a=nan", "a=2026-01-01"] {
            assert!(value(wrong).is_err(), "{wrong}");
        }
        // What is no value alone is a text, and is written as one.
        assert_eq!(value("a=1\n[gate]"), Ok(json!("1\n[gate]")));
    }

    #[test]
    fn slugs_are_made_of_words() {
        assert_eq!(slug("  Größer & better -- v2 ").as_deref(), Some("gr_er_better_v2"));
        assert_eq!(slug("…"), None);
        assert_eq!(slug(&"word ".repeat(40)).unwrap().len(), 59);
    }
}
