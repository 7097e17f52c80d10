use super::{Curve, CurvePoint, Curves};
use crate::domain::NanoUsd;
use crate::report::{Axis, Cell, Chart, Column, Document, Records, Render, Series, Table};

impl Render for Curves {
    fn schema_name(&self) -> &'static str {
        "cost_curves"
    }

    fn document(&self) -> Document {
        let mut facts = vec![
            ("cost per request now", Cell::from(self.now_nanousd)),
            ("exact hits", Cell::Percent(self.exact_hit_rate)),
            ("semantic hits of the rest", Cell::Percent(self.semantic_hit_rate)),
            ("small model alone", Cell::Percent(self.observed_small_share)),
            ("small model's ticket", self.small_ticket_nanousd.into()),
            ("escalated ticket", self.large_ticket_nanousd.into()),
            ("embedding a question", self.embedding_nanousd.into()),
            ("tickets observed", Cell::count(self.tickets as usize)),
        ];
        if self.small_share != self.observed_small_share {
            facts.push(("drawn for a small share of", Cell::Percent(self.small_share)));
        }
        let document = Document::new("Cost per request against cache hit rate").text(self.answer()).facts(facts);
        if self.is_known() { document.table(self.table()).chart(self.chart()) } else { document }
    }

    fn records(&self) -> Option<Records> {
        let rows =
            self.curves.iter().flat_map(|curve| curve.points.iter().map(|point| (curve.semantic_hit_rate, point)));
        let header = ["semantic_hit_rate", "exact_hit_rate", "cost_nanousd"];
        Some(rows.fold(Records::new(header), |records, (semantic, point)| {
            let share = |share| Cell::Percent(Some(share));
            records.row([share(semantic), share(point.exact_hit_rate), point.cost_nanousd.into()])
        }))
    }
}

impl Curves {
    fn points(&self) -> impl Iterator<Item = &CurvePoint> {
        self.curves.iter().flat_map(|curve| &curve.points)
    }

    /// Whether there is something to draw.
    fn is_known(&self) -> bool {
        self.points().any(|point| point.cost_nanousd.is_some())
    }

    fn answer(&self) -> String {
        let first = |at: usize| self.curves.get(at).and_then(|curve| curve.points.first()?.cost_nanousd);
        match (first(0), first(1)) {
            (Some(none), Some(semantic)) => format!(
                "A request costs {none} without any cache. Each 10% of requests that the exact cache answers save \
                 {}, and semantic hits on 30% of the rest save {}.",
                NanoUsd(none.0 / 10),
                none - semantic
            ),
            _ if self.small_share.is_none() => {
                "No curve can be drawn: no model has answered a ticket yet, and no share of the small model is given."
                    .to_owned()
            }
            _ => {
                let missing = match (self.small_ticket_nanousd, self.large_ticket_nanousd) {
                    (None, None) => "a ticket",
                    (None, _) => "a ticket that the small model answers alone",
                    _ => "an escalated ticket",
                };
                format!("No curve can be drawn: what {missing} costs is not known yet.")
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.curves.iter().map(|curve| format!("{:.0}% semantic hits", curve.semantic_hit_rate * 100.0)).collect()
    }

    fn table(&self) -> Table {
        let columns = self.names().into_iter().map(Column::number);
        let mut table =
            Table::new("Cost per request", [Column::number("exact hits").unit("%")].into_iter().chain(columns));
        let rates = self.curves.first().map(|curve| curve.points.as_slice()).unwrap_or_default();
        for (row, rate) in rates.iter().enumerate() {
            let costs =
                self.curves.iter().map(|curve| curve.points.get(row).and_then(|point| point.cost_nanousd).into());
            let rate = Cell::Number { value: Some(rate.exact_hit_rate * 100.0), decimals: 0, unit: "" };
            table = table.row([rate].into_iter().chain(costs));
        }
        table
    }

    fn chart(&self) -> Chart {
        let dollars = |cost: NanoUsd| cost.0 as f64 / 1e9;
        // A curve is a straight line to nothing at 100%. More points than the table has make it one everywhere: a
        // terminal draws few points as bars.
        let line = |(name, curve): (String, &Curve)| {
            let first = curve.points.first().and_then(|point| point.cost_nanousd).map(dollars);
            let rates = (0..=36_u8).map(|step| f64::from(step) * 2.5);
            Series { name, points: rates.map(|rate| (rate, first.map(|cost| cost * (1.0 - rate / 100.0)))).collect() }
        };
        let most = self.points().filter_map(|point| point.cost_nanousd).map(dollars).fold(0.0, f64::max);
        // Three significant digits of the largest value.
        let decimals = if most > 0.0 { (2.0 - most.log10().floor()).clamp(2.0, 9.0) as usize } else { 2 };
        let chart = Chart::lines(
            "Cost per request against exact hit rate",
            Axis::new("exact hit rate", "%", 1).range(0.0, 90.0),
            Axis::new("cost per request", "$", decimals),
            self.names().into_iter().zip(&self.curves).map(line),
        );
        match self.now_nanousd {
            Some(now) => chart.reference("now", dollars(now)),
            None => chart,
        }
    }
}
