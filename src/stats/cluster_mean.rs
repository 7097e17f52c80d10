use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Interval, is_confidence};

/// A weighted mean whose interval allows for cases of one cluster rising and falling together.
///
/// It is fed the totals of one cluster after another and keeps only sums, so that a million clusters take the memory
/// of one. The variance is the cluster-robust sandwich with the CR1 factor `G / (G - 1)` for `G` clusters; the interval
/// takes Student's t with `G - 1` degrees of freedom. With every case its own cluster it is the plain standard error.
///
/// Source: Miller (2024), Adding Error Bars to Evals; Cameron & Miller (2015), A Practitioner's Guide to
/// Cluster-Robust Inference.
#[derive(Debug, Clone, Default)]
pub struct ClusterMean {
    // Sums are taken about the first cluster's mean: scores that are all equal then have no variance at all,
    // where the raw sums of squares would leave a rounding error of about 1e-8.
    origin: f64,
    clusters: u64,
    cases: u64,
    weight: f64,
    sum: f64,
    sum_squared: f64,
    sum_times_weight: f64,
    weight_squared: f64,
}

/// What a [`ClusterMean`] comes to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MeanEstimate {
    /// The weighted mean.
    pub estimate: f64,
    /// Its cluster-robust standard error; `None` below two clusters.
    pub standard_error: Option<f64>,
    /// Its interval, not cut to the range of the scores; `None` below two clusters.
    pub interval: Option<Interval>,
    /// Number of clusters that carry weight.
    pub clusters: u64,
    /// Number of cases in them.
    pub cases: u64,
}

impl ClusterMean {
    /// Adds one whole cluster: the sum of weight times score, the sum of weights, and the number of its cases.
    ///
    /// A cluster must come in one piece. One without positive weight says nothing and is left out.
    pub fn add(&mut self, weighted_scores: f64, weight: f64, cases: u64) {
        if weight.is_nan() || weight <= 0.0 {
            return;
        }
        if self.clusters == 0 {
            self.origin = weighted_scores / weight;
        }
        let sum = weighted_scores - self.origin * weight;
        self.clusters += 1;
        self.cases += cases;
        self.weight += weight;
        self.sum += sum;
        self.sum_squared += sum * sum;
        self.sum_times_weight += sum * weight;
        self.weight_squared += weight * weight;
    }

    /// The mean and its interval at `confidence` (0..1; no interval outside); `None` when nothing was added.
    pub fn estimate(&self, confidence: f64) -> Option<MeanEstimate> {
        if self.clusters == 0 {
            return None;
        }
        let shift = self.sum / self.weight;
        let estimate = self.origin + shift;
        let standard_error = (self.clusters > 1).then(|| {
            let clusters = self.clusters as f64;
            let residual = self.sum_squared - 2.0 * shift * self.sum_times_weight + shift * shift * self.weight_squared;
            (clusters / (clusters - 1.0) * residual.max(0.0)).sqrt() / self.weight
        });
        let interval = standard_error.filter(|_| is_confidence(confidence)).and_then(|error| {
            let t = StudentsT::new(0.0, 1.0, self.clusters as f64 - 1.0).ok()?;
            let half = t.inverse_cdf(f64::midpoint(1.0, confidence)) * error;
            Some(Interval { lower: estimate - half, upper: estimate + half })
        });
        Some(MeanEstimate { estimate, standard_error, interval, clusters: self.clusters, cases: self.cases })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCORES: [f64; 10] = [1.0, 0.0, 1.0, 1.0, 0.5, 0.0, 0.25, 1.0, 0.75, 1.0];
    const WEIGHTS: [f64; 10] = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0, 0.5, 1.0, 1.0, 2.0];
    const CLUSTERS: [usize; 10] = [0, 0, 1, 1, 1, 2, 3, 3, 4, 5];

    fn fed(scores: &[f64], weights: &[f64], clusters: &[usize]) -> ClusterMean {
        let mut totals = vec![(0.0, 0.0, 0); clusters.iter().max().unwrap() + 1];
        for ((score, weight), cluster) in scores.iter().zip(weights).zip(clusters) {
            let (sum, total, cases) = &mut totals[*cluster];
            *sum += score * weight;
            *total += weight;
            *cases += 1;
        }
        let mut mean = ClusterMean::default();
        for (sum, total, cases) in totals {
            mean.add(sum, total, cases);
        }
        mean
    }

    fn check(mean: &ClusterMean, confidence: f64, expected: [f64; 4]) {
        let found = mean.estimate(confidence).unwrap();
        let interval = found.interval.unwrap();
        let found = [found.estimate, found.standard_error.unwrap(), interval.lower, interval.upper];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{found} is not {expected}");
        }
    }

    // Expected numbers: statsmodels 0.15.0,
    // WLS(scores, ones, weights).fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True).

    #[test]
    fn the_unweighted_interval_is_that_of_statsmodels() {
        let expected = [0.65, 0.106_770_782_520_313_08, 0.375_536_965_876_607_8, 0.924_463_034_123_392];
        check(&fed(&SCORES, &[1.0; 10], &CLUSTERS), 0.95, expected);
    }

    #[test]
    fn the_weighted_interval_is_that_of_statsmodels() {
        let mean = fed(&SCORES, &WEIGHTS, &CLUSTERS);
        let (estimate, error) = (0.620_370_370_370_37, 0.112_318_793_669_744_57);
        check(&mean, 0.95, [estimate, error, 0.331_645_719_562_341_57, 0.909_095_021_178_398_5]);
        check(&mean, 0.90, [estimate, error, 0.394_042_567_891_423_8, 0.846_698_172_849_316_3]);
    }

    #[test]
    fn two_clusters_and_forty_agree_with_statsmodels() {
        let two = fed(&[0.2, 0.4, 0.9], &[1.0; 3], &[0, 0, 1]);
        check(&two, 0.95, [0.5, 0.266_666_666_666_666_8, -2.888_321_262_979_92, 3.888_321_262_979_92]);

        let scores: Vec<f64> = (0..400).map(|i| f64::from(i * 37 % 101) / 100.0).collect();
        let weights: Vec<f64> = (0..400).map(|i| 1.0 + f64::from(i % 3)).collect();
        let clusters: Vec<usize> = (0..400).map(|i| i % 40).collect();
        let expected =
            [0.498_811_013_767_208_93, 0.015_622_097_913_926_705, 0.467_212_338_164_784_14, 0.530_409_689_366_633_7];
        check(&fed(&scores, &weights, &clusters), 0.95, expected);
    }

    #[test]
    fn cases_that_are_their_own_clusters_have_the_plain_standard_error() {
        let own = fed(&[0.2, 0.4, 0.9, 0.3, 0.7], &[1.0; 5], &[0, 1, 2, 3, 4]);
        let expected = [0.5, 0.130_384_048_104_052_94, -0.100_300_527_181_720_89, 1.100_300_527_181_720_8];
        check(&own, 0.99, expected);
    }

    #[test]
    fn below_two_clusters_there_is_no_interval() {
        let mut mean = ClusterMean::default();
        assert_eq!(mean.estimate(0.95), None);
        mean.add(3.0, 4.0, 4);
        mean.add(0.0, 0.0, 7);
        let expected = MeanEstimate { estimate: 0.75, standard_error: None, interval: None, clusters: 1, cases: 4 };
        assert_eq!(mean.estimate(0.95), Some(expected));
    }

    #[test]
    fn equal_scores_have_no_variance_at_all() {
        let mut mean = ClusterMean::default();
        for weight in 1..1000 {
            mean.add(0.3 * f64::from(weight), f64::from(weight), 1);
        }
        let found = mean.estimate(0.95).unwrap();
        assert!((found.estimate - 0.3).abs() < 1e-12 && found.standard_error.unwrap() < 1e-12, "{found:?}");
        assert_eq!(mean.estimate(95.0).unwrap().interval, None);
    }
}
