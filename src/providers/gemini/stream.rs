use super::reply::Draft;
use crate::providers::reading::json;
use crate::providers::wire::StreamReader;
use crate::providers::{ChatEvent, ProviderError};

/// Reads one streamed answer: pieces of the same shape as a whole one. Nothing marks the last; usage may follow the
/// piece that says why the model stopped.
#[derive(Debug)]
pub(super) struct Reader {
    model: String,
    draft: Draft,
}

impl Reader {
    pub(super) fn new(model: String) -> Self {
        Self { model, draft: Draft::default() }
    }
}

impl StreamReader for Reader {
    fn event(&mut self, _: &str, data: &str) -> Result<Vec<ChatEvent>, ProviderError> {
        let piece = json("an event of an answer", data.as_bytes())?;
        self.draft.add(&self.model, piece)
    }

    fn end(&mut self) -> Result<Option<ChatEvent>, ProviderError> {
        if !self.draft.is_finished() {
            return Err(ProviderError::Truncated { received_chars: self.draft.text.chars().count() });
        }
        let reply = std::mem::take(&mut self.draft).finish()?;
        Ok(Some(ChatEvent::Done(Box::new(reply))))
    }
}
