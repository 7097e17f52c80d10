use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::app::{self, load_config, prompts_directory};
use super::failure::{Code, Failure};
use super::output::Output;
use super::{Global, logging};
use crate::domain::Severity;
use crate::prompts::{self, Library, Problem, Prompt, PromptDiff, SchemaDiff};
use crate::report::{Cell, Column, Document, Render, Status, Table, replace_file};

/// Prompts: immutable, versioned artifacts with typed inputs and outputs
#[derive(Debug, Subcommand)]
pub(super) enum PromptsCommand {
    List(ListArgs),
    Show(ShowArgs),
    Diff(DiffArgs),
    Check(CheckArgs),
    New(NewArgs),
}

/// List the prompts and which version the release uses
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate prompts list")]
pub(super) struct ListArgs {}

/// Show a prompt, its messages rendered
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate prompts show answer
  tollgate prompts show answer@v1 --input inputs.json")]
pub(super) struct ShowArgs {
    /// NAME or NAME@vN [default version: the one that the release uses]
    prompt: String,
    /// Inputs as a JSON object [default: made up from the prompt's schema]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

/// Show what differs between two versions of a prompt
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate prompts diff answer v1 v2")]
pub(super) struct DiffArgs {
    /// The prompt's name
    name: String,
    /// The earlier version, such as v1
    #[arg(value_parser = parse_version)]
    from: u32,
    /// The later version, such as v2
    #[arg(value_parser = parse_version)]
    to: u32,
}

/// Check all prompts and migrations
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate prompts check")]
pub(super) struct CheckArgs {}

/// Write the next version of a prompt as a copy to edit
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate prompts new answer
  tollgate prompts new answer --from v1")]
pub(super) struct NewArgs {
    /// The prompt's name
    name: String,
    /// The version to copy [default: the latest]
    #[arg(long, value_name = "VERSION", value_parser = parse_version)]
    from: Option<u32>,
}

fn parse_version(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix('v').unwrap_or(text);
    digits.parse().ok().filter(|version| *version > 0).ok_or_else(|| "write a version such as v2".to_owned())
}

pub(super) fn run(command: PromptsCommand, global: &Global, output: &Output) -> Result<Code, Failure> {
    let config = load_config(global)?;
    logging::start(output, config.log_format);
    let library = Library::open(&prompts_directory(&config))?;
    match command {
        PromptsCommand::List(_) => {
            let (release, _) = app::release(&config)?;
            let listed = |name: &str| ListedPrompt {
                name: name.to_owned(),
                versions: library.versions(name),
                in_release: release.prompts.get(name).copied(),
            };
            let prompts = library.names().map(listed).collect();
            output.write(&PromptList { release: release.number, release_hash: release.hash.to_string(), prompts })?;
        }
        PromptsCommand::Show(args) => {
            let version = match args.prompt.split_once('@') {
                Some((_, version)) => {
                    parse_version(version).map_err(|hint| Failure::usage(format!("`{version}` is no version"), hint))?
                }
                None => app::release(&config)?
                    .0
                    .prompts
                    .get(&args.prompt)
                    .copied()
                    .or_else(|| library.latest(&args.prompt))
                    .unwrap_or(1),
            };
            let name = args.prompt.split_once('@').map_or(args.prompt.as_str(), |(name, _)| name);
            output.write(&show(&library.get(name, version)?, args.input.as_ref())?)?;
        }
        PromptsCommand::Diff(args) => {
            output.write(&prompts::diff(&library.get(&args.name, args.from)?, &library.get(&args.name, args.to)?))?;
        }
        PromptsCommand::Check(_) => {
            let checked = CheckOutcome { problems: library.check()?, prompts: library.names().count() };
            output.write(&checked)?;
            if checked.has_errors() {
                return Ok(Code::Failed);
            }
        }
        PromptsCommand::New(args) => output.write(&new(&args, &library)?)?,
    }
    Ok(Code::Pass)
}

/// The prompts of a project.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PromptList {
    release: u32,
    release_hash: String,
    prompts: Vec<ListedPrompt>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ListedPrompt {
    name: String,
    versions: Vec<u32>,
    in_release: Option<u32>,
}

impl Render for PromptList {
    fn schema_name(&self) -> &'static str {
        "prompt_list"
    }

    fn document(&self) -> Document {
        let table = Table::new("", [Column::text("prompt"), Column::text("versions"), Column::text("in the release")]);
        let table = self.prompts.iter().fold(table, |table, prompt| {
            let versions: Vec<String> = prompt.versions.iter().map(|version| format!("v{version}")).collect();
            table.row([
                Cell::Code(prompt.name.clone()),
                Cell::Text(versions.join(", ")),
                prompt.in_release.map_or(Cell::Missing, |version| Cell::Text(format!("v{version}"))),
            ])
        });
        let hash = self.release_hash.get(..12).unwrap_or(&self.release_hash);
        Document::new("prompts").table(table).note(format!("release {} {hash}", self.release))
    }
}

/// A prompt with its messages rendered.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct ShownPrompt {
    prompt: String,
    description: String,
    task: String,
    content_hash: String,
    inputs_schema: serde_json::Value,
    output_schema: serde_json::Value,
    params: serde_json::Value,
    inputs: serde_json::Value,
    messages: Vec<prompts::Message>,
}

fn show(prompt: &Prompt, input: Option<&PathBuf>) -> Result<ShownPrompt, Failure> {
    let inputs = match input {
        None => prompt.sample_inputs(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", path.display()), "name a JSON file")
            })?;
            serde_json::from_str(&text).map_err(|error| {
                Failure::usage(format!("{}: {error}", path.display()), "write the inputs as one JSON object")
            })?
        }
    };
    Ok(ShownPrompt {
        prompt: prompt.label(),
        description: prompt.description.clone(),
        task: prompt.task.clone(),
        content_hash: prompt.hash.to_string(),
        inputs_schema: prompt.inputs.clone(),
        output_schema: prompt.output.clone(),
        params: serde_json::to_value(&prompt.params).unwrap_or_default(),
        messages: prompt.compile()?.render(&inputs)?,
        inputs,
    })
}

impl Render for ShownPrompt {
    fn schema_name(&self) -> &'static str {
        "prompt_show"
    }

    fn document(&self) -> Document {
        let pretty = |value: &serde_json::Value| serde_json::to_string_pretty(value).unwrap_or_default();
        let document = Document::new(self.prompt.clone())
            .text(self.description.clone())
            .facts([("task", Cell::Text(self.task.clone())), ("sha256", Cell::Code(self.content_hash.clone()))]);
        let document = self.messages.iter().fold(document, |document, message| {
            document.heading(2, role(message.role)).code("", message.content.clone())
        });
        document
            .heading(2, "Inputs")
            .code("json", pretty(&self.inputs_schema))
            .heading(2, "Output")
            .code("json", pretty(&self.output_schema))
            .heading(2, "Parameters")
            .code("json", pretty(&self.params))
    }
}

impl Render for PromptDiff {
    fn schema_name(&self) -> &'static str {
        "prompt_diff"
    }

    fn document(&self) -> Document {
        let mut document = Document::new(format!("{} → {}", self.from, self.to));
        if self.is_empty() {
            return document.text("They say the same.");
        }
        for message in &self.messages {
            document = document.heading(2, format!("message {}", message.number)).code("diff", message.unified.clone());
        }
        for (title, changes) in [("Description", &self.about), ("Parameters", &self.params)] {
            if !changes.is_empty() {
                document = document.heading(2, title).table(changes_table(changes));
            }
        }
        for (title, schema) in [("Inputs", &self.inputs), ("Output", &self.output)] {
            if !schema.is_empty() {
                document = schema_diff(document.heading(2, title), schema);
            }
        }
        document
    }
}

fn changes_table(changes: &[prompts::Change]) -> Table {
    let shown =
        |value: &Option<serde_json::Value>| value.as_ref().map_or(Cell::Missing, |value| Cell::Text(value.to_string()));
    changes
        .iter()
        .fold(Table::new("", [Column::text("key"), Column::text("from"), Column::text("to")]), |table, change| {
            table.row([Cell::Code(change.key.clone()), shown(&change.from), shown(&change.to)])
        })
}

fn schema_diff(document: Document, diff: &SchemaDiff) -> Document {
    let lists = [
        ("added", &diff.added),
        ("removed", &diff.removed),
        ("now required", &diff.required),
        ("now optional", &diff.optional),
    ];
    let facts: Vec<_> = lists
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(label, list)| (label, Cell::Text(list.join(", "))))
        .collect();
    let document = if facts.is_empty() { document } else { document.facts(facts) };
    if diff.changed.is_empty() { document } else { document.table(changes_table(&diff.changed)) }
}

fn role(role: prompts::Role) -> &'static str {
    match role {
        prompts::Role::System => "system",
        prompts::Role::User => "user",
        prompts::Role::Assistant => "assistant",
    }
}

/// `file:line:column`, as far as it is known.
fn place(problem: &Problem) -> String {
    let numbers = [problem.line, problem.column].into_iter().flatten().map(|number| format!(":{number}"));
    problem.path.display().to_string() + &numbers.collect::<String>()
}

/// What is wrong with prompts and migrations.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct CheckOutcome {
    prompts: usize,
    problems: Vec<Problem>,
}

impl CheckOutcome {
    fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

impl Render for CheckOutcome {
    fn schema_name(&self) -> &'static str {
        "prompt_check"
    }

    fn document(&self) -> Document {
        let status = match (self.problems.is_empty(), self.has_errors()) {
            (true, _) => Status::Good,
            (false, false) => Status::Warn,
            (false, true) => Status::Bad,
        };
        let document = Document::new("prompts check").verdict(
            status,
            format!("{} problems in prompts and migrations (prompts: {})", self.problems.len(), self.prompts),
        );
        if self.problems.is_empty() {
            return document;
        }
        let columns = [Column::text(""), Column::text("where"), Column::text("problem")];
        document.table(self.problems.iter().fold(Table::new("", columns), |table, problem| {
            let (status, word) = super::gold::severity(problem.severity);
            let field = problem.field.as_ref().map(|field| format!("{field}: ")).unwrap_or_default();
            let hint = problem.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            table.row([
                Cell::Status(status, word.to_owned()),
                Cell::Code(place(problem)),
                Cell::Text(format!("{field}{}{hint}", problem.message)),
            ])
        }))
    }
}

/// A new version of a prompt.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct NewPrompt {
    prompt: String,
    copied_from: String,
    path: PathBuf,
}

fn new(args: &NewArgs, library: &Library) -> Result<NewPrompt, Failure> {
    let from = args.from.or_else(|| library.latest(&args.name)).unwrap_or(1);
    let source = library.find(&args.name, from)?;
    let version = library.next_version(&args.name);
    let path = library.path(&args.name, version);
    let written = std::fs::read(source).and_then(|content| replace_file(&path, |file| file.write_all(&content)));
    written.map_err(|error| Failure::could_not_run(format!("cannot write {}: {error}", path.display())))?;
    let name = &args.name;
    Ok(NewPrompt { prompt: format!("{name}@v{version}"), copied_from: format!("{name}@v{from}"), path })
}

impl Render for NewPrompt {
    fn schema_name(&self) -> &'static str {
        "prompt_new"
    }

    fn document(&self) -> Document {
        let (prompt, from, path) = (&self.prompt, &self.copied_from, self.path.display());
        Document::new("prompts new")
            .verdict(Status::Good, format!("`{prompt}` is a copy of `{from}`: edit `{path}`"))
            .note("the release uses it once a migration in prompts/migrations sets it")
    }
}
