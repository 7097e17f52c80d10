//! L6: gates: two runs of one gold set are paired, a policy is applied, and a verdict is given.
//!
//! A failed gate is an outcome, not an error. Fail is decided first, then pass; what is neither is inconclusive.

mod aa;
mod aa_outcome;
mod baseline;
mod bless_outcome;
mod decide;
mod error;
mod escalate;
mod evidence;
mod judge_metrics;
mod measure;
mod noise_outcome;
mod outcome;
mod pair;
mod render;

pub use aa::{Simulation, case_noise, flips, simulate};
pub use aa_outcome::{AaReport, CaseNoise};
pub use baseline::{BASELINES, Baseline};
pub use bless_outcome::BlessedBaseline;
pub use decide::{Comparison, Side, decide};
pub use error::GateError;
pub use escalate::Escalation;
pub use evidence::{CaseEvidence, Conditions, Evidence, Repeat};
pub use noise_outcome::{FlakyCase, NoiseList};
pub use outcome::{
    EscalationReport, GateReport, JudgeStanding, MetricReport, MetricUnit, MoveCounts, MovedCase, NeededEvidence,
    QuarantinedCase, SideReport,
};

#[cfg(test)]
mod simulations;
#[cfg(test)]
mod tests;
