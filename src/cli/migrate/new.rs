use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use super::super::app::{App, prompts_directory};
use super::super::failure::{Code, Failure};
use super::super::output::Output;
use crate::domain::ContentHash;
use crate::prompts::{Draft, NewMigration, Setting, setting, write_migration};
use crate::report::{Cell, Document, Format, Render, Status};

/// Write the next migration, checked; it is not applied
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate migrate new shorter_answers --set prompts.answer=2
  tollgate migrate new \"Ask the large model sooner\" --set stages.confidence_threshold=0.7
  tollgate migrate new drop_tone --set prompts.answer=3 --breaking \"`tone` is gone: leave it out\"")]
pub(in crate::cli) struct NewArgs {
    /// What to call it, in a few words
    name: String,
    /// What it changes, in a sentence [default: its name]
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    description: Option<String>,
    /// A key of the release and its new value, as TOML; a bare word is taken as text
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// That it breaks what callers rely on: why, and what they must change
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    breaking: Option<String>,
}

pub(super) fn run(args: &NewArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html])?;
    let set = args.set.iter().map(|text| setting(text)).collect::<Result<Vec<_>, _>>()?;
    let (description, breaking) = (args.description.as_deref(), args.breaking.as_deref());
    let draft = Draft { name: &args.name, description, breaking, set: &set };
    let written = write_migration(&prompts_directory(&app.config), &draft)?;
    for problem in &written.warnings {
        output.note(&format!("warning: {}; {}", problem.message, problem.hint.as_deref().unwrap_or_default()));
    }
    output.write(&WrittenMigration::of(written))?;
    Ok(Code::Pass)
}

/// A migration that was written.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct WrittenMigration {
    /// Its number; also the number of the release it leads to.
    number: u32,
    /// The rest of its file's name.
    slug: String,
    /// Its file.
    path: PathBuf,
    description: String,
    breaking: Option<String>,
    set: Vec<Setting>,
    /// Hash of the release it leads to.
    release_hash: ContentHash,
    /// Whether that release behaves otherwise than the one before.
    changes_behaviour: bool,
}

impl WrittenMigration {
    fn of(written: NewMigration) -> Self {
        let NewMigration { migration, release, changes_behaviour, .. } = written;
        Self {
            number: migration.number,
            slug: migration.slug,
            path: migration.path,
            description: migration.description,
            breaking: migration.breaking,
            set: migration.set,
            release_hash: release.hash,
            changes_behaviour,
        }
    }
}

impl Render for WrittenMigration {
    fn schema_name(&self) -> &'static str {
        "migration_new"
    }

    fn document(&self) -> Document {
        let document = Document::new("migrate new")
            .verdict(Status::Good, format!("wrote `{}`", self.path.display()))
            .facts(self.set.iter().map(|set| (set.key.clone(), Cell::Code(set.value.to_string()))));
        let document = if self.changes_behaviour {
            document
        } else {
            document.note("nothing behaves otherwise with it: the release had these values before")
        };
        document.note("next: `tollgate gate` compares it with what was before, `tollgate migrate up` applies it")
    }
}
