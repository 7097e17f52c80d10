use std::fmt::Write as _;

use super::outcome::{BoundsReport, CaseLine, EvalReport, RefusalCount, WorstCase};
use super::{DryRun, RunList};
use crate::report::{
    Axis, Bar, CaseResult, Cell, Chart, Column, Document, Records, Render, Status, Table, TestCase, TestSuite,
};
use crate::stats::MeanEstimate;
use crate::store::RunStatus;

/// Different errors shown to a person; JSON has them all.
const ERRORS_SHOWN: usize = 20;

impl Render for EvalReport {
    fn schema_name(&self) -> &'static str {
        "eval_report"
    }

    fn document(&self) -> Document {
        let mut document = Document::new(format!("eval {}", self.gold_set)).verdict(self.status(), self.headline());
        document = document.facts(self.facts());
        if let Some(bounds) = self.bounds.as_ref().filter(|bounds| bounds.cases > 0) {
            document = document.heading(2, "Score on its scale").chart(bounds.chart());
        }
        document = self.tables(document);
        if !self.worst.is_empty() {
            document = document.heading(2, "Worst cases");
            for case in &self.worst {
                document = case.add_to(document);
            }
        }
        let mut errors: Vec<(&String, Vec<&str>)> = Vec::new();
        for failing in &self.failing {
            let Some(error) = &failing.error else { continue };
            match errors.iter_mut().find(|(known, _)| *known == error) {
                Some((_, cases)) => cases.push(&failing.case),
                None => errors.push((error, vec![&failing.case])),
            }
        }
        if !errors.is_empty() {
            let cases: usize = errors.iter().map(|(_, cases)| cases.len()).sum();
            let table = Table::new("", [Column::text("case"), Column::text("why")]);
            let table = errors.iter().take(ERRORS_SHOWN).fold(table, |table, (error, cases)| {
                let case = match &cases[..] {
                    [only] => Cell::Code((*only).to_owned()),
                    cases => Cell::Text(format!("{} cases", cases.len())),
                };
                table.row([case, Cell::Text((*error).clone())])
            });
            document = document.heading(2, format!("Errors ({cases})")).table(table);
            if let Some(more) = errors.len().checked_sub(ERRORS_SHOWN).filter(|more| *more > 0) {
                document = document.note(format!("{more} more kinds of errors: see --format json"));
            }
        }
        if !self.failing.is_empty() {
            let commands: Vec<&str> = self.failing.iter().map(|failing| failing.repro.as_str()).collect();
            let more = if self.failing_unlisted > 0 {
                format!(" ({} more are not listed)", self.failing_unlisted)
            } else {
                String::new()
            };
            document = document.heading(2, format!("Repeat a failing case{more}")).code("sh", commands.join("\n"));
        }
        if self.status == RunStatus::Interrupted || self.status == RunStatus::Stopped {
            document = document.note(format!("continue with `tollgate eval --resume {}`", self.run));
        }
        document
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "case",
            "score",
            "passed",
            "tags",
            "question",
            "expected",
            "got",
            "refused",
            "path",
            "latency_ms",
            "cost_nanousd",
            "error",
        ];
        Some(self.every_case.iter().fold(Records::new(header), |records, case| {
            let word = |yes: bool| Cell::Text(if yes { "yes" } else { "no" }.to_owned());
            records.row([
                Cell::Code(case.case.clone()),
                Cell::Number { value: case.score, decimals: 6, unit: "" },
                case.passed.map_or(Cell::Missing, word),
                Cell::Text(case.tags.join(";")),
                Cell::Text(case.question.clone()),
                Cell::Text(case.expected.join("\n")),
                Cell::Text(case.got.clone()),
                word(case.refused),
                case.path.map_or(Cell::Missing, |path| Cell::Text(path.as_str().to_owned())),
                Cell::Ms(case.latency_ms),
                Cell::Money(case.cost_nanousd),
                case.error.clone().map_or(Cell::Missing, Cell::Text),
            ])
        }))
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        let properties = [
            ("run", self.run.to_string()),
            ("gold_hash", self.gold_hash.clone()),
            ("release", self.release.to_string()),
            ("release_hash", self.release_hash.clone()),
            ("seed", self.details.seed.to_string()),
            ("score", self.score.map(|score| format!("{:.6}", score.estimate)).unwrap_or_default()),
        ];
        let suite = TestSuite {
            name: self.gold_set.clone(),
            properties: properties.map(|(name, value)| (name.to_owned(), value)).into(),
            cases: self.every_case.iter().map(|case| case.test(&self.gold_set)).collect(),
        };
        Some(vec![suite])
    }
}

impl EvalReport {
    fn status(&self) -> Status {
        match self.status {
            RunStatus::Complete if self.errored + self.broken == 0 => Status::Good,
            RunStatus::Complete if self.errored + self.broken == self.results => Status::Bad,
            _ => Status::Warn,
        }
    }

    fn headline(&self) -> String {
        let score = self
            .score
            .as_ref()
            .map_or_else(|| "no score".to_owned(), |score| format!("score {}", with_interval(score, 0.0)));
        let passed = format!("{} of {} cases passed", self.passed, self.cases);
        let mut line = format!("{score}, {passed}");
        if self.errored > 0 {
            let _ = write!(line, ", {} of {} without an answer or a score", self.errored, self.results);
        }
        match self.status {
            RunStatus::Complete => line,
            status => format!("{} at {} of {}: {line}", status.as_str(), self.results, self.planned),
        }
    }

    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let details = &self.details;
        let models = [&details.small, &details.large].into_iter().flatten().cloned().collect::<Vec<_>>().join(" → ");
        let hash = |hash: &str| hash.get(..12).unwrap_or(hash).to_owned();
        let latency = |read: fn(&super::outcome::LatencyReport) -> f64| Cell::Ms(self.latency.as_ref().map(read));
        let repeats = if details.repeats > 1 { format!(", {} repeats", details.repeats) } else { String::new() };
        let mut facts = vec![
            (
                "gold set",
                Cell::Text(format!("{} {} ({} cases{repeats})", self.gold_path, hash(&self.gold_hash), self.cases)),
            ),
            (
                "release",
                Cell::Text(format!(
                    "{} {} ({models}, retrieval {})",
                    self.release,
                    hash(&self.release_hash),
                    details.retrieval
                )),
            ),
            (
                "pass rate",
                Cell::Text(self.pass_rate.map_or("–".to_owned(), |rate| {
                    format!("{:.1}% at a score of {} or more", rate * 100.0, details.pass_score)
                })),
            ),
            ("answers", Cell::Text(self.answers())),
            ("answerable refused", self.answerable.cell()),
            ("unanswerable refused", self.unanswerable.cell()),
            (
                if details.replayed { "latency p50 (replayed)" } else { "latency p50" },
                latency(|latency| latency.p50_ms),
            ),
            (
                if details.replayed { "latency p95 (replayed)" } else { "latency p95" },
                latency(|latency| latency.p95_ms),
            ),
            (
                if details.replayed { "latency p99 (replayed)" } else { "latency p99" },
                latency(|latency| latency.p99_ms),
            ),
            ("cost", Cell::Money(self.cost.total_nanousd)),
            ("cost per case", Cell::Money(self.cost.per_case_nanousd)),
            ("cost per successful outcome", Cell::Money(self.cost.per_success_nanousd)),
            (
                "calls",
                Cell::Text(format!(
                    "{}, {} tokens in, {} out",
                    self.cost.calls, self.cost.tokens.input, self.cost.tokens.output
                )),
            ),
            ("run", Cell::Code(format!("{} (seed {})", self.run, details.seed))),
        ];
        if details.judge.is_some() {
            facts.insert(facts.len() - 1, ("cost of judging", Cell::Money(self.cost.judging_nanousd)));
        }
        facts
    }

    fn answers(&self) -> String {
        let given = self.answerable.answers + self.unanswerable.answers;
        let refused = self.answerable.refused + self.unanswerable.refused;
        format!("{} answered, {refused} refused, {} broken, {} errored", given - refused, self.broken, self.errored)
    }

    fn tables(&self, document: Document) -> Document {
        let paths = self.paths.iter().filter(|path| path.answers > 0).fold(
            Table::new("", [Column::text("answered by"), Column::number("answers"), Column::text("share")]),
            |table, path| {
                let share = Cell::Bar { share: Some(path.share) };
                table.row([Cell::Text(path.path.as_str().to_owned()), Cell::count(path.answers as usize), share])
            },
        );
        let graders = self.by_grader.iter().fold(
            Table::new(
                "",
                [
                    Column::text("grader"),
                    Column::number("cases"),
                    Column::number("score"),
                    Column::text("95% interval"),
                    Column::text(""),
                ],
            ),
            |table, grader| {
                let role = if grader.counts { "counted" } else { "not counted" };
                let unjudged =
                    if grader.unjudged > 0 { format!("{} unjudged", grader.unjudged) } else { String::new() };
                let remark =
                    [role, &unjudged].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
                table.row([
                    Cell::Text(grader.grader.clone()),
                    Cell::count(grader.cases as usize),
                    Cell::score(grader.score.map(|score| score.estimate)),
                    interval(grader.score.as_ref()),
                    Cell::Text(remark),
                ])
            },
        );
        let tags = self.by_tag.iter().fold(
            Table::new(
                "",
                [
                    Column::text("tag"),
                    Column::number("cases"),
                    Column::number("score"),
                    Column::text("95% interval"),
                    Column::number("passed"),
                ],
            ),
            |table, slice| {
                table.row([
                    Cell::Text(slice.tag.clone()),
                    Cell::count(slice.cases as usize),
                    Cell::score(slice.score.map(|score| score.estimate)),
                    interval(slice.score.as_ref()),
                    Cell::Percent(slice.pass_rate),
                ])
            },
        );
        let document = document.heading(2, "Paths").table(paths).heading(2, "Graders").table(graders);
        if tags.rows.is_empty() { document } else { document.heading(2, "Tags").table(tags) }
    }
}

impl BoundsReport {
    fn chart(&self) -> Chart {
        let bar = |label: &str, value| Bar { label: label.to_owned(), value, interval: None };
        let title = format!("Mean score of the same {} answerable cases", self.cases);
        let bars = [
            bar("floor: random passages", self.floor),
            bar("this release", self.score),
            bar("ceiling: right documents", self.ceiling),
        ];
        Chart::bars(title, Axis::new("score", "", 3).range(0.0, 1.0), bars)
    }
}

impl RefusalCount {
    fn cell(self) -> Cell {
        let share = if self.answers > 0 {
            format!(" ({:.1}%)", self.refused as f64 / self.answers as f64 * 100.0)
        } else {
            String::new()
        };
        Cell::Text(format!("{} of {}{share}", self.refused, self.answers))
    }
}

/// The beginning of a text that somebody else wrote.
fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

impl WorstCase {
    fn add_to(&self, document: Document) -> Document {
        let expected = if self.expected.is_empty() { "(a refusal)".to_owned() } else { self.expected.join("\nor: ") };
        let got = self.error.as_ref().map_or_else(|| self.got.clone(), |error| format!("(no answer: {error})"));
        let graders: Vec<String> = self
            .grades
            .iter()
            .map(|grade| {
                let score = grade.score.map_or_else(|| "–".to_owned(), |score| format!("{score:.2}"));
                let reason = grade.reason.as_ref().map(|reason| format!(" ({})", excerpt(reason))).unwrap_or_default();
                format!("{} {score}{reason}", grade.grader)
            })
            .collect();
        let mut document = document
            .heading(3, format!("{} · {:.3}", self.case, self.score))
            .text(self.question.clone())
            .diff("", expected, got);
        if !self.citations.is_empty() {
            document = document.text(format!("cited {}", self.citations.join(", ")));
        }
        if graders.is_empty() { document } else { document.text(graders.join(" · ")) }
    }
}

impl CaseLine {
    fn test(&self, set: &str) -> TestCase {
        let details = || {
            let expected =
                if self.expected.is_empty() { "(a refusal)".to_owned() } else { self.expected.join("\nor: ") };
            format!("question: {}\nexpected: {expected}\ngot: {}", self.question, self.got)
        };
        let result = match (&self.error, self.score, self.passed) {
            (_, Some(_), Some(true)) => CaseResult::Passed,
            (_, Some(score), _) => CaseResult::Failed { message: format!("score {score:.3}"), text: details() },
            (error, None, _) => {
                CaseResult::Errored { message: error.clone().unwrap_or_else(|| "no score".to_owned()), text: details() }
            }
        };
        TestCase {
            name: self.case.clone(),
            classname: set.to_owned(),
            time_s: self.latency_ms.map(|latency_ms| latency_ms / 1_000.0),
            result,
        }
    }
}

/// `0.612 (95% 0.571 to 0.653)`; the interval is cut to where such means can be, from `least` to 1.
pub(super) fn with_interval(mean: &MeanEstimate, least: f64) -> String {
    match mean.interval {
        Some(interval) => {
            let (lower, upper) = (interval.lower.max(least), interval.upper.min(1.0));
            format!("{:.3} (95% {lower:.3} to {upper:.3})", mean.estimate)
        }
        None => format!("{:.3}", mean.estimate),
    }
}

fn interval(score: Option<&MeanEstimate>) -> Cell {
    match score.and_then(|score| score.interval) {
        Some(interval) => Cell::Text(format!("{:.3} to {:.3}", interval.lower.max(0.0), interval.upper.min(1.0))),
        None => Cell::Missing,
    }
}

impl Render for DryRun {
    fn schema_name(&self) -> &'static str {
        "eval_dry_run"
    }

    fn document(&self) -> Document {
        let money = |amount| Cell::Money(Some(amount));
        Document::new(format!("eval {} (dry run: nothing was called)", self.gold_set)).facts([
            ("cases", Cell::Text(format!("{} × {} repeats", self.cases, self.repeats))),
            ("floor and ceiling questions", Cell::count(self.bound_questions as usize)),
            ("calls", Cell::Text(format!("{} to {}", self.calls_at_least, self.calls_at_most))),
            ("input tokens a call", Cell::count(self.input_tokens_per_call.0 as usize)),
            ("most output tokens a call", Cell::count(self.output_tokens_per_call.0 as usize)),
            ("cost, small model only", money(self.cost_at_least_nanousd)),
            ("cost, every answer escalated", money(self.cost_at_most_nanousd)),
        ])
    }
}

impl Render for RunList {
    fn schema_name(&self) -> &'static str {
        "run_list"
    }

    fn document(&self) -> Document {
        if self.runs.is_empty() {
            return Document::new("runs").text("No run is stored yet. Start one with `tollgate eval`.");
        }
        let columns = [
            Column::text("run"),
            Column::text("started"),
            Column::text("gold set"),
            Column::number("release"),
            Column::text("status"),
            Column::number("results"),
            Column::number("score"),
            Column::number("cost"),
        ];
        let table = self.runs.iter().fold(Table::new("", columns), |table, run| {
            let status = match run.status {
                RunStatus::Complete => Status::Good,
                RunStatus::Running => Status::Neutral,
                RunStatus::Interrupted | RunStatus::Stopped => Status::Warn,
            };
            let id = run.run.to_string();
            table.row([
                // The end of an id names the run as well as all of it, and leaves room for the rest.
                Cell::Code(id.get(id.len().saturating_sub(10)..).unwrap_or(&id).to_owned()),
                Cell::Text(run.started_at.get(..16).unwrap_or(&run.started_at).replace('T', " ")),
                Cell::Text(run.gold_set.clone()),
                Cell::count(run.release as usize),
                Cell::Status(status, run.status.as_str().to_owned()),
                Cell::Text(format!("{}/{}", run.results, run.planned)),
                Cell::score(run.score),
                Cell::Money(run.cost_nanousd),
            ])
        });
        Document::new("runs").table(table)
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "run",
            "started_at",
            "gold_set",
            "release",
            "status",
            "results",
            "planned",
            "errored",
            "score",
            "cost_nanousd",
        ];
        Some(self.runs.iter().fold(Records::new(header), |records, run| {
            records.row([
                Cell::Code(run.run.to_string()),
                Cell::Text(run.started_at.clone()),
                Cell::Text(run.gold_set.clone()),
                Cell::count(run.release as usize),
                Cell::Text(run.status.as_str().to_owned()),
                Cell::count(run.results as usize),
                Cell::count(run.planned as usize),
                Cell::count(run.errored as usize),
                Cell::Number { value: run.score, decimals: 6, unit: "" },
                Cell::Money(run.cost_nanousd),
            ])
        }))
    }
}
