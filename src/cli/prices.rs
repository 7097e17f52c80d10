use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::app::{find_config, load_config, price_book, price_book_path};
use super::failure::{Code, Failure};
use super::output::Output;
use super::{Global, logging};
use crate::domain::{Clock, Severity, SystemClock};
use crate::prices::{Entry, Import, PriceBook, PriceProblem, Skipped, import_litellm};
use crate::report::{Cell, Column, Document, Format, Records, Render, Status, Table, replace_file};

/// Show, check or import what models cost
#[derive(Debug, Subcommand)]
pub(super) enum PricesCommand {
    List(ListArgs),
    Check(CheckArgs),
    Import(ImportArgs),
}

/// Show the prices in force
///
/// The prices that came with the program, and over them the project's own (`prices.json`, or `prices.book`).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate prices list
  tollgate prices list --vendor anthropic
  tollgate prices list --on 2026-01-31 --format csv")]
pub(super) struct ListArgs {
    /// Only this vendor
    #[arg(long, value_name = "NAME")]
    vendor: Option<String>,
    /// Only models whose name contains this
    #[arg(long, value_name = "TEXT")]
    model: Option<String>,
    /// The prices of this day [default: today]
    #[arg(long, value_name = "DATE")]
    on: Option<jiff::civil::Date>,
}

/// Check a price book: shape, plausibility, age
///
/// Exits 1 when something is wrong with it; doubts alone do not fail it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate prices check
  tollgate prices check prices.json")]
pub(super) struct CheckArgs {
    /// The book [default: the prices in force]
    file: Option<PathBuf>,
}

/// Make the project's price book from LiteLLM's price map
///
/// Reads `model_prices_and_context_window.json` and writes the project's book. What cannot be priced by tokens is listed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate prices import model_prices_and_context_window.json
  tollgate prices import map.json --vendor openai --vendor mistral")]
pub(super) struct ImportArgs {
    /// LiteLLM's price map
    file: PathBuf,
    /// Only these vendors
    #[arg(long, value_name = "NAME")]
    vendor: Vec<String>,
    /// From which day on the prices hold [default: today]
    #[arg(long, value_name = "DATE")]
    effective_from: Option<jiff::civil::Date>,
    /// Replace a book that is there already
    #[arg(long)]
    force: bool,
}

pub(super) fn run(command: PricesCommand, global: &Global, output: &Output) -> Result<Code, Failure> {
    // Prices can be looked up outside a project too; a project that is broken is an error all the same.
    let config = match find_config(global)? {
        Some(config) => {
            logging::start(output, config.log_format);
            Some(config)
        }
        None => None,
    };
    let today = SystemClock::new().now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let in_force = || match &config {
        Some(config) => price_book(config),
        None => Ok(PriceBook::shipped().clone()),
    };
    match command {
        PricesCommand::List(args) => {
            output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
            let book = in_force()?;
            let on = args.on.unwrap_or(today);
            let wanted = |entry: &&Entry| {
                args.vendor.as_ref().is_none_or(|vendor| entry.vendor == *vendor)
                    && args.model.as_ref().is_none_or(|part| entry.names().any(|name| name.contains(part.as_str())))
            };
            let prices: Vec<Entry> = book.current(on).into_iter().filter(wanted).cloned().collect();
            let (version, hash) = (book.version.clone(), book.hash.as_str().to_owned());
            if prices.is_empty() {
                let mut vendors: Vec<&str> = book.current(on).into_iter().map(|entry| entry.vendor.as_str()).collect();
                vendors.dedup();
                output.note(&format!("no price fits; the vendors of {on} are {}", vendors.join(", ")));
            }
            output.write(&PriceList { version, hash, on: on.to_string(), prices })?;
            Ok(Code::Pass)
        }
        PricesCommand::Check(args) => {
            output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html])?;
            let book = match &args.file {
                Some(path) => PriceBook::read(path)?,
                None => in_force()?,
            };
            let problems = book.check(today);
            let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
            let entries = book.entries().count() as u64;
            let (version, hash) = (book.version.clone(), book.hash.as_str().to_owned());
            output.write(&PriceCheck { version, hash, entries, problems })?;
            Ok(if failed { Code::Failed } else { Code::Pass })
        }
        PricesCommand::Import(args) => {
            output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html])?;
            let config = config.map_or_else(|| load_config(global), Ok)?;
            import(&args, &price_book_path(&config), today, output)
        }
    }
}

fn import(
    args: &ImportArgs,
    target: &std::path::Path,
    today: jiff::civil::Date,
    output: &Output,
) -> Result<Code, Failure> {
    if target.exists() && !args.force {
        return Err(Failure::usage(format!("{} exists", target.display()), "look at it first; --force replaces it"));
    }
    let text = std::fs::read_to_string(&args.file).map_err(|error| {
        Failure::usage(format!("cannot read {}: {error}", args.file.display()), "name LiteLLM's price map")
    })?;
    let source = format!("LiteLLM price map, {}", args.file.file_name().unwrap_or_default().display());
    let read = |wanted: &dyn Fn(&str, &str) -> bool| {
        let import = Import {
            version: &today.to_string(),
            date: today,
            effective_from: args.effective_from.unwrap_or(today),
            source: &source,
            wanted,
        };
        import_litellm(&text, &args.file.display().to_string(), &import)
    };
    let of_vendor = |vendor: &str| args.vendor.is_empty() || args.vendor.iter().any(|wanted| wanted == vendor);
    let all = read(&|vendor, _| of_vendor(vendor))?;
    // A price that cannot be right is left out, as one that cannot be read is.
    let is_wrong = |problem: &PriceProblem| problem.severity == Severity::Error;
    let wrong: Vec<PriceProblem> = all.book.check(today).into_iter().filter(is_wrong).collect();
    let names: Vec<&str> = wrong.iter().filter_map(|problem| problem.entry.as_deref()).collect();
    let imported = read(&|vendor, model| of_vendor(vendor) && !names.contains(&format!("{vendor}/{model}").as_str()))?;
    let entries = imported.book.entries().count() as u64;
    if entries == 0 {
        return Err(Failure::usage(
            format!("no model of {} can be priced", args.file.display()),
            "leave --vendor out, or name vendors of the map",
        ));
    }
    let mut problems = imported.book.check(today);
    if let Some(still) = problems.iter().find(|problem| is_wrong(problem)) {
        let about = still.entry.as_deref().unwrap_or("the book");
        return Err(Failure::usage(
            format!("the prices cannot be used, and nothing was written: {about}: {}", still.message),
            "correct them in the map, or leave their vendors out with --vendor",
        ));
    }
    problems.extend(wrong);
    let json = imported.book.to_json();
    replace_file(target, |file| file.write_all(json.as_bytes()))
        .map_err(|error| Failure::could_not_run(format!("cannot write {}: {error}", target.display())))?;
    output.write(&PriceImport { book: target.display().to_string(), entries, skipped: imported.skipped, problems })?;
    Ok(Code::Pass)
}

/// The prices in force on a day.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PriceList {
    /// The book's version.
    version: String,
    /// The book's hash.
    hash: String,
    /// The day.
    on: String,
    prices: Vec<Entry>,
}

/// What is wrong with a price book, or looks wrong.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PriceCheck {
    /// The book's version.
    version: String,
    /// The book's hash.
    hash: String,
    entries: u64,
    problems: Vec<PriceProblem>,
}

/// A price book made from a price map.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct PriceImport {
    /// The file that was written.
    book: String,
    entries: u64,
    /// What was left out.
    skipped: Vec<Skipped>,
    problems: Vec<PriceProblem>,
}

fn rate(rate: Option<crate::domain::Rate>) -> Cell {
    rate.map_or(Cell::Missing, |rate| Cell::Text(format!("{}", rate.usd_per_million())))
}

const COLUMNS: [&str; 6] = ["input", "cached", "cache write", "output", "batch in", "batch out"];

impl PriceList {
    fn row(entry: &Entry) -> Vec<Cell> {
        let rates = &entry.price.rates;
        let batch = entry.batch.as_ref().map(|batch| batch.rates);
        vec![
            Cell::Text(format!("{}/{}", entry.vendor, entry.model)),
            Cell::Text(entry.mode.as_str().to_owned()),
            Cell::Text(entry.effective_from.to_string()),
            rate(Some(rates.input)),
            rate(rates.cached_input),
            rate(rates.cache_write),
            rate(Some(rates.output)),
            rate(batch.map(|rates| rates.input)),
            rate(batch.map(|rates| rates.output)),
        ]
    }
}

impl Render for PriceList {
    fn schema_name(&self) -> &'static str {
        "price_list"
    }

    fn document(&self) -> Document {
        let table = Table::new("", [Column::text("model")].into_iter().chain(COLUMNS.map(Column::number)));
        let short = |entry| Self::row(entry).into_iter().take(1).chain(Self::row(entry).into_iter().skip(3));
        let table = self.prices.iter().fold(table, |table, entry| table.row(short(entry)));
        let long = self.prices.iter().filter(|entry| entry.price.long_prompt.is_some()).count();
        let mut document = Document::new("prices")
            .text(format!("Dollars per million tokens on {}, {} models.", self.on, self.prices.len()))
            .table(table);
        if long > 0 {
            document = document.note(format!("long prompts are dearer with {long} of them: see --format json"));
        }
        document.note(format!("price book {}, {}", self.version, self.hash.get(..12).unwrap_or(&self.hash)))
    }

    fn records(&self) -> Option<Records> {
        let records = Records::new(["model", "mode", "effective_from"].into_iter().chain(COLUMNS));
        Some(self.prices.iter().fold(records, |records, entry| records.row(Self::row(entry))))
    }
}

fn problem_table(problems: &[PriceProblem]) -> Table {
    let columns = [Column::text(""), Column::text("entry"), Column::text("problem")];
    problems.iter().fold(Table::new("", columns), |table, problem| {
        let (status, word) = match problem.severity {
            Severity::Error => (Status::Bad, "error"),
            Severity::Warning => (Status::Warn, "doubt"),
        };
        table.row([
            Cell::Status(status, word.to_owned()),
            problem.entry.clone().map_or(Cell::Missing, Cell::Text),
            Cell::Text(problem.message.clone()),
        ])
    })
}

impl Render for PriceCheck {
    fn schema_name(&self) -> &'static str {
        "price_check"
    }

    fn document(&self) -> Document {
        let errors = self.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
        let (status, verdict) = match (errors, self.problems.len()) {
            (0, 0) => (Status::Good, format!("{} prices, nothing to complain of", self.entries)),
            (0, doubts) => (Status::Warn, format!("{} prices, {doubts} doubts", self.entries)),
            (errors, _) => (Status::Bad, format!("{} prices, {errors} of them wrong", self.entries)),
        };
        let document = Document::new("prices check").verdict(status, verdict);
        if self.problems.is_empty() { document } else { document.table(problem_table(&self.problems)) }
    }
}

impl Render for PriceImport {
    fn schema_name(&self) -> &'static str {
        "price_import"
    }

    fn document(&self) -> Document {
        let mut document = Document::new("prices import");
        if !self.problems.is_empty() {
            let title = "Doubtful prices; what is wrong for certain was left out";
            document = document.heading(2, title).table(problem_table(&self.problems));
        }
        if !self.skipped.is_empty() {
            // Thousands of single lines would say less; JSON has them all.
            let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for skipped in &self.skipped {
                reasons.entry(&skipped.message).or_default().push(&skipped.name);
            }
            let columns = [Column::number("left out"), Column::text("why"), Column::text("such as")];
            let table = reasons.iter().fold(Table::new("", columns), |table, (reason, names)| {
                let some: Vec<&str> = names.iter().take(2).copied().collect();
                table.row([Cell::count(names.len()), Cell::Text((*reason).to_owned()), Cell::Text(some.join(", "))])
            });
            document = document.heading(2, "Left out").table(table);
        }
        document.verdict(
            Status::Good,
            format!("{} prices written to {}, {} entries left out", self.entries, self.book, self.skipped.len()),
        )
    }
}
