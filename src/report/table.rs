use super::{Cell, neutral};

/// Where a column's values stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// For words.
    Left,
    /// For numbers.
    Right,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its heading.
    pub title: String,
    /// Where its values stand.
    pub align: Align,
    /// The unit of all its values, shown in the heading; `""` for none.
    pub unit: &'static str,
}

impl Column {
    /// A column of words.
    pub fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Left, unit: "" }
    }

    /// A column of numbers.
    pub fn number(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Right, unit: "" }
    }

    /// The same with a unit for all its values.
    #[must_use]
    pub fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    /// The heading with its unit.
    pub(super) fn heading(&self) -> String {
        if self.unit.is_empty() { self.title.clone() } else { format!("{} ({})", self.title, self.unit) }
    }
}

/// Rows of cells under a caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What the rows are; may be empty.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; a short one is filled with missing values.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(caption: impl Into<String>, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { caption: caption.into(), columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// The same with one more row.
    #[must_use]
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    pub(super) fn neutralised(self) -> Self {
        let width = self.columns.len();
        let column = |column: Column| Column { title: neutral::line(&column.title), ..column };
        let row = |mut cells: Vec<Cell>| {
            cells.resize(width, Cell::Missing);
            cells.into_iter().map(|cell| cell.map_text(neutral::line)).collect()
        };
        Self {
            caption: neutral::line(&self.caption),
            columns: self.columns.into_iter().map(column).collect(),
            rows: self.rows.into_iter().map(row).collect(),
        }
    }
}
