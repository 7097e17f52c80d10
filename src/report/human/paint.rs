use crate::report::Status;

/// How a piece of text is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Code,
    Note,
}

impl Paint {
    pub(super) fn of(status: Status) -> Self {
        match status {
            Status::Good => Self::Good,
            Status::Bad => Self::Bad,
            Status::Warn => Self::Warn,
            Status::Neutral => Self::Dim,
        }
    }

    /// `text` between ANSI codes, when there is colour.
    pub(super) fn on(self, text: &str, color: bool) -> String {
        if !color || text.is_empty() {
            return text.to_owned();
        }
        let codes = match self {
            Self::Plain => return text.to_owned(),
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Bad => "31",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Code => "36",
            Self::Note => "1;36",
        };
        format!("\u{1b}[{codes}m{text}\u{1b}[0m")
    }
}
