use super::super::scale::Scale;
use super::super::{Bar, Chart, drawable};
use super::{Anchor, Canvas, cut, text_width};
use crate::report::cell::number;
use crate::report::escape::markup;

const ROW: f64 = 26.0;
const BAR: f64 = 14.0;
const LABEL_ROW: f64 = 16.0;
const GAP: f64 = 10.0;

pub(super) fn draw(chart: &Chart, bars: &[Bar], width: f64) -> Canvas {
    let widest = |texts: Vec<f64>| texts.into_iter().fold(0.0, f64::max);
    let labels = widest(bars.iter().map(|bar| text_width(&bar.label)).collect()).min(width * 0.36);
    let numbers = widest(bars.iter().map(|bar| text_width(&chart.values.shown(bar.value))).collect());
    let (left, right) = (labels + GAP, width - numbers - GAP);
    let top = LABEL_ROW * chart.references.len() as f64 + 4.0;
    let bottom = top + ROW * bars.len() as f64;
    let mut canvas = Canvas::new(bottom + 42.0);
    let scale = Scale::new(chart.extent(), (left, right));

    axis(&mut canvas, chart, scale, (left, right), (top, bottom));
    for (row, bar) in bars.iter().enumerate() {
        let middle = top + ROW * (row as f64 + 0.5);
        canvas.text("label", (labels, middle + 4.0), Anchor::End, &cut(&bar.label, labels + 1.0));
        canvas.text("value", (width, middle + 4.0), Anchor::End, &chart.values.shown(bar.value));
        if let Some(value) = drawable(bar.value) {
            rectangle(&mut canvas, chart, bar, (scale.at(0.0), scale.at(value)), middle);
        }
        if let Some((low, high)) = bar.interval.and_then(|(low, high)| drawable(Some(low)).zip(drawable(Some(high)))) {
            whisker(&mut canvas, scale.at(low), scale.at(high), middle);
        }
    }
    for (row, reference) in chart.references.iter().enumerate() {
        let x = scale.at(reference.value);
        let y = LABEL_ROW * (row as f64 + 1.0) - 4.0;
        let (shift, anchor) = if x > width / 2.0 { (-5.0, Anchor::End) } else { (5.0, Anchor::Start) };
        let label = format!("{} {}", reference.label, chart.values.shown(Some(reference.value)));
        canvas.line("ref", (x, y - 9.0), (x, bottom));
        canvas.text("ref-label", (x + shift, y), anchor, &cut(&label, width / 2.0));
    }
    canvas
}

fn axis(canvas: &mut Canvas, chart: &Chart, scale: Scale, (left, right): (f64, f64), (top, bottom): (f64, f64)) {
    let (ticks, decimals) = scale.ticks(if right - left > 300.0 { 6 } else { 4 });
    for value in ticks {
        let x = scale.at(value);
        canvas.line("grid", (x, top), (x, bottom));
        canvas.text("tick", (x, bottom + 15.0), Anchor::Middle, &number(value, decimals));
    }
    let zero = scale.at(0.0);
    canvas.line("axis", (zero, top), (zero, bottom));
    let title = cut(&chart.values.heading(), right - left + 40.0);
    canvas.text("axis-title", (f64::midpoint(left, right), bottom + 34.0), Anchor::Middle, &title);
}

fn rectangle(canvas: &mut Canvas, chart: &Chart, bar: &Bar, (zero, end): (f64, f64), middle: f64) {
    let (x, width, y) = (zero.min(end), (end - zero).abs(), middle - BAR / 2.0);
    let mut told = format!("{}: {}", bar.label, chart.values.shown(bar.value));
    if let Some((low, high)) = bar.interval {
        told = format!("{told} ({} to {})", chart.values.shown(Some(low)), chart.values.shown(Some(high)));
    }
    let told = markup(&told);
    put!(
        canvas.body,
        "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\">\
         <title>{told}</title></rect>\n"
    );
}

fn whisker(canvas: &mut Canvas, low: f64, high: f64, middle: f64) {
    canvas.line("whisker", (low, middle), (high, middle));
    for x in [low, high] {
        canvas.line("whisker", (x, middle - 4.0), (x, middle + 4.0));
    }
}
