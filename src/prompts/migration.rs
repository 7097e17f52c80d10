use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, PromptError};
use super::library::list;
use super::toml_file::{TomlFile, decode, read_bytes, to_json};
use crate::config::GatePolicy;
use crate::domain::ContentHash;

/// One step from a release to the next: `prompts/migrations/NNNN_slug.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Migration {
    /// Its number, from 1; also the number of the release it leads to.
    pub number: u32,
    /// The rest of its file's name.
    pub slug: String,
    /// Its file.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub hash: ContentHash,
    /// What it changes, in a sentence.
    pub description: String,
    /// What it sets, in the order of the keys.
    pub set: Vec<Setting>,
    /// Why it breaks what callers or consumers rely on, and what they must change; `None` when it breaks nothing.
    pub breaking: Option<String>,
    /// What it must clear before it is applied: its table `[gate]`.
    pub gate: MigrationGate,
}

/// What a migration must clear before it is applied, where that is not what the project's `[gate]` says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, schemars::JsonSchema)]
pub struct MigrationGate {
    /// The gold set: its name, as in `gold_sets/<name>.jsonl`, or a path.
    pub gold_set: Option<String>,
    /// Where margins and tiers start from.
    pub policy: Option<GatePolicy>,
    /// How much worse the score may be, 0..=1.
    pub margin: Option<f64>,
    /// How often each case is asked on each side, 1..=1000.
    pub repeats: Option<u32>,
}

/// One key of the release that a migration sets.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Setting {
    /// The key: `stages.small`.
    pub key: String,
    /// Its new value.
    pub value: Value,
    /// The line it stands in, from 1.
    pub line: usize,
    /// The character in the line at which the value starts, from 1.
    pub column: usize,
}

/// Reads all migrations of a directory, in the order of their numbers. A directory that is not there has none.
///
/// # Errors
/// [`PromptError::Invalid`] lists all that is wrong with any of them: numbers that are missing or doubled, files that
/// are no migrations, unknown keys, wrong types. What the keys of `[set]` mean is checked when they are folded.
pub fn read_migrations(directory: &Path) -> Result<Vec<Migration>, PromptError> {
    let (migrations, problems) = survey_migrations(directory)?;
    if problems.is_empty() { Ok(migrations) } else { Err(PromptError::Invalid { problems }) }
}

/// As [`read_migrations`], but also where something is wrong: the migrations that can be read, and the problems.
///
/// # Errors
/// [`PromptError::Unreadable`] when the directory or a file cannot be read.
pub fn survey_migrations(directory: &Path) -> Result<(Vec<Migration>, Vec<Problem>), PromptError> {
    let mut problems = Vec::new();
    let mut migrations: Vec<Migration> = Vec::new();
    if !directory.exists() {
        return Ok((migrations, problems));
    }
    let mut expected = 1;
    let mut previous: Option<(u32, String)> = None;
    for (file, path) in list(directory)? {
        let Some((number, slug)) = number_and_slug(&file) else {
            let hint = "call a migration NNNN_what_it_does.toml, such as 0002_shorter_answers.toml";
            problems.push(Problem::about(path, "not a migration", hint));
            continue;
        };
        match &previous {
            Some((last, other)) if *last == number => {
                let message = format!("number {number:04} is taken by {other}");
                problems.push(Problem::about(&path, message, "give the later one the next free number"));
            }
            _ if number != expected => {
                let message = format!("number {expected:04} is missing before {number:04}");
                problems.push(Problem::about(&path, message, "migrations are numbered from 0001 without gaps"));
            }
            _ => {}
        }
        expected = number.saturating_add(1);
        previous = Some((number, file));
        match read_bytes(&path).and_then(|bytes| parse(&path, &bytes, number, slug)) {
            Ok(migration) => migrations.push(migration),
            Err(error) => problems.extend(error.into_problems()?),
        }
    }
    Ok((migrations, problems))
}

/// What the file name `NNNN_slug.toml` says.
fn number_and_slug(file: &str) -> Option<(u32, String)> {
    let (digits, slug) = file.strip_suffix(".toml")?.split_once('_')?;
    let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let named =
        !slug.is_empty() && slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (plain && named).then(|| (number, slug.to_owned()))
}

/// The migration that a file of this content is, or would be.
pub(super) fn parse(path: &Path, bytes: &[u8], number: u32, slug: String) -> Result<Migration, PromptError> {
    let mut file = TomlFile::new(path, decode(path, bytes)?);
    let Some(table) = file.parse() else { return Err(PromptError::Invalid { problems: file.problems }) };
    let table = table.get_ref();
    file.unknown_keys(table, "", &["description", "breaking", "set", "gate"]);
    let description = file.required_text(table, "description");
    let breaking = file.optional(table, "", "breaking", "a text: why, and what callers must change", not_blank);
    let mut set = Vec::new();
    match table.get("set").map(|value| (value.span(), value.get_ref())) {
        Some((_, DeValue::Table(settings))) if !settings.is_empty() => flatten(&mut file, settings, "", &mut set),
        Some((span, DeValue::Table(_))) => file.problem(span, Some("set"), "it sets nothing".to_owned(), None),
        Some((span, _)) => file.problem(span, Some("set"), "must be a table".to_owned(), None),
        None => {
            let hint = Some("say what it changes: [set] and then \"prompts.answer\" = 2".to_owned());
            file.problem(0..0, Some("set"), "is missing".to_owned(), hint);
        }
    }
    let gate = gate(&mut file, table);
    if file.problems.is_empty() {
        let (path, hash) = (file.path(), ContentHash::of(bytes));
        Ok(Migration { number, slug, path, hash, description, set, breaking, gate })
    } else {
        file.problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(PromptError::Invalid { problems: file.problems })
    }
}

fn not_blank(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

fn gate(file: &mut TomlFile<'_>, table: &DeTable<'_>) -> MigrationGate {
    let Some(value) = table.get("gate") else { return MigrationGate::default() };
    let DeValue::Table(table) = value.get_ref() else {
        file.problem(value.span(), Some("gate"), "must be a table".to_owned(), None);
        return MigrationGate::default();
    };
    file.unknown_keys(table, "gate.", &["gold_set", "policy", "margin", "repeats"]);
    let policy = |value: &Value| {
        GatePolicy::CHOICES.iter().find(|(word, _)| value.as_str() == Some(word)).map(|(_, policy)| *policy)
    };
    let margin = |value: &Value| value.as_f64().filter(|margin| (0.0..=1.0).contains(margin));
    let repeats = |value: &Value| value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=1000).contains(n));
    MigrationGate {
        gold_set: file.optional(table, "gate.", "gold_set", "the name or the path of a gold set", not_blank),
        policy: file.optional(table, "gate.", "policy", "standard or strict", policy),
        margin: file.optional(table, "gate.", "margin", "a number between 0 and 1", margin),
        repeats: file.optional(table, "gate.", "repeats", "a whole number between 1 and 1000", repeats),
    }
}

/// Dotted keys are written in quotation marks; without them TOML makes tables of them, which mean the same.
fn flatten(file: &mut TomlFile<'_>, table: &DeTable<'_>, prefix: &str, set: &mut Vec<Setting>) {
    for (key, value) in table {
        let key = format!("{prefix}{}", key.get_ref());
        if let DeValue::Table(inner) = value.get_ref() {
            flatten(file, inner, &format!("{key}."), set);
            continue;
        }
        if set.iter().any(|setting| setting.key == key) {
            file.problem(value.span(), Some(&key), "is set twice".to_owned(), None);
        }
        let (line, column) = file.position(value.span().start);
        set.push(Setting { key, value: to_json(value.get_ref()), line, column });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn migrations(files: &[(&str, &str)]) -> Result<Vec<Migration>, Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let root = format!("{}/", directory.path().display());
        read_migrations(directory.path()).map_err(|error| {
            let problems = error.into_problems().unwrap();
            problems.iter().map(|p| p.to_string().replace(&root, "").lines().next().unwrap().to_owned()).collect()
        })
    }

    const GOOD: &str = "description = \"d\"\n[set]\n\"prompts.answer\" = 2\n";

    #[test]
    fn a_migration_is_read_with_the_places_of_its_settings() {
        let text = "description = \"d\"\n[set]\n\"prompts.answer\" = 2\nstages.small = \"\"\n[gate]\nmargin = 0.02\n";
        let found = migrations(&[("0001_initial.toml", GOOD), ("0002_two-things.toml", text)]).unwrap();
        let second = &found[1];
        assert_eq!((second.number, second.slug.as_str()), (2, "two-things"));
        let keys: Vec<(&str, usize, usize)> = second.set.iter().map(|s| (s.key.as_str(), s.line, s.column)).collect();
        assert_eq!(keys, [("prompts.answer", 3, 20), ("stages.small", 4, 16)]);
        assert_eq!(second.gate, MigrationGate { margin: Some(0.02), ..MigrationGate::default() });
        assert_eq!((second.breaking.as_ref(), &found[0].gate), (None, &MigrationGate::default()));
    }

    #[test]
    fn a_migration_says_what_it_breaks_and_what_it_must_clear() {
        let text = "description = \"d\"\nbreaking = \"`tone` is gone: leave it out\"\n[set]\n\"prompts.answer\" = 2\n\
            [gate]\ngold_set = \"manual\"\npolicy = \"strict\"\nmargin = 0\nrepeats = 5\n";
        let found = migrations(&[("0001_a.toml", text)]).unwrap().remove(0);
        assert_eq!(found.breaking.as_deref(), Some("`tone` is gone: leave it out"));
        let strict = Some(GatePolicy::Strict);
        let expected =
            MigrationGate { gold_set: Some("manual".into()), policy: strict, margin: Some(0.0), repeats: Some(5) };
        assert_eq!(found.gate, expected);
    }

    #[test]
    fn wrong_conditions_are_located() {
        let text = "description = \"d\"\nbreaking = \" \"\n[set]\nstages.small = \"\"\n\
            [gate]\ngoldset = \"m\"\npolicy = \"lax\"\nmargin = 2\nrepeats = 0\ngold_set = 3\n";
        assert_eq!(
            migrations(&[("0001_a.toml", text)]).unwrap_err(),
            [
                "0001_a.toml:2:12: breaking: must be a text: why, and what callers must change",
                "0001_a.toml:6:1: gate.goldset: unknown key `goldset`",
                "0001_a.toml:7:10: gate.policy: must be standard or strict",
                "0001_a.toml:8:10: gate.margin: must be a number between 0 and 1",
                "0001_a.toml:9:11: gate.repeats: must be a whole number between 1 and 1000",
                "0001_a.toml:10:12: gate.gold_set: must be the name or the path of a gold set",
            ]
        );
        assert_eq!(
            migrations(&[("0001_a.toml", "gate = 1\ndescription = \"d\"\n[set]\na = 1\n")]).unwrap_err(),
            ["0001_a.toml:1:8: gate: must be a table"]
        );
    }

    #[test]
    fn a_survey_has_what_can_be_read_beside_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in [("0001_a.toml", GOOD), ("0002_b.toml", "set = 1"), ("0004_d.toml", GOOD)] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let (migrations, problems) = survey_migrations(directory.path()).unwrap();
        assert_eq!(migrations.iter().map(|migration| migration.number).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(problems.len(), 3, "{problems:?}");
    }

    #[test]
    fn numbers_run_from_one_without_gap_or_double() {
        let found = migrations(&[("0001_a.toml", GOOD), ("0003_b.toml", GOOD), ("0003_c.toml", GOOD)]).unwrap_err();
        assert_eq!(
            found,
            ["0003_b.toml: number 0002 is missing before 0003", "0003_c.toml: number 0003 is taken by 0003_b.toml"]
        );
        assert_eq!(
            migrations(&[("0002_a.toml", GOOD)]).unwrap_err(),
            ["0002_a.toml: number 0001 is missing before 0002"]
        );
        assert_eq!(migrations(&[("1_a.toml", GOOD)]).unwrap_err(), ["1_a.toml: not a migration"]);
    }

    #[test]
    fn what_is_wrong_in_a_file_is_located() {
        let text = "descripion = \"d\"\nset = 3\n";
        let found = migrations(&[("0001_a.toml", text)]).unwrap_err();
        assert_eq!(
            found,
            [
                "0001_a.toml:1:1: descripion: unknown key `descripion`",
                "0001_a.toml:1:1: description: is missing",
                "0001_a.toml:2:7: set: must be a table",
            ]
        );
        let twice = "description = \"d\"\n[set]\nstages.small = \"\"\n\"stages.small\" = \"\"\n";
        assert_eq!(migrations(&[("0001_a.toml", twice)]).unwrap_err().len(), 1);
    }

    #[test]
    fn a_project_without_migrations_has_none() {
        assert_eq!(read_migrations(Path::new("/nowhere/at/all")).unwrap(), []);
    }
}
