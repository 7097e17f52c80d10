//! What a vendor might send instead: for tests that nothing it sends does harm.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use crate::providers::contract::read;
use crate::providers::wire::Wire;
use crate::providers::{ChatEvent, ChatReply, ChatRequest, FinishReason};

/// `value` with each of its nodes deleted, and replaced by each of several others.
pub(in crate::providers) fn mutations(value: &Value) -> Vec<Value> {
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("x"),
        json!([]),
        json!([null]),
        json!({}),
        json!({"type": "text"}),
    ];
    let mut found = Vec::new();
    for pointer in pointers(value, "") {
        for other in &others {
            let mut copy = value.clone();
            *copy.pointer_mut(&pointer).unwrap() = other.clone();
            found.push(copy);
        }
        if let Some((parent, name)) = pointer.rsplit_once('/') {
            let mut copy = value.clone();
            match copy.pointer_mut(parent).unwrap() {
                Value::Object(map) => drop(map.remove(&name.replace("~1", "/").replace("~0", "~"))),
                Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                _ => unreachable!("only these have children"),
            }
            found.push(copy);
        }
    }
    found
}

fn pointers(value: &Value, here: &str) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => {
            map.iter().map(|(name, child)| (name.replace('~', "~0").replace('/', "~1"), child)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(at, child)| (at.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    let below = children.into_iter().flat_map(|(name, child)| pointers(child, &format!("{here}/{name}")));
    std::iter::once(here.to_owned()).chain(below).collect()
}

/// Asserts that no mutation of a whole answer panics, or passes for an answer that says nothing. Returns how many.
pub(in crate::providers) fn harmless_replies(wire: &dyn Wire, request: &ChatRequest, body: &str) -> usize {
    let all = mutations(&serde_json::from_str(body).unwrap());
    for mutation in &all {
        let text = mutation.to_string();
        let read = catch_unwind(AssertUnwindSafe(|| wire.chat_reply(request, text.as_bytes())));
        if let Ok(reply) = read.unwrap_or_else(|_| panic!("panic at {text}")) {
            assert_says_something(&reply, &text);
        }
    }
    all.len()
}

/// Asserts the same of a streamed answer: of each event's data mutated, and of each event lost, sent twice, and
/// swapped with the next. Returns how many.
pub(in crate::providers) fn harmless_streams(wire: &dyn Wire, request: &ChatRequest, sse: &str) -> usize {
    let events: Vec<&str> = sse.split_terminator("\n\n").collect();
    let mut all = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let (before, after) = (&events[..at], &events[at + 1..]);
        let with = |middle: &[&str]| [before, middle, after].concat().join("\n\n") + "\n\n";
        all.push(with(&[]));
        all.push(with(&[event, event]));
        if let Some((next, rest)) = after.split_first() {
            all.push([before, &[next, event], rest].concat().join("\n\n") + "\n\n");
        }
        let (head, data) = event.split_once("data: ").unwrap();
        let mutated = mutations(&serde_json::from_str(data).unwrap());
        all.extend(mutated.iter().map(|data| with(&[&format!("{head}data: {data}")])));
    }
    for text in &all {
        let found = catch_unwind(AssertUnwindSafe(|| read(wire, request, [text.as_bytes()])));
        let found = found.unwrap_or_else(|_| panic!("panic at {text}"));
        match found.last() {
            Some(Ok(ChatEvent::Done(reply))) => assert_says_something(reply, text),
            Some(Err(_)) => {}
            other => panic!("it ends with {other:?}: {text}"),
        }
    }
    all.len()
}

fn assert_says_something(reply: &ChatReply, sent: &str) {
    let nothing = reply.text.is_empty() && reply.tool_calls.is_empty() && reply.usage.is_none();
    assert!(!(nothing && reply.finish_reason == FinishReason::Stop), "it passes for an answer: {sent}");
    let waits = reply.finish_reason == FinishReason::ToolCalls && reply.tool_calls.is_empty();
    assert!(!waits, "it waits for nothing: {sent}");
    assert!(reply.tool_calls.iter().all(|call| !call.arguments.is_empty()), "no arguments: {sent}");
}
