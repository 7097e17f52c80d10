/// Stands between a sign and what follows it, where a backslash does not keep GitHub from making a link.
const ZERO_WIDTH_SPACE: char = '\u{200B}';

/// `text` (one line) so that GitHub shows it letter by letter.
///
/// Besides Markdown's own characters this defuses what GitHub adds: mentions (`@name` notifies people), references
/// (`#12` leaves a trace in that issue), bare addresses, and mathematics between dollar signs.
/// Source: GitHub Flavored Markdown Spec 0.29, §2.4 and §6.9.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut before = None;
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '$' | '&' => safe.extend(['\\', c]),
            ':' if next == Some('/') => safe.push_str("\\:"),
            '.' if safe.to_ascii_lowercase().ends_with("www") => safe.push_str("\\."),
            '@' | '#' if next.is_some_and(char::is_alphanumeric) => safe.extend([c, ZERO_WIDTH_SPACE]),
            '#' | '+' | '-' | '=' if before.is_none() && next.is_none_or(|n| n == ' ' || n == c) => {
                safe.extend(['\\', c]);
            }
            '.' | ')' if is_number(&safe) && next.is_none_or(|n| n == ' ') => safe.extend(['\\', c]),
            c => safe.push(c),
        }
        before = Some(c);
    }
    safe
}

/// Whether a line that began like this would become a numbered list.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `text` (one line) as a code span, whatever backticks it holds.
pub(super) fn code_span(text: &str) -> String {
    let fence = "`".repeat(longest_run(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// `text` as a fenced code block, whatever fences it holds.
pub(super) fn fence(language: &str, text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_links_and_mentions_are_defused() {
        assert_eq!(escape("a|b <i> `c` *d* [e](f)"), "a\\|b \\<i\\> \\`c\\` \\*d\\* \\[e\\](f)");
        assert_eq!(escape("see https://x.y and www.x.y"), "see https\\://x.y and www\\.x.y");
        assert_eq!(escape("@all #12"), "@\u{200B}all #\u{200B}12");
        assert_eq!(escape("costs $5 & more"), "costs \\$5 \\& more");
    }

    #[test]
    fn a_line_cannot_become_a_heading_or_a_list() {
        assert_eq!(
            [escape("# a"), escape("- a"), escape("1. a"), escape("-0.61")],
            ["\\# a", "\\- a", "1\\. a", "-0.61"]
        );
    }

    #[test]
    fn code_outlasts_the_backticks_in_it() {
        assert_eq!(code_span("a``b"), "```a``b```");
        assert_eq!(code_span("`"), "`` ` ``");
        assert_eq!(fence("sh", "```\nx"), "````sh\n```\nx\n````\n");
    }
}
