use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{ChatProvider, ChatReply, ChatRequest, ChatStream, Limits, ProviderError, Role, whole_stream};
use crate::domain::Usage;
use crate::text;

/// Answers with the last user message, or always the same, after a set time: for measuring tollgate itself.
#[derive(Debug, Clone)]
pub struct Echo {
    latency: Duration,
    reply: Option<String>,
}

impl Echo {
    /// An echo that takes `latency`, and says `reply` when it is given.
    pub fn new(latency: Duration, reply: Option<String>) -> Self {
        Self { latency, reply }
    }

    fn answer(&self, request: &ChatRequest) -> ChatReply {
        let asked = request.messages.iter().rev().find(|message| message.role == Role::User);
        let asked = asked.map(|message| question_in(&message.content));
        let said = self.reply.as_deref().or(asked).unwrap_or_default();
        let text = match &request.output_schema {
            None => said.to_owned(),
            Some(_) => {
                serde_json::json!({"answer": said, "citations": [], "confidence": 1.0, "refused": false}).to_string()
            }
        };
        let count = |text: &str| text::word_count(text) as u64;
        let input = request.messages.iter().map(|message| count(&message.content)).sum();
        ChatReply { text, usage: Some(Usage::new(input, count(said))), ..ChatReply::default() }
    }
}

/// What stands in the last `<question>` element, else all of it.
fn question_in(prompt: &str) -> &str {
    let inner = prompt.rsplit_once("<question>").and_then(|(_, rest)| rest.split_once("</question>"));
    inner.map_or(prompt, |(question, _)| question)
}

impl ChatProvider for Echo {
    fn chat<'a>(&'a self, request: &'a ChatRequest, _: Limits) -> BoxFuture<'a, Result<ChatReply, ProviderError>> {
        async move {
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            Ok(self.answer(request))
        }
        .boxed()
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        limits: Limits,
    ) -> BoxFuture<'a, Result<ChatStream, ProviderError>> {
        async move { self.chat(request, limits).await.map(whole_stream) }.boxed()
    }

    fn is_offline(&self) -> bool {
        true
    }
}
