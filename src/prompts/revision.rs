use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::git::{File, Git, text};
use crate::domain::ContentHash;

/// Where a project keeps its prompts, in any revision.
const DIRECTORY: &str = "prompts";

/// The prompts and migrations of an earlier revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The commit's full hash.
    pub commit: String,
    /// A copy of the directory `prompts` as it was then.
    pub directory: PathBuf,
}

/// Why the prompts of a revision cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    /// The program `git` cannot be started.
    #[error("git cannot be started: {source}")]
    GitMissing {
        /// What the operating system said.
        source: io::Error,
    },
    /// The project is not under version control.
    #[error("{} is not in a git repository", .directory.display())]
    NotARepository {
        /// The project.
        directory: PathBuf,
    },
    /// There is no such revision here.
    #[error("git knows no revision `{reference}`")]
    Unknown {
        /// What was asked for.
        reference: String,
    },
    /// The project had no prompts then.
    #[error("`{reference}` has no directory `{path}`")]
    NoPrompts {
        /// What was asked for.
        reference: String,
        /// The directory, from the repository's root.
        path: String,
    },
    /// What a revision has is no plain file in the directory.
    #[error("`{reference}` has `{path}`, which is {what}")]
    Refused {
        /// What was asked for.
        reference: String,
        /// Its path, from the repository's root.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Git failed for another reason.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// Its first argument.
        command: String,
        /// What it said.
        message: String,
    },
    /// The copy cannot be written.
    #[error("cannot write {}: {source}", .path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl RevisionError {
    /// The next step for the user.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::GitMissing { .. } => Some("install git, so that it is found in PATH".to_owned()),
            Self::NotARepository { .. } => {
                Some("only what is committed to git has revisions; name `live` or a migration's number".to_owned())
            }
            Self::Unknown { .. } => Some(
                "fetch it first, such as `git fetch origin main`; in GitHub Actions let `actions/checkout` have \
                 `fetch-depth: 0`"
                    .to_owned(),
            ),
            Self::NoPrompts { .. } => Some("name a revision in which the project has prompts".to_owned()),
            Self::Refused { .. } => Some("prompts and migrations are plain files below prompts/".to_owned()),
            Self::Failed { .. } | Self::Unwritable { .. } => None,
        }
    }
}

/// Copies the directory `prompts` of the project in `project_root`, as it was at `reference` (a branch, tag or commit),
/// to a directory of its own below `cache`; a copy that is there is used again.
///
/// Nothing of the working tree or of git's index is touched.
///
/// # Errors
/// [`RevisionError`]: no git, no repository, no such revision, no prompts in it, or something in it that is no plain file.
pub fn checkout(project_root: &Path, reference: &str, cache: &Path) -> Result<Revision, RevisionError> {
    let git = Git { root: project_root };
    let unknown = || RevisionError::Unknown { reference: reference.to_owned() };
    let prefix = match git.run(&["rev-parse", "--show-prefix"])? {
        Ok(prefix) => text(&prefix).strip_suffix('\n').unwrap_or_default().to_owned(),
        Err(message) if message.contains("not a git repository") => {
            return Err(RevisionError::NotARepository { directory: project_root.to_owned() });
        }
        Err(message) => return Err(RevisionError::Failed { command: "rev-parse".to_owned(), message }),
    };
    // Git would take it for an option, or for several lines.
    if reference.is_empty() || reference.starts_with('-') || reference.contains(char::is_control) {
        return Err(unknown());
    }
    let commit = git.run(&["rev-parse", "--verify", "--quiet", &format!("{reference}^{{commit}}")])?;
    let commit = commit.ok().map(|commit| text(&commit).trim().to_owned()).ok_or_else(unknown)?;
    if !(40..=64).contains(&commit.len()) || !commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let directory = cache.join(directory_name(&commit, &prefix));
    if !directory.join(DIRECTORY).is_dir() {
        let files = git.files(reference, &commit, &format!("{prefix}{DIRECTORY}/"))?;
        copy(&git, &files, &directory)?;
    }
    Ok(Revision { commit, directory: directory.join(DIRECTORY) })
}

/// One repository can hold several projects.
fn directory_name(commit: &str, prefix: &str) -> String {
    if prefix.is_empty() {
        commit.to_owned()
    } else {
        format!("{commit}-{}", ContentHash::of(prefix.as_bytes()).short())
    }
}

/// Writes the files to a temporary directory and renames it, so that a copy is whole or not there.
fn copy(git: &Git<'_>, files: &[File], directory: &Path) -> Result<(), RevisionError> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |source| RevisionError::Unwritable { path, source }
    };
    let mut name = std::ffi::OsString::from(".");
    name.push(directory.file_name().unwrap_or_default());
    name.push(format!(".{}.{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let temporary = directory.with_file_name(name);
    let written = git
        .contents(files, |file, content| {
            let path = temporary.join(DIRECTORY).join(&file.path);
            let parent = path.parent().unwrap_or(&temporary);
            fs::create_dir_all(parent).map_err(unwritable(parent))?;
            let write = || {
                let mut target = fs::File::create_new(&path)?;
                target.write_all(content)?;
                target.sync_all()
            };
            write().map_err(unwritable(&path))
        })
        .and_then(|()| match fs::rename(&temporary, directory) {
            // Another process was faster.
            Err(_) if directory.join(DIRECTORY).is_dir() => Ok(()),
            renamed => renamed.map_err(unwritable(directory)),
        });
    let _ = fs::remove_dir_all(&temporary);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository in a directory of its own.
    struct Repository {
        directory: tempfile::TempDir,
    }

    impl Repository {
        fn new() -> Self {
            let repository = Self { directory: tempfile::tempdir().unwrap() };
            fs::create_dir_all(repository.root()).unwrap();
            repository.git(&["init", "-q", "-b", "main", "."]);
            repository
        }

        fn git(&self, arguments: &[&str]) -> String {
            let git = Git { root: &self.root() };
            let identity = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
            let output = git
                .command(&[&identity[..], arguments].concat())
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_SYSTEM", "/dev/null")
                .output()
                .unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
            text(&output.stdout).trim().to_owned()
        }

        fn root(&self) -> PathBuf {
            self.directory.path().join("repository")
        }

        fn cache(&self) -> PathBuf {
            self.directory.path().join("cache/revisions")
        }

        fn commit(&self, files: &[(&str, &str)]) -> String {
            for (name, content) in files {
                let path = self.root().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            }
            self.git(&["add", "-A"]);
            self.git(&["commit", "-q", "-m", "x"]);
            self.git(&["rev-parse", "HEAD"])
        }

        fn checkout(&self, reference: &str) -> Result<Revision, RevisionError> {
            checkout(&self.root(), reference, &self.cache())
        }
    }

    #[test]
    fn the_prompts_of_a_revision_are_copied_as_they_were() {
        let repository = Repository::new();
        let binary = "tail \n\n\u{e9}";
        let old = repository.commit(&[
            ("prompts/answer/v1.toml", "one"),
            ("prompts/answer/v2.toml", ""),
            ("prompts/migrations/0001 ü.toml", binary),
            ("README.md", "not copied"),
        ]);
        repository.git(&["tag", "v1.0"]);
        repository.commit(&[("prompts/answer/v1.toml", "changed"), ("prompts/answer/v3.toml", "new")]);
        fs::write(repository.root().join("prompts/answer/v1.toml"), "not committed").unwrap();
        for reference in ["v1.0", "main~1", &old, &old[..10]] {
            let revision = repository.checkout(reference).unwrap();
            assert_eq!(revision.commit, old);
            let read = |name: &str| fs::read_to_string(revision.directory.join(name)).unwrap();
            assert_eq!(read("answer/v1.toml"), "one");
            assert_eq!(read("answer/v2.toml"), "");
            assert_eq!(read("migrations/0001 ü.toml"), binary);
            assert_eq!(fs::read_dir(revision.directory.join("answer")).unwrap().count(), 2);
        }
        let head = repository.checkout("HEAD").unwrap();
        assert_eq!(fs::read_to_string(head.directory.join("answer/v1.toml")).unwrap(), "changed");
        let names: Vec<_> = fs::read_dir(repository.cache()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "no temporary directory is left: {names:?}");
        assert_eq!(repository.git(&["status", "--porcelain"]), "M prompts/answer/v1.toml");
    }

    #[test]
    fn a_copy_is_made_once() {
        let repository = Repository::new();
        repository.commit(&[("prompts/answer/v1.toml", "one")]);
        let copy = repository.checkout("main").unwrap().directory.join("answer/v1.toml");
        fs::write(&copy, "marked").unwrap();
        repository.checkout("main").unwrap();
        assert_eq!(fs::read_to_string(&copy).unwrap(), "marked");
    }

    #[test]
    fn a_project_may_be_a_directory_of_its_repository() {
        let repository = Repository::new();
        repository.commit(&[("apps/b c/prompts/answer/v1.toml", "b"), ("prompts/answer/v1.toml", "top")]);
        let inner = checkout(&repository.root().join("apps/b c"), "main", &repository.cache()).unwrap();
        assert_eq!(fs::read_to_string(inner.directory.join("answer/v1.toml")).unwrap(), "b");
        let top = repository.checkout("main").unwrap();
        assert_eq!(fs::read_to_string(top.directory.join("answer/v1.toml")).unwrap(), "top");
    }

    #[test]
    fn a_reference_that_is_none_is_refused() {
        let repository = Repository::new();
        repository.commit(&[("prompts/answer/v1.toml", "one")]);
        for reference in ["", "-q", "--help", "nowhere", "origin/main", "HEAD~9", "HEAD:prompts", "a\nb", "HEAD..HEAD"]
        {
            let error = repository.checkout(reference).unwrap_err();
            assert!(matches!(error, RevisionError::Unknown { .. }), "{reference}: {error}");
            assert!(error.hint().unwrap().contains("fetch-depth: 0"));
        }
    }

    #[test]
    fn a_revision_without_prompts_says_so() {
        let repository = Repository::new();
        repository.commit(&[("README.md", "x"), ("prompts.txt", "x")]);
        let error = repository.checkout("HEAD").unwrap_err();
        assert_eq!(error.to_string(), "`HEAD` has no directory `prompts/`");
    }

    #[test]
    fn what_is_not_in_a_repository_has_no_revisions() {
        let directory = tempfile::tempdir().unwrap();
        let error = checkout(directory.path(), "HEAD", &directory.path().join("cache")).unwrap_err();
        assert!(matches!(error, RevisionError::NotARepository { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_among_the_prompts_is_refused() {
        let repository = Repository::new();
        repository.commit(&[("prompts/answer/v1.toml", "one")]);
        std::os::unix::fs::symlink("/etc/passwd", repository.root().join("prompts/answer/v2.toml")).unwrap();
        repository.commit(&[]);
        let error = repository.checkout("HEAD").unwrap_err();
        assert_eq!(error.to_string(), "`HEAD` has `prompts/answer/v2.toml`, which is a symbolic link");
        assert!(!repository.cache().exists() || fs::read_dir(repository.cache()).unwrap().count() == 0);
    }

    #[test]
    fn a_path_that_leads_out_of_the_directory_is_refused() {
        let repository = Repository::new();
        repository.commit(&[("prompts/answer/v1.toml", "one")]);
        let blob = repository.git(&["rev-parse", "HEAD:prompts/answer/v1.toml"]);
        // Git itself would not make such a tree: it is written as raw bytes.
        let tree = |name: &str, mode: &str, object: &str| {
            let bytes: Vec<u8> =
                (0..object.len()).step_by(2).map(|at| u8::from_str_radix(&object[at..at + 2], 16).unwrap()).collect();
            let file = repository.directory.path().join("tree");
            fs::write(&file, [format!("{mode} {name}\0").as_bytes(), &bytes].concat()).unwrap();
            repository.git(&["hash-object", "-t", "tree", "-w", "--literally", file.to_str().unwrap()])
        };
        let outer = tree("prompts", "40000", &tree("..", "40000", &tree("evil.toml", "100644", &blob)));
        let commit = repository.git(&["commit-tree", "-m", "x", &outer]);
        let error = repository.checkout(&commit).unwrap_err();
        assert!(matches!(error, RevisionError::Refused { .. }), "{error}");
        assert!(!repository.cache().join("evil.toml").exists());
    }
}
