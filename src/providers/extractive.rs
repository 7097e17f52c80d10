//! The built-in offline answerer: it answers by selecting sentences from the passages in its prompt.
//!
//! It has no weights and needs no network; the same prompt always gives the same answer. Two models fail differently:
//! `small` sees only the document of the first passage and goes by word overlap and position; `large` ranks the
//! sentences of all passages and avoids repeating itself. Neither can reason, sum up, or join two facts.
//!
//! It reads the prompt as any model does: passages from `<passage id="…" heading="…">` elements and the question from
//! the `<question>` element of its messages. A prompt that leaves a passage out leaves it without that passage.

mod prompt;
mod select;
mod terms;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::{ChatProvider, ChatReply, ChatRequest, ChatStream, Limits, ProviderError, whole_stream};
use crate::domain::Usage;
use crate::text;

/// Its models.
pub const MODELS: [&str; 2] = ["small", "large"];

/// What it says when nothing supports an answer.
const REFUSAL: &str = "I could not find an answer to this in the documents.";

/// The offline answerer.
#[derive(Debug, Clone, Copy)]
pub struct Extractive;

/// `[params.extractive]` of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Most sentences of an answer.
    max_sentences: usize,
    /// How many passages it reads, from the first.
    passages: usize,
    /// Whether an answer must name the passages it came from.
    must_cite: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { max_sentences: 2, passages: 5, must_cite: true }
    }
}

impl ChatProvider for Extractive {
    fn chat<'a>(&'a self, request: &'a ChatRequest, _: Limits) -> BoxFuture<'a, Result<ChatReply, ProviderError>> {
        std::future::ready(answer(request)).boxed()
    }

    fn stream<'a>(&'a self, request: &'a ChatRequest, _: Limits) -> BoxFuture<'a, Result<ChatStream, ProviderError>> {
        std::future::ready(answer(request).map(whole_stream)).boxed()
    }

    fn is_offline(&self) -> bool {
        true
    }
}

fn answer(request: &ChatRequest) -> Result<ChatReply, ProviderError> {
    let params = Params::deserialize(serde_json::Value::Object(request.extensions.clone()))
        .map_err(|error| ProviderError::BadRequest { reason: format!("[params.extractive]: {error}") })?;
    let mut prompt = prompt::read(&request.messages)
        .ok_or_else(|| ProviderError::BadRequest { reason: "the prompt has no <question> element".into() })?;
    prompt.passages.truncate(params.passages);
    let selection = match request.model.as_str() {
        "small" => select::small(&prompt, params.max_sentences),
        "large" => select::large(&prompt, params.max_sentences),
        other => return Err(ProviderError::NoSuchModel { model: other.to_owned() }),
    };
    let (text, citations, refused) = match &selection.sentences[..] {
        [] => (REFUSAL.to_owned(), Vec::new(), true),
        chosen => {
            let citations = if params.must_cite { selection.cited() } else { Vec::new() };
            (
                join(chosen.iter().map(|sentence| sentence.text), request.max_output_tokens.unwrap_or(u64::MAX)),
                citations,
                false,
            )
        }
    };
    let count = |text: &str| text::word_count(text) as u64;
    let input = request.messages.iter().map(|message| count(&message.content)).sum();
    let usage = Usage::new(input, count(&text));
    let reply = serde_json::json!({
        "answer": text,
        "citations": citations,
        "confidence": (selection.confidence * 1_000.0).round() / 1_000.0,
        "refused": refused,
    });
    Ok(ChatReply { text: reply.to_string(), usage: Some(usage), ..ChatReply::default() })
}

/// Joins whole sentences; leaves out those that would exceed the output limit, but never the first.
fn join<'a>(sentences: impl Iterator<Item = &'a str>, max_tokens: u64) -> String {
    let mut joined = String::new();
    let mut tokens = 0;
    for sentence in sentences {
        tokens += text::word_count(sentence) as u64;
        if !joined.is_empty() {
            if tokens > max_tokens {
                break;
            }
            joined.push(' ');
        }
        joined.push_str(sentence);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::{ChatMessage, Role};

    const PROMPT: &str = r#"<passage id="docs/a.md#caps" heading="Budgets &gt; Caps">
A cap is a hard limit on spend. Set the monthly cap of a tenant in its budget table. Caps reset on the first.
</passage>
<passage id="docs/b.md#alerts" heading="Alerts">
Alerts fire at half of the budget. An alert is sent once a period. The webhook receives the alert.
</passage>
<question>Which webhook receives the alert?</question>"#;

    fn ask(model: &str, prompt: &str, params: serde_json::Value) -> serde_json::Value {
        let serde_json::Value::Object(extensions) = params else { panic!("not an object") };
        let request = ChatRequest {
            model: model.into(),
            messages: vec![ChatMessage::new(Role::User, prompt)],
            max_output_tokens: Some(200),
            extensions,
            ..ChatRequest::default()
        };
        serde_json::from_str(&answer(&request).unwrap().text).unwrap()
    }

    #[test]
    fn large_answers_from_any_passage_and_small_only_from_the_first_document() {
        let large = ask("large", PROMPT, serde_json::json!({"max_sentences": 1}));
        assert_eq!(large["answer"], "The webhook receives the alert.");
        assert_eq!(large["citations"], serde_json::json!(["docs/b.md#alerts"]));
        let small = ask("small", PROMPT, serde_json::json!({"max_sentences": 1}));
        assert_ne!(small["answer"], large["answer"]);
        assert!(small["confidence"].as_f64() < large["confidence"].as_f64());
    }

    #[test]
    fn parameters_change_the_answer() {
        let asked = PROMPT
            .replace("Which webhook receives the alert?", "When is an alert sent, and which webhook receives it?");
        let one = ask("large", &asked, serde_json::json!({"max_sentences": 1}));
        let two = ask("large", &asked, serde_json::json!({"max_sentences": 2, "must_cite": false}));
        assert_ne!(one["answer"], two["answer"]);
        assert_eq!(two["citations"], serde_json::json!([]));
        let first_only = ask("large", &asked, serde_json::json!({"passages": 1}));
        assert_ne!(first_only["answer"], one["answer"]);
    }

    #[test]
    fn what_nothing_supports_is_refused() {
        let reply = ask(
            "large",
            &PROMPT.replace("Which webhook receives the alert?", "Who won the cup final?"),
            serde_json::json!({}),
        );
        assert_eq!((reply["refused"].clone(), reply["citations"].clone()), (true.into(), serde_json::json!([])));
        assert!(reply["confidence"].as_f64().unwrap() < 0.2);
    }

    #[test]
    fn an_unknown_parameter_is_refused() {
        let request = ChatRequest {
            model: "large".into(),
            extensions: serde_json::Map::from_iter([("sentences".to_owned(), 1.into())]),
            ..ChatRequest::default()
        };
        assert!(matches!(answer(&request), Err(ProviderError::BadRequest { .. })));
    }
}
