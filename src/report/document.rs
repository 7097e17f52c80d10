use super::{Cell, Chart, Status, Table, neutral};
use crate::domain::Step;

/// What a person reads, in whatever format.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is about.
    pub title: String,
    /// Its parts, in order.
    pub blocks: Vec<Block>,
    /// What a program finds it by where it was posted; a reader does not see it, and only Markdown carries it.
    pub marker: Option<String>,
}

/// A part of a [`Document`].
///
/// Inline text (said where it is) knows one markup: a name between backticks. All other text is shown as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Opens a section; levels are 2..=4.
    Heading(u8, String),
    /// A paragraph of inline text.
    Text(String),
    /// What it came to, in one line of inline text.
    Verdict {
        /// How good that is.
        status: Status,
        /// The line.
        text: String,
    },
    /// Labels and values.
    Facts(Vec<(String, Cell)>),
    /// Rows and columns.
    Table(Table),
    /// A picture of numbers.
    Chart(Chart),
    /// Two texts, compared word by word.
    Diff {
        /// What is compared.
        title: String,
        /// What the texts are: `expected` and `got`.
        names: [&'static str; 2],
        /// The text that was expected, or was there before.
        expected: String,
        /// The text that came.
        got: String,
    },
    /// Code or a command to copy: the language's name, then the text.
    Code(&'static str, String),
    /// What was done one after the other, and how long each took.
    Steps(Vec<Step>),
    /// A remark in inline text.
    Note(String),
}

impl Document {
    /// A document without parts.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new(), marker: None }
    }

    /// The same with a marker, such as `tollgate:gate:manual`: a comment that begins with it is found again and
    /// replaced, and not repeated. Signs other than letters, digits and `:` `.` `/` `_` `-` become `_`.
    #[must_use]
    pub fn marker(self, marker: impl Into<String>) -> Self {
        Self { marker: Some(marker.into()), ..self }
    }

    /// The same with one more part.
    #[must_use]
    pub fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    /// Opens a section; levels are 2..=4.
    #[must_use]
    pub fn heading(self, level: u8, text: impl Into<String>) -> Self {
        self.block(Block::Heading(level, text.into()))
    }

    /// A paragraph of inline text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.block(Block::Text(text.into()))
    }

    /// What it came to, in one line of inline text.
    #[must_use]
    pub fn verdict(self, status: Status, text: impl Into<String>) -> Self {
        self.block(Block::Verdict { status, text: text.into() })
    }

    /// Labels and values.
    #[must_use]
    pub fn facts<L: Into<String>, C: Into<Cell>>(self, facts: impl IntoIterator<Item = (L, C)>) -> Self {
        self.block(Block::Facts(facts.into_iter().map(|(label, cell)| (label.into(), cell.into())).collect()))
    }

    /// Rows and columns.
    #[must_use]
    pub fn table(self, table: Table) -> Self {
        self.block(Block::Table(table))
    }

    /// A picture of numbers.
    #[must_use]
    pub fn chart(self, chart: Chart) -> Self {
        self.block(Block::Chart(chart))
    }

    /// What was expected beside what came.
    #[must_use]
    pub fn diff(self, title: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        self.compared(["expected", "got"], title, expected, got)
    }

    /// Two texts of these names, compared word by word.
    #[must_use]
    pub fn compared(
        self,
        names: [&'static str; 2],
        title: impl Into<String>,
        one: impl Into<String>,
        other: impl Into<String>,
    ) -> Self {
        self.block(Block::Diff { title: title.into(), names, expected: one.into(), got: other.into() })
    }

    /// Code or a command to copy.
    #[must_use]
    pub fn code(self, language: &'static str, text: impl Into<String>) -> Self {
        self.block(Block::Code(language, text.into()))
    }

    /// What was done one after the other.
    #[must_use]
    pub fn steps(self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.block(Block::Steps(steps.into_iter().collect()))
    }

    /// A remark in inline text.
    #[must_use]
    pub fn note(self, text: impl Into<String>) -> Self {
        self.block(Block::Note(text.into()))
    }

    /// The same without characters that a terminal would obey. Every drawing starts from this.
    pub(super) fn neutralised(self) -> Self {
        Self {
            title: neutral::line(&self.title),
            blocks: self.blocks.into_iter().map(Block::neutralised).collect(),
            marker: self.marker,
        }
    }
}

impl Block {
    fn neutralised(self) -> Self {
        let line = |text: String| neutral::line(&text);
        let text = |text: String| neutral::text(text.trim_end());
        let step = |step: Step| Step { name: line(step.name), detail: line(step.detail), ..step };
        match self {
            Self::Heading(level, words) => Self::Heading(level.clamp(2, 4), line(words)),
            Self::Text(words) => Self::Text(text(words)),
            Self::Verdict { status, text } => Self::Verdict { status, text: line(text) },
            Self::Facts(facts) => Self::Facts(
                facts.into_iter().map(|(label, cell)| (line(label), cell.map_text(neutral::line))).collect(),
            ),
            Self::Table(table) => Self::Table(table.neutralised()),
            Self::Chart(chart) => Self::Chart(chart.neutralised()),
            Self::Diff { title, names, expected, got } => {
                Self::Diff { title: line(title), names, expected: text(expected), got: text(got) }
            }
            Self::Code(language, code) => Self::Code(language, text(code)),
            Self::Steps(steps) => Self::Steps(steps.into_iter().map(step).collect()),
            Self::Note(words) => Self::Note(text(words)),
        }
    }
}
