use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use candle_core::{Device, Tensor};

use super::*;

const WORDS: [&str; 8] = ["[PAD]", "[UNK]", "a", "budget", "is", "cap", "rain", "wet"];
const HIDDEN: usize = 8;
const POSITIONS: usize = 6;

/// The files of a model of one small layer, with weights that are anything but special.
fn write_model(directory: &Path) {
    let config = serde_json::json!({
        "model_type": "bert", "vocab_size": WORDS.len(), "hidden_size": HIDDEN, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "initializer_range": 0.02,
        "layer_norm_eps": 1e-12, "pad_token_id": 0,
    });
    let vocab: serde_json::Map<String, serde_json::Value> =
        WORDS.iter().zip(0_u32..).map(|(word, id)| ((*word).to_owned(), id.into())).collect();
    // Like the published files, it asks for a padding and a truncation which do not hold here.
    let tokenizer = serde_json::json!({
        "version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
        "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
        "padding": {"strategy": {"Fixed": 6}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
    });
    std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
    std::fs::write(directory.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    let layer = "encoder.layer.0";
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".into(), vec![WORDS.len(), HIDDEN]),
        ("embeddings.position_embeddings.weight".into(), vec![POSITIONS, HIDDEN]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, HIDDEN]),
        (format!("{layer}.intermediate.dense.weight"), vec![16, HIDDEN]),
        (format!("{layer}.intermediate.dense.bias"), vec![16]),
        (format!("{layer}.output.dense.weight"), vec![HIDDEN, 16]),
        (format!("{layer}.output.dense.bias"), vec![HIDDEN]),
    ];
    for square in ["self.query", "self.key", "self.value", "output.dense"] {
        shapes.push((format!("{layer}.attention.{square}.weight"), vec![HIDDEN, HIDDEN]));
        shapes.push((format!("{layer}.attention.{square}.bias"), vec![HIDDEN]));
    }
    for norm in ["embeddings".to_owned(), format!("{layer}.attention.output"), format!("{layer}.output")] {
        shapes.push((format!("{norm}.LayerNorm.weight"), vec![HIDDEN]));
        shapes.push((format!("{norm}.LayerNorm.bias"), vec![HIDDEN]));
    }
    let mut seed = 0.0_f32;
    let tensors: HashMap<String, Tensor> = shapes
        .into_iter()
        .map(|(name, shape)| {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| {
                    // Digits far behind the point of a sine are as good as random.
                    seed += 1.0;
                    (seed * 12.9898).sin() * 437.585 % 1.0
                })
                .collect();
            (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
        })
        .collect();
    candle_core::safetensors::save(&tensors, directory.join("model.safetensors")).unwrap();
}

fn model() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    write_model(directory.path());
    directory
}

async fn embed(embedder: &LocalEmbedder, texts: &[&str]) -> EmbeddingReply {
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    let request = EmbeddingRequest { model: String::new(), texts, dimensions: None };
    embedder.embed(&request, Limits::total(Duration::from_mins(1))).await.unwrap()
}

fn cosine(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn write(directory: &Path, file: &str, content: &str) {
    let path = directory.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[tokio::test]
async fn texts_get_the_same_unit_vectors_alone_and_together() {
    let directory = model();
    let embedder = LocalEmbedder::open(directory.path()).unwrap();
    let texts = ["a budget is a cap", "rain", "", "wet rain", "unheard of"].repeat(9);
    let together = embed(&embedder, &texts).await;
    assert_eq!(together.vectors.len(), 45);
    for (text, vector) in texts.iter().zip(&together.vectors) {
        assert_eq!(vector.len(), embedder.dimensions());
        let [alone] = embed(&embedder, &[text]).await.vectors.try_into().unwrap();
        assert!(vector.iter().zip(&alone).all(|(one, other)| (one - other).abs() < 1e-5), "{text}");
        if !text.is_empty() {
            assert!((cosine(vector, vector) - 1.0).abs() < 1e-5, "{text}");
        }
    }
    assert!(cosine(&together.vectors[0], &together.vectors[1]) < 0.999);
    assert_eq!(together.usage, Some(Usage::new(9 * (5 + 1 + 2 + 2), 0)));
    assert_eq!(embed(&embedder, &[]).await.vectors, Vec::<Vec<f32>>::new());
}

#[tokio::test]
async fn a_text_is_cut_at_the_models_length() {
    let directory = model();
    let long = "a budget is a cap rain wet rain";
    let six = embed(&LocalEmbedder::open(directory.path()).unwrap(), &[long, "a budget is a cap rain"]).await;
    assert_eq!(six.usage, Some(Usage::new(12, 0)));
    assert!((cosine(&six.vectors[0], &six.vectors[1]) - 1.0).abs() < 1e-5);
    write(directory.path(), "sentence_bert_config.json", r#"{"max_seq_length": 4}"#);
    let four = embed(&LocalEmbedder::open(directory.path()).unwrap(), &[long]).await;
    assert_eq!(four.usage, Some(Usage::new(4, 0)));
    write(directory.path(), "sentence_bert_config.json", r#"{"max_seq_length": 512}"#);
    assert_eq!(embed(&LocalEmbedder::open(directory.path()).unwrap(), &[long]).await.vectors[0], six.vectors[0]);
}

#[tokio::test]
async fn pooling_and_length_are_as_the_files_say() {
    let directory = model();
    let mean = embed(&LocalEmbedder::open(directory.path()).unwrap(), &["a cap", "a budget"]).await.vectors;
    write(
        directory.path(),
        "modules.json",
        r#"[{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "p"}]"#,
    );
    let long = embed(&LocalEmbedder::open(directory.path()).unwrap(), &["a cap"]).await.vectors;
    let norm = cosine(&long[0], &long[0]).sqrt();
    assert!((norm - 1.0).abs() > 0.01, "not brought to length 1: {norm}");
    assert!((cosine(&long[0], &mean[0]) / norm - 1.0).abs() < 1e-5);
    write(directory.path(), "p/config.json", r#"{"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}"#);
    let first = embed(&LocalEmbedder::open(directory.path()).unwrap(), &["a cap"]).await.vectors;
    assert!((cosine(&first[0], &mean[0]) / cosine(&first[0], &first[0]).sqrt() - 1.0).abs() > 0.001);
}

#[test]
fn what_would_give_wrong_vectors_is_refused() {
    let refused = |file: &str, content: &str| {
        let directory = model();
        write(directory.path(), file, content);
        match LocalEmbedder::open(directory.path()) {
            Err(LocalEmbeddingError::Unsupported { path, what }) => {
                assert_eq!(path, directory.path().join(file));
                what
            }
            other => panic!("{:?}", other.err()),
        }
    };
    assert_eq!(refused("modules.json", r#"[{"type": "m.Dense", "path": "2_Dense"}]"#), "module `m.Dense`");
    refused("1_Pooling/config.json", r#"{"pooling_mode_max_tokens": true}"#);
    refused("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#);
    let config = std::fs::read_to_string(model().path().join("config.json")).unwrap();
    assert_eq!(refused("config.json", &config.replace("\"bert\"", "\"xlm-roberta\"")), "model type `xlm-roberta`");
}

#[test]
fn a_missing_or_damaged_file_is_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let directory = model();
        std::fs::write(directory.path().join(file), "neither").unwrap();
        let error = LocalEmbedder::open(directory.path()).err().unwrap();
        assert!(error.to_string().starts_with(&format!("cannot read {}", directory.path().join(file).display())));
        std::fs::remove_file(directory.path().join(file)).unwrap();
        match LocalEmbedder::open(directory.path()) {
            Err(LocalEmbeddingError::Missing { file: missing, .. }) => assert_eq!(missing, file),
            other => panic!("{:?}", other.err()),
        }
    }
}

#[tokio::test]
async fn other_dimensions_and_no_time_are_errors() {
    let directory = model();
    let embedder = LocalEmbedder::open(directory.path()).unwrap();
    let request = |dimensions| EmbeddingRequest { model: String::new(), texts: vec!["a cap".into(); 500], dimensions };
    let limits = Limits::total(Duration::from_mins(1));
    assert!(embedder.embed(&request(Some(8)), limits).await.is_ok());
    let refused = embedder.embed(&request(Some(16)), limits).await;
    assert!(matches!(refused, Err(ProviderError::BadRequest { .. })), "{refused:?}");
    let late = embedder.embed(&request(None), Limits::total(Duration::ZERO)).await;
    assert!(matches!(late, Err(ProviderError::TimedOut { phase: Phase::Total, .. })), "{late:?}");
}

/// Cosines of all-MiniLM-L6-v2, computed in double precision by an independent implementation in numpy.
#[tokio::test]
#[ignore = "needs all-MiniLM-L6-v2 in the directory that TOLLGATE_TEST_MINILM names"]
#[expect(clippy::disallowed_methods, reason = "the model is not part of the repository")]
async fn minilm_gives_the_reference_cosines() {
    let directory = PathBuf::from(std::env::var("TOLLGATE_TEST_MINILM").unwrap());
    let long = "A budget is the most that one customer may cost in thirty days. ".repeat(40);
    let texts = [
        "The weather is lovely today.",
        "It's so sunny outside!",
        "He drove to the stadium.",
        "How do I cap what a tenant spends per month?",
        &long,
    ];
    let expected = [
        [1.0, 0.66596, 0.10458, -0.09177, -0.00219],
        [0.66596, 1.0, 0.14114, 0.0006, -0.0861],
        [0.10458, 0.14114, 1.0, 0.00894, 0.00771],
        [-0.09177, 0.0006, 0.00894, 1.0, 0.23895],
        [-0.00219, -0.0861, 0.00771, 0.23895, 1.0],
    ];
    let reply = embed(&LocalEmbedder::open(&directory).unwrap(), &texts).await;
    assert_eq!(reply.usage, Some(Usage::new(8 + 9 + 8 + 13 + 256, 0)));
    for (one, row) in reply.vectors.iter().zip(expected) {
        for (other, expected) in reply.vectors.iter().zip(row) {
            assert!((cosine(one, other) - expected).abs() < 1e-4, "{} {expected}", cosine(one, other));
        }
    }
}
