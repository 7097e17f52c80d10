use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::TuneError;
use crate::prompts::{Library, MIGRATIONS_DIRECTORY, Release, read_migrations};

/// A migration that an experiment recommends. Nothing here applies it.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Proposal {
    /// Its file, below the prompts' directory.
    pub path: PathBuf,
    /// Whether the file was written; otherwise it is only shown.
    pub written: bool,
    /// What is in it.
    pub text: String,
}

/// `[gate]` of a proposed migration: what it must clear before it is applied.
#[derive(Debug, Clone, PartialEq)]
pub struct GateTable {
    /// The gold set that it was found on.
    pub gold_set: String,
    /// How much the score may fall.
    pub margin: f64,
}

/// The text of a migration file.
pub fn migration_text(description: &str, set: &[(&str, Value)], gate: &GateTable) -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let settings: Vec<String> = set.iter().map(|(key, value)| format!("{} = {}", text(key), literal(value))).collect();
    format!(
        "description = {}\n\n[set]\n{}\n\n[gate]\ngold_set = {}\nmargin = {:?}\n",
        text(description),
        settings.join("\n"),
        text(&gate.gold_set),
        gate.margin
    )
}

/// A setting as TOML writes it.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        Value::Number(number) => number.as_f64().filter(|_| number.is_f64()).map_or_else(
            || number.to_string(),
            // With a point, so that it reads as the share that it is.
            |share| format!("{share:?}"),
        ),
        other => other.to_string(),
    }
}

/// Makes the next migration of the project whose prompts are in `prompts`, and writes its file when `write` says so.
///
/// What was written is read back and folded; when that fails the file is removed again.
///
/// # Errors
/// [`TuneError::Prompt`] when the migrations are not as they should be, with the new one or without it;
/// [`TuneError::Unwritable`] when the file cannot be written.
pub fn propose(
    prompts: &Path,
    slug: &str,
    description: &str,
    set: &[(&str, Value)],
    gate: &GateTable,
    write: bool,
) -> Result<Proposal, TuneError> {
    let directory = prompts.join(MIGRATIONS_DIRECTORY);
    let migrations = read_migrations(&directory)?;
    let library = Library::open(prompts)?;
    // Refused before anything is written.
    Release::fold(&migrations, &library)?.vary(set, &library)?;
    let number = migrations.last().map_or(1, |last| last.number + 1);
    let file = format!("{number:04}_{slug}.toml");
    let proposal = Proposal {
        path: Path::new(MIGRATIONS_DIRECTORY).join(&file),
        written: write,
        text: migration_text(description, set, gate),
    };
    if write {
        let path = directory.join(&file);
        let unwritable = |source| TuneError::Unwritable { path: path.display().to_string(), source };
        fs::create_dir_all(&directory).map_err(unwritable)?;
        let created = fs::File::options().write(true).create_new(true).open(&path);
        created.and_then(|mut file| file.write_all(proposal.text.as_bytes())).map_err(unwritable)?;
        let read = read_migrations(&directory).and_then(|migrations| Release::fold(&migrations, &library));
        if let Err(error) = read {
            fs::remove_file(&path).map_err(unwritable)?;
            return Err(error.into());
        }
    }
    Ok(proposal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PROMPT: &str = "description = \"d\"\ntask = \"answer\"\n[inputs]\ntype = \"object\"\n[output]\ntype = \"object\"\n\
        [[messages]]\nrole = \"user\"\ncontent = \"x\"\n";

    fn project() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("answer/v1.toml", PROMPT),
            ("migrations/0001_first.toml", "description = \"d\"\n[set]\n\"retrieval.top_k\" = 3\n"),
        ] {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn gate() -> GateTable {
        GateTable { gold_set: "manual".to_owned(), margin: 0.02 }
    }

    #[test]
    fn a_written_proposal_is_the_next_migration_and_sets_what_it_says() {
        let project = project();
        let set = [("stages.confidence_threshold", json!(1.0)), ("retrieval.mode", json!("off"))];
        let made = propose(project.path(), "threshold", "Costs \"23 %\" less\\", &set, &gate(), true).unwrap();
        assert_eq!(made.path, Path::new("migrations/0002_threshold.toml"));
        let migrations = read_migrations(&project.path().join("migrations")).unwrap();
        let second = &migrations[1];
        assert_eq!((second.number, second.description.as_str()), (2, "Costs \"23 %\" less\\"));
        let text: toml::Table = fs::read_to_string(&second.path).unwrap().parse().unwrap();
        assert_eq!(text["gate"]["margin"].as_float(), Some(0.02));
        assert_eq!(text["gate"]["gold_set"].as_str(), Some("manual"));
        let release = Release::fold(&migrations, &Library::open(project.path()).unwrap()).unwrap();
        assert_eq!((release.number, release.stages.confidence_threshold), (2, 1.0));
        assert_eq!(release.retrieval.mode.as_str(), "off");
        let again = propose(project.path(), "threshold", "d", &set, &gate(), true).unwrap();
        assert_eq!(again.path, Path::new("migrations/0003_threshold.toml"));
    }

    #[test]
    fn what_is_only_shown_leaves_no_file() {
        let project = project();
        let made = propose(project.path(), "x", "d", &[("retrieval.vector_weight", json!(0.3))], &gate(), false);
        let expected = "description = \"d\"\n\n[set]\n\"retrieval.vector_weight\" = 0.3\n\n[gate]\n\
                        gold_set = \"manual\"\nmargin = 0.02\n";
        assert_eq!(made.unwrap().text, expected);
        assert_eq!(read_migrations(&project.path().join("migrations")).unwrap().len(), 1);
    }

    #[test]
    fn a_setting_that_is_refused_is_not_written() {
        let project = project();
        let made = propose(project.path(), "x", "d", &[("retrieval.mode", json!("guess"))], &gate(), true);
        assert!(matches!(made, Err(TuneError::Prompt(_))));
        assert_eq!(read_migrations(&project.path().join("migrations")).unwrap().len(), 1);
    }

    #[test]
    fn a_threshold_is_written_to_its_last_digit() {
        let third = 1.0 / 3.0;
        let text = migration_text("d", &[("a", json!(third)), ("b", json!(2))], &gate());
        let read: toml::Table = text.parse().unwrap();
        assert_eq!((read["set"]["a"].as_float(), read["set"]["b"].as_integer()), (Some(third), Some(2)));
    }
}
