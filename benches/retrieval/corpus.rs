//! Chunks of real text: documentation, comments and code of the crates in Cargo's registry.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tollgate::domain::ContentHash;
use tollgate::kb::IndexChunk;

use crate::Failure;

const WORDS: usize = 120;

/// No crate gives more than this many chunks, so that none sets the tone.
const MOST_OF_A_CRATE: usize = 2_000;

/// At most `count` different chunks of 120 words; prose first, then code.
pub(crate) fn chunks(count: usize) -> Result<Vec<IndexChunk>, Failure> {
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))?;
    let mut crates = Vec::new();
    for registry in directory(&PathBuf::from(home).join("registry/src"))? {
        crates.extend(directory(&registry)?);
    }
    let mut chunks = Vec::with_capacity(count);
    let mut seen = HashSet::new();
    for prose in [true, false] {
        for root in &crates {
            let mut files = Vec::new();
            walk(root, &mut files)?;
            let before = chunks.len();
            for file in files {
                if chunks.len() == count {
                    return Ok(chunks);
                }
                if chunks.len() - before < MOST_OF_A_CRATE {
                    let room = count - chunks.len();
                    chunks.extend(of_file(&file, prose, &mut seen).into_iter().take(room));
                }
            }
        }
    }
    Ok(chunks)
}

fn of_file(file: &Path, prose: bool, seen: &mut HashSet<String>) -> Vec<IndexChunk> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let rust = file.extension().is_some_and(|extension| extension == "rs");
    let wanted = |line: &&str| !rust || line.trim_start().starts_with("//") == prose;
    if !rust && !prose {
        return Vec::new();
    }
    let words: Vec<&str> = text.lines().filter(wanted).flat_map(str::split_whitespace).collect();
    let document = file.display().to_string();
    let heading =
        file.components().rev().take(3).map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join(" > ");
    let texts = words.chunks(WORDS).filter(|words| words.len() >= WORDS / 2).map(|words| words.join(" "));
    texts
        .enumerate()
        .filter(|(_, text)| seen.insert(ContentHash::of(text.as_bytes()).as_str().to_owned()))
        .map(|(place, text)| IndexChunk {
            id: format!("{document}#{prose}-{place}"),
            document: format!("{document}#{prose}"),
            scope: "shared".to_owned(),
            heading: heading.clone(),
            text,
        })
        .collect()
}

fn walk(directory_path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    for path in directory(directory_path)? {
        if path.is_dir() {
            walk(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| ["md", "txt", "rst", "rs"].iter().any(|kind| extension == *kind))
        {
            files.push(path);
        }
    }
    Ok(())
}

fn directory(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths =
        std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}
