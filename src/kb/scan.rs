use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::{Glob, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

use super::KbError;
use crate::config::SourceSettings;

/// A file that a source offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    pub(super) source: String,
    pub(super) scope: String,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Milliseconds since 1970; 0 when the file system does not say.
    pub(super) modified_ms: i64,
}

/// The files of these sources by document id: the path relative to the project, with `/` between its parts.
pub(super) fn scan<'a>(
    root: &Path,
    sources: impl Iterator<Item = (&'a String, &'a SourceSettings)>,
) -> Result<BTreeMap<String, SourceFile>, KbError> {
    let mut files: BTreeMap<String, SourceFile> = BTreeMap::new();
    for (name, source) in sources {
        let base = root.join(&source.path);
        if !base.exists() {
            return Err(KbError::SourceMissing { name: name.clone(), path: base });
        }
        let (include, exclude) = (globs(&source.include), globs(&source.exclude));
        for entry in WalkDir::new(&base).sort_by_file_name() {
            let unlistable =
                |path: &Path, reason: String| KbError::Unlistable { name: name.clone(), path: path.to_owned(), reason };
            let entry = entry.map_err(|error| unlistable(error.path().unwrap_or(&base), error.to_string()))?;
            let within = entry.path().strip_prefix(&base).unwrap_or(entry.path());
            // A source that is a single file is read whatever its globs say.
            let wanted = entry.depth() == 0 || (include.is_match(within) && !exclude.is_match(within));
            if !entry.file_type().is_file() || !wanted {
                continue;
            }
            let metadata = entry.metadata().map_err(|error| unlistable(entry.path(), error.to_string()))?;
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let file = SourceFile {
                source: name.clone(),
                scope: source.tenant.clone(),
                path: entry.path().to_owned(),
                bytes: metadata.len(),
                modified_ms: modified.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0),
            };
            let id = document_id(root, entry.path());
            if let Some(other) = files.insert(id.clone(), file) {
                return Err(KbError::TwoSources { document: id, first: other.source, second: name.clone() });
            }
        }
    }
    Ok(files)
}

fn document_id(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The globs were checked when the configuration was read; one that is none matches nothing.
fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in patterns.iter().filter_map(|pattern| Glob::new(pattern).ok()) {
        set.add(glob);
    }
    set.build().unwrap_or_default()
}
