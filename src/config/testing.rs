use super::{Config, ConfigError, Place, load};

/// The configuration of a project named `a` whose file goes on with `text`.
pub(super) fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    load_file(&format!("project.name = \"a\"\n{text}"), environment)
}

/// The configuration of a project whose whole file is `text`.
pub(super) fn load_file(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tollgate.toml"), text).unwrap();
    let environment: Vec<_> = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    load(directory.path(), &environment)
}

/// What is wrong with `text`, one problem a line: its place (lines counted from the beginning of `text`), setting,
/// message and hint.
pub(super) fn problems(text: &str, environment: &[(&str, &str)]) -> String {
    let Err(ConfigError::Invalid { problems, .. }) = load_text(text, environment) else { panic!("accepted") };
    let line = |problem: &super::Problem| {
        let place = match &problem.place {
            Place::File { line, column } => format!("{}:{column}", line - 1),
            Place::Environment(name) => name.clone(),
        };
        let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("{place} {}: {}{hint}", problem.field, problem.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
