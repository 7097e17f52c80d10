use super::super::scale::{Scale, extent};
use super::super::{Axis, Chart, Series, drawable};
use super::{Anchor, Canvas, cut, text_width};
use crate::report::cell::number;
use crate::report::escape::markup;

const PLOT: f64 = 210.0;
const LEGEND_ROW: f64 = 18.0;
/// Lines with more points than this get no dots.
const MAX_DOTS: usize = 40;
/// How many lines the style sheet can tell apart.
const COLOURS: usize = 6;

pub(super) fn draw(chart: &Chart, along: &Axis, series: &[Series], width: f64) -> Canvas {
    let values = chart.extent();
    let positions = series.iter().flat_map(|line| &line.points).map(|(at, _)| *at);
    let legend = legend_rows(series, width);
    let top = LEGEND_ROW * legend.len() as f64 + 28.0;
    let bottom = top + PLOT;
    let vertical = Scale::new(values, (bottom, top));
    let (ticks, decimals) = vertical.ticks(5);
    let widest = ticks.iter().map(|value| text_width(&number(*value, decimals))).fold(0.0, f64::max);
    let (left, right) = (widest + 8.0, width - 14.0);
    let horizontal = Scale::new(extent(positions, along.range), (left, right));
    let mut canvas = Canvas::new(bottom + 42.0);

    draw_legend(&mut canvas, &legend);
    canvas.text("axis-title", (0.0, top - 12.0), Anchor::Start, &cut(&chart.values.heading(), width));
    for value in ticks {
        let y = vertical.at(value);
        canvas.line("grid", (left, y), (right, y));
        canvas.text("tick", (left - 8.0, y + 4.0), Anchor::End, &number(value, decimals));
    }
    let (ticks, decimals) = horizontal.ticks(if width > 450.0 { 8 } else { 4 });
    for value in ticks {
        canvas.text("tick", (horizontal.at(value), bottom + 16.0), Anchor::Middle, &number(value, decimals));
    }
    canvas.line("axis", (left, bottom), (right, bottom));
    let title = cut(&along.heading(), right - left);
    canvas.text("axis-title", (f64::midpoint(left, right), bottom + 35.0), Anchor::Middle, &title);
    for reference in &chart.references {
        let y = vertical.at(reference.value);
        let label = format!("{} {}", reference.label, chart.values.shown(Some(reference.value)));
        canvas.line("ref", (left, y), (right, y));
        canvas.text("ref-label", (left + 6.0, y - 5.0), Anchor::Start, &cut(&label, right - left));
    }
    for (at, line) in series.iter().enumerate() {
        draw_line(&mut canvas, chart, along, line, at % COLOURS, (horizontal, vertical));
    }
    canvas
}

fn draw_line(
    canvas: &mut Canvas,
    chart: &Chart,
    along: &Axis,
    line: &Series,
    colour: usize,
    (horizontal, vertical): (Scale, Scale),
) {
    let placed = |(at, value): &(f64, Option<f64>)| drawable(Some(*at)).zip(drawable(*value));
    for run in line.points.split(|point| placed(point).is_none()) {
        let corners: Vec<String> = run
            .iter()
            .filter_map(placed)
            .map(|(at, value)| format!("{:.1},{:.1}", horizontal.at(at), vertical.at(value)))
            .collect();
        if corners.len() > 1 {
            put!(canvas.body, "<polyline class=\"line s{colour}\" points=\"{}\"/>\n", corners.join(" "));
        }
    }
    if line.points.len() > MAX_DOTS {
        return;
    }
    for (at, value) in line.points.iter().filter_map(placed) {
        let (x, y) = (horizontal.at(at), vertical.at(value));
        let told = format!("{}, {}: {}", line.name, along.shown(Some(at)), chart.values.shown(Some(value)));
        put!(
            canvas.body,
            "<circle class=\"dot s{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"><title>{}</title></circle>\n",
            markup(&told)
        );
    }
}

/// Names with their horizontal places, row by row.
fn legend_rows(series: &[Series], width: f64) -> Vec<Vec<(f64, String)>> {
    let mut rows: Vec<Vec<(f64, String)>> = Vec::new();
    let mut x = f64::INFINITY;
    for line in series {
        let name = cut(&line.name, width - 30.0);
        let needed = 24.0 + text_width(&name) + 18.0;
        if x + needed > width {
            rows.push(Vec::new());
            x = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, name));
        }
        x += needed;
    }
    rows
}

fn draw_legend(canvas: &mut Canvas, rows: &[Vec<(f64, String)>]) {
    let placed = rows.iter().enumerate().flat_map(|(row, names)| names.iter().map(move |(x, name)| (row, *x, name)));
    for (at, (row, x, name)) in placed.enumerate() {
        let y = LEGEND_ROW * (row as f64 + 0.5);
        canvas.line(&format!("line s{}", at % COLOURS), (x, y), (x + 18.0, y));
        canvas.text("legend", (x + 24.0, y + 4.0), Anchor::Start, name);
    }
}
