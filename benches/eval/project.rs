//! A project that measures tollgate itself.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::{Failure, child};

const MIGRATION: &str = r#"description = "Echo, without retrieval"
[set]
"stages.small" = "echo/any"
"stages.large" = ""
"retrieval.mode" = "off"
"#;

/// A directory that lives as long as this.
pub(crate) struct Project(TempDir);

impl Project {
    /// A project whose only provider echoes the question after `latency`.
    pub(crate) fn create(latency: Duration) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let root = directory.path();
        for folder in ["docs", "prompts/answer", "prompts/migrations"] {
            std::fs::create_dir_all(root.join(folder))?;
        }
        let mut settings = String::from("[project]\nname = \"bench\"\n[kb.sources.docs]\npath = \"docs\"\n");
        write!(settings, "[providers.echo]\nkind = \"echo\"\nlatency_ms = {}\n", latency.as_millis())?;
        settings.push_str("[providers.echo.models.any]\ninput_usd_per_million = 0\noutput_usd_per_million = 0\n");
        std::fs::write(root.join("tollgate.toml"), settings)?;
        std::fs::write(root.join("docs/page.md"), "# A page\n\nIt is here because a source holds at least one.\n")?;
        std::fs::write(root.join("prompts/migrations/0001_echo.toml"), MIGRATION)?;
        let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts/answer/v1.toml");
        std::fs::copy(prompt, root.join("prompts/answer/v1.toml"))?;
        Ok(Self(directory))
    }

    /// Writes a gold set of this many cases, each with two tags and an expected sentence, graded by token F1.
    pub(crate) fn gold_set(&self, cases: usize) -> Result<PathBuf, Failure> {
        let path = self.0.path().join(format!("set{cases}.jsonl"));
        let mut file = BufWriter::new(std::fs::File::create(&path)?);
        for number in 0..cases {
            let case = serde_json::json!({
                "id": format!("case-{number:07}"),
                "question": format!("How do I set budget {number} of a tenant, and what happens when it is reached?"),
                "expected": format!("Set budget {number} in the tenant's settings; requests beyond it are refused."),
                "graders": ["token_f1"],
                "tags": ["budgets", format!("group-{}", number % 5)],
            });
            writeln!(file, "{case}")?;
        }
        file.flush()?;
        Ok(path)
    }

    /// The command that replays `set`.
    pub(crate) fn eval(&self, set: &Path, concurrency: usize) -> Command {
        let mut command = child::program(&["eval", "--quiet", "--concurrency", &concurrency.to_string()]);
        command.arg(set).arg("-C").arg(self.0.path());
        command
    }
}
