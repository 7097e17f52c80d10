use std::cmp::Reverse;

use super::DriftMeasure::{CostPerRequestMean, CostPerRequestP50, CostPerRequestP95, Spend};
use super::measure::signed_percent;
use super::{
    Contribution, DriftAlert, DriftMeasure, DriftMetric, DriftReport, DriftStatus, DriftWeek, Factor, MIN_REQUESTS,
};
use crate::domain::NanoUsd;
use crate::report::{CaseResult, Cell, Column, Document, Records, Render, Status, Table, TestCase, TestSuite};

/// Most rows of tenants and models that a person is shown.
const MAX_SCOPED: usize = 30;

impl Render for DriftReport {
    fn schema_name(&self) -> &'static str {
        "drift_report"
    }

    fn document(&self) -> Document {
        let (status, text) = self.verdict();
        let (shown, few, left_out) = self.shown();
        let mut document = Document::new("Cost, week over week")
            .verdict(status, text)
            .facts([("before", fact(&self.before)), ("now", fact(&self.now))])
            .table(metrics(&shown));
        document = self.total_contributions().into_iter().fold(document, Document::table);
        let others: Vec<&DriftMetric> =
            shown.into_iter().filter(|metric| metric.scope.is_some() && metric.status == DriftStatus::Alert).collect();
        if !others.is_empty() {
            document = document.table(scoped_contributions(&others));
        }
        let mut note = vec![
            "A rise is an alert, a fall is not.".to_owned(),
            "P50 and P95 cannot be split by factor: their cause is that of the mean.".to_owned(),
        ];
        if few > 0 {
            let why = format!("too few requests ({MIN_REQUESTS} are needed) or no costs");
            note.push(format!("Not shown: {few} values of tenants and models with {why}."));
        }
        if left_out > 0 {
            note.push(format!("{left_out} more values of tenants and models are in JSON and CSV."));
        }
        document.note(note.join(" "))
    }

    fn records(&self) -> Option<Records> {
        let header = ["scope", "metric", "before_nanousd", "now_nanousd", "change", "status", "reason", "cause"];
        let factors = Factor::ALL.map(|factor| format!("{}_nanousd", factor.as_str()));
        let header = header.map(str::to_owned).into_iter().chain(factors);
        Some(self.metrics.iter().fold(Records::new(header), |records, metric| {
            let amounts = Factor::ALL.map(|factor| metric.of(factor).map(|part| part.amount_nanousd).into());
            let start = [
                metric.scope_name().into(),
                metric.metric.as_str().into(),
                metric.before_nanousd.into(),
                metric.now_nanousd.into(),
                Cell::Percent(metric.change),
                metric.status.as_str().into(),
                metric.reason.clone().into(),
                metric.cause.as_ref().map(|cause| cause.factor.as_str()).into(),
            ];
            records.row(start.into_iter().chain(amounts))
        }))
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        let case = |metric: &DriftMetric| TestCase {
            name: metric.name(),
            classname: format!("drift.{}", metric.scope.as_ref().map_or("total", |scope| scope.kind.as_str())),
            time_s: None,
            result: self.result(metric),
        };
        let properties = vec![
            ("from".to_owned(), self.now.from.clone()),
            ("until".to_owned(), self.now.until.clone()),
            ("threshold".to_owned(), self.threshold.to_string()),
        ];
        Some(vec![TestSuite { name: "drift".to_owned(), properties, cases: self.metrics.iter().map(case).collect() }])
    }
}

impl DriftReport {
    fn verdict(&self) -> (Status, String) {
        let threshold = percent(self.threshold);
        if let Some(first) = self.headline() {
            let more = match self.alerts.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more above {threshold})"),
            };
            return (Status::Bad, format!("{first}{more}"));
        }
        let new = self.metrics.iter().filter(|one| one.status == DriftStatus::New && one.scope.is_some());
        let new: Vec<String> = new.filter_map(|one| one.scope.as_ref().map(ToString::to_string)).collect();
        if self.metrics.iter().any(|metric| metric.change.is_some()) {
            let more = match new.as_slice() {
                [] => String::new(),
                [one] => format!("; {one} is new"),
                [one, rest @ ..] => format!("; {one} and {} more are new", rest.len()),
            };
            (Status::Good, format!("no rise above {threshold} week over week{more}"))
        } else if new.is_empty() {
            (Status::Warn, "nothing to compare: too few requests in these weeks".to_owned())
        } else {
            (Status::Warn, "nothing to compare: all spending is new".to_owned())
        }
    }

    /// The alert that says most: the tail of the cost per request, before what follows from it.
    fn headline(&self) -> Option<&str> {
        let rank = |alert: &&DriftAlert| {
            let place = [CostPerRequestP95, CostPerRequestMean, CostPerRequestP50, Spend];
            (alert.scope.is_some(), place.iter().position(|measure| *measure == alert.metric))
        };
        self.alerts.iter().min_by_key(rank).map(|alert| alert.text.as_str())
    }

    fn result(&self, metric: &DriftMetric) -> CaseResult {
        let reason = metric.reason.clone().unwrap_or_default();
        match metric.status {
            DriftStatus::Steady => CaseResult::Passed,
            DriftStatus::NoBasis => CaseResult::Skipped { message: reason },
            DriftStatus::New => CaseResult::Skipped { message: format!("new: {reason}") },
            DriftStatus::Alert => {
                let is_it = |alert: &&DriftAlert| alert.metric == metric.metric && alert.scope == metric.scope;
                let message = self.alerts.iter().find(is_it).map(|alert| alert.text.clone()).unwrap_or_default();
                let lines = metric.contributions.iter().map(|part| {
                    let share = part.share.map_or_else(|| "–".to_owned(), signed_percent);
                    format!("{}: {share}", part.factor.label())
                });
                CaseResult::Failed { message, text: lines.collect::<Vec<_>>().join("\n") }
            }
        }
    }

    /// The total's rows, then of the tenants' and models' those that matter most: alerts, what is new, large changes.
    /// With it, how many of these could not be compared, and how many more there are.
    fn shown(&self) -> (Vec<&DriftMetric>, usize, usize) {
        let (scoped, mut shown): (Vec<_>, Vec<_>) = self.metrics.iter().partition(|metric| metric.scope.is_some());
        let (few, mut scoped): (Vec<_>, Vec<_>) =
            scoped.into_iter().partition(|metric| metric.status == DriftStatus::NoBasis);
        let change = |metric: &DriftMetric| {
            let nano = |value: Option<NanoUsd>| value.map_or(0, |value| i128::from(value.0));
            (nano(metric.now_nanousd) - nano(metric.before_nanousd)).abs()
        };
        scoped.sort_by_key(|metric| (metric.status, Reverse(change(metric))));
        let left_out = scoped.len().saturating_sub(MAX_SCOPED);
        scoped.truncate(MAX_SCOPED);
        shown.extend(scoped);
        (shown, few.len(), left_out)
    }

    /// What each factor did to spending and to the mean cost per request of everything.
    fn total_contributions(&self) -> Option<Table> {
        let of = |measure: DriftMeasure| {
            self.metrics.iter().find(|metric| metric.scope.is_none() && metric.metric == measure)
        };
        let (spend, mean) = (of(Spend)?, of(CostPerRequestMean)?);
        let share = |part: Option<&Contribution>| points(part.and_then(|part| part.share));
        let columns = [
            Column::text("factor"),
            Column::number("spend"),
            Column::number("change"),
            Column::number("cost per request"),
            Column::number("change"),
        ];
        let table = Table::new("What changed it", columns);
        (!spend.contributions.is_empty()).then(|| {
            Factor::ALL.into_iter().fold(table, |table, factor| {
                let (spend, mean) = (spend.of(factor), mean.of(factor));
                let amount = |part: Option<&Contribution>| part.map(|part| part.amount_nanousd).into();
                // A request costs what it costs, however many there are.
                let mean = mean.filter(|_| factor != Factor::Volume);
                table.row([factor.label().into(), amount(spend), share(spend), amount(mean), share(mean)])
            })
        })
    }
}

impl DriftMeasure {
    fn short(self) -> &'static str {
        match self {
            CostPerRequestP50 => "P50",
            CostPerRequestP95 => "P95",
            CostPerRequestMean => "mean",
            Spend => "spend",
        }
    }
}

impl DriftMetric {
    fn of(&self, factor: Factor) -> Option<&Contribution> {
        self.contributions.iter().find(|part| part.factor == factor)
    }

    fn scope_name(&self) -> String {
        self.scope.as_ref().map_or_else(|| "total".to_owned(), ToString::to_string)
    }
}

fn metrics(shown: &[&DriftMetric]) -> Table {
    let columns = [
        Column::text("scope"),
        Column::text("metric"),
        Column::number("before"),
        Column::number("now"),
        Column::number("change"),
        Column::text("state"),
        Column::text("cause"),
    ];
    shown.iter().fold(Table::new("Cost per request (P50, P95, mean) and spend", columns), |table, metric| {
        let fell = metric.change.is_some_and(|change| change < 0.0);
        let (status, state) = match metric.status {
            DriftStatus::Alert => (Status::Bad, "alert"),
            DriftStatus::New => (Status::Warn, "new"),
            DriftStatus::Steady if fell => (Status::Good, "fell"),
            DriftStatus::Steady => (Status::Good, "steady"),
            DriftStatus::NoBasis => (Status::Neutral, "no basis"),
        };
        let cause = metric.cause.as_ref().map(|cause| {
            let share = cause.share.map_or_else(String::new, |share| format!(" {}", signed_percent(share)));
            format!("{}{share}", cause.factor.label())
        });
        let cause = cause.or_else(|| metric.reason.clone());
        table.row([
            Cell::Code(metric.scope_name()),
            metric.metric.short().into(),
            metric.before_nanousd.into(),
            metric.now_nanousd.into(),
            points(metric.change),
            Cell::Status(status, state.to_owned()),
            cause.map_or_else(|| Cell::Text(String::new()), Cell::Text),
        ])
    })
}

/// What each factor did to what alerts, as shares of the value before.
fn scoped_contributions(alerting: &[&DriftMetric]) -> Table {
    let factors = Factor::ALL.map(|factor| Column::number(factor.label()));
    let columns = [Column::text("scope"), Column::text("metric")].into_iter().chain(factors);
    alerting.iter().fold(Table::new("What changed in tenants and models", columns), |table, metric| {
        let shares = Factor::ALL.map(|factor| points(metric.of(factor).and_then(|part| part.share)));
        table.row([Cell::Code(metric.scope_name()), metric.metric.short().into()].into_iter().chain(shares))
    })
}

/// A share as a change in percent.
fn points(share: Option<f64>) -> Cell {
    Cell::Change { value: share.map(|share| share * 100.0), decimals: 1, unit: "%" }
}

/// A share in percent, with no more decimals than it needs.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e4).round() / 1e2)
}

fn fact(week: &DriftWeek) -> Cell {
    let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
    let hits = week.cache_hit_rate.map_or_else(String::new, |rate| format!(", {:.1}% from a cache", rate * 100.0));
    Cell::Text(format!(
        "{} until {}: {} requests{hits}, {}",
        day(&week.from),
        day(&week.until),
        week.requests,
        week.spend_nanousd
    ))
}
