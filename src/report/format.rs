use std::fmt;

/// A form in which an outcome can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a person at a terminal.
    Human,
    /// The serialized outcome, versioned.
    Json,
    /// GitHub-flavoured Markdown, for a pull request's comment.
    Markdown,
    /// JUnit XML, for a CI system's test view.
    Junit,
    /// Rows, for a spreadsheet.
    Csv,
    /// One self-contained page.
    Html,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::Human, Self::Json, Self::Markdown, Self::Junit, Self::Csv, Self::Html];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
            Self::Markdown => "markdown",
            Self::Junit => "junit",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How human output is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether ANSI colours are used; the output reads the same without.
    pub color: bool,
    /// Columns to wrap to; less than 40 is taken as 40.
    pub width: usize,
}
