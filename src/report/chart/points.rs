use super::{Axis, Bar, Chart, Marks, Series, drawable};
use crate::report::{Cell, Column, Table};

/// The numbers behind a chart: a row a bar, or a row a position with a column a line. The caption is the title.
pub(in crate::report) fn points(chart: &Chart) -> Table {
    match &chart.marks {
        Marks::Bars(bars) => bar_rows(chart, bars),
        Marks::Lines { along, series } => line_rows(chart, along, series),
    }
}

/// The values to compare with, in words: `floor 0.10, ceiling 0.84`; empty when there are none.
pub(in crate::report) fn references(chart: &Chart) -> String {
    let shown = |value| chart.values.shown(Some(value));
    let all: Vec<String> = chart.references.iter().map(|one| format!("{} {}", one.label, shown(one.value))).collect();
    all.join(", ")
}

fn bar_rows(chart: &Chart, bars: &[Bar]) -> Table {
    let axis = &chart.values;
    let intervals = bars.iter().any(|bar| bar.interval.is_some());
    let mut columns = vec![Column::text(""), Column::number(&axis.title).unit(axis.unit)];
    if intervals {
        columns.extend([Column::number("low"), Column::number("high")]);
    }
    let mut table = Table::new(&chart.title, columns);
    for bar in bars {
        let (low, high) = bar.interval.unzip();
        let numbers = [bar.value, low, high].map(|value| cell(axis, value));
        let shown = if intervals { 3 } else { 1 };
        table = table.row([Cell::Text(bar.label.clone())].into_iter().chain(numbers.into_iter().take(shown)));
    }
    table
}

fn line_rows(chart: &Chart, along: &Axis, series: &[Series]) -> Table {
    let named = series.iter().map(|line| Column::number(&line.name).unit(chart.values.unit));
    let mut table = Table::new(&chart.title, [Column::number(&along.title).unit(along.unit)].into_iter().chain(named));
    let mut positions: Vec<f64> = series.iter().flat_map(|line| &line.points).map(|(at, _)| *at).collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    for position in positions {
        let value = |line: &Series| {
            line.points.iter().find(|(at, _)| at.total_cmp(&position).is_eq()).and_then(|(_, value)| *value)
        };
        let values = series.iter().map(|line| cell(&chart.values, value(line)));
        table = table.row([cell(along, Some(position))].into_iter().chain(values));
    }
    table
}

fn cell(axis: &Axis, value: Option<f64>) -> Cell {
    Cell::Number { value: drawable(value), decimals: axis.decimals, unit: "" }
}
