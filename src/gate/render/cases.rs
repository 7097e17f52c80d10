use super::words::{counted, plural, signed};
use crate::gate::outcome::{GateReport, MovedCase};
use crate::report::{Cell, Column, Document, Records, Table};

/// Regressions that a person is shown in full; the others have a line each.
const REGRESSIONS_IN_FULL: usize = 5;
/// The same for improvements.
const IMPROVEMENTS_IN_FULL: usize = 3;
/// Letters of a question or an answer that a person is shown; JSON has them all.
const LETTERS_SHOWN: usize = 600;

impl GateReport {
    /// The cases that moved: losses by damage, then gains.
    pub(super) fn add_cases(&self, mut document: Document) -> Document {
        let counts = &self.counts;
        if !self.fell.is_empty() {
            let fell = plural(self.fell.len() as u64 + self.fell_unlisted, "case lost score", "cases lost score");
            let repeats = self.baseline.repeats.max(self.candidate.repeats);
            let repeats = if repeats > 1 { " Of the repeats, the worst answer is shown." } else { "" };
            document = document.heading(2, "Regressions").text(format!(
                "{fell}; {} went from right to wrong. What costs the gold set's score most comes first.{repeats}",
                counted(counts.regressed)
            ));
            document = add_moved(document, &self.fell, REGRESSIONS_IN_FULL, self.fell_unlisted);
        }
        if !self.rose.is_empty() {
            let rose = plural(self.rose.len() as u64 + self.rose_unlisted, "case gained score", "cases gained score");
            let improved = counted(counts.improved);
            document =
                document.heading(2, "Improvements").text(format!("{rose}; {improved} went from wrong to right."));
            document = add_moved(document, &self.rose, IMPROVEMENTS_IN_FULL, self.rose_unlisted);
        }
        document
    }

    pub(super) fn moved_rows(&self) -> Records {
        let header = [
            "case",
            "tags",
            "critical",
            "before",
            "after",
            "damage",
            "passed_before",
            "passes_now",
            "question",
            "expected",
            "then",
            "now",
            "error",
            "repro",
        ];
        self.fell.iter().chain(&self.rose).fold(Records::new(header), |records, case| {
            let word = |yes: bool| Cell::from(if yes { "yes" } else { "no" });
            records.row([
                Cell::Code(case.case.clone()),
                case.tags.join(" ").into(),
                word(case.critical),
                Cell::score(Some(case.before)),
                Cell::score(Some(case.after)),
                Cell::score(Some(case.damage)),
                word(case.passed_before),
                word(case.passes_now),
                case.question.clone().into(),
                case.expected.join("\n").into(),
                case.then.clone().into(),
                case.now.clone().into(),
                case.error.clone().into(),
                Cell::Code(case.repro.clone()),
            ])
        })
    }
}

fn add_moved(document: Document, moved: &[MovedCase], in_full: usize, unlisted: u64) -> Document {
    let (full, brief) = moved.split_at(in_full.min(moved.len()));
    let mut document = full.iter().fold(document, |document, case| case.add_to(document));
    if !brief.is_empty() {
        let columns = [
            Column::text("case"),
            Column::number("then"),
            Column::number("now"),
            Column::number("set's score"),
            Column::text(""),
        ];
        document = document.table(brief.iter().fold(Table::new("The others", columns), |table, case| {
            table.row([
                Cell::Code(case.case.clone()),
                Cell::score(Some(case.before)),
                Cell::score(Some(case.after)),
                Cell::Change { value: Some(case.damage), decimals: 4, unit: "" },
                case.flip().into(),
            ])
        }));
    }
    if unlisted > 0 {
        let more = plural(unlisted, "more case that moved less is", "more cases that moved less are");
        document = document.text(format!("{more} not listed."));
    }
    document
}

impl MovedCase {
    fn add_to(&self, document: Document) -> Document {
        let title = format!("{} · {:.3} → {:.3} · {}", self.case, self.before, self.after, self.flip());
        let label = if self.damage < 0.0 { "damage" } else { "gain" };
        let size = signed(self.damage.abs(), 4);
        let size = format!("{} of the gold set's score", size.trim_start_matches('+'));
        document
            .heading(3, title)
            .facts([
                ("question", Cell::Text(shown(&self.question))),
                ("expected", Cell::Text(shown(&self.wanted(" · or: ")))),
                (label, Cell::Text(size)),
            ])
            .compared(["then", "now"], "", shown(&self.then), shown(&self.got()))
            .code("sh", self.repro.clone())
    }

    /// What became of it, in a few words.
    pub(super) fn flip(&self) -> String {
        let moved = match (self.passed_before, self.passes_now) {
            (true, true) => "still right",
            (false, false) => "still wrong",
            (true, false) => "right → wrong",
            (false, true) => "wrong → right",
        };
        if self.critical { format!("{moved}, critical") } else { moved.to_owned() }
    }

    /// The acceptable answers.
    pub(super) fn wanted(&self, or: &str) -> String {
        if self.expected.is_empty() { "(a refusal)".to_owned() } else { self.expected.join(or) }
    }

    /// The candidate's answer, or why there is none.
    pub(super) fn got(&self) -> String {
        self.error.as_ref().map_or_else(|| self.now.clone(), |error| format!("(no answer: {error})"))
    }
}

/// The beginning of a text that somebody else wrote.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(LETTERS_SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
