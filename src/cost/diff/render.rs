use super::{CostDiff, DiffLine, DiffSide};
use crate::cost::report::amount::counted;
use crate::domain::{NanoUsd, Verdict};
use crate::report::{CaseResult, Cell, Column, Document, Records, Render, Status, Table, TestCase, TestSuite};

impl Render for CostDiff {
    fn schema_name(&self) -> &'static str {
        "cost_diff"
    }

    fn document(&self) -> Document {
        let columns = [
            Column::text("model"),
            Column::number("before"),
            Column::number("after"),
            Column::number("change"),
            Column::number("%"),
            Column::number("calls before"),
            Column::number("calls after"),
        ];
        let scale = Scale::of(&self.total);
        let lines = self.models.iter().map(|line| (Cell::Code(line.model.clone()), line));
        // With a single model its line is the total.
        let total = (self.models.len() != 1).then(|| (Cell::Text("all".into()), &self.total));
        let table =
            lines.chain(total).fold(Table::new("", columns), |table, (name, line)| table.row(line.cells(name, scale)));
        let document = Document::new(format!("Cost of a resolved ticket: {}", self.change_of_release()))
            .text(self.resolved())
            .table(table)
            .verdict(self.status(), self.headline())
            .text(format!("Baseline {}; candidate {}.", self.baseline.named(), self.candidate.named()));
        match (&self.baseline.price_book, &self.candidate.price_book) {
            (Some(before), Some(after)) if before != after => document.note(format!(
                "prices changed as well, from `{}` to `{}`: a part of the change may be theirs.",
                short(before),
                short(after)
            )),
            _ => document,
        }
    }

    fn records(&self) -> Option<Records> {
        let header =
            ["model", "before_nanousd", "after_nanousd", "change_nanousd", "change", "calls_before", "calls_after"];
        let calls = |value| Cell::Number { value, decimals: 6, unit: "" };
        Some(self.models.iter().chain([&self.total]).fold(Records::new(header), |records, line| {
            records.row([
                line.model.as_str().into(),
                line.before_nanousd.into(),
                line.after_nanousd.into(),
                line.change_nanousd.into(),
                Cell::Percent(line.change),
                calls(line.calls_before),
                calls(line.calls_after),
            ])
        }))
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        let message = self.headline().replace('`', "");
        let text = format!("baseline {}\ncandidate {}", self.baseline.named(), self.candidate.named()).replace('`', "");
        let result = match self.verdict {
            Verdict::Pass => CaseResult::Passed,
            Verdict::Fail => CaseResult::Failed { message, text },
            Verdict::Inconclusive => CaseResult::Errored { message, text },
        };
        let properties = [
            ("baseline", self.baseline.label.clone()),
            ("candidate", self.candidate.label.clone()),
            ("gold_hash", self.baseline.gold_hash.clone()),
        ];
        Some(vec![TestSuite {
            name: "cost diff".to_owned(),
            properties: properties.map(|(name, value)| (name.to_owned(), value)).into(),
            cases: vec![TestCase {
                name: "cost of a resolved ticket".to_owned(),
                classname: self.candidate.gold_set.clone(),
                time_s: None,
                result,
            }],
        }])
    }
}

impl CostDiff {
    fn change_of_release(&self) -> String {
        match (self.baseline.release, self.candidate.release) {
            (before, after) if before == after => format!("release {before}"),
            (before, after) => format!("release {before} → {after}"),
        }
    }

    fn resolved(&self) -> String {
        let of = |side: &DiffSide| format!("{} of {}", counted(side.resolved), counted(side.tickets));
        let (set, before, after) = (&self.baseline.gold_set, of(&self.baseline), of(&self.candidate));
        format!("Resolved tickets of `{set}`: {before} before, {after} after.")
    }

    fn status(&self) -> Status {
        match (self.verdict, self.max_increase) {
            (Verdict::Pass, None) => Status::Neutral,
            (verdict, _) => verdict.into(),
        }
    }

    fn headline(&self) -> String {
        let (Some(before), Some(after), false) =
            (self.total.before_nanousd, self.total.after_nanousd, self.verdict == Verdict::Inconclusive)
        else {
            return format!("inconclusive: {}", self.missing());
        };
        let percent = self.total.change.map_or_else(String::new, |change| format!(" ({})", signed_percent(change)));
        let moved = match before.cmp(&after) {
            std::cmp::Ordering::Less => format!("rises from {before} to {after}{percent}"),
            std::cmp::Ordering::Equal => format!("stays at {before}"),
            std::cmp::Ordering::Greater => format!("falls from {before} to {after}{percent}"),
        };
        let limit = self.max_increase.map_or_else(String::new, |limit| {
            let place = if self.verdict == Verdict::Fail { "above" } else { "within" };
            format!(", {place} the limit of {}", signed_percent(limit))
        });
        format!("the cost of a resolved ticket {moved}{limit}")
    }

    /// What keeps the costs from being compared.
    fn missing(&self) -> String {
        let nothing = |side: &DiffSide| side.resolved == 0;
        let sides = |test: &dyn Fn(&DiffSide) -> bool| match (test(&self.baseline), test(&self.candidate)) {
            (true, true) => Some("both runs"),
            (true, false) => Some("the baseline"),
            (false, true) => Some("the candidate"),
            (false, false) => None,
        };
        if let Some(sides) = sides(&nothing) {
            return format!("no ticket of {sides} was resolved");
        }
        let unpriced = |side: &DiffSide| side.known().is_none();
        format!("the cost of {} is not known", sides(&unpriced).unwrap_or("a run"))
    }
}

impl DiffSide {
    fn named(&self) -> String {
        format!("`{}` (release {}, `{}`)", self.label, self.release, short(&self.release_hash))
    }
}

/// The beginning of a content hash; any other name is whole.
fn short(name: &str) -> &str {
    name.get(..12).filter(|_| name.len() == 64).unwrap_or(name)
}

/// How many decimals of a dollar all amounts of a table are shown with, so that they compare at a glance.
#[derive(Debug, Clone, Copy)]
struct Scale(u32);

impl Scale {
    /// Three digits of the greater total, two decimals at the least.
    fn of(total: &DiffLine) -> Self {
        let most = total.before_nanousd.max(total.after_nanousd).map_or(0, |amount| amount.0.unsigned_abs());
        Self(most.checked_ilog10().map_or(2, |digits| 11_u32.saturating_sub(digits).clamp(2, 9)))
    }

    /// `amount` with a sign where it asks for one. What is too small to be seen is not nothing.
    fn shown(self, amount: NanoUsd, plus: &str) -> String {
        let Self(decimals) = self;
        let unit = 10_u64.pow(9_u32.saturating_sub(decimals));
        let units = amount.0.unsigned_abs().saturating_add(unit / 2) / unit;
        let (scale, width) = (10_u64.pow(decimals), decimals as usize);
        let dollars = |units: u64| format!("${}.{:0width$}", units / scale, units % scale);
        match (amount.0.signum(), units) {
            (0, _) => "$0".to_owned(),
            (_, 0) => format!("<{}", dollars(1)),
            (-1, units) => format!("-{}", dollars(units)),
            (_, units) => format!("{plus}{}", dollars(units)),
        }
    }
}

impl DiffLine {
    fn cells(&self, name: Cell, scale: Scale) -> [Cell; 7] {
        let calls = |value| Cell::Number { value, decimals: 2, unit: "" };
        let amount = |amount: Option<NanoUsd>, plus| amount.map(|amount| scale.shown(amount, plus)).into();
        let unused = |calls: Option<f64>| calls == Some(0.0);
        let (new, gone) = (unused(self.calls_before), unused(self.calls_after));
        let percent = match (self.change, new, gone) {
            (_, true, false) => "new".into(),
            (_, false, true) => "gone".into(),
            (Some(change), ..) => signed_percent(change).into(),
            (None, ..) => Cell::Missing,
        };
        [
            name,
            amount(self.before_nanousd, ""),
            amount(self.after_nanousd, ""),
            amount(self.change_nanousd, "+"),
            percent,
            calls(self.calls_before),
            calls(self.calls_after),
        ]
    }
}

fn signed_percent(share: f64) -> String {
    let shown = format!("{:+.1}%", share * 100.0);
    if matches!(shown.as_str(), "+0.0%" | "-0.0%") { "0.0%".to_owned() } else { shown }
}
