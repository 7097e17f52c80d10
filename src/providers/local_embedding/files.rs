use std::path::Path;

use candle_transformers::models::bert::Config;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::LocalEmbeddingError;

/// What a model's files say about it, besides its weights and its words.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) pooling: Pooling,
    /// Whether vectors are brought to length 1.
    pub(super) normalize: bool,
    /// Tokens of a text beyond these are left out, the special ones included.
    pub(super) max_tokens: usize,
}

/// How the vectors of the tokens become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// That of the first token.
    First,
}

/// One line of `modules.json`: the steps from text to vector.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
    pooling_mode_mean_sqrt_len_tokens: bool,
    pooling_mode_weightedmean_tokens: bool,
    pooling_mode_lasttoken: bool,
}

#[derive(Deserialize)]
struct TransformerConfig {
    max_seq_length: Option<usize>,
}

impl Settings {
    /// Reads the settings; without the optional files, it is the mean of the tokens, at length 1.
    pub(super) fn read(directory: &Path) -> Result<Self, LocalEmbeddingError> {
        let config: Config = required(directory, "config.json")?;
        if let Some(kind) = config.model_type.as_deref().filter(|kind| *kind != "bert") {
            return Err(unsupported(directory, "config.json", format!("model type `{kind}`")));
        }
        let mut normalize = true;
        let mut pooling_file = "1_Pooling/config.json".to_owned();
        if let Some(modules) = optional::<Vec<Module>>(directory, "modules.json")? {
            normalize = false;
            for module in modules {
                match module.kind.rsplit('.').next().unwrap_or_default() {
                    "Transformer" => {}
                    "Pooling" => pooling_file = format!("{}/config.json", module.path),
                    "Normalize" => normalize = true,
                    _ => {
                        return Err(unsupported(directory, "modules.json", format!("module `{}`", module.kind)));
                    }
                }
            }
        }
        let pooling = match optional::<PoolingConfig>(directory, &pooling_file)? {
            None => Pooling::Mean,
            Some(pooling) => pooling.only().ok_or_else(|| {
                unsupported(directory, &pooling_file, "pooling other than by mean or first token".to_owned())
            })?,
        };
        let positions = config.max_position_embeddings;
        let max_tokens = optional::<TransformerConfig>(directory, "sentence_bert_config.json")?
            .and_then(|transformer| transformer.max_seq_length)
            .map_or(positions, |tokens| tokens.min(positions));
        Ok(Self { config, pooling, normalize, max_tokens })
    }
}

impl PoolingConfig {
    fn only(&self) -> Option<Pooling> {
        let others = self.pooling_mode_max_tokens
            || self.pooling_mode_mean_sqrt_len_tokens
            || self.pooling_mode_weightedmean_tokens
            || self.pooling_mode_lasttoken;
        match (self.pooling_mode_mean_tokens, self.pooling_mode_cls_token, others) {
            (true, false, false) => Some(Pooling::Mean),
            (false, true, false) => Some(Pooling::First),
            _ => None,
        }
    }
}

/// Refuses a directory in which one of these files is not there.
pub(super) fn require(directory: &Path, files: &[&'static str]) -> Result<(), LocalEmbeddingError> {
    match files.iter().find(|file| !directory.join(file).is_file()) {
        Some(file) => Err(LocalEmbeddingError::Missing { directory: directory.to_owned(), file }),
        None => Ok(()),
    }
}

fn required<T: DeserializeOwned>(directory: &Path, file: &'static str) -> Result<T, LocalEmbeddingError> {
    optional(directory, file)?.ok_or_else(|| LocalEmbeddingError::Missing { directory: directory.to_owned(), file })
}

fn optional<T: DeserializeOwned>(directory: &Path, file: &str) -> Result<Option<T>, LocalEmbeddingError> {
    let path = directory.join(file);
    let unreadable = |reason: String| LocalEmbeddingError::Unreadable { path: path.clone(), reason };
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

fn unsupported(directory: &Path, file: &str, what: String) -> LocalEmbeddingError {
    LocalEmbeddingError::Unsupported { path: directory.join(file), what }
}
