use super::{Figures, MarginReport, NoPayback, PlanMargin, TenantMargin, levers_render};
use crate::domain::Verdict;
use crate::report::{CaseResult, Cell, Column, Document, Records, Render, Status, Table, TestCase, TestSuite};

/// Tenants that are shown; CSV and JSON hold all of them.
const SHOWN_TENANTS: usize = 25;
/// Names that are listed in a sentence.
const SHOWN_NAMES: usize = 5;

impl Render for MarginReport {
    fn schema_name(&self) -> &'static str {
        "margin_report"
    }

    fn document(&self) -> Document {
        let mut document = Document::new("margin").verdict(Status::from(self.verdict), self.headline());
        if self.whole.figures.margin.is_none() {
            for reason in &self.whole.figures.unknown {
                document = document.note(reason.sentence());
            }
        }
        document = document.facts(self.facts());
        if !self.plans.is_empty() {
            document = document.heading(2, "Plans, a month").table(self.plan_table());
        }
        if !self.tenants.is_empty() {
            document = document.heading(2, "Tenants, a month, worst first").table(self.tenant_table());
        }
        document = self.notes().into_iter().fold(document, Document::note);
        levers_render::add_to(document, self)
    }

    fn records(&self) -> Option<Records> {
        let header = [
            "level",
            "plan",
            "tenant",
            "basis",
            "customers",
            "expected_tickets",
            "revenue_nanousd",
            "cloud_nanousd",
            "inference_nanousd",
            "support_nanousd",
            "cogs_nanousd",
            "gross_profit_nanousd",
            "margin",
            "inference_share",
            "payback_months",
        ];
        let row = |names: [Cell; 4], figures: &Figures| {
            let number = |value| Cell::Number { value, decimals: 0, unit: "" };
            let money = Cell::Money;
            names.into_iter().chain([
                Cell::count(figures.customers as usize),
                number(figures.expected_tickets),
                money(figures.revenue_nanousd),
                money(figures.cloud_nanousd),
                money(figures.inference_nanousd),
                money(figures.support_nanousd),
                money(figures.cogs_nanousd),
                money(figures.gross_profit_nanousd),
                number(figures.margin),
                number(figures.inference_share),
                number(figures.payback_months),
            ])
        };
        let text = |text: &str| Cell::Text(text.to_owned());
        let whole = [text("all"), Cell::Missing, Cell::Missing, Cell::Missing];
        let mut records = Records::new(header).row(row(whole, &self.whole.figures));
        for plan in &self.plans {
            let level = if plan.typical { "typical" } else { "plan" };
            records = records.row(row([text(level), text(&plan.plan), Cell::Missing, Cell::Missing], &plan.figures));
        }
        for tenant in &self.tenants {
            let basis = tenant.basis.map_or(Cell::Missing, |basis| text(basis.as_str()));
            records =
                records.row(row([text("tenant"), text(&tenant.plan), text(&tenant.tenant), basis], &tenant.figures));
        }
        Some(records)
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        let case = |name: &str, result: CaseResult| TestCase {
            name: name.to_owned(),
            classname: "margin".to_owned(),
            time_s: None,
            result,
        };
        let result = |figures: &Figures| match figures.margin {
            Some(margin) if super::reaches(margin, self.target) => CaseResult::Passed,
            Some(margin) => CaseResult::Failed { message: below(margin, self.target), text: String::new() },
            None => CaseResult::Errored {
                message: "gross margin is not known".to_owned(),
                text: figures.unknown.iter().map(|reason| reason.sentence()).collect::<Vec<_>>().join("\n"),
            },
        };
        let plan = |plan: &PlanMargin| {
            let skipped = |message: &str| CaseResult::Skipped { message: message.to_owned() };
            let result = match plan {
                _ if plan.is_judged() => result(&plan.figures),
                _ if plan.typical => skipped("it has no customers"),
                _ => skipped("it costs nothing"),
            };
            case(&format!("plan {}", plan.plan), result)
        };
        let whole = case("all customers", result(&self.whole.figures));
        Some(vec![TestSuite {
            name: "margin".to_owned(),
            properties: vec![("target".to_owned(), self.target.to_string())],
            cases: std::iter::once(whole).chain(self.plans.iter().map(plan)).collect(),
        }])
    }
}

impl MarginReport {
    /// What it came to, in one line.
    fn headline(&self) -> String {
        let low = |plan: &&PlanMargin| plan.figures.margin.is_some_and(|margin| !super::reaches(margin, self.target));
        let share = |plan: &PlanMargin| {
            let margin = plan.figures.margin.map_or_else(String::new, |margin| told_apart(margin, self.target));
            format!("`{}` ({margin})", plan.plan)
        };
        let low: Vec<String> = self.judged().filter(low).map(share).collect();
        let plans = match low.len() {
            0 => None,
            1 => Some(format!("plan {}", low.concat())),
            _ => Some(format!("plans {}", listed(&low))),
        };
        let target = percent(self.target);
        match (self.whole.figures.margin, plans) {
            (None, None) => "gross margin is not known".to_owned(),
            (None, Some(plans)) => format!("gross margin is not known; below {target}: {plans}"),
            (Some(margin), plans) if !super::reaches(margin, self.target) => {
                let verb = if low.len() > 1 { "are" } else { "is" };
                let plans = plans.map_or_else(String::new, |plans| format!("; so {verb} {plans}"));
                format!("gross margin {}{plans}", below(margin, self.target))
            }
            (Some(margin), Some(plans)) => {
                format!("gross margin {} reaches {target}, but not {plans}", percent(margin))
            }
            (Some(margin), None) => {
                let every = if self.verdict == Verdict::Pass { ", and so does every plan" } else { "" };
                format!("gross margin {} reaches {target}{every}", percent(margin))
            }
        }
    }

    fn facts(&self) -> Vec<(&'static str, Cell)> {
        let figures = &self.whole.figures;
        let seen = format!("{} tickets in {:.1} days", grouped(self.observed_tickets), self.observed_days);
        vec![
            ("target", Cell::Percent(Some(self.target))),
            ("gross margin", Cell::Percent(figures.margin)),
            ("customers", Cell::count(figures.customers as usize)),
            ("tickets a month", Cell::Number { value: figures.expected_tickets, decimals: 0, unit: "" }),
            ("gross profit a month", Cell::Money(figures.gross_profit_nanousd)),
            ("AI share of all cost", Cell::Percent(figures.inference_share)),
            ("acquisition is paid back in", payback(figures, "months")),
            ("observed", Cell::Text(seen)),
        ]
    }

    fn plan_table(&self) -> Table {
        let columns = [
            Column::text("plan"),
            Column::number("customers"),
            Column::number("revenue"),
            Column::number("cloud"),
            Column::number("AI"),
            Column::number("support"),
            Column::number("margin"),
            Column::number("AI share"),
            Column::number("payback").unit("months"),
        ];
        let row = |name: Cell, customers: Cell, figures: &Figures, judged: bool| {
            [
                name,
                customers,
                Cell::Money(figures.revenue_nanousd),
                Cell::Money(figures.cloud_nanousd),
                Cell::Money(figures.inference_nanousd),
                Cell::Money(figures.support_nanousd),
                self.margin_cell(figures, judged),
                Cell::Percent(figures.inference_share),
                payback(figures, ""),
            ]
        };
        let count = |figures: &Figures| Cell::count(figures.customers as usize);
        let table = self.plans.iter().fold(Table::new("", columns), |table, plan| {
            let customers = if plan.typical { "none".into() } else { count(&plan.figures) };
            table.row(row(Cell::Code(plan.plan.clone()), customers, &plan.figures, plan.is_judged()))
        });
        table.row(row("all".into(), count(&self.whole.figures), &self.whole.figures, true))
    }

    fn tenant_table(&self) -> Table {
        let columns = [
            Column::text("tenant"),
            Column::text("plan"),
            Column::number("tickets"),
            Column::number("revenue"),
            Column::number("cloud"),
            Column::number("AI"),
            Column::number("support"),
            Column::number("margin"),
            Column::text("basis"),
        ];
        self.tenants.iter().take(SHOWN_TENANTS).fold(Table::new("", columns), |table, tenant| {
            let figures = &tenant.figures;
            table.row([
                Cell::Code(tenant.tenant.clone()),
                Cell::Code(tenant.plan.clone()),
                Cell::Number { value: figures.expected_tickets, decimals: 0, unit: "" },
                Cell::Money(figures.revenue_nanousd),
                Cell::Money(figures.cloud_nanousd),
                Cell::Money(figures.inference_nanousd),
                Cell::Money(figures.support_nanousd),
                self.margin_cell(figures, true),
                tenant.basis.map_or(Cell::Missing, |basis| basis.as_str().into()),
            ])
        })
    }

    /// A margin with the sign of whether it is enough, where that is judged.
    fn margin_cell(&self, figures: &Figures, judged: bool) -> Cell {
        match figures.margin {
            Some(margin) if judged => {
                let status = if super::reaches(margin, self.target) { Status::Good } else { Status::Bad };
                Cell::Status(status, percent(margin))
            }
            margin => Cell::Percent(margin),
        }
    }

    /// What has to be known to read the tables.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let hidden = self.tenants.len().saturating_sub(SHOWN_TENANTS);
        if hidden > 0 {
            notes.push(format!("{hidden} more tenants are in `--format csv` and `--format json`"));
        }
        if self.tenants.iter().any(|tenant| tenant.basis.is_some_and(|basis| basis != super::Basis::Own)) {
            let least = super::LEAST_TICKETS;
            notes.push(format!(
                "below {least} observed tickets of a tenant the mean ticket of its plan stands in (basis `plan`), and \
                 below {least} of the plan that of all tenants (`all`)"
            ));
        }
        if (1..super::LEAST_TICKETS).contains(&self.observed_tickets) {
            notes.push(format!("all of this rests on few observed tickets: {}", self.observed_tickets));
        }
        let unknown =
            |tenant: &&TenantMargin| !tenant.figures.unknown.is_empty() && tenant.figures.cogs_nanousd.is_none();
        let unknown: Vec<&TenantMargin> = self.tenants.iter().filter(unknown).collect();
        if !unknown.is_empty() && unknown.len() < self.tenants.len() {
            let names: Vec<String> = unknown.iter().map(|tenant| format!("`{}`", tenant.tenant)).collect();
            notes.push(format!("the cost is not known of {}", listed(&names)));
        }
        if self.plans.iter().any(|plan| plan.typical) {
            notes.push(
                "a plan without customers is shown with one that is typical; neither the sums nor the verdict count it"
                    .to_owned(),
            );
        }
        if self.plans.iter().any(|plan| !plan.typical && !plan.is_judged()) {
            notes.push("a plan that costs nothing is not judged by itself, but its cost is in the sums".to_owned());
        }
        if !self.without_plan.tenants.is_empty() {
            let names: Vec<String> = self.without_plan.tenants.iter().map(|name| format!("`{name}`")).collect();
            let cost =
                self.without_plan.inference_nanousd.map_or_else(String::new, |cost| format!(" that cost {cost}"));
            notes.push(format!(
                "without a plan, and so in no row: {}; {} tickets in the observed time{cost}",
                listed(&names),
                grouped(self.without_plan.tickets)
            ));
        }
        notes
    }
}

fn payback(figures: &Figures, unit: &'static str) -> Cell {
    match figures.no_payback {
        Some(NoPayback::Never) => "never".into(),
        Some(NoPayback::NotConfigured | NoPayback::Unknown) => Cell::Missing,
        None => Cell::Number { value: figures.payback_months, decimals: 1, unit },
    }
}

/// `71.2% is below 75%`
pub(super) fn below(margin: f64, target: f64) -> String {
    format!("{} is below {}", told_apart(margin, target), percent(target))
}

/// A margin below the target with as many decimals as it needs to look below it.
fn told_apart(margin: f64, target: f64) -> String {
    let shown = |value: f64, decimals: usize| format!("{:.decimals$}", value * 100.0);
    let decimals = (1..9).find(|decimals| shown(margin, *decimals) != shown(target, *decimals)).unwrap_or(9);
    shown(margin, decimals) + "%"
}

/// A share in percent with one decimal, without it where it is 0.
pub(super) fn percent(share: f64) -> String {
    let shown = format!("{:.1}", share * 100.0);
    shown.strip_suffix(".0").unwrap_or(&shown).to_owned() + "%"
}

/// Names with commas and an `and`, cut after a few.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(SHOWN_NAMES);
    let shown = names.iter().take(SHOWN_NAMES).cloned();
    let mut parts: Vec<String> = shown.chain((more > 0).then(|| format!("{more} more"))).collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) }
}

/// With commas between thousands.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
