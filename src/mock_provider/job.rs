use std::time::Duration;

use hyper::HeaderMap;

use super::Delay;
use super::answer::answer;
use super::call::{Call, Content, Event, Reply};
use super::embedding::EmbeddingCall;
use super::failure::Failure;
use super::fault::{Fault, FaultKind, WrongUsage};
use super::player::Damage;
use super::state::{Active, State};
use super::vendor::{Endpoint, Target};
use crate::domain::Usage;

/// A number of tokens that nobody believes.
const ABSURD: u64 = 1_000_000_000_000;

/// What a request asks for.
pub(super) enum Job {
    Chat(Box<Call>),
    Embed(EmbeddingCall),
    Models,
}

/// What goes out.
pub(super) struct Produced {
    pub(super) events: Vec<Event>,
    pub(super) is_streamed: bool,
    /// What it really took, whatever the answer claims.
    pub(super) used: Usage,
    /// How long it takes, when that is not left to the latency settings.
    pub(super) latency: Option<Duration>,
    /// Between tokens.
    pub(super) pace: Delay,
    pub(super) damage: Option<Damage>,
}

impl Produced {
    fn new(events: Vec<Event>, is_streamed: bool, used: Usage) -> Self {
        Self { events, is_streamed, used, latency: None, pace: Delay::default(), damage: None }
    }
}

impl Job {
    pub(super) fn read(target: &Target<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Self, Failure> {
        match target.endpoint {
            Endpoint::Models | Endpoint::Unknown => Ok(Self::Models),
            Endpoint::Embeddings => EmbeddingCall::read(body).map(Self::Embed),
            Endpoint::Chat | Endpoint::ChatAt { .. } => {
                target.vendor.read(target, headers, body).map(Box::new).map(Self::Chat)
            }
        }
    }

    /// The model that it is for.
    pub(super) fn model(&self) -> Option<&str> {
        match self {
            Self::Chat(call) => Some(&call.request.model),
            Self::Embed(call) => Some(&call.model),
            Self::Models => None,
        }
    }

    pub(super) fn input_tokens(&self) -> u64 {
        match self {
            Self::Chat(call) => call.input_tokens(),
            Self::Embed(call) => call.input_tokens(),
            Self::Models => 0,
        }
    }

    pub(super) fn is_streamed(&self) -> bool {
        matches!(self, Self::Chat(call) if call.streamed)
    }

    /// Does it; some faults change what comes out.
    pub(super) async fn produce(
        &self,
        state: &State,
        active: &Active,
        target: &Target<'_>,
        id: &str,
        fault: Option<&Fault>,
    ) -> Result<Produced, Failure> {
        let is_empty = fault.is_some_and(|fault| fault.kind == FaultKind::EmptyChoices);
        let claimed = |used: Usage| match fault {
            Some(Fault { kind: FaultKind::WrongUsage, usage, .. }) => match usage {
                WrongUsage::Zero => Some(Usage::default()),
                WrongUsage::Missing => None,
                WrongUsage::Absurd => Some(Usage::new(ABSURD, ABSURD)),
            },
            _ => Some(used),
        };
        match self {
            Self::Models => {
                let listed: Vec<String> = active.settings.models.keys().cloned().collect();
                let names = if listed.is_empty() { vec!["small".into(), "large".into()] } else { listed };
                let body = target.vendor.models(&names).to_string();
                Ok(Produced::new(vec![Event::token(body)], false, Usage::default()))
            }
            Self::Embed(call) => {
                let used = Usage::new(call.input_tokens(), 0);
                let claimed = claimed(used).map(|usage| usage.input.0);
                let body = call.reply(active.settings.embedding_dimensions, claimed, is_empty).to_string();
                Ok(Produced::new(vec![Event::token(body)], false, used))
            }
            Self::Chat(call) => {
                let cached = state.cached(&active.settings, call);
                let (mut answer, latency) = answer(&active.settings, &active.script, call, id, cached).await?;
                let used = answer.usage.unwrap_or_default();
                answer.usage = claimed(used);
                if is_empty {
                    answer.content = Content::Nothing;
                }
                let created = state.clock.now().as_second();
                let reply = Reply { id, created, call, answer: &answer };
                let events = if call.streamed {
                    target.vendor.events(reply)
                } else {
                    vec![Event::token(target.vendor.whole(reply).to_string())]
                };
                Ok(Produced { latency, ..Produced::new(events, call.streamed, used) })
            }
        }
    }
}
