use std::borrow::Cow;

use crate::providers::{ChatMessage, Role};

/// What the model finds in its prompt.
#[derive(Debug, Default)]
pub(super) struct Prompt<'a> {
    pub(super) passages: Vec<PromptPassage<'a>>,
    pub(super) question: Cow<'a, str>,
}

#[derive(Debug)]
pub(super) struct PromptPassage<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) heading: Cow<'a, str>,
    pub(super) text: Cow<'a, str>,
}

impl PromptPassage<'_> {
    /// The part of the id that names the document.
    pub(super) fn document(&self) -> &str {
        self.id.split_once('#').map_or(&*self.id, |(document, _)| document)
    }
}

/// Reads passages and question; `None` without a question. The last question counts, with the passages of the system
/// messages and of the turn that it is asked in: what was answered before it are examples, or another matter.
pub(super) fn read(messages: &[ChatMessage]) -> Option<Prompt<'_>> {
    let asks =
        |message: &ChatMessage| message.role != Role::Assistant && element(&message.content, "question").is_some();
    let asking = messages.iter().rposition(asks)?;
    let until_then = messages.get(..=asking)?;
    let turn = until_then.iter().rposition(|message| message.role == Role::Assistant).map_or(0, |at| at + 1);
    let mut prompt = Prompt::default();
    for (at, message) in until_then.iter().enumerate() {
        if at < turn && message.role != Role::System {
            continue;
        }
        let mut rest = message.content.as_str();
        while let Some((attributes, content, after)) = element(rest, "passage") {
            prompt.passages.push(PromptPassage {
                id: attribute(attributes, "id"),
                heading: attribute(attributes, "heading"),
                text: unescape(content.trim()),
            });
            rest = after;
        }
        let mut rest = message.content.as_str();
        while let Some((_, content, after)) = element(rest, "question") {
            prompt.question = unescape(content.trim());
            rest = after;
        }
    }
    Some(prompt)
}

/// The first `<name …>…</name>`: its attributes, its content, and what follows it.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.find(&format!("<{name}"))?;
        let tag = text.get(open + 1 + name.len()..)?;
        if tag.starts_with(['>', ' ', '\n']) {
            let (attributes, rest) = tag.split_once('>')?;
            let (content, after) = rest.split_once(&format!("</{name}>"))?;
            return Some((attributes, content, after));
        }
        from = open + 1;
    }
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Cow<'a, str> {
    let value = attributes.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    unescape(value.map_or("", |(value, _)| value))
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#x27;", "'");
    Cow::Owned(plain.replace("&#x2f;", "/").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(messages: &[(Role, &str)]) -> Option<(String, Vec<String>)> {
        let messages: Vec<ChatMessage> = messages.iter().map(|(role, text)| ChatMessage::new(*role, *text)).collect();
        let prompt = read(&messages)?;
        Some((prompt.question.into_owned(), prompt.passages.iter().map(|passage| passage.id.to_string()).collect()))
    }

    #[test]
    fn examples_before_the_question_are_not_read() {
        let example = (Role::User, "<passage id=\"e\">x</passage><question>old?</question>");
        let answer = (Role::Assistant, "{\"answer\": \"<question>no</question>\"}");
        let asked = (Role::User, "<passage id=\"a\">x</passage><question>new?</question>");
        let found = Some(("new?".to_owned(), vec!["a".to_owned()]));
        assert_eq!(ids(&[(Role::System, "s"), example, answer, asked]), found);
        // A repair is asked for without the question; the one before it still counts.
        assert_eq!(ids(&[example, answer, asked, (Role::Assistant, "{}"), (Role::User, "again")]), found);
        assert_eq!(ids(&[(Role::User, "x")]), None);
    }

    #[test]
    fn passages_may_stand_apart_from_the_question() {
        let system = (Role::System, "<passage id=\"s\">x</passage>");
        let passage = (Role::User, "<passage id=\"u\">x</passage>");
        let (question, passages) = ids(&[system, passage, (Role::User, "<question>q</question>")]).unwrap();
        assert_eq!((question.as_str(), passages), ("q", vec!["s".to_owned(), "u".to_owned()]));
    }
}
