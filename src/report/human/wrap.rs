use unicode_width::UnicodeWidthStr;

use super::paint::Paint;
use crate::report::Style;

/// A piece of text in one paint.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) text: String,
    pub(super) paint: Paint,
}

/// `spans` in lines of at most `style.width` columns, the first behind `first`, the others behind `next`.
///
/// Lines break between words and where the text breaks them; a word longer than a line (an address, a hash) stays
/// whole, so that it can be copied. Ends with a newline; ANSI codes in `first` take no room.
pub(super) fn wrap(spans: &[Span], first: &str, next: &str, style: Style) -> String {
    // Both prefixes are equally wide, and `next` is without codes.
    let room = style.width.saturating_sub(next.width()).max(1);
    let mut text = String::from(first);
    for (at, line) in lines(spans, room).iter().enumerate() {
        if at > 0 {
            text.push_str(next);
        }
        for span in line {
            text.push_str(&span.paint.on(&span.text, style.color));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

fn lines(spans: &[Span], room: usize) -> Vec<Vec<Span>> {
    let width: usize = spans.iter().map(|span| span.text.width()).sum();
    if width <= room && !spans.iter().any(|span| span.text.contains('\n')) {
        return vec![spans.to_vec()];
    }
    let mut lines: Vec<Vec<Span>> = vec![Vec::new()];
    let mut used = 0;
    let mut word: Vec<Span> = Vec::new();
    let mut space: Option<Paint> = None;
    for span in spans {
        for (piece, stop) in pieces(&span.text) {
            if !piece.is_empty() {
                word.push(Span { text: piece.to_owned(), paint: span.paint });
            }
            let Some(stop) = stop else { continue };
            place(&mut lines, &mut used, &mut word, space.take(), room);
            if stop == '\n' {
                lines.push(Vec::new());
                used = 0;
            } else if used > 0 {
                space = Some(span.paint);
            }
        }
    }
    place(&mut lines, &mut used, &mut word, space, room);
    lines
}

/// Words of `text`, each with the blank or line break behind it, if any.
fn pieces(text: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    text.split_inclusive([' ', '\n']).map(|piece| match piece.strip_suffix([' ', '\n']) {
        Some(word) => (word, piece.chars().last()),
        None => (piece, None),
    })
}

fn place(lines: &mut Vec<Vec<Span>>, used: &mut usize, word: &mut Vec<Span>, space: Option<Paint>, room: usize) {
    let width: usize = word.iter().map(|span| span.text.width()).sum();
    if width == 0 {
        return;
    }
    if *used > 0 && *used + usize::from(space.is_some()) + width > room {
        lines.push(Vec::new());
        *used = 0;
    } else if let Some(paint) = space.filter(|_| *used > 0) {
        word.insert(0, Span { text: " ".to_owned(), paint });
        *used += 1;
    }
    *used += width;
    if let Some(line) = lines.last_mut() {
        for span in word.drain(..) {
            match line.last_mut().filter(|last| last.paint == span.paint) {
                Some(last) => last.text.push_str(&span.text),
                None => line.push(span),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: usize) -> String {
        let span = Span { text: text.to_owned(), paint: Paint::Plain };
        wrap(&[span], "- ", "  ", Style { color: false, width })
    }

    #[test]
    fn lines_break_between_words_behind_their_prefix() {
        assert_eq!(wrapped("one two three four", 12), "- one two\n  three four\n");
        assert_eq!(wrapped("日本 語は 広い", 8), "- 日本\n  語は\n  広い\n");
        assert_eq!(wrapped("", 10), "-\n");
    }

    #[test]
    fn long_words_stay_whole_and_line_breaks_stay() {
        assert_eq!(wrapped("a https://example.org/x b", 10), "- a\n  https://example.org/x\n  b\n");
        assert_eq!(wrapped("a\n\nb", 10), "- a\n\n  b\n");
    }

    #[test]
    fn a_word_of_two_paints_is_not_broken() {
        let spans = [("see ", Paint::Plain), ("`eval`", Paint::Code), (", then", Paint::Plain)]
            .map(|(text, paint)| Span { text: text.to_owned(), paint });
        assert_eq!(wrap(&spans, "", "", Style { color: false, width: 10 }), "see\n`eval`,\nthen\n");
    }
}
