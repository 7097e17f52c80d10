//! Takes the power out of characters that move a cursor, ring a bell, colour a terminal or reorder a line.

/// Whether a terminal or a viewer may act on `c` instead of showing it: control characters (C0, DEL, C1, so that
/// neither `ESC [` nor the one-character CSI passes) and the bidirectional overrides and isolates
/// (Boucher & Anderson (2021), Trojan Source).
pub(super) fn is_dangerous(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// `text` with line breaks as `\n`, tabs as four spaces, and dangerous characters made visible (`␛`) or `�`.
pub(super) fn text(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\t' => clean.push_str("    "),
            // Unicode's control pictures stand in the order of the control characters.
            '\0'..='\u{1F}' => clean.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{FFFD}')),
            '\u{7F}' => clean.push('\u{2421}'),
            c if is_dangerous(c) => clean.push('\u{FFFD}'),
            c => clean.push(c),
        }
    }
    clean
}

/// The same on one line: runs of white space become one space, none is left at the ends.
pub(super) fn line(text: &str) -> String {
    self::text(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_obeyed() {
        assert_eq!(text("\u{1b}[2J\u{9b}31m\u{7}\u{7f}"), "␛[2J\u{FFFD}31m␇␡");
        assert_eq!(text("abc\u{202e}fed"), "abc\u{FFFD}fed");
    }

    #[test]
    fn line_breaks_are_unified_or_folded() {
        assert_eq!(text("a\r\nb\rc\u{2028}d\te"), "a\nb\nc\nd    e");
        assert_eq!(line(" a\r\n\n b\t "), "a b");
    }

    #[test]
    fn other_scripts_and_emoji_survive() {
        for fine in ["naïve", "日本語", "עברית", "👩‍💻", "a\u{301}"] {
            assert_eq!(text(fine), fine);
        }
    }
}
