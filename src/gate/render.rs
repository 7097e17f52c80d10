//! What an engineer sees of a gate: the answer first, then why, then what it rests on, then what to type next.

mod aa;
mod bless;
mod cases;
mod junit;
mod noise;
#[cfg(test)]
mod sample;
mod settle;
mod tables;
#[cfg(test)]
mod tests;
mod words;

use super::outcome::{GateReport, SideReport};
use crate::domain::Verdict;
use crate::report::{Axis, Bar, Cell, Chart, Document, Records, Render, Status, TestSuite};
use words::{counted, movement, percent, plural, sentence};

impl Render for GateReport {
    fn schema_name(&self) -> &'static str {
        "gate_report"
    }

    fn document(&self) -> Document {
        let mut document = Document::new(self.title())
            .marker(format!("tollgate:gate:{}", self.gold_set))
            .verdict(self.verdict.into(), self.first_line());
        document = self.add_why(document);
        document = self.add_judge(document);
        document = self.add_needed(document);
        document = self.add_escalation(document);
        document = document.heading(2, "Then and now").chart(self.scores()).table(self.counted_moves());
        document = self.add_metrics(document);
        document = self.add_slices(document);
        document = self.add_cases(document);
        document = self.add_quarantined(document);
        document = self.add_evidence(document);
        document = document.heading(2, "To repeat it").facts(self.origin());
        document = self.notes.iter().fold(document, |document, note| document.note(note.clone()));
        let next: Vec<&str> =
            self.next.iter().map(String::as_str).filter(|command| Some(*command) != self.escalate_command()).collect();
        if next.is_empty() { document } else { document.heading(2, "Next").code("sh", next.join("\n")) }
    }

    /// A row for each case that moved, losses first. Metrics are in the JSON form.
    fn records(&self) -> Option<Records> {
        Some(self.moved_rows())
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        Some(self.suites())
    }
}

impl GateReport {
    fn title(&self) -> String {
        let side = |side: &SideReport| {
            let release = side.release.to_string();
            if side.name == release { release } else { format!("{release} ({})", side.name) }
        };
        format!("gate {}: release {} against {}", self.gold_set, side(&self.candidate), side(&self.baseline))
    }

    /// The verdict and its numbers, in one sentence.
    fn first_line(&self) -> String {
        let word = self.verdict.as_str().to_uppercase();
        let reason = self.reasons.first().map(|reason| sentence(reason)).filter(|_| self.verdict != Verdict::Pass);
        let mut parts = Vec::new();
        if let Some(primary) = self.metrics.first() {
            let why = match reason {
                Some(reason) => reason.strip_prefix(&primary.name).and_then(|rest| rest.strip_prefix(": ")),
                None => Some(sentence(&primary.why)).filter(|why| !why.is_empty()),
            };
            if let Some(why) = why {
                parts.push(format!("{}: {why}", movement(primary)));
            } else {
                parts.extend(reason.map(str::to_owned));
                parts.push(format!("{}, margin {}", movement(primary), primary.unit.amount(primary.margin)));
            }
        } else {
            parts.extend(reason.map(str::to_owned));
            parts.push("nothing was measured".to_owned());
        }
        parts.extend(self.needed.as_ref().map(settle::in_short));
        format!("{word}: {}", parts.join("; "))
    }

    /// The reasons that the first line does not name, and what nobody may overlook.
    fn add_why(&self, mut document: Document) -> Document {
        let named = usize::from(self.verdict != Verdict::Pass);
        let reasons: Vec<&str> = self.reasons.iter().skip(named).map(|reason| sentence(reason)).collect();
        if self.reasons.len() > 1 {
            document = document.text(format!("Also:\n· {}", reasons.join("\n· ")));
        }
        let said = self.reasons.first().filter(|_| named > 0);
        let named = |case: &String| said.is_some_and(|said| said.split([' ', ',']).any(|word| word == case));
        if self.critical_flips.iter().all(named) {
            return document;
        }
        let cases: Vec<String> = self.critical_flips.iter().map(|case| self.flip(case)).collect();
        let flipped = plural(cases.len() as u64, "CRITICAL CASE", "CRITICAL CASES");
        document.verdict(Status::Bad, format!("{flipped} went from right to wrong: {}", cases.join(", ")))
    }

    fn flip(&self, case: &str) -> String {
        let scores = self.fell.iter().find(|moved| moved.case == case);
        let scores = scores.map(|moved| format!(" ({:.3} → {:.3})", moved.before, moved.after));
        format!("`{case}`{}", scores.unwrap_or_default())
    }

    /// The score of both sides with what each alone may vary by.
    fn scores(&self) -> Chart {
        let bar = |label: &str, side: &SideReport| Bar {
            label: format!("{label} (release {})", side.release),
            value: side.score.map(|score| score.estimate),
            interval: side
                .score
                .and_then(|score| score.interval)
                .map(|interval| (interval.lower.max(0.0), interval.upper.min(1.0))),
        };
        let title = "Score of each side, with 95% intervals";
        let bars = [bar("then", &self.baseline), bar("now", &self.candidate)];
        let chart = Chart::bars(title, Axis::new("score", "", 3).range(0.0, 1.0), bars);
        match self.policy.min_score {
            Some(limit) => chart.reference("lowest acceptable", limit),
            None => chart,
        }
    }

    /// All that it takes to come to the same again.
    fn origin(&self) -> Vec<(&'static str, Cell)> {
        let policy = &self.policy;
        let cases = plural(self.paired, "case", "cases");
        let clusters = plural(self.clusters, "cluster", "clusters");
        let word = match policy.policy {
            crate::config::GatePolicy::Standard => "standard",
            crate::config::GatePolicy::Strict => "strict",
        };
        let (confidence, resamples) = (percent(policy.confidence), counted(u64::from(policy.resamples)));
        let policy = format!("{word}, {confidence} confidence, {resamples} resamples, terms {}", self.terms.short());
        let run = |side: &SideReport| side.run.map_or(Cell::Missing, |run| Cell::Code(run.to_string()));
        vec![
            ("gold set", format!("{} {} ({cases} in {clusters})", self.gold_path, self.gold_hash.short()).into()),
            ("baseline", self.baseline.told().into()),
            ("baseline run", run(&self.baseline)),
            ("candidate", self.candidate.told().into()),
            ("candidate run", run(&self.candidate)),
            ("policy", policy.into()),
            ("seed", Cell::Text(self.seed.to_string())),
            ("verdict", Cell::Code(self.id.to_string())),
            ("decided", format!("{}, tollgate {}", self.decided_at, self.program).into()),
        ]
    }
}

impl SideReport {
    fn told(&self) -> String {
        let repeats = if self.repeats > 1 { format!("{} times each", self.repeats) } else { "once each".to_owned() };
        let source = match (self.fresh, self.run) {
            (true, _) => "asked now",
            (false, Some(_)) => "from a stored run, asked",
            (false, None) => "from a baseline file, asked",
        };
        let cost = self.cost_nanousd.map_or_else(|| "cost unknown".to_owned(), |cost| format!("cost {cost}"));
        format!("{}: release {} {}, {source} {repeats}, {cost}", self.name, self.release, self.release_hash.short())
    }
}
