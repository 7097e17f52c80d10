use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use super::RevisionError;

/// A file of a revision: the hash of its content, and its path below `prompts`.
pub(super) struct File {
    object: String,
    pub(super) path: PathBuf,
}

/// The program `git`, run in a directory.
pub(super) struct Git<'a> {
    pub(super) root: &'a Path,
}

impl Git<'_> {
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.root).args(arguments).stdin(Stdio::null());
        // A hook's variables say which repository is meant from where the hook started, not from here.
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
            command.env_remove(variable);
        }
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// What git answers, or its complaint.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<Result<Vec<u8>, String>, RevisionError> {
        let output = self.command(arguments).output().map_err(|source| RevisionError::GitMissing { source })?;
        Ok(if output.status.success() { Ok(output.stdout) } else { Err(text(&output.stderr).trim().to_owned()) })
    }

    /// The files of a commit below `directory`, which ends with a slash.
    pub(super) fn files(&self, reference: &str, commit: &str, directory: &str) -> Result<Vec<File>, RevisionError> {
        let listed = self
            .run(&["ls-tree", "-r", "-z", "--full-tree", commit, "--", directory])?
            .map_err(|message| RevisionError::Failed { command: "ls-tree".to_owned(), message })?;
        let mut files = Vec::new();
        for entry in listed.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
            let shown = text(entry);
            let (about, path) = shown.split_once('\t').unwrap_or((&shown, ""));
            let refused =
                |what| RevisionError::Refused { reference: reference.to_owned(), path: path.to_owned(), what };
            let mut words = about.split(' ');
            let (mode, object) = (words.next().unwrap_or_default(), words.nth(1).unwrap_or_default());
            match mode {
                "100644" | "100755" | "100664" => {}
                "120000" => return Err(refused("a symbolic link")),
                _ => return Err(refused("not a file")),
            }
            let below = path.strip_prefix(directory).map(Path::new);
            let is_plain = |path: &&Path| {
                path.components().all(|part| matches!(part, Component::Normal(_)))
                    && path.to_str().is_some_and(|path| !path.contains(['\\', ':', char::REPLACEMENT_CHARACTER]))
            };
            let below = below.filter(is_plain).ok_or_else(|| refused("not a plain path"))?;
            files.push(File { object: object.to_owned(), path: below.to_owned() });
        }
        if files.is_empty() {
            return Err(RevisionError::NoPrompts { reference: reference.to_owned(), path: directory.to_owned() });
        }
        Ok(files)
    }

    /// Hands the content of each file to `write`.
    pub(super) fn contents(
        &self,
        files: &[File],
        mut write: impl FnMut(&File, &[u8]) -> Result<(), RevisionError>,
    ) -> Result<(), RevisionError> {
        let mut process = self
            .command(&["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| RevisionError::GitMissing { source })?;
        let failed = |message: String| RevisionError::Failed { command: "cat-file".to_owned(), message };
        let mut pipes = process.stdin.take().zip(process.stdout.take().map(BufReader::new));
        let mut copied = Ok(());
        for file in files {
            let Some((input, output)) = &mut pipes else { break };
            // One after the other, so that neither side waits for the other with a full pipe.
            copied = content(input, output, &file.object)
                .map_err(|error| failed(format!("{}: {error}", file.path.display())))
                .and_then(|content| write(file, &content));
            if copied.is_err() {
                break;
            }
        }
        // It ends once nothing more can be asked.
        drop(pipes);
        let status = process.wait().map_err(|error| failed(error.to_string()))?;
        copied.and_then(|()| if status.success() { Ok(()) } else { Err(failed(status.to_string())) })
    }
}

/// Asks `git cat-file --batch` for one object: `HASH blob SIZE`, a new line, the content, a new line.
fn content(input: &mut impl Write, output: &mut impl BufRead, object: &str) -> io::Result<Vec<u8>> {
    writeln!(input, "{object}")?;
    input.flush()?;
    let mut header = String::new();
    output.read_line(&mut header)?;
    let size = header.trim_end().strip_prefix(object).and_then(|rest| rest.strip_prefix(" blob "));
    let Some(size) = size.and_then(|size| size.parse::<u64>().ok()) else {
        return Err(io::Error::other(format!("git answered `{}`", header.trim_end())));
    };
    let mut content = Vec::new();
    output.take(size).read_to_end(&mut content)?;
    let mut end = [0];
    output.read_exact(&mut end)?;
    Ok(content)
}

/// What git said; it need not be UTF-8.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_its_size() {
        let mut answers = &b"ab1 blob 3\nx\ny\nab2 blob 0\n\nab3 missing\n"[..];
        let mut asked = Vec::new();
        assert_eq!(content(&mut asked, &mut answers, "ab1").unwrap(), b"x\ny");
        assert_eq!(content(&mut asked, &mut answers, "ab2").unwrap(), b"");
        assert_eq!(content(&mut asked, &mut answers, "ab3").unwrap_err().to_string(), "git answered `ab3 missing`");
        assert_eq!(asked, b"ab1\nab2\nab3\n");
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        let mut cut = &b"ab1 blob 9\nshort"[..];
        assert!(content(&mut Vec::new(), &mut cut, "ab1").is_err());
    }
}
