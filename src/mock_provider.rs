//! L2: the mock vendor: a real HTTP server in the shape of OpenAI's, Anthropic's and Gemini's APIs, with the latency, the
//! limits and the faults that it is told to have. Load tests, failover drills and CI use it instead of paying a vendor.

mod admin;
mod answer;
mod anthropic;
mod call;
mod capture;
mod connection;
mod delay;
mod embedding;
mod exchange;
mod failure;
mod fault;
mod gemini;
mod job;
mod limits;
mod metrics;
mod openai;
mod player;
mod reading;
mod sample;
mod script;
mod serve;
mod settings;
mod slots;
mod state;
#[cfg(test)]
mod tests;
mod vendor;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::domain::Clock;

pub use delay::Delay;
pub use fault::{Fault, FaultKind, Outage, OutageKind, WrongUsage};
pub use script::{ScriptLine, UnreadableScript, read_script};
pub use settings::{AnswerMode, Answers, Capacity, Latency, MockSettings, ModelSize, RateLimits};

/// Settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// They are not settings at all.
    #[error("the settings cannot be read: {problem}")]
    Unreadable {
        /// What is wrong.
        problem: String,
    },
    /// A value is not acceptable.
    #[error("`{field}`: {problem}")]
    Value {
        /// Where it stands.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Why the mock vendor did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The listener has no address.
    #[error("the listener does not work: {source}")]
    Listener {
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// A running mock vendor. It ends when it is shut down or dropped.
#[derive(Debug)]
pub struct MockServer {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

/// Starts a mock vendor on `listener`. Whoever can reach it can change its settings: bind it to a loopback address.
///
/// Schedules and rate limits go by `clock`; the same `seed` gives the same requests, in the order in which they arrive,
/// the same faults and latencies. Must be called within a tokio runtime with time and network.
///
/// # Errors
/// [`StartError`] when the settings cannot be used, or the listener does not work.
pub fn start(
    settings: MockSettings,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    seed: u64,
) -> Result<MockServer, StartError> {
    let addr = listener.local_addr().map_err(|source| StartError::Listener { source })?;
    let state = Arc::new(state::State::new(settings, clock, seed)?);
    let (stop, stopped) = oneshot::channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection::accept(listener, state, stopped));
    Ok(MockServer { addr, stop, tasks })
}

impl MockServer {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Stops accepting, ends all connections in the middle of whatever they do, and waits until that is done.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(());
        while self.tasks.join_next().await.is_some() {}
    }
}
