use super::Resampling;
use super::resampling::Random;

/// Clusters up to which every pattern of signs is tried.
const EXACT: usize = 16;

/// What a sign-flip test found, as p-values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// One-sided: that differences are negative.
    pub p_less: f64,
    /// One-sided: that differences are positive.
    pub p_greater: f64,
    /// That differences are not zero.
    pub p_two_sided: f64,
    /// Whether every pattern of signs was tried, and not a random choice of them.
    pub exact: bool,
}

/// Paired permutation test: were the sides exchangeable, each cluster's sum of differences could as well have the other
/// sign.
///
/// The statistic is the sum over clusters, and the unit that flips is the cluster. Up to 16 clusters that differ from
/// zero every pattern is tried; beyond, as many as `how` has resamples, and the observed one counts among them, so that
/// p is never 0. `None` without clusters, without resamples where they are needed, or when a sum is not finite; with
/// nothing but zeros p is 1.
///
/// Source: Fisher (1935), The Design of Experiments, §21; Phipson & Smyth (2010), Permutation P-values Should Never Be
/// Zero.
pub fn sign_flip(cluster_sums: &[f64], how: Resampling) -> Option<SignFlip> {
    let moved: Vec<f64> = cluster_sums.iter().copied().filter(|sum| *sum != 0.0).collect();
    let size: f64 = moved.iter().map(|sum| sum.abs()).sum();
    if cluster_sums.is_empty() || !size.is_finite() {
        return None;
    }
    // What is equal but for the order of addition is equal.
    let mut tally = Tally { observed: moved.iter().sum(), slack: 1e-12 * size, ..Tally::default() };
    let exact = moved.len() <= EXACT;
    if exact {
        (0..1_u64 << moved.len()).for_each(|signs| tally.add(flipped(&moved, signs)));
    } else if how.resamples > 0 {
        tally.add(tally.observed);
        let mut random = how.random();
        (0..how.resamples).for_each(|_| tally.add(randomly_flipped(&moved, &mut random)));
    } else {
        return None;
    }
    let share = |count: u64| count as f64 / tally.drawn as f64;
    let (p_less, p_greater, p_two_sided) = (share(tally.as_low), share(tally.as_high), share(tally.as_far));
    Some(SignFlip { p_less, p_greater, p_two_sided, exact })
}

/// Counts of the sums under random signs.
#[derive(Default)]
struct Tally {
    observed: f64,
    slack: f64,
    drawn: u64,
    as_low: u64,
    as_high: u64,
    as_far: u64,
}

impl Tally {
    fn add(&mut self, sum: f64) {
        self.drawn += 1;
        self.as_low += u64::from(sum <= self.observed + self.slack);
        self.as_high += u64::from(sum >= self.observed - self.slack);
        self.as_far += u64::from(sum.abs() >= self.observed.abs() - self.slack);
    }
}

/// The sum with a sign of its own for each value.
fn randomly_flipped(values: &[f64], random: &mut Random) -> f64 {
    values.chunks(64).map(|chunk| flipped(chunk, random.coins())).sum()
}

/// The sum of at most 64 `values`, of which those are negated whose bit is set in `signs`.
fn flipped(values: &[f64], mut signs: u64) -> f64 {
    // Four chains of additions, of which none waits for another.
    let mut sums = [0.0; 4];
    for four in values.chunks(4) {
        for (sum, value) in sums.iter_mut().zip(four) {
            *sum += f64::from_bits(value.to_bits() ^ (signs << 63));
            signs >>= 1;
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOW: Resampling = Resampling { resamples: 10_000, seed: 1 };

    /// Darwin's maize: differences in height of cross- and self-fertilized plants, in eighths of an inch.
    const MAIZE: [f64; 15] = [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];

    fn check(sums: &[f64], less: f64, greater: f64, two_sided: f64) {
        let found = sign_flip(sums, HOW).unwrap();
        let expected = SignFlip { p_less: less, p_greater: greater, p_two_sided: two_sided, exact: true };
        assert_eq!(found, expected);
    }

    #[test]
    fn few_clusters_are_tested_exactly() {
        // Fisher (1935), §21: in 863 of the 2^15 patterns the sum is as great. The p-values are also those of
        // scipy 1.17.1 stats.permutation_test(permutation_type="samples", n_resamples=inf).
        check(&MAIZE, 0.974_517_822_265_625, 863.0 / 32_768.0, 0.052_673_339_843_75);
        check(&[0.5, -0.25, 1.0, 1.0, 0.75, -0.125], 0.953_125, 0.062_5, 0.125);
        check(&[0.1, -0.2, 0.1, 0.3, -0.3], 0.562_5, 0.562_5, 1.0);
        check(&[-1.0; 10], 0.000_976_562_5, 1.0, 0.001_953_125);
    }

    #[test]
    fn clusters_that_do_not_differ_say_nothing() {
        check(&[0.0; 5], 1.0, 1.0, 1.0);
        check(&[0.0, 0.5, 0.0, 0.5, 0.5], 1.0, 0.125, 0.25);
    }

    #[test]
    fn many_clusters_are_sampled() {
        // The maize again beside two pairs that cancel within reach of the exact test: the standard error of a p near
        // 0.03 from 10,000 patterns is 0.0017.
        let mut sums = MAIZE.to_vec();
        sums.extend([1e-9, -1e-9]);
        let found = sign_flip(&sums, HOW).unwrap();
        assert!(!found.exact);
        assert!((found.p_greater - 863.0 / 32_768.0).abs() < 0.006, "{found:?}");
        assert!((found.p_two_sided - 0.052_673_339_843_75).abs() < 0.009, "{found:?}");
        assert_eq!(sign_flip(&sums, HOW), Some(found));
    }

    #[test]
    fn p_is_never_zero() {
        let found = sign_flip(&[-1.0; 200], HOW).unwrap();
        assert_eq!((found.p_less, found.p_greater), (1.0 / 10_001.0, 1.0));
    }

    #[test]
    fn what_cannot_be_tested_is_not() {
        assert_eq!(sign_flip(&[], HOW), None);
        assert_eq!(sign_flip(&[1.0, f64::NAN], HOW), None);
        assert_eq!(sign_flip(&[1.0; 17], Resampling { resamples: 0, seed: 1 }), None);
    }
}
