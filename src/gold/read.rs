use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{GoldError, Problem};
use super::lines::{Line, Lines, MAX_LINE_BYTES};
use super::parse::{Header, Validate, parse_case, parse_header};
use super::{Case, Check, Grader};
use crate::domain::ContentHash;

/// Problems beyond this many are only counted.
const MAX_PROBLEMS: usize = 100;

/// A gold set whose every line was found good. It holds no cases: they are read from the file when they are needed.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct GoldSet {
    /// Its file.
    pub path: PathBuf,
    /// The file's name without its ending.
    pub name: String,
    /// SHA-256 of the file's content.
    pub hash: ContentHash,
    /// What its first line says about all of it.
    pub header: Header,
    /// Number of cases, at least 1.
    pub case_count: usize,
    /// Cases that have an expected answer.
    pub answerable_count: usize,
    /// Number of cases by tag.
    pub tags: BTreeMap<String, usize>,
    #[serde(skip)]
    bytes: u64,
}

impl GoldSet {
    /// Reads a file once from end to end and checks every line of it, in constant memory but for 64 bits a case.
    ///
    /// `validate` judges the settings that only the graders themselves understand.
    ///
    /// # Errors
    /// [`GoldError::Invalid`] lists everything that is wrong; [`GoldError::Unreadable`] when the file cannot be read.
    pub fn open(path: &Path, validate: impl Fn(&Check) -> Result<(), String>) -> Result<Self, GoldError> {
        let unreadable = |source| GoldError::Unreadable { path: path.to_owned(), source };
        let mut lines = Lines::new(open_file(path)?);
        let mut survey = Survey::default();
        while let Some((number, line)) = lines.next_line().map_err(unreadable)? {
            survey.line(number, line, &validate);
        }
        if survey.cases == 0 && survey.problems.is_empty() {
            survey.problem(Problem {
                line: 1,
                column: 1,
                field: None,
                message: "it holds no cases".to_owned(),
                hint: Some(r#"write one case a line: {"id": "…", "question": "…", "expected": "…"}"#.to_owned()),
            });
        }
        if !survey.duplicates.is_empty() {
            name_first_lines(path, &mut survey).map_err(unreadable)?;
        }
        if !survey.problems.is_empty() {
            return Err(GoldError::Invalid { path: path.to_owned(), problems: survey.problems, more: survey.more });
        }
        Ok(Self {
            path: path.to_owned(),
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            bytes: lines.bytes(),
            hash: lines.finish(),
            header: survey.header.unwrap_or_default(),
            case_count: survey.cases,
            answerable_count: survey.answerable,
            tags: survey.tags,
        })
    }

    /// The cases in the order of the file, read while they are asked for.
    ///
    /// # Errors
    /// [`GoldError::ChangedUnderneath`] at once when the file's size is another one than when it was opened, and as the
    /// last item when its content turns out to be another.
    pub fn cases(&self) -> Result<impl Iterator<Item = Result<Case, GoldError>> + Send + use<>, GoldError> {
        Ok(self.located_cases()?.map(|located| located.map(|(_, case)| case)))
    }

    /// The cases with the numbers of their lines.
    pub(super) fn located_cases(&self) -> Result<Cases, GoldError> {
        let file = open_file(&self.path)?;
        let length = file.metadata().map_err(|source| self.unreadable(source))?.len();
        if length != self.bytes {
            return Err(GoldError::ChangedUnderneath { path: self.path.clone() });
        }
        Ok(Cases { lines: Some(Lines::new(file)), seen_first: false, path: self.path.clone(), hash: self.hash.clone() })
    }

    /// The graders that judge this case: its own, else the set's; else the words it shares with the expected answer, or
    /// whether it was rightly refused.
    pub fn graders_for(&self, case: &Case) -> Vec<Grader> {
        if !case.graders.is_empty() {
            return case.graders.clone();
        }
        if !self.header.graders.is_empty() {
            return self.header.graders.clone();
        }
        let check = if case.is_answerable() { Check::TokenF1 {} } else { Check::Refusal { expect: None } };
        vec![Grader { check, weight: 1.0 }]
    }

    fn unreadable(&self, source: io::Error) -> GoldError {
        GoldError::Unreadable { path: self.path.clone(), source }
    }
}

fn open_file(path: &Path) -> Result<File, GoldError> {
    File::open(path).map_err(|source| GoldError::Unreadable { path: path.to_owned(), source })
}

/// What is known after some lines of a file.
#[derive(Default)]
struct Survey {
    seen_first: bool,
    header: Option<Header>,
    cases: usize,
    answerable: usize,
    tags: BTreeMap<String, usize>,
    ids: HashSet<u64>,
    /// Ids that were seen before, with the index of their problem.
    duplicates: HashMap<String, Vec<usize>>,
    problems: Vec<Problem>,
    more: usize,
}

impl Survey {
    fn line(&mut self, number: usize, line: Line<'_>, validate: Validate<'_>) {
        let located = |column, message: String| Problem { line: number, column, field: None, message, hint: None };
        match line {
            Line::TooLong => {
                let message = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                let hint = Some("write one case a line, each on a line of its own".to_owned());
                self.problem(Problem { hint, ..located(1, message) });
            }
            Line::NotUtf8 { column } => {
                let hint = Some("save the file as UTF-8".to_owned());
                self.problem(Problem { hint, ..located(column, "not valid UTF-8".to_owned()) });
            }
            Line::Text(text) if text.trim().is_empty() => return,
            Line::Text(text) => self.text(number, text, validate),
        }
        self.seen_first = true;
    }

    fn text(&mut self, number: usize, text: &str, validate: Validate<'_>) {
        if !self.seen_first {
            match parse_header(number, text, validate) {
                Some(Ok(header)) => {
                    self.header = Some(header);
                    return;
                }
                Some(Err(problems)) => return problems.into_iter().for_each(|problem| self.problem(problem)),
                None => {}
            }
        }
        match parse_case(number, text, validate) {
            Ok(case) => self.case(number, case),
            Err(problems) => problems.into_iter().for_each(|problem| self.problem(problem)),
        }
    }

    fn case(&mut self, number: usize, case: Case) {
        self.cases += 1;
        self.answerable += usize::from(case.is_answerable());
        if !self.ids.insert(id_hash(&case.id)) {
            if self.problems.len() < MAX_PROBLEMS {
                self.duplicates.entry(case.id.clone()).or_default().push(self.problems.len());
            }
            self.problem(Problem {
                line: number,
                column: 1,
                field: Some("id".to_owned()),
                message: format!("`{}` is already the id of another case", case.id),
                hint: Some("give every case an id of its own".to_owned()),
            });
        }
        for tag in case.tags {
            *self.tags.entry(tag).or_default() += 1;
        }
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more += 1;
        }
    }
}

fn id_hash(id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

/// Only hashes of ids are kept while reading, so the lines that duplicates repeat are looked up afterwards.
fn name_first_lines(path: &Path, survey: &mut Survey) -> io::Result<()> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: String,
    }
    let mut lines = Lines::new(File::open(path)?);
    while let Some((number, line)) = lines.next_line()? {
        let Line::Text(text) = line else { continue };
        let Ok(OnlyId { id }) = serde_json::from_str(text) else { continue };
        for index in survey.duplicates.remove(&id).into_iter().flatten() {
            if let Some(problem) = survey.problems.get_mut(index) {
                problem.message = format!("`{id}` is already the id of the case in line {number}");
            }
        }
        if survey.duplicates.is_empty() {
            break;
        }
    }
    Ok(())
}

/// The cases of a file that was checked before.
pub(super) struct Cases {
    lines: Option<Lines<File>>,
    seen_first: bool,
    path: PathBuf,
    hash: ContentHash,
}

impl Iterator for Cases {
    type Item = Result<(usize, Case), GoldError>;

    fn next(&mut self) -> Option<Self::Item> {
        let trusted = |_: &Check| Ok(());
        let lines = self.lines.as_mut()?;
        let changed = || GoldError::ChangedUnderneath { path: self.path.clone() };
        let error = loop {
            match lines.next_line() {
                Err(source) => break GoldError::Unreadable { path: self.path.clone(), source },
                Ok(None) => {
                    let same = self.lines.take().is_some_and(|lines| lines.finish() == self.hash);
                    return if same { None } else { Some(Err(changed())) };
                }
                Ok(Some((_, Line::Text(text)))) if text.trim().is_empty() => {}
                Ok(Some((number, Line::Text(text)))) => {
                    if !std::mem::replace(&mut self.seen_first, true) && parse_header(number, text, &trusted).is_some()
                    {
                        continue;
                    }
                    match parse_case(number, text, &trusted) {
                        Ok(case) => return Some(Ok((number, case))),
                        Err(_) => break changed(),
                    }
                }
                Ok(Some(_)) => break changed(),
            }
        };
        self.lines = None;
        Some(Err(error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        fs::write(&path, content).unwrap();
        (directory, path)
    }

    fn problems(content: impl AsRef<[u8]>) -> (Vec<String>, usize) {
        let (_directory, path) = written(content);
        match GoldSet::open(&path, |_| Ok(())) {
            Err(GoldError::Invalid { problems, more, .. }) => {
                (problems.iter().map(ToString::to_string).collect(), more)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_set_is_surveyed_and_its_cases_are_read_again() {
        let content = "\u{feff}{\"gold_set\":{\"description\":\"d\",\"pass_score\":0.3}}\r\n\r\n\
            {\"id\":\"a\",\"question\":\"q\",\"expected\":\"x\",\"tags\":[\"t\",\"u\"]}\r\n\
            {\"id\":\"b\",\"question\":\"q\",\"tags\":[\"t\"]}";
        let (_directory, path) = written(content);
        let set = GoldSet::open(&path, |_| Ok(())).unwrap();
        assert_eq!((set.name.as_str(), set.case_count, set.answerable_count), ("set", 2, 1));
        assert_eq!(set.hash, ContentHash::of(content.as_bytes()));
        assert_eq!(set.header.description.as_deref(), Some("d"));
        assert_eq!(set.tags, BTreeMap::from([("t".to_owned(), 2), ("u".to_owned(), 1)]));
        let located: Vec<(usize, String)> =
            set.located_cases().unwrap().map(|item| item.map(|(line, case)| (line, case.id)).unwrap()).collect();
        assert_eq!(located, [(3, "a".to_owned()), (4, "b".to_owned())]);
        assert_eq!(
            set.graders_for(&set.cases().unwrap().nth(1).unwrap().unwrap())[0].check,
            Check::Refusal { expect: None }
        );
    }

    #[test]
    fn every_line_is_checked_and_a_duplicate_names_the_first() {
        let content = b"{\"id\":\"a\",\"question\":\"q\"}\n{\"id\":\"b\"}\n\xff\n{\"id\":\"a\",\"question\":\"r\"}\n{\"gold_set\":{}}\n";
        let (found, more) = problems(content);
        assert_eq!(more, 0);
        assert_eq!(found[0], "2:1: question: is missing");
        assert_eq!(found[1], "3:1: not valid UTF-8\n  hint: save the file as UTF-8");
        assert!(found[2].starts_with("4:1: id: `a` is already the id of the case in line 1"), "{}", found[2]);
        assert_eq!(found[3], "5:2: gold_set: unknown field `gold_set`\n  hint: the header must be the first line");
    }

    #[test]
    fn at_most_a_hundred_problems_are_listed_and_the_rest_counted() {
        let (found, more) = problems("{\n".repeat(250));
        assert_eq!((found.len(), more), (100, 150));
    }

    #[test]
    fn a_set_without_cases_is_refused() {
        for content in ["", "\n\n", "{\"gold_set\":{}}\n"] {
            assert!(problems(content).0[0].starts_with("1:1: it holds no cases"), "{content}");
        }
    }

    #[test]
    fn a_line_too_long_is_a_located_problem_and_the_rest_is_still_checked() {
        let (found, _) = problems(format!("{}\n{{\n", "x".repeat(MAX_LINE_BYTES + 1)));
        assert!(found[0].starts_with("1:1: the line is longer than 1048576 bytes"));
        assert!(found[1].starts_with("2:1: malformed JSON"), "{}", found[1]);
    }

    #[test]
    fn a_file_that_changes_after_it_was_opened_is_noticed() {
        let (_directory, path) = written("{\"id\":\"a\",\"question\":\"q\"}\n");
        let set = GoldSet::open(&path, |_| Ok(())).unwrap();
        fs::write(&path, "{\"id\":\"a\",\"question\":\"r\"}\n").unwrap();
        let last = set.cases().unwrap().last().unwrap();
        assert!(matches!(last, Err(GoldError::ChangedUnderneath { .. })));
        fs::write(&path, "{\"id\":\"a\",\"question\":\"longer\"}\n").unwrap();
        assert!(matches!(set.cases().err(), Some(GoldError::ChangedUnderneath { .. })));
    }
}
