use std::path::Path;

use serde_json::json;

use super::{Case, GoldError, Header};
use crate::report::replace_file;

/// Writes a gold set, one case a line; a header only if it says something. The file appears as a whole or not at all.
///
/// # Errors
/// [`GoldError::Unwritable`] when the directory does not allow it; a file that was there is left as it was.
pub fn write(cases: &[Case], header: &Header, path: &Path) -> Result<(), GoldError> {
    replace_file(path, |file| {
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

#[cfg(test)]
mod tests {
    use std::fs;

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
}
