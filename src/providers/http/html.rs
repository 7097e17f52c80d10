/// Bytes of a page that are looked at.
const MAX_PAGE_BYTES: usize = 64 * 1024;

/// Whether a body is markup: no JSON begins like that.
pub(super) fn is_html(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    body.trim_ascii_start().starts_with(b"<")
}

/// The first `max_chars` characters that a reader of the page would see, in one line.
pub(super) fn visible_text(page: &[u8], max_chars: usize) -> String {
    let page = String::from_utf8_lossy(page.get(..MAX_PAGE_BYTES).unwrap_or(page));
    let mut seen = String::new();
    let mut hidden_until: Option<&str> = None;
    for part in page.split('<') {
        // A part is a tag and the text after it; what comes before the first tag has no `>`.
        let (tag, text) =
            part.split_once('>').unwrap_or(if part.len() == page.len() { ("", part) } else { (part, "") });
        let name = tag.split_ascii_whitespace().next().unwrap_or_default();
        if hidden_until.is_some_and(|end| name.eq_ignore_ascii_case(end)) {
            hidden_until = None;
        } else if hidden_until.is_none() {
            let hidden = [("script", "/script"), ("style", "/style")];
            hidden_until = hidden.iter().find(|(start, _)| name.eq_ignore_ascii_case(start)).map(|(_, end)| *end);
        }
        if hidden_until.is_none() {
            seen.push(' ');
            seen.push_str(text);
        }
    }
    let seen: Vec<&str> = seen.split_whitespace().collect();
    seen.join(" ").chars().take(max_chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_reader_sees_is_shown() {
        let page = b"\n<!DOCTYPE html><html><head><title>502 Bad\n Gateway</title><STYLE>p{}</STYLE>\
            <script type=x>if (a<b) {}</script></head><body><h1>502</h1><p>nginx</p></body></html>";
        assert!(is_html(page));
        assert_eq!(visible_text(page, 80), "502 Bad Gateway 502 nginx");
        assert_eq!(visible_text(page, 7), "502 Bad");
        assert!(!is_html(b"{\"a\": \"<b>\"}") && !is_html(b""));
    }

    #[test]
    fn broken_markup_is_no_trouble() {
        for page in ["<", "<<<>>>", "<script>", "a < b", "<\u{e9}>\u{e9}", ">"] {
            visible_text(page.as_bytes(), 10);
        }
        assert_eq!(visible_text(b"plain", 80), "plain");
        assert_eq!(visible_text(b"<p>\xff</p>", 80), "\u{fffd}");
    }
}
