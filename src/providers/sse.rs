//! Server-sent events as they arrive, byte by byte.
//!
//! Source: WHATWG HTML, §9.2.6 "Interpreting an event stream". Other than a browser it refuses invalid UTF-8.

mod answer;

pub(super) use answer::StreamedAnswer;

use super::ProviderError;

/// Bytes of one event that are kept at most, unless set otherwise.
const LONGEST_EVENT_BYTES: usize = 8 * 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event: what stood between two empty lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SseEvent {
    /// Its `event:` field; "message" when it has none.
    pub(super) name: String,
    /// Its `data:` lines, joined by line feeds.
    pub(super) data: String,
}

/// Turns chunks of bytes into events, wherever the chunks are cut.
#[derive(Debug)]
pub(super) struct SseDecoder {
    longest_event_bytes: usize,
    line: Vec<u8>,
    name: String,
    data: String,
    has_data: bool,
    first_line: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    after_return: bool,
}

impl SseDecoder {
    /// A decoder at the start of a stream.
    pub(super) fn new() -> Self {
        Self::with_longest_event(LONGEST_EVENT_BYTES)
    }

    /// A decoder that refuses events of more than so many bytes.
    fn with_longest_event(longest_event_bytes: usize) -> Self {
        Self {
            longest_event_bytes,
            line: Vec::new(),
            name: String::new(),
            data: String::new(),
            has_data: false,
            first_line: true,
            after_return: false,
        }
    }

    /// Reads the next bytes; returns the events that end in them. An error is the last element, and the end of the
    /// stream: nothing may be pushed after it.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Vec<Result<SseEvent, ProviderError>> {
        let mut events = Vec::new();
        loop {
            if self.after_return && !bytes.is_empty() {
                self.after_return = false;
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else { break };
            let (part, rest) = bytes.split_at(end);
            self.after_return = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            match self.keep(part).and_then(|()| self.end_line()) {
                Ok(event) => events.extend(event.map(Ok)),
                Err(error) => {
                    events.push(Err(error));
                    return events;
                }
            }
        }
        if let Err(error) = self.keep(bytes) {
            events.push(Err(error));
        }
        events
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), ProviderError> {
        if self.line.len() + self.data.len() + part.len() > self.longest_event_bytes {
            let reason = format!("an event of the stream is longer than {} bytes", self.longest_event_bytes);
            return Err(ProviderError::Malformed { reason });
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<SseEvent>, ProviderError> {
        let line = std::mem::take(&mut self.line);
        let first = std::mem::replace(&mut self.first_line, false);
        let line = if first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        let line = std::str::from_utf8(line)
            .map_err(|_| ProviderError::Malformed { reason: "the stream is not valid UTF-8".into() })?;
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // Comments have an empty field name; `id` and `retry` are for reconnecting, which nobody does here.
            _ => {}
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Option<SseEvent> {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        let dispatched = std::mem::replace(&mut self.has_data, false);
        let name = if name.is_empty() { "message".to_owned() } else { name };
        dispatched.then_some(SseEvent { name, data })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Vec<Result<SseEvent, ProviderError>> {
        SseDecoder::with_longest_event(64).push(bytes)
    }

    fn in_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<SseEvent, ProviderError>> {
        let mut decoder = SseDecoder::with_longest_event(64);
        let mut events = Vec::new();
        for piece in pieces {
            events.extend(decoder.push(piece));
            if matches!(events.last(), Some(Err(_))) {
                break;
            }
        }
        events
    }

    fn events(expected: &[(&str, &str)]) -> Vec<Result<SseEvent, ProviderError>> {
        let event = |&(name, data): &(&str, &str)| Ok(SseEvent { name: name.into(), data: data.into() });
        expected.iter().map(event).collect()
    }

    const VARIED: &str = "\u{feff}: comment\r\ndata: é1\rdata:2\n\nevent: ping\ndata\n\nid: 7\nretry: 5\n\r\n\rdata:  x\r\n\r\ndata: \u{feff}lost";

    #[test]
    fn lines_end_in_any_of_the_three_ways() {
        assert_eq!(whole(VARIED.as_bytes()), events(&[("message", "é1\n2"), ("ping", ""), ("message", " x")]));
    }

    #[test]
    fn an_event_name_does_not_outlive_its_event() {
        assert_eq!(whole(b"event: a\n\ndata: 1\n\n"), events(&[("message", "1")]));
        assert_eq!(whole(b"event: a\nevent\ndata: 1\n\n"), events(&[("message", "1")]));
        assert_eq!(whole(b"data\ndata\n\n"), events(&[("message", "\n")]));
    }

    #[test]
    fn every_split_gives_the_same_events() {
        let bytes = VARIED.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(in_pieces(pieces), whole(bytes), "{first} {second}");
            }
        }
        assert_eq!(in_pieces(bytes.chunks(1)), whole(bytes));
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_start() {
        assert_eq!(whole("\u{feff}data: 1\n\n\u{feff}data: 2\n\n".as_bytes()), events(&[("message", "1")]));
    }

    #[test]
    fn invalid_utf8_is_an_error_after_the_events_before_it() {
        let found = whole(b"data: 1\n\ndata: \xff\n\ndata: 2\n\n");
        assert_eq!(found[..1], events(&[("message", "1")]));
        assert!(matches!(&found[1..], [Err(ProviderError::Malformed { reason })] if reason.contains("UTF-8")));
    }

    #[test]
    fn an_event_beyond_the_bound_is_refused_whether_in_one_line_or_many() {
        for bytes in [format!("data: {}", "x".repeat(60)), "data: 0123456789\n".repeat(7)] {
            let events = in_pieces(bytes.as_bytes().chunks(1));
            assert!(matches!(&events[..], [Err(ProviderError::Malformed { reason })] if reason.contains("64 bytes")));
        }
        assert_eq!(whole("data: 0123456789\n\n".repeat(50).as_bytes()).len(), 50);
    }

    const PARTS: &[&[u8]] =
        &[b"data: a", b"data", b"event: e", b":", b"\r", b"\n", b"\r\n", BYTE_ORDER_MARK, b"\xff", "ü".as_bytes()];

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_events(
            parts in prop::collection::vec(prop::sample::select(PARTS), 0..30),
            cuts in prop::collection::vec(1_usize..9, 1..30),
        ) {
            let bytes = parts.concat();
            let mut rest = &bytes[..];
            let mut pieces = Vec::new();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(in_pieces(pieces), whole(&bytes));
        }
    }
}
