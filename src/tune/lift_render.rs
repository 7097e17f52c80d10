use super::lift::{Feature, LiftComparison, LiftReport};
use super::shown::{a_thousand, interval_cells, plain, proposal, relative, rows, signed};
use super::{Change, Figures};
use crate::domain::Verdict;
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};

impl Render for LiftReport {
    fn schema_name(&self) -> &'static str {
        "lift_report"
    }

    fn document(&self) -> Document {
        let mut document = Document::new(format!("lift {} {}", self.feature.as_str(), self.gold_set))
            .verdict(self.verdict.into(), self.headline())
            .facts(self.facts());
        for comparison in &self.comparisons {
            if self.comparisons.len() > 1 {
                let LiftComparison { with_name, without_name, .. } = comparison;
                document = document.heading(2, format!("{with_name} against {without_name}"));
            }
            document = document.table(comparison.table());
            document =
                document.text(format!("Score with minus score without: {}", signed(comparison.difference.as_ref())));
            if comparison.unpaired > 0 {
                document = document.note(format!("{} answers without a score are left out", comparison.unpaired));
            }
        }
        document = proposal(document, self.proposal.as_ref());
        self.notes.iter().fold(document, |document, note| document.note(note.clone()))
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "with",
            "without",
            "metric",
            "value_with",
            "value_without",
            "relative",
            "lower",
            "upper",
            "confidence",
            "verdict",
        ];
        Some(rows(header, self.comparisons.iter().flat_map(LiftComparison::records)))
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "holds",
        Verdict::Fail => "does not hold",
        Verdict::Inconclusive => "open",
    }
}

/// One line of a comparison.
struct Line {
    name: &'static str,
    key: &'static str,
    with: Cell,
    without: Cell,
    change: Change,
}

impl LiftReport {
    fn headline(&self) -> String {
        let what = match self.feature {
            Feature::Rag => "retrieval is",
            Feature::FewShot => "worked examples are",
            Feature::RetrievalMode => match self.decisive() {
                Some(best) if self.verdict == Verdict::Pass => {
                    return format!("{} is worth it: {}", best.with_name, self.reason);
                }
                _ => "another retrieval mode is",
            },
        };
        match self.verdict {
            Verdict::Pass => format!("{what} worth it: {}", self.reason),
            Verdict::Fail => format!("{what} not worth it: {}", self.reason),
            Verdict::Inconclusive => format!("nobody can say yet whether {what} worth it: {}", self.reason),
        }
    }

    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let hash = self.release_hash.get(..12).unwrap_or(&self.release_hash);
        let rules = &self.rules;
        let percent = |share: f64| format!("{:.0}%", share * 100.0);
        let cases = self.comparisons.first().map_or_else(String::new, |first| {
            format!("{} in {} clusters of {}", first.cases, first.clusters, self.gold_set)
        });
        let in_use = if self.in_use { "in use" } else { "not in use" };
        let mut facts = vec![
            ("worth it", Cell::Text(format!("{} more score or passed cases", percent(rules.min_lift)))),
            (
                "at",
                Cell::Text(format!(
                    "at most {} more a success, and {} (or {} ms) more P95 latency",
                    percent(rules.max_cost_increase),
                    percent(rules.max_latency_increase),
                    rules.latency_floor_ms
                )),
            ),
            ("cases", Cell::Text(cases)),
            ("release", Cell::Text(format!("{} {hash}", self.release))),
        ];
        if self.feature != Feature::RetrievalMode {
            facts.push(("now", Cell::from(in_use)));
        }
        facts
    }
}

impl LiftComparison {
    fn lines(&self) -> [Line; 4] {
        let (with, without) = (&self.with, &self.without);
        let line = |name, key, cell: &dyn Fn(&Figures) -> Cell, change| Line {
            name,
            key,
            with: cell(with),
            without: cell(without),
            change,
        };
        let lift = &self.lift;
        [
            line("score", "score", &|side| Cell::score(side.mean_score()), lift.score),
            line("passed cases", "pass_rate", &|side| Cell::Percent(Some(side.pass_rate)), lift.outcome),
            line(
                "cost per success",
                "cost_per_success_nanousd",
                &|side| Cell::Money(side.cost_per_success_nanousd),
                lift.cost_per_success,
            ),
            line("P95 latency", "p95_latency_ms", &|side| Cell::Ms(side.p95_latency_ms), lift.p95_latency),
        ]
    }

    fn table(&self) -> Table {
        let columns = [
            Column::text(""),
            Column::number(self.without_name.clone()),
            Column::number(self.with_name.clone()),
            Column::number("change"),
            Column::text("rule"),
        ];
        let mut table = self.lines().into_iter().fold(Table::new("", columns), |table, line| {
            table.row([
                Cell::from(line.name),
                line.without,
                line.with,
                Cell::Text(relative(line.change.relative, line.change.interval)),
                Cell::Status(Status::from(line.change.verdict), word(line.change.verdict).to_owned()),
            ])
        });
        let (with, without) = (&self.with, &self.without);
        let cost = |side: &Figures| Cell::Money(a_thousand(side.cost_per_question_nanousd));
        let latency = |side: &Figures| Cell::Ms(side.mean_latency_ms);
        let rest =
            [("cost of 1,000 questions", cost(without), cost(with)), ("mean latency", latency(without), latency(with))];
        for (name, without, with) in rest {
            table = table.row([Cell::from(name), without, with, Cell::Missing, Cell::from("not judged")]);
        }
        table
    }

    fn records(&self) -> Vec<Vec<Cell>> {
        let record = |line: Line| {
            let [lower, upper] = interval_cells(line.change.interval);
            vec![
                Cell::Text(self.with_name.clone()),
                Cell::Text(self.without_name.clone()),
                Cell::from(line.key),
                line.with,
                line.without,
                plain(line.change.relative),
                lower,
                upper,
                plain(Some(line.change.confidence)),
                Cell::from(match line.change.verdict {
                    Verdict::Pass => "pass",
                    Verdict::Fail => "fail",
                    Verdict::Inconclusive => "inconclusive",
                }),
            ]
        };
        self.lines().into_iter().map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::lift::tests::{report, worth_it};
    use crate::report::{Format, Style, write};

    #[test]
    fn the_answer_comes_first() {
        let written = |format| {
            let mut text = Vec::new();
            write(&report(vec![worth_it()]), format, Style { color: false, width: 100 }, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let human = written(Format::Human);
        assert!(human.contains("retrieval is worth it: enough is gained"), "{human}");
        assert!(human.contains("+43.7% ["), "{human}");
        assert!(human.lines().all(|line| line.chars().count() <= 100), "{human}");
        let csv = written(Format::Csv);
        assert_eq!(csv.lines().count(), 5);
        assert!(csv.contains("\nhybrid,off,cost_per_success_nanousd,100,375,"), "{csv}");
    }
}
