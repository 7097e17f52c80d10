use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::app::load_config;
use super::eval::validate_check;
use super::failure::{Code, Failure};
use super::output::Output;
use super::{Global, logging};
use crate::config::LogFormat;
use crate::domain::{Clock, Severity, SystemClock};
use crate::gold::{self, Finding, Format, GoldSet, LockState, Unmapped};
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};
use crate::store::Store;

/// Gold sets: import, check, freeze
#[derive(Debug, Subcommand)]
pub(super) enum GoldCommand {
    Import(ImportArgs),
    Check(CheckArgs),
    Lock(LockArgs),
}

/// Import a test set of another tool
///
/// Nothing is dropped silently: what has no counterpart in a gold set is listed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate gold import questions.csv -o gold_sets/support.jsonl
  tollgate gold import promptfooconfig.yaml --from promptfoo -o gold_sets/support.jsonl")]
pub(super) struct ImportArgs {
    /// The file
    file: PathBuf,
    /// Its format [default: guessed from the file]
    #[arg(long, value_enum)]
    from: Option<FromArg>,
    /// Overwrite an existing gold set
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FromArg {
    Csv,
    Promptfoo,
    OpenaiEvals,
    Squad,
}

/// Look for what makes scores mislead
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate gold check gold_sets/manual.jsonl")]
pub(super) struct CheckArgs {
    /// The gold sets [default: `eval.gold_set` of tollgate.toml]
    sets: Vec<PathBuf>,
}

/// Freeze a gold set: a changed one is then refused
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate gold lock gold_sets/manual.jsonl
  tollgate gold lock gold_sets/manual.jsonl --update")]
pub(super) struct LockArgs {
    /// The gold set [default: `eval.gold_set` of tollgate.toml]
    set: Option<PathBuf>,
    /// Freeze a set that has changed since it was frozen
    #[arg(long)]
    update: bool,
}

pub(super) fn run(command: GoldCommand, global: &Global, output: &Output) -> Result<Code, Failure> {
    match command {
        GoldCommand::Import(args) => {
            logging::start(output, LogFormat::Text);
            import(&args, global)
        }
        GoldCommand::Check(args) => {
            logging::start(output, LogFormat::Text);
            let checked = check(&args, global)?;
            output.write(&checked)?;
            Ok(if checked.has_errors() { Code::Failed } else { Code::Pass })
        }
        GoldCommand::Lock(args) => lock(&args, global, output),
    }
}

/// The result goes to the gold set that `--output` names; what could not be mapped goes to stdout.
fn import(args: &ImportArgs, global: &Global) -> Result<Code, Failure> {
    let target = global
        .output
        .as_deref()
        .ok_or_else(|| Failure::usage("no gold set to write is given", "add `-o gold_sets/NAME.jsonl`"))?;
    if target.exists() && !args.force {
        return Err(Failure::usage(format!("{} exists", target.display()), "choose another name, or add `--force`"));
    }
    let format = match args.from {
        Some(FromArg::Csv) => Format::Csv,
        Some(FromArg::Promptfoo) => Format::Promptfoo,
        Some(FromArg::OpenaiEvals) => Format::OpenaiEvals,
        Some(FromArg::Squad) => Format::Squad,
        None => gold::detect(&args.file).ok_or_else(|| {
            Failure::usage(
                format!("the format of {} cannot be guessed", args.file.display()),
                "say it with `--from csv|promptfoo|openai-evals|squad`",
            )
        })?,
    };
    let imported = gold::import(&args.file, format)?;
    if let Some(directory) = target.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|error| Failure::could_not_run(format!("cannot create {}: {error}", directory.display())))?;
    }
    gold::write(&imported.cases, &imported.header, target)?;
    // What was written must be what can be read.
    let set = GoldSet::open(target, validate_check)?;
    let outcome = ImportOutcome { gold_set: target.to_owned(), cases: set.case_count, unmapped: imported.unmapped };
    Output::to_stdout(global).write(&outcome)?;
    Ok(Code::Pass)
}

/// What an import made.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ImportOutcome {
    gold_set: PathBuf,
    cases: usize,
    unmapped: Vec<Unmapped>,
}

impl Render for ImportOutcome {
    fn schema_name(&self) -> &'static str {
        "gold_import"
    }

    fn document(&self) -> Document {
        let path = self.gold_set.display();
        let status = if self.unmapped.is_empty() { Status::Good } else { Status::Warn };
        let mut document =
            Document::new("gold import").verdict(status, format!("cases written to `{path}`: {}", self.cases));
        if !self.unmapped.is_empty() {
            let columns = [Column::text("where"), Column::text("not carried over"), Column::number("times")];
            let table = self.unmapped.iter().fold(Table::new("", columns), |table, unmapped| {
                table.row([
                    Cell::Code(unmapped.place.clone()),
                    Cell::Text(unmapped.what.clone()),
                    Cell::count(unmapped.count),
                ])
            });
            document = document.table(table);
        }
        document.note(format!("next: `tollgate gold check {path}`, then `tollgate eval {path}`"))
    }
}

/// What was found in some gold sets.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct CheckOutcome {
    sets: Vec<CheckedSet>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct CheckedSet {
    #[serde(flatten)]
    set: GoldSet,
    lock: LockState,
    findings: Vec<Finding>,
}

impl CheckOutcome {
    fn has_errors(&self) -> bool {
        self.sets.iter().flat_map(|set| &set.findings).any(|finding| finding.severity == Severity::Error)
    }
}

fn check(args: &CheckArgs, global: &Global) -> Result<CheckOutcome, Failure> {
    // Without a project, documents are not checked.
    let config = match load_config(global) {
        Ok(config) => Some(config),
        Err(failure) if args.sets.is_empty() => return Err(failure),
        Err(_) => None,
    };
    let paths = match (&args.sets[..], config.as_ref().and_then(|config| config.eval.gold_set.clone())) {
        ([], Some(path)) => vec![path],
        ([], None) => {
            return Err(no_gold_set());
        }
        (paths, _) => paths.to_vec(),
    };
    let store = match &config {
        Some(config) if config.store_path.exists() => Some(Store::open(&config.store_path)?),
        _ => None,
    };
    let mut sets = Vec::new();
    for path in paths {
        let set = open_to_check(&path)?;
        let known = store.as_ref().map(known_documents).transpose()?;
        let known = known.as_ref().map(|known| known as &dyn Fn(&str) -> bool);
        let findings = gold::check(&set, known)?;
        sets.push(CheckedSet { lock: gold::verify(&set)?, set, findings });
    }
    Ok(CheckOutcome { sets })
}

/// Opens a set; one that cannot be read is a failed check here, not a wrong usage.
fn open_to_check(path: &Path) -> Result<GoldSet, Failure> {
    GoldSet::open(path, validate_check).map_err(|error| {
        let found = matches!(error, gold::GoldError::Invalid { .. });
        let failure = Failure::from(error);
        if found { Failure { code: Code::Failed, ..failure } } else { failure }
    })
}

/// Whether the knowledge base has a document or chunk. An empty one knows nothing, and then everything is accepted.
pub(super) fn known_documents(store: &Store) -> Result<impl Fn(&str) -> bool, Failure> {
    let mut known = std::collections::HashSet::new();
    store.for_each_chunk(|chunk| {
        known.insert(chunk.id);
        known.insert(chunk.document);
    })?;
    Ok(move |document: &str| known.is_empty() || known.contains(document))
}

impl Render for CheckOutcome {
    fn schema_name(&self) -> &'static str {
        "gold_check"
    }

    fn document(&self) -> Document {
        self.sets.iter().fold(Document::new("gold check"), |document, set| {
            let errors = set.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
            let status = match (errors, set.findings.len()) {
                (0, 0) => Status::Good,
                (0, _) => Status::Warn,
                _ => Status::Bad,
            };
            let path = set.set.path.display();
            let (cases, answerable) = (set.set.case_count, set.set.answerable_count);
            let found = format!("`{path}`: {cases} cases, {errors} errors, {} warnings", set.findings.len() - errors);
            let tags: Vec<String> = set.set.tags.iter().map(|(tag, cases)| format!("{tag} {cases}")).collect();
            let lock = match &set.lock {
                LockState::Unlocked => "not frozen".to_owned(),
                LockState::Locked(lock) => format!("frozen at {}", lock.locked_at),
                LockState::Changed(lock) => format!("changed since it was frozen at {}", lock.locked_at),
            };
            let document = document.verdict(status, found).facts([
                ("answerable", Cell::count(answerable)),
                ("tags", Cell::Text(tags.join(", "))),
                ("sha256", Cell::Code(set.set.hash.to_string())),
                ("lock", Cell::Text(lock)),
            ]);
            if set.findings.is_empty() { document } else { document.table(findings_table(&set.findings)) }
        })
    }

    fn records(&self) -> Option<Records> {
        let mut records = Records::new(["gold_set", "severity", "line", "case", "message", "hint"]);
        for set in &self.sets {
            for finding in &set.findings {
                records = records.row([
                    Cell::Text(set.set.path.display().to_string()),
                    Cell::Text(severity(finding.severity).1.to_owned()),
                    finding.line.map_or(Cell::Missing, Cell::count),
                    finding.case.clone().map_or(Cell::Missing, Cell::Code),
                    Cell::Text(finding.message.clone()),
                    finding.hint.clone().map_or(Cell::Missing, Cell::Text),
                ]);
            }
        }
        Some(records)
    }
}

pub(super) fn severity(severity: Severity) -> (Status, &'static str) {
    match severity {
        Severity::Error => (Status::Bad, "error"),
        Severity::Warning => (Status::Warn, "warning"),
    }
}

fn findings_table(findings: &[Finding]) -> Table {
    let columns = [Column::text(""), Column::number("line"), Column::text("case"), Column::text("finding")];
    findings.iter().fold(Table::new("", columns), |table, finding| {
        let (status, word) = severity(finding.severity);
        let hint = finding.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        table.row([
            Cell::Status(status, word.to_owned()),
            finding.line.map_or(Cell::Missing, Cell::count),
            finding.case.clone().map_or(Cell::Missing, Cell::Code),
            Cell::Text(format!("{}{hint}", finding.message)),
        ])
    })
}

fn lock(args: &LockArgs, global: &Global, output: &Output) -> Result<Code, Failure> {
    let path = match &args.set {
        Some(path) => path.clone(),
        None => load_config(global)?.eval.gold_set.ok_or_else(no_gold_set)?,
    };
    let set = GoldSet::open(&path, validate_check)?;
    let lock = match gold::lock(&set, SystemClock::new().now(), args.update) {
        Err(error @ gold::GoldError::ChangedSinceLock { .. }) => {
            output.fail(&error.into());
            return Ok(Code::Failed);
        }
        locked => locked?,
    };
    output.write(&Locked { lock_file: gold::lock_path(&path), gold_set: path, lock })?;
    Ok(Code::Pass)
}

pub(super) fn no_gold_set() -> Failure {
    Failure::usage("no gold set is given", "name one, or set `eval.gold_set` in tollgate.toml")
}

/// A frozen gold set.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Locked {
    gold_set: PathBuf,
    lock_file: PathBuf,
    #[serde(flatten)]
    lock: gold::Lock,
}

impl Render for Locked {
    fn schema_name(&self) -> &'static str {
        "gold_lock"
    }

    fn document(&self) -> Document {
        let name = |path: &Path| path.display().to_string();
        let text = format!("`{}` is frozen: {} cases", name(&self.gold_set), self.lock.cases);
        Document::new("gold lock").verdict(Status::Good, text).facts([
            ("sha256", Cell::Code(self.lock.sha256.to_string())),
            ("lock file", Cell::Text(name(&self.lock_file))),
            ("frozen at", Cell::Text(self.lock.locked_at.clone())),
        ])
    }
}
