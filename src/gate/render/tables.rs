use super::words::{MISSING, chance, percent, plural, sentence};
use crate::config::Tier;
use crate::domain::Verdict;
use crate::gate::outcome::{GateReport, MetricReport};
use crate::report::{Cell, Column, Document, Status, Table};

/// Slices shown at the most, those that did not pass not counted.
const SLICES_SHOWN: usize = 10;
/// An effect below this is shown as no change at all.
const NO_CHANGE: f64 = 0.000_5;

impl GateReport {
    /// The four counts.
    pub(super) fn counted_moves(&self) -> Table {
        let counts = &self.counts;
        let names = ["still right", "still wrong", "regressed", "improved"];
        let both = plural(self.paired, "case", "cases");
        let caption = match self.unpaired {
            0 => format!("{both} judged on both sides"),
            some => format!(
                "{both} judged on both sides; {} not, and nowhere counted",
                plural(some, "case is", "cases are")
            ),
        };
        Table::new(caption, names.map(Column::number)).row(
            [counts.still_right, counts.still_wrong, counts.regressed, counts.improved]
                .map(|count| Cell::count(count as usize)),
        )
    }

    pub(super) fn add_metrics(&self, document: Document) -> Document {
        let mut columns = columns("metric", &self.metrics);
        columns.insert(1, Column::text("tier"));
        let table = self.metrics.iter().fold(Table::new("", columns), |table, metric| {
            let mut row = metric.row(&metric.name);
            row.insert(1, tier(metric.tier).into());
            table.row(row)
        });
        self.add_whys(document.heading(2, "Metrics").table(table), &self.metrics.iter().collect::<Vec<_>>())
    }

    /// The slices that moved or did not pass, the one that moved most first.
    pub(super) fn add_slices(&self, document: Document) -> Document {
        let size = |slice: &MetricReport| slice.effect.map_or(0.0, f64::abs);
        let mut slices: Vec<&MetricReport> =
            self.slices.iter().filter(|slice| slice.outcome != Verdict::Pass || size(slice) >= NO_CHANGE).collect();
        slices.sort_by(|one, other| size(other).total_cmp(&size(one)).then_with(|| one.name.cmp(&other.name)));
        let mut places = SLICES_SHOWN;
        slices.retain(|slice| {
            let shown = slice.outcome == Verdict::Fail || places > 0;
            places = places.saturating_sub(usize::from(shown));
            shown
        });
        let hidden = (self.slices.len() - slices.len()) as u64;
        let Some(first) = slices.first() else {
            let still = plural(hidden, "tag's score stayed as it was", "tags' scores stayed as they were");
            return if hidden == 0 { document } else { document.text(format!("{still}.")) };
        };
        let mut columns = columns("tag", &slices);
        columns.insert(1, Column::number("cases"));
        let table = slices.iter().fold(Table::new("", columns), |table, slice| {
            let mut row = slice.row(slice.name.strip_prefix("tag:").unwrap_or(&slice.name));
            row.insert(1, Cell::count(slice.cases as usize));
            table.row(row)
        });
        let document = document.heading(2, format!("Score by tag ({})", tier(first.tier))).table(table);
        let document = self.add_whys(document, &slices);
        if hidden == 0 {
            return document;
        }
        let others = plural(hidden, "other tag moved less or not at all", "other tags moved less or not at all");
        document.text(format!("{others}."))
    }

    /// Why metrics did not pass, where the reasons above do not say it already.
    fn add_whys(&self, document: Document, metrics: &[&MetricReport]) -> Document {
        let new = metrics.iter().filter(|metric| {
            let said = self.reasons.iter().any(|reason| reason.contains(sentence(&metric.why)));
            // That a wide interval leaves open what decides nothing is plain from the table.
            let open = metric.outcome == Verdict::Inconclusive && metric.tier != Tier::Critical;
            let plain = open && metric.interval.is_some() && metric.limit.is_none();
            metric.outcome != Verdict::Pass && !metric.why.is_empty() && !said && !plain
        });
        let why = |metric: &&MetricReport| {
            let idle = if metric.tier == Tier::Advisory { " (advisory: it decides nothing)" } else { "" };
            format!("`{}` {}{idle}: {}", metric.name, outcome(metric.outcome), sentence(&metric.why))
        };
        let whys: Vec<String> = new.map(why).collect();
        if whys.is_empty() { document } else { document.text(whys.join("\n")) }
    }

    /// What each metric's outcome rests on.
    pub(super) fn add_evidence(&self, document: Document) -> Document {
        let columns = [
            Column::text("metric"),
            Column::number("cases"),
            Column::number("margin"),
            Column::number("limit"),
            Column::number("notices"),
            Column::number("level"),
            Column::number("p"),
            Column::number("2nd p"),
            Column::number("Holm p"),
        ];
        let table = self.metrics.iter().fold(Table::new("", columns), |table, metric| {
            let unit = metric.unit;
            let amount = |size: Option<f64>| Cell::from(size.map(|size| unit.amount(size)));
            table.row([
                Cell::Code(metric.name.clone()),
                Cell::count(metric.cases as usize),
                amount(Some(metric.margin)),
                unit.value(metric.limit),
                amount(metric.minimum_detectable),
                Cell::Percent(Some(metric.confidence)),
                chance(metric.p),
                chance(metric.p_exact),
                chance(metric.p_adjusted),
            ])
        });
        document.heading(2, "How sure this is").table(table).text(
            "notices: the smallest worsening that would be noticed four times in five. level: confidence of the \
             interval. p: how often chance alone would look this bad if nothing were worse (bootstrap); 2nd: by a test \
             that assumes less; Holm: corrected for all that is judged at once.",
        )
    }
}

impl MetricReport {
    fn row(&self, name: &str) -> Vec<Cell> {
        let text = |text: Option<String>| Cell::Text(text.unwrap_or_else(|| MISSING.to_owned()));
        vec![
            Cell::Code(name.to_owned()),
            self.unit.value(self.baseline),
            self.unit.value(self.candidate),
            text(self.effect.map(|effect| self.unit.moved(effect))),
            text(self.interval.map(|interval| self.unit.range(interval))),
            self.state(),
        ]
    }

    fn state(&self) -> Cell {
        let status = match (self.tier, self.outcome) {
            // What decides nothing is no alarm.
            (Tier::Advisory | Tier::Off, Verdict::Fail) => Status::Warn,
            (Tier::Supporting | Tier::Advisory | Tier::Off, Verdict::Inconclusive) => Status::Neutral,
            (_, outcome) => outcome.into(),
        };
        Cell::Status(status, outcome(self.outcome).to_owned())
    }
}

fn columns<'a, M: std::borrow::Borrow<MetricReport> + 'a>(what: &str, metrics: &[M]) -> Vec<Column> {
    let mut levels = metrics.iter().map(|metric| percent(metric.borrow().confidence));
    let first = levels.next().unwrap_or_default();
    let interval = if levels.all(|level| level == first) { format!("{first} interval") } else { "interval".to_owned() };
    vec![
        Column::text(what),
        Column::number("before"),
        Column::number("after"),
        Column::text("change"),
        Column::text(interval),
        Column::text("outcome"),
    ]
}

/// The word for a metric's outcome; short, because it stands in a wide table.
pub(super) fn outcome(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Inconclusive => "open",
    }
}

fn tier(tier: Tier) -> &'static str {
    Tier::CHOICES.iter().find(|(_, each)| *each == tier).map_or("", |(word, _)| word)
}
