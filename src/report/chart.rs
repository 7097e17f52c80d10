mod points;
mod scale;
mod svg;

pub(super) use points::{points, references};
pub(super) use svg::svg;

use super::cell::{finite, number};
use super::neutral;

/// A picture of numbers.
///
/// Missing values, and values beyond ±10^15, leave a gap; they are never drawn as 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The axis of the values.
    pub values: Axis,
    /// What is drawn.
    pub marks: Marks,
    /// Values to compare with: a budget, a floor, a ceiling.
    pub references: Vec<Reference>,
}

/// What an axis measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is measured.
    pub title: String,
    /// Its unit; `""` for none.
    pub unit: &'static str,
    /// Decimals of a value shown as text.
    pub decimals: usize,
    /// The least and the greatest value that must have room; more is made when the values need it.
    pub range: Option<(f64, f64)>,
}

/// What a chart draws.
#[derive(Debug, Clone, PartialEq)]
pub enum Marks {
    /// Horizontal bars from zero, one a label.
    Bars(Vec<Bar>),
    /// Lines over a common horizontal axis.
    Lines {
        /// The horizontal axis.
        along: Axis,
        /// The lines, at most six of them told apart by colour and dash.
        series: Vec<Series>,
    },
}

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it is the value of.
    pub label: String,
    /// Its length.
    pub value: Option<f64>,
    /// The value's interval (low, high).
    pub interval: Option<(f64, f64)>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, by rising position; a missing value breaks the line.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A value to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Its name.
    pub label: String,
    /// Where it stands on the axis of the values.
    pub value: f64,
}

impl Axis {
    /// An axis for values with `decimals` decimals, in `unit` (`""` for none).
    pub fn new(title: impl Into<String>, unit: &'static str, decimals: usize) -> Self {
        Self { title: title.into(), unit, decimals, range: None }
    }

    /// The same with room from `low` to `high` at least.
    #[must_use]
    pub fn range(self, low: f64, high: f64) -> Self {
        Self { range: Some((low, high)), ..self }
    }

    /// Its title with its unit.
    pub(super) fn heading(&self) -> String {
        if self.unit.is_empty() { self.title.clone() } else { format!("{} ({})", self.title, self.unit) }
    }

    /// A value on it as text, without the unit; `–` when missing.
    pub(super) fn shown(&self, value: Option<f64>) -> String {
        drawable(value).map_or_else(|| "–".to_owned(), |value| number(value, self.decimals))
    }

    fn neutralised(self) -> Self {
        Self { title: neutral::line(&self.title), ..self }
    }
}

impl Chart {
    /// A chart of bars along `values`.
    pub fn bars(title: impl Into<String>, values: Axis, bars: impl IntoIterator<Item = Bar>) -> Self {
        let marks = Marks::Bars(bars.into_iter().collect());
        Self { title: title.into(), values, marks, references: Vec::new() }
    }

    /// A chart of lines: `values` upwards, `along` to the right.
    pub fn lines(
        title: impl Into<String>,
        along: Axis,
        values: Axis,
        series: impl IntoIterator<Item = Series>,
    ) -> Self {
        let marks = Marks::Lines { along, series: series.into_iter().collect() };
        Self { title: title.into(), values, marks, references: Vec::new() }
    }

    /// The same with one more value to compare with.
    #[must_use]
    pub fn reference(mut self, label: impl Into<String>, value: f64) -> Self {
        self.references.push(Reference { label: label.into(), value });
        self
    }

    /// Low and high end of the values' axis: everything drawn has room, and zero belongs to it unless the axis
    /// says otherwise for lines.
    pub(super) fn extent(&self) -> (f64, f64) {
        let mut all: Vec<f64> = self.references.iter().map(|reference| reference.value).collect();
        match &self.marks {
            Marks::Bars(bars) => {
                all.push(0.0);
                all.extend(bars.iter().filter_map(|bar| bar.value));
                all.extend(bars.iter().filter_map(|bar| bar.interval).flat_map(|(low, high)| [low, high]));
            }
            Marks::Lines { series, .. } => {
                all.extend(self.values.range.is_none().then_some(0.0));
                all.extend(series.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value));
            }
        }
        scale::extent(all, self.values.range)
    }

    pub(super) fn neutralised(self) -> Self {
        let bar = |bar: Bar| Bar { label: neutral::line(&bar.label), ..bar };
        let line = |line: Series| Series { name: neutral::line(&line.name), ..line };
        let reference = |one: Reference| Reference { label: neutral::line(&one.label), ..one };
        let marks = match self.marks {
            Marks::Bars(bars) => Marks::Bars(bars.into_iter().map(bar).collect()),
            Marks::Lines { along, series } => {
                Marks::Lines { along: along.neutralised(), series: series.into_iter().map(line).collect() }
            }
        };
        Self {
            title: neutral::line(&self.title),
            values: self.values.neutralised(),
            marks,
            references: self
                .references
                .into_iter()
                .map(reference)
                .filter(|one| drawable(Some(one.value)).is_some())
                .collect(),
        }
    }
}

/// `value` when it can be drawn.
pub(super) fn drawable(value: Option<f64>) -> Option<f64> {
    finite(value).filter(|value| value.abs() <= 1e15)
}
