use std::time::Duration;

use jiff::SignedDuration;

use super::*;
use crate::cost::alerts::repeats::find_repeats;
use crate::text::fingerprint;

const NONE: [u32; 0] = [];

/// The shares of a cap of $10.00 a month that spending from `before` to `after` reaches.
fn reached(before: &str, after: &str, percents: &[u32]) -> Vec<u32> {
    let spending = Spending { limit: dollars("10"), before: dollars(before), after: dollars(after), reserved: None };
    percents_of(&soft_limits(&about(&acme(), Period::Month), Period::Month, &spending, percents))
}

fn percents_of(alerts: &[Alert]) -> Vec<u32> {
    let percent = |alert: &Alert| match alert.rule {
        AlertRule::SoftLimit { percent, .. } => percent,
        _ => panic!("{alert:?}"),
    };
    alerts.iter().map(percent).collect()
}

#[test]
fn a_share_is_reached_once_and_by_spending_exactly_that_much() {
    let percents = [100, 50, 80, 50];
    assert_eq!(reached("4", "4.999999999", &percents), NONE);
    assert_eq!(reached("4.999999999", "5", &percents), [50]);
    assert_eq!(reached("5", "7.99", &percents), NONE);
    assert_eq!(reached("1", "12", &percents), [50, 80, 100]);
    assert_eq!(reached("12", "20", &percents), NONE);
    assert_eq!(reached("10.99", "11", &[110]), [110]);
}

#[test]
fn shares_of_odd_caps_are_not_rounded() {
    let scope = acme();
    // 50 % of 3 nano-dollars are 1.5: one is less, two are more. The sum of the largest cap does not overflow either.
    let crossed = |limit, before, after| {
        let spending = Spending { limit, before, after, reserved: None };
        percents_of(&soft_limits(&about(&scope, Period::Day), Period::Day, &spending, &[50]))
    };
    assert_eq!(crossed(NanoUsd(3), NanoUsd(0), NanoUsd(1)), NONE);
    assert_eq!(crossed(NanoUsd(3), NanoUsd(1), NanoUsd(2)), [50]);
    assert_eq!(crossed(NanoUsd(i64::MAX), NanoUsd(0), NanoUsd(i64::MAX)), [50]);
}

#[test]
fn a_cap_of_nothing_is_reached_by_any_spending_but_not_by_none() {
    let scope = acme();
    let alerts = |after| {
        let spending = Spending { limit: NanoUsd(0), before: NanoUsd(0), after, reserved: None };
        soft_limits(&about(&scope, Period::Day), Period::Day, &spending, &[50, 100])
    };
    assert_eq!(alerts(NanoUsd(0)), []);
    let alerts = alerts(NanoUsd(150));
    assert_eq!(percents_of(&alerts), [100]);
    assert_eq!(alerts[0].text, "Tenant `acme` has spent $0.000000150 although its daily budget is $0.00.");
}

#[test]
fn a_days_spending_alerts_strictly_above_the_limit_and_once() {
    let scope = acme();
    let fires = |before: &str, after: &str| {
        let spending =
            Spending { limit: dollars("10"), before: dollars(before), after: dollars(after), reserved: None };
        daily_spend(&about(&scope, Period::Day), &spending).is_some()
    };
    assert!(!fires("9", "10"));
    assert!(fires("10", "10.000000001"));
    assert!(!fires("10.000000001", "11"));
    assert!(fires("0", "11"));
}

/// The threshold and the burn rates of the alert, in hundredths, when $720 are the budget of November, a dollar an hour.
fn burns(spent: [&str; 4]) -> Option<[i64; 3]> {
    let scope = acme();
    let day = about(&scope, Period::Day);
    let [five_minutes, thirty_minutes, one_hour, six_hours] = spent.map(dollars);
    let spent = SpentIn { five_minutes, thirty_minutes, one_hour, six_hours };
    let alert = burn_rate(&day, dollars("720"), about(&scope, Period::Month).period, &spent)?;
    match alert.figures {
        AlertFigures::BurnRate { threshold, long_burn_rate, short_burn_rate, .. } => {
            Some([threshold, long_burn_rate, short_burn_rate].map(|rate| (rate * 100.0).round() as i64))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn burn_rates_exceed_their_threshold_in_both_times_or_stay_silent() {
    // 14.4 times as fast: $14.40 an hour, 2 % of $720, and $1.20 in five minutes. Exactly that is not more.
    assert_eq!(burns(["1.20", "0", "14.40", "0"]), None);
    assert_eq!(burns(["1.20", "0", "14.41", "0"]), None);
    assert_eq!(burns(["1.21", "0", "14.40", "0"]), None);
    assert_eq!(burns(["1.21", "0", "14.41", "0"]), Some([1440, 1441, 1452]));
    // 6 times as fast: $36 in six hours, $3 in half an hour.
    assert_eq!(burns(["0", "3", "0", "36.01"]), None);
    assert_eq!(burns(["0", "3.01", "0", "36"]), None);
    assert_eq!(burns(["0", "3.03", "0", "36.06"]), Some([600, 601, 606]));
    // Both: the faster one.
    assert_eq!(burns(["2", "10", "20", "100"]), Some([1440, 2000, 2400]));
}

#[test]
fn without_a_budget_there_is_no_burn_rate() {
    let scope = acme();
    let spent = SpentIn { one_hour: dollars("1"), five_minutes: dollars("1"), ..SpentIn::default() };
    let month = about(&scope, Period::Month);
    assert_eq!(burn_rate(&month, NanoUsd(0), month.period, &spent), None);
    // A time without end must not overflow.
    let always = about(&scope, Period::Lifetime);
    let all = NanoUsd(i64::MAX);
    let spent = SpentIn { one_hour: all, five_minutes: all, ..SpentIn::default() };
    assert!(burn_rate(&always, all, always.period, &spent).is_some());
}

/// Questions, each a ticket of its own, as seconds after a beginning.
fn asked(questions: &[(i64, &str)]) -> Vec<Asked> {
    let at = |seconds| time(NOW) + SignedDuration::from_secs(seconds);
    let question = |(index, (seconds, text)): (usize, &(i64, &str))| Asked {
        at: at(*seconds),
        ticket: ticket(index as u128),
        fingerprint: fingerprint(text),
    };
    questions.iter().enumerate().map(question).collect()
}

const MINUTE: Duration = Duration::from_mins(1);

#[test]
fn a_burst_of_nearly_the_same_question_is_found_between_others() {
    let asked = asked(&[
        (0, "Where is my order 17?"),
        (5, "How do I reset my password?"),
        (20, "where is my order #18"),
        (30, "Which plans are there?"),
        (60, "Where is my order 4711-b?"),
        (200, "Where is my order 20?"),
    ]);
    let found = find_repeats(&asked, 3, MINUTE).unwrap();
    assert_eq!((found.tickets, found.first, found.last), (3, asked[0], asked[4]));
    assert_eq!(find_repeats(&asked, 4, MINUTE), None);
    assert_eq!(find_repeats(&asked, 3, Duration::from_secs(59)), None);
    assert_eq!(find_repeats(&asked, 0, MINUTE), None);
    assert_eq!(find_repeats(&[], 1, MINUTE), None);
}

#[test]
fn a_ticket_that_asks_again_counts_once() {
    let mut asked = asked(&[(0, "Is it up?"), (1, "Is it up?"), (2, "Is it up?"), (90, "Is it up?")]);
    asked[1].ticket = asked[0].ticket;
    assert_eq!(find_repeats(&asked, 3, MINUTE), None);
    assert_eq!(find_repeats(&asked, 2, MINUTE).map(|found| found.tickets), Some(2));
    // Once its first question is too long ago, its second one still counts.
    asked[1].at = time(NOW) + SignedDuration::from_secs(80);
    asked.swap(1, 2);
    let found = find_repeats(&asked, 2, Duration::from_secs(15)).unwrap();
    assert_eq!((found.first.at, found.last.at), (asked[2].at, asked[3].at));
}

#[test]
fn different_questions_of_one_subject_are_no_loop() {
    let texts = [
        "How do I change my card?",
        "How do I cancel my card?",
        "Why was my card declined?",
        "When does my card expire?",
        "Where is the card that I ordered?",
        "What does a second card cost?",
    ];
    let questions: Vec<(i64, &str)> = texts.iter().map(|text| (0, *text)).collect();
    assert_eq!(find_repeats(&asked(&questions), 2, MINUTE), None);
}

#[test]
fn a_flood_of_questions_is_looked_at_in_part() {
    // 20,000 different fingerprints, and in their midst ten of the same, which are more frequent than any other.
    let spread = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let flood = |number: u64| Asked {
        at: time(NOW),
        ticket: ticket(number.into()),
        fingerprint: if number.is_multiple_of(100) && number >= 19_000 { 7 } else { spread(number) },
    };
    let asked: Vec<Asked> = (0..20_000).map(flood).collect();
    assert_eq!(find_repeats(&asked, 10, MINUTE).map(|found| found.tickets), Some(10));
}

#[test]
fn alerts_say_in_one_sentence_what_is_wrong() {
    let texts: Vec<String> = one_of_each().into_iter().map(|alert| alert.text).collect();
    assert_eq!(
        texts,
        [
            "Tenant `acme` has reached 80 % of its monthly budget: $81.20 of $100.00 spent, $1.20 more reserved.",
            "Tenant `acme` has spent $81.20 today, more than $80.00.",
            // $3 an hour of $100 in 720 hours: 21.6 times as fast, which leaves 33.3 hours.
            "Tenant `acme` spends 21.6 times as fast as its monthly budget of $100.00 allows: $3.00 within an hour, and \
             it goes on; at this rate a whole month's budget lasts 33 hours.",
            "Tenant `acme` asked nearly the same question 3 times within a second, last in ticket \
             tkt_00000000000000000000000000000003: something may ask in a loop.",
            "Tenant `acme`: P95 of cost per request rose by 16.0 % in a week, from $0.0100 to $0.0116, mostly because of \
             more tokens per call.",
            "Tenant `acme`: the call call_00000000000000000000000000000001 cost $0.0116, more than the $0.0100 reserved \
             for it.",
        ]
    );
}

#[test]
fn an_alert_is_known_by_its_rule_scope_and_period() {
    let (scope, other) = (acme(), Scope::new(ScopeKind::Tenant, "acme2"));
    let id = |scope, now: &str, percent| {
        let period = Period::Month.window(time(now), &TimeZone::UTC);
        let rule = AlertRule::SoftLimit { percent, period: Period::Month };
        let figures =
            AlertFigures::Spending { limit_nanousd: NanoUsd(1), spent_nanousd: NanoUsd(1), reserved_nanousd: None };
        let occasion = Occasion { scope, period, now: time(now) };
        occasion.alert(rule, AlertSeverity::Info, String::new(), figures).id
    };
    let first = id(&scope, NOW, 80);
    assert_eq!(first, id(&scope, "2026-11-29T00:00:00Z", 80));
    assert!(first.starts_with("alert_") && first.len() == 38 && !first.contains('.'));
    for changed in [id(&other, NOW, 80), id(&scope, "2026-12-01T00:00:00Z", 80), id(&scope, NOW, 50)] {
        assert_ne!(first, changed);
    }
    let ids: std::collections::BTreeSet<String> = one_of_each().into_iter().map(|alert| alert.id).collect();
    assert_eq!(ids.len(), 6);
}

#[test]
fn alerts_are_read_as_they_are_written() {
    for alert in one_of_each() {
        let json = serde_json::to_string(&alert).unwrap();
        assert_eq!(serde_json::from_str::<Alert>(&json).unwrap(), alert, "{json}");
    }
    let json = serde_json::to_value(&one_of_each()[0]).unwrap();
    assert_eq!(json["rule"], serde_json::json!({"name": "soft_limit", "percent": 80, "period": "month"}));
    assert_eq!(json["period_starts"], "2026-11-01T00:00:00.000Z");
    assert_eq!(json["severity"], "warning");
    assert_eq!(json["figures"]["spent_nanousd"], 81_200_000_000_i64);
    assert!(schemars::schema_for!(Alert).as_object().is_some());
}

#[test]
fn names_cannot_break_a_line() {
    let scope = Scope::new(ScopeKind::Tenant, "a\n\u{1b}[31mb");
    assert_eq!(about(&scope, Period::Day).subject(), "Tenant `a  [31mb`");
}
