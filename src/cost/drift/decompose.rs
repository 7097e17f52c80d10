use std::collections::{BTreeMap, BTreeSet};

use super::super::rounded::nano;
use super::{Contribution, DriftCause, Factor, Week};
use crate::domain::{Scope, ScopeKind};

/// What a week's spending in one scope is made of.
#[derive(Debug, Default)]
pub(super) struct Side<'a> {
    pub(super) requests: u64,
    /// Requests that no cache answered.
    misses: u64,
    models: BTreeMap<&'a str, Sums>,
}

/// A model's uses, summed; money in nano-dollars.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    calls: u64,
    input: Kind,
    output: Kind,
    other_cost: i128,
}

/// Tokens of one kind and what they cost.
#[derive(Debug, Default, Clone, Copy)]
struct Kind {
    tokens: u64,
    cost: i128,
}

impl<'a> Side<'a> {
    /// The part of `week` that `scope` (`None`: everything) is about. A model's part has the requests of all tenants.
    pub(super) fn of(week: &'a Week, scope: Option<&Scope>) -> Self {
        let is = |kind: ScopeKind, name: &str| scope.is_none_or(|scope| scope.kind != kind || scope.name == name);
        let mut side = Self::default();
        for (_, requests) in week.tenants.iter().filter(|(tenant, _)| is(ScopeKind::Tenant, tenant)) {
            side.requests += requests.requests;
            side.misses += requests.requests.saturating_sub(requests.cache_hits);
        }
        let uses =
            week.uses.iter().filter(|one| is(ScopeKind::Tenant, &one.tenant) && is(ScopeKind::Model, &one.model));
        for one in uses {
            let sums = side.models.entry(&one.model).or_default();
            sums.calls += one.calls;
            sums.input.tokens += one.input_tokens;
            sums.output.tokens += one.output_tokens;
            sums.input.cost += i128::from(one.input_cost.0);
            sums.output.cost += i128::from(one.output_cost.0);
            sums.other_cost += i128::from(one.other_cost.0);
        }
        side
    }

    /// Nano-dollars.
    pub(super) fn spend(&self) -> i128 {
        self.models.values().map(|sums| sums.input.cost + sums.output.cost + sums.other_cost).sum()
    }

    pub(super) fn calls(&self) -> u64 {
        self.models.values().map(|sums| sums.calls).sum()
    }

    pub(super) fn hit_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| 1.0 - self.misses as f64 / self.requests as f64)
    }

    /// Nano-dollars; `None` without requests.
    pub(super) fn spend_per_request(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.spend() as f64 / self.requests as f64)
    }

    /// What each factor of a term is a ratio of: requests, misses, calls, tokens, cost, all times `scale`.
    fn levels(&self, calls: u64, kind: Kind, scale: f64) -> [f64; 5] {
        let counts = [self.requests, self.misses, calls, kind.tokens];
        let [requests, misses, calls, tokens] = counts.map(|count| count as f64 * scale);
        [requests, misses, calls, tokens, kind.cost as f64 * scale]
    }
}

/// A change of spending, split by factor and model.
#[derive(Debug, Default)]
pub(super) struct Split<'a> {
    parts: BTreeMap<(Factor, &'a str), f64>,
    /// Spending before, in the unit of the parts.
    before: f64,
}

/// Splits the change of what is spent, or with `per_request` of what a request costs (`None` without requests).
///
/// The additive LMDI-I of Ang (2005), The LMDI approach to decomposition analysis: a practical guide, Energy
/// Policy 33: a factor f of a term x contributes L(x₁, x₀) · ln(f₁ / f₀), where L is the logarithmic mean; nothing is
/// left over. A term that is 0 in one week goes wholly to its first factor that is 0 there, which is what replacing
/// zeros by ever smaller constants tends to (the analytical limits of Ang & Liu (2007), Handling zero values in the
/// logarithmic mean Divisia index decomposition approach, Energy Policy 35). Where a ratio's denominator is 0 although
/// something was spent (calls for requests that a cache answered), the next factor is taken per what stands before it.
pub(super) fn split_change<'a>(before: &Side<'a>, now: &Side<'a>, per_request: bool) -> Option<Split<'a>> {
    let scale = |side: &Side<'_>| match side.requests {
        0 if per_request => None,
        requests => Some(if per_request { 1.0 / requests as f64 } else { 1.0 }),
    };
    let (scale_before, scale_now) = (scale(before)?, scale(now)?);
    let mut split = Split { parts: BTreeMap::new(), before: before.spend() as f64 * scale_before };
    let models: BTreeSet<&str> = before.models.keys().chain(now.models.keys()).copied().collect();
    for model in models {
        let sums = |side: &Side<'_>| side.models.get(model).copied().unwrap_or_default();
        let (old, new) = (sums(before), sums(now));
        for (old_kind, new_kind) in [(old.input, new.input), (old.output, new.output)] {
            let levels_before = before.levels(old.calls, old_kind, scale_before);
            let levels_now = now.levels(new.calls, new_kind, scale_now);
            split_term(levels_before, levels_now, |factor, amount| split.add(factor, model, amount));
        }
        let other = new.other_cost as f64 * scale_now - old.other_cost as f64 * scale_before;
        split.add(Factor::Other, model, other);
    }
    Some(split)
}

/// Tells `add` what each factor contributes to the change of the last level.
fn split_term(before: [f64; 5], now: [f64; 5], mut add: impl FnMut(Factor, f64)) {
    let factors = [Factor::Volume, Factor::CacheHitRate, Factor::Mix, Factor::TokensPerCall, Factor::Price];
    let ([.., from], [.., to]) = (before, now);
    let levels = || factors.into_iter().zip(before.into_iter().zip(now));
    if from < 0.0 || to < 0.0 {
        // No logarithm; a ledger has no negative costs.
        add(Factor::Other, to - from);
    } else if from > 0.0 && to > 0.0 {
        let weight = logarithmic_mean(to, from);
        let mut above = (1.0, 1.0);
        for (factor, (old, new)) in levels().filter(|(_, (old, new))| *old > 0.0 && *new > 0.0) {
            add(factor, weight * ((new / above.1) / (old / above.0)).ln());
            above = (old, new);
        }
    } else if from > 0.0 || to > 0.0 {
        let absent = |old: f64, new: f64| if to > 0.0 { old } else { new } <= 0.0;
        if let Some((factor, _)) = levels().find(|(_, (old, new))| absent(*old, *new)) {
            add(factor, to - from);
        }
    }
}

/// (a − b) / ln(a / b), and a where both are equal; both above 0.
fn logarithmic_mean(a: f64, b: f64) -> f64 {
    let relative = (a - b) / b;
    if relative == 0.0 { a } else { (a - b) / relative.ln_1p() }
}

impl<'a> Split<'a> {
    fn add(&mut self, factor: Factor, model: &'a str, amount: f64) {
        *self.parts.entry((factor, model)).or_default() += amount;
    }

    fn of(&self, factor: Factor) -> impl Iterator<Item = (&'a str, f64)> {
        self.parts.iter().filter(move |((part, _), _)| *part == factor).map(|((_, model), amount)| (*model, *amount))
    }

    fn share(&self, amount: f64) -> Option<f64> {
        (self.before > 0.0).then(|| amount / self.before)
    }

    /// Every factor's contribution, in the order of [`Factor::ALL`].
    pub(super) fn contributions(&self) -> Vec<Contribution> {
        let contribution = |factor| {
            let amount = self.of(factor).map(|(_, amount)| amount).sum();
            Contribution { factor, amount_nanousd: nano(amount), share: self.share(amount) }
        };
        Factor::ALL.into_iter().map(contribution).collect()
    }

    /// The factor that did most for a change of the sign of `direction`, and the model where it did; `None` when
    /// nothing went that way.
    pub(super) fn cause(&self, direction: f64) -> Option<DriftCause> {
        let towards = |amount: f64| amount * direction.signum();
        let amount = |factor| self.of(factor).map(|(_, amount)| amount).sum::<f64>();
        let factor = Factor::ALL.into_iter().max_by(|a, b| towards(amount(*a)).total_cmp(&towards(amount(*b))))?;
        // Less than a billionth of what was spent is rounding.
        if direction == 0.0 || towards(amount(factor)) <= self.before * 1e-9 {
            return None;
        }
        let several = self.parts.keys().map(|(_, model)| model).collect::<BTreeSet<_>>().len() > 1;
        let by_model = several && matches!(factor, Factor::Mix | Factor::TokensPerCall | Factor::Price | Factor::Other);
        let model = self.of(factor).filter(|_| by_model).max_by(|a, b| towards(a.1).total_cmp(&towards(b.1)));
        let amount = amount(factor);
        Some(DriftCause { factor, share: self.share(amount), model: model.map(|(model, _)| model.to_owned()) })
    }
}
