use super::render::percent;
use super::{Levers, MarginReport, PriceLever, ShareLever};
use crate::domain::NanoUsd;
use crate::report::{Cell, Column, Document, Table};

/// Adds how far each lever would have to move, for the whole and each plan below the target.
pub(super) fn add_to(document: Document, report: &MarginReport) -> Document {
    let plans = report.plans.iter().map(|plan| (Cell::Code(plan.plan.clone()), "price", &plan.levers));
    let all: Vec<(Cell, &str, &Levers)> = std::iter::once((Cell::from("all"), "mean price", &report.whole.levers))
        .chain(plans)
        .filter_map(|(name, price, levers)| Some((name, price, levers.as_ref()?)))
        .collect();
    if all.is_empty() {
        return document;
    }
    let columns = [
        Column::text("plan"),
        Column::text("lever"),
        Column::number("now"),
        Column::number("needed"),
        Column::number("change"),
    ];
    let mut table = Table::new("", columns);
    for (name, what, levers) in all {
        table = table
            .row(price(name.clone(), what, &levers.price))
            .row(share(name.clone(), "small model's share", levers.small_model_share.as_ref()))
            .row(share(name, "cache hit rate", levers.cache_hit_rate.as_ref()));
    }
    document
        .heading(2, format!("To reach {}", percent(report.target)))
        .table(table)
        .note("each lever alone, all else staying as it is; what is needed is rounded up")
}

fn price(name: Cell, what: &str, lever: &PriceLever) -> Vec<Cell> {
    let change = lever.change.map(|change| tenths_up(change) * 100.0);
    vec![
        name,
        what.into(),
        Cell::Money(lever.now_nanousd),
        lever.needed_nanousd.map_or_else(|| "out of reach".into(), |price| Cell::Money(Some(cents_up(price)))),
        Cell::Change { value: change, decimals: 1, unit: "%" },
    ]
}

fn share(name: Cell, what: &str, lever: Option<&ShareLever>) -> Vec<Cell> {
    let Some(lever) = lever else {
        return vec![name, what.into(), "not known".into(), Cell::Missing, Cell::Missing];
    };
    let needed = lever.needed.map(|needed| tenths_up(needed).min(1.0));
    let out_of_reach = || format!("out of reach: {} at 100%", percent(lever.margin_at_full));
    vec![
        name,
        what.into(),
        Cell::Percent(Some(lever.now)),
        needed.map_or_else(|| out_of_reach().into(), |needed| Cell::Percent(Some(needed))),
        Cell::Change { value: needed.map(|needed| (needed - lever.now) * 100.0), decimals: 1, unit: "pp" },
    ]
}

/// A share rounded up to a tenth of a percent, so that what is shown is enough; a rounding error of a float is not
/// rounded up.
fn tenths_up(share: f64) -> f64 {
    (share * 1e3 - 1e-9).ceil() / 1e3
}

/// An amount rounded up to a cent from a dollar on; smaller ones are shown with more digits.
fn cents_up(amount: NanoUsd) -> NanoUsd {
    const CENT: i64 = 10_000_000;
    let up = (amount.0 / CENT).saturating_add(i64::from(amount.0 % CENT > 0)).saturating_mul(CENT);
    if amount.0 >= 100 * CENT { NanoUsd(up) } else { amount }
}
