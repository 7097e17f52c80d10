use std::fmt;
use std::sync::Mutex;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Clock;

/// Text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id that starts with `{prefix}`")]
pub struct UnreadableId {
    /// What was read.
    pub text: String,
    /// What it should start with.
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(into = "String", try_from = "String")]
        #[schemars(with = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// What every id of this kind starts with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.simple())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnreadableId;
            fn from_str(text: &str) -> Result<Self, UnreadableId> {
                text.strip_prefix($prefix)
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| UnreadableId { text: text.to_owned(), prefix: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnreadableId;
            fn try_from(text: String) -> Result<Self, UnreadableId> {
                text.parse()
            }
        }
    )*};
}

ids! {
    /// One replay of a gold set.
    RunId = "run_";
    /// One customer question and all that happens to it.
    TicketId = "tkt_";
    /// One attempt at one provider.
    CallId = "call_";
    /// One decision of a gate.
    VerdictId = "verdict_";
}

/// Makes time-ordered random ids (UUID version 7) from an injected clock and a seed.
pub struct IdSource {
    random: Mutex<ChaCha12Rng>,
}

impl IdSource {
    /// Ids that nobody can predict: seeded by the operating system.
    #[expect(clippy::disallowed_methods, reason = "the one place where real randomness enters the program")]
    pub fn from_system() -> Self {
        Self { random: Mutex::new(ChaCha12Rng::from_rng(&mut rand::rng())) }
    }

    /// Ids that repeat for a repeated seed and clock; for tests and simulations.
    pub fn seeded(seed: u64) -> Self {
        Self { random: Mutex::new(ChaCha12Rng::seed_from_u64(seed)) }
    }

    /// A random number, 0..1, of the same source.
    pub fn uniform(&self) -> f64 {
        self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner).random()
    }

    /// A new id, later than those made before it (to the millisecond).
    pub fn next<Id: From<Uuid>>(&self, clock: &dyn Clock) -> Id {
        let bytes: [u8; 10] = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner).random();
        let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
        Id::from(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualClock;

    #[test]
    fn ids_repeat_for_a_seed_and_sort_by_time() {
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        let first: RunId = IdSource::seeded(7).next(&clock);
        assert_eq!(first, IdSource::seeded(7).next::<RunId>(&clock));
        clock.advance(std::time::Duration::from_millis(2));
        assert!(first < IdSource::seeded(1).next::<RunId>(&clock));
    }

    #[test]
    fn ids_survive_printing() {
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        let id: RunId = IdSource::seeded(7).next(&clock);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("tkt_0123".parse::<RunId>().is_err());
    }
}
