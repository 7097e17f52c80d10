/// A piece of inline text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inline<'a> {
    /// As it stands.
    Plain(&'a str),
    /// Between backticks: a name, a value, a command.
    Code(&'a str),
}

/// Splits `text` at pairs of backticks, the only markup; a backtick without a partner stays as it is.
pub(super) fn inline(text: &str) -> Vec<Inline<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, code, after)) = first_code(rest) {
        pieces.push(Inline::Plain(before));
        pieces.push(Inline::Code(code));
        rest = after;
    }
    pieces.push(Inline::Plain(rest));
    pieces.retain(|piece| *piece != Inline::Plain(""));
    pieces
}

fn first_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, opened) = text.split_once('`')?;
    let (code, after) = opened.split_once('`')?;
    Some((before, code, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_in_pairs_are_code() {
        use Inline::{Code, Plain};
        assert_eq!(inline("run `a b`, then `c`"), [Plain("run "), Code("a b"), Plain(", then "), Code("c")]);
        assert_eq!(inline("one ` alone"), [Plain("one ` alone")]);
        assert_eq!(inline(""), []);
    }
}
