use super::tests::{fixture, plan, tenant, usd};
use super::{MarginInputs, MarginReport, margin_report};
use crate::report::{Format, Style, write};

fn shown(inputs: &MarginInputs, format: Format, width: usize) -> String {
    let mut out = Vec::new();
    write(&margin_report(inputs), format, Style { color: false, width }, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_person_reads_the_answer_first() {
    let mut inputs = fixture();
    inputs.plans.insert("team".into(), plan(50.0, Some(600), 100.0));
    insta::assert_snapshot!(shown(&inputs, Format::Human, 90), @r#"
    margin

    ✗ gross margin 74.9% is below 75%; so is plan `basic` (73.7%)

      target                       75.0%
      gross margin                 74.9%
      customers                    3
      tickets a month              6000
      gross profit a month         $1798.60
      AI share of all cost         13.8%
      acquisition is paid back in  2.8 months
      observed                     3,000 tickets in 15.2 days

    ── Plans, a month ────────────────────────────────────────────────────────────────────────

      plan   customers   revenue    cloud      AI  support   margin     AI   payback
                                                                     share  (months)
      ──────────────────────────────────────────────────────────────────────────────
      basic          1   $400.00   $50.40  $15.00   $40.00  ✗ 73.7%  14.2%       2.0
      pro            2  $2000.00  $252.00  $68.00  $176.00  ✓ 75.2%  13.7%       3.0
      team        none    $50.00   $27.51   $9.00   $24.00   -21.0%  14.9%     never
      all            3  $2400.00  $302.40  $83.00  $216.00  ✗ 74.9%  13.8%       2.8

    ── Tenants, a month, worst first ─────────────────────────────────────────────────────────

      tenant   plan   tickets   revenue    cloud      AI  support   margin  basis
      ───────────────────────────────────────────────────────────────────────────
      acme     pro       4000  $1000.00  $201.60  $60.00  $160.00  ✗ 57.8%  own
      initech  basic     1000   $400.00   $50.40  $15.00   $40.00  ✗ 73.7%  all
      globex   pro       1000  $1000.00   $50.40   $8.00   $16.00  ✓ 92.6%  own

    note: below 20 observed tickets of a tenant the mean ticket of its plan stands in (basis
          `plan`), and below 20 of the plan that of all tenants (`all`)

    note: a plan without customers is shown with one that is typical; neither the sums nor the
          verdict count it

    note: without a plan, and so in no row: `trial`; 490 tickets in the observed time that
          cost $10.90

    ── To reach 75% ──────────────────────────────────────────────────────────────────────────

      plan   lever                    now                     needed    change
      ────────────────────────────────────────────────────────────────────────
      all    mean price           $800.00                    $801.87    +0.3 %
      all    small model's share    78.2%                      78.8%   +0.6 pp
      all    cache hit rate         18.3%                      19.8%   +1.5 pp
      basic  price                $400.00                    $421.60    +5.4 %
      basic  small model's share    79.2%                      89.6%  +10.4 pp
      basic  cache hit rate         20.0%                      48.8%  +28.8 pp
      team   price                 $50.00                    $242.06  +384.2 %
      team   small model's share    79.2%  out of reach: -8% at 100%         –
      team   cache hit rate         20.0%  out of reach: -3% at 100%         –

    note: each lever alone, all else staying as it is; what is needed is rounded up
    "#);
}

#[test]
fn what_is_missing_is_said_first() {
    let mut inputs = fixture();
    inputs.settings.support_per_handover = None;
    inputs.usage.remove("globex");
    insta::assert_snapshot!(shown(&inputs, Format::Human, 80), @r#"
    margin

    ! gross margin is not known

    note: a customer has not asked anything yet; set its `tickets_per_month`, or its
          plan's

    note: a hand-over has no price; set `margin.support_usd_per_handover`, to 0 if
          it costs nothing

      target                       75.0%
      gross margin                 –
      customers                    3
      tickets a month              –
      gross profit a month         –
      AI share of all cost         –
      acquisition is paid back in  –
      observed                     2,500 tickets in 15.2 days

    ── Plans, a month ──────────────────────────────────────────────────────────────

      plan   customers   revenue   cloud      AI  support  margin     AI   payback
                                                                   share  (months)
      ────────────────────────────────────────────────────────────────────────────
      basic          1   $400.00  $60.40  $16.40        –       –      –         –
      pro            2  $2000.00       –       –        –       –      –         –
      all            3  $2400.00       –       –        –       –      –         –

    ── Tenants, a month, worst first ───────────────────────────────────────────────

      tenant   plan   tickets   revenue    cloud      AI  support  margin  basis
      ──────────────────────────────────────────────────────────────────────────
      acme     pro       4000  $1000.00  $241.60  $60.00        –       –  own
      globex   pro          –  $1000.00        –       –        –       –  plan
      initech  basic     1000   $400.00   $60.40  $16.40        –       –  all

    note: below 20 observed tickets of a tenant the mean ticket of its plan stands
          in (basis `plan`), and below 20 of the plan that of all tenants (`all`)

    note: without a plan, and so in no row: `trial`; 490 tickets in the observed
          time that cost $10.90
    "#);
}

#[test]
fn junit_has_a_case_for_each_plan() {
    let mut inputs = fixture();
    inputs.plans.insert("team".into(), plan(50.0, None, 100.0));
    inputs.tenants.insert("newcomer".into(), tenant("pro", None));
    let xml = shown(&inputs, Format::Junit, 80);
    let cases: String = xml.split_inclusive('\n').skip_while(|line| !line.contains("<testcase")).collect();
    insta::assert_snapshot!(cases, @r#"
        <testcase name="all customers" classname="margin">
          <error message="gross margin is not known">a customer has not asked anything yet; set its `tickets_per_month`, or its plan&#39;s</error>
        </testcase>
        <testcase name="plan basic" classname="margin">
          <failure message="73.7% is below 75%"/>
        </testcase>
        <testcase name="plan pro" classname="margin">
          <error message="gross margin is not known">a customer has not asked anything yet; set its `tickets_per_month`, or its plan&#39;s</error>
        </testcase>
        <testcase name="plan team" classname="margin">
          <skipped message="it has no customers"/>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn rows_and_json_hold_every_figure() {
    let csv = shown(&fixture(), Format::Csv, 80);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 1 + 1 + 2 + 3);
    assert_eq!(
        lines[4],
        "tenant,pro,acme,own,1,4000,1000000000000,201600000000,60000000000,160000000000,421600000000,578400000000,\
         0.5784,0.14231499051233396,3.900414937759336"
    );
    let json: serde_json::Value = serde_json::from_str(&shown(&fixture(), Format::Json, 80)).unwrap();
    assert_eq!(json["schema"], "margin_report/v1");
    assert_eq!(json["whole"]["cogs_nanousd"], 601_400_000_000_i64);
    assert_eq!(json["plans"][1]["levers"], serde_json::Value::Null);
    assert_eq!(json["tenants"][0]["basis"], "own");
    // The published schema describes all that is written.
    let schema = schemars::schema_for!(MarginReport).to_value();
    for field in json["tenants"][0].as_object().unwrap().keys() {
        assert!(schema["$defs"]["TenantMargin"]["properties"].get(field).is_some(), "{field}");
    }
}

#[test]
fn a_margin_just_below_the_target_looks_below_it() {
    assert_eq!(super::render::below(0.749_999, 0.75), "74.9999% is below 75%");
    assert_eq!(super::render::below(-0.5, 0.75), "-50.0% is below 75%");
}

#[test]
fn many_customers_are_cut_for_people_and_whole_for_programs() {
    let mut inputs = fixture();
    let names = (0..60).map(|number| (format!("t{number:02}"), tenant("pro", None)));
    inputs.tenants.extend(names);
    inputs.plans.get_mut("basic").unwrap().price = usd(500.0);
    let text = shown(&inputs, Format::Human, 80);
    assert!(text.contains("note: 38 more tenants are in"), "{text}");
    assert!(text.contains("the cost is not known of `t00`, `t01`, `t02`, `t03`, `t04` and 55 more"), "{text}");
    assert_eq!(shown(&inputs, Format::Csv, 80).lines().count(), 1 + 1 + 2 + 63);
}
