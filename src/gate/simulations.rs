//! Whole gates where the truth is known, in small; `cargo bench --bench gate` has the full numbers.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tests::evidence;
use super::*;
use crate::config::GateSettings;
use crate::domain::{ContentHash, Verdict, VerdictId};

/// Gates of each kind.
const GATES: u64 = 40;

/// One side: most cases are nearly certain, some are a toss-up; `worse` scales the chance to be right.
fn side(cases: usize, repeats: usize, worse: f64, truth: u64, noise: &mut ChaCha8Rng) -> Evidence {
    let mut truth = ChaCha8Rng::seed_from_u64(truth);
    let scores: Vec<Vec<f64>> = (0..cases)
        .map(|_| {
            let chance = match truth.random::<f64>() {
                toss if toss < 0.06 => 0.5,
                low if low < 0.35 => 0.05,
                _ => 0.95,
            };
            (0..repeats).map(|_| if noise.random::<f64>() < chance * worse { 1.0 } else { 0.0 }).collect()
        })
        .collect();
    evidence(&scores)
}

fn fails(cases: usize, repeats: usize, worse: f64) -> u64 {
    let settings = GateSettings { resamples: 1_000, ..GateSettings::default() };
    let failed = |gate: &u64| {
        let mut noise = ChaCha8Rng::seed_from_u64(1_000 + gate);
        let (before, after) =
            (side(cases, repeats, 1.0, *gate, &mut noise), side(cases, repeats, worse, *gate, &mut noise));
        let compared = |name, evidence| Side { name, evidence, fresh: true, stored: true };
        let comparison = Comparison {
            baseline: compared("1", &before),
            candidate: compared("2", &after),
            settings: &settings,
            terms: ContentHash::of(b""),
            seed: *gate,
            judge: None,
            quarantined: Vec::new(),
        };
        let id = VerdictId::from(uuid::Uuid::nil());
        decide(&comparison, id, String::new()).unwrap().verdict == Verdict::Fail
    };
    (0..GATES).filter(failed).count() as u64
}

#[test]
fn a_change_that_changes_nothing_seldom_fails() {
    // At 3 % four or more of 40 would be a chance of 3 in 100; the bench finds 1 %.
    let failed = fails(100, 1, 1.0);
    assert!(failed <= 3, "{failed} of {GATES}");
}

#[test]
fn a_loss_of_five_points_is_found_with_five_repeats() {
    // The mean chance is 0.06/2 + 0.29 * 0.05 + 0.65 * 0.95 = 0.662: five points are a factor of 0.924.
    let failed = fails(200, 5, 0.924);
    assert!(failed >= 36, "{failed} of {GATES}");
}
