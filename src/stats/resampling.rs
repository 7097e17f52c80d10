use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// How often to resample, and from which seed: the same data and the same of these give the same numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resampling {
    /// Number of resamples.
    pub resamples: u32,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Resampling {
    /// Its random numbers: a named generator, whose values do not change between versions.
    pub(super) fn random(self) -> Random {
        Random(Xoshiro256PlusPlus::seed_from_u64(self.seed))
    }
}

/// Random numbers for resampling.
///
/// Source: Blackman & Vigna (2021), Scrambled Linear Pseudorandom Number Generators (xoshiro256++).
pub(super) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// 64 fair coins.
    pub(super) fn coins(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Two indices below `bound`, each out of half a random word.
    ///
    /// No draw is rejected, so that some indices are likelier than others by the share `bound / 2^32`: for 10,000
    /// clusters 2e-6, far below what any number of resamples could show.
    ///
    /// Source: Lemire (2019), Fast Random Integer Generation in an Interval.
    pub(super) fn two_below(&mut self, bound: u32) -> [usize; 2] {
        let word = self.0.next_u64();
        [word & 0xffff_ffff, word >> 32].map(|half| ((half * u64::from(bound)) >> 32) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_stands_for_the_same_numbers_for_ever() {
        // xoshiro256++ from the SplitMix64 expansion of the seed, computed in Python.
        let mut random = Resampling { resamples: 1, seed: 7 }.random();
        assert_eq!([random.coins(), random.coins()], [0x0e2c_1a00_2aae_913d, 0x2c0f_c8dd_fa4e_9e14]);
    }

    #[test]
    fn indices_are_spread_evenly() {
        let mut random = Resampling { resamples: 1, seed: 1 }.random();
        let mut counts = [0_u32; 7];
        for _ in 0..35_000 {
            for index in random.two_below(7) {
                counts[index] += 1;
            }
        }
        // 70,000 draws: 10,000 each with a standard deviation of 93.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 400), "{counts:?}");
    }
}
