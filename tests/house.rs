//! The house's rules, read from the sources: modules import only from lower levels, and files stay small.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Level of each module, as ARCHITECTURE.md draws them. A module imports only from LOWER levels.
const LEVELS: &[(&str, u32)] = &[
    ("domain", 0),
    ("text", 0),
    ("stats", 0),
    ("config", 1),
    ("otlp", 1),
    ("prices", 1),
    ("providers", 1),
    ("report", 1),
    ("store", 1),
    ("gold", 2),
    ("kb", 2),
    ("cost", 2),
    ("mock_provider", 2),
    ("prompts", 2),
    ("proxy", 3),
    ("pipeline", 4),
    ("eval", 5),
    ("gate", 6),
    ("tune", 7),
    ("cli", 9),
];

/// Lines that no file may exceed.
const LONGEST: usize = 600;
/// Lines that nine of ten files must not exceed.
const LONG: usize = 400;

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The top module that a source file belongs to; `None` for lib.rs and main.rs.
fn module_of(path: &Path) -> Option<String> {
    let within = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = within.components().next().unwrap().as_os_str().to_str().unwrap();
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// Top modules that a source text names behind `crate::`, in single and in grouped imports.
fn imports(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            None => rest.split(|character: char| !character.is_alphanumeric() && character != '_').take(1).collect(),
            Some(group) => {
                let mut depth = 1;
                let end = group.find(|character| {
                    depth += i32::from(character == '{') - i32::from(character == '}');
                    depth == 0
                });
                let mut level = 0;
                let top: String = group[..end.unwrap()]
                    .chars()
                    .filter(|character| {
                        level += i32::from(*character == '{') - i32::from(*character == '}');
                        level == 0
                    })
                    .collect();
                let first = |part: &str| part.trim().split(':').next().unwrap().trim().to_owned();
                found.extend(top.split(',').map(first));
                Vec::new()
            }
        };
        found.extend(names.into_iter().map(str::to_owned));
    }
    found.retain(|name| !name.is_empty() && name.chars().next().is_some_and(char::is_lowercase));
    found
}

#[test]
fn grouped_and_single_imports_are_read() {
    let text = "use crate::{config::{A, b}, store::C};\nlet x = crate::domain::D;\n// crate::cli\nuse crate::Error;";
    assert_eq!(imports(text), ["config", "store", "domain"]);
}

#[test]
fn modules_import_only_from_lower_levels() {
    let levels: BTreeMap<&str, u32> = LEVELS.iter().copied().collect();
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module_of(&path) else { continue };
        let Some(level) = levels.get(module.as_str()) else {
            panic!("{}: module `{module}` has no level: add it to LEVELS and to ARCHITECTURE.md", path.display())
        };
        for imported in imports(&text) {
            let Some(other) = levels.get(imported.as_str()) else {
                panic!("{}: imports `crate::{imported}`, which has no level", path.display())
            };
            if imported != module && other >= level {
                broken.push(format!("{}: {module} (L{level}) imports {imported} (L{other})", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn files_stay_small() {
    let lengths: Vec<(PathBuf, usize)> =
        sources().into_iter().map(|(path, text)| (path, text.lines().count())).collect();
    let longest: Vec<_> = lengths.iter().filter(|(_, lines)| *lines > LONGEST).collect();
    assert!(longest.is_empty(), "longer than {LONGEST} lines: {longest:?}");
    let long = lengths.iter().filter(|(_, lines)| *lines > LONG).count();
    assert!(long * 10 <= lengths.len(), "{long} of {} files are longer than {LONG} lines", lengths.len());
}

#[test]
fn sql_stays_in_the_store() {
    for (path, text) in sources() {
        if module_of(&path).as_deref() != Some("store") {
            assert!(!text.contains("rusqlite"), "{} names the database driver", path.display());
        }
    }
}
