use super::resampling::Random;
use super::{Bootstrap, Resampling, quantile};

/// A quantile on two sides and how it changed, each with its distribution in the same resamples.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantileChange {
    /// The quantile on the baseline.
    pub baseline: Bootstrap,
    /// The quantile on the candidate.
    pub candidate: Bootstrap,
    /// Candidate minus baseline.
    pub absolute: Bootstrap,
    /// That as a share of the baseline; `None` when the baseline's quantile is 0 (in more than 5 % of the resamples).
    pub relative: Option<Bootstrap>,
}

/// Bootstraps the quantile at `p` (0..=1) of values that come in clusters, on two sides at once.
///
/// `baseline` and `candidate` hold each cluster's values; what is at the same index belongs to the same cluster, which is
/// drawn on both sides or on neither. A cluster may be without values on a side (or missing at the end). Intervals are
/// percentile intervals: of a quantile, which moves in jumps, the jackknife cannot tell the acceleration, and percentile
/// intervals come near to the exact ones of order statistics. They never reach beyond the values seen, so that at the
/// 95th percentile fewer than about 100 values say little about the upper end.
///
/// `None` below two clusters with values, when a side has none or one that is not finite, when `p` is not a number,
/// without resamples, or when more than 5 % of these leave a side without values.
///
/// Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, §13.3 and §11.6 (the jackknife of a quantile);
/// the quantile is [`quantile`]'s.
pub fn bootstrap_quantile_change(
    baseline: &[Vec<f64>],
    candidate: &[Vec<f64>],
    p: f64,
    how: Resampling,
) -> Option<QuantileChange> {
    let values = |side: &[Vec<f64>], cluster: usize| side.get(cluster).cloned().unwrap_or_default();
    // Clusters without any value must not take part, or the number of values would vary for no reason.
    let clusters: Vec<(Vec<f64>, Vec<f64>)> = (0..baseline.len().max(candidate.len()))
        .map(|cluster| (values(baseline, cluster), values(candidate, cluster)))
        .filter(|(before, after)| !before.is_empty() || !after.is_empty())
        .collect();
    let count = u32::try_from(clusters.len()).ok().filter(|count| *count >= 2)?;
    let before = SortedSide::new(clusters.iter().map(|(before, _)| before.as_slice()), p)?;
    let after = SortedSide::new(clusters.iter().map(|(_, after)| after.as_slice()), p)?;

    let mut random = how.random();
    let mut drawn = vec![0; clusters.len()];
    let mut resampled = [const { Vec::new() }; 4];
    for _ in 0..how.resamples {
        draw(&mut drawn, count, &mut random);
        let found = changes(before.quantile(&drawn), after.quantile(&drawn));
        resampled.iter_mut().zip(found).for_each(|(all, value)| all.push(value));
    }
    let [baseline, candidate, absolute, relative] = changes(before.estimate, after.estimate);
    let [baselines, candidates, absolutes, relatives] = resampled;
    Some(QuantileChange {
        baseline: Bootstrap::percentile(baseline, baselines)?,
        candidate: Bootstrap::percentile(candidate, candidates)?,
        absolute: Bootstrap::percentile(absolute, absolutes)?,
        relative: Bootstrap::percentile(relative, relatives),
    })
}

/// Both, their difference, and this as a share of the first.
fn changes(before: f64, after: f64) -> [f64; 4] {
    [before, after, after - before, (after - before) / before]
}

/// How often each cluster is drawn in one resample.
fn draw(drawn: &mut [u32], count: u32, random: &mut Random) {
    drawn.fill(0);
    for remaining in (1..=count).rev().step_by(2) {
        let indices = random.two_below(count);
        for index in indices.into_iter().take(remaining as usize) {
            drawn.get_mut(index).into_iter().for_each(|times| *times += 1);
        }
    }
}

/// One side's values, sorted once for all resamples.
struct SortedSide {
    /// From the end that is nearer to the quantile.
    values: Vec<(f64, u32)>,
    /// Number of values by cluster.
    sizes: Vec<u32>,
    p: f64,
    estimate: f64,
}

impl SortedSide {
    fn new<'a>(clusters: impl Iterator<Item = &'a [f64]>, p: f64) -> Option<Self> {
        let (mut values, mut sizes) = (Vec::new(), Vec::new());
        for (cluster, own) in (0..).zip(clusters) {
            values.extend(own.iter().map(|value| (*value, cluster)));
            sizes.push(u32::try_from(own.len()).ok()?);
        }
        values.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let sorted: Vec<f64> = values.iter().map(|(value, _)| *value).collect();
        let estimate = quantile(&sorted, p).filter(|_| sorted.iter().all(|value| value.is_finite()))?;
        if p > 0.5 {
            values.reverse();
        }
        Some(Self { values, sizes, p: p.clamp(0.0, 1.0), estimate })
    }

    /// The quantile when each cluster counts as often as it was drawn; not a number when no value was.
    fn quantile(&self, drawn: &[u32]) -> f64 {
        let total: u64 = self.sizes.iter().zip(drawn).map(|(size, times)| u64::from(*size) * u64::from(*times)).sum();
        let Some(last) = total.checked_sub(1) else { return f64::NAN };
        let position = self.p * last as f64;
        // Ranks are counted from the end where the values begin.
        let from_end = if self.p > 0.5 { last as f64 - position } else { position };
        let near = from_end.floor();
        let share = from_end - near;
        let (mut passed, mut found) = (0, None);
        for (value, cluster) in &self.values {
            passed += drawn.get(*cluster as usize).map_or(0, |times| u64::from(*times));
            if found.is_none() && passed > near as u64 {
                if share == 0.0 {
                    return *value;
                }
                found = Some(*value);
            }
            if let Some(first) = found.filter(|_| passed > near as u64 + 1) {
                return first + share * (value - first);
            }
        }
        found.unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Resampling = Resampling { resamples: 10_000, seed: 1 };

    /// 40 clusters of three values, and a candidate a fifth slower and by up to 4 more, by cluster.
    fn sides() -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let value = |i: u32| f64::from(i * 7919 % 1009) / 1009.0 * 100.0 + f64::from((i * 31 % 97).pow(2)) / 50.0;
        let baseline: Vec<Vec<f64>> = (0..40).map(|cluster| (0..3).map(|j| value(3 * cluster + j)).collect()).collect();
        let slower = |(cluster, values): (u32, &Vec<f64>)| {
            values.iter().map(|value| 1.2 * value + f64::from(cluster % 5)).collect()
        };
        let candidate = (0..).zip(&baseline).map(slower).collect();
        (baseline, candidate)
    }

    fn check(found: &Bootstrap, estimate: f64, lower: f64, upper: f64, tolerance: f64) {
        let interval = found.interval(0.95).unwrap();
        assert!((found.estimate() - estimate).abs() < 1e-6, "{}", found.estimate());
        assert!((interval.lower - lower).abs() < tolerance, "{interval:?}");
        assert!((interval.upper - upper).abs() < tolerance, "{interval:?}");
    }

    #[test]
    fn quantiles_and_their_change_are_those_of_numpy() {
        // numpy 2.4.6: np.quantile of the values of clusters drawn by default_rng(5), 40,000 resamples, and of these
        // np.percentile(…, [2.5, 97.5]).
        let (baseline, candidate) = sides();
        let p95 = bootstrap_quantile_change(&baseline, &candidate, 0.95, HOW).unwrap();
        check(&p95.baseline, 225.656_508_424, 205.2318, 244.7012, 2.0);
        check(&p95.candidate, 271.787_810_109, 249.2782, 297.6415, 2.0);
        check(&p95.absolute, 46.131_301_685, 44.0838, 52.9402, 0.5);
        check(&p95.relative.unwrap(), 0.204_431_514, 0.2, 0.216_346, 0.002);
        let median = bootstrap_quantile_change(&baseline, &candidate, 0.5, HOW).unwrap();
        check(&median.baseline, 102.080_654_113, 93.4472, 112.7542, 1.0);
        check(&median.relative.unwrap(), 0.212_532_114, 0.2, 0.241_565, 0.003);
    }

    #[test]
    fn counting_multiplicities_gives_the_quantile_of_the_drawn_values() {
        let (mut clusters, _) = sides();
        clusters[3].clear();
        clusters[4].truncate(1);
        let mut random = HOW.random();
        let mut drawn = vec![0; clusters.len()];
        for p in [0.0, 0.01, 0.3, 0.5, 0.51, 0.9, 0.95, 0.99, 1.0, 7.0] {
            let side = SortedSide::new(clusters.iter().map(Vec::as_slice), p).unwrap();
            draw(&mut drawn, 40, &mut random);
            assert_eq!(drawn.iter().sum::<u32>(), 40);
            let copies = |(values, times): (&Vec<f64>, &u32)| values.repeat(*times as usize);
            let mut values: Vec<f64> = clusters.iter().zip(&drawn).flat_map(copies).collect();
            values.sort_by(f64::total_cmp);
            let expected = quantile(&values, p).unwrap();
            assert!((side.quantile(&drawn) - expected).abs() < 1e-9, "{p}");
        }
    }

    #[test]
    fn sides_that_rise_and_fall_together_are_compared_as_pairs() {
        // A tenth slower everywhere: the change is a tenth in every resample, however far the quantile itself scatters.
        let (baseline, _) = sides();
        let candidate: Vec<Vec<f64>> =
            baseline.iter().map(|values| values.iter().map(|value| 1.1 * value).collect()).collect();
        let found = bootstrap_quantile_change(&baseline, &candidate, 0.95, HOW).unwrap();
        check(&found.relative.unwrap(), 0.1, 0.1, 0.1, 1e-9);
        assert!(found.baseline.standard_error() > 5.0);
    }

    #[test]
    fn a_cluster_may_be_without_values_on_a_side() {
        let baseline = [vec![1.0, 2.0], vec![], vec![4.0], vec![3.0], vec![5.0]];
        let candidate = [vec![], vec![], vec![4.0], vec![3.0, 6.0], vec![2.0], vec![1.0], vec![7.0]];
        let found = bootstrap_quantile_change(&baseline, &candidate, 0.5, HOW).unwrap();
        assert_eq!((found.baseline.estimate(), found.candidate.estimate()), (3.0, 3.5));
        // Six clusters have values; the baseline's two empty ones alone are drawn in (2/6)^6 of the resamples: 0.14 %.
        assert!((1..20).contains(&found.baseline.unknown()), "{}", found.baseline.unknown());
    }

    #[test]
    fn what_cannot_be_known_is_not_given() {
        let (some, none) = (vec![vec![1.0], vec![2.0]], vec![vec![], vec![]]);
        assert_eq!(bootstrap_quantile_change(&some, &none, 0.5, HOW), None);
        assert_eq!(bootstrap_quantile_change(&some[..1], &some[..1], 0.5, HOW), None);
        assert_eq!(bootstrap_quantile_change(&some, &some, f64::NAN, HOW), None);
        assert_eq!(bootstrap_quantile_change(&some, &[vec![f64::INFINITY], vec![1.0]], 0.5, HOW), None);
        assert_eq!(bootstrap_quantile_change(&some, &some, 0.5, Resampling { resamples: 0, seed: 1 }), None);
        let still = [vec![0.0], vec![0.0]];
        let found = bootstrap_quantile_change(&still, &some, 0.5, HOW).unwrap();
        assert_eq!((found.absolute.estimate(), found.relative), (1.5, None));
    }
}
