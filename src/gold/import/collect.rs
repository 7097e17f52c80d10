use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{Imported, Unmapped};
use crate::gold::Case;

/// Gathers cases and notes; makes ids unique.
pub(super) struct Collector {
    imported: Imported,
    stem: String,
    ids: HashSet<String>,
    notes: HashMap<String, usize>,
}

impl Collector {
    pub(super) fn new(path: &Path) -> Self {
        let stem = slug(&path.file_stem().unwrap_or_default().to_string_lossy());
        let stem = if stem.is_empty() { "case".to_owned() } else { stem };
        Self { imported: Imported::default(), stem, ids: HashSet::new(), notes: HashMap::new() }
    }

    /// Notes what is not carried over. The same thing at several places is one note, with the first place and a count.
    pub(super) fn note(&mut self, place: impl Into<String>, what: impl Into<String>) {
        let what = what.into();
        let index = *self.notes.entry(what.clone()).or_insert(self.imported.unmapped.len());
        match self.imported.unmapped.get_mut(index) {
            Some(unmapped) => unmapped.count += 1,
            None => self.imported.unmapped.push(Unmapped { place: place.into(), what, count: 1 }),
        }
    }

    /// Adds a case; a blank question is noted instead. A blank id is replaced, a repeated one gets a number.
    pub(super) fn case(&mut self, place: &str, mut case: Case) {
        if case.question.trim().is_empty() {
            return self.note(place, "a task without a question: left out");
        }
        let id = case.id.trim().to_owned();
        if id.is_empty() {
            let next = self.imported.cases.len() + 1;
            case.id = self.first_free(next, |number| format!("{}-{number:04}", self.stem));
        } else if self.ids.contains(&id) {
            let unique = self.first_free(2, |number| format!("{id}-{number}"));
            let note = format!("id `{id}` occurs again: this case became `{unique}`");
            self.note(place, note);
            case.id = unique;
        } else {
            case.id = id;
        }
        self.ids.insert(case.id.clone());
        self.imported.cases.push(case);
    }

    /// The first id not taken of those that `form` makes of `from`, `from + 1`, …
    fn first_free(&self, from: usize, form: impl Fn(usize) -> String) -> String {
        let mut number = from;
        while self.ids.contains(&form(number)) {
            number += 1;
        }
        form(number)
    }

    pub(super) fn header(&mut self) -> &mut crate::gold::Header {
        &mut self.imported.header
    }

    pub(super) fn finish(self) -> Imported {
        self.imported
    }
}

/// A case with nothing but a question.
pub(super) fn blank_case(question: impl Into<String>) -> Case {
    Case {
        id: String::new(),
        question: question.into(),
        expected: Vec::new(),
        graders: Vec::new(),
        expected_docs: Vec::new(),
        tags: Vec::new(),
        cluster: None,
        critical: false,
        weight: 1.0,
    }
}

/// Lower-case letters and digits, joined by single hyphens.
pub(super) fn slug(text: &str) -> String {
    let folded = crate::text::fold(text);
    crate::text::words(&folded).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_made_or_made_unique() {
        let mut collector = Collector::new(Path::new("dir/My Set.csv"));
        for id in ["", "my-set-0003", "", "x", "x"] {
            collector.case("here", Case { id: id.to_owned(), ..blank_case("q") });
        }
        let imported = collector.finish();
        let ids: Vec<&str> = imported.cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids, ["my-set-0001", "my-set-0003", "my-set-0004", "x", "x-2"]);
        assert_eq!(imported.unmapped[0].what, "id `x` occurs again: this case became `x-2`");
    }

    #[test]
    fn the_same_note_is_kept_once_and_counted() {
        let mut collector = Collector::new(Path::new("a.csv"));
        collector.note("1", "x");
        collector.note("2", "x");
        let unmapped = collector.finish().unmapped;
        assert_eq!(unmapped, [Unmapped { place: "1".to_owned(), what: "x".to_owned(), count: 2 }]);
    }
}
