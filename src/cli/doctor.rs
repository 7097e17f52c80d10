use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::app::{self, load_config, prompts_directory};
use super::eval::validate_check;
use super::failure::{Code, Failure};
use super::output::Output;
use super::{Global, gold, logging};
use crate::config::Config;
use crate::domain::{Clock, Severity, SystemClock};
use crate::gold::{GoldSet, LockState};
use crate::kb::{IndexError, SearchIndex};
use crate::prompts::{Library, MIGRATIONS_DIRECTORY, Release, applied, read_migrations, verify};
use crate::proxy::{CandidateInfo, Candidates};
use crate::report::{Cell, Column, Document, Render, Status, Table};
use crate::store::Store;

/// Check that everything is in place, and say what to do where it is not
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate doctor")]
pub(super) struct DoctorArgs {}

/// What was looked at, and what was found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Diagnosis {
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Finding {
    /// What was looked at.
    about: &'static str,
    level: Level,
    message: String,
    /// The next step.
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    Note,
    Warning,
    Error,
}

pub(super) fn run(_: &DoctorArgs, global: &Global, output: &Output) -> Result<Code, Failure> {
    let config = load_config(global)?;
    logging::start(output, config.log_format);
    let mut diagnosis = Diagnosis { findings: Vec::new() };
    diagnosis.add("project", Level::Ok, format!("`{}` in {}", config.name, config.root.display()), None);
    diagnosis.prompts(&config);
    let store = diagnosis.store(&config);
    if let Some(store) = &store {
        diagnosis.migrations(&config, store);
    }
    diagnosis.knowledge(&config, store.as_ref());
    diagnosis.gold_set(&config, store.as_ref());
    let broken = diagnosis.findings.iter().any(|finding| finding.level == Level::Error);
    output.write(&diagnosis)?;
    Ok(if broken { Code::Failed } else { Code::Pass })
}

impl Diagnosis {
    fn add(&mut self, about: &'static str, level: Level, message: impl Into<String>, hint: Option<&str>) {
        self.findings.push(Finding { about, level, message: message.into(), hint: hint.map(str::to_owned) });
    }

    fn failure(&mut self, about: &'static str, failure: Failure) {
        self.findings.push(Finding { about, level: Level::Error, message: failure.message, hint: failure.hint });
    }

    fn prompts(&mut self, config: &Config) {
        let checked =
            Library::open(&prompts_directory(config)).map_err(Failure::from).and_then(|library| Ok(library.check()?));
        match checked {
            Ok(problems) if problems.is_empty() => {}
            Ok(problems) => {
                let message = format!("{} problems in prompts and migrations", problems.len());
                self.add("prompts", Level::Error, message, Some("`tollgate prompts check` lists them"));
            }
            Err(failure) => self.failure("prompts", failure),
        }
        let (release, _) = match app::release(config) {
            Ok(release) => release,
            Err(failure) => return self.failure("release", failure),
        };
        self.add("release", Level::Ok, format!("{} {}", release.number, release.hash.short()), None);
        self.models(config, &release);
        match &release.retrieval.embedder {
            Some(model) => self.add("vectors", Level::Ok, format!("made by {model}"), None),
            None => self.add(
                "vectors",
                Level::Note,
                "the built-in vectors compare spelling, not meaning: questions in quite other words than the documents' are found less well",
                Some("put the customers' own words into the documents, or set `retrieval.embedder` in a migration"),
            ),
        }
    }

    fn models(&mut self, config: &Config, release: &Release) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let prices = match app::price_book(config) {
            Ok(prices) => Arc::new(prices),
            Err(failure) => return self.failure("prices", failure),
        };
        let (providers, routes) = (config.providers.clone(), config.routes.clone());
        let candidates = Candidates::new(providers, routes, prices, config.proxy.clone(), clock);
        let stages = [&release.stages.small, &release.stages.large].into_iter().flatten();
        let targets = stages
            .map(|target| (target, "chat"))
            .chain(release.retrieval.embedder.iter().map(|target| (target, "embeddings")));
        let mut seen = std::collections::BTreeSet::new();
        for (target, what) in targets.filter(|wanted| seen.insert(*wanted)) {
            let found = match candidates.describe(target) {
                Ok(found) => found,
                Err(error) => {
                    self.failure("models", error.into());
                    continue;
                }
            };
            for CandidateInfo { model, answers, embeds, missing_key, key_in_the_clear } in found {
                if !(if what == "chat" { answers } else { embeds }) {
                    let hint = "name a model of another provider";
                    self.add("models", Level::Error, format!("{model} does not support {what}"), Some(hint));
                } else if let Some(source) = missing_key {
                    let hint = "set it, or name another with `api_key_env` or `api_key_file`";
                    self.add("models", Level::Error, format!("{model} has no key in {source}"), Some(hint));
                } else if key_in_the_clear {
                    let hint = "let its `base_url` start with https://";
                    self.add("models", Level::Warning, format!("{model} is sent its key without TLS"), Some(hint));
                } else {
                    self.add("models", Level::Ok, format!("{model} is configured and priced"), None);
                }
            }
        }
    }

    fn store(&mut self, config: &Config) -> Option<Store> {
        if !config.store_path.exists() {
            self.add("store", Level::Note, "not made yet", Some("`tollgate eval` or `tollgate ask` makes it"));
            return None;
        }
        match Store::open(&config.store_path) {
            Ok(store) => {
                self.add("store", Level::Ok, config.store_path.display().to_string(), None);
                Some(store)
            }
            Err(error) => {
                self.failure("store", error.into());
                None
            }
        }
    }

    /// What is applied; a project that has applied nothing answers with what is on disk, and has nothing to be told.
    fn migrations(&mut self, config: &Config, store: &Store) {
        let directory = prompts_directory(config);
        let found = Library::open(&directory).map_err(Failure::from).and_then(|library| {
            let on_disk = read_migrations(&directory.join(MIGRATIONS_DIRECTORY))?;
            Ok((applied(&store.migration_changes()?), on_disk, library))
        });
        match found {
            Ok((applied, on_disk, library)) if applied.ever => {
                if let Some(problem) = verify(&applied, &on_disk, &library).into_iter().next() {
                    let hint = problem.hint.clone();
                    return self.add("migrations", Level::Error, problem.message, hint.as_deref());
                }
                let live = applied.number();
                let pending = on_disk.iter().filter(|migration| migration.number > live).count();
                let hint = (pending > 0).then_some("`tollgate migrate up` applies what clears its gate");
                self.add("migrations", Level::Ok, format!("release {live} is live, {pending} pending"), hint);
            }
            // What is wrong with the files is said above.
            Ok(_) | Err(_) => {}
        }
    }

    fn knowledge(&mut self, config: &Config, store: Option<&Store>) {
        if config.kb.sources.is_empty() {
            self.add("documents", Level::Warning, "no source is configured", Some("add a [kb.sources.NAME] table"));
        }
        for (name, source) in &config.kb.sources {
            let path = config.root.join(&source.path);
            if !path.exists() {
                let message = format!("source `{name}`: {} does not exist", path.display());
                self.add("documents", Level::Error, message, Some("correct its `path`"));
            }
        }
        let Some(store) = store else { return };
        let directory = store.directory().join("index");
        if directory.join("meta.json").exists() {
            match SearchIndex::open(&directory) {
                Ok(index) => match index.verify() {
                    Ok(()) => self.add("index", Level::Ok, format!("{} chunks", index.chunk_count()), None),
                    Err(error) => self.index_error(&error),
                },
                Err(error) => self.index_error(&error),
            }
        } else {
            self.add("index", Level::Note, "not made yet", Some("the next ask, eval or `kb ingest` makes it"));
        }
    }

    fn index_error(&mut self, error: &IndexError) {
        self.add("index", Level::Error, error.to_string(), Some("`tollgate kb ingest --rebuild` builds it anew"));
    }

    fn gold_set(&mut self, config: &Config, store: Option<&Store>) {
        let Some(path) = &config.eval.gold_set else {
            return self.add(
                "gold set",
                Level::Note,
                "`eval.gold_set` is not set",
                Some("`tollgate eval` then needs a path"),
            );
        };
        let checked = GoldSet::open(path, validate_check).and_then(|set| Ok((crate::gold::verify(&set)?, set)));
        let (lock, set) = match checked {
            Ok(checked) => checked,
            Err(error) => return self.failure("gold set", error.into()),
        };
        match lock {
            LockState::Locked(_) => self.add("gold set", Level::Ok, format!("{} cases, frozen", set.case_count), None),
            LockState::Unlocked => {
                let message = format!("{} cases, not frozen", set.case_count);
                self.add("gold set", Level::Note, message, Some("`tollgate gold lock` freezes it"));
            }
            LockState::Changed(_) => {
                let hint = "restore it, or freeze it anew with `tollgate gold lock --update`";
                self.add("gold set", Level::Error, "it has changed since it was frozen", Some(hint));
            }
        }
        let known = match store.map(gold::known_documents).transpose() {
            Ok(known) => known,
            Err(failure) => return self.failure("gold set", failure),
        };
        let known = known.as_ref().map(|known| known as &dyn Fn(&str) -> bool);
        match crate::gold::check(&set, known) {
            Ok(findings) => {
                let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
                if errors > 0 {
                    self.add(
                        "gold set",
                        Level::Error,
                        format!("{errors} errors"),
                        Some("`tollgate gold check` lists them"),
                    );
                }
            }
            Err(error) => self.failure("gold set", error.into()),
        }
    }
}

impl Render for Diagnosis {
    fn schema_name(&self) -> &'static str {
        "doctor"
    }

    fn document(&self) -> Document {
        let errors = self.findings.iter().filter(|finding| finding.level == Level::Error).count();
        let (status, text) = match errors {
            0 => (Status::Good, "everything that is needed is in place".to_owned()),
            errors => (Status::Bad, format!("{errors} things to mend")),
        };
        let columns = [Column::text(""), Column::text("about"), Column::text("finding")];
        let table = self.findings.iter().fold(Table::new("", columns), |table, finding| {
            let (status, word) = match finding.level {
                Level::Ok => (Status::Good, "ok"),
                Level::Note => (Status::Neutral, "note"),
                Level::Warning => (Status::Warn, "warning"),
                Level::Error => (Status::Bad, "error"),
            };
            let hint = finding.hint.as_ref().map(|hint| format!(": {hint}")).unwrap_or_default();
            table.row([
                Cell::Status(status, word.to_owned()),
                Cell::Text(finding.about.to_owned()),
                Cell::Text(format!("{}{hint}", finding.message)),
            ])
        });
        Document::new("doctor").verdict(status, text).table(table)
    }
}
