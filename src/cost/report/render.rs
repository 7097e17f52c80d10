use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::amount::{counted, narrow, share};
use super::{CostReport, Distribution, SpendLine};
use crate::domain::NanoUsd;
use crate::report::{Axis, Bar, Cell, Chart, Column, Document, Records, Render, Table};
use crate::store::ChargeState;

/// Names of one kind that a person is shown; CSV and JSON have them all.
const NAMES_SHOWN: usize = 10;
/// Days that a person is shown.
const DAYS_SHOWN: i64 = 31;

impl Render for CostReport {
    fn schema_name(&self) -> &'static str {
        "cost_report"
    }

    fn document(&self) -> Document {
        let mut document = Document::new(self.title()).facts(self.facts());
        let difference = i128::from(self.spent_nanousd.0) - i128::from(self.attributed_nanousd.0);
        if difference != 0 {
            let (spent, attributed) = (self.spent_nanousd, self.attributed_nanousd);
            document = document.note(format!(
                "the period's calls cost {spent}, all calls of the period's tickets {attributed}: some tickets were \
                 asked in one period and called a model in another."
            ));
        }
        if self.tickets > 0 {
            document = document.heading(2, "Cost of a ticket").table(self.spread()).table(self.answered_by());
        }
        document = self.spend(document);
        if let Some(chart) = self.days() {
            document = document.chart(chart);
        }
        let usual = [ChargeState::Open, ChargeState::Settled];
        if self.states.iter().any(|line| line.calls > 0 && !usual.contains(&line.state)) {
            document = document.heading(2, "How calls were booked").table(self.ended());
        }
        match &self.tokens {
            Some(tokens) => tokens.add_to(document),
            None => document,
        }
    }

    fn records(&self) -> Option<Records> {
        let header = ["dimension", "name", "calls", "input_tokens", "output_tokens", "cost_nanousd", "share"];
        let tokens = |tokens: Option<u64>| Cell::from(tokens.map(|tokens| tokens as usize));
        let dimensions = self.dimensions().into_iter().chain([("day", &self.by_day)]);
        let lines = dimensions.flat_map(|(dimension, lines)| lines.iter().map(move |line| (dimension, line)));
        Some(lines.fold(Records::new(header), |records, (dimension, line)| {
            records.row([
                dimension.into(),
                line.name.as_str().into(),
                Cell::count(line.calls as usize),
                tokens(line.input_tokens),
                tokens(line.output_tokens),
                line.cost_nanousd.into(),
                Cell::Percent(line.share),
            ])
        }))
    }
}

impl CostReport {
    fn dimensions(&self) -> [(&'static str, &Vec<SpendLine>); 5] {
        [
            ("model", &self.by_model),
            ("provider", &self.by_provider),
            ("tenant", &self.by_tenant),
            ("endpoint", &self.by_endpoint),
            ("task", &self.by_task),
        ]
    }

    fn title(&self) -> String {
        let only = |what: &str, name: &Option<String>| {
            name.as_ref().map_or_else(String::new, |name| format!(", {what} {name}"))
        };
        let period = format!("{} to {}", begins(&self.from), ends(&self.until));
        format!("cost report, {period}{}{}", only("tenant", &self.tenant), only("endpoint", &self.endpoint))
    }

    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let mut facts = vec![
            ("spent", self.spent_nanousd.into()),
            ("cost per resolved ticket", self.per_outcome_nanousd.into()),
            ("cost per ticket", self.per_ticket_nanousd.into()),
            ("tickets", self.counts().into()),
        ];
        if let Some(carried) = self.carried() {
            facts.push((if self.resolved > 0 { "carried by the resolved" } else { "carried by none" }, carried.into()));
        }
        if self.uncertain_nanousd != NanoUsd::ZERO {
            let part = share(i128::from(self.uncertain_nanousd.0), i128::from(self.spent_nanousd.0)).unwrap_or(0.0);
            let amount = self.uncertain_nanousd;
            let why = "the vendor did not say what was consumed";
            facts.push(("estimated", format!("{amount} ({:.1}% of what was spent): {why}", part * 100.0).into()));
        }
        if self.open_calls > 0 {
            let (calls, held) = (plural(self.open_calls, "call"), self.open_nanousd);
            facts.push(("still open", format!("{calls}, for which {held} is held").into()));
        }
        facts
    }

    fn counts(&self) -> String {
        let part = share(i128::from(self.resolved), i128::from(self.tickets));
        let part = part.map_or_else(String::new, |part| format!(" ({:.1}%)", part * 100.0));
        format!("{}, of which {}{part} were resolved", counted(self.tickets), counted(self.resolved))
    }

    fn carried(&self) -> Option<String> {
        let (unresolved, overhead) = (self.unresolved_nanousd, self.overhead_nanousd);
        let sum = narrow(i128::from(unresolved.0) + i128::from(overhead.0));
        let tickets = plural(self.unresolved, "unresolved ticket");
        match (unresolved == NanoUsd::ZERO, overhead == NanoUsd::ZERO) {
            (true, true) => None,
            (false, true) => Some(format!("{unresolved} of {tickets}")),
            (true, false) => Some(format!("{overhead} of work for no ticket")),
            (false, false) => Some(format!("{sum}: {unresolved} of {tickets}, {overhead} of work for no ticket")),
        }
    }

    fn spread(&self) -> Table {
        let columns = ["mean", "P50", "P95", "P99", "most"].map(Column::number);
        let table = Table::new("", std::iter::once(Column::text("cost per")).chain(columns));
        [("ticket", self.requests), ("resolved ticket", self.outcomes)].into_iter().fold(
            table,
            |table, (per, costs)| {
                let amounts = |costs: Distribution| {
                    [costs.mean_nanousd, costs.p50_nanousd, costs.p95_nanousd, costs.p99_nanousd, costs.max_nanousd]
                };
                let amounts = costs.map(amounts).into_iter().flatten().map(Cell::from);
                table.row(std::iter::once(per.into()).chain(amounts))
            },
        )
    }

    fn answered_by(&self) -> Table {
        let columns = [
            Column::text("answered by"),
            Column::number("tickets"),
            Column::text("of all tickets"),
            Column::number("resolved"),
            Column::number("cost"),
            Column::number("of the cost"),
        ];
        self.paths.iter().filter(|path| path.tickets > 0).fold(Table::new("", columns), |table, path| {
            let name = match path.path {
                "exact" => "exact cache",
                "semantic" => "semantic cache",
                "small" => "small model",
                "large" => "large model",
                "refused" => "nobody (refused)",
                "degraded" => "nobody (what a policy says at a cap)",
                _ => "nobody (failed)",
            };
            table.row([
                name.into(),
                Cell::count(path.tickets as usize),
                Cell::Bar { share: path.share },
                Cell::count(path.resolved as usize),
                path.cost_nanousd.into(),
                Cell::Percent(path.cost_share),
            ])
        })
    }

    /// A table a kind of name; kinds with a single name are told in a line.
    fn spend(&self, document: Document) -> Document {
        let dimensions = self.dimensions();
        let (single, several): (Vec<_>, Vec<_>) = dimensions
            .into_iter()
            .filter(|(_, lines)| !lines.is_empty())
            .partition(|(kind, lines)| *kind != "model" && lines.len() == 1);
        if several.is_empty() {
            return document;
        }
        let document = document.heading(2, "Where it was spent");
        let document = several.into_iter().fold(document, |document, (kind, lines)| document.table(table(kind, lines)));
        let single: Vec<String> = single
            .into_iter()
            .flat_map(|(kind, lines)| lines.iter().map(move |line| format!("{kind} `{}`", line.name)))
            .collect();
        if single.is_empty() { document } else { document.text(format!("All of it: {}.", single.join(", "))) }
    }

    /// The last days of the period that anything was spent in; days without calls are bars of no length.
    fn days(&self) -> Option<Chart> {
        let known: Vec<(Date, NanoUsd)> =
            self.by_day.iter().filter_map(|line| Some((line.name.parse().ok()?, line.cost_nanousd))).collect();
        let ((first, _), (last, _)) = (known.first()?, known.last()?);
        let shown_from = last.saturating_sub((DAYS_SHOWN - 1).days()).max(*first);
        if shown_from == *last || self.spent_nanousd == NanoUsd::ZERO {
            return None;
        }
        let spent = |day: Date| known.iter().find(|(known, _)| *known == day).map_or(NanoUsd::ZERO, |(_, cost)| *cost);
        let days: Vec<(Date, NanoUsd)> = std::iter::successors(Some(shown_from), |day| day.tomorrow().ok())
            .take_while(|day| day <= last)
            .map(|day| (day, spent(day)))
            .collect();
        let most = days.iter().map(|(_, cost)| dollars(*cost)).fold(0.0, f64::max);
        // Three digits of the greatest.
        let decimals = (2.0 - most.max(1e-9).log10().floor()).clamp(2.0, 9.0) as usize;
        let bars = days.into_iter().map(|(day, cost)| Bar {
            label: day.to_string(),
            value: Some(dollars(cost)),
            interval: None,
        });
        let title = if shown_from > *first {
            format!("Spent by day (UTC), the last {DAYS_SHOWN}")
        } else {
            "Spent by day (UTC)".to_owned()
        };
        Some(Chart::bars(title, Axis::new("spent", "USD", decimals), bars))
    }

    /// Calls that have ended, by what was booked for them.
    fn ended(&self) -> Table {
        let columns = [Column::text("how"), Column::number("calls"), Column::number("cost")];
        self.states.iter().filter(|line| line.calls > 0).fold(Table::new("", columns), |table, line| {
            let how = match line.state {
                ChargeState::Open => return table,
                ChargeState::Settled => "by what the vendor says was consumed",
                ChargeState::Estimated => "by what was received",
                ChargeState::WorstCase => "at the worst case: nobody knows what was consumed",
                ChargeState::Voided => "not at all: nothing was consumed",
            };
            table.row([how.into(), Cell::count(line.calls as usize), line.cost_nanousd.into()])
        })
    }
}

fn table(kind: &'static str, lines: &[SpendLine]) -> Table {
    let columns = [
        Column::text(kind),
        Column::number("calls"),
        Column::number("tokens in"),
        Column::number("tokens out"),
        Column::number("cost"),
        Column::text("share"),
    ];
    let row = |table: Table, name: Cell, line: &SpendLine| {
        table.row([
            name,
            Cell::count(line.calls as usize),
            line.input_tokens.map(|tokens| tokens as usize).into(),
            line.output_tokens.map(|tokens| tokens as usize).into(),
            line.cost_nanousd.into(),
            Cell::Bar { share: line.share },
        ])
    };
    let (shown, rest) = lines.split_at(lines.len().min(NAMES_SHOWN));
    let table =
        shown.iter().fold(Table::new("", columns), |table, line| row(table, Cell::Code(line.name.clone()), line));
    match rest {
        [] => table,
        // One more line is no longer than the line that would say so.
        [only] => row(table, Cell::Code(only.name.clone()), only),
        rest => row(table, format!("and {} more", rest.len()).into(), &SpendLine::sum(rest)),
    }
}

impl SpendLine {
    /// All of `lines` as one, without a name.
    fn sum(lines: &[Self]) -> Self {
        let known = |tokens: fn(&Self) -> Option<u64>| lines.iter().filter_map(tokens).reduce(u64::saturating_add);
        let shares: Vec<f64> = lines.iter().filter_map(|line| line.share).collect();
        Self {
            name: String::new(),
            calls: lines.iter().map(|line| line.calls).sum(),
            input_tokens: known(|line| line.input_tokens),
            output_tokens: known(|line| line.output_tokens),
            cost_nanousd: narrow(lines.iter().map(|line| i128::from(line.cost_nanousd.0)).sum()),
            share: (!shares.is_empty()).then(|| shares.iter().sum()),
        }
    }
}

fn dollars(amount: NanoUsd) -> f64 {
    amount.0 as f64 / 1e9
}

fn plural(count: u64, word: &str) -> String {
    format!("{} {word}{}", counted(count), if count == 1 { "" } else { "s" })
}

/// The day that begins at `moment` (RFC 3339, UTC), or the minute that it is in.
fn begins(moment: &str) -> String {
    match moment.parse::<Timestamp>() {
        Ok(moment) if moment <= Timestamp::UNIX_EPOCH => "from the beginning".to_owned(),
        Ok(moment) => day_or_minute(moment, 0),
        Err(_) => moment.to_owned(),
    }
}

/// The last day before `moment`, or the minute that it is in.
fn ends(moment: &str) -> String {
    moment.parse().map_or_else(|_| moment.to_owned(), |moment| day_or_minute(moment, 1))
}

fn day_or_minute(moment: Timestamp, days_before: i64) -> String {
    let time = moment.to_zoned_datetime(TimeZone::UTC).datetime();
    if time == time.date().to_datetime(jiff::civil::Time::midnight()) {
        time.date().saturating_sub(days_before.days()).to_string()
    } else {
        format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute())
    }
}
