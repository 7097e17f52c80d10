//! A chart as SVG for an HTML page: the page's style sheet colours its classes, so that it follows light and dark.

mod bars;
mod lines;

use super::{Chart, Marks, points};
use crate::report::escape::markup;

/// `chart` drawn `width` pixels wide; `id` is unique in its page.
pub(in crate::report) fn svg(chart: &Chart, width: f64, id: &str) -> String {
    let canvas = match &chart.marks {
        Marks::Bars(bars) => bars::draw(chart, bars, width),
        Marks::Lines { along, series } => lines::draw(chart, along, series, width),
    };
    let title = markup(&chart.title);
    let description = markup(&description(chart));
    format!(
        "<svg class=\"chart\" viewBox=\"0 0 {width:.0} {:.0}\" role=\"img\" aria-labelledby=\"{id}t {id}d\">\n\
         <title id=\"{id}t\">{title}</title>\n<desc id=\"{id}d\">{description}</desc>\n{}</svg>\n",
        canvas.height, canvas.body
    )
}

/// The chart in words, for who cannot see it.
fn description(chart: &Chart) -> String {
    let what = chart.values.heading();
    let drawn = match &chart.marks {
        Marks::Bars(bars) => {
            let each = bars.iter().map(|bar| format!("{} {}", bar.label, chart.values.shown(bar.value)));
            format!("Bars of {what}: {}.", each.collect::<Vec<_>>().join(", "))
        }
        Marks::Lines { along, series } => {
            let names: Vec<&str> = series.iter().map(|line| line.name.as_str()).collect();
            format!("Lines of {what} over {}: {}.", along.heading(), names.join(", "))
        }
    };
    let references = points::references(chart);
    if references.is_empty() { drawn } else { format!("{drawn} Reference lines: {references}.") }
}

/// What has been drawn so far. Lengths are pixels, y grows downwards.
struct Canvas {
    height: f64,
    body: String,
}

/// Which point of a text stands at its position.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    fn new(height: f64) -> Self {
        Self { height, body: String::new() }
    }

    fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        put!(self.body, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n");
    }

    fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = markup(text);
        put!(self.body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n");
    }
}

/// Pixels: the mean width of a letter in a wide 12-pixel sans serif.
const GLYPH: f64 = 7.0;

/// About how wide `text` is in the 12-pixel font of the charts.
fn text_width(text: &str) -> f64 {
    unicode_width::UnicodeWidthStr::width(text) as f64 * GLYPH
}

/// `text` cut with an ellipsis to about `width` pixels.
fn cut(text: &str, width: f64) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if text_width(&kept) + GLYPH > width {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Axis, Bar, Series};

    fn bar(label: &str, value: Option<f64>) -> Bar {
        Bar { label: label.to_owned(), value, interval: None }
    }

    #[test]
    fn labels_cannot_leave_the_picture() {
        let chart = Chart::bars("<script>", Axis::new("</svg>", "", 2), [bar("<img src=x onerror=y>", Some(0.5))]);
        let svg = svg(&chart, 600.0, "c");
        assert!(!svg.contains("<script>") && !svg.contains("<img") && svg.matches("</svg>").count() == 1, "{svg}");
    }

    #[test]
    fn a_missing_value_draws_no_bar() {
        let chart = Chart::bars("t", Axis::new("score", "", 2), [bar("known", Some(0.5)), bar("unknown", None)]);
        let svg = svg(&chart, 600.0, "c");
        assert_eq!(svg.matches("<rect class=\"bar\"").count(), 1);
        assert!(svg.contains(">–</text>"));
    }

    #[test]
    fn odd_numbers_leave_no_nan_in_the_picture() {
        let odd = [Some(f64::NAN), Some(f64::INFINITY), Some(1e300), None, Some(-1.0), Some(0.0)];
        let bars = odd.map(|value| Bar { interval: value.map(|v| (v, v)), ..bar("x", value) });
        let points = odd.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
        let axis = || Axis::new("x", "ms", 1);
        let line = Series { name: "a".to_owned(), points };
        for chart in [
            Chart::bars("b", axis(), bars),
            Chart::lines("l", axis(), axis(), [line]),
            Chart::bars("empty", axis(), []),
            Chart::lines("empty", axis(), axis(), []),
        ] {
            let svg = svg(&chart, 300.0, "c");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn a_missing_point_breaks_the_line() {
        let points = vec![(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(1.0)), (4.0, Some(2.0))];
        let axis = || Axis::new("x", "", 0);
        let chart = Chart::lines("l", axis(), axis(), [Series { name: "a".to_owned(), points }]);
        assert_eq!(svg(&chart, 600.0, "c").matches("<polyline").count(), 2);
    }

    #[test]
    fn long_labels_are_cut_to_their_room() {
        assert_eq!(cut("short", 100.0), "short");
        let cut = cut(&"long ".repeat(30), 100.0);
        assert!(cut.ends_with('…') && text_width(&cut) <= 107.0, "{cut}");
    }
}
