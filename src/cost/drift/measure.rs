use std::collections::BTreeSet;
use std::fmt;

use super::super::rounded::nano;
use super::DriftMeasure::{CostPerRequestMean, CostPerRequestP50, CostPerRequestP95, Spend};
use super::decompose::{Side, split_change};
use super::{
    DriftAlert, DriftCause, DriftMeasure, DriftMetric, DriftReport, DriftStatus, DriftWeek, MIN_REQUESTS, Week,
};
use crate::domain::{Scope, ScopeKind, rfc3339};
use crate::stats::quantile;

/// Compares the week `now` with the week `before`: a rise by more than the share `threshold` (0.15) is an alert.
///
/// Compared are the cost per request (P50, P95 and mean) and the spending of everything, mean and spending of each
/// tenant, and the spending of each model. A fall is shown and is no alert, however large. What cannot be compared has
/// no change and says why: fewer than 20 requests in a week for a cost per request, or in both weeks for spending (of a
/// model: calls). What cost nothing before and something now is new, and is no alert either. The mean is what was spent
/// over the requests; P50 and P95 are of [`Week::request_costs`].
pub fn drift(before: &Week, now: &Week, threshold: f64) -> DriftReport {
    let tenants: BTreeSet<&str> = [before, now].into_iter().flat_map(tenants).collect();
    let models: BTreeSet<&str> = [before, now].into_iter().flat_map(models).collect();
    let tenants = tenants.into_iter().map(|tenant| Scope::new(ScopeKind::Tenant, tenant));
    let models = models.into_iter().map(|model| Scope::new(ScopeKind::Model, model));
    let metrics: Vec<DriftMetric> = std::iter::once(None)
        .chain(tenants.chain(models).map(Some))
        .flat_map(|scope| Pair::new(before, now, scope).metrics(threshold))
        .collect();
    DriftReport {
        threshold,
        before: summary(before),
        now: summary(now),
        alerts: metrics.iter().filter_map(DriftMetric::alert).collect(),
        metrics,
    }
}

fn tenants(week: &Week) -> impl Iterator<Item = &str> {
    week.tenants.keys().chain(week.uses.iter().map(|one| &one.tenant)).map(String::as_str)
}

fn models(week: &Week) -> impl Iterator<Item = &str> {
    week.uses.iter().map(|one| one.model.as_str())
}

fn summary(week: &Week) -> DriftWeek {
    let side = Side::of(week, None);
    DriftWeek {
        from: rfc3339(week.from),
        until: rfc3339(week.until),
        requests: side.requests,
        cache_hit_rate: side.hit_rate(),
        spend_nanousd: nano(side.spend() as f64),
    }
}

/// Both weeks of one scope.
struct Pair<'a> {
    weeks: [&'a Week; 2],
    sides: [Side<'a>; 2],
    scope: Option<Scope>,
}

impl<'a> Pair<'a> {
    fn new(before: &'a Week, now: &'a Week, scope: Option<Scope>) -> Self {
        let sides = [Side::of(before, scope.as_ref()), Side::of(now, scope.as_ref())];
        Self { weeks: [before, now], sides, scope }
    }

    fn metrics(&self, threshold: f64) -> Vec<DriftMetric> {
        let measures: &[DriftMeasure] = match self.scope.as_ref().map(|scope| scope.kind) {
            None => &[CostPerRequestP50, CostPerRequestP95, CostPerRequestMean, Spend],
            Some(ScopeKind::Model) => &[Spend],
            Some(_) => &[CostPerRequestMean, Spend],
        };
        measures.iter().map(|measure| self.metric(*measure, threshold)).collect()
    }

    /// The value in both weeks, in nano-dollars.
    fn values(&self, measure: DriftMeasure) -> [Option<f64>; 2] {
        match measure {
            CostPerRequestP50 => self.weeks.map(|week| cost_quantile(week, 0.5)),
            CostPerRequestP95 => self.weeks.map(|week| cost_quantile(week, 0.95)),
            CostPerRequestMean => self.sides.each_ref().map(Side::spend_per_request),
            Spend => self.sides.each_ref().map(|side| Some(side.spend() as f64)),
        }
    }

    /// Why there is too little of it to compare, if so.
    fn too_few(&self, measure: DriftMeasure) -> Option<String> {
        let is_model = self.scope.as_ref().is_some_and(|scope| scope.kind == ScopeKind::Model);
        let (what, counts) = match measure {
            CostPerRequestP50 | CostPerRequestP95 => {
                ("requests", self.weeks.map(|week| week.request_costs.len() as u64))
            }
            Spend if is_model => ("calls", self.sides.each_ref().map(Side::calls)),
            CostPerRequestMean | Spend => ("requests", self.sides.each_ref().map(|side| side.requests)),
        };
        let mut few = counts.iter().map(|count| *count < MIN_REQUESTS);
        let too_few = if measure == Spend { few.all(|few| few) } else { few.any(|few| few) };
        let [before, now] = counts;
        too_few.then(|| format!("too few {what}: {before} before, {now} now"))
    }

    fn metric(&self, measure: DriftMeasure, threshold: f64) -> DriftMetric {
        let [before, now] = self.values(measure);
        let (from, to) = (before.unwrap_or(0.0), now.unwrap_or(0.0));
        let appeared = from <= 0.0 && to > 0.0;
        let obstacle = self.too_few(measure).filter(|_| !(appeared && measure == Spend));
        let (status, change, reason) = match obstacle {
            Some(obstacle) => (DriftStatus::NoBasis, None, Some(obstacle)),
            None if appeared => (DriftStatus::New, None, Some("nothing before".to_owned())),
            None if from <= 0.0 => (DriftStatus::NoBasis, None, Some("nothing in either week".to_owned())),
            None => {
                let change = (to - from) / from;
                // Beyond a billionth: rounding makes no alert of a rise by exactly the threshold.
                let rose = change - threshold > 1e-9;
                (if rose { DriftStatus::Alert } else { DriftStatus::Steady }, Some(change), None)
            }
        };
        let is_total = self.scope.is_none() && matches!(measure, CostPerRequestMean | Spend);
        let [old, new] = &self.sides;
        let split = Some(()).filter(|()| is_total || status == DriftStatus::Alert);
        let split = split.and_then(|()| split_change(old, new, measure != Spend));
        DriftMetric {
            metric: measure,
            scope: self.scope.clone(),
            before_nanousd: before.map(nano),
            now_nanousd: now.map(nano),
            change,
            status,
            reason,
            cause: split.as_ref().filter(|_| status != DriftStatus::NoBasis).and_then(|split| split.cause(to - from)),
            contributions: split.map(|split| split.contributions()).unwrap_or_default(),
        }
    }
}

fn cost_quantile(week: &Week, p: f64) -> Option<f64> {
    let costs: Vec<f64> = week.request_costs.iter().map(|cost| cost.0 as f64).collect();
    quantile(&costs, p)
}

impl DriftMetric {
    /// Its name with its scope: `spend of tenant:acme`.
    pub(super) fn name(&self) -> String {
        let label = self.metric.label();
        self.scope.as_ref().map_or_else(|| label.to_owned(), |scope| format!("{label} of {scope}"))
    }

    fn alert(&self) -> Option<DriftAlert> {
        let change = self.change.filter(|_| self.status == DriftStatus::Alert)?;
        let (before_nanousd, now_nanousd) = self.before_nanousd.zip(self.now_nanousd)?;
        let rose = format!("{} rose by {:.1}% week over week", self.name(), change * 100.0);
        let text = match &self.cause {
            Some(cause) => format!("{rose}; cause: {cause}"),
            None => format!("{rose}; no factor of the mean cost rose"),
        };
        let cause = self.cause.clone();
        Some(DriftAlert {
            metric: self.metric,
            scope: self.scope.clone(),
            before_nanousd,
            now_nanousd,
            change,
            cause,
            text,
        })
    }
}

/// `+18.0%`, and `0.0%` without a sign.
pub(super) fn signed_percent(share: f64) -> String {
    let percent = (share * 1e3).round() / 10.0;
    if percent == 0.0 { "0.0%".to_owned() } else { format!("{percent:+.1}%") }
}

impl fmt::Display for DriftCause {
    /// `tokens per call (+18.0%, most in openai/gpt-4.1)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.share.map(signed_percent);
        let model = self.model.as_ref().map(|model| format!("most in {model}"));
        let details: Vec<String> = share.into_iter().chain(model).collect();
        f.write_str(self.factor.label())?;
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}
