use super::fusion::FusionPoint;
use super::shown::{interval_cells, plain, proposal, rows, sign, signed};
use super::{Advice, FusionReport};
use crate::report::{Axis, Cell, Chart, Column, Document, Records, Render, Series, Status, Table};

impl Render for FusionReport {
    fn schema_name(&self) -> &'static str {
        "fusion_report"
    }

    fn document(&self) -> Document {
        let present = self.settings.present;
        let (status, headline) = match self.advice {
            Advice::Change => {
                let gain = self.held_out_gain.map_or_else(|| "–".to_owned(), |gain| sign(gain.estimate, 3));
                (
                    Status::Good,
                    format!("set the weight to {} instead of {present}: nDCG@10 {gain} on cases held out", self.chosen),
                )
            }
            Advice::Keep | Advice::None => (Status::Neutral, format!("keep the weight {present}: {}", self.reason)),
        };
        let document = Document::new(format!("tune fusion {}", self.gold_set))
            .verdict(status, headline)
            .facts(self.facts())
            .heading(2, "The curve")
            .table(self.curve())
            .chart(self.chart());
        proposal(document, self.proposal.as_ref())
    }

    fn records(&self) -> Option<Records> {
        let header =
            ["vector_weight", "ndcg_at_10", "recall_at_5", "difference", "difference_lower", "difference_upper"];
        let record = |point: &FusionPoint| {
            let [lower, upper] = interval_cells(point.difference.and_then(|difference| difference.interval));
            let mean = |mean: Option<crate::stats::MeanEstimate>| plain(mean.map(|mean| mean.estimate));
            vec![
                plain(Some(point.vector_weight)),
                mean(point.ndcg),
                mean(point.recall),
                mean(point.difference),
                lower,
                upper,
            ]
        };
        Some(rows(header, self.points.iter().map(record)))
    }
}

impl FusionReport {
    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let hash = self.release_hash.get(..12).unwrap_or(&self.release_hash);
        let lowest = self.fold_weights.iter().copied().reduce(f64::min);
        let highest = self.fold_weights.iter().copied().reduce(f64::max);
        let parts = match lowest.zip(highest) {
            Some((lowest, highest)) if (highest - lowest).abs() < f64::EPSILON => {
                format!("all {} chose {lowest}", self.fold_weights.len())
            }
            Some((lowest, highest)) => format!("{} chose weights from {lowest} to {highest}", self.fold_weights.len()),
            None => "–".to_owned(),
        };
        let why = (self.advice == Advice::Change).then(|| ("why", Cell::Text(self.reason.clone())));
        let facts = [
            ("best weight", Cell::Number { value: Some(self.chosen), decimals: 2, unit: "" }),
            ("gain, same cases", Cell::Text(signed(self.gain.as_ref()))),
            ("gain, held-out cases", Cell::Text(signed(self.held_out_gain.as_ref()))),
            ("parts of the cases", Cell::Text(parts)),
            ("cases", Cell::Text(format!("{} with expected documents, in {} clusters", self.cases, self.clusters))),
            ("vectors", Cell::Text(self.embedder.clone().unwrap_or_else(|| "built-in lexical ones".to_owned()))),
            ("release", Cell::Text(format!("{} {hash}", self.release))),
        ];
        why.into_iter().chain(facts).collect()
    }

    fn curve(&self) -> Table {
        let columns = [
            Column::text("weight"),
            Column::number("nDCG@10"),
            Column::number("recall@5"),
            Column::number("nDCG against now"),
        ];
        let same = |one: f64, other: f64| (one - other).abs() < f64::EPSILON;
        self.points.iter().fold(Table::new("", columns), |table, point| {
            let weight = point.vector_weight;
            let mark = match (same(weight, self.chosen), same(weight, self.settings.present)) {
                (true, true) => "best, now",
                (true, false) => "best",
                (false, true) => "now",
                (false, false) => "",
            };
            table.row([
                Cell::Text(format!("{weight:.2} {mark}")),
                Cell::score(point.ndcg.map(|mean| mean.estimate)),
                Cell::score(point.recall.map(|mean| mean.estimate)),
                Cell::Text(signed(point.difference.as_ref())),
            ])
        })
    }

    fn chart(&self) -> Chart {
        let points = self.points.iter().map(|point| (point.vector_weight, point.ndcg.map(|mean| mean.estimate)));
        let series = Series { name: "nDCG@10".to_owned(), points: points.collect() };
        let values = series.points.iter().filter_map(|(_, value)| *value);
        let (low, high) = values.fold((1.0, 0.0), |(low, high): (f64, f64), value| (low.min(value), high.max(value)));
        let axis = Axis::new("nDCG@10", "", 3);
        // Bars stand on zero where nothing differs; otherwise the worst is a sliver and the best a full bar.
        let axis = if low < high { axis.range((low - (high - low) * 0.1).max(0.0), high) } else { axis };
        Chart::lines("Ranking by weight", Axis::new("weight", "", 2), axis, [series])
    }
}

#[cfg(test)]
mod tests {
    use super::super::fusion::tests::{case, settings};
    use super::super::tune_fusion;
    use crate::report::{Format, Style, write};

    #[test]
    fn the_answer_comes_first_and_csv_has_a_row_for_each_weight() {
        let cases = (0..20).map(|number| case(number, |place| if place == 7 { 0.8 } else { 0.6 }));
        let report = tune_fusion("manual", cases.collect(), settings()).unwrap();
        let written = |format| {
            let mut text = Vec::new();
            write(&report, format, Style { color: false, width: 100 }, &mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        let human = written(Format::Human);
        assert!(human.contains("set the weight to 0.7 instead of 0.5: nDCG@10 +0.200 on cases held out"), "{human}");
        assert!(human.contains("all 5 chose 0.7"), "{human}");
        assert_eq!(written(Format::Csv).lines().count(), 12);
    }
}
