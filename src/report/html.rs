//! One self-contained page: no external file, no script needed, light and dark, fit for paper.

mod blocks;
mod policy;

use super::Document;
use super::escape::markup;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/sort.js");

/// `document` as a page; it must be neutralised.
///
/// Its content security policy allows its own style and script, by hash, and nothing else: were a text to slip
/// through unescaped, it could neither run nor load anything.
pub(super) fn page(document: &Document, schema: &str) -> String {
    let title = markup(&document.title);
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        policy::source_hash(STYLE),
        policy::source_hash(SCRIPT)
    );
    let body: String =
        document.blocks.iter().enumerate().map(|(at, block)| blocks::draw(block, &format!("b{at}"))).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title} · tollgate</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n{body}</main>\n<footer>tollgate · {}</footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        markup(schema)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_loads_nothing_and_styles_nothing_inline() {
        let page = page(&Document::new("T").text("a `b`"), "thing");
        for forbidden in [" src=", " href=", " style=", " onclick=", "url(", "@import"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert!(page.contains("<p>a <code>b</code></p>"));
    }

    #[test]
    fn a_title_cannot_break_out() {
        let page = page(&Document::new("</title><script>x</script>"), "thing");
        assert_eq!(page.matches("<script>").count(), 1);
    }
}
