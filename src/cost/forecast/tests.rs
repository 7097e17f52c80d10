use jiff::civil::date;

use super::*;
use crate::report::{Format, Style, write};

const USD: i64 = 1_000_000_000;

fn usd(dollars: i64) -> NanoUsd {
    NanoUsd(dollars * USD)
}

/// Consecutive days that end on 9 June 2026, a Tuesday.
fn until_ninth_of_june(dollars: &[i64]) -> Vec<(Date, NanoUsd)> {
    let first = date(2026, 6, 10).checked_sub(i64::try_from(dollars.len()).unwrap().days()).unwrap();
    first.series(1.day()).zip(dollars.iter().map(|dollars| usd(*dollars))).collect()
}

fn close(found: Option<NanoUsd>, dollars: f64) {
    let found = found.unwrap().0 as f64 / USD as f64;
    assert!((found - dollars).abs() < 0.001, "{found} is not {dollars}");
}

fn text(forecast: &Forecast) -> String {
    let mut out = Vec::new();
    write(forecast, Format::Human, Style { color: false, width: 90 }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const SEVEN: [i64; 7] = [10, 12, 8, 10, 14, 6, 10];

#[test]
fn seven_days_make_the_interval_worked_out_by_hand() {
    // Days: mean 70/7 = 10; squared deviations 0+4+4+0+16+16+0 = 40; s² = 40/6 = 6.6667, s = 2.5820.
    // At the beginning of 10 June n = 21 days are left: 21·10 = 210; with $95 spent 305 are expected.
    // √(21 + 21²/7) = √84 = 9.1652; t(6) at 97.5 % = 2.4469 (tables): 2.4469·2.5820·9.1652 = 57.9045.
    let found = forecast(&until_ninth_of_june(&SEVEN), usd(95), date(2026, 6, 10), 0.0, 0.95);
    assert_eq!((found.method, found.days_used, found.days_left), (ForecastMethod::DailyMean, 7, 21.0));
    assert_eq!(found.expected_nanousd, Some(usd(305)));
    let interval = found.interval.unwrap();
    close(Some(interval.lower_nanousd), 305.0 - 57.9045);
    close(Some(interval.upper_nanousd), 305.0 + 57.9045);
}

#[test]
fn what_is_left_of_today_is_a_part_of_a_day() {
    // n = 20.25: 95 + 202.5 = 297.5; √(20.25 + 20.25²/7) = √78.8304 = 8.8787; ·2.4469·2.5820 = 56.0944.
    let found = forecast(&until_ninth_of_june(&SEVEN), usd(95), date(2026, 6, 10), 0.75, 0.95);
    close(found.expected_nanousd, 297.5);
    close(Some(found.interval.unwrap().upper_nanousd), 297.5 + 56.0946);
}

#[test]
fn from_two_weeks_on_weekends_have_a_level_of_their_own() {
    // 27 May (Wednesday) to 9 June 2026; weekend days are 30, 31 May and 6, 7 June.
    // Weekdays 9, 11 five times each: mean 10, squares 10·1 = 10. Weekends 1, 3, 1, 3: mean 2, squares 4·1 = 4.
    // s² = 14/(14 − 2) = 1.16667. 10 to 30 June: weekends 13, 14, 20, 21, 27, 28: 6, and 15 weekdays.
    // 15·10 + 6·2 = 162; 15 + 15²/10 + 6 + 6²/4 = 52.5; √(1.16667·52.5) = √61.25 = 7.8262;
    // t(12) at 97.5 % = 2.1788: 17.0518.
    let days = [9, 11, 9, 1, 3, 11, 9, 11, 9, 11, 1, 3, 9, 11];
    let found = forecast(&until_ninth_of_june(&days), usd(70), date(2026, 6, 10), 0.0, 0.95);
    assert_eq!((found.method, found.days_used), (ForecastMethod::WeekdaysAndWeekends, 14));
    assert_eq!((found.per_weekday_nanousd, found.per_weekend_day_nanousd), (Some(usd(10)), Some(usd(2))));
    assert_eq!(found.expected_nanousd, Some(usd(232)));
    let interval = found.interval.unwrap();
    close(Some(interval.lower_nanousd), 232.0 - 17.0518);
    close(Some(interval.upper_nanousd), 232.0 + 17.0518);
}

#[test]
fn days_without_an_entry_cost_nothing_and_old_ones_do_not_count() {
    let tenth = date(2026, 6, 10);
    // 1 June $18; 2 to 9 June nothing: mean 18/9 = 2. Today's entry is not complete.
    let found = forecast(&[(date(2026, 6, 1), usd(18)), (tenth, usd(500))], usd(18), tenth, 0.0, 0.95);
    assert_eq!((found.days_used, found.expected_nanousd), (9, Some(usd(18 + 42))));
    // An entry of April says that May was there, and only that.
    let found = forecast(&[(date(2026, 4, 1), usd(500))], usd(0), tenth, 0.0, 0.95);
    assert_eq!((found.days_used, found.expected_nanousd), (28, Some(usd(0))));
}

#[test]
fn too_few_days_are_said_and_never_guessed() {
    let tenth = date(2026, 6, 10);
    let none = forecast(&[], usd(3), tenth, 0.5, 0.95).with_cap(Some(usd(10)));
    assert_eq!((none.method, none.expected_nanousd, none.interval), (ForecastMethod::NoDays, None, None));
    assert_eq!(none.cap.unwrap().status, CapStatus::Unknown);
    assert!(text(&none).contains("no complete day to forecast from"));
    let six = forecast(&until_ninth_of_june(&[10; 6]), usd(60), tenth, 0.0, 0.95);
    assert_eq!((six.expected_nanousd, six.interval), (Some(usd(270)), None));
}

#[test]
fn the_interval_never_begins_below_what_is_spent() {
    let found = forecast(&until_ninth_of_june(&[0, 0, 0, 0, 0, 0, 70]), usd(70), date(2026, 6, 10), 0.0, 0.95);
    assert_eq!(found.interval.unwrap().lower_nanousd, usd(70));
}

#[test]
fn at_the_end_of_the_month_everything_is_known() {
    let found = forecast(&until_ninth_of_june(&SEVEN), usd(95), date(2026, 6, 30), 1.0, 0.95);
    assert_eq!((found.days_left, found.expected_nanousd), (0.0, Some(usd(95))));
    let interval = found.interval.unwrap();
    assert_eq!((interval.lower_nanousd, interval.upper_nanousd), (usd(95), usd(95)));
    assert_eq!(found.with_cap(Some(usd(96))).cap.unwrap().status, CapStatus::Unlikely);
}

#[test]
fn a_cap_is_reached_on_the_day_that_crosses_it() {
    let of = |cap: i64, gone: f64| {
        let found = forecast(&until_ninth_of_june(&SEVEN), usd(95), date(2026, 6, 10), gone, 0.95);
        let cap = found.with_cap(Some(usd(cap))).cap.unwrap();
        (cap.status, cap.reached_on)
    };
    // 95 + 10 a day: 105 at the end of the 10th, 125 at the end of the 12th.
    assert_eq!(of(125, 0.0), (CapStatus::Expected, Some(date(2026, 6, 12))));
    assert_eq!(of(126, 0.0), (CapStatus::Expected, Some(date(2026, 6, 13))));
    // Half of the 10th is left: 100, 110, 120, 130.
    assert_eq!(of(125, 0.5), (CapStatus::Expected, Some(date(2026, 6, 13))));
    // Nothing is left of it: 95, 105.
    assert_eq!(of(105, 1.0), (CapStatus::Expected, Some(date(2026, 6, 11))));
    assert_eq!(of(95, 0.0), (CapStatus::Reached, Some(date(2026, 6, 10))));
    // 305 are expected, at most 362.90.
    assert_eq!(of(330, 0.0), (CapStatus::Possible, None));
    assert_eq!(of(363, 0.0), (CapStatus::Unlikely, None));
}

#[test]
fn a_reader_is_told_the_sum_and_the_cap_first() {
    let found = forecast(&until_ninth_of_june(&SEVEN), usd(95), date(2026, 6, 10), 0.5, 0.95);
    let text = text(&found.with_cap(Some(usd(200))));
    assert!(text.contains("$300.00 expected by 2026-06-30; reaches the cap of $200.00 around 2026-06-20"), "{text}");
    assert!(text.contains("(95%)"), "{text}");
}

#[test]
fn a_forecast_and_its_curves_are_one_report() {
    let forecast = forecast(&until_ninth_of_june(&SEVEN), usd(95), date(2026, 6, 10), 0.5, 0.95);
    let inputs = super::super::curves::CurveInputs {
        small_ticket: Some(NanoUsd(1_000_000)),
        large_ticket: None,
        embedding: NanoUsd(20_000),
        small_share: 1.0,
        exact_hit_rate: 0.5,
        semantic_hit_rate: 0.0,
        tickets: 40,
    };
    let report = ForecastReport { forecast, curves: Some(super::super::curves::curves(&inputs, None)) };
    let shown = |format| {
        let mut out = Vec::new();
        write(&report, format, Style { color: false, width: 90 }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&shown(Format::Json)).unwrap();
    assert_eq!(json["forecast"]["month_end"], "2026-06-30");
    assert_eq!(json["curves"]["now_nanousd"], 510_000);
    assert_eq!(json["curves"]["large_ticket_nanousd"], serde_json::Value::Null);
    let html = shown(Format::Html);
    // Three lines in each of the two drawings (for a desk and for a telephone).
    assert_eq!(html.matches("<polyline").count(), 6);
    assert!(html.contains(">now 0.00051</text>"));
    let pictures = html.split("<svg").skip(1).map(|rest| rest.split("</svg>").next().unwrap());
    assert!(pictures.into_iter().all(|svg| !svg.contains("NaN")));
    assert!(shown(Format::Human).contains("Cost per request against cache hit rate"));
    assert_eq!(shown(Format::Csv).lines().count(), 31);
}
