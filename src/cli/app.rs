use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::failure::{Code, Failure};
use super::model_args::ModelArgs;
use super::output::Output;
use super::{Global, logging};
use crate::config::{self, Config};
use crate::cost::{Alert, Ledger, Rules, Watch};
use crate::domain::{Clock, ContentHash, Hasher, IdSource, SystemClock, TENANT_SHARED, TicketId};
use crate::eval::grade::Judge;
use crate::kb::{KnowledgeBase, SyncReport};
use crate::pipeline::{Local, Parts};
use crate::prices::PriceBook;
use crate::prompts::{
    CompiledPrompt, Library, MIGRATIONS_DIRECTORY, Migration, PromptError, Release, Revision, RevisionError, applied,
    live_release, read_migrations, verify,
};
use crate::proxy::{self, CallContext, Proxy, Recording, RoutedEmbedder};
use crate::store::{Store, StoreError};

/// Time between two looks at money while a command runs.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// The time that a command takes at its end to deliver alerts.
const LAST_LOOK: Duration = Duration::from_secs(12);
/// The prompt that answers tickets.
const ANSWER_PROMPT: &str = "answer";

/// An opened project: what most commands start from.
pub(super) struct App {
    pub(super) config: Config,
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<IdSource>,
    pub(super) rules: Arc<Rules>,
    // One for all releases that a command asks, so that a recording keeps its order.
    proxy: OnceLock<Arc<Proxy>>,
}

/// A release with the prompts that it is made of.
pub(super) struct Pinned {
    /// How it was asked for: `work`, `live`, a number, `git:REF`.
    pub(super) name: String,
    pub(super) release: Release,
    pub(super) library: Library,
}

impl Pinned {
    fn of_revision(name: String, revision: &Revision) -> Result<Self, Failure> {
        let library = Library::open(&revision.directory)?;
        let migrations = read_migrations(&revision.directory.join(MIGRATIONS_DIRECTORY))?;
        Ok(Self { name, release: Release::fold(&migrations, &library)?, library })
    }
}

/// The assistant of a release, ready to be asked.
pub(super) struct Ready {
    pub(super) assistant: Local,
    pub(super) release: Arc<Release>,
    pub(super) proxy: Arc<Proxy>,
    /// The model that judges answers, where a gold set asks for one.
    pub(super) judge: Option<Arc<Judge>>,
}

/// Reads the project, if there is one: none was named and none is at or above the current directory.
pub(super) fn find_config(global: &Global) -> Result<Option<Config>, Failure> {
    let nowhere =
        global.project.is_none() && std::env::current_dir().is_ok_and(|here| config::find_project(&here).is_none());
    if nowhere { Ok(None) } else { load_config(global).map(Some) }
}

/// Finds and reads the project.
pub(super) fn load_config(global: &Global) -> Result<Config, Failure> {
    let root = if let Some(directory) = &global.project {
        directory.clone()
    } else {
        let here = std::env::current_dir()
            .map_err(|error| Failure::could_not_run(format!("cannot tell the current directory: {error}")))?;
        config::find_project(&here).ok_or_else(|| {
            Failure::usage(
                format!("no {} in {} or above it", config::FILE_NAME, here.display()),
                "`tollgate init` makes a project here; `-C DIR` names one elsewhere",
            )
        })?
    };
    Ok(config::load(&root, &config::process_environment())?)
}

/// Opens the project and runs `command` in it.
pub(super) fn with(
    global: &Global,
    output: &Output,
    command: impl AsyncFnOnce(&App) -> Result<Code, Failure>,
) -> Result<Code, Failure> {
    let config = load_config(global)?;
    let export = logging::start_exporting(output, config.log_format, &config.telemetry)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::could_not_run(format!("cannot start threads: {error}")))?;
    let store = Arc::new(Store::open(&config.store_path)?);
    let rules = Arc::new(Rules::new(config.budgets.clone(), config.alerts.clone()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let watch = Watch::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&rules))
        .map_err(|error| Failure::usage(error.to_string(), "see `[alerts]` in tollgate.toml"))?;
    let app = App { config, store, clock, ids: Arc::new(IdSource::from_system()), rules, proxy: OnceLock::new() };
    let done = runtime.block_on(watched(&watch, output, command(&app)));
    // What waits is sent before the command ends; a collector that is not there changes nothing but the log.
    drop(export);
    done
}

/// Looks at money while a command runs, and once more when it has ended; then tells what is due on stderr too.
async fn watched(
    watch: &Watch,
    output: &Output,
    command: impl Future<Output = Result<Code, Failure>>,
) -> Result<Code, Failure> {
    let looks = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if let Err(error) = look(watch, None).await {
                tracing::warn!(%error, "money could not be looked at");
            }
        }
    };
    let done = tokio::select! {
        biased;
        done = command => done,
        never = looks => never,
    };
    let say = |alert: &Alert| output.alert(alert);
    match tokio::time::timeout(LAST_LOOK, look(watch, Some(&say))).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "money could not be looked at"),
        Err(_) => tracing::warn!("some alerts are not delivered yet; the next command tries again"),
    }
    done
}

async fn look(watch: &Watch, say: Option<&(dyn Fn(&Alert) + Sync)>) -> Result<(), StoreError> {
    watch.look().await?;
    watch.tell(say).await
}

/// Where a project keeps its prompts.
pub(super) fn prompts_directory(config: &Config) -> PathBuf {
    config.root.join("prompts")
}

/// The release: the fold of all migrations on disk.
pub(super) fn release(config: &Config) -> Result<(Release, CompiledPrompt), Failure> {
    let directory = prompts_directory(config);
    let library = Library::open(&directory)?;
    let migrations = read_migrations(&directory.join(MIGRATIONS_DIRECTORY))?;
    let release = Release::fold(&migrations, &library)?;
    let prompt = release.compile(ANSWER_PROMPT, &library)?;
    Ok((release, prompt))
}

/// Where a project keeps its own prices, unless `prices.book` names another file.
pub(super) fn price_book_path(config: &Config) -> PathBuf {
    config.price_book.clone().unwrap_or_else(|| config.root.join("prices.json"))
}

/// The prices in the program, overlaid by the project's own.
pub(super) fn price_book(config: &Config) -> Result<PriceBook, Failure> {
    let shipped = PriceBook::shipped();
    let path = price_book_path(config);
    if config.price_book.is_none() && !path.exists() {
        return Ok(shipped.clone());
    }
    Ok(shipped.overlaid_by(&PriceBook::read(&path)?))
}

impl App {
    pub(super) fn knowledge_base(&self) -> Result<KnowledgeBase, Failure> {
        let (kb, root) = (self.config.kb.clone(), self.config.root.clone());
        Ok(KnowledgeBase::open(kb, root, Arc::clone(&self.store), Arc::clone(&self.clock))?)
    }

    /// `kb` with the vectors that the release's embedder makes, if it names one.
    pub(super) fn embedding(
        &self,
        kb: KnowledgeBase,
        release: &Release,
        proxy: &Arc<Proxy>,
        endpoint: &'static str,
    ) -> Result<KnowledgeBase, Failure> {
        let Some(model) = release.retrieval.embedder.clone() else { return Ok(kb) };
        proxy.check_embedder(&model)?;
        let context = self.embedding_context(release, endpoint);
        Ok(kb.with_embedder(Arc::new(RoutedEmbedder::new(Arc::clone(proxy), model, context)))?)
    }

    /// On whose behalf the knowledge base itself is embedded.
    pub(super) fn embedding_context(&self, release: &Release, endpoint: &'static str) -> CallContext {
        CallContext {
            ticket: self.ids.next::<TicketId>(&*self.clock),
            tenant: TENANT_SHARED.to_owned(),
            endpoint,
            task: "embed".to_owned(),
            prompt: String::new(),
            release: release.hash.as_str().to_owned(),
            cache: "",
            deadline: None,
            fingerprint: None,
            evaluates: false,
            approved_cost: None,
        }
    }

    /// The books.
    pub(super) fn ledger(&self) -> Ledger {
        let (store, clock, ids) = (Arc::clone(&self.store), Arc::clone(&self.clock), Arc::clone(&self.ids));
        Ledger::new(store, clock, ids, Arc::clone(&self.rules), self.config.endpoints.clone())
    }

    /// The way to the configured models.
    pub(super) fn proxy(&self, recording: Recording) -> Result<Proxy, Failure> {
        let config = &self.config;
        let prices = price_book(config)?;
        let today = self.clock.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let is_billed = |provider: &config::ProviderSettings| matches!(provider.kind, config::ProviderKind::Http(_));
        if config.providers.values().any(is_billed)
            && let Some(days) = prices.stale_days(today)
        {
            tracing::warn!(
                days,
                "the price book is old: `tollgate prices check` says what to compare, `prices import` renews it"
            );
        }
        let parts = proxy::Parts {
            providers: config.providers.clone(),
            routes: config.routes.clone(),
            settings: config.proxy.clone(),
            safety: config.safety.clone(),
            payloads: config.telemetry.payloads,
            prices: Arc::new(prices),
            recording,
            ledger: Arc::new(self.ledger()),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
        };
        Ok(Proxy::new(parts))
    }

    /// The release that `choice` names.
    ///
    /// `work` is the fold of all migrations on disk, `live` that of the applied ones, a number that of the migrations up to
    /// it, and `git:REF` what that revision has on disk.
    pub(super) fn pinned(&self, choice: &str) -> Result<Pinned, Failure> {
        let name = choice.to_owned();
        if let Some(reference) = choice.strip_prefix("git:") {
            return Pinned::of_revision(name, &self.revision(reference)?);
        }
        let library = Library::open(&prompts_directory(&self.config))?;
        let migrations = self.migrations()?;
        let applied = applied(&self.store.migration_changes()?);
        let changed = verify(&applied, &migrations, &library);
        if !changed.is_empty() {
            return Err(PromptError::Invalid { problems: changed }.into());
        }
        let release = match choice {
            "work" => Release::fold(&migrations, &library)?,
            "live" => live_release(&applied, &migrations, &library)?.ok_or_else(|| {
                let hint = "`tollgate migrate up` applies the migrations; `work` names the release on disk";
                Failure::usage("there is no live release: no migration was ever applied", hint)
            })?,
            number => {
                let Some(upto) = number.parse().ok().and_then(|number: usize| migrations.get(..number)) else {
                    let hint = format!("name work, live, git:REF, or a migration's number, 0 to {}", migrations.len());
                    return Err(Failure::usage(format!("`{choice}` names no release"), hint));
                };
                Release::fold(upto, &library)?
            }
        };
        Ok(Pinned { name, release, library })
    }

    /// The release of a revision; `None` when the project is not under git, or git knows no such revision with prompts.
    pub(super) fn pinned_if_known(&self, reference: &str) -> Result<Option<Pinned>, Failure> {
        match self.revision(reference) {
            Ok(revision) => Pinned::of_revision(format!("git:{reference}"), &revision).map(Some),
            Err(
                RevisionError::GitMissing { .. }
                | RevisionError::NotARepository { .. }
                | RevisionError::Unknown { .. }
                | RevisionError::NoPrompts { .. },
            ) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn revision(&self, reference: &str) -> Result<Revision, RevisionError> {
        crate::prompts::checkout(&self.config.root, reference, &self.store.directory().join("revisions"))
    }

    /// The release that answers tickets: the live one, or in a project in which none was ever applied, that on disk.
    pub(super) fn answering(&self) -> Result<Pinned, Failure> {
        let ever = applied(&self.store.migration_changes()?).ever;
        self.pinned(if ever { "live" } else { "work" })
    }

    /// All migrations on disk.
    pub(super) fn migrations(&self) -> Result<Vec<Migration>, Failure> {
        Ok(read_migrations(&prompts_directory(&self.config).join(MIGRATIONS_DIRECTORY))?)
    }

    /// The assistant of `pinned`, with the knowledge base brought up to date.
    pub(super) async fn ready(
        &self,
        pinned: &Pinned,
        endpoint: &'static str,
        models: &ModelArgs,
        output: &Output,
    ) -> Result<Ready, Failure> {
        let prompt = pinned.release.compile(ANSWER_PROMPT, &pinned.library)?;
        let release = Arc::new(pinned.release.clone());
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        let proxy = self.shared_proxy(models)?;
        for model in [&release.stages.small, &release.stages.large].into_iter().flatten() {
            proxy.check(model)?;
        }
        let kb = self.embedding(self.knowledge_base()?, &release, &proxy, endpoint)?;
        let synced = super::progress::sync(&kb, &[], false, output).await?;
        note_sync(&synced, output);
        super::progress::sync_vectors(&kb, output).await?;
        let kb = Arc::new(kb);
        let parts = Parts {
            release: Arc::clone(&release),
            prompt,
            kb,
            proxy: Arc::clone(&proxy),
            store,
            clock,
            endpoint,
            approved_cost: models.max_request_cost,
            evaluates: endpoint == "eval",
        };
        Ok(Ready { assistant: Local::new(parts), release, proxy, judge: None })
    }

    /// The way to the configured models, the same one throughout a command.
    pub(super) fn shared_proxy(&self, models: &ModelArgs) -> Result<Arc<Proxy>, Failure> {
        if let Some(proxy) = self.proxy.get() {
            return Ok(Arc::clone(proxy));
        }
        let proxy = Arc::new(self.proxy(models.recording()?)?);
        Ok(Arc::clone(self.proxy.get_or_init(|| proxy)))
    }

    /// Hash of how models are reached, besides the release: the same model's name may stand for another one tomorrow. Keys
    /// are masked when they are printed, and so are not in it.
    pub(super) fn setup_hash(&self) -> ContentHash {
        let Config { providers, routes, proxy, safety, .. } = &self.config;
        let mut hasher = Hasher::default();
        hasher.field(format!("{providers:?}")).field(format!("{routes:?}"));
        hasher.field(format!("{proxy:?}")).field(format!("{safety:?}"));
        hasher.finish()
    }

    /// Hash of everything that prices depend on: the price book and the prices in the configuration.
    pub(super) fn prices_hash(&self) -> Result<ContentHash, Failure> {
        let mut hasher = Hasher::default();
        hasher.field(price_book(&self.config)?.hash.as_str());
        for (name, provider) in &self.config.providers {
            for (model, settings) in &provider.models {
                hasher.field(name).field(model).field(format!("{settings:?}"));
            }
        }
        Ok(hasher.finish())
    }
}

fn note_sync(report: &SyncReport, output: &Output) {
    if report.is_change() {
        output.note(&format!(
            "knowledge base brought up to date: {} added, {} changed, {} removed, {} chunks",
            report.added.len(),
            report.changed.len(),
            report.removed.len(),
            report.chunks
        ));
    }
    if let Some(first) = report.skipped.first() {
        output.note(&format!(
            "{} documents skipped ({}: {}); `tollgate kb ingest` lists them",
            report.skipped.len(),
            first.document,
            first.reason
        ));
    }
}
