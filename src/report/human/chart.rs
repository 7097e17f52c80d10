use unicode_width::UnicodeWidthStr;

use super::{INDENT, Paint};
use crate::report::chart::{drawable, references};
use crate::report::{Axis, Bar, Chart, Marks, Series, Style};

/// A line with more points than this is drawn as a sparkline instead of a bar a point.
const MAX_BARS: usize = 12;

/// A chart as bars of blocks; lines with many points as sparklines.
pub(super) fn draw(chart: &Chart, style: Style) -> String {
    let axis = chart.values.heading();
    let mut text =
        format!("{} {}\n", Paint::Bold.on(&chart.title, style.color), Paint::Dim.on(&format!("· {axis}"), style.color));
    match &chart.marks {
        Marks::Bars(bars) => text.push_str(&draw_bars(chart, bars, style)),
        Marks::Lines { along, series } if series.iter().all(|line| line.points.len() <= MAX_BARS) => {
            for line in series {
                let bars: Vec<Bar> = line.points.iter().map(|(at, value)| point(along, *at, *value)).collect();
                put!(text, "{INDENT}{}\n", Paint::Dim.on(&line.name, style.color));
                text.push_str(&draw_bars(chart, &bars, style));
            }
        }
        Marks::Lines { series, .. } => text.push_str(&sparklines(chart, series, style)),
    }
    if !chart.references.is_empty() {
        put!(text, "{INDENT}{}\n", Paint::Dim.on(&format!("│ {}", references(chart)), style.color));
    }
    text
}

fn point(along: &Axis, at: f64, value: Option<f64>) -> Bar {
    let label = if along.unit.is_empty() {
        format!("{} {}", along.title, along.shown(Some(at)))
    } else {
        format!("{} {}", along.shown(Some(at)), along.unit)
    };
    Bar { label, value, interval: None }
}

fn draw_bars(chart: &Chart, bars: &[Bar], style: Style) -> String {
    let label_room = bars.iter().map(|bar| bar.label.width()).max().unwrap_or(0).min(style.width / 3);
    let values: Vec<String> = bars.iter().map(|bar| chart.values.shown(bar.value)).collect();
    let value_room = values.iter().map(|value| value.width()).max().unwrap_or(0);
    let numbers: Vec<String> = values
        .iter()
        .zip(bars)
        .map(|(value, bar)| " ".repeat(value_room - value.width()) + value + &interval(&chart.values, bar))
        .collect();
    let number_room = numbers.iter().map(|number| number.width()).max().unwrap_or(0);
    let bar_room = style.width.saturating_sub(label_room + number_room + INDENT.len() + 4).clamp(4, 48);
    let (low, high) = chart.extent();
    let share = |value: f64| (value - low) / (high - low);
    let rules: Vec<usize> =
        chart.references.iter().map(|one| (share(one.value) * (bar_room - 1) as f64).round() as usize).collect();
    let mut text = String::new();
    for (bar, number) in bars.iter().zip(&numbers) {
        let mut drawn = match drawable(bar.value) {
            None => " ".repeat(bar_room),
            // Bars with negative values among them start at zero, somewhere inside.
            Some(value) if low < 0.0 => between(share(value.min(0.0)), share(value.max(0.0)), bar_room),
            Some(value) => blocks(share(value), bar_room),
        };
        drawn = drawn.chars().enumerate().map(|(at, c)| if rules.contains(&at) { '│' } else { c }).collect();
        let label = cut(&bar.label, label_room);
        let padding = " ".repeat(label_room.saturating_sub(label.width()));
        let drawn = Paint::Code.on(&drawn, style.color);
        put!(text, "{INDENT}{label}{padding}  {drawn}  {number}\n");
    }
    text
}

fn interval(axis: &Axis, bar: &Bar) -> String {
    let shown = |(low, high)| format!(" [{}, {}]", axis.shown(Some(low)), axis.shown(Some(high)));
    bar.interval.map_or_else(String::new, shown)
}

/// A bar of `share` (0..=1) of `room` columns, to an eighth of a column, padded with blanks.
pub(super) fn blocks(share: f64, room: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * room as f64 * 8.0).round() as usize;
    // A little is not nothing.
    let eighths = if share > 0.0 { eighths.max(1) } else { eighths };
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or_default();
    let drawn = "█".repeat(eighths / 8) + part;
    let used = eighths.div_ceil(8);
    drawn + &" ".repeat(room.saturating_sub(used))
}

/// A bar from one share of `room` columns to another, in whole columns; a sliver when it is less than half of one.
pub(super) fn between(from: f64, to: f64, room: usize) -> String {
    let column = |share: f64| (share.clamp(0.0, 1.0) * room as f64).round() as usize;
    let start = column(from).min(room.saturating_sub(1));
    let drawn = match column(to).saturating_sub(start) {
        0 => "▏".to_owned(),
        columns => "█".repeat(columns),
    };
    let used = start + drawn.width();
    " ".repeat(start) + &drawn + &" ".repeat(room.saturating_sub(used))
}

fn sparklines(chart: &Chart, series: &[Series], style: Style) -> String {
    let label_room = series.iter().map(|line| line.name.width()).max().unwrap_or(0).min(style.width / 4);
    let (low, high) = chart.extent();
    let mut text = String::new();
    for line in series {
        let values: Vec<f64> = line.points.iter().filter_map(|(_, value)| drawable(*value)).collect();
        let least = values.iter().copied().reduce(f64::min);
        let most = values.iter().copied().reduce(f64::max);
        let told = format!("{} to {}", chart.values.shown(least), chart.values.shown(most));
        let room = style.width.saturating_sub(label_room + told.width() + INDENT.len() + 4).clamp(8, 60);
        let per_column = line.points.len().div_ceil(room).max(1);
        // A column shows the greatest of its points: a spike is what one looks for.
        let column = |points: &[(f64, Option<f64>)]| {
            let value = points.iter().filter_map(|(_, value)| drawable(*value)).reduce(f64::max);
            value.map_or(' ', |value| spark((value - low) / (high - low)))
        };
        let drawn: String = line.points.chunks(per_column).map(column).collect();
        let name = cut(&line.name, label_room);
        let padding = " ".repeat(label_room.saturating_sub(name.width()));
        put!(text, "{INDENT}{name}{padding}  {}  {told}\n", Paint::Code.on(&drawn, style.color));
    }
    text
}

fn spark(share: f64) -> char {
    let level = (share.clamp(0.0, 1.0) * 7.0).round() as usize;
    ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'].get(level).copied().unwrap_or('█')
}

fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() >= room {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_drawn_to_an_eighth() {
        assert_eq!(blocks(0.5, 4), "██  ");
        assert_eq!(blocks(0.56, 4), "██▎ ");
        assert_eq!(blocks(1.0, 4), "████");
        assert_eq!(blocks(0.001, 4), "▏   ");
        assert_eq!(blocks(0.0, 4), "    ");
    }

    #[test]
    fn a_span_is_never_invisible() {
        assert_eq!(between(0.25, 0.75, 4), " ██ ");
        assert_eq!(between(0.5, 0.51, 4), "  ▏ ");
        assert_eq!(between(1.0, 1.0, 4), "   █");
    }

    #[test]
    fn many_points_become_a_sparkline() {
        let points = (0..100).map(|at| (f64::from(at), (at != 50).then_some(f64::from(at)))).collect();
        let axis = |title| Axis::new(title, "ms", 0);
        let chart = Chart::lines("L", axis("t"), axis("p95"), [Series { name: "a".into(), points }]);
        let text = draw(&chart, Style { color: false, width: 80 });
        assert!(text.contains('▁') && text.contains("0 to 99"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }
}
