use serde::{Deserialize, Serialize};

use super::{EvalError, EvalOptions};
use crate::domain::{ContentHash, NanoUsd, Tokens};
use crate::gold::{Case, Filter, GoldError, GoldSet};
use crate::prompts::Release;
use crate::store::RunRow;

/// Which cases of a gold set are replayed, and how.
pub struct Plan {
    /// The gold set.
    pub set: GoldSet,
    /// What is stored with the run.
    pub details: RunDetails,
    filter: Filter,
}

/// What is stored with a run besides its gold set and release: what is needed to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RunDetails {
    /// The seed.
    pub seed: u64,
    /// How often each case was asked.
    pub repeats: u32,
    /// The filters as written.
    pub filters: Vec<String>,
    /// Most cases.
    pub limit: Option<usize>,
    /// Cases selected.
    pub selected: u64,
    /// Cases under way at a time.
    pub concurrency: usize,
    /// Whether answer caches were used.
    pub use_cache: bool,
    /// Whether floor and ceiling were measured.
    pub bounds: bool,
    /// Score at or above which a case is passed.
    pub pass_score: f64,
    /// The release's small model.
    pub small: Option<String>,
    /// The release's large model.
    pub large: Option<String>,
    /// The release's retrieval mode.
    pub retrieval: String,
    /// Version of the knowledge that answers drew on.
    pub knowledge: ContentHash,
    /// Version of the program.
    pub program: String,
    /// Whether models' answers were replayed from a recording, so that their latency is of another day.
    #[serde(default)]
    pub replayed: bool,
    /// How answers are judged in this version of the program; the gold set says by which graders.
    #[serde(default)]
    pub graders: u32,
    /// Hash of the model that judges answers, its prompt and its votes; `None` where no model judges.
    #[serde(default)]
    pub judge: Option<ContentHash>,
    /// Hash of the prices in force.
    #[serde(default)]
    pub prices: Option<ContentHash>,
    /// Hash of how models are reached: providers, routes, the proxy's settings. Keys are not in it.
    #[serde(default)]
    pub setup: Option<ContentHash>,
}

impl Plan {
    /// Plans a new run.
    ///
    /// # Errors
    /// [`EvalError::NothingSelected`] when no case meets the filters.
    pub fn new(
        set: GoldSet,
        options: &EvalOptions,
        release: &Release,
        knowledge: ContentHash,
    ) -> Result<Self, EvalError> {
        let filter = Filter::parse(&options.filters)?;
        let mut details = RunDetails {
            seed: options.seed,
            repeats: options.repeats,
            filters: options.filters.clone(),
            limit: options.limit,
            selected: 0,
            concurrency: options.concurrency,
            use_cache: options.use_cache,
            bounds: options.bounds,
            pass_score: set.header.pass_score,
            small: release.stages.small.clone(),
            large: release.stages.large.clone(),
            retrieval: release.retrieval.mode.as_str().to_owned(),
            knowledge,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            replayed: options.replayed,
            graders: super::grade::VERSION,
            judge: options.judge.clone(),
            prices: options.prices.clone(),
            setup: options.setup.clone(),
        };
        let everything = options.filters.is_empty();
        let selected = if everything { set.case_count } else { count(&set, &filter)? };
        details.selected = options.limit.map_or(selected, |limit| limit.min(selected)) as u64;
        if details.selected == 0 {
            return Err(EvalError::NothingSelected {
                gold_set: set.name.clone(),
                unknown_tags: filter.unknown_tags(&set.tags),
            });
        }
        Ok(Self { set, details, filter })
    }

    /// Continues a stored run: its own filters, repeats and seed.
    ///
    /// # Errors
    /// [`EvalError::CannotResume`] when gold set, release or knowledge are no longer what they were.
    pub fn resume(set: GoldSet, run: &RunRow, release: &Release, knowledge: &ContentHash) -> Result<Self, EvalError> {
        let details = RunDetails::of(run)?;
        let differs = |what, stored: &ContentHash, now: &ContentHash| {
            let (stored, now) = (stored.short().to_owned(), now.short().to_owned());
            if stored == now { Ok(()) } else { Err(EvalError::CannotResume { what, stored, now }) }
        };
        differs("gold set", &run.gold_hash, &set.hash)?;
        differs("release", &run.release_hash, &release.hash)?;
        differs("knowledge base", &details.knowledge, knowledge)?;
        let filter = Filter::parse(&details.filters)?;
        Ok(Self { set, details, filter })
    }

    /// The selected cases, in the order of the set, read while they are asked for.
    pub fn cases(&self) -> Result<impl Iterator<Item = Result<Case, GoldError>> + Send + use<>, GoldError> {
        let filter = self.filter.clone();
        // Without a limit the set is read to its end, where a change underneath shows.
        let limit = self.details.limit.unwrap_or(usize::MAX);
        let wanted = move |case: &Result<Case, GoldError>| case.as_ref().map_or(true, |case| filter.matches(case));
        Ok(self.set.cases()?.filter(wanted).take(limit))
    }

    /// Repeats of cases to be asked, without the bounds.
    pub fn planned(&self) -> u64 {
        self.details.selected * u64::from(self.details.repeats)
    }

    /// Whether this case's score is shown between a floor and a ceiling.
    pub fn has_bounds(&self, case: &Case) -> bool {
        self.details.bounds && case.is_answerable() && !case.expected_docs.is_empty()
    }
}

fn count(set: &GoldSet, filter: &Filter) -> Result<usize, GoldError> {
    let mut count = 0;
    for case in set.cases()? {
        count += usize::from(filter.matches(&case?));
    }
    Ok(count)
}

impl RunDetails {
    /// What was stored with `run`.
    pub fn of(run: &RunRow) -> Result<Self, EvalError> {
        serde_json::from_str(&run.details)
            .map_err(|error| EvalError::Details { run: run.id.to_string(), reason: error.to_string() })
    }
}

/// What a run is expected to take, before anything is asked.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct DryRun {
    /// The gold set's name.
    pub gold_set: String,
    /// Hash of its content.
    pub gold_hash: ContentHash,
    /// Number of the release.
    pub release: u32,
    /// Cases selected.
    pub cases: u64,
    /// Times each is asked.
    pub repeats: u32,
    /// Questions asked to measure floor and ceiling.
    pub bound_questions: u64,
    /// Fewest model calls: the small model keeps every answer.
    pub calls_at_least: u64,
    /// Most model calls: every answer is escalated.
    pub calls_at_most: u64,
    /// Input tokens of a call, about: the median prompt of a sample of cases.
    pub input_tokens_per_call: Tokens,
    /// Most output tokens of a call.
    pub output_tokens_per_call: Tokens,
    /// Cost when the small model keeps every answer, at full output.
    pub cost_at_least_nanousd: NanoUsd,
    /// Cost when every answer is escalated, at full output.
    pub cost_at_most_nanousd: NanoUsd,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::prompts::Library;

    #[test]
    fn a_set_that_changes_while_it_is_replayed_ends_in_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        std::fs::write(&path, "{\"id\":\"a\",\"question\":\"old\"}\n").unwrap();
        let set = GoldSet::open(&path, |_| Ok(())).unwrap();
        let library = Library::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prompts")).unwrap();
        let release = Release::fold(&[], &library).unwrap();
        let options = EvalOptions {
            filters: Vec::new(),
            limit: None,
            repeats: 1,
            concurrency: 1,
            seed: 0,
            use_cache: false,
            replayed: false,
            judge: None,
            prices: None,
            setup: None,
            bounds: false,
        };
        let plan = Plan::new(set, &options, &release, ContentHash::of(b"")).unwrap();
        assert!(plan.cases().unwrap().all(|case| case.is_ok()));
        std::fs::write(&path, "{\"id\":\"a\",\"question\":\"new\"}\n").unwrap();
        let cases: Vec<_> = plan.cases().unwrap().collect();
        assert!(matches!(cases.last(), Some(Err(GoldError::ChangedUnderneath { .. }))));
    }
}
