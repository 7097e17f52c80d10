use super::*;
use crate::providers::reading::mutation::{harmless_replies, harmless_streams, mutations};

#[test]
fn no_mutation_of_an_answer_does_harm() {
    for body in [fixture!("chat.json"), fixture!("chat_tool_calls.json"), fixture!("chat_refusal.json")] {
        assert!(harmless_replies(&wire(), &request(), body) > 200);
    }
}

#[test]
fn no_mutation_of_a_stream_does_harm() {
    for sse in [fixture!("stream_no_usage.sse"), fixture!("stream_tool_calls.sse")] {
        let events = sse.strip_suffix("data: [DONE]\n\n").unwrap();
        assert!(harmless_streams(&wire(), &request(), events) > 500);
    }
}

#[test]
fn no_mutation_of_an_error_or_of_vectors_does_harm() {
    for body in [fixture!("error_rate_limit.json"), fixture!("error_model_not_found.json")] {
        for mutation in mutations(&serde_json::from_str(body).unwrap()) {
            for status in [0, 200, 400, 404, 429, 500, u16::MAX] {
                error(status, &mutation.to_string());
            }
            let inside = format!("data: {mutation}\n\n");
            assert!(same_at_every_split(&wire(), &request(), inside.as_bytes())[0].is_err());
        }
    }
    let asked = EmbeddingRequest { model: "m".into(), texts: vec![String::new(); 2], dimensions: None };
    for mutation in mutations(&serde_json::from_str(fixture!("embeddings.json")).unwrap()) {
        if let Ok(reply) = embeddings::reply(&asked, mutation.to_string().as_bytes()) {
            assert_eq!(reply.vectors.len(), 2, "{mutation}");
        }
    }
}
