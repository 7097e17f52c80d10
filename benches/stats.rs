//! What a verdict's paired statistics cost on 10,000 cases with 10,000 resamples, in CPU time of one core; against a floor
//! of drawing as many random indices and adding what they point at, in the same run.
//!
//! `cargo bench --bench stats`

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::error::Error;
use std::hint::black_box;

use cpu_time::ProcessTime;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use tollgate::stats::{Resampling, bootstrap, bootstrap_quantile_change, mcnemar, sign_flip};

/// Cases, each a cluster of its own: the most there can be.
const CASES: u32 = 10_000;
const HOW: Resampling = Resampling { resamples: 10_000, seed: 1 };
/// Resamples of a quantile, which are dearer.
const QUANTILE: Resampling = Resampling { resamples: 2_000, seed: 1 };
/// How long the bootstrap, the sign flips and McNemar's test may take together, in seconds.
const TARGET: f64 = 1.0;
/// Each is measured as often, and the fastest counts.
const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    // Differences of graded scores, in steps of an eighth, weighted 1 to 3.
    let mut step = |steps: u64| (random.next_u64() % steps) as f64;
    let clusters: Vec<[f64; 2]> = (0..CASES)
        .map(|_| {
            let weight = 1.0 + step(3);
            [weight * (step(9) - 4.1) / 8.0, weight]
        })
        .collect();
    let sums: Vec<f64> = clusters.iter().map(|[sum, _]| *sum).collect();
    let latencies = |factor: f64| -> Vec<Vec<f64>> {
        sums.iter().map(|sum| vec![factor * (400.0 + 300.0 * sum.abs() + sum)]).collect()
    };
    let (before, after) = (latencies(1.0), latencies(1.05));

    println!("{CASES} cases, {} resamples, CPU time of one core, fastest of {ROUNDS}\n", HOW.resamples);
    let floor = seconds(|| draw_and_add(&sums))?;
    println!("{:<52}{floor:>8.3} s", "floor: random indices and additions");
    let row = |what: &str, seconds: f64| println!("{what:<52}{seconds:>8.3} s {:>6.2} × floor", seconds / floor);

    let interval = seconds(|| bootstrap(&clusters, |[sum, weight]| sum / weight, HOW))?;
    row("BCa bootstrap of a weighted mean", interval);
    let flips = seconds(|| sign_flip(&sums, HOW))?;
    row("sign flips", flips);
    let together = seconds(|| {
        let interval = bootstrap(&clusters, |[sum, weight]| sum / weight, HOW);
        (interval, sign_flip(&sums, HOW), mcnemar(900, 800))
    })?;
    row("both and McNemar's test", together);
    println!("{:<52}target < {TARGET} s {}", "", if together < TARGET { "met" } else { "MISSED" });
    let quantile = seconds(|| bootstrap_quantile_change(&before, &after, 0.95, QUANTILE))?;
    row(&format!("change of the 95th percentile ({} resamples)", QUANTILE.resamples), quantile);
    Ok(())
}

/// The least CPU time that `work` takes.
fn seconds<T>(mut work: impl FnMut() -> T) -> Result<f64, Box<dyn Error>> {
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begun = ProcessTime::try_now()?;
        black_box(work());
        least = least.min(begun.try_elapsed()?.as_secs_f64());
    }
    Ok(least)
}

/// As many draws as a bootstrap makes, two out of each random word, of one number each.
fn draw_and_add(values: &[f64]) -> f64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(HOW.seed);
    let mut sums = [0.0; 2];
    for _ in 0..u64::from(HOW.resamples) * u64::from(CASES) / 2 {
        let word = random.next_u64();
        for (sum, half) in sums.iter_mut().zip([word & 0xffff_ffff, word >> 32]) {
            *sum += values.get(((half * u64::from(CASES)) >> 32) as usize).copied().unwrap_or(0.0);
        }
    }
    sums.iter().sum()
}
