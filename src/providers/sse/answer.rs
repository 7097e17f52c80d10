use super::SseDecoder;
use crate::providers::wire::StreamReader;
use crate::providers::{ChatEvent, ProviderError};

/// A streamed answer on its way from bytes to chat events.
pub(in crate::providers) struct StreamedAnswer {
    decoder: SseDecoder,
    reader: Box<dyn StreamReader>,
    over: bool,
}

impl StreamedAnswer {
    /// The start of an answer that `reader` understands.
    pub(in crate::providers) fn new(reader: Box<dyn StreamReader>) -> Self {
        Self { decoder: SseDecoder::new(), reader, over: false }
    }

    /// Whether [`ChatEvent::Done`] or an error has been returned: nothing follows.
    pub(in crate::providers) fn is_over(&self) -> bool {
        self.over
    }

    /// Reads the next bytes; returns what they bring. [`ChatEvent::Done`] or an error is the last element; bytes after
    /// it are ignored.
    pub(in crate::providers) fn push(&mut self, bytes: &[u8]) -> Vec<Result<ChatEvent, ProviderError>> {
        let mut found = Vec::new();
        if self.over {
            return found;
        }
        for event in self.decoder.push(bytes) {
            let read = event.and_then(|event| self.reader.event(&event.name, &event.data));
            match read {
                Ok(events) => {
                    for event in events {
                        let done = matches!(event, ChatEvent::Done(_));
                        found.push(Ok(event));
                        if done {
                            self.over = true;
                            return found;
                        }
                    }
                }
                Err(error) => {
                    self.over = true;
                    found.push(Err(error));
                    return found;
                }
            }
        }
        found
    }

    /// The connection ended: the last event, which is [`ChatEvent::Done`] only when the answer is whole. `None` when it
    /// was over already.
    pub(in crate::providers) fn end(&mut self) -> Option<Result<ChatEvent, ProviderError>> {
        if std::mem::replace(&mut self.over, true) {
            return None;
        }
        let truncated = Err(ProviderError::Truncated { received_chars: 0 });
        Some(self.reader.end().and_then(|last| last.map_or(truncated, Ok)))
    }
}
