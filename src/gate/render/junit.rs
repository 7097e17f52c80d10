//! A gate for a CI system's test view.
//!
//! It is red exactly when the gate's exit code is not 0: nothing fails in a gate that passed, and in any other the
//! check `verdict` does. What was proven worse is a failure; what could not be settled is an error, so that the two
//! are counted apart. What decided nothing is skipped with its reason, and so is a case that lost score but is no
//! regression, or whose flips are known.

use super::words::movement;
use crate::config::Tier;
use crate::domain::Verdict;
use crate::gate::outcome::{GateReport, MetricReport, MovedCase};
use crate::report::{CaseResult, TestCase, TestSuite};

impl GateReport {
    pub(super) fn suites(&self) -> Vec<TestSuite> {
        let class = format!("gate.{}", self.gold_set);
        let test =
            |name: &str, result| TestCase { name: name.to_owned(), classname: class.clone(), time_s: None, result };
        let metrics =
            self.metrics.iter().chain(&self.slices).map(|metric| test(&metric.name, self.metric_result(metric)));
        let gate = TestSuite {
            name: "gate".to_owned(),
            properties: self.properties(),
            cases: std::iter::once(test("verdict", self.whole())).chain(metrics).collect(),
        };
        let class = format!("regressions.{}", self.gold_set);
        let case = |case: &MovedCase| TestCase {
            name: case.case.clone(),
            classname: class.clone(),
            time_s: None,
            result: self.regression(case),
        };
        let regressions = TestSuite {
            name: "regressions".to_owned(),
            properties: vec![("not_listed".to_owned(), self.fell_unlisted.to_string())],
            cases: self.fell.iter().map(case).collect(),
        };
        if regressions.cases.is_empty() { vec![gate] } else { vec![gate, regressions] }
    }

    fn properties(&self) -> Vec<(String, String)> {
        let properties = [
            ("verdict", self.id.to_string()),
            ("gold_hash", self.gold_hash.to_string()),
            ("baseline_release", self.baseline.release.to_string()),
            ("baseline_hash", self.baseline.release_hash.to_string()),
            ("candidate_release", self.candidate.release.to_string()),
            ("candidate_hash", self.candidate.release_hash.to_string()),
            ("terms", self.terms.to_string()),
            ("seed", self.seed.to_string()),
        ];
        properties.map(|(name, value)| (name.to_owned(), value)).into()
    }

    fn whole(&self) -> CaseResult {
        let (message, text) = (self.first_line(), self.reasons.join("\n"));
        match self.verdict {
            Verdict::Pass => CaseResult::Passed,
            Verdict::Fail => CaseResult::Failed { message, text },
            Verdict::Inconclusive => CaseResult::Errored { message, text },
        }
    }

    fn metric_result(&self, metric: &MetricReport) -> CaseResult {
        let message = if metric.why.is_empty() { "no reason is known".to_owned() } else { metric.why.clone() };
        let decides = self.verdict != Verdict::Pass;
        match (metric.outcome, metric.tier) {
            (Verdict::Pass, _) => CaseResult::Passed,
            (Verdict::Fail, Tier::Critical | Tier::Supporting) if decides => {
                CaseResult::Failed { message, text: movement(metric) }
            }
            (Verdict::Inconclusive, Tier::Critical) if decides => {
                CaseResult::Errored { message: format!("inconclusive: {message}"), text: movement(metric) }
            }
            (Verdict::Fail, _) => CaseResult::Skipped { message: format!("worse, but decides nothing: {message}") },
            (Verdict::Inconclusive, _) => CaseResult::Skipped { message: format!("inconclusive: {message}") },
        }
    }

    fn regression(&self, case: &MovedCase) -> CaseResult {
        let moved = format!("{:.3} → {:.3}, {}", case.before, case.after, case.flip());
        if let Some(known) = self.quarantined.iter().find(|known| known.case == case.case) {
            return CaseResult::Skipped { message: format!("{moved}; in quarantine until {}", known.until) };
        }
        if self.verdict == Verdict::Pass {
            return CaseResult::Skipped { message: format!("{moved}; the gate passed") };
        }
        if !case.passed_before || case.passes_now {
            return CaseResult::Skipped { message: moved };
        }
        let text = format!(
            "question: {}\nexpected: {}\nthen: {}\ngot: {}\nrepeat: {}",
            case.question,
            case.wanted("\nor: "),
            case.then,
            case.got(),
            case.repro
        );
        CaseResult::Failed { message: moved, text }
    }
}
