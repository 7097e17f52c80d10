use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::{Global, LogFormatArg};
use crate::config;
use crate::cost::Alert;
use crate::report::{self, Format, Render, Style, replace_file};

/// A reader that has seen enough is no failure: what comes after is not written.
struct UntilClosed<W>(W);

impl<W: Write> Write for UntilClosed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Columns when no terminal says how wide it is.
const WIDTH: usize = 100;
/// Columns that lines are kept to on a wider terminal.
const WIDEST: usize = 120;

/// Where results, notes and errors go.
pub(super) struct Output {
    format: Format,
    path: Option<PathBuf>,
    pub(super) quiet: bool,
    color: bool,
    color_errors: bool,
    pub(super) verbose: u8,
    pub(super) log_format: Option<config::LogFormat>,
}

impl Output {
    pub(super) fn new(global: &Global) -> Self {
        let plain = config::process_environment().iter().any(|(name, value)| name == "NO_COLOR" && !value.is_empty());
        Self {
            format: global.format,
            path: global.output.clone(),
            quiet: global.quiet,
            color: !plain && global.output.is_none() && io::stdout().is_terminal(),
            color_errors: !plain && io::stderr().is_terminal(),
            verbose: global.verbose,
            log_format: global.log_format.map(|format| match format {
                LogFormatArg::Text => config::LogFormat::Text,
                LogFormatArg::Json => config::LogFormat::Json,
            }),
        }
    }

    /// The same, but the result goes to stdout whatever `--output` says.
    pub(super) fn to_stdout(global: &Global) -> Self {
        let color = Self::new(global).color_errors && io::stdout().is_terminal();
        Self { path: None, color, ..Self::new(global) }
    }

    /// Refuses a target that cannot be written, before the command has done anything.
    pub(super) fn check_target(&self) -> Result<(), Failure> {
        let parent = self.path.as_deref().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty());
        match parent.filter(|parent| !parent.is_dir()) {
            Some(missing) => {
                let message = format!("the directory {} of `--output` does not exist", missing.display());
                Err(Failure::usage(message, "make it, or name another file"))
            }
            None => Ok(()),
        }
    }

    /// Refuses a format that a command's outcome does not have, before the command has spent anything.
    pub(super) fn accepts(&self, formats: &[Format]) -> Result<(), Failure> {
        if formats.contains(&self.format) {
            return Ok(());
        }
        let names: Vec<&str> = formats.iter().map(|format| format.as_str()).collect();
        Err(Failure::usage(
            format!("this command does not write {}", self.format.as_str()),
            format!("it writes {}", names.join(", ")),
        ))
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Whether progress may be drawn.
    pub(super) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Writes an outcome in the wanted format to stdout or to the wanted file.
    pub(super) fn write<R: Render + ?Sized>(&self, outcome: &R) -> Result<(), Failure> {
        let width =
            console::Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| usize::from(columns).min(WIDEST));
        let mut text = Vec::new();
        report::write(outcome, self.format, Style { color: self.color, width }, &mut text)?;
        self.write_raw(&text)
    }

    /// Writes text as it is.
    pub(super) fn write_raw(&self, text: &[u8]) -> Result<(), Failure> {
        match &self.path {
            Some(path) => replace_file(path, |file| file.write_all(text))
                .map_err(|error| Failure::could_not_run(format!("cannot write {}: {error}", path.display()))),
            None => match io::stdout().lock().write_all(text) {
                // A reader that has seen enough is no failure.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                Err(error) => Err(Failure::could_not_run(format!("cannot write to stdout: {error}"))),
                Ok(()) => Ok(()),
            },
        }
    }

    /// Writes as `write` goes, to stdout or to the wanted file; on failure the file is left as it was.
    pub(super) fn stream<T>(&self, write: impl FnOnce(&mut dyn Write) -> Result<T, Failure>) -> Result<T, Failure> {
        let Some(path) = &self.path else {
            return write(&mut io::BufWriter::new(UntilClosed(io::stdout().lock())));
        };
        let mut written = None;
        let replaced = replace_file(path, |file| {
            let mut file = io::BufWriter::new(file);
            written = Some(write(&mut file));
            match &written {
                Some(Ok(_)) => file.flush(),
                _ => Err(io::Error::other("nothing to write")),
            }
        });
        match (written, replaced) {
            (Some(Err(failure)), _) => Err(failure),
            (Some(Ok(done)), Ok(())) => Ok(done),
            (_, Err(error)) => Err(Failure::could_not_run(format!("cannot write {}: {error}", path.display()))),
            (None, Ok(())) => Err(Failure::could_not_run("nothing was written")),
        }
    }

    /// Says something to the person at the terminal, not to the program that reads stdout.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Says that an alert has fired; also where notes are not wanted.
    pub(super) fn alert(&self, alert: &Alert) {
        let (yellow, reset) = if self.color_errors { ("\u{1b}[1;33m", "\u{1b}[0m") } else { ("", "") };
        let _ = writeln!(io::stderr(), "{yellow}alert:{reset} {}", alert.text);
    }

    /// Says why a command reached no outcome.
    pub(super) fn fail(&self, failure: &Failure) {
        let (red, cyan, reset) =
            if self.color_errors { ("\u{1b}[1;31m", "\u{1b}[1;36m", "\u{1b}[0m") } else { ("", "", "") };
        let mut text = format!("{red}error:{reset} {}", failure.message);
        if let Some(hint) = &failure.hint {
            let _ = write!(text, "\n{cyan}hint:{reset} {hint}");
        }
        let _ = writeln!(io::stderr(), "{text}");
    }
}
