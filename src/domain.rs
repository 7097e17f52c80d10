//! L0: the words of the product as types: ids, money, tokens, time, hashes, verdicts.

mod clock;
mod hash;
mod host;
mod id;
mod money;
mod period;
mod price;
mod question;
mod scope;
mod secret;
mod severity;
mod suggest;
mod tokens;
mod verdict;

pub use clock::{Clock, ManualClock, SystemClock, in_ms, rfc3339};
pub use hash::{ContentHash, Hasher};
pub use host::is_loopback;
pub use id::{CallId, IdSource, RunId, TicketId, UnreadableId, VerdictId};
pub use money::NanoUsd;
pub use period::{Period, Window};
pub use price::{LongPrompt, Price, PriceTooLarge, Rate, Rates};
pub use question::{Answer, AnswerPath, Passage, PassageChoice, Question, Step, TENANT_SHARED};
pub use scope::{Scope, ScopeKind, UnreadableScope};
pub use secret::{ApiKey, Secret};
pub use severity::Severity;
pub use suggest::nearest;
pub use tokens::{Tokens, Usage};
pub use verdict::Verdict;
