use std::path::Path;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;
use tokenizers::{Encoding, Tokenizer, TruncationParams};

use super::LocalEmbeddingError;
use super::files::{Pooling, Settings, require};

/// Texts that go through the model together; more do not make it faster, but take more memory.
const BATCH: usize = 16;

/// A sentence-embedding model with its tokenizer.
pub(super) struct SentenceModel {
    tokenizer: Tokenizer,
    model: BertModel,
    settings: Settings,
}

/// The vectors of some texts.
pub(super) struct Embedded {
    pub(super) vectors: Vec<Vec<f32>>,
    /// Tokens that went through the model, padding not counted.
    pub(super) tokens: u64,
}

/// Why a text could not be embedded.
#[derive(Debug, thiserror::Error)]
pub(super) enum InferenceError {
    #[error("the tokenizer failed: {0}")]
    Tokenizer(tokenizers::Error),
    #[error("the model failed: {0}")]
    Model(#[from] candle_core::Error),
    #[error("nobody waits for the answer any more")]
    Abandoned,
}

impl SentenceModel {
    pub(super) fn open(directory: &Path) -> Result<Self, LocalEmbeddingError> {
        let [words, weights] = ["tokenizer.json", "model.safetensors"];
        require(directory, &["config.json", words, weights])?;
        let settings = Settings::read(directory)?;
        let unreadable =
            |file: &str, reason: String| LocalEmbeddingError::Unreadable { path: directory.join(file), reason };
        let mut tokenizer =
            Tokenizer::from_file(directory.join(words)).map_err(|error| unreadable(words, error.to_string()))?;
        let truncation = TruncationParams { max_length: settings.max_tokens, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(truncation)).map_err(|error| unreadable(words, error.to_string()))?;
        // The file may ask for padding to a fixed length, which only costs time: batches are padded to their longest text.
        tokenizer.with_padding(None);
        let no_weights = |error: candle_core::Error| unreadable(weights, error.to_string());
        let tensors = candle_core::safetensors::load(directory.join(weights), &Device::Cpu).map_err(no_weights)?;
        let tensors = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let model = BertModel::load(tensors, &settings.config).map_err(no_weights)?;
        Ok(Self { tokenizer, model, settings })
    }

    pub(super) fn dimensions(&self) -> usize {
        self.settings.config.hidden_size
    }

    /// One vector for each text, in order. Stops between two batches once `is_abandoned`.
    pub(super) fn embed(&self, texts: &[String], is_abandoned: &dyn Fn() -> bool) -> Result<Embedded, InferenceError> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let encodings = self.tokenizer.encode_batch(texts, true).map_err(InferenceError::Tokenizer)?;
        let tokens = encodings.iter().map(|encoding| encoding.get_ids().len() as u64).sum();
        let mut by_length: Vec<(usize, &Encoding)> = encodings.iter().enumerate().collect();
        by_length.sort_by_key(|(_, encoding)| encoding.get_ids().len());
        let mut placed: Vec<(usize, Vec<f32>)> = Vec::with_capacity(encodings.len());
        for batch in by_length.chunks(BATCH) {
            if is_abandoned() {
                return Err(InferenceError::Abandoned);
            }
            let encodings: Vec<&Encoding> = batch.iter().map(|(_, encoding)| *encoding).collect();
            let vectors = self.forward(&encodings)?;
            placed.extend(batch.iter().map(|(place, _)| *place).zip(vectors));
        }
        placed.sort_by_key(|(place, _)| *place);
        Ok(Embedded { vectors: placed.into_iter().map(|(_, vector)| vector).collect(), tokens })
    }

    /// One vector for each encoded text.
    ///
    /// Source: Reimers & Gurevych (2019), Sentence-BERT, §3: the mean of the vectors of the tokens, without the padding.
    fn forward(&self, encodings: &[&Encoding]) -> Result<Vec<Vec<f32>>, candle_core::Error> {
        let longest = encodings.iter().map(|encoding| encoding.get_ids().len()).max().unwrap_or(0).max(1);
        let padded = |of: fn(&Encoding) -> &[u32], padding: u32| {
            let values: Vec<u32> = encodings
                .iter()
                .flat_map(|encoding| of(encoding).iter().copied().chain(std::iter::repeat(padding)).take(longest))
                .collect();
            Tensor::from_vec(values, (encodings.len(), longest), &Device::Cpu)
        };
        let ids = padded(Encoding::get_ids, self.settings.config.pad_token_id as u32)?;
        let kinds = padded(Encoding::get_type_ids, 0)?;
        let mask = padded(Encoding::get_attention_mask, 0)?;
        let tokens = self.model.forward(&ids, &kinds, Some(&mask))?;
        let pooled = match self.settings.pooling {
            Pooling::First => tokens.narrow(1, 0, 1)?.squeeze(1)?,
            Pooling::Mean => {
                let mask = mask.to_dtype(DType::F32)?.unsqueeze(D::Minus1)?;
                let count = mask.sum(1)?.maximum(1e-9)?;
                tokens.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&count)?
            }
        };
        if !self.settings.normalize {
            return pooled.to_vec2();
        }
        let norms = pooled.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?;
        pooled.broadcast_div(&norms)?.to_vec2()
    }
}
