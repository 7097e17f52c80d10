use super::*;

fn asked(texts: usize, dimensions: Option<u32>) -> EmbeddingRequest {
    EmbeddingRequest { model: "text-embedding-3-small".into(), texts: vec!["t".into(); texts], dimensions }
}

fn vectors(body: &str) -> Result<EmbeddingReply, ProviderError> {
    embeddings::reply(&asked(2, None), body.as_bytes())
}

#[test]
fn vectors_come_in_the_order_of_the_texts() {
    let reply = vectors(fixture!("embeddings.json")).unwrap();
    assert_eq!(reply.vectors, [[-0.006_929_283_4, 0.002_306_425_5, 1.0], [0.25, -0.5, 0.0625]]);
    assert_eq!(reply.usage, Some(Usage::new(8, 0)));
}

#[test]
fn the_request_asks_for_numbers_and_for_a_length_only_when_one_is_wanted() {
    let request = embeddings::request(&asked(1, None));
    let expected = json!({"model": "text-embedding-3-small", "input": ["t"], "encoding_format": "float"});
    assert_eq!((request.path.as_str(), request.body), ("/embeddings", expected));
    assert_eq!(embeddings::request(&asked(1, Some(256))).body["dimensions"], 256);
}

#[test]
fn vectors_that_do_not_fit_the_texts_are_malformed() {
    for (data, expected) in [
        (r#"{"index":0,"embedding":[1]}"#, "1 vectors for 2 texts"),
        (r#"{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}"#, "vector 0 is there twice"),
        (r#"{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}"#, "vector 2 is there twice, or for no text"),
        (r#"{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}"#, "different lengths"),
        (r#"{"index":0,"embedding":[]},{"index":1,"embedding":[]}"#, "empty"),
        (r#"{"index":0,"embedding":[1e39]},{"index":1,"embedding":[1]}"#, "not finite"),
        (r#"{"index":0,"embedding":[null]},{"index":1,"embedding":[1]}"#, "another type"),
        (r#"{"index":0,"embedding":"AACAPw=="},{"index":1,"embedding":[1]}"#, "another type"),
    ] {
        let said = vectors(&format!("{{\"data\":[{data}]}}")).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    assert!(vectors("{}").unwrap_err().to_string().contains("missing field `data`"));
    let wrong = embeddings::reply(&asked(2, Some(2)), fixture!("embeddings.json").as_bytes()).unwrap_err().to_string();
    assert!(wrong.contains("vectors of length 3, but 2 was asked for"), "{wrong}");
    assert!(vectors(r#"{"data":[{"embedding":[1]},{"embedding":[2]}]}"#).is_ok(), "places stand for missing numbers");
}

#[tokio::test]
async fn no_texts_are_no_request() {
    let settings = HttpSettings::new("http://127.0.0.1:1/v1", None);
    let provider = openai(settings, Arc::new(crate::domain::SystemClock::new())).unwrap();
    let reply = provider.embed(&asked(0, None), Limits::total(Duration::from_mins(1))).await.unwrap();
    assert_eq!(reply, EmbeddingReply { vectors: vec![], usage: Some(Usage::default()), request_id: None });
}
