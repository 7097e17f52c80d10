use std::time::Duration;

use crate::cost::BudgetBreach;
use crate::domain::{NanoUsd, PriceTooLarge, Usage};
use crate::prices::UnknownPrice;
use crate::providers::ProviderError;
use crate::store::StoreError;

/// Why a request to a model brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Neither a model nor a route has this name.
    #[error("`{target}` names neither a route nor a model (`provider/model`){}", did_you_mean(.nearest.as_deref()))]
    UnknownTarget {
        /// The name.
        target: String,
        /// The route nearest to it.
        nearest: Option<String>,
    },
    /// No provider has this name.
    #[error("no provider `{provider}` is configured{}", did_you_mean(.nearest.as_deref()))]
    UnknownProvider {
        /// The name.
        provider: String,
        /// The configured name nearest to it.
        nearest: Option<String>,
    },
    /// The provider has no prices but those it is given, and none for this model.
    #[error("provider `{provider}` has no priced model `{model}`{}", did_you_mean(.nearest.as_deref()))]
    UnknownModel {
        /// The provider.
        provider: String,
        /// The model.
        model: String,
        /// The known name nearest to it.
        nearest: Option<String>,
    },
    /// The price book has no price for the model.
    #[error("provider `{provider}`: {source}{}", nearest_price(source))]
    NoPrice {
        /// The provider.
        provider: String,
        /// What the price book lacks.
        source: UnknownPrice,
    },
    /// The provider cannot do this kind of work.
    #[error("provider `{provider}` does not support {what}")]
    Unsupported {
        /// The provider.
        provider: String,
        /// What was asked of it.
        what: &'static str,
    },
    /// The provider cannot be set up.
    #[error("provider `{provider}` cannot be used: {reason}")]
    Setup {
        /// The provider.
        provider: String,
        /// Why.
        reason: String,
    },
    /// The worst case of the request is dearer than it may be.
    #[error("the request may cost up to {worst_case} at {model}, and {limit} is the most that one request may cost")]
    CeilingExceeded {
        /// `provider/model`, the cheapest candidate.
        model: String,
        /// Its worst case.
        worst_case: NanoUsd,
        /// The ceiling.
        limit: NanoUsd,
    },
    /// A budget has no room for the worst case of the request.
    #[error("{0}")]
    Budget(Box<BudgetBreach>),
    /// A budget has no room for the request, and its tenant's policy names what is said then.
    #[error("{breach}")]
    Degraded {
        /// What is said instead of an answer.
        text: String,
        /// The budget.
        breach: Box<BudgetBreach>,
    },
    /// The ledger cannot be written, so nothing may be spent.
    #[error("nothing may be spent while the ledger cannot be written: {0}")]
    Ledger(#[from] StoreError),
    /// A candidate refused the request in a way that no other attempt would change.
    #[error("{model} gave no answer: {source}")]
    Provider {
        /// `provider/model`.
        model: String,
        /// Why.
        source: ProviderError,
    },
    /// Every attempt failed.
    #[error("{target} gave no answer after {} attempts: {}", failures.len(), described(failures))]
    AllFailed {
        /// The model or route that was asked.
        target: String,
        /// `provider/model` and why, in the order of the attempts.
        failures: Vec<(String, ProviderError)>,
    },
    /// No candidate may be called now: the breakers of all are open.
    #[error("{target} is not asked now: its models failed too often or asked to be left alone; the next try is in {} ms", retry_after.as_millis())]
    Open {
        /// The model or route that was asked.
        target: String,
        /// When the first of them is tried again.
        retry_after: Duration,
    },
    /// The request's time was over.
    #[error("{target} gave no answer within {} ms{}", deadline.as_millis(), last_failure(failures))]
    DeadlineExceeded {
        /// The model or route that was asked.
        target: String,
        /// The time it had.
        deadline: Duration,
        /// What had failed by then.
        failures: Vec<(String, ProviderError)>,
    },
    /// The answer does not satisfy the schema that was asked for, and neither does its repair.
    #[error("the answer of {model} breaks its schema: {problem}")]
    Output {
        /// `provider/model`.
        model: String,
        /// What is wrong with it.
        problem: String,
        /// What it consumed, with its repair.
        usage: Usage,
        /// What that cost; `None` when unknown.
        cost_nanousd: Option<NanoUsd>,
        /// Answered calls.
        calls: u32,
    },
    /// The cost does not fit into money.
    #[error(transparent)]
    Price(#[from] PriceTooLarge),
    /// The request failed when it was recorded, and fails again.
    #[error("{message} (as recorded)")]
    Replayed {
        /// Why it failed then.
        message: String,
    },
    /// The recording could not be read or written.
    #[error(transparent)]
    Recording(#[from] super::recording::RecordingError),
}

impl ProxyError {
    /// Whether a vendor may bill something for the request all the same.
    pub fn may_be_billed(&self) -> bool {
        match self {
            Self::Provider { source, .. } => source.may_be_billed(),
            Self::AllFailed { failures, .. } | Self::DeadlineExceeded { failures, .. } => {
                failures.iter().any(|(_, error)| error.may_be_billed())
            }
            Self::Output { .. } => true,
            _ => false,
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn nearest_price(unknown: &UnknownPrice) -> String {
    match unknown {
        UnknownPrice::Model { nearest, .. } => did_you_mean(nearest.as_deref()),
        UnknownPrice::NotYet { .. } => String::new(),
    }
}

fn described(failures: &[(String, ProviderError)]) -> String {
    let mut each: Vec<(String, u32)> = Vec::new();
    for (model, error) in failures {
        let said = format!("{model}: {error}");
        match each.iter_mut().find(|(known, _)| *known == said) {
            Some((_, times)) => *times += 1,
            None => each.push((said, 1)),
        }
    }
    let each = each.into_iter().map(|(said, times)| if times == 1 { said } else { format!("{times} × {said}") });
    each.collect::<Vec<String>>().join("; ")
}

fn last_failure(failures: &[(String, ProviderError)]) -> String {
    failures.last().map(|(model, error)| format!("; {model}: {error}")).unwrap_or_default()
}
