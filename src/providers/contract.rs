//! What every wire must hold, whichever vendor it speaks to. Test support.

use super::sse::StreamedAnswer;
use super::wire::Wire;
use super::{ChatEvent, ChatReply, ChatRequest, ProviderError};

/// What a stream brings: events, then [`ChatEvent::Done`] or an error.
pub(super) type Read = Vec<Result<ChatEvent, ProviderError>>;

/// Reads a stream that arrives in these pieces and then ends.
pub(super) fn read<'a>(wire: &dyn Wire, request: &ChatRequest, pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut answer = StreamedAnswer::new(wire.stream_reader(request));
    let mut found = Vec::new();
    for piece in pieces {
        found.extend(answer.push(piece));
    }
    found.extend(answer.end());
    found
}

/// Asserts that the stream reads the same cut in two at every byte, and byte by byte, and that its events add up to
/// what [`ChatEvent::Done`] says. Returns what it brings.
pub(super) fn same_at_every_split(wire: &dyn Wire, request: &ChatRequest, sse: &[u8]) -> Read {
    let whole = read(wire, request, [sse]);
    for cut in 0..=sse.len() {
        let (before, after) = sse.split_at(cut);
        assert_eq!(read(wire, request, [before, after]), whole, "cut at byte {cut}");
    }
    assert_eq!(read(wire, request, sse.chunks(1)), whole, "byte by byte");
    assert_well_formed(&whole);
    whole
}

/// Asserts that a stream cut off anywhere never looks like a shorter answer: it ends in an error, or (when only its
/// last bytes are missing) in the whole answer's text, calls and finish reason.
pub(super) fn no_cut_is_a_short_success(wire: &dyn Wire, request: &ChatRequest, sse: &[u8]) {
    let whole = done(&read(wire, request, [sse]));
    for cut in 0..sse.len() {
        let found = read(wire, request, [&sse[..cut]]);
        assert_well_formed(&found);
        if let Some(Ok(ChatEvent::Done(reply))) = found.last() {
            let same = reply.text == whole.text
                && reply.tool_calls == whole.tool_calls
                && reply.finish_reason == whole.finish_reason;
            assert!(same, "cut at byte {cut} it seems whole: {reply:?}");
        }
    }
}

/// The reply at the end of what a stream brought.
pub(super) fn done(found: &Read) -> ChatReply {
    match found.last() {
        Some(Ok(ChatEvent::Done(reply))) => (**reply).clone(),
        other => panic!("the stream ended with {other:?}"),
    }
}

fn assert_well_formed(found: &Read) {
    let last = found.len().checked_sub(1).expect("a stream never just ends");
    let mut text = String::new();
    let mut calls: Vec<(Option<String>, Option<String>, String)> = Vec::new();
    for (at, event) in found.iter().enumerate() {
        match event {
            Ok(ChatEvent::Text(part)) => text.push_str(part),
            Ok(ChatEvent::ToolCall { index, id, name, arguments }) => {
                assert!(*index <= calls.len(), "calls are numbered without gaps");
                if *index == calls.len() {
                    calls.push((id.clone(), name.clone(), String::new()));
                }
                calls[*index].2.push_str(arguments);
            }
            Ok(ChatEvent::Done(reply)) => {
                assert_eq!(at, last, "something follows the end");
                assert_eq!(reply.text, text);
                let said = reply.tool_calls.iter();
                let said: Vec<_> =
                    said.map(|call| (Some(call.id.clone()), Some(call.name.clone()), call.arguments.clone())).collect();
                assert_eq!(said, calls);
            }
            Err(_) => assert_eq!(at, last, "something follows the error"),
        }
    }
    assert!(matches!(found.last(), Some(Ok(ChatEvent::Done(_)) | Err(_))), "the stream ends without an end: {found:?}");
}
