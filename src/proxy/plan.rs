use std::sync::Arc;
use std::time::Duration;

use super::candidates::Candidate;
use super::{Inner, ProxyError};
use crate::config::RouteSettings;
use crate::domain::NanoUsd;
use crate::providers::{ChatRequest, input_token_bound, quick_token_bound};

/// Who may be asked, in order.
pub(super) struct Plan {
    /// When a second candidate is asked as well.
    pub(super) hedge_after: Option<Duration>,
    pub(super) choices: Vec<Choice>,
}

/// A candidate, and what asking it may cost.
pub(super) struct Choice {
    pub(super) candidate: Arc<Candidate>,
    /// The most that one attempt can cost.
    pub(super) worst_case: NanoUsd,
    /// The most that the whole request may cost.
    pub(super) limit: NanoUsd,
}

impl Inner {
    /// The candidates of `target` that may be asked: those whose worst case is within the ceilings, and whose recent
    /// p95 is within the route's budget. When all are too slow, the fastest stays: slow is better than nothing.
    pub(super) fn plan_chat(
        &self,
        target: &str,
        task: &str,
        approved: Option<NanoUsd>,
        request: &ChatRequest,
    ) -> Result<Plan, ProxyError> {
        let (route, found) = self.candidates.find(target, task)?;
        let schema = request.output_schema.as_ref().map(|schema| schema.schema());
        let quick = quick_token_bound(&request.messages, &request.tools, schema);
        let worst_case = |candidate: &Candidate, limit: NanoUsd| {
            let at = |input_tokens| candidate.price().worst_case(input_tokens, request.max_output_tokens);
            // Counting exactly takes longer than a quick bound, which usually is enough.
            let worst = at(quick)?;
            if worst <= limit {
                return Ok(worst);
            }
            let vendor = candidate.provider.settings.vendor.as_deref();
            at(input_token_bound(&candidate.model, vendor, &request.messages, &request.tools, schema))
        };
        self.affordable(route, found, approved, worst_case)
    }

    /// As [`Inner::plan_chat`], for work whose worst case `worst_case` tells.
    pub(super) fn affordable(
        &self,
        route: Option<&RouteSettings>,
        found: Vec<Arc<Candidate>>,
        approved: Option<NanoUsd>,
        worst_case: impl Fn(&Candidate, NanoUsd) -> Result<NanoUsd, crate::domain::PriceTooLarge>,
    ) -> Result<Plan, ProxyError> {
        let mut too_dear: Option<(NanoUsd, NanoUsd, String)> = None;
        let mut within = Vec::with_capacity(found.len());
        for candidate in found {
            let ceiling = approved.unwrap_or(candidate.ceiling);
            let limit = route.and_then(|route| route.max_request).map_or(ceiling, |most| ceiling.min(most));
            // A cost beyond all numbers is beyond every ceiling.
            let worst = worst_case(&candidate, limit).unwrap_or(NanoUsd(i64::MAX));
            if worst <= limit {
                within.push(Choice { candidate, worst_case: worst, limit });
            } else if too_dear.as_ref().is_none_or(|(least, ..)| worst < *least) {
                too_dear = Some((worst, limit, candidate.name.clone()));
            }
        }
        if within.is_empty()
            && let Some((worst_case, limit, model)) = too_dear
        {
            return Err(ProxyError::CeilingExceeded { model, worst_case, limit });
        }
        if let Some(budget) = route.and_then(|route| route.p95) {
            within = self.fast_enough(within, budget);
        }
        Ok(Plan { hedge_after: route.and_then(|route| route.hedge_after), choices: within })
    }

    fn fast_enough(&self, choices: Vec<Choice>, budget: Duration) -> Vec<Choice> {
        let now = self.clock.monotonic();
        let timed: Vec<_> = choices.into_iter().map(|choice| (choice.candidate.latency.p95(now), choice)).collect();
        let slow = |p95: &Option<Duration>| p95.is_some_and(|p95| p95 > budget);
        if timed.iter().all(|(p95, _)| slow(p95)) {
            let fastest = timed.into_iter().min_by_key(|(p95, _)| *p95);
            return fastest.into_iter().map(|(_, choice)| choice).collect();
        }
        timed.into_iter().filter(|(p95, _)| !slow(p95)).map(|(_, choice)| choice).collect()
    }
}
