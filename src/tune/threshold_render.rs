use super::candidates::thinned;
use super::shown::{a_thousand, interval_cells, plain, proposal, rows, saved, signed};
use super::{Advice, CascadePoint, Figures, HeldOut, ThresholdReport};
use crate::report::{Axis, Cell, Chart, Column, Document, Records, Render, Series, Status, Table};

/// Thresholds that a person is shown; JSON and CSV have them all.
const SHOWN: usize = 12;

impl Render for ThresholdReport {
    fn schema_name(&self) -> &'static str {
        "threshold_report"
    }

    fn document(&self) -> Document {
        let status = match self.advice {
            Advice::Change => Status::Good,
            Advice::Keep => Status::Neutral,
            Advice::None => Status::Warn,
        };
        let mut document = Document::new(format!("tune threshold {}", self.measured.gold_set))
            .verdict(status, self.headline())
            .facts(self.facts())
            .table(self.policies());
        if let Some(text) = self.not_recommended() {
            document = document.text(text);
        }
        if let Some(held) = &self.held_out {
            document = document.heading(2, "Does it hold up?").text(format!(
                "The choice was made again {} times, each time without a part of the cases, and measured on that part.",
                held.folds.len()
            ));
            document = document.table(self.validation(held)).text(held.spread());
        }
        document = document.heading(2, "The curve").table(self.curve()).chart(self.chart());
        document = proposal(document, self.proposal.as_ref());
        self.notes.iter().fold(document, |document, note| document.note(note.clone()))
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "threshold",
            "kept_share",
            "score",
            "difference",
            "difference_lower",
            "difference_upper",
            "non_inferior",
            "gain_over_random",
            "pass_rate",
            "cost_nanousd",
            "cost_per_question_nanousd",
            "cost_per_success_nanousd",
            "mean_latency_ms",
            "p95_latency_ms",
        ];
        Some(rows(header, self.points.iter().map(CascadePoint::record)))
    }
}

impl CascadePoint {
    fn record(&self) -> Vec<Cell> {
        let Figures { cost_nanousd, cost_per_question_nanousd, cost_per_success_nanousd, .. } = self.figures;
        let [lower, upper] = interval_cells(self.difference.and_then(|difference| difference.interval));
        vec![
            plain(Some(self.threshold)),
            Cell::Percent(Some(self.kept_share)),
            plain(self.figures.mean_score()),
            plain(self.difference.map(|difference| difference.estimate)),
            lower,
            upper,
            Cell::Text(if self.non_inferior { "yes" } else { "no" }.to_owned()),
            plain(self.gain_over_random.map(|gain| gain.estimate)),
            Cell::Percent(Some(self.figures.pass_rate)),
            Cell::Money(cost_nanousd),
            Cell::Money(cost_per_question_nanousd),
            Cell::Money(cost_per_success_nanousd),
            Cell::Ms(self.figures.mean_latency_ms),
            Cell::Ms(self.figures.p95_latency_ms),
        ]
    }
}

impl ThresholdReport {
    fn headline(&self) -> String {
        let present = self.settings.present;
        match (self.advice, &self.chosen) {
            (Advice::Change, Some(chosen)) => {
                let cost = match &self.present {
                    Some(_) => format!("costs {} than now", saved(self.saving_against_present)),
                    None => format!("costs {} than the large model alone", saved(self.saving_against_large)),
                };
                format!("set the threshold to {} instead of {present}: {cost}", chosen.threshold)
            }
            (Advice::Keep, _) => format!("keep the threshold {present}: {}", self.reason),
            _ => format!("no threshold is recommended: {}", self.reason),
        }
    }

    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let measured = &self.measured;
        let hash = measured.release_hash.get(..12).unwrap_or(&measured.release_hash);
        let [least, most] = self.kept_aim.map(|share| share * 100.0);
        let kept = self.recommended().map_or_else(
            || "–".to_owned(),
            |point| {
                let percent = point.kept_share * 100.0;
                let place = match percent {
                    percent if percent < least => "below",
                    percent if percent > most => "above",
                    _ => "within",
                };
                format!("{percent:.1}%, {place} the aim of {least:.0} to {most:.0}%")
            },
        );
        let unpaired = if self.unpaired > 0 {
            format!(", {} answers without a score left out", self.unpaired)
        } else {
            String::new()
        };
        let changed = [
            ("why", Cell::Text(self.reason.clone())),
            ("score against now", Cell::Text(signed(self.difference_to_present.as_ref()))),
        ];
        let why = (self.advice == Advice::Change).then_some(changed);
        let recommended = self.recommended();
        let facts = [
            ("answered by small", Cell::Text(kept)),
            ("score against large", Cell::Text(signed(recommended.and_then(|point| point.difference.as_ref())))),
            ("score over random", Cell::Text(signed(recommended.and_then(|point| point.gain_over_random.as_ref())))),
            ("accepted loss", Cell::Text(format!("{} score points (`--margin`)", self.settings.margin))),
            (
                "cases",
                Cell::Text(format!("{} in {} clusters of {}{unpaired}", self.cases, self.clusters, measured.gold_set)),
            ),
            ("release", Cell::Text(format!("{} {hash} ({} → {})", measured.release, measured.small, measured.large))),
            ("runs", Cell::Text(format!("{} and {}", measured.small_run, measured.large_run))),
        ];
        why.into_iter().flatten().chain(facts).collect()
    }

    /// What the rule alone would choose where that is not recommended.
    fn not_recommended(&self) -> Option<String> {
        let chosen = self.chosen.filter(|_| self.advice != Advice::Change && self.chosen != self.present)?;
        Some(format!(
            "By the rule alone the threshold would be {}: it costs {} than now, and its score differs from now by {}.",
            chosen.threshold,
            saved(self.saving_against_present),
            signed(self.difference_to_present.as_ref())
        ))
    }

    /// The chosen threshold beside what it is compared with.
    fn policies(&self) -> Table {
        let columns = [
            Column::text("who answers"),
            Column::number("score"),
            Column::number("passed"),
            Column::number("cost of 1,000"),
            Column::number("per success"),
            Column::number("mean"),
            Column::number("P95"),
        ];
        let row = |table: Table, name: String, figures: &Figures| {
            table.row([
                Cell::Text(name),
                Cell::score(figures.mean_score()),
                Cell::Percent(Some(figures.pass_rate)),
                Cell::Money(a_thousand(figures.cost_per_question_nanousd)),
                Cell::Money(figures.cost_per_success_nanousd),
                Cell::Ms(figures.mean_latency_ms),
                Cell::Ms(figures.p95_latency_ms),
            ])
        };
        let mut table = Table::new("", columns);
        if let Some(chosen) = &self.chosen {
            table = row(table, format!("threshold {} ({})", chosen.threshold, self.mark(chosen)), &chosen.figures);
        }
        if let Some(present) = self.present.as_ref().filter(|present| Some(*present) != self.chosen.as_ref()) {
            table = row(table, format!("threshold {} (now)", present.threshold), &present.figures);
        }
        table = row(table, "the large model alone".to_owned(), &self.large_alone);
        row(table, "the small model alone".to_owned(), &self.small_alone)
    }

    fn validation(&self, held: &HeldOut) -> Table {
        let columns = [
            Column::text(""),
            Column::number("score against large"),
            Column::number("saved against large"),
            Column::number("saved against now"),
        ];
        let difference = self.chosen.and_then(|chosen| chosen.difference);
        Table::new("", columns)
            .row([
                Cell::from("on the cases that chose it"),
                Cell::Text(signed(difference.as_ref())),
                Cell::Percent(self.saving_against_large),
                Cell::Percent(self.saving_against_present),
            ])
            .row([
                Cell::from("on cases held out"),
                Cell::Text(signed(held.difference.as_ref())),
                Cell::Percent(held.saving_against_large),
                Cell::Percent(held.saving_against_present),
            ])
    }

    /// Some of the points, the chosen and the present one among them.
    fn shown(&self) -> Vec<&CascadePoint> {
        let all: Vec<&CascadePoint> = self.points.iter().collect();
        let is_marked = |point: &CascadePoint| !self.mark(point).is_empty();
        let mut shown = thinned(&all, SHOWN);
        for marked in all.into_iter().filter(|point| is_marked(point)) {
            if !shown.contains(&marked) {
                // The nearest one makes room.
                let distance = |point: &CascadePoint| (point.threshold - marked.threshold).abs();
                let nearest = shown.iter_mut().filter(|point| !is_marked(point));
                if let Some(place) = nearest.min_by(|one, other| distance(one).total_cmp(&distance(other))) {
                    *place = marked;
                }
            }
        }
        shown.sort_by(|one, other| one.threshold.total_cmp(&other.threshold));
        shown
    }

    fn mark(&self, point: &CascadePoint) -> &'static str {
        match (Some(point) == self.chosen.as_ref(), Some(point) == self.present.as_ref()) {
            (true, false) if self.advice != Advice::Change => "by the rule",
            (true, false) => "chosen",
            (true, true) => "chosen, now",
            (false, true) => "now",
            (false, false) => "",
        }
    }

    fn curve(&self) -> Table {
        let columns = [
            Column::text("threshold"),
            Column::number("small"),
            Column::number("score"),
            Column::number("against large"),
            Column::number("over random"),
            Column::number("cost of 1,000"),
            Column::number("P95"),
        ];
        self.shown().into_iter().fold(Table::new("", columns), |table, point| {
            table.row([
                Cell::Text(format!("{:.3} {}", point.threshold, self.mark(point))),
                Cell::Percent(Some(point.kept_share)),
                Cell::score(point.figures.mean_score()),
                Cell::Text(signed(point.difference.as_ref())),
                Cell::Change { value: point.gain_over_random.map(|gain| gain.estimate), decimals: 3, unit: "" },
                Cell::Money(a_thousand(point.figures.cost_per_question_nanousd)),
                Cell::Ms(point.figures.p95_latency_ms),
            ])
        })
    }

    /// Score against cost.
    fn chart(&self) -> Chart {
        let dollars =
            |point: &CascadePoint| a_thousand(point.figures.cost_per_question_nanousd).map(|cost| cost.0 as f64 / 1e9);
        let mut points: Vec<(f64, &CascadePoint)> =
            self.points.iter().filter_map(|point| Some((dollars(point)?, point))).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let series = |name: &str, value: fn(&CascadePoint) -> Option<f64>| Series {
            name: name.to_owned(),
            points: points.iter().map(|(at, point)| (*at, value(point))).collect(),
        };
        let random = |point: &CascadePoint| {
            point.figures.mean_score().zip(point.gain_over_random).map(|(s, gain)| s - gain.estimate)
        };
        let scores = points.iter().flat_map(|(_, point)| [point.figures.mean_score(), random(point)]).flatten();
        let scores: Vec<f64> = scores.collect();
        let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
        let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut axis = Axis::new("score", "", 3);
        if low < high {
            axis = axis.range(low, high);
        }
        let along = Axis::new("cost of 1,000 questions", "$", 4);
        let series = [series("by confidence", |point| point.figures.mean_score()), series("at random", random)];
        let chart = Chart::lines("Score against cost, from the lowest threshold to the highest", along, axis, series);
        self.large_alone.mean_score().map_or(chart.clone(), |score| chart.reference("the large model alone", score))
    }
}

impl HeldOut {
    /// How far the chosen thresholds vary.
    fn spread(&self) -> String {
        let none = self.folds.iter().filter(|fold| fold.threshold.is_none()).count();
        let chosen = match (self.lowest_threshold, self.highest_threshold) {
            (Some(lowest), Some(highest)) if (highest - lowest).abs() < f64::EPSILON => {
                format!("Every part chose {lowest}")
            }
            (Some(lowest), Some(highest)) => format!("The parts chose thresholds from {lowest} to {highest}"),
            _ => "No part found a threshold that is good enough".to_owned(),
        };
        match none {
            0 => format!("{chosen}."),
            _ if none == self.folds.len() => format!("{chosen}."),
            _ => format!("{chosen}, and {none} found none that is good enough."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::threshold::tests::{measured, settings, thirty};
    use super::super::tune_threshold;
    use super::*;
    use crate::report::{Format, Style, write};

    fn human(report: &ThresholdReport) -> String {
        let mut text = Vec::new();
        write(report, Format::Human, Style { color: false, width: 100 }, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_answer_comes_first() {
        let text = human(&tune_threshold(&thirty(), settings(0.9), measured()));
        let first = text.lines().find(|line| line.contains("threshold to")).unwrap();
        assert!(first.contains("set the threshold to 0.8 instead of 0.9: costs 60.6% less than now"), "{text}");
        assert!(text.contains("66.7%, within the aim of 60 to 80%"), "{text}");
        assert!(text.contains("Every part chose 0.8."), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }

    #[test]
    fn csv_has_a_row_for_each_threshold() {
        let report = tune_threshold(&thirty(), settings(0.9), measured());
        let mut text = Vec::new();
        write(&report, Format::Csv, Style { color: false, width: 100 }, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), report.points.len() + 1);
        assert!(text.contains("\n0.8,0.6666666666666666,1,0,0,0,yes,"), "{text}");
    }

    #[test]
    fn of_a_long_curve_the_chosen_and_the_present_threshold_are_always_shown() {
        use super::super::cascade::Keep;
        use super::super::cascade::tests::{cascade, question};
        let questions = (0..80).map(|n| {
            let right = f64::from(u8::from(n > 33));
            question(n, Keep::UpTo(0.2 + n as f64 / 100.0), (right, 10, 1.0), (1.0, 100, 1.0))
        });
        let report = tune_threshold(&cascade(questions.collect()), settings(0.777), measured());
        let marks: Vec<&str> =
            report.shown().iter().map(|point| report.mark(point)).filter(|m| !m.is_empty()).collect();
        assert_eq!((report.shown().len(), marks), (12, vec!["chosen", "now"]));
        human(&report);
    }
}
