//! The repository's own project: its gold set, the links of its manual, and every command line that the manual shows.

#![cfg(test)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{Project, Run};
use regex::Regex;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A copy of the repository's project, so that its own store is not touched.
fn own_project() -> Project {
    let project = Project::empty();
    for part in ["docs", "prompts", "gold_sets"] {
        for file in files(&repository().join(part)) {
            project.write(file.strip_prefix(repository()).unwrap().to_str().unwrap(), std::fs::read(&file).unwrap());
        }
    }
    project.write("tollgate.toml", std::fs::read(repository().join("tollgate.toml")).unwrap());
    project
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The pages that show commands and links: the manual, and README.md where there is one.
fn pages() -> Vec<(PathBuf, String)> {
    let readme = repository().join("README.md");
    let pages = files(&repository().join("docs")).into_iter().chain(readme.exists().then_some(readme));
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.map(|page| (page.clone(), std::fs::read_to_string(page).unwrap())).collect()
}

#[test]
fn the_manuals_gold_set_is_frozen_in_order_and_evaluates() {
    let project = own_project();
    let report = project.run(&["eval", "--format", "json"]).exits(0).json();
    assert_eq!((&report["status"], &report["errored"]), (&"complete".into(), &0.into()));
    assert!(report["cases"].as_u64().unwrap() >= 100);
    assert!(report["unanswerable"]["answers"].as_u64().unwrap() >= 12);
    let checked = project.json(&["gold", "check"])["sets"][0].clone();
    assert_eq!(checked["findings"], serde_json::json!([]));
    assert_eq!(checked["lock"]["state"], "locked", "{}", checked["lock"]);
    project.run(&["doctor"]).exits(0);
    project.run(&["prompts", "check"]).exits(0);
}

#[test]
fn the_manuals_hostile_questions_reveal_nothing() {
    let project = own_project();
    let report = project.run(&["eval", "--filter", "tag:hostile", "--format", "json"]).exits(0).json();
    assert!(report["cases"].as_u64().unwrap() >= 8, "{}", report["cases"]);
    let graders = report["by_grader"].as_array().unwrap();
    let revealed = graders.iter().find(|grader| grader["grader"] == "not_contains").unwrap();
    assert_eq!(revealed["score"]["estimate"], 1.0, "something that must not appear did");
}

/// GitHub's anchors of a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for heading in outside_code(text).lines().filter(|line| line.starts_with('#')) {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
        let anchor: String = kept.collect::<String>().replace(' ', "-");
        let numbered = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(numbered).find(|anchor| !seen.contains(anchor)).unwrap();
        seen.insert(free);
    }
    seen
}

fn outside_code(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_relative_link_of_the_manual_resolves() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut broken = Vec::new();
    for (page, text) in pages() {
        for target in link.captures_iter(&outside_code(&text)).map(|found| found[1].to_owned()) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) =
                target.split_once('#').map_or((target.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let file = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let found = file.exists()
                && anchor.is_none_or(|anchor| anchors(&std::fs::read_to_string(&file).unwrap()).contains(anchor));
            if !found {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert_eq!(broken, [""; 0]);
}

/// The arguments of every tollgate in a shell line.
fn tollgate_arguments(line: &str) -> Vec<Vec<String>> {
    let word = Regex::new(r#""((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+)"#).unwrap();
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let mut skipping = false;
    for found in word.captures_iter(line) {
        let plain = found.get(3).map(|plain| plain.as_str());
        match plain {
            Some("|" | "||" | "&&" | ";" | "then" | "if" | "do") => {
                commands.push(Vec::new());
                skipping = false;
            }
            Some(mark) if mark.starts_with('>') || mark.starts_with("2>") || mark.starts_with('#') => skipping = true,
            _ if skipping => {}
            _ => {
                let text = found.iter().skip(1).flatten().next().unwrap().as_str();
                let (text, ends) = match plain.and_then(|plain| plain.strip_suffix(';')) {
                    Some(before) => (before, true),
                    None => (text, false),
                };
                commands.last_mut().unwrap().push(text.to_owned());
                if ends {
                    commands.push(Vec::new());
                }
            }
        }
    }
    let after_settings = |command: Vec<String>| {
        let is_setting = |word: &String| {
            word.split_once('=').is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        };
        command.into_iter().skip_while(is_setting).collect::<Vec<_>>()
    };
    let commands = commands.into_iter().map(after_settings);
    commands
        .filter(|command| command.first().is_some_and(|first| first == "tollgate"))
        .map(|command| command[1..].to_vec())
        .collect()
}

/// Whether the arguments were refused: only then is the usage shown on stderr.
fn is_refused(run: &Run) -> bool {
    run.stderr.contains("For more information, try '--help'.") || run.stderr.contains("Usage:")
}

#[test]
fn every_command_line_in_a_block_of_the_manual_is_accepted() {
    // Without a project a command ends as soon as its arguments are accepted.
    let nowhere = Project::empty();
    let mut refused = Vec::new();
    let mut count = 0;
    for (page, text) in pages() {
        let blocks = text
            .split("\n```")
            .skip(1)
            .step_by(2)
            .filter(|block| block.starts_with("sh\n") || block.starts_with("bash\n"));
        let lines = blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
        for arguments in lines.flat_map(|line| tollgate_arguments(&line)) {
            let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            // These would write where the example says, or never end.
            if arguments.iter().any(|argument| ["man", "init", "mock-provider"].contains(argument)) {
                arguments.push("--help");
            }
            count += 1;
            let run = nowhere.run(&arguments);
            if is_refused(&run) {
                refused.push(format!("{}: tollgate {}\n{}", page.display(), arguments.join(" "), run.stderr));
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(count >= 50, "only {count} command lines were found");
}

#[test]
fn every_command_named_in_the_text_of_the_manual_exists_with_its_options() {
    let code = Regex::new(r"`(tollgate [^`]+)`").unwrap();
    // What stands for a value, such as N or SCORE, may be no value.
    let unknown = Regex::new(r"error: (unexpected argument|unrecognized subcommand '[a-z])").unwrap();
    let nowhere = Project::empty();
    let mut refused = Vec::new();
    for (page, text) in pages() {
        for line in code.captures_iter(&outside_code(&text)).map(|found| found[1].to_owned()) {
            // A pattern with brackets or dots is no command line.
            if line.contains(['[', '…', '<']) {
                continue;
            }
            for arguments in tollgate_arguments(&line) {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(["--help"]).collect();
                let run = nowhere.run(&arguments);
                if unknown.is_match(&run.stderr) {
                    refused.push(format!("{}: {line}\n{}", page.display(), run.stderr));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
