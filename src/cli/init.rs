use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::failure::{Code, Failure};
use super::output::Output;
use crate::report::{Cell, Document, Render, Status, replace_file};

/// Scaffold a project that evaluates at once
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate init
  tollgate init my-assistant && cd my-assistant && tollgate eval")]
pub(super) struct InitArgs {
    /// The directory [default: the current one]
    #[arg(default_value = ".", hide_default_value = true)]
    directory: PathBuf,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
}

/// The files of a new project. The prompt is the one that this repository's own project uses.
const FILES: &[(&str, &str)] = &[
    ("tollgate.toml", include_str!("starter/tollgate.toml")),
    ("docs/account.md", include_str!("starter/docs/account.md")),
    ("docs/payment.md", include_str!("starter/docs/payment.md")),
    ("docs/products.md", include_str!("starter/docs/products.md")),
    ("docs/returns.md", include_str!("starter/docs/returns.md")),
    ("docs/shipping.md", include_str!("starter/docs/shipping.md")),
    ("prompts/answer/v1.toml", include_str!("../../prompts/answer/v1.toml")),
    ("prompts/judge/v1.toml", include_str!("../../prompts/judge/v1.toml")),
    ("prompts/migrations/0001_initial.toml", include_str!("../../prompts/migrations/0001_initial.toml")),
    ("gold_sets/starter.jsonl", include_str!("starter/gold_set.jsonl")),
    (".gitignore", ".tollgate/\n"),
];

pub(super) fn run(args: &InitArgs, output: &Output) -> Result<Code, Failure> {
    let root = &args.directory;
    let existing: Vec<&str> =
        FILES.iter().map(|(name, _)| *name).filter(|name| root.join(name).symlink_metadata().is_ok()).collect();
    if !existing.is_empty() && !args.force {
        let message = format!("{} already has {}", root.display(), existing.join(", "));
        return Err(Failure::usage(message, "choose another directory, or overwrite with `--force`"));
    }
    for (name, content) in FILES {
        let path = root.join(name);
        let parent = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)
            .and_then(|()| {
                replace_file(&path, |file| file.write_all(content.replace(NAME, &project_name(root)).as_bytes()))
            })
            .map_err(|error| Failure::could_not_run(format!("cannot write {}: {error}", path.display())))?;
    }
    let files = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    output.write(&Scaffolded { directory: root.clone(), files })?;
    Ok(Code::Pass)
}

/// Stands for the project's name in the scaffolded files.
const NAME: &str = "@@NAME@@";

/// The directory's own name, as far as it can stand in a TOML string.
fn project_name(root: &Path) -> String {
    let full = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let name = full.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let safe: String =
        name.chars().filter(|character| !character.is_control() && !"\"\\".contains(*character)).collect();
    if safe.is_empty() { "my-assistant".to_owned() } else { safe }
}

/// A new project.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Scaffolded {
    directory: PathBuf,
    files: Vec<String>,
}

impl Render for Scaffolded {
    fn schema_name(&self) -> &'static str {
        "init"
    }

    fn document(&self) -> Document {
        let here = self.directory == Path::new(".");
        let enter = if here { String::new() } else { format!("cd {} && ", self.directory.display()) };
        Document::new("init")
            .verdict(Status::Good, format!("a project in `{}`", self.directory.display()))
            .facts(self.files.iter().map(|file| ("", Cell::Code(file.clone()))))
            .note(format!("next: `{enter}tollgate eval`"))
    }
}
