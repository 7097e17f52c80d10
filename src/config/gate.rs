use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use crate::domain::NanoUsd;

/// `[gate]`: what a change must clear before it is applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GateSettings {
    /// Where the margins and tiers start from.
    pub policy: GatePolicy,
    /// Confidence of every two-sided interval, 0..1.
    pub confidence: f64,
    /// How often each case is asked on each side.
    pub repeats: u32,
    /// Drawings of a bootstrap or a permutation test.
    pub resamples: u32,
    /// Lowest acceptable score of the candidate, 0..=1; a hard limit.
    pub min_score: Option<f64>,
    /// Highest acceptable cost of one successful outcome; a hard limit.
    pub max_cost_per_success_nanousd: Option<NanoUsd>,
    /// Highest acceptable 95th percentile of latency by pathway, in milliseconds; hard limits.
    pub p95_ms: PathwayBudgets,
    /// Differences of a 95th percentile below this are never a regression, in milliseconds.
    pub latency_floor_ms: f64,
    /// How each metric is judged.
    pub metrics: BTreeMap<GateMetric, MetricSettings>,
}

/// Where the margins and tiers of a gate start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatePolicy {
    /// A margin of 0.02 on the score; proven regressions of everything else fail.
    Standard,
    /// The definition of done: score unchanged or higher, 95th percentiles within budget, no rise of cost.
    Strict,
}

impl GatePolicy {
    /// The words for it in files and on the command line.
    pub const CHOICES: &[(&'static str, Self)] = &[("standard", Self::Standard), ("strict", Self::Strict)];
}

/// Budgets of latency by pathway, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PathwayBudgets {
    /// Finding passages.
    pub retrieve: f64,
    /// A whole question that the large model was not asked.
    pub ticket: f64,
    /// A whole question that the large model was asked: complex generation.
    pub generate: f64,
}

/// What a gate compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateMetric {
    /// Mean score of the cases, by weight; the primary metric.
    Score,
    /// Share of the cases at or above the pass score.
    PassRate,
    /// Share of the cases refused exactly when they should be.
    Refusal,
    /// Mean of the `grounded` grader.
    Groundedness,
    /// What one passed case costs, with what the others cost.
    CostPerSuccess,
    /// 95th percentile of finding passages.
    RetrieveP95,
    /// 95th percentile of questions that the large model was not asked.
    TicketP95,
    /// 95th percentile of questions that the large model was asked.
    GenerateP95,
    /// Mean score by tag; one such metric for each tag.
    Slices,
}

impl GateMetric {
    /// Every metric, in the order in which reports show them.
    pub const ALL: [Self; 9] = [
        Self::Score,
        Self::PassRate,
        Self::Refusal,
        Self::Groundedness,
        Self::CostPerSuccess,
        Self::RetrieveP95,
        Self::TicketP95,
        Self::GenerateP95,
        Self::Slices,
    ];

    /// Its name in settings and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::PassRate => "pass_rate",
            Self::Refusal => "refusal",
            Self::Groundedness => "groundedness",
            Self::CostPerSuccess => "cost_per_success",
            Self::RetrieveP95 => "retrieve_p95",
            Self::TicketP95 => "ticket_p95",
            Self::GenerateP95 => "generate_p95",
            Self::Slices => "slices",
        }
    }
}

/// How much a metric has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// A regression fails the gate, and without proof that there is none the gate is inconclusive.
    Critical,
    /// A proven regression fails the gate.
    Supporting,
    /// It is shown and decides nothing.
    Advisory,
    /// It is neither measured nor shown.
    Off,
}

impl Tier {
    /// The words for it in files.
    pub const CHOICES: &[(&'static str, Self)] = &[
        ("critical", Self::Critical),
        ("supporting", Self::Supporting),
        ("advisory", Self::Advisory),
        ("off", Self::Off),
    ];
}

/// `[gate.metrics.NAME]`
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetricSettings {
    /// How much it has to say.
    pub tier: Tier,
    /// How much worse is accepted: score points or shares for scores and rates, a share of the baseline's value for cost
    /// and latency.
    pub margin: f64,
}

impl GateSettings {
    /// The settings that `policy` stands for.
    pub fn of(policy: GatePolicy) -> Self {
        let strict = policy == GatePolicy::Strict;
        let done = |supporting: f64| if strict { (Tier::Critical, 0.0) } else { (Tier::Supporting, supporting) };
        let metric = |metric| {
            let (tier, margin) = match metric {
                GateMetric::Score => (Tier::Critical, if strict { 0.0 } else { 0.02 }),
                GateMetric::CostPerSuccess => done(0.05),
                GateMetric::PassRate | GateMetric::Refusal | GateMetric::Groundedness | GateMetric::Slices => {
                    (Tier::Supporting, 0.05)
                }
                GateMetric::RetrieveP95 | GateMetric::TicketP95 | GateMetric::GenerateP95 => (done(0.0).0, 0.10),
            };
            (metric, MetricSettings { tier, margin })
        };
        Self {
            policy,
            confidence: 0.95,
            repeats: 1,
            resamples: 10_000,
            min_score: None,
            max_cost_per_success_nanousd: None,
            p95_ms: PathwayBudgets { retrieve: 1_500.0, ticket: 1_500.0, generate: 5_000.0 },
            latency_floor_ms: 50.0,
            metrics: GateMetric::ALL.into_iter().map(metric).collect(),
        }
    }

    /// The same limits, budgets and amounts of evidence under another policy's margins and tiers.
    #[must_use]
    pub fn under(&self, policy: GatePolicy) -> Self {
        let (old, mut new) = (Self::of(self.policy), Self::of(policy));
        for (metric, settings) in &self.metrics {
            // What somebody has set for a metric by hand stays; the score's margin is what a policy is about.
            if *metric != GateMetric::Score && old.metric(*metric) != *settings {
                new.metrics.insert(*metric, *settings);
            }
        }
        Self { policy, metrics: new.metrics, ..self.clone() }
    }

    /// How `metric` is judged.
    pub fn metric(&self, metric: GateMetric) -> MetricSettings {
        self.metrics.get(&metric).copied().unwrap_or(MetricSettings { tier: Tier::Off, margin: 0.0 })
    }

    /// Accepts that the score falls by `margin`.
    pub fn set_margin(&mut self, margin: f64) {
        self.metrics.insert(GateMetric::Score, MetricSettings { margin, ..self.metric(GateMetric::Score) });
    }

    /// Measures and shows `metric` no longer.
    pub fn skip(&mut self, metric: GateMetric) {
        self.metrics.insert(metric, MetricSettings { tier: Tier::Off, ..self.metric(metric) });
    }
}

impl Default for GateSettings {
    fn default() -> Self {
        Self::of(GatePolicy::Standard)
    }
}

/// Reads `[gate]`.
pub(super) fn read_gate(gate: Reader<'_>) -> GateSettings {
    let mut settings = GateSettings::of(gate.choice("policy", GatePolicy::CHOICES).unwrap_or(GatePolicy::Standard));
    if let Some(margin) = gate.number("margin", 0.0..=1.0) {
        settings.set_margin(margin);
    }
    if let Some(confidence) = gate.number("confidence", 0.5..=0.999) {
        settings.confidence = confidence;
    }
    if let Some(repeats) = gate.integer("repeats", 1..=1_000) {
        settings.repeats = u32::try_from(repeats).unwrap_or(settings.repeats);
    }
    if let Some(resamples) = gate.integer("resamples", 1_000..=1_000_000) {
        settings.resamples = u32::try_from(resamples).unwrap_or(settings.resamples);
    }
    settings.min_score = gate.number("min_score", 0.0..=1.0);
    settings.max_cost_per_success_nanousd = gate.dollars("max_cost_per_success_usd");
    if let Some(floor) = gate.number("latency_floor_ms", 0.0..=60_000.0) {
        settings.latency_floor_ms = floor;
    }
    if let Some(budgets) = gate.table("p95_ms") {
        let read = |key, budget: &mut f64| {
            if let Some(ms) = budgets.number(key, 1.0..=3_600_000.0) {
                *budget = ms;
            }
        };
        read("retrieve", &mut settings.p95_ms.retrieve);
        read("ticket", &mut settings.p95_ms.ticket);
        read("generate", &mut settings.p95_ms.generate);
        budgets.finish();
    }
    if let Some(metrics) = gate.table("metrics") {
        for metric in GateMetric::ALL {
            let Some(table) = metrics.table(metric.as_str()) else { continue };
            let before = settings.metric(metric);
            let tier = table.choice("tier", Tier::CHOICES).unwrap_or(before.tier);
            let margin = table.number("margin", 0.0..=10.0).unwrap_or(before.margin);
            table.finish();
            settings.metrics.insert(metric, MetricSettings { tier, margin });
        }
        metrics.finish();
    }
    gate.finish();
    settings
}

#[cfg(test)]
mod tests {
    use super::super::testing::load_file;
    use super::super::{ConfigError, Place};
    use super::*;

    #[test]
    fn the_definition_of_done_is_the_strict_policy() {
        let strict = GateSettings::of(GatePolicy::Strict);
        let done = MetricSettings { tier: Tier::Critical, margin: 0.0 };
        assert_eq!([strict.metric(GateMetric::Score), strict.metric(GateMetric::CostPerSuccess)], [done, done]);
        let standard = GateSettings::default();
        assert_eq!(standard.metric(GateMetric::Score), MetricSettings { tier: Tier::Critical, margin: 0.02 });
    }

    #[test]
    fn settings_override_the_policy_they_start_from() {
        let text = "[project]\nname = \"a\"\n[gate]\npolicy = \"strict\"\nmargin = 0.01\nrepeats = 3\n\
                    [gate.p95_ms]\nticket = 900\n[gate.metrics.refusal]\ntier = \"critical\"\n";
        let gate = load_file(text, &[]).unwrap().gate;
        assert_eq!((gate.policy, gate.repeats), (GatePolicy::Strict, 3));
        assert_eq!(gate.p95_ms, PathwayBudgets { ticket: 900.0, ..GateSettings::default().p95_ms });
        let critical = |margin| MetricSettings { tier: Tier::Critical, margin };
        assert_eq!(gate.metric(GateMetric::Score), critical(0.01));
        assert_eq!(gate.metric(GateMetric::Refusal), critical(0.05));
        assert_eq!(gate.metric(GateMetric::CostPerSuccess), critical(0.0));
    }

    #[test]
    fn wrong_settings_are_located() {
        let text = "[project]\nname = \"a\"\n[gate]\npolicy = \"lax\"\n[gate.metrics.scor]\nmargin = 1\n[gate.metrics.score]\nmargin = -1\n";
        let Err(ConfigError::Invalid { problems, .. }) = load_file(text, &[]) else { panic!("accepted") };
        let found: Vec<_> = problems.iter().map(|problem| (problem.field.as_str(), problem.place.clone())).collect();
        let at = |line, column| Place::File { line, column };
        assert_eq!(
            found,
            [("gate.policy", at(4, 10)), ("gate.metrics.scor", at(5, 15)), ("gate.metrics.score.margin", at(8, 10))]
        );
    }
}
