use std::sync::Arc;
use std::time::Duration;

use super::candidates::Candidate;
use super::{CallContext, Inner, ProxyError};
use crate::config::RouteSettings;
use crate::cost::Quote;
use crate::domain::NanoUsd;
use crate::providers::{ChatRequest, has_published_tokenizer, input_token_bound, quick_token_bound};

/// Who may be asked, in order.
pub(super) struct Plan<'a> {
    /// When a second candidate is asked as well.
    pub(super) hedge_after: Option<Duration>,
    pub(super) choices: Vec<Choice<'a>>,
}

/// A candidate, and what asking it may cost.
pub(super) struct Choice<'a> {
    pub(super) candidate: Arc<Candidate>,
    /// What one attempt may consume; its ceiling is the most that the whole request may cost.
    pub(super) quote: Quote,
    /// A closer bound of the prompt's tokens, where one can be had. Counting takes longer than a quick bound, which
    /// usually is enough.
    pub(super) exact: Option<Exact<'a>>,
}

/// Counts tokens exactly.
pub(super) type Exact<'a> = Box<dyn Fn() -> u64 + Send + Sync + 'a>;

impl Inner {
    /// The candidates of `target` that may be asked: those whose worst case is within the ceilings, and whose recent
    /// p95 is within the route's budget. When all are too slow, the fastest stays: slow is better than nothing.
    pub(super) fn plan_chat<'a>(
        &self,
        target: &str,
        context: &CallContext,
        request: &'a ChatRequest,
    ) -> Result<Plan<'a>, ProxyError> {
        let (route, found) = self.candidates.find(target, &context.task)?;
        let schema = request.output_schema.as_ref().map(|schema| schema.schema());
        let quick = quick_token_bound(&request.messages, &request.tools, schema);
        let output = self.ledger.output_cap(request.max_output_tokens, context.endpoint);
        let quoted = |candidate: &Candidate, ceiling: NanoUsd| {
            let quote = Quote { price: candidate.price(), input_tokens: quick, output, ceiling };
            let vendor = candidate.provider.settings.vendor.clone();
            if !has_published_tokenizer(&candidate.model, vendor.as_deref()) {
                return (quote, None);
            }
            let model = candidate.model.clone();
            let count = move || input_token_bound(&model, vendor.as_deref(), &request.messages, &request.tools, schema);
            if quote.grant(None).is_some() {
                return (quote, Some(Box::new(count) as Exact<'a>));
            }
            (Quote { input_tokens: count(), ..quote }, None)
        };
        self.affordable(route, found, context.approved_cost, quoted)
    }

    /// As [`Inner::plan_chat`], for work that `quoted` tells the worst case of, within a ceiling.
    pub(super) fn affordable<'a>(
        &self,
        route: Option<&RouteSettings>,
        found: Vec<Arc<Candidate>>,
        approved: Option<NanoUsd>,
        quoted: impl Fn(&Candidate, NanoUsd) -> (Quote, Option<Exact<'a>>),
    ) -> Result<Plan<'a>, ProxyError> {
        let mut too_dear: Option<(NanoUsd, NanoUsd, String)> = None;
        let mut within = Vec::with_capacity(found.len());
        for candidate in found {
            let ceiling = approved.unwrap_or(candidate.ceiling);
            let limit = route.and_then(|route| route.max_request).map_or(ceiling, |most| ceiling.min(most));
            let (quote, exact) = quoted(&candidate, limit);
            if quote.grant(None).is_some() {
                within.push(Choice { candidate, quote, exact });
                continue;
            }
            // A cost beyond all numbers is beyond every ceiling.
            let worst = quote.price.worst_case(quote.input_tokens, quote.output.least()).unwrap_or(NanoUsd(i64::MAX));
            if too_dear.as_ref().is_none_or(|(least, ..)| worst < *least) {
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

    fn fast_enough<'a>(&self, choices: Vec<Choice<'a>>, budget: Duration) -> Vec<Choice<'a>> {
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
