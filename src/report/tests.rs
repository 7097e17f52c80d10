use super::sample::{EvalSample, HOSTILE};
use super::*;

const PLAIN: Style = Style { color: false, width: 80 };

fn shown<R: Render>(outcome: &R, format: Format, style: Style) -> String {
    let mut out = Vec::new();
    write(outcome, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// What a snapshot keeps of `text`: of an HTML page the part that differs from outcome to outcome.
fn kept(text: &str) -> &str {
    let body = text.split_once("<main>\n").and_then(|(_, rest)| rest.split_once("</main>"));
    body.map_or(text, |(body, _)| body)
}

#[test]
fn an_outcome_reads_well_in_every_format() {
    let sample = EvalSample::new();
    for format in Format::ALL {
        let text = shown(&sample, format, PLAIN);
        insta::assert_snapshot!(format.as_str(), kept(&text));
    }
    insta::assert_snapshot!("human_color", shown(&sample, Format::Human, Style { color: true, width: 80 }));
}

#[test]
fn hostile_texts_are_harmless_in_every_format() {
    let sample = EvalSample::hostile();
    for format in Format::ALL {
        let text = shown(&sample, format, PLAIN);
        insta::assert_snapshot!(format!("hostile_{format}"), kept(&text));
        for (at, c) in text.char_indices() {
            assert!(!neutral::is_dangerous(c) || c == '\n', "{format}: {c:?} at {at}");
        }
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{format}");
    }
    let html = shown(&sample, Format::Html, PLAIN);
    assert!(!html.contains("<script>alert") && !html.contains("<img"));
    let markdown = shown(&sample, Format::Markdown, PLAIN);
    // In code GitHub makes neither mentions nor links.
    let outside = markdown.split("```").step_by(2).flat_map(str::lines).filter(|line| !line.contains("``"));
    let outside: String = outside.collect();
    assert!(!outside.contains("@everyone") && !outside.contains("https://"), "{outside}");
    assert!(HOSTILE.contains('\u{1b}'));
}

#[test]
fn human_output_keeps_to_the_width() {
    for width in [60, 80, 120] {
        let text = shown(&EvalSample::new(), Format::Human, Style { color: false, width });
        for line in text.lines() {
            let reaches = unicode_width::UnicodeWidthStr::width(line);
            assert!(reaches <= width || line.trim_start().starts_with("tollgate "), "{reaches} > {width}: {line}");
        }
    }
}

#[test]
fn colour_appears_only_when_asked_for() {
    let sample = EvalSample::new();
    assert!(!shown(&sample, Format::Human, PLAIN).contains('\u{1b}'));
    assert!(shown(&sample, Format::Human, Style { color: true, width: 80 }).contains('\u{1b}'));
    assert!(!shown(&sample, Format::Markdown, Style { color: true, width: 80 }).contains('\u{1b}'));
}

#[test]
fn a_missing_form_is_an_error_that_writes_nothing() {
    #[derive(serde::Serialize)]
    struct Bare {}
    impl Render for Bare {
        fn schema_name(&self) -> &'static str {
            "bare"
        }
        fn document(&self) -> Document {
            Document::new("Bare")
        }
    }
    for format in [Format::Csv, Format::Junit] {
        let mut out = Vec::new();
        let error = write(&Bare {}, format, PLAIN, &mut out).unwrap_err();
        assert_eq!(error.to_string(), format!("`bare` cannot be written as {format}"));
        assert!(out.is_empty());
    }
}
