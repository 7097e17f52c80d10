use std::process::ExitCode;

use crate::config::ConfigError;
use crate::cost::{BudgetBreach, ExportError};
use crate::eval::EvalError;
use crate::gate::GateError;
use crate::gold::{GoldError, ImportError};
use crate::kb::KbError;
use crate::pipeline::AssistantError;
use crate::prices::PriceBookError;
use crate::prompts::{PromptError, RevisionError};
use crate::providers::ProviderError;
use crate::proxy::ProxyError;
use crate::report::ReportError;
use crate::store::StoreError;

/// How a command ended; the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Done, and every check passed.
    Pass,
    /// A check failed.
    Failed,
    /// Wrong usage or configuration.
    Usage,
    /// Could not run.
    CouldNotRun,
    /// Not enough evidence for a verdict.
    Inconclusive,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(match code {
            Code::Pass => 0,
            Code::Failed => 1,
            Code::Usage => 2,
            Code::CouldNotRun => 3,
            Code::Inconclusive => 4,
        })
    }
}

/// Why a command reached no outcome: the message, the next step, the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: Code::Usage, message: message.into(), hint: Some(hint.into()) }
    }

    pub(super) fn could_not_run(message: impl Into<String>) -> Self {
        Self { code: Code::CouldNotRun, message: message.into(), hint: None }
    }

    fn with(code: Code, error: &dyn std::error::Error, hint: Option<String>) -> Self {
        Self { code, message: error.to_string(), hint }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::with(Code::Usage, &error, None)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let code = if matches!(error, StoreError::NoSuchRun { .. }) { Code::Usage } else { Code::CouldNotRun };
        let hint = error.hint().map(str::to_owned);
        Self::with(code, &error, hint)
    }
}

impl From<GoldError> for Failure {
    fn from(error: GoldError) -> Self {
        let unreadable = matches!(&error, GoldError::Unwritable { .. } | GoldError::ChangedUnderneath { .. });
        let hint = error.hint();
        Self::with(if unreadable { Code::CouldNotRun } else { Code::Usage }, &error, hint)
    }
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let hint = error.hint();
        Self::with(Code::Usage, &error, hint)
    }
}

impl From<PromptError> for Failure {
    fn from(error: PromptError) -> Self {
        let hint = error.hint();
        Self::with(Code::Usage, &error, hint)
    }
}

impl From<RevisionError> for Failure {
    fn from(error: RevisionError) -> Self {
        let hint = error.hint();
        let code = match error {
            RevisionError::GitMissing { .. } | RevisionError::Failed { .. } | RevisionError::Unwritable { .. } => {
                Code::CouldNotRun
            }
            _ => Code::Usage,
        };
        Self::with(code, &error, hint)
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        match error {
            ProxyError::UnknownTarget { .. } | ProxyError::UnknownProvider { .. } | ProxyError::Unsupported { .. } => {
                let hint = "name a model of a `[providers.NAME]` table, or a `[routes.NAME]`, in the release's `stages.*` and `retrieval.embedder`";
                Self::with(Code::Usage, &error, Some(hint.to_owned()))
            }
            ProxyError::UnknownModel { ref provider, ref model, .. } => {
                let hint = format!(
                    "write both prices into `[providers.{provider}.models.\"{model}\"]`, or say with `vendor` in \
                     `[providers.{provider}]` whose prices of `tollgate prices list` it has"
                );
                Self::with(Code::Usage, &error, Some(hint))
            }
            ProxyError::NoPrice { ref provider, .. } => {
                let hint = format!(
                    "`tollgate prices list` shows the known models; a model of your own has its prices in \
                     `[providers.{provider}.models.\"MODEL\"]`"
                );
                Self::with(Code::Usage, &error, Some(hint))
            }
            ProxyError::CeilingExceeded { .. } => {
                let hint = "shorten the prompt, lower `max_output_tokens`, or approve it with --max-request-cost";
                Self::with(Code::Usage, &error, Some(hint.to_owned()))
            }
            ProxyError::Budget(ref breach) | ProxyError::Degraded { ref breach, .. } => {
                // A cap that holds is an outcome.
                Self::with(Code::Failed, &error, Some(budget_hint(breach)))
            }
            ProxyError::Ledger(store) => store.into(),
            ProxyError::Setup { .. } => Self::with(Code::Usage, &error, None),
            ProxyError::Provider { ref source, .. } => {
                let hint = provider_hint(source);
                Self::with(Code::CouldNotRun, &error, hint.map(str::to_owned))
            }
            ProxyError::AllFailed { ref failures, .. } | ProxyError::DeadlineExceeded { ref failures, .. } => {
                let hint = failures.last().and_then(|(_, error)| provider_hint(error));
                Self::with(Code::CouldNotRun, &error, hint.map(str::to_owned))
            }
            ProxyError::Recording(_) => {
                let hint = "record it anew with --record DIR, from the same release and gold set";
                Self::with(Code::CouldNotRun, &error, Some(hint.to_owned()))
            }
            other => Self::with(Code::CouldNotRun, &other, None),
        }
    }
}

fn budget_hint(breach: &BudgetBreach) -> String {
    let wait = if breach.retry_may_help { "try again when the calls under way have ended, or " } else { "" };
    let (scope, period) = (&breach.scope, breach.period.as_str());
    format!(
        "{wait}raise the cap: `tollgate budget set {scope} --{period} USD --reason …`; `tollgate budget show` has all of them"
    )
}

fn provider_hint(error: &ProviderError) -> Option<&'static str> {
    Some(match error {
        ProviderError::KeyMissing { .. } => "set it, or name another with `api_key_env` or `api_key_file`",
        ProviderError::Unauthorized { .. } => {
            "check that the key is whole, of this vendor, and not revoked; `api_key_env` or `api_key_file` names it"
        }
        ProviderError::NoSuchModel { .. } => "check the model's name in the vendor's list of models",
        ProviderError::QuotaSpent { .. } => "add credit at the vendor, or a candidate of another vendor to the route",
        ProviderError::Connection { .. } => "check `base_url`, the network, and HTTPS_PROXY",
        ProviderError::RateLimited { .. } | ProviderError::Unavailable { .. } => {
            "try again later, or give the stage a route with a candidate of another vendor"
        }
        ProviderError::TimedOut { .. } => "raise the provider's `timeouts` or `proxy.deadline_ms`, or add a candidate",
        ProviderError::Malformed { .. } | ProviderError::Truncated { .. } => {
            "check that `base_url` is the API's own address, and `max_reply_bytes`"
        }
        _ => return None,
    })
}

impl From<PriceBookError> for Failure {
    fn from(error: PriceBookError) -> Self {
        Self::with(
            Code::Usage,
            &error,
            Some("correct it there; `tollgate prices check FILE` checks it again".to_owned()),
        )
    }
}

impl From<KbError> for Failure {
    fn from(error: KbError) -> Self {
        match error {
            KbError::Store(store) => store.into(),
            KbError::Index(_) => Self::with(
                Code::CouldNotRun,
                &error,
                Some("build it anew with `tollgate kb ingest --rebuild`".to_owned()),
            ),
            KbError::SourceMissing { .. } => {
                let hint = "restore it, or correct its `path` in tollgate.toml; nothing was removed";
                Self::with(Code::Usage, &error, Some(hint.to_owned()))
            }
            KbError::UnknownDocument { .. } => {
                Self::with(Code::Usage, &error, Some("`tollgate kb status --documents` lists them".to_owned()))
            }
            KbError::UnknownSource { .. } | KbError::TwoSources { .. } => {
                Self::with(Code::Usage, &error, Some("see `[kb.sources]` in tollgate.toml".to_owned()))
            }
            KbError::Locked => Self::with(Code::CouldNotRun, &error, Some("wait for it to finish".to_owned())),
            KbError::Embed { .. } | KbError::Unlistable { .. } | KbError::Lock { .. } => {
                Self::with(Code::CouldNotRun, &error, None)
            }
        }
    }
}

impl From<AssistantError> for Failure {
    fn from(error: AssistantError) -> Self {
        match error {
            AssistantError::Store(store) => store.into(),
            AssistantError::Proxy(proxy) => proxy.into(),
            AssistantError::Knowledge(kb) => kb.into(),
            AssistantError::Prompt(prompt) => prompt.into(),
            AssistantError::EmptyQuestion => {
                Self::with(Code::Usage, &error, Some("ask something: tollgate ask \"how do I …?\"".to_owned()))
            }
            AssistantError::QuestionTooLong { .. } => {
                Self::with(Code::Usage, &error, Some("shorten it, or raise the limit in a migration".to_owned()))
            }
            AssistantError::NoModel => {
                Self::with(Code::Usage, &error, Some("set `stages.small` or `stages.large` in a migration".to_owned()))
            }
            AssistantError::Output { .. } => {
                let hint = "`--trace` shows the steps; a clearer prompt or another model may keep to the schema";
                Self::with(Code::CouldNotRun, &error, Some(hint.to_owned()))
            }
        }
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Store(store) => store.into(),
            EvalError::Gold(gold) => gold.into(),
            EvalError::Details { .. } => Self::with(Code::CouldNotRun, &error, None),
            other => {
                let hint = other.hint();
                Self::with(Code::Usage, &other, hint)
            }
        }
    }
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Store(store) => store.into(),
            GateError::Eval(eval) => eval.into(),
            other => {
                let hint = other.hint();
                Self::with(Code::Usage, &other, hint)
            }
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Io(source) => Self::could_not_run(format!("the export cannot be written: {source}")),
            ExportError::SumTooLarge { .. } => Self::with(Code::CouldNotRun, &error, None),
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::FormatUnsupported { .. } => {
                Self::with(Code::Usage, &error, Some("every command writes human, json, markdown and html; those with rows also csv, and those that judge cases junit".to_owned()))
            }
            ReportError::Io(source) => Self::could_not_run(format!("cannot write the result: {source}")),
            ReportError::Unserializable { .. } => Self::with(Code::CouldNotRun, &error, None),
        }
    }
}
