use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Case, GoldError, Header};

/// Writes a gold set, one case a line; a header only if it says something. The file appears as a whole or not at all.
///
/// # Errors
/// [`GoldError::Unwritable`] when the directory does not allow it; a file that was there is left as it was.
pub fn write(cases: &[Case], header: &Header, path: &Path) -> Result<(), GoldError> {
    replace(path, |file| {
        if *header != Header::default() {
            serde_json::to_writer(&mut *file, &json!({"gold_set": header}))?;
            file.write_all(b"\n")?;
        }
        for case in cases {
            serde_json::to_writer(&mut *file, case)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
    .map_err(|source| GoldError::Unwritable { path: path.to_owned(), source })
}

/// Writes a temporary file in the same directory, makes it durable, and renames it.
pub(super) fn replace(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let temporary = temporary_beside(path)?;
    let written = write_durably(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not a file's name"))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    Ok(path.with_file_name(temporary))
}

fn write_durably(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    content(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gold::{Check, GoldSet, Grader};

    #[test]
    fn what_is_written_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        let case: Case = serde_json::from_str(
            r#"{"id":"a","question":"line\u2028one\ntwo","expected":["x","y"],"graders":["bleu"],"weight":0.5}"#,
        )
        .unwrap();
        let graders = vec![Grader { check: Check::RougeL {}, weight: 2.0 }];
        let header = Header { description: Some("d".to_owned()), pass_score: 0.25, graders };
        write(std::slice::from_ref(&case), &header, &path).unwrap();
        let set = GoldSet::open(&path, |_| Ok(())).unwrap();
        assert_eq!(set.header, header);
        assert_eq!(set.cases().unwrap().map(Result::unwrap).collect::<Vec<_>>(), [case]);
        let files = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(files, 1, "no temporary file is left");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        fs::write(&path, "old").unwrap();
        let failed = replace(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("full"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
