//! L2: prompt artifacts, templates, migrations and the release they fold into.

mod applied;
mod artifact;
mod compat;
mod diff;
mod error;
mod examples;
mod fence;
mod git;
mod library;
mod migration;
mod new_migration;
mod release;
mod release_keys;
mod revision;
mod sample;
mod schema_change;
mod schema_inline;
mod template;
mod toml_file;

pub use applied::{Applied, AppliedMigration, applied, live_release, verify};
pub use artifact::{Message, Params, Prompt, Role};
pub use compat::{BreakingChange, Side, breaking_changes, check_compatibility};
pub use diff::{Change, MessageDiff, PromptDiff, SchemaDiff, diff};
pub use error::{Problem, PromptError};
pub use library::{Library, MIGRATIONS_DIRECTORY};
pub use migration::{Migration, MigrationGate, Setting, read_migrations, survey_migrations};
pub use new_migration::{Draft, NewMigration, NewMigrationError, setting, write_migration};
pub use release::{CacheSettings, Limits, Release, Retrieval, RetrievalMode, Stages};
pub use release_keys::{RELEASE_KEYS, ReleaseKey};
pub use revision::{Revision, RevisionError, checkout};
pub use template::CompiledPrompt;
