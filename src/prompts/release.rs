use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{Problem, PromptError};
use super::examples::{examples_of, prompt_of};
use super::release_keys::apply;
use super::{CompiledPrompt, Library, Migration, Setting};
use crate::domain::Severity;
use crate::domain::{ContentHash, Hasher};

/// The complete pinned behaviour of the assistant: what migrations 1 to N come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Release {
    /// The number of the last migration; 0 without any.
    pub number: u32,
    /// Hash of all settings and of the prompts it uses. Two releases that behave alike have the same, however they came
    /// about.
    pub hash: ContentHash,
    /// The version of each prompt, and of the examples of each that is shown some.
    pub prompts: BTreeMap<String, u32>,
    /// Which models answer, and how sure they must be.
    pub stages: Stages,
    /// How passages are found.
    pub retrieval: Retrieval,
    /// Which answers are kept.
    pub cache: CacheSettings,
    /// What is too much.
    pub limits: Limits,
}

/// Which models answer, and how sure they must be. At least one model is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stages {
    /// The model that is asked first (`provider/model`), or a route's name.
    pub small: Option<String>,
    /// The model that is asked when the first is not sure.
    pub large: Option<String>,
    /// The small model's answer is kept from this confidence on, 0..=1.
    pub confidence_threshold: f64,
    /// A final answer below this confidence becomes a refusal, 0..=1.
    pub refuse_below: f64,
}

/// How passages are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Retrieval {
    /// By words, by vectors, by both, or not at all.
    pub mode: RetrievalMode,
    /// How many passages the models see.
    pub top_k: usize,
    /// How many candidates each search gives before fusion.
    pub candidates: usize,
    /// The share of vector similarity in the fused score, 0..=1.
    pub vector_weight: f64,
    /// The model that makes the vectors (`provider/model`); `None` for the built-in lexical ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedder: Option<String>,
}

/// By what passages are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetrievalMode {
    /// By words only.
    Keyword,
    /// By vector similarity only.
    Vector,
    /// By both, fused.
    Hybrid,
    /// Not at all: the models see no passages.
    Off,
}

impl RetrievalMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Keyword, Self::Vector, Self::Hybrid, Self::Off];

    /// Its name in migrations and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Vector => "vector",
            Self::Hybrid => "hybrid",
            Self::Off => "off",
        }
    }
}

/// Which answers are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CacheSettings {
    /// Whether the same question of the same tenant is answered from the cache.
    pub exact: bool,
    /// How long an answer is kept, in seconds.
    pub ttl_s: u64,
}

/// What is too much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Limits {
    /// Longest question, in characters.
    pub max_question_chars: usize,
    /// Most tokens of an answer.
    pub max_output_tokens: u64,
    /// Passages are cut after this many words.
    pub passage_words: usize,
    /// Most tokens of all passages together; `None` for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passage_tokens: Option<u64>,
    /// Whether a sentence is left out when a better passage has said it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_duplicate_sentences: bool,
}

impl Release {
    /// The release before any migration.
    fn defaults() -> Self {
        Self {
            number: 0,
            hash: ContentHash::of(b""),
            prompts: BTreeMap::from([("answer".to_owned(), 1)]),
            stages: Stages {
                small: Some("extractive/small".to_owned()),
                large: Some("extractive/large".to_owned()),
                confidence_threshold: 0.6,
                refuse_below: 0.2,
            },
            retrieval: Retrieval {
                mode: RetrievalMode::Hybrid,
                top_k: 5,
                candidates: 50,
                vector_weight: 0.5,
                embedder: None,
            },
            cache: CacheSettings { exact: true, ttl_s: 900 },
            limits: Limits {
                max_question_chars: 4000,
                max_output_tokens: 512,
                passage_words: 400,
                passage_tokens: None,
                drop_duplicate_sentences: false,
            },
        }
    }

    /// Applies migrations, in order, to the built-in defaults.
    ///
    /// # Errors
    /// [`PromptError::Invalid`] lists every setting that is unknown, of a wrong type or out of range, with its place; and
    /// what [`Library::get`] says of the prompts the release uses.
    pub fn fold(migrations: &[Migration], library: &Library) -> Result<Self, PromptError> {
        let mut release = Self::defaults();
        let mut problems = Vec::new();
        let mut origins: BTreeMap<&str, (&Migration, &Setting)> = BTreeMap::new();
        for migration in migrations {
            release.number = migration.number;
            for setting in &migration.set {
                match apply(&mut release, &setting.key, &setting.value) {
                    Ok(()) => drop(origins.insert(&setting.key, (migration, setting))),
                    Err(refusal) => problems.push(located(migration, setting, refusal.message, refusal.hint)),
                }
            }
        }
        // They are reported at the last setting that brought them about.
        for (keys, message, hint) in release.contradictions() {
            let latest = keys.iter().filter_map(|key| origins.get(key)).max_by_key(|(migration, _)| migration.number);
            problems
                .extend(latest.map(|(migration, setting)| located(migration, setting, message, Some(hint.to_owned()))));
        }
        for (name, version) in &release.prompts {
            match (library.find(name, *version), origins.get(format!("prompts.{name}").as_str())) {
                (Err(error), Some((migration, setting))) => {
                    problems.push(located(migration, setting, error.to_string(), error.hint()));
                }
                (Err(error), None) => return Err(error),
                (Ok(_), _) => {}
            }
        }
        if !problems.is_empty() {
            return Err(PromptError::Invalid { problems });
        }
        release.sealed(library)
    }

    /// The same release with other settings, each a key that migrations may set: what an experiment compares with.
    ///
    /// It keeps its number, and has the hash of what it has become.
    ///
    /// # Errors
    /// [`PromptError::Setting`] when a key is unknown or a value wrong; what [`Library::get`] says of a prompt.
    pub fn vary(&self, settings: &[(&str, Value)], library: &Library) -> Result<Self, PromptError> {
        let mut release = self.clone();
        for (key, value) in settings {
            apply(&mut release, key, value).map_err(|refusal| PromptError::Setting {
                key: (*key).to_owned(),
                message: refusal.message,
                hint: refusal.hint,
            })?;
        }
        if let Some(([key, _], message, hint)) = release.contradictions().into_iter().next() {
            return Err(PromptError::Setting { key: key.to_owned(), message, hint: Some(hint.to_owned()) });
        }
        release.sealed(library)
    }

    /// What a release after this one sets otherwise, as `key: before → after`, in alphabetical order.
    pub fn changes_to(&self, after: &Self) -> Vec<String> {
        let flat = |release: &Self| {
            let mut keys = BTreeMap::new();
            for (group, settings) in release.settings().as_object().into_iter().flatten() {
                for (key, value) in settings.as_object().into_iter().flatten() {
                    keys.insert(format!("{group}.{key}"), value.to_string());
                }
            }
            keys
        };
        let (before, after) = (flat(self), flat(after));
        let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let shown = |side: &BTreeMap<String, String>, key| side.get(key).map_or("none", String::as_str).to_owned();
        let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
        changed.map(|key| format!("{key}: {} → {}", shown(&before, key), shown(&after, key))).collect()
    }

    /// The same with its hash, once its prompts are found to be whole.
    fn sealed(mut self, library: &Library) -> Result<Self, PromptError> {
        for prompt in self.prompts.keys().filter_map(|name| prompt_of(name)) {
            self.compile(prompt, library)?;
        }
        let mut hasher = Hasher::default();
        hasher.field(canonical(&self.settings()).to_string());
        for (name, version) in &self.prompts {
            hasher.field(name).field(library.get(name, *version)?.hash.as_str());
        }
        self.hash = hasher.finish();
        Ok(self)
    }

    /// The prompt of this name, in the version and with the examples that the release has of it.
    ///
    /// # Errors
    /// What [`Library::get`] says of either; [`PromptError::Invalid`] when the examples do not fit the prompt.
    pub fn compile(&self, name: &str, library: &Library) -> Result<CompiledPrompt, PromptError> {
        let version = self.prompts.get(name).copied().unwrap_or(1);
        let prompt = library.get(name, version)?.compile()?;
        let examples = examples_of(name);
        match self.prompts.get(&examples) {
            None => Ok(prompt),
            Some(version) => {
                prompt.with_examples(&library.get(&examples, *version)?, &library.path(&examples, *version))
            }
        }
    }

    /// What no key alone can be blamed for: the keys, what is wrong, and what to do.
    fn contradictions(&self) -> Vec<([&'static str; 2], String, &'static str)> {
        let mut found = Vec::new();
        if self.stages.small.is_none() && self.stages.large.is_none() {
            let message = "no stage is left to answer".to_owned();
            found.push((["stages.small", "stages.large"], message, "keep stages.small or stages.large"));
        }
        let Retrieval { top_k, candidates, .. } = self.retrieval;
        if candidates < top_k {
            let message = format!("{candidates} candidates cannot give {top_k} passages");
            let hint = "let retrieval.candidates be at least retrieval.top_k";
            found.push((["retrieval.top_k", "retrieval.candidates"], message, hint));
        }
        found
    }

    fn settings(&self) -> Value {
        json!({
            "prompts": self.prompts,
            "stages": self.stages,
            "retrieval": self.retrieval,
            "cache": self.cache,
            "limits": self.limits,
        })
    }
}

fn located(migration: &Migration, setting: &Setting, message: String, hint: Option<String>) -> Problem {
    Problem {
        severity: Severity::Error,
        path: migration.path.clone(),
        line: Some(setting.line),
        column: Some(setting.column),
        field: Some(setting.key.clone()),
        message,
        hint,
    }
}

/// The value with the keys of all objects in alphabetical order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let sorted: BTreeMap<&String, &Value> = object.iter().collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), canonical(value))).collect()
        }
        Value::Array(list) => list.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::prompts::read_migrations;

    const PROMPT: &str = "description = \"d\"\ntask = \"answer\"\n[inputs]\ntype = \"object\"\n[output]\ntype = \"object\"\n\
        [[messages]]\nrole = \"user\"\ncontent = \"x\"\n";

    fn fold(versions: &[(u32, &str)], sets: &[&str]) -> Result<Release, Vec<String>> {
        let directory = tempfile::tempdir().unwrap();
        let migrations = directory.path().join("migrations");
        fs::create_dir_all(&migrations).unwrap();
        fs::create_dir_all(directory.path().join("answer")).unwrap();
        for (version, extra) in versions {
            fs::write(directory.path().join(format!("answer/v{version}.toml")), format!("{PROMPT}{extra}")).unwrap();
        }
        for (index, set) in sets.iter().enumerate() {
            let text = format!("description = \"d\"\n[set]\n{set}\n");
            fs::write(migrations.join(format!("{:04}_x.toml", index + 1)), text).unwrap();
        }
        let root = format!("{}/", migrations.display());
        let library = Library::open(directory.path()).unwrap();
        Release::fold(&read_migrations(&migrations).unwrap(), &library).map_err(|error| match error.into_problems() {
            Ok(problems) => problems.iter().map(|problem| problem.to_string().replace(&root, "")).collect(),
            Err(error) => vec![error.to_string()],
        })
    }

    #[test]
    fn without_migrations_the_defaults_hold() {
        let release = fold(&[(1, "")], &[]).unwrap();
        assert_eq!((release.number, release.prompts["answer"]), (0, 1));
        assert_eq!(release.stages.small.as_deref(), Some("extractive/small"));
        assert_eq!(release.retrieval.mode, RetrievalMode::Hybrid);
        assert_eq!((release.cache.ttl_s, release.limits.passage_words), (900, 400));
    }

    #[test]
    fn later_migrations_win_and_an_empty_stage_is_none() {
        let sets =
            ["\"stages.confidence_threshold\" = 0.5", "\"stages.confidence_threshold\" = 1\n\"stages.small\" = \"\""];
        let release = fold(&[(1, "")], &sets).unwrap();
        assert_eq!(release.number, 2);
        assert_eq!((release.stages.confidence_threshold.to_string(), &release.stages.small), ("1".to_owned(), &None));
    }

    #[test]
    fn the_hash_depends_on_behaviour_and_not_on_how_it_came_about() {
        let one = fold(&[(1, "")], &["\"retrieval.top_k\" = 3"]).unwrap();
        let two = fold(&[(1, "")], &["\"retrieval.top_k\" = 4", "\"retrieval.top_k\" = 3"]).unwrap();
        assert_eq!(one.hash, two.hash);
        assert_ne!(one.hash, fold(&[(1, "")], &[]).unwrap().hash);
        assert_ne!(one.hash, fold(&[(1, "# other\n")], &["\"retrieval.top_k\" = 3"]).unwrap().hash);
    }

    #[test]
    fn wrong_settings_are_located() {
        let found =
            fold(&[(1, "")], &["\"retrieval.topk\" = 3\n\"stages.refuse_below\" = 1.5", "\"prompts.answer\" = 4"]);
        assert_eq!(
            found.unwrap_err(),
            [
                "0001_x.toml:3:20: retrieval.topk: unknown key `retrieval.topk`\n  hint: did you mean `retrieval.top_k`?",
                "0001_x.toml:4:25: stages.refuse_below: must be a number between 0 and 1",
                "0002_x.toml:3:20: prompts.answer: prompt `answer` has no version 4; it has v1\n  hint: make the next one with `tollgate prompts new answer`",
            ]
        );
    }

    #[test]
    fn contradictions_are_blamed_on_the_setting_that_made_them() {
        let found = fold(&[(1, "")], &["\"stages.small\" = \"\"", "\"stages.large\" = \"\""]).unwrap_err();
        assert!(found[0].starts_with("0002_x.toml:3:18: stages.large: no stage is left to answer"), "{}", found[0]);
        let found = fold(&[(1, "")], &["\"retrieval.candidates\" = 2"]).unwrap_err();
        assert!(found[0].contains("2 candidates cannot give 5 passages"), "{}", found[0]);
    }

    #[test]
    fn a_varied_release_is_the_one_that_a_migration_would_make() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("answer")).unwrap();
        fs::write(directory.path().join("answer/v1.toml"), PROMPT).unwrap();
        let library = Library::open(directory.path()).unwrap();
        let release = Release::fold(&[], &library).unwrap();
        let varied = release.vary(&[("retrieval.top_k", json!(3))], &library).unwrap();
        assert_eq!(release.changes_to(&varied), ["retrieval.top_k: 5 → 3"]);
        assert_eq!(varied.hash, fold(&[(1, "")], &["\"retrieval.top_k\" = 3"]).unwrap().hash);
        let none = [("stages.small", json!("")), ("stages.large", json!(""))];
        assert!(release.vary(&none, &library).unwrap_err().to_string().contains("no stage is left"));
        assert!(release.vary(&[("retrieval.mode", json!("Off"))], &library).is_err());
    }

    #[test]
    fn a_project_without_the_default_prompt_is_refused() {
        assert_eq!(fold(&[], &[]).unwrap_err(), ["there is no prompt `answer`"]);
    }
}
