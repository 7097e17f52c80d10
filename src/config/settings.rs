use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Problem;
use super::alerts_read::read_alerts;
use super::budgets::{AlertSettings, BudgetSettings, CostSettings, EndpointSettings};
use super::budgets_read::{Configured, read_budgets};
use super::gate::{GateSettings, read_gate};
use super::judge::{JudgeSettings, read_judge};
use super::models::{ProviderSettings, RouteSettings, read_provider, read_route};
use super::plans::{MarginSettings, PlanSettings, TenantSettings};
use super::plans_read::{read_cost, read_endpoint, read_margin, read_plan, read_tenant};
use super::proxy::{
    ProxySettings, SafetySettings, TelemetrySettings, default_telemetry, read_price_book, read_proxy, read_safety,
    read_telemetry,
};
use super::reader::Reader;
use super::tree::Node;
use crate::domain::TENANT_SHARED;

/// Everything that `tollgate.toml` and the environment say.
#[derive(Debug, Clone)]
pub struct Config {
    /// The project's directory; relative paths start here.
    pub root: PathBuf,
    /// The project's name.
    pub name: String,
    /// The main database.
    pub store_path: PathBuf,
    /// The knowledge base.
    pub kb: KbSettings,
    /// Providers by name.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Routes by name.
    pub routes: BTreeMap<String, RouteSettings>,
    /// How patient the proxy is.
    pub proxy: ProxySettings,
    /// What is kept out of logs and stores.
    pub safety: SafetySettings,
    /// Where telemetry goes.
    pub telemetry: TelemetrySettings,
    /// The project's own price book, over the one in the program.
    pub price_book: Option<PathBuf>,
    /// What may be spent, by scope.
    pub budgets: BudgetSettings,
    /// When somebody is told of spending, and how.
    pub alerts: AlertSettings,
    /// Endpoints with settings of their own, by name.
    pub endpoints: BTreeMap<String, EndpointSettings>,
    /// How spending is judged.
    pub cost: CostSettings,
    /// What customers pay, by plan.
    pub plans: BTreeMap<String, PlanSettings>,
    /// Customers by name.
    pub tenants: BTreeMap<String, TenantSettings>,
    /// The margin to reach, and what else a ticket costs.
    pub margin: MarginSettings,
    /// Evaluation.
    pub eval: EvalSettings,
    /// What a change must clear.
    pub gate: GateSettings,
    /// Who judges answers where a model does.
    pub judge: JudgeSettings,
    /// How log lines look.
    pub log_format: LogFormat,
}

/// `[kb]`
#[derive(Debug, Clone)]
pub struct KbSettings {
    /// A section longer than this is split.
    pub chunk_words: usize,
    /// A larger document is reported and skipped.
    pub max_document_bytes: u64,
    /// Where documents come from, by name.
    pub sources: BTreeMap<String, SourceSettings>,
}

/// `[kb.sources.NAME]`
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// The file or directory, relative to the project.
    pub path: PathBuf,
    /// Globs of files to read, relative to `path`.
    pub include: Vec<String>,
    /// Globs of files to leave out.
    pub exclude: Vec<String>,
    /// Who may read its documents: a tenant, or `shared`.
    pub tenant: String,
}

/// `[eval]`
#[derive(Debug, Clone)]
pub struct EvalSettings {
    /// The gold set that `eval` replays when it is not given one.
    pub gold_set: Option<PathBuf>,
    /// Cases under way at a time.
    pub concurrency: usize,
    /// Whether floor and ceiling are measured.
    pub bounds: Bounds,
}

/// When `eval` measures the floor and the ceiling of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// When every model of the release is offline, so that it costs nothing.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Bounds {
    /// The words for it in the file and on the command line.
    pub const CHOICES: &[(&'static str, Self)] =
        &[("auto", Self::Auto), ("always", Self::Always), ("never", Self::Never)];
}

/// File endings that are read when a source does not say.
const READABLE: &[&str] = &["**/*.md", "**/*.html", "**/*.htm", "**/*.txt", "**/*.csv", "**/*.jsonl"];

pub(super) fn read(
    root: &Path,
    environment: &[(String, String)],
    tree: &Node,
    problems: &mut Vec<Problem>,
) -> Option<Config> {
    let found = RefCell::new(std::mem::take(problems));
    let config = read_all(root, environment, Reader::new(tree, String::new(), &found));
    *problems = found.into_inner();
    config
}

fn read_all(root: &Path, environment: &[(String, String)], top: Reader<'_>) -> Option<Config> {
    top.require("project", "start the file with [project] and name = \"…\"");
    let name = top.table("project").map(|project| {
        project.require("name", "give the project a name");
        let name = project.text("name");
        project.finish();
        name
    });
    let store_path = top.table("store").and_then(|store| {
        let path = store.text("path");
        store.finish();
        path
    });
    let kb = top.table("kb").map_or_else(default_kb, read_kb);
    let (providers, routes) = (top.tables("providers"), top.tables("routes"));
    let configured = Configured { providers: names(&providers), routes: names(&routes) };
    let providers = providers.into_iter();
    let providers =
        providers.filter_map(|(name, reader)| Some((name, read_provider(root, environment, reader)?))).collect();
    let routes = routes.into_iter();
    let routes = routes.filter_map(|(name, reader)| Some((name, read_route(reader)?))).collect();
    let proxy = top.table("proxy").map(read_proxy).unwrap_or_default();
    let safety = top.table("safety").map(read_safety).unwrap_or_default();
    let telemetry = top.table("telemetry").map_or_else(default_telemetry, |table| read_telemetry(environment, table));
    let price_book = top.table("prices").and_then(|prices| read_price_book(root, prices));
    let budgets = top.table("budgets").map(|budgets| read_budgets(budgets, &configured)).unwrap_or_default();
    let alerts = top.table("alerts").map(|alerts| read_alerts(root, environment, alerts)).unwrap_or_default();
    let endpoints = top.tables("endpoints").into_iter();
    let endpoints = endpoints.map(|(name, reader)| (name, read_endpoint(reader))).collect();
    let cost = top.table("cost").map(read_cost).unwrap_or_default();
    let (plans, tenants) = (top.tables("plans"), top.tables("tenants"));
    let plan_names = names(&plans);
    let margin = top.table("margin").map(|margin| read_margin(root, margin, !tenants.is_empty())).unwrap_or_default();
    let plans = plans.into_iter().filter_map(|(name, reader)| Some((name, read_plan(reader)?))).collect();
    let tenants = tenants.into_iter().map(|(name, reader)| {
        let tenant = read_tenant(&name, reader, &plan_names);
        (name, tenant)
    });
    let tenants = tenants.collect();
    let eval = top.table("eval").map_or_else(default_eval, |eval| read_eval(root, eval));
    let gate = top.table("gate").map(read_gate).unwrap_or_default();
    let judge = top.table("judge").map(read_judge).unwrap_or_default();
    let log_format = top.table("log").and_then(|log| {
        let format = log.choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
        log.finish();
        format
    });
    top.finish();
    Some(Config {
        root: root.to_owned(),
        name: name.flatten()?,
        store_path: root.join(store_path.as_deref().unwrap_or(".tollgate/tollgate.db")),
        kb,
        providers,
        routes,
        proxy,
        safety,
        telemetry,
        price_book,
        budgets,
        alerts,
        endpoints,
        cost,
        plans,
        tenants,
        margin,
        eval,
        gate,
        judge,
        log_format: log_format.unwrap_or(LogFormat::Text),
    })
}

/// The names of tables, also of those that are found to be wrong.
fn names(tables: &[(String, Reader<'_>)]) -> BTreeSet<String> {
    tables.iter().map(|(name, _)| name.clone()).collect()
}

fn default_kb() -> KbSettings {
    KbSettings { chunk_words: 160, max_document_bytes: 20_000_000, sources: BTreeMap::new() }
}

fn read_kb(kb: Reader<'_>) -> KbSettings {
    let defaults = default_kb();
    let chunk_words = kb.integer("chunk_words", 20..=2_000).map_or(defaults.chunk_words, |words| words as usize);
    let max_document_bytes =
        kb.integer("max_document_bytes", 1..=1_000_000_000).map_or(defaults.max_document_bytes, |bytes| bytes as u64);
    let sources = kb.tables("sources").into_iter().filter_map(|(name, reader)| Some((name, read_source(reader)?)));
    let sources = sources.collect();
    kb.finish();
    KbSettings { chunk_words, max_document_bytes, sources }
}

fn read_source(source: Reader<'_>) -> Option<SourceSettings> {
    source.require("path", "name the file or directory to read");
    let path = source.text("path");
    let include =
        source.texts("include").unwrap_or_else(|| READABLE.iter().map(|&pattern| pattern.to_owned()).collect());
    let exclude = source.texts("exclude").unwrap_or_default();
    for (key, patterns) in [("include", &include), ("exclude", &exclude)] {
        for pattern in patterns {
            if let Err(error) = globset::Glob::new(pattern) {
                source.reject(key, format!("`{pattern}` is not a glob: {}", error.kind()), None);
            }
        }
    }
    let tenant = source.text("tenant").unwrap_or_else(|| TENANT_SHARED.to_owned());
    if !is_tenant_name(&tenant) {
        source.reject("tenant", "must be letters, digits, `-` and `_`", None);
    }
    source.finish();
    Some(SourceSettings { path: PathBuf::from(path?), include, exclude, tenant })
}

/// Whether this can be the name of a tenant: letters, digits, `-` and `_`, at most 64.
pub fn is_tenant_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn default_eval() -> EvalSettings {
    EvalSettings { gold_set: None, concurrency: 8, bounds: Bounds::Auto }
}

fn read_eval(root: &Path, eval: Reader<'_>) -> EvalSettings {
    let defaults = default_eval();
    let settings = EvalSettings {
        gold_set: eval.text("gold_set").map(|path| root.join(path)),
        concurrency: eval.integer("concurrency", 1..=1_024).map_or(defaults.concurrency, |number| number as usize),
        bounds: eval.choice("bounds", Bounds::CHOICES).unwrap_or(defaults.bounds),
    };
    eval.finish();
    settings
}

#[cfg(test)]
mod tests {
    use super::super::testing::load_file;
    use super::super::{ConfigError, Place};

    #[test]
    fn every_problem_is_listed_with_its_place() {
        let text = "[project]\nname = 1\n[eval]\nconcurency = 4\nbounds = \"alway\"\n[providers.x]\nkind = \"extractive\"\n\
                    [providers.x.models.small]\ninput_usd_per_million = 0.0000000001\n";
        let Err(ConfigError::Invalid { problems, .. }) = load_file(text, &[]) else { panic!("accepted") };
        let found: Vec<_> = problems.iter().map(|problem| (problem.field.as_str(), problem.place.clone())).collect();
        let at = |line, column| Place::File { line, column };
        assert_eq!(
            found,
            [
                ("project.name", at(2, 8)),
                ("eval.concurency", at(4, 14)),
                ("eval.bounds", at(5, 10)),
                ("providers.x.models.small.output_usd_per_million", at(8, 21)),
                ("providers.x.models.small.input_usd_per_million", at(9, 25)),
            ]
        );
        assert!(problems.iter().any(|problem| problem.hint.as_deref() == Some("did you mean `concurrency`?")));
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let text = "[project]\nname = \"a\"\n[eval]\nconcurrency = 4\n";
        let config =
            load_file(text, &[("TOLLGATE_EVAL__CONCURRENCY", "16"), ("TOLLGATE_PROJECT__NAME", "b c")]).unwrap();
        assert_eq!((config.eval.concurrency, config.name.as_str()), (16, "b c"));
        let Err(ConfigError::Invalid { problems, .. }) = load_file(text, &[("TOLLGATE_EVAL__CONCURRENCY", "many")])
        else {
            panic!("accepted")
        };
        assert_eq!(problems[0].place, Place::Environment("TOLLGATE_EVAL__CONCURRENCY".into()));
    }

    #[test]
    fn a_variable_that_a_setting_names_is_no_unknown_setting() {
        let text = "[project]\nname = \"a\"\n[providers.x]\nkind = \"openai\"\napi_key_env = \"TOLLGATE_KEY\"\n";
        let key = ("TOLLGATE_KEY", "k");
        assert!(load_file(text, &[key, ("TOLLGATE_WEBHOOK_SECRET", "of another project")]).is_ok());
        let moved = ("TOLLGATE_PROVIDERS__X__API_KEY_ENV", "TOLLGATE_OTHER");
        assert!(load_file(text, &[("TOLLGATE_OTHER", "k"), moved]).is_ok());
        let Err(ConfigError::Invalid { problems, .. }) = load_file(text, &[key, ("TOLLGATE_KEZ", "k")]) else {
            panic!("accepted")
        };
        let hints: Vec<_> = problems.iter().map(|problem| problem.hint.as_deref()).collect();
        assert_eq!(hints, [Some("did you mean `TOLLGATE_KEY`?")]);
    }
}
