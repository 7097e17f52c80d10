use super::*;
use crate::report::{Format, Style, write};

fn model(name: &str, calls: u64, cost: Option<i64>) -> DiffModel {
    DiffModel {
        model: name.into(),
        calls,
        input_tokens: calls * 2_000,
        output_tokens: calls * 150,
        cost: cost.map(NanoUsd),
    }
}

fn side(release: u32, resolved: u64, models: Vec<DiffModel>) -> DiffSide {
    let cost = models.iter().map(|model| model.cost).sum::<Option<NanoUsd>>();
    DiffSide {
        label: format!("run_0193f2c47b3a7c22a1b2c3d4e5f6071{release}"),
        release,
        release_hash: format!("{release}f0a91c2b7de8f0a91c2b7de"),
        price_book: Some("2026-11".into()),
        tickets: 100,
        resolved,
        models,
        cost,
        gold_set: "manual".into(),
        gold_hash: "aaaa".into(),
    }
}

/// A side of one model whose resolved tickets cost `each`.
fn plain(each: i64) -> DiffSide {
    side(3, 10, vec![model("openai/small", 10, Some(each * 10))])
}

fn realistic() -> (DiffSide, DiffSide) {
    let before = vec![
        model("openai/gpt-5-mini", 100, Some(82_000_000)),
        model("anthropic/claude-sonnet-4-5", 20, Some(164_000_000)),
        model("openai/text-embedding-3-small", 100, Some(41_000)),
    ];
    let after = vec![
        model("openai/gpt-5-mini", 100, Some(70_550_000)),
        model("anthropic/claude-opus-4-5", 25, Some(297_500_000)),
        model("openai/text-embedding-3-small", 100, Some(41_000)),
    ];
    (side(3, 82, before), side(4, 85, after))
}

fn shown(diff: &CostDiff, format: Format) -> String {
    let mut out = Vec::new();
    write(diff, format, Style { color: false, width: 90 }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn costs_are_compared_by_resolved_ticket_and_model() {
    let (before, after) = realistic();
    let diff = cost_diff(before, after, Some(0.10)).unwrap();
    let line = |name: &str| diff.models.iter().find(|line| line.model == name).unwrap();
    // 82,000,000 / 82 and 70,550,000 / 85.
    let mini = line("openai/gpt-5-mini");
    assert_eq!((mini.before_nanousd, mini.after_nanousd), (Some(NanoUsd(1_000_000)), Some(NanoUsd(830_000))));
    assert_eq!((mini.change_nanousd, mini.change), (Some(NanoUsd(-170_000)), Some(-0.17)));
    assert_eq!((mini.calls_before, mini.calls_after), (Some(100.0 / 82.0), Some(100.0 / 85.0)));
    // A model of one side costs nothing on the other, and has no relative change.
    let opus = line("anthropic/claude-opus-4-5");
    assert_eq!((opus.before_nanousd, opus.after_nanousd), (Some(NanoUsd::ZERO), Some(NanoUsd(3_500_000))));
    assert_eq!((opus.change, opus.calls_before), (None, Some(0.0)));
    // 246,041,000 / 82 = 3,000,500 and 368,091,000 / 85 = 4,330,482.35.
    assert_eq!(diff.total.before_nanousd, Some(NanoUsd(3_000_500)));
    assert_eq!(diff.total.after_nanousd, Some(NanoUsd(4_330_482)));
    assert_eq!(diff.verdict(), Verdict::Fail);
    let dearest: Vec<&str> = diff.models.iter().take(2).map(|line| line.model.as_str()).collect();
    assert_eq!(dearest, ["anthropic/claude-opus-4-5", "anthropic/claude-sonnet-4-5"]);
}

#[test]
fn the_limit_itself_passes_and_a_nano_dollar_more_fails() {
    let verdict = |after: i64, limit| cost_diff(plain(1_000), plain(after), limit).unwrap().verdict();
    for (limit, most) in [(0.0, 1_000), (0.1, 1_100), (0.15, 1_150), (1.1, 2_100)] {
        assert_eq!(verdict(most, Some(limit)), Verdict::Pass, "{limit}");
        assert_eq!(verdict(most + 1, Some(limit)), Verdict::Fail, "{limit}");
    }
    assert_eq!(verdict(900, Some(0.0)), Verdict::Pass);
    assert_eq!(verdict(1_000_000, None), Verdict::Pass);
}

#[test]
fn fewer_resolved_tickets_for_the_same_money_are_dearer() {
    let mut fewer = plain(1_000);
    fewer.resolved = 8;
    let diff = cost_diff(plain(1_000), fewer, Some(0.2)).unwrap();
    assert_eq!((diff.total.change, diff.verdict()), (Some(0.25), Verdict::Fail));
}

#[test]
fn anything_costs_more_than_nothing() {
    let diff = cost_diff(plain(0), plain(1), Some(5.0)).unwrap();
    assert_eq!((diff.verdict(), diff.total.change), (Verdict::Fail, None));
    assert_eq!(cost_diff(plain(0), plain(0), Some(0.0)).unwrap().verdict(), Verdict::Pass);
}

#[test]
fn what_is_unknown_is_inconclusive_and_never_a_pass() {
    let unpriced = side(4, 10, vec![model("openai/small", 10, None)]);
    let part = DiffSide { cost: Some(NanoUsd(1)), ..unpriced.clone() };
    let unresolved = DiffSide { resolved: 0, ..plain(1) };
    let cases = [
        (plain(1), unpriced.clone(), "inconclusive: the cost of the candidate is not known"),
        (plain(1), part, "inconclusive: the cost of the candidate is not known"),
        (unpriced.clone(), unpriced, "inconclusive: the cost of both runs is not known"),
        (unresolved, plain(1), "inconclusive: no ticket of the baseline was resolved"),
    ];
    for (before, after, why) in cases {
        for limit in [None, Some(9.0)] {
            let diff = cost_diff(before.clone(), after.clone(), limit).unwrap();
            assert_eq!(diff.verdict(), Verdict::Inconclusive, "{why}");
            assert!(shown(&diff, Format::Human).contains(why), "{why}");
            assert!(shown(&diff, Format::Junit).contains("errors=\"1\""), "{why}");
        }
    }
}

#[test]
fn different_gold_sets_are_refused_by_both_hashes() {
    let other = DiffSide { gold_hash: "bbbb".into(), ..plain(1) };
    let error = cost_diff(plain(1), other, None).unwrap_err();
    assert_eq!(error.to_string(), "the runs replay different gold sets: baseline aaaa, candidate bbbb");
    for share in [-0.1, f64::NAN, f64::INFINITY] {
        assert!(matches!(cost_diff(plain(1), plain(1), Some(share)), Err(DiffError::NotAShare { .. })), "{share}");
    }
}

#[test]
fn a_pull_request_comment_has_one_table_and_a_verdict() {
    let (before, after) = realistic();
    let diff = cost_diff(before, after, Some(0.10)).unwrap();
    let markdown = shown(&diff, Format::Markdown);
    assert_eq!(markdown.lines().filter(|line| line.starts_with("| ---")).count(), 1);
    let said = r"the cost of a resolved ticket rises from \$0.00300 to \$0.00433 (+44.3%), above the limit of +10.0%";
    assert!(markdown.contains(said), "{markdown}");
    // Shown to a common decimal; what is too small for it is not shown as nothing.
    let line = r"| `openai/text-embedding-3-small` | \<\$0.00001 | \<\$0.00001 | \<\$0.00001 | -3.6% | 1.22 | 1.18 |";
    assert!(markdown.contains(line), "{markdown}");
    assert!(markdown.contains("gone") && markdown.contains("new"), "{markdown}");
    assert!(shown(&diff, Format::Junit).contains("failures=\"1\""));
    let csv = shown(&diff, Format::Csv);
    assert!(csv.contains("\nopenai/gpt-5-mini,1000000,830000,-170000,-0.17,"), "{csv}");
    assert!(csv.contains("\ntotal,3000500,4330482,1329982,"), "{csv}");
}

#[test]
fn a_change_of_prices_is_told() {
    let newer = DiffSide { price_book: Some("2026-12".into()), ..plain(1) };
    let diff = cost_diff(plain(1), newer, None).unwrap();
    assert!(shown(&diff, Format::Human).contains("prices changed as well, from `2026-11` to `2026-12`"));
}
