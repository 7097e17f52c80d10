use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::app::App;
use crate::cli::eval::validate_check;
use crate::cli::failure::Failure;
use crate::config::{GateMetric, GatePolicy, GateSettings};
use crate::domain::{ContentHash, Hasher};
use crate::eval::shell_word;
use crate::gate::{Conditions, Side};
use crate::gold::{self, GoldSet};
use crate::prompts::MigrationGate;
use crate::store::RunRow;

/// What a verdict depends on besides its two sides.
#[derive(Debug, Args, Default)]
pub(in crate::cli) struct TermArgs {
    /// The gold set [default: that of the migration's [gate], or `eval.gold_set`]
    #[arg(long, value_name = "FILE")]
    pub(super) gold_set: Option<PathBuf>,
    /// Where margins and tiers start from: standard or strict [default: `gate.policy`]
    #[arg(long, value_name = "POLICY", value_parser = policies())]
    pub(super) policy: Option<String>,
    /// How far the score may fall, in points of 0 to 1 [default: `gate.margin`]
    #[arg(long, value_name = "POINTS", value_parser = crate::cli::eval::parse_score)]
    pub(super) margin: Option<f64>,
    /// Leave a metric out: score, pass_rate, refusal, groundedness, cost_per_success, retrieve_p95, ticket_p95,
    /// generate_p95, slices
    #[arg(long, value_name = "METRIC", value_parser = parse_metric)]
    pub(super) skip: Vec<GateMetric>,
    /// Ask each case K times on each side [default: `gate.repeats`]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(super) repeats: Option<u32>,
    /// Only cases that meet all of these, as in `tollgate eval`
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    pub(super) filter: Vec<String>,
    /// Only the first N of the selected cases
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// Cases under way at a time [default: `eval.concurrency`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_024))]
    pub(super) concurrency: Option<u64>,
    /// Makes whatever is random repeatable
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(super) seed: u64,
}

impl TermArgs {
    /// The flags as they were given, but for the repeats.
    pub(super) fn flags(&self) -> String {
        let mut flags = String::new();
        let mut add = |flag: &str, value: &str| flags.extend([" --", flag, " ", &shell_word(value)]);
        if let Some(path) = &self.gold_set {
            add("gold-set", &path.display().to_string());
        }
        if let Some(policy) = &self.policy {
            add("policy", policy);
        }
        if let Some(margin) = self.margin {
            add("margin", &margin.to_string());
        }
        self.skip.iter().for_each(|metric| add("skip", metric.as_str()));
        self.filter.iter().for_each(|filter| add("filter", filter));
        if let Some(limit) = self.limit {
            add("limit", &limit.to_string());
        }
        if self.seed != 0 {
            add("seed", &self.seed.to_string());
        }
        flags
    }
}

fn policies() -> clap::builder::PossibleValuesParser {
    GatePolicy::CHOICES.iter().map(|(name, _)| *name).collect::<Vec<_>>().into()
}

fn parse_metric(text: &str) -> Result<GateMetric, String> {
    GateMetric::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or_else(|| {
        let known = GateMetric::ALL.map(GateMetric::as_str);
        match crate::domain::nearest(text, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("name one of {}", known.join(", ")),
        }
    })
}

/// What a candidate has to clear, and on which cases: settled before anything is asked.
pub(super) struct Terms {
    pub(super) set: GoldSet,
    pub(super) settings: GateSettings,
    pub(super) filters: Vec<String>,
    pub(super) limit: Option<usize>,
    pub(super) concurrency: Option<u64>,
    pub(super) seed: u64,
    hash: ContentHash,
}

impl Terms {
    /// The project's settings, overridden by the migration's own, overridden by flags.
    pub(super) fn of(
        app: &App,
        wanted: &MigrationGate,
        args: &TermArgs,
        run: Option<&RunRow>,
    ) -> Result<Self, Failure> {
        let named = args.policy.as_deref();
        let flag = GatePolicy::CHOICES.iter().find(|(name, _)| Some(*name) == named).map(|(_, policy)| *policy);
        let mut settings = match flag.or(wanted.policy) {
            Some(policy) if policy != app.config.gate.policy => app.config.gate.under(policy),
            _ => app.config.gate.clone(),
        };
        // A policy that is asked for brings its own margin.
        if let Some(margin) = args.margin.or(wanted.margin.filter(|_| flag.is_none())) {
            settings.set_margin(margin);
        }
        if let Some(repeats) = args.repeats.or(wanted.repeats) {
            settings.repeats = repeats;
        }
        for metric in &args.skip {
            settings.skip(*metric);
        }
        let of_run = run.map(|run| app.config.root.join(&run.gold_path));
        let set = open_set(app, args.gold_set.as_deref(), wanted.gold_set.as_deref(), of_run)?;
        let mut hasher = Hasher::default();
        hasher.field(serde_json::to_string(&settings).unwrap_or_default());
        hasher.field(args.seed.to_le_bytes());
        hasher.field(app.prices_hash()?.as_str()).field(format!("{:?}", app.config.judge));
        Ok(Self {
            set,
            settings,
            filters: args.filter.clone(),
            limit: args.limit,
            concurrency: args.concurrency,
            seed: args.seed,
            hash: hasher.finish(),
        })
    }

    /// Hash of all that a verdict depends on besides the releases and the gold set, when the sides were measured like this:
    /// a stored run or a baseline may have asked other cases than these terms would, or less often.
    pub(super) fn about(&self, taken: &Taken<'_>) -> ContentHash {
        let Taken { filters, limit, use_cache, replayed, stored, repeats, seeds, world } = taken;
        let mut hasher = Hasher::default();
        hasher.field(self.hash.as_str()).field(filters.join("\n")).field(format!("{limit:?}"));
        hasher.field([u8::from(*use_cache), u8::from(*replayed), u8::from(*stored)]);
        hasher.field(repeats.min(&self.settings.repeats).to_le_bytes());
        for seed in seeds {
            hasher.field(seed.to_le_bytes());
        }
        for part in world.as_flattened() {
            hasher.field(part.as_ref().map_or("", ContentHash::as_str));
        }
        hasher.finish()
    }
}

/// What the answers behind a verdict were taken under.
pub(super) struct Taken<'a> {
    filters: &'a [String],
    limit: Option<usize>,
    use_cache: bool,
    replayed: bool,
    /// Whether both runs are in the store, where nobody can have written them by hand.
    stored: bool,
    /// On the side that has fewer.
    repeats: u32,
    seeds: [u64; 2],
    /// Documents, prices and set-up of each side.
    world: [[Option<ContentHash>; 3]; 2],
}

impl<'a> Taken<'a> {
    pub(super) fn of(before: &Side<'a>, after: &Side<'a>) -> Self {
        let (one, other) = (&before.evidence.conditions, &after.evidence.conditions);
        let world = |side: &Conditions| [Some(side.knowledge.clone()), side.prices.clone(), side.setup.clone()];
        Self {
            filters: &other.filters,
            limit: other.limit,
            use_cache: other.use_cache,
            replayed: one.replayed || other.replayed,
            stored: before.stored && after.stored,
            repeats: one.repeats.min(other.repeats),
            seeds: [one.seed, other.seed],
            world: [world(one), world(other)],
        }
    }

    /// What `migrate up` asks for: every case, as often as the settings say, over the documents, prices and set-up of now.
    pub(super) fn in_full(terms: &Terms, app: &App) -> Result<Self, Failure> {
        let world = [Some(app.store.knowledge_version(None)?), Some(app.prices_hash()?), Some(app.setup_hash())];
        Ok(Self {
            filters: &[],
            limit: None,
            use_cache: false,
            replayed: false,
            stored: true,
            repeats: terms.settings.repeats,
            seeds: [terms.seed; 2],
            world: [world.clone(), world],
        })
    }
}

/// The gold set that a flag, a migration or the project names, unchanged since it was frozen.
fn open_set(app: &App, flag: Option<&Path>, wanted: Option<&str>, of_run: Option<PathBuf>) -> Result<GoldSet, Failure> {
    let named = |name: &str| {
        let is_path = name.contains('/') || Path::new(name).extension().is_some();
        let path = if is_path { name.to_owned() } else { format!("gold_sets/{name}.jsonl") };
        app.config.root.join(path)
    };
    let path = flag.map(Path::to_owned).or_else(|| wanted.map(named)).or(of_run);
    let path = path.or_else(|| app.config.eval.gold_set.clone()).ok_or_else(crate::cli::gold::no_gold_set)?;
    let set = GoldSet::open(&path, validate_check)?;
    gold::require_unchanged(&set)?;
    Ok(set)
}
