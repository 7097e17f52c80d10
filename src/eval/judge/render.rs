use super::{CalibrationReport, MIN_LABELS, Share};
use crate::domain::Verdict;
use crate::report::{Cell, Column, Document, Records, Render, Status, Table};
use crate::stats::Interval;

/// Disagreements shown to a person; JSON and CSV have them all.
const SHOWN: usize = 20;

impl Render for CalibrationReport {
    fn schema_name(&self) -> &'static str {
        "judge_calibration"
    }

    fn document(&self) -> Document {
        let calibration = &self.calibration;
        let agreement = &calibration.agreement;
        let votes = if calibration.votes == 1 { "1 vote".to_owned() } else { format!("{} votes", calibration.votes) };
        let mut document = Document::new(format!("judge calibrate {}", calibration.model))
            .verdict(self.status(), self.headline())
            .facts([
                ("Cohen's kappa", Cell::Text(number_within(calibration.kappa, calibration.interval))),
                ("good answers passed", share(&calibration.sensitivity)),
                ("bad answers failed", share(&calibration.specificity)),
                ("contradictory votes", share(&calibration.position_bias)),
                ("pass rate by people", share(&self.passed_by_people)),
                ("pass rate by the judge", share(&self.passed_by_judge)),
                ("prompt, votes", Cell::Text(format!("{}, {} in both orders", calibration.prompt, votes))),
                ("cost", Cell::Money(self.cost_nanousd)),
            ])
            .heading(2, "Agreement")
            .table(
                Table::new("", [Column::text(""), Column::number("judge passes"), Column::number("judge fails")])
                    .row(["people pass".into(), count(agreement.both_pass), count(agreement.only_people)])
                    .row(["people fail".into(), count(agreement.only_judge), count(agreement.both_fail)]),
            );
        if let Some(run) = &self.run {
            document = document.heading(2, format!("Pass rate of {}", run.run)).facts([
                ("as judged", share(&run.judged)),
                ("corrected for its errors", Cell::Text(percent_within(run.corrected, run.interval))),
            ]);
        }
        document = self.differences(document);
        if !self.unjudged.is_empty() {
            let table = Table::new("", [Column::number("line"), Column::text("question"), Column::text("why")]);
            let table = self.unjudged.iter().take(SHOWN).fold(table, |table, row| {
                table.row([count(row.line), row.question.as_str().into(), row.reason.as_str().into()])
            });
            let title = format!("Could not be judged ({}), and counted neither way", self.unjudged.len());
            document = document.heading(2, title).table(table);
        }
        if self.not_asked > 0 {
            document = document.note(format!("{} labels were not asked about; nothing is stored", self.not_asked));
        }
        document
    }

    fn records(&self) -> Option<Records> {
        let header = ["line", "question", "expected", "answer", "label", "judge_score", "reason"];
        Some(self.disagreements.iter().fold(Records::new(header), |records, row| {
            records.row([
                count(row.line),
                row.question.as_str().into(),
                row.expected.as_str().into(),
                row.answer.as_str().into(),
                label(row.passed_by_people).into(),
                Cell::score(Some(row.score)),
                row.reason.as_str().into(),
            ])
        }))
    }
}

impl CalibrationReport {
    fn status(&self) -> Status {
        if self.not_asked > 0 { Status::Warn } else { self.verdict.into() }
    }

    fn headline(&self) -> String {
        let calibration = &self.calibration;
        let (labels, min) = (calibration.labels, self.min_kappa);
        let kappa = number_within(calibration.kappa, calibration.interval);
        match self.verdict {
            _ if self.not_asked > 0 => format!("not finished: {labels} labels judged, {} left", self.not_asked),
            Verdict::Pass => format!("this judge may decide: kappa {kappa} on {labels} labels, {min:.2} is needed"),
            Verdict::Fail => {
                format!("this judge may not decide: kappa {kappa} on {labels} labels, all of it below {min:.2}")
            }
            Verdict::Inconclusive if labels < MIN_LABELS => {
                format!("nothing is proved: {labels} judged labels, and {MIN_LABELS} are the least")
            }
            Verdict::Inconclusive if calibration.has_one_kind() => {
                "nothing is proved: label answers that pass and answers that fail".to_owned()
            }
            Verdict::Inconclusive => format!(
                "nothing is proved: kappa {kappa} on {labels} labels, {min:.2} is needed and within reach; label more"
            ),
        }
    }

    fn differences(&self, mut document: Document) -> Document {
        if self.disagreements.is_empty() {
            return document;
        }
        document = document.heading(2, format!("Seen differently ({})", self.disagreements.len()));
        for row in self.disagreements.iter().take(SHOWN) {
            document = document
                .heading(
                    3,
                    format!("line {} · people: {} · judge: {:.2}", row.line, label(row.passed_by_people), row.score),
                )
                .text(row.question.clone())
                .text(row.reason.clone())
                .compared(["expected", "answer"], "", row.expected.clone(), row.answer.clone());
        }
        if let Some(more) = self.disagreements.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            document = document.note(format!("{more} more: see --format json or csv"));
        }
        document
    }
}

fn label(pass: bool) -> &'static str {
    if pass { "pass" } else { "fail" }
}

fn count(count: u64) -> Cell {
    Cell::count(count as usize)
}

fn share(share: &Share) -> Cell {
    let shown = percent_within(share.share, share.interval);
    Cell::Text(if share.of == 0 { shown } else { format!("{shown}, {} of {}", share.count, share.of) })
}

fn number_within(value: Option<f64>, interval: Option<Interval>) -> String {
    match (value, interval) {
        (Some(value), Some(Interval { lower, upper })) => format!("{value:.2} (95% {lower:.2} to {upper:.2})"),
        (Some(value), None) => format!("{value:.2}"),
        (None, _) => "–".to_owned(),
    }
}

fn percent_within(value: Option<f64>, interval: Option<Interval>) -> String {
    match (value, interval) {
        (Some(value), Some(Interval { lower, upper })) => {
            format!("{:.1}% (95% {:.1} to {:.1})", value * 100.0, lower * 100.0, upper * 100.0)
        }
        (Some(value), None) => format!("{:.1}%", value * 100.0),
        (None, _) => "–".to_owned(),
    }
}
