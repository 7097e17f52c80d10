//! L2: prompt artifacts, templates, migrations and the release they fold into.

mod artifact;
mod diff;
mod error;
mod examples;
mod fence;
mod library;
mod migration;
mod release;
mod release_keys;
mod sample;
mod template;
mod toml_file;

pub use artifact::{Message, Params, Prompt, Role};
pub use diff::{Change, MessageDiff, PromptDiff, SchemaDiff, diff};
pub use error::{Problem, PromptError};
pub use library::{Library, MIGRATIONS_DIRECTORY};
pub use migration::{Migration, Setting, read_migrations};
pub use release::{CacheSettings, Limits, Release, Retrieval, RetrievalMode, Stages};
pub use release_keys::{RELEASE_KEYS, ReleaseKey};
pub use template::CompiledPrompt;
