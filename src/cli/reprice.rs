use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::app::{App, price_book};
use super::failure::{Code, Failure};
use super::output::Output;
use super::spend_args::SpendArgs;
use crate::cost::Repricer;
use crate::prices::PriceBook;
use crate::proxy::Candidates;
use crate::report::Format;
use crate::store::StoreError;

/// What the same calls would have cost under another price book
///
/// Nothing in the ledger is changed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate reprice --book next-year.json
  tollgate reprice --book next-year.json --from 2026-10-01 --until 2026-11-01 --format csv")]
pub(super) struct RepriceArgs {
    /// The other price book; calls of models that it does not have are left out and listed
    #[arg(long, value_name = "FILE")]
    book: PathBuf,
    #[command(flatten)]
    spend: SpendArgs,
}

pub(super) fn run(args: &RepriceArgs, app: &App, output: &Output) -> Result<Code, Failure> {
    output.accepts(&[Format::Human, Format::Json, Format::Markdown, Format::Html, Format::Csv])?;
    let filter = args.spend.filter(app)?;
    let other = PriceBook::read(&args.book)?;
    let config = &app.config;
    let (providers, routes) = (config.providers.clone(), config.routes.clone());
    let candidates =
        Candidates::new(providers, routes, Arc::new(price_book(config)?), config.proxy.clone(), Arc::clone(&app.clock));
    let label = args.book.display().to_string();
    let mut repricer = Repricer::new(label, |model: &str, date| {
        let (vendor, name) = candidates.book_name(model)?;
        other.find(&vendor, &name, date).ok().map(|entry| entry.price)
    });
    app.store.for_each_charge(&filter, |charge| {
        repricer.add(&charge);
        Ok::<_, StoreError>(())
    })?;
    output.write(&repricer.finish())?;
    Ok(Code::Pass)
}
