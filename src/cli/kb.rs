use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::app::App;
use super::failure::{Code, Failure};
use super::output::Output;
use super::progress;
use crate::domain::{Passage, TENANT_SHARED, rfc3339};
use crate::kb::{Hit, KnowledgeBase, SearchMode, SearchRequest, SyncReport};
use crate::prompts::Release;
use crate::proxy::{Proxy, Recording, RoutedEmbedder};
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};
use crate::store::SourceSummary;

/// The knowledge base that answers draw on
#[derive(Debug, Subcommand)]
pub(super) enum KbCommand {
    Ingest(IngestArgs),
    Search(SearchArgs),
    Status(StatusArgs),
    Remove(RemoveArgs),
}

/// Bring the knowledge base up to date with its sources
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate kb ingest
  tollgate kb ingest manual --rebuild")]
pub(super) struct IngestArgs {
    /// Sources to read [default: all of `[kb.sources]`]
    sources: Vec<String>,
    /// Read every document again, and build the index from scratch
    #[arg(long)]
    rebuild: bool,
}

/// Search the knowledge base as the pipeline does
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tollgate kb search \"resume a run\"
  tollgate kb search --explain --mode hybrid \"idempotancy key\"")]
pub(super) struct SearchArgs {
    /// What to search for
    query: String,
    /// Which scores rank [default: as the release says]
    #[arg(long, value_enum)]
    mode: Option<ModeArg>,
    /// Most chunks shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
    /// Show how each score came about
    #[arg(long)]
    explain: bool,
    /// Who searches
    #[arg(long, value_name = "NAME", default_value = TENANT_SHARED, value_parser = super::tenant_name)]
    tenant: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArg {
    Keyword,
    Vector,
    Hybrid,
}

/// Show what the knowledge base holds
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate kb status --documents")]
pub(super) struct StatusArgs {
    /// List every document
    #[arg(long)]
    documents: bool,
}

/// Take documents out of the knowledge base until their source changes
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tollgate kb remove docs/old-prices.md")]
pub(super) struct RemoveArgs {
    /// Ids of documents, as `kb status --documents` lists them
    #[arg(required = true)]
    documents: Vec<String>,
}

pub(super) async fn run(command: KbCommand, app: &App, output: &Output) -> Result<Code, Failure> {
    let kb = app.knowledge_base()?;
    match command {
        KbCommand::Ingest(args) => {
            if app.config.kb.sources.is_empty() {
                return Err(Failure::usage(
                    "no source of documents is configured",
                    "add a [kb.sources.NAME] table with a path",
                ));
            }
            let (release, _) = super::app::release(&app.config)?;
            let kb = with_vectors(app, kb, &release)?.0;
            let synced = progress::sync(&kb, &args.sources, args.rebuild, output).await?;
            progress::sync_vectors(&kb, output).await?;
            app.store.flush().await?;
            output.write(&synced)?;
        }
        KbCommand::Search(args) => {
            let (release, _) = super::app::release(&app.config)?;
            let (kb, proxy) = with_vectors(app, kb, &release)?;
            progress::sync(&kb, &[], false, output).await?;
            progress::sync_vectors(&kb, output).await?;
            let found = search(&args, app, &kb, &release, proxy).await?;
            app.store.flush().await?;
            output.write(&found)?;
        }
        KbCommand::Status(args) => output.write(&status(&args, app, &kb)?)?,
        KbCommand::Remove(args) => {
            kb.remove(&args.documents).await?;
            output.write(&Removed { documents: args.documents })?;
        }
    }
    Ok(Code::Pass)
}

impl Render for SyncReport {
    fn schema_name(&self) -> &'static str {
        "kb_ingest"
    }

    fn document(&self) -> Document {
        let status = if self.skipped.is_empty() && self.warnings.is_empty() { Status::Good } else { Status::Warn };
        let text = format!("{} chunks are searchable, {} of them written now", self.chunks, self.chunks_written);
        let mut document = Document::new("kb ingest").verdict(status, text).facts([
            ("added", Cell::count(self.added.len())),
            ("changed", Cell::count(self.changed.len())),
            ("unchanged", Cell::count(self.unchanged as usize)),
            ("removed", Cell::count(self.removed.len())),
            ("skipped", Cell::count(self.skipped.len())),
            ("index", Cell::from(if self.rebuilt { "built from scratch" } else { "up to date" })),
        ]);
        for (title, list) in [("Skipped", &self.skipped), ("Read in part", &self.warnings)] {
            if !list.is_empty() {
                let table = Table::new("", [Column::text("document"), Column::text("why")]);
                let table = list.iter().fold(table, |table, skipped| {
                    table.row([Cell::Code(skipped.document.clone()), Cell::Text(skipped.reason.clone())])
                });
                document = document.heading(2, title).table(table);
            }
        }
        document
    }
}

/// What a search found.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct SearchOutcome {
    query: String,
    mode: SearchMode,
    vector_weight: f64,
    hits: Vec<Found>,
    #[serde(skip)]
    explains: bool,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Found {
    #[serde(flatten)]
    hit: Hit,
    text: String,
}

/// `kb` with the release's embedder, and the way to it, if it names one.
fn with_vectors(
    app: &App,
    kb: KnowledgeBase,
    release: &Release,
) -> Result<(KnowledgeBase, Option<Arc<Proxy>>), Failure> {
    if release.retrieval.embedder.is_none() {
        return Ok((kb, None));
    }
    let proxy = Arc::new(app.proxy(Recording::off())?);
    Ok((app.embedding(kb, release, &proxy, ENDPOINT)?, Some(proxy)))
}

/// The name of these commands in telemetry.
const ENDPOINT: &str = "kb";

async fn search(
    args: &SearchArgs,
    app: &App,
    kb: &KnowledgeBase,
    release: &Release,
    proxy: Option<Arc<Proxy>>,
) -> Result<SearchOutcome, Failure> {
    let mode = match args.mode {
        Some(ModeArg::Keyword) => SearchMode::Keyword,
        Some(ModeArg::Vector) => SearchMode::Vector,
        Some(ModeArg::Hybrid) => SearchMode::Hybrid,
        None => match release.retrieval.mode {
            crate::prompts::RetrievalMode::Keyword => SearchMode::Keyword,
            crate::prompts::RetrievalMode::Vector => SearchMode::Vector,
            // With retrieval off there is still something to look at.
            crate::prompts::RetrievalMode::Hybrid | crate::prompts::RetrievalMode::Off => SearchMode::Hybrid,
        },
    };
    let query_vector = match (proxy, &release.retrieval.embedder) {
        (Some(proxy), Some(model)) if mode != SearchMode::Keyword => {
            let embedder = RoutedEmbedder::new(proxy, model.clone(), app.embedding_context(release, ENDPOINT));
            kb.embed_query(&embedder, &args.query).await?
        }
        _ => None,
    };
    let request = SearchRequest {
        query: &args.query,
        scopes: &KnowledgeBase::scopes(&args.tenant),
        mode,
        limit: args.limit,
        candidates: release.retrieval.candidates,
        vector_weight: release.retrieval.vector_weight,
        query_vector: query_vector.as_deref(),
    };
    let found = |(hit, passage): (Hit, Passage)| Found { hit, text: passage.text };
    let hits = kb.search(&request)?.into_iter().map(found).collect();
    let (query, vector_weight) = (args.query.clone(), release.retrieval.vector_weight);
    Ok(SearchOutcome { query, mode, vector_weight, hits, explains: args.explain })
}

/// Characters of a chunk shown in a list.
const EXCERPT: usize = 200;

impl Render for SearchOutcome {
    fn schema_name(&self) -> &'static str {
        "kb_search"
    }

    fn document(&self) -> Document {
        let mut document = Document::new(self.query.clone());
        if self.hits.is_empty() {
            return document.text("Nothing matches.");
        }
        if self.explains {
            let columns = ["score", "bm25", "bm25 scaled", "vector", "vector scaled"].map(Column::number);
            let columns = [Column::text("chunk")].into_iter().chain(columns).chain([Column::text("matched")]);
            let table = self.hits.iter().fold(Table::new("", columns), |table, Found { hit, .. }| {
                let explain = &hit.explain;
                let number = |value| Cell::Number { value, decimals: 3, unit: "" };
                table.row([
                    Cell::Code(hit.chunk.clone()),
                    number(Some(hit.score)),
                    number(explain.bm25),
                    number(explain.bm25_scaled),
                    number(explain.vector),
                    number(explain.vector_scaled),
                    Cell::Text(hit.matched_terms.join(" ")),
                ])
            });
            let weight = self.vector_weight;
            return document.table(table).note(format!(
                "score = {:.2} × bm25 scaled + {weight:.2} × vector scaled; each is scaled from the lowest to the highest candidate (min–max)",
                1.0 - weight
            ));
        }
        for (rank, Found { hit, text }) in self.hits.iter().enumerate() {
            let whole = crate::text::collapse_whitespace(text);
            let mut excerpt: String = whole.chars().take(EXCERPT).collect();
            if excerpt.len() < whole.len() {
                excerpt.push('…');
            }
            document = document
                .heading(3, format!("{}. {} · {:.3}", rank + 1, hit.chunk, hit.score))
                .text(format!("{}: {excerpt}", hit.heading));
        }
        document
    }

    fn records(&self) -> Option<Records> {
        let header = ["chunk", "document", "heading", "score", "bm25", "vector", "text"];
        Some(self.hits.iter().fold(Records::new(header), |records, Found { hit, text }| {
            let number = |value| Cell::Number { value, decimals: 6, unit: "" };
            records.row([
                Cell::Code(hit.chunk.clone()),
                Cell::Code(hit.document.clone()),
                Cell::Text(hit.heading.clone()),
                number(Some(hit.score)),
                number(hit.explain.bm25),
                number(hit.explain.vector),
                Cell::Text(text.clone()),
            ])
        }))
    }
}

/// What the knowledge base holds.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct KbStatus {
    knowledge_version: String,
    chunks_indexed: u64,
    index_is_current: bool,
    sources: Vec<SourceSummary>,
    documents: Option<Vec<ListedDocument>>,
}

#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ListedDocument {
    id: String,
    tenant: String,
    source: String,
    title: String,
    words: u64,
    removed: bool,
}

fn status(args: &StatusArgs, app: &App, kb: &KnowledgeBase) -> Result<KbStatus, Failure> {
    let documents = args.documents.then(|| app.store.documents()).transpose()?;
    let listed = |document: crate::store::DocumentRow| ListedDocument {
        id: document.id,
        tenant: document.scope,
        source: document.source,
        title: document.title,
        words: document.words,
        removed: document.removed,
    };
    Ok(KbStatus {
        knowledge_version: app.store.knowledge_version(None)?.to_string(),
        chunks_indexed: kb.index().chunk_count(),
        index_is_current: kb.is_index_current()?,
        sources: app.store.knowledge_summary()?,
        documents: documents.map(|documents| documents.into_iter().map(listed).collect()),
    })
}

impl Render for KbStatus {
    fn schema_name(&self) -> &'static str {
        "kb_status"
    }

    fn document(&self) -> Document {
        let columns = [
            Column::text("source"),
            Column::text("tenant"),
            Column::number("documents"),
            Column::number("chunks"),
            Column::number("words"),
            Column::text("last ingest"),
        ];
        let table = self.sources.iter().fold(Table::new("", columns), |table, source| {
            let last = jiff::Timestamp::from_millisecond(source.last_ingest_ms).map(rfc3339).unwrap_or_default();
            table.row([
                Cell::Text(source.source.clone()),
                Cell::Text(source.tenant.clone()),
                Cell::count(source.documents as usize),
                Cell::count(source.chunks as usize),
                Cell::count(source.words as usize),
                Cell::Text(last),
            ])
        });
        let index = if self.index_is_current {
            "current"
        } else {
            "out of date; the next ask, eval or `kb ingest` rebuilds it"
        };
        let mut document = Document::new("kb status").table(table).facts([
            ("index", Cell::Text(format!("{} chunks, {index}", self.chunks_indexed))),
            ("knowledge version", Cell::Code(self.knowledge_version.clone())),
        ]);
        if let Some(documents) = &self.documents {
            let columns =
                [Column::text("document"), Column::text("tenant"), Column::number("words"), Column::text("title")];
            let table = documents.iter().fold(Table::new("", columns), |table, document| {
                let title = if document.removed { "(removed)".to_owned() } else { document.title.clone() };
                table.row([
                    Cell::Code(document.id.clone()),
                    Cell::Text(document.tenant.clone()),
                    Cell::count(document.words as usize),
                    Cell::Text(title),
                ])
            });
            document = document.heading(2, "Documents").table(table);
        }
        document
    }
}

/// Documents that were taken out.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(super) struct Removed {
    documents: Vec<String>,
}

impl Render for Removed {
    fn schema_name(&self) -> &'static str {
        "kb_removed"
    }

    fn document(&self) -> Document {
        Document::new("kb remove")
            .text(format!("{} documents removed until their content changes", self.documents.len()))
    }
}
