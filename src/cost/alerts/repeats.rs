use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Alert, AlertFigures, AlertRule, AlertSeverity, Occasion};
use crate::domain::TicketId;
use crate::text::is_near;

/// Of more questions only the last are looked at.
const MAX_QUESTIONS: usize = 4_096;
/// Of so many different questions, the most frequent, it is counted how many are near.
const MAX_LEADERS: usize = 128;

/// A question that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// By which ticket.
    pub ticket: TicketId,
    /// What: the question's [`crate::text::fingerprint`].
    pub fingerprint: u64,
}

/// A burst of near-identical questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// How many tickets asked.
    pub tickets: usize,
    /// The first of them within the time.
    pub first: Asked,
    /// The last of them.
    pub last: Asked,
}

/// The largest burst of near-identical questions by at least `at_least` different tickets within `window`, the latest of
/// those as large; `None` when there is none, or `at_least` is 0.
///
/// `asked` are the questions of one tenant, ascending in time. The work is bounded: only the last 4,096 of them are looked
/// at, and of different questions the 128 that were asked most often (of those asked as often, the latest) are compared
/// with all others, which takes two milliseconds at most.
pub fn find_repeats(asked: &[Asked], at_least: u32, window: Duration) -> Option<Repeats> {
    let at_least = usize::try_from(at_least).unwrap_or(usize::MAX);
    if at_least == 0 || asked.len() < at_least {
        return None;
    }
    let asked = asked.get(asked.len().saturating_sub(MAX_QUESTIONS)..).unwrap_or_default();
    let mut frequencies: HashMap<u64, (usize, usize)> = HashMap::new();
    for (index, question) in asked.iter().enumerate() {
        let (count, last) = frequencies.entry(question.fingerprint).or_default();
        (*count, *last) = (*count + 1, index);
    }
    let mut leaders: Vec<(usize, usize, u64)> =
        frequencies.into_iter().map(|(fingerprint, (count, last))| (count, last, fingerprint)).collect();
    leaders.sort_unstable_by_key(|leader| Reverse(*leader));
    let window = SignedDuration::try_from(window).unwrap_or(SignedDuration::MAX);
    let bursts = leaders.into_iter().take(MAX_LEADERS).filter_map(|(_, _, leader)| {
        let near = asked.iter().filter(|question| is_near(question.fingerprint, leader));
        largest_burst(near, window)
    });
    bursts.filter(|burst| burst.tickets >= at_least).max_by_key(|burst| (burst.tickets, burst.last.at))
}

/// The most tickets within the time, the latest of those as many. A ticket that asks twice counts once.
fn largest_burst<'a>(questions: impl Iterator<Item = &'a Asked>, window: SignedDuration) -> Option<Repeats> {
    let mut within: VecDeque<&Asked> = VecDeque::new();
    let mut times_asked: HashMap<TicketId, usize> = HashMap::new();
    let mut largest: Option<Repeats> = None;
    for question in questions {
        within.push_back(question);
        *times_asked.entry(question.ticket).or_default() += 1;
        while let Some(oldest) = within.front().filter(|oldest| question.at.duration_since(oldest.at) > window) {
            if let Some(times) = times_asked.get_mut(&oldest.ticket) {
                *times -= 1;
                if *times == 0 {
                    times_asked.remove(&oldest.ticket);
                }
            }
            within.pop_front();
        }
        let tickets = times_asked.len();
        if largest.is_none_or(|largest| tickets >= largest.tickets) {
            let first = within.front().map_or(*question, |first| **first);
            largest = Some(Repeats { tickets, first, last: *question });
        }
    }
    largest
}

/// The alert for near-identical questions in a burst: by at least `at_least` different tickets within `window`.
///
/// `asked` are the questions of one tenant, ascending in time. With `at_least` of 0 there is none. The work is bounded,
/// whatever the number of questions.
pub fn repeats(about: &Occasion, asked: &[Asked], at_least: u32, window: Duration) -> Option<Alert> {
    let Repeats { tickets, first, last } = find_repeats(asked, at_least, window)?;
    let lasted = Duration::try_from(last.at.duration_since(first.at)).unwrap_or_default();
    let text = format!(
        "{} asked nearly the same question {tickets} times within {}, last in ticket {}: something may ask in a loop.",
        about.subject(),
        in_words(lasted),
        last.ticket,
    );
    let figures = AlertFigures::Repeats {
        tickets,
        window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
        lasted_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
        first_ticket: first.ticket,
        last_ticket: last.ticket,
    };
    Some(about.alert(AlertRule::Loop, AlertSeverity::Warning, text, figures))
}

/// A time, rounded up to what people count it in.
fn in_words(time: Duration) -> String {
    match time.as_secs() + u64::from(time.subsec_nanos() > 0) {
        0 | 1 => "a second".to_owned(),
        seconds @ 2..=120 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}
