use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use hyper::body::Frame;
use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use tokio::time::Instant;

use super::call::Event;
use super::delay::Delay;

/// The connection breaks here.
#[derive(Debug, thiserror::Error)]
#[error("the answer is cut off here, as the settings ask")]
pub(super) struct CutOff;

/// What the body of an answer does, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Sends bytes, at the model's pace when they carry a token.
    Send(Event),
    /// Is silent.
    Wait(Duration),
    /// Breaks the connection.
    CutOff,
}

/// What a fault does to the body of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Damage {
    Stall(Duration),
    Truncated,
    /// Ends with this event.
    Error(Event),
    MalformedJson,
    InvalidUtf8,
}

/// An answer's events as steps, damaged in the middle.
pub(super) fn steps(mut events: Vec<Event>, damage: Option<Damage>, random: &mut ChaCha12Rng) -> VecDeque<Step> {
    if let ([whole], true) = (&events[..], matches!(damage, Some(Damage::Stall(_) | Damage::Truncated))) {
        let mut rest = whole.bytes.clone();
        let first = rest.split_to(rest.len() / 2);
        events = vec![Event::frame(first), Event::frame(rest)];
    }
    let middle = events.len() / 2;
    let mut steps: VecDeque<Step> = events.into_iter().map(Step::Send).collect();
    match damage {
        None => {}
        Some(Damage::Stall(silence)) => steps.insert(middle, Step::Wait(silence)),
        Some(Damage::Truncated) => {
            steps.truncate(middle);
            steps.extend(random.random::<bool>().then_some(Step::CutOff));
        }
        Some(Damage::Error(event)) => {
            steps.truncate(middle);
            steps.push_back(Step::Send(event));
        }
        Some(Damage::MalformedJson) => change(&mut steps, middle, |bytes| {
            // Without its end, but with the empty line that ends an event.
            let end = if bytes.starts_with(b"data:") || bytes.starts_with(b"event:") { &b"\n\n"[..] } else { b"" };
            [bytes.get(..bytes.len() * 2 / 3).unwrap_or_default(), end].concat()
        }),
        Some(Damage::InvalidUtf8) => change(&mut steps, middle, |bytes| {
            let (before, after) = bytes.split_at(bytes.len() / 2);
            [before, &[0xFF, 0xFE], after].concat()
        }),
    }
    steps
}

fn change(steps: &mut VecDeque<Step>, at: usize, change: impl FnOnce(&[u8]) -> Vec<u8>) {
    if let Some(Step::Send(event)) = steps.get_mut(at) {
        event.bytes = change(&event.bytes).into();
    }
}

/// Plays steps as a body; `held` is let go of when the body ends or nobody wants it any more.
pub(super) fn play<T: Send + 'static>(
    steps: VecDeque<Step>,
    between_tokens: Delay,
    random: ChaCha12Rng,
    held: T,
) -> BoxStream<'static, Result<Frame<Bytes>, CutOff>> {
    struct Player<T> {
        steps: VecDeque<Step>,
        random: ChaCha12Rng,
        /// When the next token is due: waits are reckoned from it, so that they do not add up errors.
        due: Instant,
        said_something: bool,
        _held: T,
    }
    let player = Player { steps, random, due: Instant::now(), said_something: false, _held: held };
    futures::stream::unfold(player, move |mut player| async move {
        loop {
            match player.steps.pop_front()? {
                Step::Send(event) => {
                    // The wait for the first token was before the answer's head.
                    if event.is_token
                        && std::mem::replace(&mut player.said_something, true)
                        && !between_tokens.is_zero()
                    {
                        player.due += between_tokens.sample(&mut player.random);
                        tokio::time::sleep_until(player.due).await;
                    }
                    return Some((Ok(Frame::data(event.bytes)), player));
                }
                Step::Wait(silence) => {
                    player.due = Instant::now() + silence;
                    tokio::time::sleep_until(player.due).await;
                }
                Step::CutOff => {
                    // What came before must be on the wire first; it is sent whenever the body is not ready.
                    tokio::task::yield_now().await;
                    return Some((Err(CutOff), player));
                }
            }
        }
    })
    .boxed()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn random() -> ChaCha12Rng {
        ChaCha12Rng::seed_from_u64(1)
    }

    fn events() -> Vec<Event> {
        let data = |text: &str| format!("data: {{\"text\": \"{text}\"}}\n\n");
        ["zero", "one", "two", "three"].map(|text| Event::token(data(text))).to_vec()
    }

    /// What is sent when, in milliseconds.
    async fn played(damage: Option<Damage>, between_tokens: Delay) -> Vec<(u128, String)> {
        let start = Instant::now();
        let steps = steps(events(), damage, &mut random());
        let sent = play(steps, between_tokens, random(), ()).map(move |frame| {
            let text = match frame {
                Ok(frame) => String::from_utf8_lossy(frame.data_ref().unwrap()).into_owned(),
                Err(CutOff) => "cut off".to_owned(),
            };
            (start.elapsed().as_millis(), text)
        });
        sent.collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_come_at_their_pace_and_a_stall_is_silent_in_the_middle() {
        let pace = Delay::Constant { ms: 20.0 };
        let times = |played: Vec<(u128, String)>| played.into_iter().map(|(at, _)| at).collect::<Vec<_>>();
        assert_eq!(times(played(None, pace).await), [0, 20, 40, 60]);
        let stall = Damage::Stall(Duration::from_secs(5));
        assert_eq!(times(played(Some(stall.clone()), pace).await), [0, 20, 5_040, 5_060]);
        assert_eq!(times(played(Some(stall), Delay::default()).await), [0, 0, 5_000, 5_000]);
    }

    #[tokio::test(start_paused = true)]
    async fn damage_is_done_in_the_middle() {
        let texts = async |damage| -> Vec<String> {
            let played = played(Some(damage), Delay::default()).await;
            played.into_iter().map(|(_, text)| text).collect()
        };
        let malformed = texts(Damage::MalformedJson).await;
        let json = malformed[2].strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(malformed.len() == 4 && serde_json::from_str::<serde_json::Value>(json).is_err(), "{malformed:?}");
        assert!(texts(Damage::InvalidUtf8).await[2].contains('\u{FFFD}'));
        let error = texts(Damage::Error(Event::frame("error"))).await;
        assert_eq!((error.len(), error[2].as_str()), (3, "error"));
        assert!(texts(Damage::Truncated).await.len() < 4);
    }

    #[test]
    fn half_of_the_truncated_answers_end_as_if_nothing_were_wrong() {
        let mut random = random();
        let breaks = |_: &i32| steps(events(), Some(Damage::Truncated), &mut random).contains(&Step::CutOff);
        let broken = (0..200).filter(breaks).count();
        assert!((70..130).contains(&broken), "{broken}");
    }
}
