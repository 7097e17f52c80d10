use std::borrow::Cow;

use crate::providers::ChatMessage;

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

/// Reads passages and question; `None` without a question. The last question counts.
pub(super) fn read(messages: &[ChatMessage]) -> Option<Prompt<'_>> {
    let mut prompt = Prompt::default();
    let mut asked = false;
    for message in messages {
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
            asked = true;
            rest = after;
        }
    }
    asked.then_some(prompt)
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
