use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;

use super::error::{Problem, PromptError};
use super::{Library, MIGRATIONS_DIRECTORY, Migration, Release};
use crate::domain::{ContentHash, VerdictId, rfc3339};
use crate::store::{MigrationChange, MigrationDirection};

/// A migration that is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct AppliedMigration {
    /// Its number; also the number of the release it led to.
    pub number: u32,
    /// The rest of its file's name.
    pub slug: String,
    /// SHA-256 of its file when it was applied.
    pub checksum: ContentHash,
    /// Hash of the release it led to.
    pub release_hash: ContentHash,
    /// SHA-256 of the file of each prompt of that release, by label: `answer@v2`.
    pub prompts: BTreeMap<String, ContentHash>,
    /// When it was applied, in milliseconds since 1970.
    pub applied_at_ms: i64,
    /// The verdict that let it through; `None` where none was needed, or it was forced.
    pub verdict: Option<VerdictId>,
    /// Who applied it without a verdict that it needed.
    pub forced_by: Option<String>,
    /// Why it was forced, or needed no verdict.
    pub reason: Option<String>,
}

/// What the log of migrations comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, schemars::JsonSchema)]
pub struct Applied {
    /// The applied migrations, in the order of their numbers.
    pub list: Vec<AppliedMigration>,
    /// Whether any was ever applied, even if it was taken back since.
    pub ever: bool,
}

impl Applied {
    /// The number of the live release; 0 when none is applied.
    pub fn number(&self) -> u32 {
        self.list.last().map_or(0, |last| last.number)
    }
}

/// The migrations that are applied after these changes, oldest first.
pub fn applied(changes: &[MigrationChange]) -> Applied {
    let mut list: Vec<AppliedMigration> = Vec::new();
    for change in changes {
        // Whatever came after a migration goes with it.
        list.retain(|applied| applied.number < change.number);
        if change.direction == MigrationDirection::Up {
            list.push(AppliedMigration {
                number: change.number,
                slug: change.slug.clone(),
                checksum: change.checksum.clone(),
                release_hash: change.release_hash.clone(),
                prompts: change.prompts.clone(),
                applied_at_ms: change.at_ms,
                verdict: change.verdict,
                forced_by: change.forced_by.clone(),
                reason: change.reason.clone(),
            });
        }
    }
    Applied { list, ever: !changes.is_empty() }
}

/// Applied migrations, and prompts of applied releases, whose files are not what they were when they were applied.
pub fn verify(applied: &Applied, on_disk: &[Migration], library: &Library) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut prompts: BTreeMap<&str, (&ContentHash, &AppliedMigration)> = BTreeMap::new();
    for migration in &applied.list {
        let (path, hash) = if let Some(found) = on_disk.iter().find(|found| found.number == migration.number) {
            (found.path.clone(), Some(found.hash.clone()))
        } else {
            // It may be there and be broken.
            let file = format!("{:04}_{}.toml", migration.number, migration.slug);
            let path = library.directory().join(MIGRATIONS_DIRECTORY).join(file);
            let hash = hash_of(&path);
            (path, hash)
        };
        problems.extend(difference(&path, hash.as_ref(), &migration.checksum, migration, None));
        for (label, hash) in &migration.prompts {
            prompts.entry(label).or_insert((hash, migration));
        }
    }
    for (label, (hash, migration)) in prompts {
        let (name, version) = label.rsplit_once("@v").unwrap_or((label, ""));
        let path = library.path(name, version.parse().unwrap_or(0));
        problems.extend(difference(&path, hash_of(&path).as_ref(), hash, migration, Some(label)));
    }
    problems
}

/// The release of the applied migrations; `None` when none was ever applied. Once all are taken back it is release 0.
///
/// # Errors
/// [`PromptError::Invalid`] lists what [`verify`] finds; else what [`Release::fold`] says.
pub fn live_release(
    applied: &Applied,
    on_disk: &[Migration],
    library: &Library,
) -> Result<Option<Release>, PromptError> {
    if !applied.ever {
        return Ok(None);
    }
    let problems = verify(applied, on_disk, library);
    if !problems.is_empty() {
        return Err(PromptError::Invalid { problems });
    }
    let live: Vec<Migration> =
        on_disk.iter().filter(|migration| migration.number <= applied.number()).cloned().collect();
    Release::fold(&live, library).map(Some)
}

fn hash_of(path: &Path) -> Option<ContentHash> {
    fs::read(path).ok().map(|bytes| ContentHash::of(&bytes))
}

/// How a file differs from what it was when `migration` was applied; `prompt` names it when it is a prompt's.
fn difference(
    path: &Path,
    found: Option<&ContentHash>,
    expected: &ContentHash,
    migration: &AppliedMigration,
    prompt: Option<&str>,
) -> Option<Problem> {
    if found == Some(expected) {
        return None;
    }
    let number = migration.number;
    let when = jiff::Timestamp::from_millisecond(migration.applied_at_ms).map(rfc3339).unwrap_or_default();
    let what = match prompt {
        Some(label) => format!("prompt {label} of migration {number:04}, applied at {when},"),
        None => format!("migration {number:04}, applied at {when},"),
    };
    let state = if found.is_some() { "has been changed since" } else { "is not there any more" };
    let place = if prompt.is_some() { "a new version of the prompt" } else { "a new migration" };
    let hint = format!("restore the file with git; a change belongs into {place}");
    Some(Problem::about(path, format!("{what} {state}"), hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompts::read_migrations;

    const PROMPT: &str = "description = \"d\"\ntask = \"answer\"\n[inputs]\n[output]\n\
        [[messages]]\nrole = \"user\"\ncontent = \"x\"\n";

    /// A project with answer v1 and v2, and three migrations.
    struct Project {
        directory: tempfile::TempDir,
        changes: Vec<MigrationChange>,
    }

    impl Project {
        fn new() -> Self {
            let project = Self { directory: tempfile::tempdir().unwrap(), changes: Vec::new() };
            for version in ["v1", "v2"] {
                project.write(&format!("answer/{version}.toml"), PROMPT);
            }
            let sets = ["\"retrieval.top_k\" = 3", "\"prompts.answer\" = 2", "\"retrieval.top_k\" = 4"];
            for (number, set) in (1..).zip(sets) {
                let text = format!("description = \"d\"\n[set]\n{set}\n");
                project.write(&format!("migrations/{number:04}_x.toml"), &text);
            }
            project
        }

        fn write(&self, file: &str, text: &str) {
            let path = self.directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn library(&self) -> Library {
            Library::open(self.directory.path()).unwrap()
        }

        fn on_disk(&self) -> Vec<Migration> {
            read_migrations(&self.directory.path().join("migrations")).unwrap()
        }

        fn up(&mut self, number: u32) {
            let (library, on_disk) = (self.library(), self.on_disk());
            let index = number as usize;
            let release = Release::fold(&on_disk[..index], &library).unwrap();
            let prompts = release
                .prompts
                .iter()
                .map(|(name, version)| (format!("{name}@v{version}"), library.get(name, *version).unwrap().hash));
            self.changes.push(MigrationChange {
                at_ms: 1_767_225_600_000 + i64::from(number),
                direction: MigrationDirection::Up,
                number,
                slug: "x".to_owned(),
                checksum: on_disk[index - 1].hash.clone(),
                release_hash: release.hash,
                prompts: prompts.collect(),
                verdict: None,
                forced_by: None,
                reason: None,
            });
        }

        fn down(&mut self) {
            let number = applied(&self.changes).number();
            let up = self.changes.iter().rfind(|change| change.number == number).unwrap().clone();
            self.changes.push(MigrationChange { direction: MigrationDirection::Down, ..up });
        }

        fn numbers(&self) -> Vec<u32> {
            applied(&self.changes).list.iter().map(|applied| applied.number).collect()
        }

        fn live(&self) -> Result<Option<Release>, PromptError> {
            live_release(&applied(&self.changes), &self.on_disk(), &self.library())
        }

        /// What verification finds, in its first line, without the directory.
        fn found(&self) -> Vec<String> {
            let root = format!("{}/", self.directory.path().display());
            let problems = verify(&applied(&self.changes), &self.on_disk(), &self.library());
            problems.iter().map(|p| p.to_string().replace(&root, "").lines().next().unwrap().to_owned()).collect()
        }
    }

    #[test]
    fn the_log_comes_to_what_was_not_taken_back() {
        let mut project = Project::new();
        assert_eq!(applied(&project.changes), Applied::default());
        project.up(1);
        project.up(2);
        assert_eq!(project.numbers(), [1, 2]);
        project.down();
        assert_eq!(project.numbers(), [1]);
        project.up(2);
        project.up(3);
        assert_eq!(project.numbers(), [1, 2, 3]);
        assert_eq!(applied(&project.changes).number(), 3);
    }

    #[test]
    fn the_live_release_is_the_fold_of_the_applied_ones() {
        let mut project = Project::new();
        assert_eq!(project.live().unwrap(), None);
        project.up(1);
        let live = project.live().unwrap().unwrap();
        assert_eq!((live.number, live.retrieval.top_k, live.prompts["answer"]), (1, 3, 1));
        assert_eq!(live.hash, project.changes[0].release_hash);
        project.up(2);
        assert_eq!(project.live().unwrap().unwrap().prompts["answer"], 2);
    }

    #[test]
    fn once_all_are_taken_back_release_0_is_live() {
        let mut project = Project::new();
        project.up(1);
        project.down();
        let live = project.live().unwrap().unwrap();
        assert_eq!((live.number, live.retrieval.top_k), (0, 5));
        assert!(applied(&project.changes).ever);
    }

    #[test]
    fn a_changed_or_missing_file_behind_an_applied_migration_is_found_and_refused() {
        let mut project = Project::new();
        project.up(1);
        project.up(2);
        assert_eq!(project.found(), [""; 0]);
        project.write("migrations/0001_x.toml", "description = \"d\"\n[set]\n\"retrieval.top_k\" = 9\n");
        let changed =
            "migrations/0001_x.toml: migration 0001, applied at 2026-01-01T00:00:00.001Z, has been changed since";
        assert_eq!(project.found(), [changed]);
        assert!(
            project
                .live()
                .unwrap_err()
                .to_string()
                .contains("restore the file with git; a change belongs into a new migration")
        );
        // What is not applied yet may still be changed.
        let mut project = Project::new();
        project.up(1);
        project.write("migrations/0002_x.toml", "description = \"other\"\n[set]\n\"retrieval.top_k\" = 9\n");
        assert_eq!(project.found(), [""; 0]);
        project.up(2);
        project.up(3);
        fs::remove_file(project.directory.path().join("migrations/0003_x.toml")).unwrap();
        let missing =
            "migrations/0003_x.toml: migration 0003, applied at 2026-01-01T00:00:00.003Z, is not there any more";
        assert_eq!(project.found(), [missing]);
    }

    #[test]
    fn a_file_that_cannot_be_read_as_a_migration_counts_as_changed() {
        let mut project = Project::new();
        project.up(1);
        project.write("migrations/0001_x.toml", "?");
        let found = verify(&applied(&project.changes), &[], &project.library());
        assert!(found[0].message.ends_with("has been changed since"), "{found:?}");
    }

    #[test]
    fn a_changed_prompt_of_an_applied_release_is_found_and_refused() {
        let mut project = Project::new();
        project.up(1);
        project.write("answer/v2.toml", &PROMPT.replace("\"x\"", "\"y\""));
        assert_eq!(project.found(), [""; 0], "it is in no applied release yet");
        project.up(2);
        project.write("answer/v1.toml", &PROMPT.replace("\"x\"", "\"y\""));
        let changed = "answer/v1.toml: prompt answer@v1 of migration 0001, applied at 2026-01-01T00:00:00.001Z, \
                       has been changed since";
        assert_eq!(project.found(), [changed]);
        assert!(project.live().is_err());
        fs::remove_file(project.directory.path().join("answer/v1.toml")).unwrap();
        assert!(project.found()[0].ends_with("is not there any more"));
    }
}
