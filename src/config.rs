//! L1: `tollgate.toml` and its environment overrides, validated once, in one place, with every problem listed.
//!
//! A flag beats the environment, the environment beats the file, the file beats the default. Flags are applied by the
//! commands themselves; everything else is here.

mod alerts_read;
mod budgets;
mod budgets_read;
mod gate;
mod judge;
mod models;
mod plans;
mod plans_read;
mod problem;
mod proxy;
mod reader;
mod secrets;
mod settings;
#[cfg(test)]
mod testing;
mod tree;

use std::path::{Path, PathBuf};

pub use budgets::{AlertSettings, Budget, BudgetSettings, CostSettings, EndpointSettings, OnBreach, WebhookSettings};
pub use gate::{GateMetric, GatePolicy, GateSettings, MetricSettings, PathwayBudgets, Tier};
pub use judge::JudgeSettings;
pub use models::{
    Api, HttpProviderSettings, ModelSettings, ProviderKind, ProviderSettings, RouteSettings, TimeoutSettings,
};
pub use plans::{MarginSettings, PlanSettings, TenantSettings};
pub use problem::{ConfigError, Place, Problem};
pub use proxy::{BreakerSettings, ProxySettings, SafetySettings, TelemetrySettings};
pub use settings::{Bounds, Config, EvalSettings, KbSettings, LogFormat, SourceSettings, is_tenant_name};

/// The file that makes a directory a project.
pub const FILE_NAME: &str = "tollgate.toml";

/// Reads the project in `root`: its `tollgate.toml`, overridden by `environment`.
///
/// # Errors
/// [`ConfigError::Invalid`] with every problem found, each with its place and the next step.
pub fn load(root: &Path, environment: &[(String, String)]) -> Result<Config, ConfigError> {
    let path = root.join(FILE_NAME);
    let text = std::fs::read_to_string(&path)
        .map_err(|source| ConfigError::Unreadable { path: path.clone(), source: source.into() })?;
    let mut problems = Vec::new();
    let mut tree =
        tree::parse(&text).map_err(|problem| ConfigError::Invalid { path: path.clone(), problems: vec![problem] })?;
    tree::override_from(&mut tree, environment, &mut problems);
    let config = settings::read(root, environment, &tree, &mut problems);
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::Invalid { path, problems }),
    }
}

/// The nearest directory at or above `start` that holds a `tollgate.toml`.
pub fn find_project(start: &Path) -> Option<PathBuf> {
    start.ancestors().find(|directory| directory.join(FILE_NAME).is_file()).map(Path::to_owned)
}

/// The process's environment. It holds secrets: it is read here once, and never printed.
#[expect(clippy::disallowed_methods, reason = "the one place where the environment enters the program")]
pub fn process_environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
