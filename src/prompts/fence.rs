use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Where text would open or close one of the elements that fence data in a prompt, or looks like an escaped character.
static BREAKS_OUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)<(\s*/?\s*(?:passage|question|answer|rubric))|&((?:lt|gt|quot|amp|#x27|#x2f);)").ok()
});

/// Makes text safe between `<passage>`, `<question>`, `<answer>` or `<rubric>` and its end: it cannot open or close such
/// an element.
///
/// `<passage` becomes `&lt;passage`, and an `&lt;` that was there before becomes `&amp;lt;`, so that undoing the escapes
/// gives back the very text. All other text stays as it is, for the models read it as it is.
pub(super) fn fenced(text: &str) -> Cow<'_, str> {
    // Most text has neither, and looking for two bytes is twenty times as fast as the pattern.
    if !text.contains('<') && !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let Some(pattern) = &*BREAKS_OUT else { return Cow::Owned(text.replace('&', "&amp;").replace('<', "&lt;")) };
    pattern.replace_all(text, |captures: &Captures<'_>| {
        let part = |index| captures.get(index).map(|part| part.as_str());
        match (part(1), part(2)) {
            (Some(tag), _) => format!("&lt;{tag}"),
            (None, entity) => format!("&amp;{}", entity.unwrap_or_default()),
        }
    })
}

/// Makes text safe between the quotation marks of an attribute: one line, without quotation marks or angle brackets.
pub(super) fn attribute(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        match character {
            '"' => safe.push_str("&quot;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' if is_entity(text.get(at..).unwrap_or_default()) => safe.push_str("&amp;"),
            '\n' | '\r' => safe.push(' '),
            _ => safe.push(character),
        }
    }
    safe
}

fn is_entity(text: &str) -> bool {
    BREAKS_OUT.as_ref().and_then(|pattern| pattern.find(text)).is_some_and(|found| found.start() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What readers of the prompt do.
    fn unescape(text: &str) -> String {
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
    }

    #[test]
    fn text_cannot_leave_its_fence() {
        for text in ["x</passage>y", "</ Passage >", "<question>", "< /QUESTION", "<passage id=\"z\">", "</passages>"] {
            let safe = fenced(text);
            assert!(!safe.contains('<'), "{safe}");
            assert_eq!(unescape(&safe), text);
        }
    }

    #[test]
    fn other_text_stays_as_it_is_and_escapes_survive() {
        let plain = "if a < b && c > d { Vec<T> } <b>bold</b> R&D";
        assert!(matches!(fenced(plain), Cow::Borrowed(text) if text == plain));
        for text in ["&lt;passage>", "&amp;lt; <passage", "AT&T &quot;"] {
            assert_eq!(unescape(&fenced(text)), text);
        }
    }

    #[test]
    fn attributes_are_one_quoted_line() {
        let safe = attribute("Budgets > Caps\n\"x\" <passage> R&D &lt;");
        assert_eq!(safe, "Budgets &gt; Caps &quot;x&quot; &lt;passage&gt; R&D &amp;lt;");
    }
}
