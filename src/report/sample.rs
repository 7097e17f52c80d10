//! An outcome for the snapshots of this module: a small evaluation with everything in it.

use serde::Serialize;

use super::*;
use crate::domain::{NanoUsd, Step};

/// What a hostile answer might try, in one line for each viewer.
pub(super) const HOSTILE: &str = "=1+1 \u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m \u{202e}txt.exe <script>alert(1)</script> \
     <img src=x onerror=alert(1)> | `a` **b** @everyone #1 https://evil.example ]]> &amp; \0\u{FFFE} \"' \r\n# heading";

#[derive(Debug, Serialize)]
pub(super) struct EvalSample {
    gold_set: String,
    score: Option<f64>,
    low: f64,
    cost_nanousd: NanoUsd,
    latency_p95_ms: Option<f64>,
    cases: Vec<CaseSample>,
}

#[derive(Debug, Serialize)]
struct CaseSample {
    id: String,
    tag: String,
    score: Option<f64>,
    latency_ms: Option<f64>,
    cost_nanousd: Option<NanoUsd>,
    expected: String,
    got: String,
}

impl EvalSample {
    pub(super) fn new() -> Self {
        let case = |id: &str, tag: &str, score, latency_ms, expected: &str, got: &str| CaseSample {
            id: id.to_owned(),
            tag: tag.to_owned(),
            score,
            latency_ms,
            cost_nanousd: latency_ms.map(|_| NanoUsd(42_300)),
            expected: expected.to_owned(),
            got: got.to_owned(),
        };
        Self {
            gold_set: "gold_sets/manual.jsonl".to_owned(),
            score: Some(0.612_345_678),
            low: f64::NAN,
            cost_nanousd: NanoUsd(4_231_500),
            latency_p95_ms: Some(182.4),
            cases: vec![
                case(
                    "budget-cap",
                    "budgets",
                    Some(0.82),
                    Some(14.2),
                    "Set `monthly_usd` in the tenant's budget; a call that would exceed the cap is refused.",
                    "Set `monthly_usd` in the plan's budget; a call that would exceed it is refused before it is made.",
                ),
                case(
                    "resume-run",
                    "eval",
                    Some(0.05),
                    Some(1840.0),
                    "Use --resume with the run's id.",
                    "The index is brought up to date before every question, unless the knowledge base is unchanged.",
                ),
                case("timed-out", "eval", None, None, "Any answer.", ""),
            ],
        }
    }

    pub(super) fn hostile() -> Self {
        let mut sample = Self::new();
        sample.gold_set = HOSTILE.to_owned();
        for case in &mut sample.cases {
            for text in [&mut case.id, &mut case.tag, &mut case.expected, &mut case.got] {
                *text = format!("{HOSTILE} {text}");
            }
        }
        sample
    }

    fn steps() -> [Step; 4] {
        [
            ("normalize", 0.04, "38 characters"),
            ("retrieve", 2.61, "50 keyword and 50 vector candidates fused into 5 passages"),
            ("small", 4.02, "confidence 0.41 is below 0.60"),
            ("large", 7.57, "confidence 0.71"),
        ]
        .map(|(name, duration_ms, detail)| Step { name: name.into(), duration_ms, detail: detail.into() })
    }

    fn charts(&self) -> [Chart; 3] {
        let bar = |label: &str, value, interval| Bar { label: label.to_owned(), value, interval };
        let score = Axis::new("score", "", 2).range(0.0, 1.0);
        let line = |name: &str, grows: f64| Series {
            name: name.to_owned(),
            points: (1..=8).map(|at| f64::from(at) * 5.0).map(|at| (at, Some(20.0 + grows * at * at))).collect(),
        };
        let long = Series {
            name: "P95".to_owned(),
            points: (0..120)
                .map(|at| (f64::from(at), (at % 50 != 49).then(|| 80.0 + 40.0 * (f64::from(at) / 9.0).sin())))
                .collect(),
        };
        [
            Chart::bars(
                "Score by tag",
                score,
                [
                    bar("budgets", Some(0.82), Some((0.71, 0.90))),
                    bar("eval", Some(0.43), Some((0.20, 0.66))),
                    bar(&self.gold_set, Some(0.05), Some((0.0, 0.15))),
                    bar("no case ran", None, None),
                ],
            )
            .reference("floor", 0.11)
            .reference("ceiling", 0.84),
            Chart::lines(
                "Latency over load",
                Axis::new("arrivals", "1/s", 0),
                Axis::new("latency", "ms", 1),
                [line("P50", 0.02), line("P95", 0.11), line("P99", 0.17)],
            )
            .reference("budget", 200.0),
            Chart::lines("Latency over time", Axis::new("time", "s", 0), Axis::new("latency", "ms", 0), [long]),
        ]
    }
}

impl Render for EvalSample {
    fn schema_name(&self) -> &'static str {
        "eval_report"
    }

    fn document(&self) -> Document {
        let mut table = Table::new(
            "Cases",
            [
                Column::text("case"),
                Column::text("tag"),
                Column::text("state"),
                Column::number("score"),
                Column::number("change"),
                Column::number("latency"),
                Column::number("cost"),
                Column::text("share of cost"),
            ],
        );
        for (case, share) in self.cases.iter().zip([Some(0.5), Some(0.485), None]) {
            let (status, state) = match case.score {
                Some(score) if score >= 0.3 => (Status::Good, "passed"),
                Some(_) => (Status::Bad, "failed"),
                None => (Status::Warn, "errored"),
            };
            table = table.row([
                Cell::Code(case.id.clone()),
                case.tag.as_str().into(),
                Cell::Status(status, state.to_owned()),
                Cell::score(case.score),
                Cell::Change { value: case.score.map(|score| score - 0.5), decimals: 3, unit: "" },
                Cell::Ms(case.latency_ms),
                case.cost_nanousd.into(),
                Cell::Bar { share },
            ]);
        }
        let mut document = Document::new(format!("Evaluation of {}", self.gold_set))
            .verdict(Status::Good, "score 0.612, 95% interval 0.580 to 0.644, over `--fail-under 0.55`")
            .facts([
                ("release", Cell::Text("3, c8f1a90b".into())),
                ("cases", Cell::count(100)),
                ("passed", Cell::Percent(Some(0.71))),
                ("errored", Cell::count(1)),
                ("p95 latency", Cell::Ms(self.latency_p95_ms)),
                ("cost", self.cost_nanousd.into()),
                ("cost per success", Cell::Money(None)),
                ("run", Cell::Code("run_0193f2c47b3a7c22a1b2c3d4e5f60718".into())),
            ])
            .note(
                "embedded vectors are lexical: they find words and parts of words, not meaning. Say `tollgate doctor`.",
            )
            .table(table);
        for chart in self.charts() {
            document = document.chart(chart);
        }
        document = document.heading(2, "Worst cases");
        for case in &self.cases {
            document = document
                .diff(format!("{} · {}", case.id, Cell::score(case.score).shown()), &case.expected, &case.got)
                .code("sh", format!("tollgate eval {} --filter id:{} --seed 7", self.gold_set, case.id));
        }
        document
            .heading(2, "How the first case went")
            .text(
                "Each step of the pipeline, one after the other. A step that is skipped does not appear, and the \
                 whole took 14.2 ms; see `ask --trace` for the same of any question.",
            )
            .steps(Self::steps())
            .table(Table::new("Skipped documents", [Column::text("document"), Column::text("why")]))
    }

    fn records(&self) -> Option<Records> {
        let mut records = Records::new(["id", "tag", "score", "latency_ms", "cost_nanousd", "expected", "got"]);
        for case in &self.cases {
            records = records.row([
                case.id.as_str().into(),
                case.tag.as_str().into(),
                Cell::score(case.score),
                Cell::Ms(case.latency_ms),
                case.cost_nanousd.into(),
                case.expected.as_str().into(),
                case.got.as_str().into(),
            ]);
        }
        Some(records)
    }

    fn junit(&self) -> Option<Vec<TestSuite>> {
        let case = |case: &CaseSample| TestCase {
            name: case.id.clone(),
            classname: format!("manual.{}", case.tag),
            time_s: case.latency_ms.map(|ms| ms / 1e3),
            result: match case.score {
                Some(score) if score >= 0.3 => CaseResult::Passed,
                Some(score) => CaseResult::Failed {
                    message: format!("score {score} is under 0.3"),
                    text: format!("expected: {}\ngot: {}", case.expected, case.got),
                },
                None => CaseResult::Errored { message: "timed out".to_owned(), text: case.got.clone() },
            },
        };
        Some(vec![TestSuite {
            name: self.gold_set.clone(),
            properties: vec![("release".to_owned(), "3".to_owned())],
            cases: self.cases.iter().map(case).collect(),
        }])
    }
}
